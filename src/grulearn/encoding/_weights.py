"""Weights of sequences: which of them count, and how much."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["counting_weights"]


def counting_weights(n: int, weights: Any) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Check the weights of `n` sequences.

    Returns
    -------
    kept : ndarray of int64, or None
        Those of a weight other than 0; None if that is all of them.
    shares : ndarray of float64, or None
        Their weights as shares of the greatest one; None if they are equal, so that equal weights give the
        bits of none.

    Raises
    ------
    ValueError
        If there are not `n` finite numbers of at least 0, or all are 0.
    """
    if weights is None:
        return None, None
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"weights: expected shape ({n},), one for each sequence, got {values.shape}")
    wrong = ~((values >= 0.0) & np.isfinite(values))
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"weights: {values[i]} for sequence {i}; expected finite numbers of at least 0")
    kept = np.flatnonzero(values)
    if n and not len(kept):
        raise ValueError(f"weights: all {n} are 0, so that nothing counts")
    counted = values[kept]
    equal = not n or bool((counted == counted[0]).all())
    return None if len(kept) == n else kept, None if equal else counted / counted.max()
