"""The parameter `learning_rate` of both estimators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grulearn import GRUClassifier, GRURegressor, load
from grulearn.training.schedules import SCHEDULES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5, 2))
Y = X[:, :, 0].sum(axis=1)


def weights(model: GRURegressor) -> np.ndarray:
    return np.concatenate([values.ravel() for values in model.weights_.values()])


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_schedule_learns_and_is_fixed_by_the_seed(name: str) -> None:
    options = {"learning_rate": name, "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0}
    first, second = (GRURegressor(8, n_jobs=jobs, **options).fit(X, Y) for jobs in (1, 2))
    assert first.score(X, Y) > 0.9
    np.testing.assert_array_equal(weights(first), weights(second))
    assert GRUClassifier(8, **options).fit(X, Y > 0).score(X, Y > 0) > 0.9


def test_the_schedules_differ_from_each_other() -> None:
    """A name that changes nothing would be accepted and ignored."""
    fits = [
        weights(GRURegressor(4, learning_rate=name, max_iter=30, tol=0.1, random_state=0).fit(X, Y))
        for name in SCHEDULES
    ]
    for i, one in enumerate(fits):
        assert not any(np.array_equal(one, other) for other in fits[:i])


def test_a_cosine_ends_with_steps_that_hardly_move() -> None:
    """Of 50 epochs the last has (1 + cos(pi 0.99)) / 2 of the rate, 2.7e-4 with the warm-up."""
    options = {"learning_rate": "cosine", "early_stopping": False, "random_state": 0}
    model = GRURegressor(4, max_iter=50, **options).fit(X, Y)
    moved = abs(model.loss_curve_[-1] - model.loss_curve_[-2])
    assert moved < 0.01 * abs(model.loss_curve_[24] - model.loss_curve_[25])


def test_warm_start_begins_the_schedule_anew() -> None:
    options = {"learning_rate": "one_cycle", "max_iter": 5, "early_stopping": False, "random_state": 0}
    model = GRURegressor(4, warm_start=True, **options).fit(X, Y)
    model.fit(X, Y)
    assert model.n_iter_ == 10
    longer = GRURegressor(4, **{**options, "max_iter": 10}).fit(X, Y)
    assert model.loss_curve_[:5] != longer.loss_curve_[:5]


def test_partial_fit_takes_no_schedule() -> None:
    with pytest.raises(ValueError, match="partial_fit with learning_rate='cosine'.*\"constant\""):
        GRURegressor(4, learning_rate="cosine").partial_fit(X, Y)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="'learning_rate' parameter of GRURegressor"):
        GRURegressor(learning_rate="linear").fit(X, Y)


def test_a_model_file_keeps_it(tmp_path) -> None:
    path = tmp_path / "model.gru"
    GRURegressor(4, learning_rate="plateau", max_iter=2, random_state=0).fit(X, Y).save(path)
    assert load(path).learning_rate == "plateau"


def test_a_model_file_from_before_there_were_schedules_is_constant() -> None:
    path = Path(__file__).parent / "data" / "regressor-0.1.0.gru"
    assert load(path).learning_rate == "constant"
