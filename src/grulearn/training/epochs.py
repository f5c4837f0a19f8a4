"""One epoch after another: the order of the sequences, the mean loss, and a limit of time within an epoch."""

from __future__ import annotations

import math
import sys
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grulearn.engines import Trainer
from grulearn.training.batches import batch_shares, epoch_orders

__all__ = ["Epoch", "EpochRunner"]

# A loss this many times the loss of a network that knows nothing will not come back: predictions are a
# thousand standard deviations off. Float32 overflows much later, if at all, because the tanh of a gated
# unit bounds its output.
_DIVERGED = 1e6

# With a deadline an epoch is cut into pieces that take about this long: short beside any limit that makes
# sense, and long beside what a call of the trainer costs (a few microseconds).
_PIECE_SECONDS = 0.05


class Epoch(NamedTuple):
    """What running an epoch came to.

    Parameters
    ----------
    loss : float
        Mean loss over the batches that were run.
    limit : float
        A loss above it has diverged.
    cut_short : bool
        Whether the deadline came before the epoch's last batch.
    """

    loss: float
    limit: float
    cut_short: bool


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
        The time of perf_counter() after which no batch begins; infinite for none.
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
        self._batch_size, self._n_sequences = batch_size, n_sequences
        self._next_order = epoch_orders(n_sequences, batch_size, rng)
        self._shares = None if weighted else batch_shares(n_sequences, batch_size)
        self._naive_loss, self._floor = naive_loss, floor
        self._limit: float | None = None
        self._deadline = deadline
        self._piece = 1  # batches
        self._run = self._run_whole if math.isinf(deadline) else self._run_in_pieces

    def __call__(self, learning_rate: float) -> Epoch:
        """Train on every batch once, in a new order."""
        losses, weights = self._run(self._next_order(), learning_rate)
        if self._limit is None:
            # The first batch's loss is that of the initial weights, which may be the user's own.
            naive = max(self._naive_loss, float(losses[0])) - self._floor
            limit = self._floor + _DIVERGED * naive if naive > 0.0 else math.inf
            self._limit = min(limit, sys.float_info.max)
        if self._shares is not None and weights is None:
            # A product of two short vectors, not np.average: this runs 10,000 times in a fifth of a second.
            return Epoch(float(losses.dot(self._shares)), self._limit, False)
        assert weights is not None
        total = float(weights.sum())
        loss = float(losses.dot(weights)) / total if total > 0.0 else 0.0
        return Epoch(loss, self._limit, len(losses) * self._batch_size < self._n_sequences)

    def _run_whole(
        self, order: NDArray[np.int64] | None, learning_rate: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        losses = self._trainer.run_epoch(order, learning_rate)
        return losses, self._trainer.batch_weights if self._shares is None else None

    def _run_in_pieces(
        self, order: NDArray[np.int64] | None, learning_rate: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Do the same until the deadline. Batches and bits are those of the whole epoch."""
        if order is None:
            return self._trainer.run_epoch(None, learning_rate), self._trainer.batch_weights
        losses: list[NDArray[np.float64]] = []
        weights: list[NDArray[np.float64]] = []
        begin = 0
        while begin < len(order):
            started = perf_counter()
            if losses and started >= self._deadline:
                break
            end = begin + self._piece * self._batch_size
            losses.append(self._trainer.run_epoch(order[begin:end], learning_rate))
            weights.append(self._trainer.batch_weights)
            begin = end
            if perf_counter() - started < _PIECE_SECONDS / 2:
                self._piece *= 2
        return np.concatenate(losses), np.concatenate(weights)
