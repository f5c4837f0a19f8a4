"""Which sequences belong together: those of one id, and those that share rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences import Sequences

__all__ = ["as_labels", "logs", "sharing_rows"]

Labels = NDArray[np.int64]


def as_labels(values: ArrayLike) -> Labels:
    """Give equal values of a vector the same number.

    Returns
    -------
    ndarray of int64, shape (N,)
        The same number, from 0, for equal values.

    Examples
    --------
    >>> as_labels(["pump 7", "pump 2", "pump 7"])
    array([1, 0, 1])
    """
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return np.unique(array, return_inverse=True)[1].astype(np.int64, copy=False)
    # Objects need not be comparable, and a dict takes a tenth of the time that sorting strings takes.
    known: dict[Any, int] = {}
    codes = [known.setdefault(value, len(known)) for value in array.ravel().tolist()]
    return np.array(codes, dtype=np.int64).reshape(array.shape)


def logs(data: Sequences) -> Labels:
    """Tell which log each sequence was taken from.

    Two sequences come from one log if they have the same id, or share a row, or if others link them in this
    way: windows over one machine's record, or the copies of a sequence that a bootstrap draws.

    Returns
    -------
    ndarray of int64, shape (N,)
        From 0; as many different ones as sequences if all are independent.

    Examples
    --------
    >>> import numpy as np
    >>> data = Sequences(np.zeros((9, 1)), starts=[0, 1, 5, 2], lengths=[2, 2, 4, 1])
    >>> logs(data)
    array([0, 0, 1, 0])
    """
    linked = _overlapping(data)
    if data.ids is None:
        return as_labels(linked)
    by_id = as_labels(data.ids)
    found = by_id
    while True:
        merged = _least_of_each(_least_of_each(found, linked), by_id)
        if np.array_equal(merged, found):
            return as_labels(found)
        found = merged


def sharing_rows(data: Sequences, these: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the sequences `these` share a row with at least one of `others`.

    Parameters
    ----------
    data : Sequences
    these, others : ndarray of int64
        Indices of sequences.

    Returns
    -------
    ndarray of bool, shape (len(these),)

    Examples
    --------
    >>> import numpy as np
    >>> data = Sequences(np.zeros((9, 1)), starts=[0, 2, 4], lengths=[3, 3, 3])
    >>> sharing_rows(data, np.array([0, 1]), np.array([2]))
    array([False,  True])
    """
    others = others[data.lengths[others] > 0]
    if len(others) == 0:
        return np.zeros(len(these), dtype=bool)
    # The others' rows as disjoint stretches in order; then each of these has one stretch to be compared with,
    # the last that begins before its end.
    others = others[np.argsort(data.starts[others], kind="stable")]
    ends = np.maximum.accumulate(data.starts[others] + data.lengths[others])
    first = np.r_[True, data.starts[others][1:] > ends[:-1]]
    begins, ends = data.starts[others][first], ends[np.r_[first[1:], True]]
    last = np.searchsorted(begins, data.starts[these] + data.lengths[these], side="left") - 1
    shared: NDArray[np.bool_] = (last >= 0) & (ends[last] > data.starts[these]) & (data.lengths[these] > 0)
    return shared


def _overlapping(data: Sequences) -> Labels:
    """Return the same number, below N, for sequences that shared rows link."""
    found = np.arange(len(data), dtype=np.int64)
    filled = np.flatnonzero(data.lengths > 0)
    order = filled[np.argsort(data.starts[filled], kind="stable")]
    reached = np.maximum.accumulate(data.starts[order] + data.lengths[order])
    alone = np.r_[True, data.starts[order][1:] >= reached[:-1]] if len(order) else np.ones(0, dtype=bool)
    found[order] = order[alone][np.cumsum(alone) - 1]
    return found


def _least_of_each(values: Labels, labels: Labels) -> Labels:
    """Return for each entry the least of `values` among those with its label."""
    least = np.full(int(labels.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, labels, values)
    found: Labels = least[labels]
    return found
