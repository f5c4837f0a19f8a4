"""Intervals and label sets of fitted estimators: what they cover, and that they are the formulas' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import grulearn
from grulearn import GRUClassifier, GRURegressor, Sequences
from grulearn.estimators import _base
from grulearn.training import halves

LOSSES: dict[str, dict[str, Any]] = {
    "squared_error": {},
    "absolute_error": {"loss": "absolute_error"},
    "huber": {"loss": "huber"},
    "gaussian": {"loss": "gaussian"},
    "quantiles": {"quantiles": [0.05, 0.5, 0.95]},
}


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(
        **{"hidden_size": 8, "learning_rate_init": 0.02, "random_state": 0, "n_jobs": 1, **options}
    )


def noisy(n: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences of different lengths; the noise depends on the last step, and is not normal."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(1, 6, size=n)]
    scale = np.array([np.exp(0.5 * x[-1, 1]) for x in X])
    return X, np.array([x[-1, 0] for x in X]) + scale * rng.standard_t(4, size=n)


def assert_near(covered: list[float], coverage: float, n: int) -> None:
    """Within what early stopping may cost (see CrossStopping), 1 / (n + 1), and 4 errors of the mean."""
    error = 4 * np.std(covered) / np.sqrt(len(covered))
    assert coverage - 0.01 - error < np.mean(covered) < coverage + 1 / (n + 1) + 0.01 + error


@pytest.mark.parametrize("loss", LOSSES)
def test_intervals_cover_as_promised(loss):
    covered = []
    for seed in range(100):
        X, y = noisy(500, seed)
        model = regressor(validation_fraction=0.3, max_iter=40, random_state=seed, **LOSSES[loss])
        lower, upper = model.fit(X[:100], y[:100]).predict_interval(X[100:], coverage=0.9)
        covered.append(np.mean((lower <= y[100:]) & (y[100:] <= upper)))
    assert_near(covered, 0.9, n=30)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "several labels"])
def test_label_sets_cover_as_promised(kind):
    covered = []
    for seed in range(100):
        X, numbers = noisy(500, seed)
        y = np.digitize(numbers, [0] if kind == "two classes" else [-1, 1])
        if kind == "several labels":
            y = np.column_stack([numbers > -1, numbers > 1]).astype(int)
        model = GRUClassifier(
            8, learning_rate_init=0.02, validation_fraction=0.3, max_iter=40, random_state=seed, n_jobs=1
        )
        sets = model.fit(X[:100], y[:100]).predict_set(X[100:], coverage=0.8)
        assert sets.any(axis=-1).all()
        if kind == "several labels":
            assert sets.shape == (400, 2, 2)
            covered.append(np.take_along_axis(sets, y[100:, :, None], axis=2).mean())
        else:
            covered.append(sets[np.arange(400), y[100:]].mean())
    # A set that would be empty holds the prediction instead: it covers more than promised, not less.
    error = 4 * np.std(covered) / np.sqrt(100)
    assert np.mean(covered) > 0.8 - 0.01 - error


def test_steps_are_covered_on_average_over_sequences():
    covered = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = [rng.normal(size=(k, 1)) for k in rng.integers(1, 12, size=160)]
        y = [x[:, 0] + rng.normal() + 0.3 * rng.normal(size=len(x)) for x in X]
        model = regressor(target="sequence", validation_fraction=0.4, max_iter=20, random_state=seed)
        lower, upper = model.fit(X[:60], y[:60]).predict_interval(X[60:], coverage=0.8)
        covered.append(
            np.mean([np.mean((a <= t) & (t <= b)) for a, t, b in zip(lower, y[60:], upper, strict=True)])
        )
    assert_near(covered, 0.8, n=24)


def test_calibrated_intervals_are_the_formula():
    """Prediction -+ the ceil((n + 1) c)-th smallest residual; float32 networks, so to 1e-6."""
    X, y = noisy(160, 0)
    model = regressor(max_iter=10).fit(X[:60], y[:60]).calibrate(X[60:109], y[60:109])
    residuals = np.sort(np.abs(y[60:109] - model.predict(X[60:109])))
    for coverage in (0.5, 0.8, 0.9, 0.98):
        q = residuals[int(np.ceil(round(50 * coverage, 9))) - 1]
        lower, upper = model.predict_interval(X[109:], coverage)
        np.testing.assert_allclose(lower, model.predict(X[109:]) - q, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(upper, model.predict(X[109:]) + q, rtol=1e-6, atol=1e-6)


def test_gaussian_and_quantile_intervals_are_the_formulas():
    X, y = noisy(160, 0)
    calibration, new = (X[60:109], y[60:109]), X[109:]
    model = regressor(loss="gaussian", max_iter=10).fit(X[:60], y[:60]).calibrate(*calibration)
    mean, std = model.predict(calibration[0], return_std=True)
    q = np.sort(np.abs(calibration[1] - mean) / std)[44]
    mean, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(
        model.predict_interval(new), (mean - q * std, mean + q * std), rtol=1e-5, atol=1e-5
    )
    model = regressor(quantiles=[0.1, 0.5, 0.9], max_iter=10).fit(X[:60], y[:60]).calibrate(*calibration)
    low, _, high = model.predict_quantiles(calibration[0]).T
    q = np.sort(np.maximum(low - calibration[1], calibration[1] - high))[44]
    low, _, high = model.predict_quantiles(new).T
    np.testing.assert_allclose(model.predict_interval(new), (low - q, high + q), rtol=1e-5, atol=1e-5)


def test_calibrated_label_sets_are_the_formula():
    X, numbers = noisy(160, 0)
    y = np.array(["low", "mid", "top"])[np.digitize(numbers, [-1, 1])]
    model = GRUClassifier(8, random_state=0, max_iter=10).fit(X[:60], y[:60]).calibrate(X[60:109], y[60:109])
    given = model.predict_proba(X[60:109])[np.arange(49), np.searchsorted(model.classes_, y[60:109])]
    least = np.sort(given)[::-1][44]
    p = model.predict_proba(X[109:])
    np.testing.assert_array_equal(
        model.predict_set(X[109:]), (p >= least) | (p == p.max(axis=1, keepdims=True))
    )


def test_several_targets_have_their_own_widths():
    X, y = noisy(200, 0)
    model = regressor(max_iter=10).fit(X, np.column_stack([y, 100 * y]))
    lower, upper = model.predict_interval(X, coverage=0.8)
    assert lower.shape == (200, 2)
    assert (np.ptp(upper - lower, axis=0) < 1e-4 * (upper - lower)[0]).all()
    assert (upper - lower)[0, 1] > 20 * (upper - lower)[0, 0]


def test_counts_are_not_negative():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3, 1))
    y = rng.poisson(np.exp(X[:, -1, 0] - 1))
    lower, upper = regressor(loss="poisson", max_iter=10).fit(X, y).predict_interval(X, coverage=0.8)
    assert lower.min() == 0
    assert (upper > 0).all()


def test_weights_count_in_calibration():
    """Weights 0 and 1 are as leaving samples out."""
    X, y = noisy(160, 0)
    weights = (np.arange(100) % 3 == 0).astype(float)
    kept = np.flatnonzero(weights)
    model = regressor(max_iter=10).fit(X[:60], y[:60])
    weighted = model.calibrate(X[60:], y[60:], sample_weight=weights).predict_interval(X)
    alone = model.calibrate([X[60 + i] for i in kept], y[60 + kept]).predict_interval(X)
    np.testing.assert_array_equal(weighted, alone)


@pytest.mark.parametrize("options", list(LOSSES.values()), ids=list(LOSSES))
def test_intervals_survive_the_model_file(options, tmp_path):
    X, y = noisy(150, 0)
    model = regressor(max_iter=5, **options).fit(X, y)
    model.save(tmp_path / "model.gru")
    again = grulearn.load(tmp_path / "model.gru")
    np.testing.assert_array_equal(again.predict_interval(X, 0.8), model.predict_interval(X, 0.8))


def test_label_sets_survive_the_model_file(tmp_path):
    X, numbers = noisy(150, 0)
    for y in (numbers > 0, np.digitize(numbers, [-1, 1]), np.column_stack([numbers > 0, numbers > 1]) * 1):
        model = GRUClassifier(8, max_iter=5, random_state=0).fit(X, y)
        model.save(tmp_path / "model.gru")
        again = grulearn.load(tmp_path / "model.gru")
        np.testing.assert_array_equal(again.predict_set(X, 0.8), model.predict_set(X, 0.8))


def test_too_few_are_held_out():
    X, y = noisy(80, 0)
    model = regressor(max_iter=3).fit(X, y)
    with pytest.raises(ValueError, match="coverage=0.9 takes 9 held-out sequences .*; there are 8"):
        model.predict_interval(X)
    assert len(model.predict_interval(X, coverage=0.85)[0]) == 80
    for coverage in (0, 1, 90):
        with pytest.raises(ValueError, match="between 0 and 1"):
            model.predict_interval(X, coverage)


@pytest.mark.parametrize("how", ["early_stopping=False", "partial_fit", "one long log"])
def test_nothing_was_held_out(how):
    X, y = noisy(80, 0)
    if how == "early_stopping=False":
        model = regressor(max_iter=2, early_stopping=False).fit(X, y)
    elif how == "partial_fit":
        model = regressor().partial_fit(X, y)
    else:
        log = np.random.default_rng(0).normal(size=(1, 300, 2))
        model, X = regressor(max_iter=2, target="sequence").fit(log, log[:, :, 0]), log
    with pytest.raises(ValueError, match=r"predict_interval needs held-out sequences.*calibrate\(X, y\)"):
        model.predict_interval(X)


def test_another_fit_forgets_the_calibration():
    X, y = noisy(120, 0)
    model = regressor(max_iter=3).fit(X, y)
    before = model.predict_interval(X, 0.8)
    model.calibrate(X, 100 * y)
    assert not np.array_equal(model.predict_interval(X, 0.8), before)
    np.testing.assert_array_equal(model.fit(X, y).predict_interval(X, 0.8), before)


def test_intervals_do_not_depend_on_threads_or_form():
    X, y = noisy(150, 0)
    one = regressor(max_iter=5, n_jobs=1).fit(X, y).predict_interval(X, 0.8)
    other = regressor(max_iter=5, n_jobs=2).fit(Sequences.from_list(X), y)
    np.testing.assert_array_equal(other.predict_interval(Sequences.from_list(X), 0.8), one)


def test_halves_of_the_validation_part_do_not_divide_groups(monkeypatch):
    seen = []

    def watched(data, rng, groups=None):
        seen.append((groups, halves(data, rng, groups)))
        return seen[-1][1]

    monkeypatch.setattr(_base, "halves", watched)
    X, y = noisy(120, 0)
    regressor(max_iter=2, validation_fraction=0.3).fit(X, y, groups=np.repeat(np.arange(30), 4))
    ((groups, first),) = seen
    assert len(groups) == 36
    assert not set(groups[first]) & set(groups[~first])


def test_a_part_that_an_earlier_training_saw_gives_no_intervals() -> None:
    """Their coverage would be that of training residuals; 0.1 instead of 0.9 in one such case."""
    X, y = np.random.default_rng(0).normal(size=(60, 4, 2)), np.arange(60.0)
    model = GRURegressor(4, max_iter=2, random_state=0, early_stopping=False).fit(X, y)
    model.set_params(early_stopping=True, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="calibrate"):
        model.predict_interval(X)
    again = GRURegressor(4, max_iter=2, random_state=0, warm_start=True).fit(X, y).fit(X, y)
    assert len(again.predict_interval(X, 0.8)[0]) == 60  # the same part was held out both times
    again.partial_fit(X, y).fit(X, y)
    with pytest.raises(ValueError, match="calibrate"):
        again.predict_interval(X)
