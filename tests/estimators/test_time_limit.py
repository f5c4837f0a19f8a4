"""max_seconds: it is kept, the best weights so far are kept, and up to there nothing is different."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pytest

from grulearn import GRUClassifier, GRURegressor, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 10, 2))
TARGET = X[:, :, 0].sum(axis=1) - X[:, -1, 1]


def regressor(**options: Any) -> GRURegressor:
    defaults = {"n_jobs": 1, "random_state": 0, "max_iter": 10**9, "n_iter_no_change": np.inf}
    return GRURegressor(**{"hidden_size": 8, **defaults, **options})


def seconds(fit: Any) -> float:
    begin = perf_counter()
    fit()
    return perf_counter() - begin


@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": False}, {"batch_size": 400}, {"bptt": 4}, {"learning_rate": "cosine"}],
    ids=["", "no validation part", "one batch", "segments", "schedule"],
)
def test_it_is_kept(options):
    """Within a tenth; the rest is for a machine that does other things too."""
    model = regressor(max_seconds=0.5, **options)
    assert 0.4 < seconds(lambda: model.fit(X, TARGET)) < 0.55 + 0.45
    assert model.stop_reason_ == "max_seconds"
    assert model.n_iter_ == len(model.loss_curve_) > 3
    assert np.isfinite(model.predict(X)).all()


def test_it_is_kept_within_an_epoch():
    """One epoch here takes minutes, one update 20 ms."""
    many = RNG.normal(size=(20_000, 50, 2))
    for options in ({}, {"early_stopping": False}):
        model = regressor(hidden_size=64, batch_size=16, max_seconds=0.5, validation_fraction=1e-4, **options)
        assert seconds(lambda: model.fit(many, many[:, -1, 0])) < 0.55 + 0.45  # noqa: B023
        assert (model.n_iter_, model.stop_reason_) == (1, "max_seconds")
        assert np.isfinite(model.predict(many[:5])).all()


@pytest.mark.parametrize("limit", [1e-9, 1e-3])
def test_one_update_is_made_in_any_case(limit):
    model = regressor(max_seconds=limit, early_stopping=False).fit(X, TARGET)
    assert (model.n_iter_, model.stop_reason_) == (1, "max_seconds")
    start = regressor(max_iter=1, learning_rate_init=1e-30, early_stopping=False).fit(X, TARGET)
    assert not np.array_equal(model.weights_["head.weight"], start.weights_["head.weight"])


@pytest.mark.parametrize("options", [{}, {"batch_size": 1000}, {"n_jobs": 2, "batch_size": 7}])
def test_a_limit_that_is_not_reached_changes_no_bit(options):
    plain = regressor(max_iter=5, **options).fit(X, TARGET)
    limited = regressor(max_iter=5, max_seconds=1e6, **options).fit(X, TARGET)
    assert limited.stop_reason_ == "max_iter"
    assert limited.loss_curve_ == plain.loss_curve_
    assert limited.validation_scores_ == plain.validation_scores_
    np.testing.assert_array_equal(limited.predict(X), plain.predict(X))


def test_up_to_the_limit_nothing_is_different():
    limited = regressor(max_seconds=0.3).fit(X, TARGET)
    whole = limited.n_iter_ - 1  # the last epoch may have been cut short
    plain = regressor(max_iter=whole).fit(X, TARGET)
    assert limited.loss_curve_[:whole] == plain.loss_curve_
    assert limited.validation_scores_[:whole] == plain.validation_scores_
    if limited.best_iter_ <= whole:
        np.testing.assert_array_equal(limited.predict(X), plain.predict(X))


def test_the_best_weights_are_kept(tmp_path):
    model = regressor(max_seconds=0.4, learning_rate_init=0.3).fit(X, TARGET)
    assert model.stop_reason_ == "max_seconds"
    assert model.best_loss_ == min(model.validation_scores_) == model.validation_scores_[model.best_iter_ - 1]
    assert model.best_iter_ < model.n_iter_
    again = regressor(max_iter=model.best_iter_, learning_rate_init=0.3).fit(X, TARGET)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    model.save(tmp_path / "model.gru")
    assert load(tmp_path / "model.gru").stop_reason_ == "max_seconds"


def test_labels_and_partial_fits_too():
    model = GRUClassifier(8, max_seconds=0.3, max_iter=10**9, n_iter_no_change=np.inf, random_state=0)
    assert seconds(lambda: model.fit(X, TARGET > 0)) < 0.8
    assert model.stop_reason_ == "max_seconds"
    n_iter = model.n_iter_
    model.set_params(max_seconds=1e-9).partial_fit(X, TARGET > 0)
    assert (model.n_iter_, model.stop_reason_) == (n_iter + 1, "max_seconds")


@pytest.mark.parametrize("limit", [0, -1.0, "a minute", np.nan])
def test_what_is_no_limit(limit):
    with pytest.raises(ValueError, match="max_seconds"):
        regressor(max_seconds=limit).fit(X, TARGET)
