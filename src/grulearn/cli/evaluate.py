"""``grulearn evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._models import Model, ModelArgument, load_model
from grulearn.cli._tables import DataArgument, SeparatorOption, join_names, read_table

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table as RichTable

EXAMPLE = "grulearn evaluate model.gru held_out_houses.csv"


def command(
    model: ModelArgument,
    data: DataArgument,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", metavar="COLUMN", help="The column with the truth; default: as the model was fitted."
        ),
    ] = None,
    separator: SeparatorOption = ",",
) -> None:
    """Print the root mean squared error (RMSE), the mean absolute error (MAE) and R².

    The same numbers for always predicting the mean of the table's target stand below them. RMSE and MAE are
    in the unit of the target. Rows that the model was trained on make it look better than it is.
    """
    from grulearn.cli._console import new_console

    loaded = load_model(model)
    table = read_table(data, separator)
    names = _target_names(loaded, target)
    table.require(names, "the target column")
    truth = table.numbers(names).to_numpy()
    predicted = loaded.predict(table)
    console = new_console()
    rows = "1 row" if len(truth) == 1 else f"{len(truth):,} rows"
    console.print(f"{model} on {data}, {rows}")
    console.print(_score_table(names, truth, predicted))


def _target_names(model: Model, given: list[str] | None) -> list[str]:
    names = given or list(model.target_names)
    if not names:
        raise BadInput(f"{model.source} does not say which column it predicts; add --target COLUMN")
    if len(names) != model.estimator.n_outputs_:
        raise BadInput(
            f"{model.source} predicts {_count(model.estimator.n_outputs_)}, and --target names {len(names)}"
        )
    if given and model.target_names and given != list(model.target_names):
        say("warning", f"{model.source} predicts {join_names(model.target_names)}, not {join_names(given)}")
    return names


def _score_table(names: list[str], truth: NDArray[Any], predicted: NDArray[Any]) -> RichTable:
    from grulearn.cli._scores import new_table, scores

    table = new_table("", "RMSE", "MAE", "R²")
    for i, name in enumerate(names):
        of = f" for {name}" if len(names) > 1 else ""
        mean = np.full(len(truth), truth[:, i].mean())
        table.add_row(f"the model{of}", *scores(truth[:, i], predicted[:, i]).texts())
        table.add_row(f"always the mean{of}", *scores(truth[:, i], mean).texts())
    return table


def _count(n: int) -> str:
    return "1 column" if n == 1 else f"{n} columns"
