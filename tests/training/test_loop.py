"""The training loop on an engine that plays back losses: its only weight counts the epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from grulearn.training import EpochReport, LoopOptions, Outcome, train

NAN = math.nan


class Tape:
    """Engine and trainer in one; after epoch k its weight is k."""

    def __init__(self, losses: Sequence[Sequence[float] | float], held_out: Sequence[float] = ()) -> None:
        self.losses = [np.atleast_1d(loss).astype(float) for loss in losses]
        self.held_out = held_out
        self.weight = np.zeros(1, np.float32)
        self.epoch = 0
        self.orders: list[np.ndarray | None] = []
        self.rates: list[float] = []
        self.interrupt_at: int | None = None

    def parameters(self) -> np.ndarray:
        return self.weight.copy()

    def set_parameters(self, values: np.ndarray) -> None:
        self.weight = values.copy()

    def run_epoch(
        self, order: np.ndarray | None, learning_rate: float, seconds: float = math.inf
    ) -> np.ndarray:
        self.epoch += 1
        self.orders.append(order)
        self.rates.append(learning_rate)
        self.weight[0] = self.epoch
        if self.epoch == self.interrupt_at:
            self.weight[0] = -1
            raise KeyboardInterrupt
        return self.losses[self.epoch - 1]

    def validation_loss(self) -> float:
        return self.held_out[self.epoch - 1]


def run(
    tape: Tape,
    *,
    n: int = 4,
    batch_size: int = 4,
    on_epoch: Callable | None = None,
    naive_loss: float = 1.0,
    **kwargs,
) -> Outcome:
    options = LoopOptions(
        **{"max_iter": len(tape.losses), "learning_rate": 0.1, "batch_size": batch_size, **kwargs}
    )
    return train(
        tape,
        tape,
        n,
        options,
        np.random.default_rng(0),
        naive_loss=naive_loss,
        validation_loss=tape.validation_loss if tape.held_out else None,
        on_epoch=on_epoch,
    )


def test_without_validation_all_epochs_run_and_the_last_weights_stay() -> None:
    tape = Tape([3.0, 1.0, 2.0])
    outcome = run(tape)
    assert outcome.loss_curve == [3.0, 1.0, 2.0]
    assert outcome.validation_scores is None
    assert (outcome.best_iter, outcome.best_loss) == (2, 1.0)
    assert (outcome.stop_reason, outcome.kept_iter, tape.weight[0]) == ("max_iter", 3, 3)


def test_the_best_weights_on_the_validation_part_are_restored() -> None:
    tape = Tape([5.0, 4.0, 3.0, 2.0], held_out=[0.9, 0.4, 0.5, 0.6])
    outcome = run(tape)
    assert outcome.validation_scores == [0.9, 0.4, 0.5, 0.6]
    assert (outcome.best_iter, outcome.best_loss, outcome.kept_iter) == (2, 0.4, 2)
    assert tape.weight[0] == 2


def test_patience_ends_the_training() -> None:
    tape = Tape([1.0] * 9, held_out=[0.9, 0.8, 0.81, 0.82, 0.83, 0.1, 0.1, 0.1, 0.1])
    outcome = run(tape, n_iter_no_change=3)
    assert outcome.stop_reason == "no improvement"
    assert len(outcome.loss_curve) == 5
    assert tape.weight[0] == 2


def test_improvements_within_tol_do_not_count_but_are_kept() -> None:
    """Small steps down add up against the last loss that counted."""
    tape = Tape([1.0] * 5, held_out=[0.9, 0.85, 0.82, 0.81, 0.805])
    outcome = run(tape, n_iter_no_change=2, tol=0.07)
    assert len(outcome.loss_curve) == 5  # 0.82 counts, being 0.08 below 0.9
    assert outcome.stop_reason == "no improvement"
    assert outcome.best_iter == outcome.kept_iter == 5


def test_a_small_last_batch_weighs_less() -> None:
    assert run(Tape([[1.0, 4.0]]), n=5, batch_size=4).loss_curve == [pytest.approx(0.8 * 1.0 + 0.2 * 4.0)]


def test_a_full_batch_is_not_shuffled() -> None:
    tape = Tape([1.0, 1.0])
    run(tape, n=4, batch_size=4)
    assert tape.orders == [None, None]
    assert tape.rates == [0.1, 0.1]


def test_smaller_batches_get_every_sample_once_in_a_new_order() -> None:
    tape = Tape([[1.0] * 10, [1.0] * 10])
    run(tape, n=20, batch_size=2)
    first, second = tape.orders
    assert first.dtype == np.int64
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(first) != list(second)
    assert list(first) != list(range(20))


@pytest.mark.parametrize("loss", [NAN, math.inf, 3.1e6])
def test_divergence_stops_and_returns_to_the_best_weights_before(loss: float) -> None:
    tape = Tape([3.0, 2.0, 2.5, loss, 1.0])
    outcome = run(tape)
    assert outcome.stop_reason == "diverged"
    assert len(outcome.loss_curve) == 4
    # The loss of 2.0 in epoch 2 is that of the weights which epoch 1 left.
    assert (outcome.kept_iter, tape.weight[0]) == (1, 1)
    assert (outcome.best_iter, outcome.best_loss) == (2, 2.0)


def test_divergence_goes_back_at_most_ten_epochs_further_than_needed() -> None:
    tape = Tape([*np.linspace(100.0, 1.0, 56), NAN])
    outcome = run(tape)
    assert (outcome.kept_iter, tape.weight[0]) == (49, 49)


@pytest.mark.parametrize(("loss", "held_out"), [(NAN, 1.0), (1.0, NAN), (1.0, 1e9)])
def test_divergence_with_validation_keeps_the_best(loss: float, held_out: float) -> None:
    tape = Tape([3.0, 2.0, 1.5, loss], held_out=[0.5, 0.3, 0.4, held_out])
    outcome = run(tape)
    assert outcome.stop_reason == "diverged"
    assert (outcome.kept_iter, tape.weight[0], outcome.best_loss) == (2, 2, 0.3)


@pytest.mark.parametrize("held_out", [[], [NAN]])
def test_divergence_at_once_keeps_the_initial_weights(held_out: list[float]) -> None:
    tape = Tape([NAN], held_out=held_out)
    outcome = run(tape)
    assert (outcome.stop_reason, outcome.kept_iter, tape.weight[0]) == ("diverged", 0, 0)
    assert (outcome.best_iter, outcome.best_loss) == (0, math.inf)


def test_the_last_update_may_diverge_too() -> None:
    class Exploding(Tape):
        def run_epoch(
            self, order: np.ndarray | None, learning_rate: float, seconds: float = math.inf
        ) -> np.ndarray:
            losses = super().run_epoch(order, learning_rate)
            if self.epoch == 3:
                self.weight[0] = np.inf
            return losses

    tape = Exploding([3.0, 2.0, 1.0])
    outcome = run(tape)
    assert (outcome.stop_reason, outcome.kept_iter, tape.weight[0]) == ("diverged", 2, 2)


def test_what_counts_as_diverged_grows_with_the_first_batch() -> None:
    """A user's own weights may start far off and still be on their way back."""
    assert run(Tape([[5e6, 5e6], [1.0, 1.0]]), batch_size=2).stop_reason == "max_iter"
    assert run(Tape([[1.0, 5e6], [1.0, 1.0]]), batch_size=2).stop_reason == "diverged"


def test_what_counts_as_diverged_is_in_the_targets_units() -> None:
    assert run(Tape([1e9, 1e9]), naive_loss=1e10).stop_reason == "max_iter"
    assert run(Tape([1e-9, 1e-2]), naive_loss=1e-10).stop_reason == "diverged"
    assert run(Tape([0.0, 1e-12]), naive_loss=0.0).stop_reason == "max_iter"


def test_an_interruption_keeps_the_best_weights_so_far() -> None:
    tape = Tape([3.0, 2.0, 1.0, 1.0], held_out=[0.5, 0.6, 0.7, 0.8])
    tape.interrupt_at = 3
    outcome = run(tape)
    assert outcome.stop_reason == "interrupted"
    assert isinstance(outcome.interrupt, KeyboardInterrupt)
    assert (len(outcome.loss_curve), outcome.kept_iter, tape.weight[0]) == (2, 1, 1)


def test_an_interruption_without_validation_keeps_what_there_is() -> None:
    tape = Tape([3.0, 2.0, 1.0])
    tape.interrupt_at = 3
    outcome = run(tape)
    assert (outcome.stop_reason, outcome.loss_curve, tape.weight[0]) == ("interrupted", [3.0, 2.0], -1)


def test_an_interruption_while_validating_leaves_curves_of_one_length() -> None:
    tape = Tape([3.0, 2.0], held_out=[0.5, 0.6])

    def interrupted() -> float:
        if tape.epoch == 2:
            raise KeyboardInterrupt
        return 0.5

    tape.validation_loss = interrupted
    outcome = run(tape)
    assert (outcome.loss_curve, outcome.validation_scores) == ([3.0], [0.5])


def test_each_epoch_is_reported() -> None:
    reports: list[EpochReport] = []
    run(Tape([3.0, 2.0, 1.0], held_out=[0.5, 0.6, 0.4]), on_epoch=reports.append)
    assert [r[:5] for r in reports] == [
        (1, 3, 3.0, 0.5, True),
        (2, 3, 2.0, 0.6, False),
        (3, 3, 1.0, 0.4, True),
    ]
    assert 0 <= reports[0].seconds <= reports[2].seconds


def test_an_interruption_in_the_hook_counts_the_epoch() -> None:
    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    tape = Tape([3.0, 2.0, 1.0], held_out=[0.5, 0.4, 0.3])
    outcome = run(tape, on_epoch=stop)
    assert (len(outcome.loss_curve), outcome.kept_iter, tape.weight[0]) == (2, 2, 2)


def test_the_schedule_gives_each_epochs_rate_from_its_middle() -> None:
    class Line:
        def factor(self, progress: float) -> float:
            return progress

        def after_epoch(self, loss: float) -> None:
            pass

    tape = Tape([1.0] * 4)
    run(tape, learning_rate=2.0, schedule=Line())
    assert tape.rates == [0.25, 0.75, 1.25, 1.75]


@pytest.mark.parametrize("held_out", [(), [0.5, 0.6, 0.7]])
def test_the_schedule_is_told_the_loss_that_is_watched(held_out: list[float]) -> None:
    class Listener:
        def __init__(self) -> None:
            self.losses: list[float] = []

        def factor(self, progress: float) -> float:
            return 1.0

        def after_epoch(self, loss: float) -> None:
            self.losses.append(loss)

    schedule = Listener()
    run(Tape([3.0, 2.0, 1.0], held_out), schedule=schedule)
    assert schedule.losses == (held_out or [3.0, 2.0, 1.0])


def test_where_time_is_shorter_than_the_epochs_the_schedule_goes_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock that only this test advances: 0.1 s an epoch, and 1 s for a thousand epochs."""
    now = [100.0]
    monkeypatch.setattr("grulearn.training.loop.perf_counter", lambda: now[0])
    monkeypatch.setattr("grulearn.training.epochs.perf_counter", lambda: now[0])
    seen: list[float] = []

    class Listener:
        def factor(self, progress: float) -> float:
            seen.append(progress)
            return 1.0

        def after_epoch(self, loss: float) -> None:
            now[0] += 0.1

    outcome = run(Tape([1.0] * 1000), schedule=Listener(), deadline=101.0)
    assert outcome.stop_reason == "max_seconds"
    # The first epoch's middle is 1 / 2000; from then on the time counts.
    np.testing.assert_allclose(seen[:5], [0.0005, 0.1, 0.2, 0.3, 0.4], atol=1e-9)
