"""What a model predicts for a table, as named columns: one row for each sequence, or for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grulearn.cli._errors import BadInput
from grulearn.cli._models import Features, Model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def predict(model: Model, features: Features) -> NDArray[Any]:
    """Predict for each sequence, or each of their steps, one after the other: shape (M, K)."""
    return _stacked(model, model.estimator.predict(features.X), model.n_targets)


def probabilities(model: Model, features: Features) -> NDArray[np.float64]:
    """Return the probabilities of the classes, or of several labels: shape (M, n_classes)."""
    return _stacked(model, model.estimator.predict_proba(features.X), len(model.estimator.classes_))


def prediction_frame(
    model: Model, features: Features, *, proba: bool = False, coverage: float | None = None
) -> pd.DataFrame:
    """Return all that is to be written, in the order of the file.

    Raises
    ------
    BadInput
        If probabilities are asked of a model of numbers, or intervals of one that cannot give them.
    """
    import pandas as pd

    columns = {
        f"predicted{end}": values
        for end, values in zip(_ends(model), predict(model, features).T, strict=True)
    }
    if not model.classifies:
        if proba:
            raise BadInput(f"--proba: {model.source} predicts numbers, which have no probabilities")
        columns |= _spread(model, features)
    elif proba:
        shares = probabilities(model, features)
        names = model.target_names if model.n_targets > 1 else model.estimator.classes_.tolist()
        names = names or range(shares.shape[1])
        columns |= {f"probability_{name}": values for name, values in zip(names, shares.T, strict=True)}
    if coverage is not None:
        columns |= _intervals(model, features, coverage)
    return _with_keys(model, features, pd.DataFrame(columns))


def _ends(model: Model) -> list[str]:
    """Return what follows "predicted" in the names of columns."""
    if len(model.target_names) == model.n_targets:
        return [f"_{name}" for name in model.target_names]
    return [""] if model.n_targets == 1 else [f"_{i}" for i in range(1, model.n_targets + 1)]


def _stacked(model: Model, predicted: Any, n: int) -> NDArray[Any]:
    """Bring predictions into one row for each sequence, or for each of their steps."""
    values = np.concatenate(predicted) if isinstance(predicted, list) else np.asarray(predicted)
    return values.reshape(-1, n)


def _spread(model: Model, features: Features) -> dict[str, NDArray[Any]]:
    """Return the standard deviations or the quantiles of a model that predicts them."""
    head = model.estimator.spec_.head
    if head.loss == "gaussian":
        std = _stacked(model, model.estimator.predict(features.X, return_std=True)[1], model.n_targets)
        return {f"std{end}": values for end, values in zip(_ends(model), std.T, strict=True)}
    if head.quantiles is None:
        return {}
    n = model.n_targets * len(head.quantiles)
    values = _stacked(model, model.estimator.predict_quantiles(features.X), n)
    names = [f"quantile_{level:g}{end}" for end in _ends(model) for level in head.quantiles]
    return dict(zip(names, values.T, strict=True))


def _intervals(model: Model, features: Features, coverage: float) -> dict[str, NDArray[Any]]:
    if not 0 < coverage < 1:
        raise BadInput(f"--coverage must lie between 0 and 1, such as 0.9; it is {coverage:g}")
    if not model.classifies:
        lower, upper = (
            _stacked(model, side, model.n_targets)
            for side in model.estimator.predict_interval(features.X, coverage)
        )
        columns: dict[str, NDArray[Any]] = {}
        for k, end in enumerate(_ends(model)):
            columns |= {f"lower{end}": lower[:, k], f"upper{end}": upper[:, k]}
        return columns
    if model.n_targets > 1:
        raise BadInput("--coverage: sets of labels are written for one target, and this model has several")
    classes = model.estimator.classes_
    possible = _stacked(model, model.estimator.predict_set(features.X, coverage), len(classes))
    texts = ["|".join(str(label) for label in classes[row].tolist()) for row in possible]
    return {f"set{_ends(model)[0]}": np.array(texts, dtype=object)}


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
