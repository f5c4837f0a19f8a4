"""Where results are printed."""

from __future__ import annotations

import sys

from rich.console import Console


def new_console() -> Console:
    """Return a console for the standard output of this moment.

    Column names come from files: rich's markup would swallow the unit in "price [USD]". Lines are broken at
    the width of a terminal, and left whole in a file.
    """
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=not sys.stdout.isatty())
