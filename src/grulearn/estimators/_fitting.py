"""The parts of a fit that need no knowledge of the targets: weights, the network, the training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from grulearn.engines import Engine, FloatArray, OptimizerOptions, Trainer, get_engine
from grulearn.estimators._console import console_report
from grulearn.estimators._samples import Samples
from grulearn.estimators._targets import Targets
from grulearn.estimators._warnings import warn
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import NetworkSpec
from grulearn.threads import resolve_n_jobs
from grulearn.training import EpochReport, LoopOptions, Outcome, Split, draw_weights, loss_floor, train
from grulearn.training.batches import auto_batch_size
from grulearn.training.schedules import make_schedule
from grulearn.training.validation import label_each

if TYPE_CHECKING:
    from grulearn.estimators._base import BaseGRU

__all__ = [
    "OnEpoch",
    "OnStart",
    "OptimizerState",
    "Request",
    "build_engine",
    "conclude",
    "draw_seed",
    "leave_out",
    "read_weights",
    "require_targets",
    "run_training",
]

OnStart = Callable[[str], None]
OnEpoch = Callable[[EpochReport], None]
OptimizerState = tuple[FloatArray, FloatArray, int]

# What may follow the last epoch before a fit with max_seconds returns: reading the weights and predicting
# the validation part once more. It took 0.1 to 2 % of the time in fits of 1 to 60 s.
_CLOSING = 0.02


@dataclass(frozen=True)
class Request:
    """What a call asks of a fit, beside the parameters.

    Parameters
    ----------
    sample_weight, groups, X_val, y_val, initial_weights, classes
        As in `fit` and `partial_fit`.
    on_start, on_epoch : callable, optional
    continuing : bool, default=False
        Whether the fitted network is trained further.
    whole_fit : bool, default=True
        False for `partial_fit`: one epoch, and nothing held out.
    """

    sample_weight: Any = None
    groups: Any = None
    X_val: Any = None
    y_val: Any = None
    initial_weights: Mapping[str, ArrayLike] | None = None
    classes: Any = None
    on_start: OnStart | None = None
    on_epoch: OnEpoch | None = None
    continuing: bool = False
    whole_fit: bool = True


def read_weights(sample_weight: Any, data: Sequences) -> NDArray[np.float64] | None:
    """Check the samples' weights.

    Raises
    ------
    ValueError
        If there is not one for each sample, one is negative or not finite, or all are 0.
    """
    if sample_weight is None:
        return None
    weights: NDArray[np.float64] = _check_sample_weight(
        sample_weight, data, dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if not weights.any():
        raise ValueError("sample_weight: all weights are 0, so that no sample counts")
    return weights


def leave_out(
    data: Sequences, targets: Targets, weights: NDArray[np.float64] | None, request: Request
) -> tuple[Sequences, Targets, NDArray[np.float64] | None, Request]:
    """Leave out sequences of weight 0 and those without a target: a part with no others has no loss.

    Raises
    ------
    ValueError
        If nothing is left, or there is not one group for each sequence.
    """
    groups = None if request.groups is None else label_each(request.groups, len(data), "groups")
    counts = targets.n_known() > 0
    if weights is not None:
        counts &= weights > 0.0
    if not counts.any():
        raise ValueError("sample_weight: every sequence that has a target has weight 0")
    if counts.all():
        return data, targets, weights, replace(request, groups=groups)
    kept = np.flatnonzero(counts)
    return (
        data[kept],
        targets[kept],
        None if weights is None else weights[kept],
        replace(request, groups=None if groups is None else groups[kept]),
    )


def require_targets(targets: Targets, parts: Split) -> None:
    """Raise an error if one of two parts of the steps has no target.

    Raises
    ------
    ValueError
        That says which part it is.
    """
    if parts.held_out_steps is None or targets.lengths is None:
        return
    known, before = targets.n_known(), targets.truncate(targets.lengths - parts.held_out_steps).n_known()
    for n, what in ((before.sum(), "before the last steps"), ((known - before).sum(), "in the last steps")):
        if n == 0:
            raise ValueError(
                f"early_stopping=True holds out the last steps of each sequence, "
                f"{parts.held_out_steps.sum():,} in all, and no step {what} has a target. Pass a validation "
                "part (X_val, y_val), or set early_stopping=False"
            )


def draw_seed(random_state: Any) -> int:
    """Return `random_state` itself if it is a number, and a number drawn from it otherwise."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def build_engine(
    spec: NetworkSpec,
    init: str,
    initial_weights: Mapping[str, ArrayLike] | None,
    rng: np.random.Generator,
    n_steps: int,
) -> Engine:
    """Build a network with drawn or given weights; `n_steps` is the sequences' median length.

    Raises
    ------
    ValueError, TypeError
        If given weights do not fit; the message names the weight.
    """
    shapes = parameter_shapes(spec)
    if initial_weights is None:
        start = flatten(draw_weights(shapes, init, rng, n_steps), shapes, spec.dtype)
    else:
        start = flatten(initial_weights, shapes, spec.dtype)
        if not np.isfinite(start).all():
            named = unflatten(start, shapes)
            broken = next(name for name in named if not np.isfinite(named[name]).all())
            raise ValueError(f"initial_weights: {broken} holds NaN or infinity, expected finite numbers")
    engine = get_engine("native")(spec)
    engine.set_parameters(start)
    return engine


def run_training(
    estimator: BaseGRU,
    engine: Engine,
    training: Samples,
    validation: Samples | None,
    rng: np.random.Generator,
    request: Request,
    begin: float,
) -> tuple[Outcome, OptimizerState | None, FloatArray | None]:
    """Train the engine; return what came of it, the optimiser's state, and outputs for the validation part.

    `begin` is when the fit began, by perf_counter(): `max_seconds` counts from there.
    """
    n_jobs = resolve_n_jobs(estimator.n_jobs)
    optimizer = _optimizer_options(estimator, len(training), n_jobs)
    trainer = training.trainer(engine, optimizer)
    carried = estimator._optimizer if request.continuing else None
    if carried is not None:
        trainer.set_optimizer_state(*carried)
    options = LoopOptions(
        max_iter=estimator.max_iter if request.whole_fit else 1,
        learning_rate=float(estimator.learning_rate_init),
        batch_size=optimizer.batch_size,
        n_iter_no_change=estimator.n_iter_no_change if request.whole_fit else math.inf,
        tol=estimator.tol,
        deadline=_deadline(estimator.max_seconds, begin),
        schedule=make_schedule(
            estimator.learning_rate, n_iter_no_change=estimator.n_iter_no_change, tol=estimator.tol
        ),
    )
    head = engine.spec.head
    held_out = None if validation is None else validation.held_out_loss(engine, n_jobs)
    outcome = train(
        engine,
        trainer,
        len(training),
        options,
        rng,
        naive_loss=training.naive_loss(head),
        floor=loss_floor(head),
        weighted=training.weighted,
        validation_loss=held_out,
        keep_initial=request.continuing and estimator._held_out is not None,
        on_epoch=console_report(estimator.verbose, request.on_epoch),
    )
    predictions = None if held_out is None else held_out.predictions
    return outcome, _kept_state(trainer, outcome), predictions


def conclude(estimator: BaseGRU, outcome: Outcome) -> None:
    """Say why the training ended, if that matters to the user."""
    n_iter = len(outcome.loss_curve)
    kept = f"the weights of epoch {outcome.kept_iter}" if outcome.kept_iter else "the initial weights"
    rate = estimator.learning_rate_init
    if outcome.stop_reason == "diverged":
        warn(
            f"The loss diverged in epoch {n_iter} (training loss {outcome.loss_curve[-1]:.3g}) with "
            f"learning_rate_init={rate}. Training stopped there, and {kept} were "
            f"kept. Lower learning_rate_init, for instance to {rate / 10:.2g}"
            + (", or set clip_norm=1.0." if estimator.clip_norm is None else "."),
            ConvergenceWarning,
        )
    if estimator.verbose:
        print(f"stopped after epoch {n_iter}: {outcome.stop_reason}; {kept} were kept")


def _optimizer_options(estimator: BaseGRU, n: int, n_jobs: int) -> OptimizerOptions:
    size = estimator.batch_size
    batch_size = auto_batch_size(n) if isinstance(size, str) else min(size, n)
    checkpoint_steps = estimator.checkpoint_steps
    if checkpoint_steps is not None:
        checkpoint_steps = min(int(checkpoint_steps), estimator.sequence_lengths_[2])
    return OptimizerOptions(
        int(batch_size),
        n_jobs,
        float(estimator.weight_decay),
        estimator.clip_norm,
        checkpoint_steps,
        None if estimator.bptt is None else min(int(estimator.bptt), estimator.sequence_lengths_[2]),
    )


def _kept_state(trainer: Trainer, outcome: Outcome) -> OptimizerState | None:
    """Return Adam's state to go on from; None if it led, or would lead, to a divergence."""
    first, second, n_steps = trainer.optimizer_state()
    finite = bool(np.isfinite(first).all() and np.isfinite(second).all())
    return (first, second, n_steps) if finite and outcome.stop_reason != "diverged" else None


def _deadline(max_seconds: float | None, begin: float) -> float:
    if max_seconds is None:
        return math.inf
    elapsed = perf_counter() - begin
    return begin + max(float(max_seconds) * (1.0 - _CLOSING), elapsed)
