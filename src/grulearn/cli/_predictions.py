"""What a model predicts for a table, as named columns: one row for each sequence, or for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grulearn.cli._errors import BadInput
from grulearn.cli._models import Features, Model
from grulearn.sequences import Sequences

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def predict(model: Model, features: Features) -> NDArray[Any]:
    """Predict for each sequence, or each of their steps, one after the other: shape (M, K)."""
    return _stacked(model.estimator.predict(features.X), model.n_targets)


def probabilities(model: Model, features: Features) -> NDArray[np.float64]:
    """Return the probabilities of the classes, or of several labels: shape (M, n_classes)."""
    return _stacked(model.estimator.predict_proba(features.X), len(model.estimator.classes_))


def prediction_frame(
    model: Model, features: Features, *, proba: bool = False, coverage: float | None = None
) -> pd.DataFrame:
    """Return all that is to be written, in the order of the file.

    Raises
    ------
    BadInput
        If probabilities are asked of a model of numbers, or intervals of one that cannot give them.
    """
    estimator = model.estimator
    if coverage is not None:
        _check_coverage(model, coverage)
    if model.classifies:
        frame = estimator.predict_frame(features.X, proba=proba, coverage=coverage)
    elif proba:
        raise BadInput(f"--proba: {model.source} predicts numbers, which have no probabilities")
    else:
        frame = estimator.predict_frame(features.X, coverage=coverage)
    return _with_keys(model, features, frame.drop(columns=_keys_in(frame, features.X)))


def _keys_in(frame: pd.DataFrame, X: Any) -> list[str]:
    """Return the columns of ids and times that the estimator gives first: the file has its own."""
    keys = (X.schema.id, X.schema.time) if isinstance(X, Sequences) else ()
    return [name for name in frame.columns[:2] if name in keys]


def _check_coverage(model: Model, coverage: float) -> None:
    if not 0 < coverage < 1:
        raise BadInput(f"--coverage must lie between 0 and 1, such as 0.9; it is {coverage:g}")
    if model.classifies and model.n_targets > 1:
        raise BadInput("--coverage: sets of labels are written for one target, and this model has several")


def _stacked(predicted: Any, n: int) -> NDArray[Any]:
    """Bring predictions into one row for each sequence, or for each of their steps."""
    values = np.concatenate(predicted) if isinstance(predicted, list) else np.asarray(predicted)
    return values.reshape(-1, n)


def _with_keys(model: Model, features: Features, frame: pd.DataFrame) -> pd.DataFrame:
    """Put the ids in front, and for each step the times, in the order of the file."""
    grouping = features.grouping
    if grouping is None:
        return frame
    rows = grouping.order if model.by_step else grouping.firsts
    table = features.table.frame.iloc[rows]
    frame.index = table.index
    # The time comes first to go behind the id.
    keys = [grouping.time if model.by_step else None, grouping.id]
    for name in keys:
        if name is not None:
            _insert_first(frame, name, table[name])
    return frame.sort_index() if model.by_step else frame


def _insert_first(frame: pd.DataFrame, name: str, values: pd.Series[Any]) -> None:
    if name in frame.columns:
        raise BadInput(f'the column "{name}" would stand in the predictions twice; rename it in the table')
    frame.insert(0, name, values)
