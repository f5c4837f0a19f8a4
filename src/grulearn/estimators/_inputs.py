"""What a user hands in, checked and turned into the one form in which data travels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from grulearn.estimators._places import first_non_finite, first_non_number, place_label
from grulearn.sequences import Sequences

__all__ = ["check_encoded", "feature_names", "read_sequences", "read_targets", "target_names"]


def feature_names(estimator: Any) -> list[str] | None:
    """Return the names of the features that `estimator` was fitted on, or None."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def read_sequences(estimator: Any, X: Any, *, reset: bool) -> tuple[Sequences, tuple[int, ...]]:
    """Check `X` and turn it into sequences.

    Parameters
    ----------
    estimator : estimator
        Gets (or, if not `reset`, is asked for) `n_features_in_` and `feature_names_in_`.
    X : array-like of shape (N, F), dataframe, or array-like of shape (N, T, F)
    reset : bool
        True in fit.

    Returns
    -------
    sequences : Sequences
    shape : tuple of int
        (N, F) or (N, T, F), as `X` came.

    Raises
    ------
    ValueError, TypeError
        With the place of what is wrong.
    """
    name = type(estimator).__name__
    _refuse_dates(X)
    _refuse_ragged(X, name)
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
        _explain_text(X, "X", error, name, feature_names(estimator))
        raise
    _check_shape(values, X)
    _check_features(estimator, values, reset=reset)
    if not reset:
        _check_steps(estimator, values)
    least = 2 if reset else 1  # one sample alone shows no relation to learn
    if len(values) < least:
        raise ValueError(
            f"Found array with {len(values)} sample(s) (shape={values.shape}) while a minimum of {least} is "
            f"required by {name}{' to fit' if reset else ''}."
        )
    _check_finite(values, "X", name, feature_names(estimator))
    return Sequences.from_array(values), values.shape


def target_names(y: Any) -> list[str] | None:
    """Return the names of a dataframe's columns, or of a series; None unless all are strings."""
    columns = getattr(y, "columns", None)
    names = [getattr(y, "name", None)] if columns is None else list(columns)
    return [str(name) for name in names] if all(isinstance(name, str) for name in names) else None


def read_targets(estimator: Any, y: Any, X_shape: tuple[int, ...]) -> tuple[NDArray[np.float64], bool]:
    """Check `y` and bring it into two dimensions.

    Parameters
    ----------
    estimator : estimator
    y : array-like of shape (N,), (N, 1) or (N, O)
    X_shape : tuple of int
        (N, F) or (N, T, F).

    Returns
    -------
    targets : ndarray of float64, shape (N, O)
    one_dimensional : bool
        Whether predictions have shape (N,); also for `y` of shape (N, 1), with scikit-learn's
        DataConversionWarning.

    Raises
    ------
    ValueError, TypeError
        With the place of what is wrong.
    """
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    try:
        values = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="y",
            estimator=estimator,
        )
    except ValueError as error:
        _explain_text(y, "y", error, name, None)
        raise
    if values.ndim not in (1, 2) or values.size == 0 < len(values):
        raise ValueError(f"y has shape {values.shape}; expected (samples,) or (samples, outputs).")
    if len(values) != X_shape[0]:
        raise ValueError(_length_message(values.shape, X_shape))
    _check_finite(values, "y", name, None)
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    return values.reshape(len(values), -1), values.ndim == 1


def check_encoded(encoded: Sequences, given: Sequences, name: str, names: Sequence[str] | None) -> None:
    """Raise an error if a finite input left the range of the network's dtype on its way there."""
    position = first_non_finite(encoded.rows)
    if position is None or get_config()["assume_finite"]:
        return
    row, feature = position
    sequence = int(np.searchsorted(given.starts, row, side="right")) - 1
    where: tuple[int, ...] = (sequence, row - int(given.starts[sequence]), feature)
    if given.n_steps_summary()[2] == 1:
        where = (sequence, feature)
    raise ValueError(
        f"Input X contains a value too large for {name} at {place_label(where, names)}: "
        f"{given.rows[row, feature]!s}, which scaling leaves outside {encoded.dtype}'s range."
    )


def _refuse_ragged(X: Any, name: str) -> None:
    if isinstance(X, Sequences):
        ragged = len(X) > 0 and X.shape[1] is None
    else:
        ragged = isinstance(X, list | tuple) and len({getattr(item, "shape", ()) for item in X}) > 1
    if ragged:
        raise ValueError(
            f"X holds {len(X)} sequences of different shapes. {name} takes a table (sample, feature) "
            "or a 3-D array (sample, step, feature), whose sequences all have the same number of steps."
        )


def _refuse_dates(X: Any) -> None:
    columns, dtypes = getattr(X, "columns", None), getattr(X, "dtypes", None)
    if columns is None or dtypes is None:
        return
    for number, (column, dtype) in enumerate(zip(columns, dtypes, strict=False)):
        kind = str(dtype).lower()
        if kind.startswith(("date", "time", "period", "duration")):
            raise ValueError(
                f"X: column {column!r} ({number}) holds {kind}, expected numbers. Drop it, or turn it into "
                "numbers such as the hour of the day."
            )


def _explain_text(X: Any, what: str, error: ValueError, name: str, names: list[str] | None) -> None:
    """Raise a better error if the reason is a text among the numbers."""
    if "could not convert string" not in str(error):
        return
    found = first_non_number(X)
    if found is not None:
        position, value = found
        raise ValueError(
            f"{what} holds {value!r} at {place_label(position, names)}, which is not a number: could not "
            f"convert string to float. {name} takes numbers only; convert or drop it."
        ) from error


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


def _check_steps(estimator: Any, values: NDArray[Any]) -> None:
    """Refuse steps that the fitted network cannot make sense of."""
    name, (_, _, longest) = type(estimator).__name__, estimator.sequence_lengths_
    if values.ndim == 2 and longest > 1:
        raise ValueError(
            f"X is a table of shape {values.shape}, but {name} was fitted on sequences of {longest} steps; "
            "expected a 3-D array (sample, step, feature). For one sequence pass X[np.newaxis], for "
            "sequences of one step X[:, np.newaxis]."
        )
    if values.ndim == 3 and values.shape[1] > 1 and longest == 1:
        raise ValueError(
            f"X has sequences of {values.shape[1]} steps, but {name} was fitted on sequences of one step, "
            "which train no recurrent weights. Fit it on a 3-D array (sample, step, feature)."
        )


def _check_finite(values: NDArray[Any], what: str, name: str, names: Sequence[str] | None) -> None:
    position = None if get_config()["assume_finite"] else first_non_finite(values)
    if position is None:
        return
    found = "NaN" if np.isnan(values[position]) else "infinity"
    raise ValueError(
        f"Input {what} contains {found} at {place_label(position, names)}. {name} takes finite numbers only: "
        "fill it in or drop it first."
    )


def _length_message(y_shape: tuple[int, ...], X_shape: tuple[int, ...]) -> str:
    message = (
        f"y has {y_shape[0]} values (shape {y_shape}), but X has {X_shape[0]} samples (shape {X_shape}); "
        "expected one for each sample."
    )
    if len(y_shape) == 2 and y_shape[1] == X_shape[0]:
        return message + " y looks transposed: pass y.T."
    if y_shape[0] in X_shape[1:]:
        axis = X_shape.index(y_shape[0], 1)
        order = "(sample, step, feature)" if len(X_shape) == 3 else "(sample, feature)"
        message += (
            f" X looks transposed: its axis {axis} has {y_shape[0]}; the axes are {order}, "
            f"so pass np.moveaxis(X, {axis}, 0)."
        )
    return message
