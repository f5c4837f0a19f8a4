"""The directive ``command-help``: what ``grulearn ... --help`` prints, taken while the page is built.

The command line's options stand in the program only; the page shows them and cannot fall behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COLUMNS = "88"


class CommandHelp(SphinxDirective):
    """Show the help of the sub-command named by the arguments; without arguments, of grulearn itself."""

    optional_arguments = 4

    def run(self) -> list[nodes.Node]:
        """Run the command in a fresh interpreter; one that fails stops the build."""
        words = [*self.arguments, "--help"]
        quiet = {"COLUMNS": COLUMNS, "TERMINAL_WIDTH": COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
        done = subprocess.run(
            [sys.executable, "-c", "from grulearn.cli.entry import main; main()", *words],
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode != 0:
            raise self.error(f"grulearn {' '.join(words)} failed:\n{done.stderr}")
        lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
        text = "\n".join([f"$ grulearn {' '.join(words)}", *lines])
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
