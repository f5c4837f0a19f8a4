"""Labels to learn: what a user hands in as `y` of a classifier, checked and turned into class numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from grulearn.estimators._label_values import check_kind, join_labels, raw_labels, settle_labels
from grulearn.estimators._targets import (
    Targets,
    check_step_lengths,
    length_message,
    refuse_one_for_each,
    require_y,
    step_values,
    used_rows,
)
from grulearn.sequences import Sequences, is_frame, listed

__all__ = ["Labels", "encode_labels", "find_classes", "given_classes", "read_labels", "read_step_labels"]


class Labels(NamedTuple):
    """Labels as they came, before they are numbers.

    Parameters
    ----------
    values : ndarray, shape (M,), or (M, K) for several labels at once
        The second holds 0 and 1, and NaN where a step has no labels.
    known : ndarray of bool, shape (M,)
        Which of them are labels: False for a step without one, and for a row of no sequence.
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
    values, known = settle_labels(raw_labels(y))
    if values.ndim not in (1, 2):
        raise ValueError(f"y has shape {values.shape}; expected (samples,) or (samples, labels).")
    if len(values) != X_shape[0]:
        raise ValueError(length_message(values.shape, X_shape))
    if not known.all():
        row = int(np.argwhere(~known)[0][0])
        raise ValueError(
            f"Input y contains NaN at row {row}, which is no label. {name} needs one for each sequence: drop "
            "those without."
        )
    if values.ndim == 2 and values.shape[1] != 1:
        return Labels(_indicators(values), np.ones(len(values), dtype=np.bool_))
    values = column_or_1d(values, warn=True)
    check_kind(values)
    return Labels(values, np.ones(len(values), dtype=np.bool_))


def read_step_labels(estimator: Any, y: Any, data: Sequences) -> Labels:
    """Check a `y` of labels for each step; None and NaN stand for none.

    Raises
    ------
    ValueError, TypeError
        With the sequence and step of what is wrong.
    """
    require_y(y, type(estimator).__name__)
    labels = _labels_of(y) if isinstance(y, Sequences) else _listed_labels(y)
    assert labels.lengths is not None
    check_step_lengths(labels.lengths, data)
    if not labels.known.any():
        raise ValueError("y has no label: all its steps hold None or NaN")
    if not labels.multilabel:
        check_kind(labels.values[labels.known])
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


def given_classes(classes: Any) -> NDArray[Any]:
    """Return the distinct labels that a user says there are, sorted.

    Raises
    ------
    ValueError, TypeError
        If they are fewer than two, or no labels.
    """
    values, known = settle_labels(raw_labels(classes))
    if values.ndim != 1 or not known.all():
        raise ValueError(f"classes={classes!r}; expected a list of labels, none missing")
    check_kind(values, "classes")
    found: NDArray[Any] = np.unique(values)
    if len(found) < 2:
        raise ValueError(f"classes={classes!r} holds one class; a classifier needs at least two classes")
    return found


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


def _listed_labels(y: Any) -> Labels:
    """Read an array, a dataframe or a list of labels for each step."""
    if is_frame(y):
        y = np.asarray(y)
    items = [raw_labels(item) for item in (listed(y) or y)]
    refuse_one_for_each(items, "label")
    if items and all(item.ndim == 1 or (item.ndim == 2 and item.shape[1] == 1) for item in items):
        lengths = np.array([len(item) for item in items], dtype=np.int64)
        values, known = settle_labels(join_labels([item.reshape(-1) for item in items]))
        return Labels(values, known, np.cumsum(lengths) - lengths, lengths)
    return _labels_of(step_values(y)[0])


def _labels_of(y: Sequences) -> Labels:
    """Take the labels out of a Sequences: categories, or numbers in the dtype that they came in."""
    used = used_rows(y)
    if y.n_categorical + y.n_features == 1 and y.n_categorical:
        codes = y.codes[:, 0]
        values = np.append(y.categories[0], y.categories[0][:1])[codes] if len(y.categories[0]) else codes
        return Labels(values, used & (codes >= 0), y.starts, y.lengths)
    if y.n_categorical:
        raise ValueError(f"y is {y!r}; expected one feature that holds the labels")
    known = used & ~np.isnan(y.rows).any(axis=1)
    if y.n_features > 1:
        _check_indicators(y.rows[known])
        values = np.where(known[:, np.newaxis], y.rows.astype(np.float64), np.nan)
        return Labels(values, known, y.starts, y.lengths)
    values = y.rows[:, 0]
    given = y.schema.feature_dtypes[0] if y.schema.feature_dtypes else values.dtype
    if given.kind in "bui":
        values = np.where(known, values, 0).astype(given)
    return Labels(values, known, y.starts, y.lengths)


def _indicators(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in "biuf" and type_of_target(values) != "multilabel-indicator":
        check_classification_targets(values)
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
    items = listed(y) or []
    if not any(isinstance(item, list | tuple) or getattr(item, "shape", ()) for item in items):
        return False
    return len({np.shape(item) for item in items}) > 1 or any(np.ndim(item) > 1 for item in items)


def _listed(classes: NDArray[Any]) -> str:
    shown = ", ".join(repr(value) for value in classes[:6].tolist())
    return shown + (f", ... ({len(classes)} in all)" if len(classes) > 6 else "")
