"""``grulearn predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._files import check_all_differ, check_can_write, replacing
from grulearn.cli._models import (
    IdOption,
    ModelArgument,
    SortOption,
    TimeOption,
    load_model,
    open_features,
)
from grulearn.cli._tables import DataArgument, SeparatorOption

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
    proba: Annotated[
        bool, typer.Option("--proba", help="Write the probability of each class as well.")
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage",
            metavar="FLOAT",
            help="Write intervals, or sets of labels, that hold the truth with this probability.",
        ),
    ] = None,
    id_column: IdOption = None,
    time_column: TimeOption = None,
    sort: SortOption = False,
    separator: SeparatorOption = ",",
) -> None:
    """Columns are found by their names, in any order; the target column may be there or not.

    The result is a CSV table, and nothing else goes to standard output. Its rows are those of DATA; for a
    model of long tables that predicts once for each sequence, there is one row for each id.
    """
    from grulearn.cli._predictions import prediction_frame

    check_all_differ(**{"MODEL": model, "--output": output})
    check_all_differ(**{"DATA": data, "--output": output})
    check_can_write(output)
    if output is not None and output.suffix.lower() in (".parquet", ".pq"):
        raise BadInput(f"--output {output}: predictions are written as CSV; give a name that ends in .csv")
    loaded = load_model(model)
    features = open_features(loaded, data, separator, id_name=id_column, time_name=time_column, sort=sort)
    frame = prediction_frame(loaded, features, proba=proba, coverage=coverage)
    if output is None:
        frame.to_csv(sys.stdout, index=False)
        return
    with replacing(output) as temporary:
        frame.to_csv(temporary, index=False)
    say("note", f"{len(frame):,} predictions are in {output}")
