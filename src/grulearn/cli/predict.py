"""``grulearn predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._files import check_all_differ, check_can_write, replacing
from grulearn.cli._models import Model, ModelArgument, load_model
from grulearn.cli._tables import DataArgument, SeparatorOption, read_table

EXAMPLE = "grulearn predict model.gru new_houses.csv --output predictions.csv"


def command(
    model: ModelArgument,
    data: DataArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The CSV file to write; without it, standard output."
        ),
    ] = None,
    separator: SeparatorOption = ",",
) -> None:
    """Columns are found by their names, in any order; the target column may be there or not.

    The result is a CSV table with one row for each row of DATA, and nothing else goes to standard output.
    """
    import pandas as pd

    check_all_differ(**{"MODEL": model, "--output": output})
    check_all_differ(**{"DATA": data, "--output": output})
    check_can_write(output)
    if output is not None and output.suffix.lower() in (".parquet", ".pq"):
        raise BadInput(f"--output {output}: predictions are written as CSV; give a name that ends in .csv")
    loaded = load_model(model)
    predicted = loaded.predict(read_table(data, separator))
    frame = pd.DataFrame(predicted, columns=_column_names(loaded, predicted.shape[1]))
    if output is None:
        frame.to_csv(sys.stdout, index=False)
        return
    with replacing(output) as temporary:
        frame.to_csv(temporary, index=False)
    say("note", f"{len(frame):,} predictions are in {output}")


def _column_names(model: Model, n_outputs: int) -> list[str]:
    if len(model.target_names) == n_outputs:
        return [f"predicted_{name}" for name in model.target_names]
    return ["predicted"] if n_outputs == 1 else [f"predicted_{i}" for i in range(1, n_outputs + 1)]
