"""``grulearn fit``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._estimator_options import add_options, build, refuse_foreign
from grulearn.cli._files import check_all_differ, check_can_write
from grulearn.cli._layout import Roles
from grulearn.cli._models import SortOption
from grulearn.cli._problem import check_task, read_problem
from grulearn.cli._tables import DataArgument, SeparatorOption, read_table
from grulearn.cli._values import Gaps
from grulearn.estimators import GRUClassifier, GRURegressor

EXAMPLE = "grulearn fit houses.csv --target price --output model.gru --plot loss.png"

ESTIMATORS: dict[str, type] = {"regression": GRURegressor, "classification": GRUClassifier}
# Set by the options of the table (--target-kind, --categorical), or without a use in a process that ends.
_NOT_OFFERED = ("target", "categorical_features", "tokens", "warm_start")


def command(
    data: DataArgument,
    target: Annotated[
        list[str],
        typer.Option(
            "--target", metavar="COLUMN", help="The column to predict; repeat it to predict several."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to save the model.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Where to draw the loss curve (.png, .svg, .pdf)."),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="Long tables, with a row for each step: whose row it is.",
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time", metavar="COLUMN", help="Long tables: when; numbers, or ISO 8601."),
    ] = None,
    sort: SortOption = False,
    task: Annotated[
        str,
        typer.Option(
            "--task",
            metavar="auto|regression|classification",
            help="Whether to learn numbers or labels; auto takes texts, true and false, and two whole "
            "numbers for labels.",
        ),
    ] = "auto",
    target_kind: Annotated[
        str,
        typer.Option(
            "--target-kind",
            metavar="auto|value|step",
            help="Long tables: whether each id has a target, or each row; auto looks whether it changes.",
        ),
    ] = "auto",
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            "--categorical",
            metavar="COLUMN",
            help="A column of numbers that are categories, as texts are anyway; can be repeated.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="COLUMN", help="A column to leave out; can be repeated."),
    ] = None,
    separator: SeparatorOption = ",",
    **options: str | bool,
) -> None:
    """Every column that has no other role is a feature: numbers, or categories where it holds texts.

    Without --id and --time each row is a sequence of one step. Ctrl-C ends the training early and keeps what
    was trained so far.
    """
    from grulearn.cli._console import new_console
    from grulearn.cli._progress import progress_view
    from grulearn.cli._training import Outputs, check_picture_name, print_ending, train

    check_all_differ(**{"DATA": data, "--output": output, "--plot": plot})
    check_can_write(output, plot)
    if plot is not None:
        check_picture_name(plot)
    check_task(task)
    _check_options(task, options)
    roles = Roles(tuple(target), id_column, time_column, tuple(categorical or ()), tuple(ignore or ()))
    if sort and time_column is None:
        raise BadInput("--sort goes with --time")
    table = read_table(data, separator, as_text=roles.as_text)
    console = new_console()
    problem = read_problem(table, roles, task=task, form=target_kind, gaps=_gaps(options), sort=sort)
    for sentence in problem.sentences:
        console.print(sentence)
    refuse_foreign(ESTIMATORS, problem.task, options)
    estimator = build(
        ESTIMATORS[problem.task], options, target="sequence" if problem.layout.by_step else "value"
    )
    # With --verbose the estimator prints for itself.
    view = None if estimator.verbose else progress_view(console)
    outputs = Outputs(output, plot, problem.layout)
    seconds = train(estimator, problem.X, problem.y, view, outputs)
    print_ending(console, estimator, seconds)
    for what, path in (("The model is in", output), ("The loss curve is in", plot)):
        if path is not None:
            console.print(f"{what} {path}.")
    if output is None:
        say("note", "the model was not saved, as there was no --output")


def _check_options(task: str, options: Mapping[str, str | bool]) -> None:
    """Raise BadInput if an option has a value that no estimator takes, before a long table is read."""
    errors = []
    for name, estimator in ESTIMATORS.items():
        if task in ("auto", name):
            try:
                build(estimator, options)
            except BadInput as error:
                errors.append(error)
            else:
                return
    raise errors[0]


def _gaps(options: Mapping[str, str | bool]) -> Gaps:
    return Gaps(
        allowed=options["missing"] != "error",
        hint="; a column can be left out with --ignore, and --missing says how to go on with gaps",
    )


add_options(command, ESTIMATORS, without=_NOT_OFFERED)
