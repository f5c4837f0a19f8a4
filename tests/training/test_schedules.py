"""Schedules against the papers' formulas and PyTorch's curves, and how the loop asks for them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grulearn.training.schedules import SCHEDULES, Constant, Cosine, OneCycle, Plateau, make_schedule

EVERYWHERE = np.linspace(0.0, 1.0, 1001)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_factor_never_exceeds_1_and_is_never_negative(name: str) -> None:
    schedule = make_schedule(name, n_iter_no_change=20, tol=0.0)
    factors = [schedule.factor(p) for p in EVERYWHERE]
    assert min(factors) >= 0.0
    assert max(factors) == pytest.approx(1.0, abs=1e-12)  # each reaches the greatest rate


def test_cosine_without_warm_up_is_loshchilov_and_hutters_equation_5() -> None:
    """eta_min = 0 and eta_max = 1: eta = (1 + cos(pi T_cur / T_i)) / 2."""
    schedule = Cosine(warm_up=0.0)
    expected = 0.5 * (1.0 + np.cos(np.pi * EVERYWHERE))
    # The same few operations, in float64: a few roundings.
    np.testing.assert_allclose([schedule.factor(p) for p in EVERYWHERE], expected, atol=1e-15)


def test_cosine_warms_up_in_a_line_and_has_no_step() -> None:
    schedule = Cosine(warm_up=0.2)
    assert [schedule.factor(p) for p in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.25, 0.5])
    factors = np.array([schedule.factor(p) for p in EVERYWHERE])
    assert np.abs(np.diff(factors)).max() <= 0.001 / 0.2 + 1e-12  # the warm-up is the steepest part
    assert EVERYWHERE[factors.argmax()] == pytest.approx(0.2)


def test_one_cycle_rises_and_falls_between_its_corners_in_lines() -> None:
    schedule = OneCycle()
    expected = np.interp(EVERYWHERE, [0.0, 0.45, 0.9, 1.0], [0.1, 1.0, 0.1, 0.001])
    np.testing.assert_allclose([schedule.factor(p) for p in EVERYWHERE], expected, atol=1e-12)


def test_plateau_falls_when_patience_is_used_up_and_counts_anew() -> None:
    schedule = Plateau(patience=2)
    seen = []
    for loss in (5.0, 4.0, 4.0, 4.0, 3.0, 3.5, 3.0, 3.0, 2.9):
        schedule.after_epoch(loss)
        seen.append(round(9 * schedule.factor(0.0)))
    assert seen == [9, 9, 9, 3, 3, 3, 1, 1, 1]


def test_plateau_does_not_count_improvements_within_tol() -> None:
    schedule = Plateau(patience=2, tol=0.1)
    for loss in (1.0, 0.95, 0.92):
        schedule.after_epoch(loss)
    assert schedule.factor(0.0) == pytest.approx(1 / 3)


def test_plateau_counts_nan_as_no_improvement_and_has_a_least_rate() -> None:
    schedule = Plateau(patience=1)
    for _ in range(50):
        schedule.after_epoch(math.nan)
    assert schedule.factor(0.0) == 1e-3


@pytest.mark.parametrize(("patience", "epochs"), [(20, 5), (8, 2), (3, 1), (1, 1), (math.inf, 5)])
def test_plateau_has_a_quarter_of_the_patience(patience: float, epochs: int) -> None:
    schedule = make_schedule("plateau", n_iter_no_change=patience, tol=0.0)
    schedule.after_epoch(1.0)
    for _ in range(epochs - 1):
        schedule.after_epoch(1.0)
    assert schedule.factor(0.0) == 1.0
    schedule.after_epoch(1.0)
    assert schedule.factor(0.0) < 1.0


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no schedule 'linear'; expected one of constant, cosine"):
        make_schedule("linear", n_iter_no_change=20, tol=0.0)


def test_a_schedule_of_one_epoch_trains() -> None:
    """The middle of the only epoch: none of them stands at its beginning or end there, where it may be 0."""
    for kind in (Constant(), Cosine(), OneCycle()):
        assert kind.factor(0.5) > 0.4
