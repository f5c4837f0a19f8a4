"""Predictions of each half from the other's epoch, against a plain search afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.sequences import Sequences
from grulearn.training import CrossStopping, halves


@pytest.mark.parametrize("seed", range(20))
def test_each_half_has_the_predictions_of_the_others_best_epoch(seed):
    rng = np.random.default_rng(seed)
    first = rng.random(15) < 0.5
    predictions, losses = rng.normal(size=(30, 15, 2)), rng.random((30, 15))
    kept = CrossStopping(first)
    for epoch in range(30):
        kept.after_epoch(predictions[epoch].copy(), losses[epoch])
    np.testing.assert_array_equal(
        kept.predictions[first], predictions[losses[:, ~first].sum(1).argmin()][first]
    )
    np.testing.assert_array_equal(
        kept.predictions[~first], predictions[losses[:, first].sum(1).argmin()][~first]
    )


def test_what_an_epoch_leaves_in_the_buffer_does_not_matter():
    kept, buffer = CrossStopping(np.array([True, False])), np.zeros(2)
    for value, loss in ((1.0, 0.5), (2.0, 0.9)):
        buffer[:] = value
        kept.after_epoch(buffer, np.full(2, loss))
    assert kept.predictions.tolist() == [1.0, 1.0]


def test_a_diverged_epoch_is_never_the_best():
    kept = CrossStopping(np.array([True, False]))
    kept.after_epoch(np.array([np.nan, 1.0]), np.array([np.nan, 0.1]))
    assert kept.predictions is None
    kept.after_epoch(np.array([2.0, 3.0]), np.array([0.5, 0.2]))
    assert kept.predictions.tolist() == [2.0, 3.0]
    kept.after_epoch(np.array([9.0, 9.0]), np.array([np.inf, 0.0]))
    assert kept.predictions.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("first", [[True], [False], [True, True]])
def test_one_half_alone_keeps_nothing(first):
    kept = CrossStopping(np.array(first))
    kept.after_epoch(np.ones(len(first)), np.ones(len(first)))
    assert kept.predictions is None


def test_scores_of_the_chosen_epoch_are_too_small_and_these_are_not():
    """50 epochs that are equally good: choosing the best one on 10 sequences is all there is to learn.

    The 10 smallest-of-11 errors of N(0, 1) cover 10/11 of new ones. Means over 2000 draws have a standard
    error of 0.2; four of them are allowed for.
    """
    rng = np.random.default_rng(0)
    covered = {"chosen epoch": [], "halves": []}
    for _ in range(2000):
        errors = rng.normal(size=(50, 10))
        kept = CrossStopping(np.arange(10) < 5)
        for epoch in errors:
            kept.after_epoch(epoch, epoch**2)
        fresh = np.abs(rng.normal(size=20))
        best = errors[(errors**2).sum(axis=1).argmin()]
        for name, scores in (("chosen epoch", best), ("halves", kept.predictions)):
            covered[name].append(np.mean(fresh <= np.abs(scores).max()))
    error = np.std(covered["halves"]) / np.sqrt(2000)
    assert np.mean(covered["halves"]) == pytest.approx(10 / 11, abs=4 * error)
    assert np.mean(covered["chosen epoch"]) < 10 / 11 - 0.1


def test_halves_do_not_divide_a_log():
    data = Sequences.from_array(np.zeros((7, 30, 1))).windows(10)
    first = halves(data, np.random.default_rng(0))
    assert not set(data.ids[first]) & set(data.ids[~first])
    assert {len(set(data.ids[first])), len(set(data.ids[~first]))} == {3, 4}


def test_halves_of_one_log_are_before_and_after():
    data = Sequences.from_array(np.zeros((1, 30, 1))).windows(10)[::-1]
    first = halves(data, np.random.default_rng(0))
    assert data.starts[first].max() < data.starts[~first].min()
    assert first.sum() == 10


@pytest.mark.parametrize("n", [2, 3, 10, 11])
def test_halves_of_independent_sequences(n):
    data = Sequences.from_array(np.zeros((n, 3, 1)))
    one, same, other = (halves(data, np.random.default_rng(seed)) for seed in (0, 0, 5))
    assert one.sum() == n // 2
    np.testing.assert_array_equal(one, same)
    assert n < 10 or not np.array_equal(one, other)


def test_halves_of_groups():
    groups = np.array([3, 3, 3, 9, 9, 9, 9])
    first = halves(Sequences.from_array(np.zeros((7, 3, 1))), np.random.default_rng(0), groups)
    assert first.tolist() in ([True] * 3 + [False] * 4, [False] * 3 + [True] * 4)


def test_a_half_of_rows_that_do_not_count_judges_nothing() -> None:
    kept = CrossStopping(np.array([True, False]))
    for epoch, loss in enumerate([0.5, 0.1, 0.3]):
        kept.after_epoch(np.array([epoch, epoch]), np.array([loss, 0.0]), np.array([1.0, 0.0]))
    assert kept.predictions is None
