"""One epoch after another: the order of the sequences, the mean loss, and what counts as diverged."""

from __future__ import annotations

import math
import sys
from time import perf_counter
from typing import NamedTuple

import numpy as np

from grulearn.engines import Trainer
from grulearn.training.batches import batch_shares, epoch_orders

__all__ = ["Epoch", "EpochRunner"]

# A loss this many times the loss of a network that knows nothing will not come back: predictions are a
# thousand standard deviations off. Float32 overflows much later, if at all, because the tanh of a gated
# unit bounds its output.
_DIVERGED = 1e6


class Epoch(NamedTuple):
    """What running an epoch came to.

    Parameters
    ----------
    loss : float
        Mean loss over the updates that were made.
    limit : float
        A loss above it has diverged.
    """

    loss: float
    limit: float


class EpochRunner:
    """Runs epochs.

    Parameters
    ----------
    trainer : Trainer
    n_sequences : int
        Number of training sequences.
    batch_size : int
        As given to the trainer.
    rng : numpy.random.Generator
        Draws the order of the sequences in each epoch.
    naive_loss : float
        The loss of a network that predicts 0.
    floor : float
        A lower bound of the loss; 0 for all but "gaussian", which is the log of a density.
    weighted : bool
        Whether batches of one size may weigh differently: with sample weights, or a target for each step.
    deadline : float
        The time of perf_counter() after which no update begins; infinite for none.
    """

    def __init__(
        self,
        trainer: Trainer,
        n_sequences: int,
        batch_size: int,
        rng: np.random.Generator,
        *,
        naive_loss: float,
        floor: float,
        weighted: bool,
        deadline: float,
    ) -> None:
        self._trainer = trainer
        self._next_order = epoch_orders(n_sequences, batch_size, rng)
        self._shares = None if weighted else batch_shares(n_sequences, batch_size)
        self._naive_loss, self._floor = naive_loss, floor
        self._limit: float | None = None
        self._deadline = deadline

    def __call__(self, learning_rate: float) -> Epoch:
        """Train on every batch once, in a new order."""
        seconds = math.inf if math.isinf(self._deadline) else self._deadline - perf_counter()
        losses = self._trainer.run_epoch(self._next_order(), learning_rate, seconds)
        if self._limit is None:
            # The first batch's loss is that of the initial weights, which may be the user's own.
            naive = max(self._naive_loss, float(losses[0])) - self._floor
            limit = self._floor + _DIVERGED * naive if naive > 0.0 else math.inf
            self._limit = min(limit, sys.float_info.max)
        if self._shares is not None and len(losses) == len(self._shares):
            # A product of two short vectors, not np.average: this runs 10,000 times in a fifth of a second.
            return Epoch(float(losses.dot(self._shares)), self._limit)
        weights = self._trainer.batch_weights
        total = float(weights.sum())
        loss = float(losses.dot(weights)) / total if total > 0.0 else 0.0
        return Epoch(loss, self._limit)
