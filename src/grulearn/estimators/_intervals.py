"""From a network's outputs to conformal scores, and from scores to intervals in the user's units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import TargetScaling
from grulearn.engines import Engine
from grulearn.estimators._targets import Targets
from grulearn.estimators.conformal import LabelScores, ResidualScores

__all__ = ["Ends", "intervals", "label_scores", "no_scores", "residual_scores"]

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


def residual_scores(
    engine: Engine, outputs: NDArray[Any], targets: Targets, weights: NDArray[np.float64] | None
) -> ResidualScores | None:
    """Compare outputs with targets in the network's units; None if an output has no target at all.

    Parameters
    ----------
    engine : Engine
    outputs : ndarray, shape (M, O)
        For each row of ``targets.stacked()``.
    targets : Targets
        Scaled.
    weights : ndarray, shape (N,), or None
        Of the sequences.
    """
    truth = targets.stacked().astype(np.float64)
    if np.isnan(truth).all(axis=0).any():
        return None
    prediction, scale, levels = _parts(engine, outputs)
    return ResidualScores.fit(
        truth,
        prediction,
        scale=scale,
        levels=levels,
        lengths=targets.lengths,
        weights=targets.by_row(weights),
    )


def intervals(
    engine: Engine, outputs: NDArray[Any], scores: ResidualScores, coverage: float, scaling: TargetScaling
) -> Ends:
    """Return the ends of intervals in the user's units, each of shape (M, K)."""
    prediction, scale, _ = _parts(engine, outputs)
    lower, upper = scores.interval(prediction, coverage, scale=scale)
    if engine.spec.head.loss == "poisson":
        lower = np.maximum(lower, 0.0)  # no target is negative
    return scaling.inverse(lower), scaling.inverse(upper)


def label_scores(
    probabilities: NDArray[np.float64],
    targets: Targets,
    weights: NDArray[np.float64] | None,
) -> LabelScores | None:
    """Compare probabilities of classes, or of labels, with class numbers; None if there is no label at all.

    Parameters
    ----------
    probabilities : ndarray, shape (M, n_classes)
    targets : Targets
        Class numbers (M,), -1 for none; or with several labels at once 0, 1 and NaN (M, K).
    weights : ndarray, shape (N,), or None
        Of the sequences.
    """
    values = targets.stacked()
    numbers = values if values.dtype == np.int64 else np.where(np.isnan(values), -1, values).astype(np.int64)
    if (numbers < 0).all():
        return None
    return LabelScores.fit(numbers, probabilities, lengths=targets.lengths, weights=targets.by_row(weights))


def no_scores(name: str, method: str) -> ValueError:
    """Return the error for a call that needs held-out scores where there are none."""
    return ValueError(
        f"{method} needs held-out sequences, at least two, and this {name} has none: fit with "
        "early_stopping=True, give X_val and y_val to fit, or call calibrate(X, y) with data that training "
        "has not seen"
    )


def _parts(
    engine: Engine, outputs: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, tuple[float, ...]]:
    """Return predictions, scales and levels as `ResidualScores` takes them."""
    head = engine.spec.head
    values = engine.decode(outputs).reshape(len(outputs), head.n_targets, -1)
    if head.loss == "gaussian":
        return values[:, :, 0], values[:, :, 1], ()
    if head.quantiles is not None and len(head.quantiles) > 1:
        return values, None, head.quantiles
    return values[:, :, 0], None, ()
