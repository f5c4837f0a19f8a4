"""Which epoch's weights a training ends with."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from grulearn.engines import Engine, FloatArray

__all__ = ["BestOnValidation", "Keeper", "LastWeights"]


class Keeper(Protocol):
    """Watches the epochs, and puts the right weights back at the end."""

    kept_iter: int

    @property
    def exhausted(self) -> bool:
        """Whether to stop because there was no improvement for too long."""

    def before_epoch(self, epoch: int) -> None:
        """Take note of the weights that `epoch`, counted from 1, starts from."""

    def after_epoch(self, epoch: int, training_loss: float, validation_loss: float | None) -> bool:
        """Take note of the losses of `epoch`; return whether it is the best so far."""

    def finish(self, epoch: int, *, diverged: bool) -> None:
        """Leave the right weights in the engine, after `epoch` was the last, whole or not."""


class BestOnValidation:
    """Keeps the weights with the lowest validation loss, and counts the epochs without a better one.

    Parameters
    ----------
    engine : Engine
    patience : float
        Stop after this many epochs in a row that lower the validation loss by no more than `tol`.
    tol : float
    initial_loss : float, default=inf
        The validation loss of the weights that there are, if they are a candidate.

    Attributes
    ----------
    kept_iter : int
        The epoch that left the weights which `finish` leaves in the engine; 0 for the initial weights.
    """

    def __init__(self, engine: Engine, patience: float, tol: float, initial_loss: float = math.inf) -> None:
        self._engine = engine
        self._patience, self._tol = patience, tol
        self._initial = engine.parameters()
        self._best = self._initial if initial_loss < math.inf else None
        self._best_loss = initial_loss
        self._reference = initial_loss  # what has to be undercut by more than tol
        self._n_without_improvement = 0
        self.kept_iter = 0

    @property
    def exhausted(self) -> bool:
        """Whether `patience` is used up."""
        return self._n_without_improvement >= self._patience

    def before_epoch(self, epoch: int) -> None:
        """Do nothing: the validation loss belongs to the weights after the epoch."""

    def after_epoch(self, epoch: int, training_loss: float, validation_loss: float | None) -> bool:
        """Copy the weights if the validation loss is the lowest so far."""
        assert validation_loss is not None
        if validation_loss < self._reference - self._tol:
            self._reference = validation_loss
            self._n_without_improvement = 0
        else:
            self._n_without_improvement += 1
        improved = validation_loss < self._best_loss
        if improved:
            self._best_loss = validation_loss
            self._best, self.kept_iter = self._engine.parameters(), epoch
        return improved

    def finish(self, epoch: int, *, diverged: bool) -> None:
        """Put the best weights back; without any, the initial ones after a divergence."""
        if self._best is not None:
            self._engine.set_parameters(self._best)
        elif diverged:
            self._engine.set_parameters(self._initial)


class LastWeights:
    """Keeps the weights as the last epoch leaves them, and goes back to good ones after a divergence.

    Without validation the training loss is all there is, and it is measured before each update: it
    belongs to the weights that the epoch started from. Copying those before every epoch would cost a
    small network as much as its training, so it happens before each of the first ten epochs and then
    before every tenth.

    Parameters
    ----------
    engine : Engine

    Attributes
    ----------
    kept_iter : int
        As for :class:`BestOnValidation`.
    """

    exhausted = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._safe = engine.parameters()
        self._safe_iter = 0
        self._safe_loss = math.inf
        self._best_loss = math.inf
        self._candidate: FloatArray | None = None
        self.kept_iter = 0

    def before_epoch(self, epoch: int) -> None:
        """Copy the weights now and then."""
        if epoch <= 10 or epoch % 10 == 0:
            self._candidate = self._engine.parameters()

    def after_epoch(self, epoch: int, training_loss: float, validation_loss: float | None) -> bool:
        """Accept the copy if the loss is the lowest of all copies."""
        if self._candidate is not None:
            if training_loss < self._safe_loss:
                self._safe, self._safe_iter, self._safe_loss = self._candidate, epoch - 1, training_loss
            self._candidate = None
        improved = training_loss < self._best_loss
        if improved:
            self._best_loss = training_loss
        return improved

    def finish(self, epoch: int, *, diverged: bool) -> None:
        """Leave the weights as they are, except after a divergence."""
        if diverged or not np.isfinite(self._engine.parameters()).all():
            self._engine.set_parameters(self._safe)
            self.kept_iter = self._safe_iter
        else:
            self.kept_iter = epoch
