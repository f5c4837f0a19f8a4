"""The mean loss outside the trainer: on the validation part, and of a network that knows nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.engines import Engine, SequenceData
from grulearn.equations import SMALLEST_SCALE, loss_terms
from grulearn.spec import HeadSpec
from grulearn.training.cross_stopping import CrossStopping

__all__ = ["HeldOutLoss", "loss_floor", "mean_loss", "naive_loss"]


def mean_loss(
    outputs: NDArray[Any], targets: NDArray[Any], head: HeadSpec, weights: NDArray[Any] | None = None
) -> float:
    """Return the weighted mean of the loss, computed in float64; 0 if nothing counts.

    Parameters
    ----------
    outputs : ndarray, shape (n, O)
        Of n sequences, or of n steps.
    targets : ndarray, shape (n, K), or of int64, shape (n,)
        As the engine's trainer takes them.
    head : HeadSpec
    weights : ndarray, shape (n,), optional

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.spec import HeadSpec
    >>> mean_loss(np.array([[1.0], [5.0]]), np.array([[3.0], [np.nan]]), HeadSpec(1))
    4.0
    """
    terms, counts = _terms(outputs, targets, head, weights)
    # NumPy sums pairwise in one thread: the same bits in every run, unlike a product by BLAS.
    total, weight = float(terms.sum()), float(counts.sum())
    return total / weight if weight > 0.0 else 0.0


def _terms(
    outputs: NDArray[Any], targets: NDArray[Any], head: HeadSpec, weights: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return loss_terms(
        outputs.astype(np.float64),
        targets if targets.dtype == np.int64 else targets.astype(np.float64),
        head.loss,
        weights=None if weights is None else weights.astype(np.float64),
        delta=1.0 if head.delta is None else head.delta,
        quantiles=head.quantiles,
    )


def naive_loss(targets: NDArray[Any], head: HeadSpec, weights: NDArray[Any] | None = None) -> float:
    """Return the mean loss of a network whose outputs are all 0."""
    return mean_loss(np.zeros((len(targets), head.n_outputs)), targets, head, weights)


def loss_floor(head: HeadSpec) -> float:
    """Return a lower bound of a loss: 0, except for "gaussian", whose scale has a least value."""
    return math.log(SMALLEST_SCALE * math.sqrt(2.0 * math.pi)) if head.loss == "gaussian" else 0.0


class HeldOutLoss:
    """The mean loss of an engine on sequences that it is not trained on.

    Parameters
    ----------
    engine : Engine
    data : SequenceData
        N sequences.
    targets : ndarray
        A row for each sequence; with ``target="sequence"`` one for each step, sequence after sequence.
    weights : ndarray, optional
        One for each row of `targets`.
    n_jobs : int
    in_first_half : ndarray of bool, optional
        For each row of `targets` the half that it is in, see :class:`CrossStopping`.

    Attributes
    ----------
    predictions : ndarray, shape (M, O), or None
        Outputs that early stopping did not choose; None without halves.
    """

    def __init__(
        self,
        engine: Engine,
        data: SequenceData,
        targets: NDArray[Any],
        weights: NDArray[Any] | None,
        n_jobs: int,
        in_first_half: NDArray[np.bool_] | None = None,
    ) -> None:
        self._engine, self._data, self._n_jobs = engine, data, n_jobs
        self._targets, self._weights = targets, weights
        self._cross = None if in_first_half is None else CrossStopping(in_first_half)

    def __call__(self) -> float:
        """Return the loss with the weights that the engine has now."""
        outputs = self._engine.predict(self._data, self._n_jobs)
        terms, counts = _terms(outputs, self._targets, self._engine.spec.head, self._weights)
        if self._cross is not None:
            self._cross.after_epoch(outputs, terms.sum(axis=1), counts.sum(axis=1))
        total, weight = float(terms.sum()), float(counts.sum())
        return total / weight if weight > 0.0 else 0.0

    @property
    def predictions(self) -> NDArray[Any] | None:
        """Outputs that early stopping did not choose."""
        return None if self._cross is None else self._cross.predictions
