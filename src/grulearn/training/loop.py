"""The training loop: epochs, order, early stopping, and what is left when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import numpy as np

from grulearn.engines import Engine, Trainer
from grulearn.training.epochs import EpochRunner
from grulearn.training.keepers import BestOnValidation, Keeper, LastWeights
from grulearn.training.schedules import Constant, Schedule

__all__ = ["EpochReport", "LoopOptions", "Outcome", "train"]


class EpochReport(NamedTuple):
    """What one epoch came to.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    max_iter : int
        The number of epochs if nothing stops the training earlier.
    training_loss : float
        Mean loss over the epoch's batches, each measured before its update.
    validation_loss : float or None
        Loss on the validation part after the epoch; None without early stopping.
    best : bool
        Whether this is the lowest validation loss so far (training loss without early stopping).
    seconds : float
        Since the training began.
    """

    epoch: int
    max_iter: int
    training_loss: float
    validation_loss: float | None
    best: bool
    seconds: float


@dataclass(frozen=True)
class LoopOptions:
    """How long to train, and how.

    Parameters
    ----------
    max_iter : int
        Greatest number of epochs.
    learning_rate : float
        The greatest rate of the schedule.
    batch_size : int
        As given to the engine's trainer.
    n_iter_no_change : float, default=inf
        Epochs without improvement of the validation loss after which to stop.
    tol : float, default=0.0
        Improvements that are not greater do not count.
    deadline : float, default=inf
        The time of perf_counter() after which no update begins. One is made in any case.
    schedule : Schedule
        How the rate changes from epoch to epoch; a new one for each training. By default it does not.
    """

    max_iter: int
    learning_rate: float
    batch_size: int
    n_iter_no_change: float = math.inf
    tol: float = 0.0
    deadline: float = math.inf
    schedule: Schedule = field(default_factory=Constant)


@dataclass
class Outcome:
    """What a training came to.

    Attributes
    ----------
    loss_curve : list of float
        Training loss of each epoch.
    validation_scores : list of float or None
        Validation loss of each epoch; None without validation.
    stop_reason : {"max_iter", "no improvement", "max_seconds", "diverged", "interrupted"}
    kept_iter : int
        The epoch that left the weights which the network now has; 0 for the initial weights. After an
        interruption without validation, part of the next epoch has gone into them as well.
    interrupt : KeyboardInterrupt or None
        To be raised again once the estimator is in order.
    initial_loss : float
        The validation loss of the initial weights, where they are a candidate; else infinite.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    stop_reason: str = "max_iter"
    kept_iter: int = 0
    interrupt: KeyboardInterrupt | None = None
    initial_loss: float = math.inf

    @property
    def best_iter(self) -> int:
        """The epoch of the lowest validation loss (training loss without validation).

        An epoch that ended in a divergence does not count. 0 if there is none, or none is better than the
        initial weights are.
        """
        losses = self._watched()
        if self.stop_reason == "diverged":
            losses = losses[:-1]
        finite = [i for i, loss in enumerate(losses) if loss < self.initial_loss and math.isfinite(loss)]
        return min(finite, key=losses.__getitem__) + 1 if finite else 0

    @property
    def best_loss(self) -> float:
        """The loss at `best_iter`; infinite if there is none."""
        return self._watched()[self.best_iter - 1] if self.best_iter else self.initial_loss

    def _watched(self) -> list[float]:
        return self.loss_curve if self.validation_scores is None else self.validation_scores


def train(
    engine: Engine,
    trainer: Trainer,
    n_sequences: int,
    options: LoopOptions,
    rng: np.random.Generator,
    *,
    naive_loss: float = 1.0,
    floor: float = 0.0,
    weighted: bool = False,
    validation_loss: Callable[[], float] | None = None,
    keep_initial: bool = False,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Outcome:
    """Train a network.

    Parameters
    ----------
    engine : Engine
        The network; its weights are those to start from, and in the end those to keep: with validation
        those of the lowest validation loss, without it those of the last epoch, after a divergence the
        best before it.
    trainer : Trainer
        The engine's trainer, with the training data.
    n_sequences : int
        Number of training sequences.
    options : LoopOptions
    rng : numpy.random.Generator
        Draws the order of the sequences in each epoch.
    naive_loss : float, default=1.0
        The loss of a network that predicts 0; a loss a million times greater has diverged.
    floor : float, default=0.0
        A lower bound of the loss, from which these times are counted.
    weighted : bool, default=False
        Whether batches of one size may weigh differently: with sample weights, or a target for each step.
    validation_loss : callable, optional
        Called after each epoch.
    keep_initial : bool, default=False
        Whether the weights to start from are to be kept if no epoch has a lower validation loss than they
        have: for a training that goes on.
    on_epoch : callable, optional
        Called with an :class:`EpochReport` after each epoch.

    Returns
    -------
    Outcome
        A KeyboardInterrupt ends the training like any other reason, and stands in the outcome.
    """
    outcome = Outcome(validation_scores=None if validation_loss is None else [])
    keeper: Keeper
    if validation_loss is None:
        keeper = LastWeights(engine)
    else:
        initial_loss = validation_loss() if keep_initial else math.inf
        outcome.initial_loss = initial_loss if math.isfinite(initial_loss) else math.inf
        keeper = BestOnValidation(engine, options.n_iter_no_change, options.tol, outcome.initial_loss)
    run_epoch = EpochRunner(
        trainer,
        n_sequences,
        options.batch_size,
        rng,
        naive_loss=naive_loss,
        floor=floor,
        weighted=weighted,
        deadline=options.deadline,
    )
    report = _reporter(options.max_iter, on_epoch)
    try:
        outcome.stop_reason = _run_epochs(outcome, options, run_epoch, validation_loss, keeper, report)
    except KeyboardInterrupt as interrupt:
        outcome.stop_reason, outcome.interrupt = "interrupted", interrupt
        if outcome.validation_scores is not None:
            del outcome.loss_curve[len(outcome.validation_scores) :]
    if (
        validation_loss is None
        and outcome.stop_reason in _ENDINGS
        and _is_ruined([loss - floor for loss in outcome.loss_curve], naive_loss - floor)
    ):
        outcome.stop_reason = "diverged"
    last = len(outcome.loss_curve)
    keeper.finish(last, diverged=outcome.stop_reason == "diverged")
    if outcome.stop_reason in _ENDINGS and keeper.kept_iter != last and validation_loss is None:
        outcome.stop_reason = "diverged"  # the very last update did it, after the loss was measured
    outcome.kept_iter = keeper.kept_iter
    return outcome


# A training that ended by itself, rather than by what its losses did.
_ENDINGS = ("max_iter", "max_seconds")


def _is_ruined(losses: list[float], naive_loss: float) -> bool:
    """Tell whether the last epoch is worse than knowing nothing, and far worse than an earlier one."""
    return naive_loss > 0.0 and losses[-1] > max(naive_loss, 100.0 * min(losses))


def _run_epochs(
    outcome: Outcome,
    options: LoopOptions,
    run_epoch: EpochRunner,
    validation_loss: Callable[[], float] | None,
    keeper: Keeper,
    report: Callable[[int, float, float | None, bool], None] | None,
) -> str:
    """Run epochs until there is a reason to stop; return it."""
    held_out: float | None = None
    progress = _progress(options)
    for epoch in range(1, options.max_iter + 1):
        keeper.before_epoch(epoch)
        loss, limit = run_epoch(options.learning_rate * options.schedule.factor(progress(epoch)))
        outcome.loss_curve.append(loss)
        if validation_loss is not None and outcome.validation_scores is not None:
            held_out = validation_loss()
            outcome.validation_scores.append(held_out)
        # "not <=" rather than ">": NaN has diverged as well.
        diverged = not loss <= limit or (held_out is not None and not held_out <= limit)
        options.schedule.after_epoch(loss if held_out is None else held_out)
        best = False if diverged else keeper.after_epoch(epoch, loss, held_out)
        if report is not None:
            report(epoch, loss, held_out, best)
        if diverged:
            return "diverged"
        if keeper.exhausted:
            return "no improvement"
        if perf_counter() >= options.deadline:
            return "max_seconds"
    return "max_iter"


def _progress(options: LoopOptions) -> Callable[[int], float]:
    """Return what tells how much of the training lies behind in the middle of an epoch, from 0 to 1.

    Epochs are counted, and if the time is limited and passes sooner than they do, it is the time.
    """
    if math.isinf(options.deadline):
        return lambda epoch: (epoch - 0.5) / options.max_iter
    begin = perf_counter()
    duration = max(options.deadline - begin, 1e-9)
    return lambda epoch: min(max((epoch - 0.5) / options.max_iter, (perf_counter() - begin) / duration), 1.0)


def _reporter(
    max_iter: int, on_epoch: Callable[[EpochReport], None] | None
) -> Callable[[int, float, float | None, bool], None] | None:
    if on_epoch is None:
        return None
    begin = perf_counter()

    def report(epoch: int, loss: float, held_out: float | None, best: bool) -> None:
        on_epoch(EpochReport(epoch, max_iter, loss, held_out, best, perf_counter() - begin))

    return report
