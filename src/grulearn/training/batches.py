"""The order in which sequences fill the batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["auto_batch_size", "batch_shares", "epoch_orders"]

Order = NDArray[np.int64]


def auto_batch_size(n_sequences: int) -> int:
    """Choose the batch size for ``batch_size="auto"``.

    Parameters
    ----------
    n_sequences : int
        Sequences to train on.

    Returns
    -------
    int
        The power of two that makes about 100 batches an epoch, within 16 and 256.

    Examples
    --------
    >>> auto_batch_size(150), auto_batch_size(5000), auto_batch_size(1_000_000)
    (16, 64, 256)
    """
    wanted = max(n_sequences, 1) / 100
    return int(np.clip(2 ** np.ceil(np.log2(wanted)), 16, 256))


def epoch_orders(n_sequences: int, batch_size: int, rng: np.random.Generator) -> Callable[[], Order | None]:
    """Return a function that draws the order of the next epoch.

    It returns None, the order as it stands, when one batch takes all sequences: the sum over them is the
    same in any order, and drawing one costs as much as a small network's whole epoch.

    Each order is drawn by a child of `rng` of its own, so that it depends on the number of the epoch and on
    nothing that was drawn before: a training that goes on after epoch k, with a generator whose seed has had
    k children, gets the orders of one that never stopped.
    """
    if batch_size >= n_sequences:
        return lambda: None
    order = np.arange(n_sequences, dtype=np.int64)
    return lambda: rng.spawn(1)[0].permutation(order)


def batch_shares(n_sequences: int, batch_size: int) -> NDArray[np.float64]:
    """Return which share of the sequences each batch of an epoch has, shape (n_batches,)."""
    starts = np.arange(0, n_sequences, batch_size)
    shares: NDArray[np.float64] = np.minimum(batch_size, n_sequences - starts) / n_sequences
    return shares
