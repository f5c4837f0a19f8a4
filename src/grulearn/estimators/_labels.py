"""Labels to learn: what a user hands in as `y` of a classifier, checked and turned into class numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from grulearn.estimators._targets import Targets, check_step_lengths, length_message, require_y, step_values
from grulearn.sequences import Sequences

__all__ = ["Labels", "encode_labels", "find_classes", "read_labels", "read_step_labels"]


class Labels(NamedTuple):
    """Labels as they came, before they are numbers.

    Parameters
    ----------
    values : ndarray, shape (M,), or (M, K) for several labels at once
        The second holds 0 and 1, and NaN where a step has no labels.
    known : ndarray of bool, shape (M,)
        Which of them are labels: False for a step without one.
    starts, lengths : ndarray of int64, shape (N,), or None
        As those of :class:`~grulearn.estimators._targets.Targets`.
    """

    values: NDArray[Any]
    known: NDArray[np.bool_]
    starts: NDArray[np.int64] | None = None
    lengths: NDArray[np.int64] | None = None

    @property
    def multilabel(self) -> bool:
        """Whether a sequence, or a step, can have several labels."""
        return self.values.ndim == 2


def read_labels(estimator: Any, y: Any, X_shape: tuple[int | None, ...]) -> Labels:
    """Check a `y` of one label for each sequence, or of several (a matrix of 0 and 1).

    Raises
    ------
    ValueError, TypeError
        With the place of what is wrong.
    """
    name = type(estimator).__name__
    require_y(y, name)
    if isinstance(y, Sequences) or _is_ragged(y):
        raise ValueError(
            "y has labels for each step; expected one for each sequence. Set "
            'target="sequence" to learn one for each step'
        )
    values = _as_array(y)
    if values.ndim not in (1, 2):
        raise ValueError(f"y has shape {values.shape}; expected (samples,) or (samples, labels).")
    if len(values) != X_shape[0]:
        raise ValueError(length_message(values.shape, X_shape))
    missing = pd.isna(values)
    if missing.any():
        row = int(np.argwhere(missing)[0][0])
        raise ValueError(
            f"Input y contains NaN at row {row}, which is no label. {name} needs one for each sequence: drop "
            "those without."
        )
    if values.ndim == 2 and values.shape[1] != 1:
        return Labels(_indicators(values, y), np.ones(len(values), dtype=np.bool_))
    values = column_or_1d(values, warn=True)
    _check_kind(values)
    return Labels(values, np.ones(len(values), dtype=np.bool_))


def read_step_labels(estimator: Any, y: Any, data: Sequences) -> Labels:
    """Check a `y` of labels for each step; None and NaN stand for none.

    Raises
    ------
    ValueError, TypeError
        With the sequence and step of what is wrong.
    """
    require_y(y, type(estimator).__name__)
    if isinstance(y, Sequences):
        labels = _labels_of(y)
    else:
        items = [_as_array(item) for item in y]
        if items and all(item.ndim == 1 for item in items):
            lengths = np.array([len(item) for item in items], dtype=np.int64)
            values = _joined(items)
            labels = Labels(values, ~pd.isna(values), np.cumsum(lengths) - lengths, lengths)
        else:
            labels = _labels_of(step_values(y)[0])
    assert labels.lengths is not None
    check_step_lengths(labels.lengths, data)
    if not labels.known.any():
        raise ValueError("y has no label: all its steps hold None or NaN")
    if not labels.multilabel:
        _check_kind(labels.values[labels.known])
    return labels


def find_classes(labels: Labels) -> NDArray[Any]:
    """Return the distinct labels, sorted; for several labels at once their numbers.

    Raises
    ------
    ValueError
        If there is one class only.
    """
    if labels.multilabel:
        return np.arange(labels.values.shape[1])
    classes: NDArray[Any] = np.unique(labels.values[labels.known])
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only, {classes[:1].tolist()[0]!r}; a classifier needs at least two classes"
        )
    return classes


def encode_labels(labels: Labels, classes: NDArray[Any], what: str = "y") -> Targets:
    """Return class numbers, -1 where a step has no label, or for several labels at once 0, 1 and NaN.

    Raises
    ------
    ValueError
        If there is a label that is none of `classes`.
    """
    if labels.multilabel:
        if labels.values.shape[1] != len(classes):
            raise ValueError(
                f"{what} has {labels.values.shape[1]} labels for each sample, expected {len(classes)}"
            )
        return Targets(labels.values, labels.starts, labels.lengths)
    codes = np.full(len(labels.values), -1, dtype=np.int64)
    known = labels.values[labels.known]
    try:
        found = np.minimum(np.searchsorted(classes, known), len(classes) - 1)
        wrong = np.flatnonzero(classes[found] != known)
    except TypeError:  # strings and numbers do not compare
        found, wrong = np.zeros(len(known), dtype=np.int64), np.zeros(1, dtype=np.int64)
    if len(wrong):
        raise ValueError(
            f"{what} holds the label {known[wrong[:1]].tolist()[0]!r}, which is none of the classes "
            f"{_listed(classes)}"
        )
    codes[labels.known] = found
    return Targets(codes, labels.starts, labels.lengths)


def _labels_of(y: Sequences) -> Labels:
    """Take the labels out of a Sequences: categories, or numbers in the dtype that they came in."""
    if y.n_categorical + y.n_features == 1 and y.n_categorical:
        codes = y.codes[:, 0]
        return Labels(y.categories[0][np.maximum(codes, 0)], codes >= 0, y.starts, y.lengths)
    if y.n_categorical:
        raise ValueError(f"y is {y!r}; expected one feature that holds the labels")
    missing = np.isnan(y.rows)
    if y.n_features > 1:
        used = y.rows[~missing.any(axis=1)]
        _check_indicators(used)
        values = np.where(missing.any(axis=1, keepdims=True), np.nan, y.rows.astype(np.float64))
        return Labels(values, ~missing.any(axis=1), y.starts, y.lengths)
    values = y.rows[:, 0]
    given = y.schema.feature_dtypes[0] if y.schema.feature_dtypes else values.dtype
    if given.kind in "bui":
        values = np.where(missing[:, 0], 0, values).astype(given)
    return Labels(values, ~missing[:, 0], y.starts, y.lengths)


def _as_array(y: Any) -> NDArray[Any]:
    """Return labels as an array; strings as objects, so that None may stand among them."""
    if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray):
        y = y.to_numpy()
    array = np.asarray(y)
    if array.dtype.kind in "OT":
        array = array.astype(object)
        kinds = {type(value) for value in array.ravel().tolist() if not pd.isna(value)}
        if kinds and kinds <= {bool, np.bool_}:
            return array if pd.isna(array).any() else array.astype(np.bool_)
        if kinds and kinds <= {int, float, bool, np.bool_}:
            return (
                array.astype(np.float64) if float in kinds or pd.isna(array).any() else array.astype(np.int64)
            )
    # A list such as ["a", None] has come as objects; ["a", nan] has become strings, "nan" among them.
    if array.dtype.kind == "U" and isinstance(y, list | tuple):
        array = np.array(y, dtype=object).reshape(array.shape)
    return array


def _joined(items: list[NDArray[Any]]) -> NDArray[Any]:
    kinds = {item.dtype.kind for item in items}
    return np.concatenate([item.astype(object) for item in items] if "O" in kinds or "U" in kinds else items)


def _check_kind(values: NDArray[Any]) -> None:
    """Refuse labels of several kinds, and numbers that are no labels."""
    if values.dtype == object:
        kinds = {type(value) for value in values.tolist()}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise TypeError(f"y holds labels of several types: {names}; expected one type, such as str")
    try:
        check_classification_targets(values)
    except ValueError as error:
        if "continuous" not in str(error):
            raise
        raise ValueError(
            f"{error} y holds numbers such as {float(values[np.trunc(values) != values][0])!r}: to learn "
            "numbers use GRURegressor; labels are strings, booleans or whole numbers"
        ) from None


def _indicators(values: NDArray[Any], y: Any) -> NDArray[np.float64]:
    if values.dtype.kind not in "biuf" or type_of_target(y) != "multilabel-indicator":
        check_classification_targets(y)
        _check_indicators(values)
    return values.astype(np.float64)


def _check_indicators(values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(
            "y has several columns; for several labels at once expected a matrix of 0 and 1 "
            "(sklearn.preprocessing.MultiLabelBinarizer makes one), for one label an array of shape "
            "(samples,)"
        )


def _is_ragged(y: Any) -> bool:
    if not isinstance(y, list | tuple) and getattr(getattr(y, "dtype", None), "kind", "") != "O":
        return False
    return len({np.shape(item) for item in y}) > 1 or any(np.ndim(item) > 1 for item in y)


def _listed(classes: NDArray[Any]) -> str:
    shown = ", ".join(repr(value) for value in classes[:6].tolist())
    return shown + (f", ... ({len(classes)} in all)" if len(classes) > 6 else "")
