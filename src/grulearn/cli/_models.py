"""A model and a table that should fit together: loading, picking columns, predicting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._files import replacing
from grulearn.cli._grouping import Grouping, group
from grulearn.cli._layout import Layout
from grulearn.cli._tables import Table, join_names, read_table
from grulearn.cli._values import Gaps, as_text, kind_of, numbers, texts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file, as saved by grulearn fit.")
]
IdOption = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="COLUMN", help="Long tables: whose row it is; default: as the model was fitted."
    ),
]
TimeOption = Annotated[
    str | None,
    typer.Option(
        "--time", metavar="COLUMN", help="Long tables: when it was; default: as the model was fitted."
    ),
]
SortOption = Annotated[
    bool,
    typer.Option("--sort", help="Long tables: take the rows in the order of time, not that of the file."),
]

# Where a model file keeps the layout, beside what the estimator writes.
_KEY = "table"


@dataclass(frozen=True)
class Model:
    """A fitted estimator, where it came from, and which columns it reads and predicts.

    `layout` is None for a file that was not written by the command line.
    """

    source: str
    estimator: Any
    layout: Layout | None = None

    @property
    def classifies(self) -> bool:
        """Whether it predicts labels."""
        return hasattr(self.estimator, "classes_")

    @property
    def by_step(self) -> bool:
        """Whether it predicts for each step, and not for each sequence."""
        return bool(self.estimator.spec_.head.target == "sequence")

    @property
    def n_targets(self) -> int:
        """How many columns it predicts."""
        if not self.classifies:
            return int(self.estimator.n_outputs_)
        return len(self.estimator.classes_) if self.estimator._multilabel else 1

    @property
    def target_names(self) -> tuple[str, ...]:
        """Which columns it predicts; empty if it was not told."""
        if self.layout is not None:
            return self.layout.targets
        return tuple(getattr(self.estimator, "target_names_", None) or ())

    @property
    def gaps(self) -> Gaps:
        """Whether its features may be missing."""
        allowed = getattr(self.estimator, "missing", "error") != "error"
        return Gaps(allowed, f"; {self.source} was fitted without --missing, and takes no gaps")


@dataclass(frozen=True, eq=False)
class Features:
    """What a model reads of a table.

    Parameters
    ----------
    table : Table
    X : DataFrame, ndarray or Sequences
    grouping : Grouping or None
        Whose rows are whose in a long table.
    """

    table: Table
    X: Any
    grouping: Grouping | None


def save_model(estimator: Any, path: Path, layout: Layout | None) -> None:
    """Write a model file, whole or not at all; with a layout it knows the columns of its table."""
    from grulearn.formats import read_model, write_model

    if layout is None:
        estimator.save(path)
        return
    with replacing(path) as temporary:
        estimator.save(temporary)
        arrays, metadata = read_model(temporary)
        write_model(temporary, arrays, metadata | {_KEY: layout.to_dict()})


def load_model(path: Path) -> Model:
    """Load a model file."""
    from grulearn.estimators import load
    from grulearn.formats import read_model

    if not path.exists():
        raise BadInput(f"there is no model file {path}")
    estimator = load(path)
    if estimator.stop_reason_ == "diverged":
        say("warning", f"the training of {path} diverged; its predictions may be useless")
    kept = read_model(path)[1].get(_KEY)
    return Model(str(path), estimator, None if kept is None else Layout.from_dict(kept))


def read_features(layout: Layout, table: Table, grouping: Grouping | None, gaps: Gaps) -> Any:
    """Return the features of a table as an estimator takes them.

    Raises
    ------
    BadInput
        If one holds what it should not; the message names row and column.
    """
    import pandas as pd

    values = numbers(table, layout.numeric, gaps)
    if layout.categorical:
        # As pandas' strings, which stay such where the first hundred are missing.
        named = texts(table, layout.categorical, gaps).astype("string")
        values = pd.concat([values, named], axis=1)
    if grouping is None:
        return values.reset_index(drop=True)
    return _as_sequences(layout, values, grouping)


def _as_sequences(layout: Layout, values: pd.DataFrame, grouping: Grouping) -> Any:
    from grulearn.sequences import Sequences

    features = list(values.columns)
    keys: dict[str, Any] = {}
    if layout.id is not None:
        values[layout.id] = grouping.table.frame[layout.id]
        keys["id_col"] = layout.id
    if layout.time is not None:
        values[layout.time] = grouping.times
        keys["time_col"] = layout.time
    return Sequences.from_frame(values.iloc[grouping.order], feature_cols=features, **keys)[0]


def open_features(
    model: Model,
    path: Path,
    separator: str,
    *,
    id_name: str | None = None,
    time_name: str | None = None,
    sort: bool = False,
    targets: Sequence[str] = (),
) -> Features:
    """Read what a model needs of a file, and the `targets`; other columns are named in a note.

    Raises
    ------
    BadInput
        If a column is missing, or the table is long and the model is not, or the other way round.
    """
    layout = model.layout
    if layout is not None:
        layout = replace(layout, id=id_name or layout.id, time=time_name or layout.time)
        as_text: Sequence[str] = layout.as_text
    else:
        as_text = [id_name] if id_name else ()
    table = read_table(path, separator, as_text=as_text)
    table.require(targets, "the target column")
    if layout is None:
        if getattr(model.estimator, "feature_names_in_", None) is None:
            _refuse_unnamed_sequences(model, table)
            return Features(table, _by_position(model, table, targets), None)
        layout = _guess_layout(model, table, id_name, time_name)
    _check_form(model, layout, table, sort)
    table.require(layout.features, f"what {model.source} was fitted on")
    _note_unused(model, layout, table, targets)
    grouping = None
    if layout.long:
        grouping = group(table, layout.id, layout.time, sort=sort)
    X = read_features(layout, table, grouping, model.gaps)
    _note_unseen(model, layout, table)
    return Features(table, X, grouping)


def _guess_layout(model: Model, table: Table, id_name: str | None, time_name: str | None) -> Layout:
    """Tell the features of a model that was saved from Python by what the columns hold."""
    names = [str(name) for name in model.estimator.feature_names_in_]
    table.require(names, f"what {model.source} was fitted on")
    text = tuple(name for name in names if kind_of(table, name) == "text")
    numeric = tuple(name for name in names if name not in text)
    return Layout(model.target_names, numeric, text, id_name, time_name, model.by_step)


def _check_form(model: Model, layout: Layout, table: Table, sort: bool) -> None:
    """Raise BadInput unless the table is long where the model's was, and has the columns that say so."""
    if layout.long and model.layout is not None and not model.layout.long:
        raise BadInput(f"{model.source} was fitted on a table without --id and --time; leave them out")
    if not layout.long and model.estimator.sequence_lengths_[2] > 1:
        raise BadInput(
            f"{_fitted_on_sequences(model, table)}; say with --id which column tells whose row it is, and "
            "with --time when it was"
        )
    for option, name in (("--id", layout.id), ("--time", layout.time)):
        if name is not None:
            table.require([name], f"the column of {option}")
    if sort and layout.time is None:
        raise BadInput("--sort goes with --time")


def _refuse_unnamed_sequences(model: Model, table: Table) -> None:
    if model.estimator.sequence_lengths_[2] > 1:
        raise BadInput(
            f"{_fitted_on_sequences(model, table)}; its features have no names by which to find columns: use "
            "this model from Python, with grulearn.load"
        )


def _fitted_on_sequences(model: Model, table: Table) -> str:
    steps = model.estimator.sequence_lengths_[2]
    return (
        f"{model.source} was fitted on sequences of up to {steps} steps, and each row of {table.source} is "
        "one step"
    )


def _note_unused(model: Model, layout: Layout, table: Table, also: Sequence[str]) -> None:
    used = {*layout.features, *layout.targets, *layout.ignored, layout.id, layout.time, *also}
    extra = [column for column in table.columns if column not in used]
    if extra:
        say("note", f"{model.source} does not use {join_names(extra)} of {table.source}")


def _note_unseen(model: Model, layout: Layout, table: Table) -> None:
    """Say which categories the model does not know; it takes all of them for one."""
    known = model.estimator._encoding.state()["categories"]
    for name, categories in zip(layout.categorical, known, strict=True):
        values = as_text(table.frame[name])
        unseen = sorted(
            {value for value in values if value is not None} - {str(v) for v in categories["values"]}
        )
        if unseen:
            n = int(np.isin(values.astype(str), unseen).sum())
            say(
                "note",
                f"{model.source} has not seen {join_names(unseen)}, in {n:,} row{'s' * (n != 1)} of column "
                f'"{name}", and takes {"them" if len(unseen) > 1 else "it"} for something unknown',
            )


def _by_position(model: Model, table: Table, also: Sequence[str]) -> NDArray[np.float64]:
    expected = model.estimator.n_features_in_
    columns = [column for column in table.columns if column not in {*model.target_names, *also}]
    if len(columns) != expected:
        raise BadInput(
            f"{model.source} was fitted on {expected} features without names; {table.source} has "
            f"{len(columns)} columns ({join_names(columns)})"
        )
    values: NDArray[np.float64] = numbers(table, columns, model.gaps).to_numpy(dtype=np.float64)
    return values
