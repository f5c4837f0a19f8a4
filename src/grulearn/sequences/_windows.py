"""Windows over long sequences: where they begin, and the targets that lie ahead of them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._categories import decode
from grulearn.sequences._view import ListView

__all__ = ["category_values", "targets_ahead", "window_positions"]


def window_positions(
    X: ListView, length: int, step: int, horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sequence and the first step of every window, both of shape (M,).

    Raises
    ------
    ValueError, TypeError
        If a parameter is not a whole number in its range, or there is no window at all.
    """
    for name, value, least in (("length", length, 1), ("step", step, 1), ("horizon", horizon, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name}={value!r}; expected an integer of at least {least}")
        if value < least:
            raise ValueError(f"{name}={value}; expected at least {least}")
    needed = int(length) + int(horizon)
    longest = X.n_steps_summary()[2]
    if len(X) == 0 or needed > longest:
        steps = f"{length} step{'s' * (int(length) != 1)}"
        ahead = f" and {horizon} more to its target" if horizon else ""
        found = "there is no sequence"
        if len(X):
            i = int(X.lengths.argmax())
            found = f"the longest, {X.label(i)}, has {longest}"
        raise ValueError(f"no window: one takes {steps}{ahead}, but {found}")
    counts = np.maximum((X.lengths - needed) // min(int(step), longest) + 1, 0)
    origin = np.repeat(np.arange(len(X), dtype=np.int64), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return origin, (np.arange(len(origin), dtype=np.int64) - first) * min(int(step), longest)


def targets_ahead(
    X: ListView, y: Any, origin: NDArray[np.int64], target_step: NDArray[np.int64]
) -> NDArray[Any]:
    """Return the targets of windows: those of a step for `y` by step, those of the sequence otherwise.

    Parameters
    ----------
    X : ListView
        The N sequences that the windows were taken from.
    y : ListView of N sequences as long as those of X, or array-like of shape (N,) or (N, O)
    origin, target_step : ndarray of int64, shape (M,)
        The sequence of each window, and which of its steps the target belongs to.

    Returns
    -------
    ndarray, shape (M,) or (M, O)

    Raises
    ------
    ValueError
        If `y` does not fit `X`.
    """
    if not isinstance(y, ListView):
        values = np.asarray(y)
        if values.ndim == 0 or len(values) != len(X):
            raise ValueError(
                f"y has shape {values.shape}; expected one target for each of {len(X)} sequences"
            )
        picked: NDArray[Any] = values[origin]
        return picked
    if len(y) != len(X):
        raise ValueError(f"y has {len(y)} sequences, but there are {len(X)}")
    differing = np.flatnonzero(y.lengths != X.lengths)
    if len(differing):
        i = int(differing[0])
        raise ValueError(
            f"y has {y.lengths[i]} steps for {X.label(i)}, which has {X.lengths[i]}; expected a target "
            "for each"
        )
    return step_values(y, y.starts[origin] + target_step)


def step_values(y: ListView, index: NDArray[np.int64]) -> NDArray[Any]:
    """Return what `y` holds in the rows of `index`: numbers, or the values of its categories."""
    columns = [y.rows[index, j].astype(dtype) for j, dtype in enumerate(y.schema.feature_dtypes or ())]
    columns += [category_values(y, c, index) for c in range(y.n_categorical)]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def category_values(X: ListView, c: int, index: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values of categorical feature `c` in the rows of `index`; None where one is missing."""
    return decode(X.codes[index, c], X.categories[c])
