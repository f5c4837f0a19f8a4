"""Huge and tiny, long and wide, far from 0 and close to it."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest

from grulearn import GRUClassifier, GRURegressor, Sequences, load

RNG = np.random.default_rng(0)


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 2, "max_iter": 2, "random_state": 0, **options})


def test_one_sequence_of_100_000_steps(tmp_path):
    log = RNG.normal(size=(1, 100_000, 1))
    y = log[:, :, 0]
    model = regressor(target="sequence", max_iter=30, learning_rate_init=0.03).fit(log, y)
    assert model.sequence_lengths_ == (100_000, 100_000.0, 100_000)
    assert model.predict(log).shape == (1, 100_000)
    assert model.score(log, y) > 0.6  # after 30 updates
    segments = regressor(target="sequence", bptt=1000, learning_rate_init=0.03).fit(log, y)
    assert segments.score(log, y) > 0.9  # 100 updates an epoch
    model.save(tmp_path / "model.gru")
    np.testing.assert_array_equal(load(tmp_path / "model.gru").predict(log), model.predict(log))
    labels = np.where(y > 0, "up", "down")
    assert GRUClassifier(2, target="sequence", bptt=1000, max_iter=3, random_state=0).fit(log, labels).score(
        log, labels
    ) > 0.9  # fmt: skip


def test_one_long_sequence_among_short_ones():
    X = [RNG.normal(size=(n, 2)) for n in (20_000, *RNG.integers(1, 5, 60))]
    y = np.array([x[-1, 0] for x in X])
    model = regressor(max_iter=20).fit(X, y)
    assert model.sequence_lengths_[2] == 20_000
    assert np.isfinite(model.predict(X)).all()


def test_100_000_sequences_of_one_step():
    table = RNG.normal(size=(100_000, 2))
    y = table[:, 0] - table[:, 1]
    assert regressor().fit(table, y).score(table, y) > 0.9
    ragged = list(table[:, np.newaxis])
    np.testing.assert_array_equal(
        regressor().fit(ragged, y).predict(ragged), regressor().fit(table, y).predict(table)
    )


def test_2_000_features():
    X = RNG.normal(size=(60, 5, 2000))
    X[:, :, 17] *= 30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it may be transposed
        model = regressor(standardize="inputs").fit(X, X[:, -1, 17])
    assert model.n_features_in_ == 2000
    assert model.predict(X).shape == (60,)
    with pytest.raises(ValueError, match="X has 1999 features, but GRURegressor is expecting 2000"):
        model.predict(X[:, :, 1:])


def test_1_000_targets_and_classes():
    X = RNG.normal(size=(2000, 3, 2))
    y = RNG.normal(size=(2000, 1000))
    assert regressor().fit(X, y).predict(X).shape == (2000, 1000)
    model = GRUClassifier(2, max_iter=2, random_state=0).fit(X, np.arange(2000) % 1000)
    assert model.predict_proba(X).shape == (2000, 1000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_of_one_unit(dtype):
    X = RNG.normal(size=(200, 1, 1))
    y = np.tanh(X[:, 0, 0])
    model = GRURegressor(1, max_iter=300, learning_rate_init=0.02, dtype=dtype, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    assert {name: w.shape for name, w in model.weights_.items()}["weight_hh_l0"] == (3, 1)


def test_a_network_much_larger_than_its_data():
    X = RNG.normal(size=(10, 3, 1))
    model = GRURegressor(500, num_layers=2, max_iter=1, random_state=0).fit(X, X[:, 0, 0])
    assert np.isfinite(model.predict(X)).all()


# Numbers


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_units_far_from_one(scale):
    X = RNG.normal(size=(200, 4, 1)) * scale
    y = X[:, -1, 0] * 3
    options = {"max_iter": 60, "learning_rate_init": 0.02}
    model = regressor(hidden_size=8, **options).fit(X, y)
    assert np.corrcoef(model.predict(X) / scale, y / scale)[0, 1] > 0.9
    lower, upper = model.predict_interval(X, 0.8)
    assert (upper > lower).all()


def test_small_changes_of_large_numbers():
    """Seconds since 1970 in float32 have steps of 128: they must be scaled before."""
    seconds = 1.7e9 + RNG.normal(size=(300, 3, 1))
    y = seconds[:, -1, 0]
    model = GRURegressor(8, max_iter=60, learning_rate_init=0.02, random_state=0).fit(seconds, y)
    assert model.score(seconds, y) > 0.9


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("missing", ["error", "mean", "forward", "simple", "decay"])
def test_infinite_values_are_no_missing_ones(value, missing):
    X = RNG.normal(size=(20, 4, 2))
    model = regressor(missing=missing).fit(X, X[:, 0, 0])
    X[7, 2, 1] = value
    message = r"Input X contains infinity at sequence 7, step 2, feature 1\. Expected finite numbers"
    with pytest.raises(ValueError, match=message):
        regressor(missing=missing).fit(X, X[:, 0, 0])
    with pytest.raises(ValueError, match=message):
        model.predict(X)


def test_targets_far_apart():
    X = RNG.normal(size=(200, 2, 1))
    y = np.column_stack([X[:, 0, 0] * 1e8, X[:, 1, 0] * 1e-8 + 1])
    model = GRURegressor(16, max_iter=200, learning_rate_init=0.02, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95


def test_a_constant_target_of_each_kind():
    X = RNG.normal(size=(30, 3, 1))
    for options in ({}, {"loss": "poisson"}, {"loss": "gaussian"}, {"quantiles": [0.1, 0.9]}):
        with pytest.warns(UserWarning, match="constant in the training part: it is predicted as 4 always"):
            model = regressor(**options).fit(X, np.full(30, 4.0))
        np.testing.assert_array_equal(model.predict(X), 4.0)
        if options.get("quantiles"):
            np.testing.assert_array_equal(model.predict_quantiles(X), 4.0)
        if options.get("loss") == "gaussian":
            np.testing.assert_array_equal(model.predict(X, return_std=True)[1], 0.0)
    with pytest.warns(UserWarning, match="predicted as 4 always"):
        model = regressor(target="sequence").fit(X, np.full((30, 3), 4.0))
    np.testing.assert_array_equal(model.predict(X), 4.0)


def test_columns_without_a_value(tmp_path):
    X = RNG.normal(size=(40, 5, 3))
    X[:, :, 1] = np.nan
    y = X[:, -1, 0]
    with pytest.raises(ValueError, match=r"Input X contains NaN at sequence 0, step 0, feature 1 \(199 more"):
        regressor().fit(X, y)
    for missing in ("mean", "forward", "simple", "decay"):
        with pytest.warns(UserWarning, match="1 feature has no value in the training part: column 1"):
            model = regressor(missing=missing).fit(X, y)
        expected = model.predict(X)
        assert np.isfinite(expected).all()
        # It stays missing, whatever it holds later.
        later = np.where(np.isnan(X), 1e6, X)
        np.testing.assert_array_equal(model.predict(later), expected)
        model.save(tmp_path / "model.gru")
        np.testing.assert_array_equal(load(tmp_path / "model.gru").predict(X), expected)


def test_nothing_but_missing_values():
    X = np.full((20, 3, 1), np.nan)
    y = RNG.normal(size=20)
    with pytest.warns(UserWarning, match="no value in the training part"):
        model = regressor(missing="decay").fit(X, y)
    assert len(set(model.predict(X))) == 1


# Memory


def test_overlapping_windows_are_not_copied():
    log = Sequences.from_array(RNG.normal(size=(1, 20_000, 4)))
    X, y = log.windows(500, y=log.rows[:, :1].reshape(1, -1)[:, :1].ravel())
    assert len(X) == 19_501
    tracemalloc.start()
    regressor(max_iter=1, max_seconds=0.2, early_stopping=False).fit(X, np.asarray(y) + np.arange(len(X)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # As copies they would take 19,501 * 500 * 4 * 4 bytes, 156 MB.
    assert peak < 30e6
