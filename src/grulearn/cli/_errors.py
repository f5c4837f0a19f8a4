"""What goes wrong, said in one sentence on stderr; the only place that turns exceptions into exit codes."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

USAGE, FAILURE, INTERRUPTED = 2, 1, 130

# Set to anything: unexpected errors show where they came from.
DEBUG_VARIABLE = "GRULEARN_DEBUG"


class CommandError(Exception):
    """Ends the command with a sentence and an exit code."""

    exit_code = FAILURE


class BadInput(CommandError):
    """The arguments or the data are not what was expected."""

    exit_code = USAGE


class Interrupted(CommandError):
    """Ctrl-C was pressed."""

    exit_code = INTERRUPTED


def say(kind: str, message: str) -> None:
    """Write one line to stderr; `kind` is error, warning or note."""
    print(f"grulearn: {kind}: {' '.join(message.split())}", file=sys.stderr)


def exit_code_of(run: Callable[[], Any]) -> int:
    """Run a command, report what it raises or warns of, and return its exit code."""
    with warnings.catch_warnings():
        # A repeated command in one process must warn each time.
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        try:
            code = run()
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get(DEBUG_VARIABLE):
                raise
            code, message = _explain(error)
            if message:
                say("error", message)
        else:
            # typer reports Ctrl-C as this code, without a word.
            if code == INTERRUPTED:
                say("error", "interrupted")
    return code if isinstance(code, int) else 0


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    say("warning", str(message))


def _explain(error: BaseException) -> tuple[int, str]:
    match error:
        case CommandError():
            return error.exit_code, str(error)
        case KeyboardInterrupt() | typer.Abort():
            return INTERRUPTED, "interrupted"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return FAILURE, f"{where}{error.strerror or error}"
        case ValueError():
            # The library's own checks: each says what was wrong, where, and what was expected.
            return USAGE, str(error)
        case MemoryError():
            return FAILURE, "not enough memory for this table and a network of this size"
    if hasattr(error, "format_message"):  # typer's own: an unknown option, a missing argument
        return USAGE, _with_hint(error)
    return FAILURE, (
        f"unexpected {type(error).__name__}: {error}; set {DEBUG_VARIABLE}=1 to see where it came from"
    )


def _with_hint(error: Any) -> str:
    message = str(error.format_message()).strip().rstrip(".")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "grulearn"
    return f"{message} (see {command} --help)"
