"""Weighted mean and standard deviation of columns, block by block, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "column_moments"]

# Values of a block, shape (B, F), and the weights of its rows, shape (B,), or None for 1 each.
Blocks = Callable[[], Iterable[tuple[NDArray[Any], NDArray[np.float64] | None]]]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known of F columns; NaN counts as missing.

    Parameters
    ----------
    mean, deviation : ndarray of float64, shape (F,)
        NaN for a column without one value. The deviation is that of the population (divisor: the sum of the
        weights). That of a constant column is 0, and its mean is its value exactly.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def column_moments(blocks: Blocks, n_features: int) -> Moments:
    """Take weighted mean and standard deviation of each column.

    A column whose deviation is no more than what rounding makes of equal values counts as constant:
    scikit-learn's rule, ``var <= n eps var + (n eps mean)^2``, beside that of a least and a greatest value
    that are equal.

    Parameters
    ----------
    blocks : callable
        Gives an iterable of (values, weights): values of shape (B, F), finite or NaN; weights of shape (B,),
        positive, or None. It is called twice.
    n_features : int
        F.

    Returns
    -------
    Moments
    """
    low = np.full(n_features, np.nan)
    high, present = low.copy(), np.zeros(n_features, dtype=np.int64)
    for values, _ in blocks():
        np.fmin(low, np.fmin.reduce(values, axis=0, initial=np.nan), out=low)
        np.fmax(high, np.fmax.reduce(values, axis=0, initial=np.nan), out=high)
        present += len(values) - np.isnan(values).sum(axis=0)
    # Squares of values beyond 1e150 or below 1e-150 would leave float64's range. Powers of two change no bit
    # of anything else.
    largest = np.fmax(np.abs(low), np.abs(high))
    shift = np.frexp(np.where(largest > 0, largest, 1.0))[1]
    mean, variance = _merged(blocks, n_features, np.where(np.abs(shift) > 400, -shift, 0))
    rounding = present * _EPS
    constant = (low == high) | (variance <= rounding * variance + (rounding * mean) ** 2)
    back = np.where(np.abs(shift) > 400, shift, 0)
    deviation = np.where(constant, 0.0, np.ldexp(np.sqrt(variance), back))
    return Moments(np.where(low == high, low, np.ldexp(mean, back)), deviation)


def _merged(
    blocks: Blocks, n_features: int, exponent: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of columns times ``2**exponent``.

    Each block is centred on its own mean, and blocks are put together as by Chan, Golub and LeVeque (1983),
    "Algorithms for computing the sample variance". NaN for a column without a value.
    """
    total = np.zeros(n_features)
    mean, squares = np.zeros(n_features), np.zeros(n_features)
    for values, weights in blocks():
        if exponent.any():
            values = np.ldexp(values.astype(np.float64), exponent)
        added, centre, spread = _block_moments(values, weights)
        after = total + added
        share = added / np.where(after > 0, after, 1.0)
        distance = centre - mean
        # Exact for the first block: its share is 1.
        mean = np.where(share == 1.0, centre, mean + distance * share)
        squares += spread + distance**2 * total * share
        total = after
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, mean, np.nan), squares / total


def _block_moments(
    values: NDArray[Any], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return for each column the sum of weights, the mean, and the weighted sum of squares around it."""
    values = values.astype(np.float64)
    observed = ~np.isnan(values)
    if weights is None and observed.all():
        added = np.full(values.shape[1], float(len(values)))
        centre = values.sum(axis=0) / len(values)
        values -= centre
        correction, spread = values.sum(axis=0), np.square(values, out=values).sum(axis=0)
    else:
        share = observed * (1.0 if weights is None else weights[:, np.newaxis])
        values = np.where(observed, values, 0.0)
        added = share.sum(axis=0)
        divisor = np.where(added > 0, added, 1.0)
        centre = (share * values).sum(axis=0) / divisor
        values -= centre
        correction = (share * values).sum(axis=0)
        spread = (share * np.square(values, out=values)).sum(axis=0)
    # What the rounding of the mean adds, which for a distant mean is all there is.
    spread = np.maximum(spread - correction**2 / np.where(added > 0, added, 1.0), 0.0)
    return added, centre, spread
