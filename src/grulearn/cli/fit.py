"""``grulearn fit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._estimator_options import add_options, build
from grulearn.cli._files import check_all_differ, check_can_write
from grulearn.cli._tables import DataArgument, SeparatorOption, Table, join_names, read_table
from grulearn.estimators import GRURegressor

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "grulearn fit houses.csv --target price --output model.gru --plot loss.png"


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
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="COLUMN", help="A column to leave out; can be repeated."),
    ] = None,
    separator: SeparatorOption = ",",
    **options: str | bool,
) -> None:
    """Every column that is neither a target nor ignored is a feature.

    Ctrl-C ends the training early and keeps what was trained so far.
    """
    from grulearn.cli._console import new_console
    from grulearn.cli._progress import progress_view
    from grulearn.cli._training import Outputs, check_picture_name, print_ending, train

    check_all_differ(**{"DATA": data, "--output": output, "--plot": plot})
    check_can_write(output, plot)
    if plot is not None:
        check_picture_name(plot)
    estimator = build(GRURegressor, options)
    X, y = _split_columns(read_table(data, separator), target, ignore or [])
    console = new_console()
    # With --verbose the estimator prints for itself.
    view = None if estimator.verbose else progress_view(console)
    outputs = Outputs(output, plot)
    seconds = train(estimator, X, y, view, outputs)
    print_ending(console, estimator, seconds)
    for what, path in (("The model is in", output), ("The loss curve is in", plot)):
        if path is not None:
            console.print(f"{what} {path}.")
    if output is None:
        say("note", "the model was not saved, as there was no --output")


def _split_columns(table: Table, targets: list[str], ignored: list[str]) -> tuple[pd.DataFrame, Any]:
    table.require(targets, "the target column")
    table.require(ignored, "a column to ignore")
    repeated = {name for name in targets if targets.count(name) > 1 or name in ignored}
    if repeated:
        raise BadInput(
            f"--target and --ignore name the same column more than once: {join_names(sorted(repeated))}"
        )
    features = [name for name in table.columns if name not in targets and name not in ignored]
    if not features:
        raise BadInput(
            f"{table.source} has no column left to learn from; its columns are {', '.join(table.columns)}"
        )
    _warn_of_unnamed(features)
    X = table.numbers(features, hint="; a column can be left out with --ignore")
    y = table.numbers(targets)
    if len(X) < 2:
        raise BadInput(f"{table.source} has one row; expected at least two to train on, and rather hundreds")
    for name in targets:
        if y[name].nunique() == 1:
            raise BadInput(
                f'the target column "{name}" of {table.source} is {y[name].iloc[0]:g} in every row; '
                "there is nothing to learn"
            )
    return X, y[targets[0]] if len(targets) == 1 else y


def _warn_of_unnamed(features: list[str]) -> None:
    for name in features:
        # pandas' name for a column without one: mostly row numbers that were saved along with the table.
        if name.startswith("Unnamed: "):
            say(
                "warning",
                f'a column without a name is used as a feature; leave it out with --ignore "{name}"',
            )


add_options(command, GRURegressor)
