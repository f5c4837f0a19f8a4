"""The entry point: as little as can stand between the shell and an answer to Ctrl-C."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends in one line as well."""
    try:
        from grulearn.cli.app import app

        app(prog_name="grulearn")
    except KeyboardInterrupt:
        print("grulearn: error: interrupted", file=sys.stderr)
        sys.exit(130)
