"""A model and a table that should fit together: loading, picking columns, predicting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._tables import Table, join_names

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file, as saved by grulearn fit.")
]


@dataclass(frozen=True)
class Model:
    """A fitted estimator, where it came from, and which columns it predicts (empty if it was not told)."""

    source: str
    estimator: Any
    target_names: tuple[str, ...]

    def features(self, table: Table) -> pd.DataFrame | NDArray[np.float64]:
        """Return the table's columns that the model was fitted on, in the model's order.

        Raises
        ------
        BadInput
            If one is missing, or holds something that is not a finite number.
        """
        steps = self.estimator.sequence_lengths_[2]
        if steps > 1:
            raise BadInput(
                f"{self.source} was fitted on sequences of up to {steps} steps, and each row of "
                f"{table.source} is one step; use this model from Python, with grulearn.load"
            )
        names = getattr(self.estimator, "feature_names_in_", None)
        others = [column for column in table.columns if column not in self.target_names]
        if names is None:
            return self._features_by_position(table, others)
        names = [str(name) for name in names]
        table.require(names, f"what {self.source} was fitted on")
        extra = [column for column in others if column not in names]
        if extra:
            say("note", f"{self.source} does not use {join_names(extra)} of {table.source}")
        return table.numbers(names)

    def _features_by_position(self, table: Table, columns: list[str]) -> NDArray[np.float64]:
        expected = self.estimator.n_features_in_
        if len(columns) != expected:
            raise BadInput(
                f"{self.source} was fitted on {expected} features without names; {table.source} has "
                f"{len(columns)} columns ({join_names(columns)})"
            )
        return table.numbers(columns).to_numpy(dtype=np.float64)

    def predict(self, table: Table) -> NDArray[Any]:
        """Predict for each row: shape (rows, outputs)."""
        predicted = np.asarray(self.estimator.predict(self.features(table)))
        return predicted.reshape(len(table.frame), -1)


def load_model(path: Path) -> Model:
    """Load a model file."""
    from grulearn.estimators import load

    if not path.exists():
        raise BadInput(f"there is no model file {path}")
    estimator = load(path)
    if estimator.stop_reason_ == "diverged":
        say("warning", f"the training of {path} diverged; its predictions may be useless")
    return Model(str(path), estimator, tuple(estimator.target_names_ or ()))
