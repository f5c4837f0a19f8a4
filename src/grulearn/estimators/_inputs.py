"""What a user hands in as `X`, checked and turned into the one form in which data travels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import _check_feature_names, validate_data

from grulearn.estimators._places import explain_text
from grulearn.sequences import (
    Sequences,
    are_vectors,
    as_sequences,
    column_kinds,
    is_frame,
    listed,
    listed_sequences,
)
from grulearn.streaming import StepColumns

__all__ = ["Inputs", "feature_names", "read_inputs"]


class Inputs(NamedTuple):
    """Sequences, and how they came.

    Parameters
    ----------
    data : Sequences
    shape : tuple of int or None
        (N, F) of a table, (N, T, F) of sequences; T is None where the lengths differ. F counts numeric and
        categorical features.
    rectangular : bool
        Whether they came as one array, so that predictions for each step can go back as one.
    """

    data: Sequences
    shape: tuple[int | None, ...]
    rectangular: bool


def feature_names(estimator: Any) -> list[str] | None:
    """Return the names of the features that `estimator` was fitted on, or None."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def read_inputs(estimator: Any, X: Any, *, reset: bool, training: bool = False) -> Inputs:
    """Check `X` and turn it into sequences.

    Parameters
    ----------
    estimator : estimator
        Gets (or, if not `reset`, is asked for) `n_features_in_` and `feature_names_in_`.
    X : Sequences, array-like of shape (N, F) or (N, T, F), dataframe, list or object array of sequences, or \
list of texts
    reset : bool
        True in fit.
    training : bool, default=False
        Whether the fitted network is to be trained on `X`.

    Raises
    ------
    ValueError, TypeError
        With the place of what is wrong.
    """
    inputs = _read(estimator, X, reset=reset)
    least = 2 if reset and not _learns_steps(estimator) else 1  # one sample alone shows no relation to learn
    if len(inputs.data) < least:
        raise ValueError(
            f"Found array with {len(inputs.data)} sample(s) (shape={inputs.shape}) while a minimum of "
            f"{least} is required by {type(estimator).__name__}{' to fit' if reset else ''}."
        )
    inputs.data.require_steps(
        remedy=None if isinstance(X, Sequences) else "Leave it out, and its target if there is one"
    )
    if not reset:
        _check_steps(estimator, inputs, training)
    return inputs


def _read(estimator: Any, X: Any, *, reset: bool) -> Inputs:
    if isinstance(X, Sequences):
        return _take(estimator, X, X, reset=reset)
    if estimator.tokens is not None:
        return _take(estimator, as_sequences(X, tokens=estimator.tokens), None, reset=reset)
    if is_frame(X):
        return _read_frame(estimator, X, reset=reset)
    items = listed_sequences(X)
    if items is None and not reset and estimator.n_features_in_ == 1 and are_vectors(listed(X) or [X]):
        # Sequences of one feature that happen to have one length, such as a fold of a ragged list.
        items = listed(X)
    if items is not None:
        return _take(estimator, Sequences.from_list(items), X, reset=reset)
    _refuse_others(X)
    return _read_array(estimator, listed(X) or X, reset=reset)


def _read_frame(estimator: Any, X: Any, *, reset: bool) -> Inputs:
    """Read a dataframe, whose rows are sequences of one step; as an array if it holds nothing but numbers."""
    kinds = column_kinds(X, "X")
    for number, (column, kind) in enumerate(kinds.items()):
        if kind.lower().startswith(("date", "time", "period", "duration")):
            raise ValueError(
                f"X: column {column!r} ({number}) holds {kind}, expected numbers. Drop it, or turn it into "
                "numbers such as the hour of the day."
            )
    text = [kind in ("String", "Categorical", "Enum") for kind in kinds.values()]
    if not any(text):
        return _read_array(estimator, X, reset=reset)
    numeric = np.cumsum(np.logical_not(text)) - 1
    return _take(estimator, Sequences.from_array(X), X, reset=reset, places=np.where(text, -1, numeric))


def _refuse_others(X: Any) -> None:
    """Raise the error that `Sequences` has for what scikit-learn converts in silence, or cannot explain."""
    if isinstance(X, tuple) and X and isinstance(X[0], Sequences):
        raise TypeError(
            "X is a tuple that begins with a Sequences: Sequences.from_frame gives X and y, as in "
            "X, y = Sequences.from_frame(...)"
        )
    kind = getattr(getattr(X, "dtype", None), "kind", "O")
    if X is None or kind in "mM" or isinstance(X, str | bytes | dict | set) or hasattr(X, "__next__"):
        Sequences.from_array(X)


def _read_array(estimator: Any, X: Any, *, reset: bool) -> Inputs:
    """Read a table or a rectangular array of numbers, with scikit-learn's checks and messages."""
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(np.float64), np.nan)  # a masked value is a missing one
    try:
        values = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            allow_nd=True,
            ensure_2d=False,
            ensure_all_finite=False,
            ensure_min_samples=0,
        )
    except ValueError as error:
        explain_text(X, "X", error, type(estimator).__name__, feature_names(estimator))
        raise
    _check_shape(values, X)
    _check_features(estimator, values, reset=reset)
    data = Sequences.from_array(values)
    names = feature_names(estimator)
    if names is not None:
        data = Sequences(
            data.rows, data.starts, data.lengths, schema=replace(data.schema, features=tuple(names))
        )
    return Inputs(_recast(estimator, data, reset=reset), values.shape, True)


def _take(
    estimator: Any, data: Sequences, X: Any, *, reset: bool, places: NDArray[np.int64] | None = None
) -> Inputs:
    """Check the features of sequences that are read already; for `places` see `_recast`."""
    found = data.n_features + data.n_categorical
    try:
        _check_feature_names(estimator, X if is_frame(X) else _named_columns(data), reset=reset)
    except ValueError as error:
        if not isinstance(X, Sequences):
            raise
        raise ValueError(
            f"{str(error).rstrip()}\nPass feature_cols=list(model.feature_names_in_) to Sequences.from_frame."
        ) from error
    if reset:
        estimator.n_features_in_ = found
    elif found != estimator.n_features_in_:
        raise ValueError(
            f"X has {found} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. It was read as {data!r}."
        )
    table = is_frame(X)
    shape = (len(data), found) if table else (len(data), data.shape[1], found)
    return Inputs(_recast(estimator, data, places, reset=reset), shape, table)


def _named_columns(data: Sequences) -> pd.DataFrame | None:
    """Return an empty dataframe with the features' names, for scikit-learn to look at."""
    names = _all_names(data)
    return None if names is None else pd.DataFrame(columns=list(names))


def _all_names(data: Sequences) -> tuple[str, ...] | None:
    """Return the names of all features, numeric ones first, if all have one."""
    names = (*(data.schema.features or ()), *(data.schema.categorical or ()))
    return names if len(names) == data.n_features + data.n_categorical else None


def _recast(
    estimator: Any, data: Sequences, places: NDArray[np.int64] | None = None, *, reset: bool
) -> Sequences:
    """Turn the numeric features that the user called categorical into such; note where the features stand.

    `places` says where among the numeric features each column of a dataframe is, -1 for text.
    """
    features = _called_categorical(estimator, data, places)
    recast = data.with_categorical(features) if features else data
    if reset:
        names = data.schema.features or ()
        moved = [names.index(feature) if isinstance(feature, str) else feature for feature in features]
        kept = (j for j in range(data.n_features) if j not in moved)
        behind = range(data.n_features, data.n_features + data.n_categorical)
        estimator._step_columns = StepColumns(
            tuple(kept), (*behind, *moved), _all_names(data), estimator.tokens
        )
    else:
        _check_kinds(estimator._step_columns, data)
    return recast


def _check_kinds(fitted: StepColumns, data: Sequences) -> None:
    """Raise an error that names a column of numbers that held texts in training, or the reverse."""
    now = _all_names(data)
    if fitted.names is None or now is None or fitted.names == now:
        return
    texts, texts_now = set(fitted.names[_n_numbers(fitted) :]), set(now[data.n_features :])
    for name in now:
        # Other names are scikit-learn's business.
        if name in fitted.names and (name in texts) != (name in texts_now):
            kinds = ("numbers", "texts or categories")
            is_text = name in texts_now
            raise ValueError(
                f"X: column {name!r} holds {kinds[is_text]}, but in training it held {kinds[not is_text]}"
            )


def _n_numbers(fitted: StepColumns) -> int:
    """Return how many features held numbers before the user called some of them categorical."""
    total = len(fitted.numeric) + len(fitted.categorical)
    # Columns of texts stand behind all numbers, and first among the categorical ones.
    texts = [c for i, c in enumerate(fitted.categorical) if c == fitted.categorical[0] + i]
    return texts[0] if texts and texts[-1] == total - 1 else total


def _called_categorical(estimator: Any, data: Sequences, places: NDArray[np.int64] | None) -> list[int | str]:
    """Return which numeric features the user called categorical, by position or name."""
    wanted = estimator.categorical_features
    if wanted is None:
        return []
    names = data.schema.features or ()
    categorical = data.schema.categorical or ()
    features = [_plain(feature) for feature in wanted]
    for feature in features:
        if isinstance(feature, str) and feature not in names and feature not in categorical:
            raise ValueError(
                f"categorical_features: there is no feature {feature!r}; there are {[*names, *categorical]}"
            )
    if places is not None:
        features = [f if isinstance(f, str) else _place(f, places) for f in features]
        features = [f for f in features if f != -1]
    return [feature for feature in features if feature not in categorical]


def _plain(feature: Any) -> int | str:
    if isinstance(feature, str):
        return feature
    if isinstance(feature, bool | np.bool_) or not isinstance(feature, int | np.integer):
        raise TypeError(f"categorical_features must hold names or positions of features, got {feature!r}")
    return int(feature)


def _place(column: int, places: NDArray[np.int64]) -> int:
    if not 0 <= column < len(places):
        raise ValueError(
            f"categorical_features: there is no column {column}; they count from 0 to {len(places) - 1}"
        )
    return int(places[column])


def _learns_steps(estimator: Any) -> bool:
    return bool(estimator.target == "sequence")


def _check_shape(values: NDArray[Any], X: Any) -> None:
    expected = "a table of shape (samples, features) or an array of shape (samples, steps, features)"
    if values.ndim == 1 and hasattr(X, "to_frame"):
        raise ValueError(f"Expected {expected}, got one column ({type(X).__name__}); pass X.to_frame().")
    if values.ndim not in (2, 3):
        raise ValueError(
            f"Expected {expected}, got {values.ndim} dimension(s) with shape {values.shape}. Reshape your "
            "data: X.reshape(-1, 1) if it has a single feature, X.reshape(1, -1) if it is a single sample."
        )
    for axis, unit in ((values.ndim - 1, "feature"), (1, "step")):
        if values.shape[axis] == 0:
            raise ValueError(
                f"Found array with 0 {unit}(s) (shape={values.shape}) while a minimum of 1 is required."
            )


def _check_features(estimator: Any, values: NDArray[Any], *, reset: bool) -> None:
    found = values.shape[-1]
    if reset:
        estimator.n_features_in_ = found
    elif found != estimator.n_features_in_:
        message = (
            f"X has {found} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} "
            f"features as input. Its shape is {values.shape}, read as "
            + ("(sample, step, feature)." if values.ndim == 3 else "(sample, feature).")
        )
        if values.shape[-2] == estimator.n_features_in_:
            turned = "X.transpose(0, 2, 1)" if values.ndim == 3 else "X.T"
            message += f" It looks transposed: pass {turned}."
        raise ValueError(message)


def _check_steps(estimator: Any, inputs: Inputs, training: bool) -> None:
    """Refuse steps that the fitted network cannot make sense of."""
    name, (_, _, longest) = type(estimator).__name__, estimator.sequence_lengths_
    if len(inputs.shape) == 2 and longest > 1:
        raise ValueError(
            f"X is a table of shape {inputs.shape}, but {name} was fitted on sequences of {longest} steps; "
            "expected a 3-D array (sample, step, feature). For one sequence pass X[np.newaxis], for "
            "sequences of one step X[:, np.newaxis]."
        )
    n_steps = inputs.data.n_steps_summary()[2]
    if n_steps > 1 and longest == 1 and not training:
        raise ValueError(
            f"X has sequences of {n_steps} steps, but {name} was fitted on sequences of one step, "
            "which train no recurrent weights. Fit it on a 3-D array (sample, step, feature)."
        )
