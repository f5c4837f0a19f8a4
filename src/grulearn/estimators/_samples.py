"""Encoded sequences with their targets and weights, as the network is trained on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import EncodedSequences
from grulearn.engines import Engine, FloatArray, OptimizerOptions, Trainer
from grulearn.estimators._targets import Targets
from grulearn.spec import HeadSpec
from grulearn.training import HeldOutLoss, Split, naive_loss

__all__ = ["Samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """What the network sees of N sequences.

    Parameters
    ----------
    data : EncodedSequences
    targets : Targets
        In the network's units.
    weights : ndarray of float64, shape (N,), or None
        Of the sequences.
    row_weights : ndarray of float64, shape (M,), or None
        With a target for each step: of the rows of ``targets.values``.
    in_first_half : ndarray of bool, shape (N,), or None
        Of a validation part: see :class:`grulearn.training.CrossStopping`.
    """

    data: EncodedSequences
    targets: Targets
    weights: NDArray[np.float64] | None = None
    row_weights: NDArray[np.float64] | None = None
    in_first_half: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: NDArray[np.int64]) -> Self:
        weights = None if self.weights is None else self.weights[index]
        return replace(self, data=self.data[index], targets=self.targets[index], weights=weights)

    def divided(self, parts: Split, in_first_half: NDArray[np.bool_]) -> tuple[Self, Self]:
        """Return the training part and the validation part, which is in two halves."""
        if parts.held_out_steps is None:
            training, held_out = self[parts.training], self[parts.validation]
        else:
            training = self._without_last(parts.held_out_steps)
            held_out = self._counting_last(parts.held_out_steps)
        return training, replace(held_out, in_first_half=in_first_half)

    def _without_last(self, n_steps: NDArray[np.int64]) -> Self:
        """Return the sequences without their last `n_steps` steps, as views; no empty ones."""
        lengths = self.data.lengths - n_steps
        shorter = replace(
            self, data=replace(self.data, lengths=lengths), targets=self.targets.truncate(lengths)
        )
        return shorter[np.flatnonzero(lengths > 0)]

    def _counting_last(self, n_steps: NDArray[np.int64]) -> Self:
        """Return whole sequences of which only the targets of the last `n_steps` steps count."""
        lengths = self.data.lengths
        ends = np.cumsum(lengths)
        begins = ends - lengths
        hidden = np.arange(lengths.sum()) < np.repeat(ends - n_steps, lengths)
        values = self.targets.stacked().copy()
        values[hidden] = -1 if values.dtype == np.int64 else np.nan
        row_weights = None if self.row_weights is None else self.row_weights[self.targets.row_index()]
        return replace(self, targets=Targets(values, begins, lengths), row_weights=row_weights)

    def stacked_weights(self) -> NDArray[np.float64] | None:
        """Return a weight for each row of ``targets.stacked()``; None if all are 1."""
        weights = self.targets.by_row(self.weights)
        if self.row_weights is None:
            return weights
        of_rows: NDArray[np.float64] = self.row_weights[self.targets.row_index()]
        return of_rows if weights is None else of_rows * weights

    @property
    def weighted(self) -> bool:
        """Whether batches of one size may weigh differently."""
        return self.targets.per_step or self.weights is not None

    def naive_loss(self, head: HeadSpec) -> float:
        """Return the loss of a network whose outputs are 0."""
        return naive_loss(self.targets.stacked(), head, self.stacked_weights())

    def trainer(self, engine: Engine, options: OptimizerOptions, **more: Any) -> Trainer:
        """Return the engine's trainer on these sequences."""
        dtype = engine.spec.dtype
        return engine.trainer(
            self.data,
            self.targets.values,
            options,
            target_starts=self.targets.starts,
            sample_weight=_cast(self.weights, dtype),
            step_weight=_cast(self.row_weights, dtype),
            **more,
        )

    def held_out_loss(self, engine: Engine, n_jobs: int) -> HeldOutLoss:
        """Return what measures the loss of an engine on these sequences."""
        first = None
        if self.in_first_half is not None:
            first = self.in_first_half
            if self.targets.lengths is not None:
                first = np.repeat(first, self.targets.lengths)
        weights = self.stacked_weights()
        if weights is not None and not weights.any():
            raise ValueError(
                "nothing in the validation part counts: class_weight is 0 for all its labels. Hold out more "
                "(validation_fraction), or set early_stopping=False"
            )
        return HeldOutLoss(engine, self.data, self.targets.stacked(), weights, n_jobs, first)


def _cast(weights: NDArray[np.float64] | None, dtype: str) -> FloatArray | None:
    return None if weights is None else np.ascontiguousarray(weights, dtype=dtype)
