"""The dtype that a network computes in, from the parameter to the file."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from grulearn import load
from grulearn.equations import gru_sequence
from grulearn.estimators import GRURegressor
from grulearn.formats import read_model, write_model

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(120, 5, 3))
Y = X[:, :, 0].sum(axis=1) + X[:, -1, 1]

DTYPES = ["float32", "float64"]


def regressor(**options: object) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 8, "max_iter": 5, "random_state": 0, **options})


def by_the_specification(model: GRURegressor) -> np.ndarray:
    """Predictions for X from `weights_`, all in float64."""
    scaling = model._encoding.scaling
    weights = {name: values.astype(np.float64) for name, values in model.weights_.items()}
    head, bias = weights.pop("head.weight"), weights.pop("head.bias")
    outputs, _ = gru_sequence((X - scaling.mean) / scaling.scale, weights)
    return model._target_scaling.inverse(outputs[:, -1] @ head.T + bias)[:, 0]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_weights_and_predictions_have_its_digits(given: type, dtype: str, tolerance: float) -> None:
    model = regressor(dtype=dtype).fit(X.astype(given), Y)
    assert {values.dtype for values in model.weights_.values()} == {np.dtype(dtype)}
    assert model.spec_.dtype == dtype
    predictions = model.predict(X)
    assert predictions.dtype == np.float64
    scale = np.abs(predictions).max()
    np.testing.assert_allclose(predictions, by_the_specification(model), rtol=0, atol=tolerance * scale)


def test_both_train_the_same_network() -> None:
    one, two = (regressor(dtype=dtype, max_iter=3).fit(X, Y) for dtype in DTYPES)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-5)
    assert one.loss_curve_ != two.loss_curve_


def test_initial_weights_are_rounded_once() -> None:
    still = {"max_iter": 1, "learning_rate_init": 1e-30}
    one, two = (regressor(dtype=dtype, **still).fit(X, Y).weights_ for dtype in DTYPES)
    for name, values in one.items():
        np.testing.assert_allclose(values, two[name].astype(np.float32), rtol=0, atol=1e-29, err_msg=name)
    again = regressor(dtype="float64", **still).fit(X, Y, initial_weights=two).weights_
    for name, values in two.items():
        np.testing.assert_allclose(again[name], values, rtol=0, atol=1e-29, err_msg=name)


def test_the_best_weights_are_restored_to_the_bit() -> None:
    model = regressor(dtype="float64", learning_rate_init=0.1, max_iter=60, n_iter_no_change=5).fit(X, Y)
    assert model.best_iter_ < model.n_iter_
    shorter = regressor(dtype="float64", learning_rate_init=0.1, max_iter=model.best_iter_).fit(X, Y)
    for name, values in model.weights_.items():
        np.testing.assert_array_equal(shorter.weights_[name], values, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_neither_threads_nor_batch_mates_change_a_bit(dtype: str) -> None:
    one, two = (regressor(dtype=dtype, n_jobs=n).fit(X, Y) for n in (1, 2))
    whole = one.predict(X)
    np.testing.assert_array_equal(two.predict(X), whole)
    np.testing.assert_array_equal(np.concatenate([two.predict(x[np.newaxis]) for x in X]), whole)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_keep_it(duplicate) -> None:
    model = regressor(dtype="float64").fit(X, Y)
    np.testing.assert_array_equal(duplicate(model).predict(X), model.predict(X))
    assert clone(model).dtype == "float64"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_file_keeps_it(dtype: str, tmp_path: Path) -> None:
    model = regressor(dtype=dtype).fit(X, Y)
    model.save(tmp_path / "model.gru")
    arrays, metadata = read_model(tmp_path / "model.gru")
    assert arrays["weight_hh_l0"].dtype == dtype
    assert metadata["spec"]["dtype"] == dtype
    loaded = load(tmp_path / "model.gru")
    assert loaded.dtype == dtype
    for name, values in model.weights_.items():
        np.testing.assert_array_equal(loaded.weights_[name], values, strict=True)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_file_that_does_not_name_it_holds_float32(tmp_path: Path) -> None:
    model = regressor().fit(X, Y)
    model.save(tmp_path / "model.gru")
    arrays, metadata = read_model(tmp_path / "model.gru")
    del metadata["spec"]["dtype"], metadata["params"]["dtype"], metadata["params"]["checkpoint_steps"]
    write_model(tmp_path / "old.gru", arrays, metadata)
    old = load(tmp_path / "old.gru")
    assert (old.dtype, old.checkpoint_steps) == ("float32", None)
    np.testing.assert_array_equal(old.predict(X), model.predict(X))


def test_a_parameter_set_after_the_fit_waits_for_the_next() -> None:
    model = regressor().fit(X, Y)
    expected = model.predict(X)
    model.set_params(dtype="float64")
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.weights_["head.bias"].dtype == np.float32
    assert model.fit(X, Y).weights_["head.bias"].dtype == np.float64


def test_the_range_is_its_own() -> None:
    large = X * 1e200
    with pytest.raises(ValueError, match="too large for float32"):
        regressor(standardize=False).fit(large, Y)
    model = regressor(standardize=False, dtype="float64").fit(large, Y)
    assert np.isfinite(model.predict(large)).all()
    with pytest.raises(ValueError, match="too large for float32|too large for float32"):
        regressor(standardize=False).fit(X, Y).predict(large)


@pytest.mark.parametrize("dtype", ["float16", "double", np.float64, None])
def test_others_are_refused(dtype: object) -> None:
    with pytest.raises(ValueError, match=r"The 'dtype' parameter of GRURegressor must be a str among"):
        regressor(dtype=dtype).fit(X, Y)
