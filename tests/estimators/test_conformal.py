"""Intervals and label sets: against the published formulas written plainly, and by what they cover."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from grulearn.estimators._score_distribution import ScoreDistribution
from grulearn.estimators.conformal import LabelScores, ResidualScores


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_covers(covered: list[float], expected: float, above: float = 0.0) -> None:
    """Their mean is at least `expected`, and at most `above` more, give or take 4 standard errors."""
    error = np.std(covered) / np.sqrt(len(covered))
    assert np.mean(covered) > expected - 4 * error
    assert np.mean(covered) < expected + above + 4 * error


# The quantile


@pytest.mark.parametrize("n", [1, 2, 5, 9, 19, 99, 100])
def test_the_quantile_is_the_kth_smallest(n):
    """Enumerated in exact fractions: k = ceil((n + 1) c), infinite if that is more than n."""
    scores = rng(n).permutation(n) + 1.0
    known = ScoreDistribution.fit(scores)
    assert known.max_coverage == pytest.approx(n / (n + 1))
    for percent in range(1, 100):
        k = -(-Fraction(n + 1) * percent // 100)
        if k <= n:
            assert known.quantile(percent / 100) == k
        else:
            with pytest.raises(ValueError, match="enough for"):
                known.quantile(percent / 100)


def test_ranks_are_uniform_so_the_coverage_is_exact():
    """Of all orders of 5 held-out scores and a new one, exactly ceil(6 c) / 6 cover it."""
    for coverage in (0.3, 0.5, 0.7, 0.8):
        covers = [
            order[-1] <= ScoreDistribution.fit(np.array(order[:-1], dtype=float)).quantile(coverage)
            for order in permutations(range(6))
        ]
        assert np.mean(covers) == pytest.approx(np.ceil(round(6 * coverage, 9)) / 6)


def test_too_few_sequences_say_how_many_are_needed():
    known = ScoreDistribution.fit(np.arange(20.0))
    with pytest.raises(
        ValueError, match=r"coverage=0.99 takes 99 held-out .*; there are 20, enough for 0.952"
    ):
        known.quantile(0.99)
    assert ScoreDistribution.fit(np.arange(99.0)).quantile(0.99) == 98
    with pytest.raises(ValueError, match="takes 9 held-out"):
        ScoreDistribution.fit(np.arange(8.0)).quantile(0.9)
    assert ScoreDistribution.fit(np.arange(9.0)).quantile(0.9) == 8


@pytest.mark.parametrize(("n", "weight", "coverage"), [(3, 0.7, 0.75), (4, 0.3, 0.8), (4, 0.7, 0.6)])
def test_rounding_costs_no_sequence(n, weight, coverage):
    """In floating point these masses add up to a little less than the coverage."""
    k = round((n + 1) * coverage)
    assert ScoreDistribution.fit(np.arange(1.0, n + 1), weights=np.full(n, weight)).quantile(coverage) == k


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, 90, float("nan")])
def test_a_coverage_that_is_none(coverage):
    with pytest.raises(ValueError, match="between 0 and 1"):
        ScoreDistribution.fit([1.0, 2.0]).quantile(coverage)


def test_equal_scores_count_each():
    assert ScoreDistribution.fit([1.0, 1.0, 1.0, 2.0]).quantile(0.6) == 1
    assert ScoreDistribution.fit([1.0, 1.0, 1.0, 2.0]).quantile(0.61) == 2


def test_weights_are_masses_and_the_new_one_has_the_heaviest():
    """By a plain loop over the definition."""
    scores, weights = rng().normal(size=30), rng(1).integers(0, 5, size=30).astype(float)
    known = ScoreDistribution.fit(scores, weights=weights)
    whole = weights.sum() + weights.max()
    for coverage in np.linspace(0.05, 0.9, 30):
        expected = min(
            s for s in scores[weights > 0] if weights[scores <= s].sum() >= coverage * whole - 1e-9
        )
        assert known.quantile(coverage) == expected
    assert known.n_sequences == np.count_nonzero(weights)


def test_equal_weights_are_none():
    scores = rng().normal(size=50)
    plain = ScoreDistribution.fit(scores)
    for weight in (1.0, 7.0, 0.3):
        weighted = ScoreDistribution.fit(scores, weights=np.full(50, weight))
        np.testing.assert_allclose(weighted.shares, plain.shares, rtol=1e-13)
    np.testing.assert_array_equal(
        ScoreDistribution.fit(scores, lengths=np.ones(50, int)).shares, plain.shares
    )


def test_steps_share_the_mass_of_their_sequence():
    """By a plain loop: 1 / T_i each, 1 more for the new sequence; steps without a target do not count."""
    lengths = rng(1).integers(0, 9, size=12)
    scores = rng().normal(size=lengths.sum())
    scores[rng(2).random(len(scores)) < 0.3] = np.nan
    sequences = [s[~np.isnan(s)] for s in np.split(scores, np.cumsum(lengths)[:-1])]
    sequences = [s for s in sequences if len(s)]
    known = ScoreDistribution.fit(scores, lengths=lengths)
    assert known.n_sequences == len(sequences)
    for coverage in np.linspace(0.05, 0.85, 30):
        q = known.quantile(coverage)
        reached = [sum(np.mean(s <= v) for s in sequences) for v in (q, np.nextafter(q, -np.inf))]
        assert reached[0] >= coverage * (len(sequences) + 1) - 1e-9 > reached[1] - 2e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": [1, 1]}, "lengths that sum to 2"),
        ({"weights": [1.0]}, r"weights of shape \(1,\)"),
        ({"weights": [0.0, 0.0, 0.0]}, "no held-out target counts"),
    ],
)
def test_scores_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        ScoreDistribution.fit([1.0, 2.0, 3.0], **options)
    with pytest.raises(ValueError, match="no held-out target counts"):
        ScoreDistribution.fit([np.nan])


# Intervals


def test_absolute_residuals():
    y, p = rng().normal(size=(2, 40, 3))
    y[7, 2] = np.nan  # no matter to the other outputs
    lower, upper = ResidualScores.fit(y, p).interval(np.zeros((2, 3)), 0.8)
    for o in range(3):
        residuals = np.sort(np.abs(y - p)[:, o])  # NaN goes last
        n = 39 if o == 2 else 40
        q = residuals[int(np.ceil(round((n + 1) * 0.8, 9))) - 1]
        np.testing.assert_array_equal(upper[:, o], q)
        np.testing.assert_array_equal(lower[:, o], -q)


def test_residuals_in_units_of_a_scale():
    y, p = rng().normal(size=(2, 19, 1))
    s = rng(1).uniform(0.5, 2, size=(19, 1))
    lower, upper = ResidualScores.fit(y, p, scale=s).interval([[5.0]], 0.9, scale=[[3.0]])
    q = np.sort(np.abs(y - p)[:, 0] / s[:, 0])[17]
    assert (lower.item(), upper.item()) == pytest.approx((5 - 3 * q, 5 + 3 * q), rel=1e-15)


def test_quantiles_are_conformalized():
    """Romano, Patterson and Candes (2019), equations 6 to 8."""
    y = rng().normal(size=(49, 1))
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    predicted = np.sort(rng(1).normal(size=(49, 1, 5)), axis=-1)
    scores = ResidualScores.fit(y, predicted, levels=levels)
    new = np.array([[[-3.0, -1.0, 0.0, 1.0, 3.0]]])
    for coverage, low, high in ((0.9, 0, 4), (0.8, 0, 4), (0.6, 1, 3), (0.1, 1, 3), (0.7, 0, 4)):
        e = np.maximum(predicted[:, 0, low] - y[:, 0], y[:, 0] - predicted[:, 0, high])
        q = np.sort(e)[int(np.ceil(round(50 * coverage, 9))) - 1]
        lower, upper = scores.interval(new, coverage)
        expected = (new[0, 0, low] - q, new[0, 0, high] + q)
        assert (lower.item(), upper.item()) == pytest.approx(expected, rel=1e-15)


def test_quantiles_that_are_much_too_wide_do_not_cross():
    wide = np.tile([-10.0, 10.0], (99, 1, 1))
    scores = ResidualScores.fit(np.zeros((99, 1)), wide, levels=(0.05, 0.95))
    lower, upper = scores.interval(np.array([[[1.0, 2.0]], [[-20.0, 20.0]]]), 0.9)
    assert lower.ravel().tolist() == [1.5, -10.0]
    assert upper.ravel().tolist() == [1.5, 10.0]


def test_a_single_quantile_is_a_value():
    y, p = rng().normal(size=(2, 30, 2))
    one, other = (ResidualScores.fit(y, p, levels=levels).interval(p, 0.9) for levels in ((0.7,), ()))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["absolute", "scaled", "quantiles"])
@pytest.mark.parametrize(("n", "coverage"), [(10, 0.9), (50, 0.9), (50, 0.5), (200, 0.95)])
def test_intervals_cover_as_promised(kind, n, coverage):
    """Over 400 seeds; the noise depends on x, and is not normal. The upper bound is that without ties."""
    covered = []
    for seed in range(400):
        draw = rng(seed)
        x = draw.uniform(0.2, 2, size=n + 100)
        y = (x + x * draw.standard_t(3, size=len(x)))[:, None]
        p = 0.9 * x[:, None]
        options, extra = {}, {}
        if kind == "scaled":
            options, extra = {"scale": x[:n, None] ** 0.5}, {"scale": x[n:, None] ** 0.5}
        if kind == "quantiles":
            options = {"levels": (0.2, 0.8)}
            p = np.stack([p - x[:, None], p + 0.5 * x[:, None]], axis=-1)
        scores = ResidualScores.fit(y[:n], p[:n], **options)
        lower, upper = scores.interval(p[n:], coverage, **extra)
        covered.append(np.mean((lower <= y[n:]) & (y[n:] <= upper)))
    assert_covers(covered, coverage, above=1 / (n + 1))


def test_steps_of_sequences_are_covered_on_average():
    """One sequence in four is short and noisy: among the steps, taken as equals, it hardly counts."""
    by_sequence, by_step = [], []
    for seed in range(400):
        draw = rng(seed)
        lengths = np.where(draw.random(31) < 0.25, 2, 200)
        offsets = np.where(lengths == 2, 3.0, 1.0) * draw.normal(size=31)
        residuals = np.repeat(offsets, lengths) + 0.1 * draw.normal(size=lengths.sum())
        held_out, new = residuals[: -lengths[-1], None], np.abs(residuals[-lengths[-1] :])
        for covered, options in ((by_sequence, {"lengths": lengths[:-1]}), (by_step, {})):
            scores = ResidualScores.fit(held_out, np.zeros_like(held_out), **options)
            covered.append(np.mean(new <= scores.interval(np.zeros((1, 1)), 0.8)[1]))
    assert_covers(by_sequence, 0.8, above=1 / 31)
    assert np.mean(by_step) < 0.75


def test_weights_carry_over_to_data_drawn_by_them():
    """Held out uniformly, new ones in proportion to x: weights make up for it (Tibshirani et al. 2019)."""
    weighted, plain = [], []
    for seed in range(400):
        draw = rng(seed)
        x, new_x = draw.random(60), np.sqrt(draw.random(100))
        y, new_y = x * draw.normal(size=60), new_x * draw.normal(size=100)
        for covered, options in ((weighted, {"weights": x}), (plain, {})):
            scores = ResidualScores.fit(y[:, None], np.zeros((60, 1)), **options)
            covered.append(np.mean(np.abs(new_y) <= scores.interval(np.zeros((1, 1)), 0.9)[1]))
    # The heaviest mass at infinity is a mean weight too much: twice 1 / 61, and the jumps another.
    assert_covers(weighted, 0.9, above=4 / 61)
    assert np.mean(plain) < 0.87


@pytest.mark.parametrize("options", [{}, {"scale": np.ones((20, 2))}, {"levels": (0.1, 0.5, 0.9)}])
def test_arrays_bring_everything_back(options):
    p = rng().normal(size=(20, 2, 3) if "levels" in options else (20, 2))
    y = rng(1).normal(size=(20, 2))
    y[3, 0] = np.nan  # the outputs have unequal numbers of scores
    scores = ResidualScores.fit(y, p, **options)
    arrays = scores.to_arrays()
    assert all(isinstance(a, np.ndarray) and a.dtype.kind in "fiu" for a in arrays.values())
    extra = {"scale": options["scale"]} if "scale" in options else {}
    again = ResidualScores.from_arrays(arrays)
    np.testing.assert_array_equal(again.interval(p, 0.8, **extra), scores.interval(p, 0.8, **extra))
    with pytest.raises(ValueError, match="there are 19, enough for 0.95"):
        again.interval(p, 0.99, **extra)


@pytest.mark.parametrize(
    ("y_shape", "p_shape", "options", "message"),
    [
        ((9,), (9,), {}, r"predictions have shape \(9,\); expected \(samples, outputs\)"),
        ((9, 1), (9, 2), {}, r"fitting targets of shape \(9, 1\)"),
        ((9, 1), (8, 1), {}, "predictions have shape"),
        ((9, 1), (9, 1), {"levels": (0.1, 0.9)}, r"expected \(samples, outputs, 2 quantiles\)"),
        ((9, 1), (9, 1, 2), {"levels": (0.9, 0.1)}, "numbers that grow between 0 and 1"),
        ((9, 1), (9, 1), {"scale": np.zeros((9, 1))}, "scale: expected positive numbers"),
        ((9, 1), (9, 1), {"scale": np.ones(9)}, r"of shape \(9, 1\), got \(9,\)"),
        ((9, 1), (9, 1, 2), {"levels": (0.1, 0.9), "scale": np.ones((9, 1))}, "quantiles have their own"),
    ],
)
def test_residuals_that_do_not_fit(y_shape, p_shape, options, message):
    with pytest.raises(ValueError, match=message):
        ResidualScores.fit(np.zeros(y_shape), np.zeros(p_shape), **options)


def test_a_scale_is_needed_where_there_was_one():
    one = np.ones((9, 1))
    with pytest.raises(ValueError, match="scale: expected one, as in fit"):
        ResidualScores.fit(one, one, scale=one).interval(one, 0.5)
    with pytest.raises(ValueError, match="scale: expected none, as in fit"):
        ResidualScores.fit(one, one).interval(one, 0.5, scale=one)


# Label sets


def random_probabilities(draw: np.random.Generator, n: int, k: int) -> np.ndarray:
    return draw.dirichlet(np.full(k, 0.7), size=n)


def test_label_sets_by_the_formula():
    """Sadinle, Lei, Wasserman (2019): labels at least as probable as the k-th true one."""
    p, y = random_probabilities(rng(), 99, 4), rng(1).integers(0, 4, size=99)
    new = random_probabilities(rng(2), 30, 4)
    for coverage in (0.5, 0.9, 0.99):
        threshold = np.sort(p[np.arange(99), y])[::-1][int(np.ceil(round(100 * coverage, 9))) - 1]
        found = LabelScores.fit(y, p).sets(new, coverage, never_empty=False)
        np.testing.assert_array_equal(found, new >= threshold)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("calibrated", [True, False])
def test_label_sets_cover_as_promised(k, calibrated):
    """Also with probabilities that are wrong; over 300 seeds of 40 held-out samples."""
    covered = []
    for seed in range(300):
        draw = rng(seed)
        p = random_probabilities(draw, 140, k)
        y = np.array([draw.choice(k, p=row) for row in p])
        if not calibrated:
            p = p**3 / (p**3).sum(axis=1, keepdims=True)
        sets = LabelScores.fit(y[:40], p[:40]).sets(p[40:], 0.9, never_empty=False)
        covered.append(np.mean(sets[np.arange(100), y[40:]]))
    assert_covers(covered, 0.9, above=1 / 41)


def test_sets_are_nested_and_never_empty():
    p, y = random_probabilities(rng(), 99, 5), rng(1).integers(0, 5, size=99)
    scores, new = LabelScores.fit(y, p), random_probabilities(rng(2), 200, 5)
    before = np.zeros((200, 5), dtype=bool)
    for coverage in (0.05, 0.3, 0.6, 0.9, 0.99):
        sets = scores.sets(new, coverage)
        assert sets.any(axis=1).all()
        assert sets[np.arange(200), new.argmax(axis=1)].all()
        assert (sets | ~before).all()
        before = sets
    assert not scores.sets(new, 0.05, never_empty=False).any(axis=1).all()


def test_several_labels_at_once_are_two_classes_each():
    p, y = rng().random((60, 3)), (rng(1).random((60, 3)) < 0.4).astype(int)
    y[4, 1] = -1
    sets = LabelScores.fit(y, p).sets(p[:5], 0.8)
    assert sets.shape == (5, 3, 2)
    for label in range(3):
        known = y[:, label] >= 0
        two = np.stack([1 - p[:, label], p[:, label]], axis=1)
        alone = LabelScores.fit(y[known, label], two[known]).sets(two[:5], 0.8)
        np.testing.assert_array_equal(sets[:, label], alone)


def test_labels_of_steps_and_unknown_ones():
    p, y = random_probabilities(rng(), 30, 3), rng(1).integers(0, 3, size=30)
    lengths = np.array([1, 4, 10, 15])
    y[20] = -1
    scores = np.where(y < 0, np.nan, 1 - p[np.arange(30), y])
    expected = ScoreDistribution.fit(scores, lengths=lengths).quantile(0.7)
    found = LabelScores.fit(y, p, lengths=lengths).distributions[0]
    assert found.quantile(0.7) == expected
    assert found.n_sequences == 4


def test_arrays_bring_label_scores_back():
    p = rng().random((20, 3))
    y = (rng(1).random((20, 3)) < 0.5).astype(int)
    p = p / p.sum(axis=1, keepdims=True)
    for labels in (y, y.argmax(axis=1)):
        scores = LabelScores.fit(labels, p)
        again = LabelScores.from_arrays(scores.to_arrays())
        np.testing.assert_array_equal(again.sets(p, 0.8), scores.sets(p, 0.8))


@pytest.mark.parametrize(
    ("labels", "p", "message"),
    [
        ([0, 1], [[0.5, 0.5]], "do not fit probabilities"),
        ([2], [[0.5, 0.5]], "label 2; expected 0 to 1"),
        ([[0, 2]], [[0.5, 0.5]], "label 2; expected 0 to 1"),
        ([0], [[1.5, -0.5]], "between 0 and 1"),
        ([0], [[np.nan, 0.5]], "between 0 and 1"),
        ([-1], [[0.5, 0.5]], "no held-out target counts"),
    ],
)
def test_labels_that_do_not_fit(labels, p, message):
    with pytest.raises(ValueError, match=message):
        LabelScores.fit(np.array(labels), p)
