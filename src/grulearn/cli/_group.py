"""A typer application that imports only the command it runs, and ends every error in one sentence."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from grulearn.cli._errors import exit_code_of


class _Commands(TyperGroup):
    """Holds a stand-in for each command, good for the list of commands, until one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stand_in, rest = super().resolve_command(ctx, args)
        # The base class has raised an error if there is no such command.
        return name, _load(str(name), str(cast(Any, stand_in).help)), rest

    def main(self, *args: Any, **kwargs: Any) -> Any:
        to_be_returned = kwargs | {"standalone_mode": False}
        code = exit_code_of(lambda: super(_Commands, self).main(*args, **to_be_returned))
        if kwargs.get("standalone_mode", True):
            sys.exit(code)
        return code


def make_app(commands: Mapping[str, str]) -> typer.Typer:
    """Build the application from the names of the commands and one line about each."""
    app = typer.Typer(
        cls=_Commands,
        help="Train and use gated recurrent units on tables and sequences.",
        epilog="Example: grulearn demo",
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top)
    for name, summary in commands.items():
        app.command(name, help=summary)(_stand_in)
    return app


def _top(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from grulearn import __version__

        typer.echo(f"grulearn {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), nl=False)


def _stand_in() -> None:
    """Never called: `resolve_command` puts the real command in its place."""


def _load(name: str, summary: str) -> Any:
    module = import_module(f"grulearn.cli.{name}")
    details = inspect.cleandoc(module.command.__doc__ or "")
    alone = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    alone.command(name, help=f"{summary}\n\n{details}", epilog=f"Example: {module.EXAMPLE}")(module.command)
    return typer.main.get_command(alone)
