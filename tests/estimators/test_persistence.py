"""Saving and loading: nothing is lost, and what is no model says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from grulearn.estimators import GRUClassifier, GRURegressor, load
from grulearn.formats import ModelFileError, read_model, write_model

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(60, 5, 2))
TARGET = SERIES[:, :, 0].sum(axis=1)
FRAME = pd.DataFrame(SERIES[:, 0], columns=["a", "b"])

FITTED = (
    "loss_curve_",
    "validation_scores_",
    "best_loss_",
    "best_iter_",
    "n_iter_",
    "stop_reason_",
    "n_features_in_",
    "n_outputs_",
    "sequence_lengths_",
    "reading_",
    "instruction_set_",
    "spec_",
)

CASES = {
    "sequences": (GRURegressor(6, max_iter=4, random_state=0), SERIES, TARGET),
    "table": (GRURegressor(6, max_iter=4, random_state=0), FRAME, TARGET),
    "two outputs": (
        GRURegressor(6, max_iter=4, random_state=0),
        SERIES,
        np.column_stack([TARGET, TARGET**2]),
    ),
    "no early stopping": (GRURegressor(6, max_iter=4, early_stopping=False), SERIES, TARGET),
    "every option": (
        GRURegressor(
            np.int64(6),
            num_layers=2,
            bidirectional=np.True_,
            reset_after=False,
            bias=False,
            standardize="inputs",
            init="pytorch",
            learning_rate_init=np.float32(0.01),
            weight_decay=0.1,
            batch_size=7,
            max_iter=4,
            clip_norm=None,
            n_iter_no_change=np.inf,
            n_jobs=2,
            random_state=3,
        ),
        SERIES,
        TARGET,
    ),
}


@pytest.fixture(params=CASES)
def fitted(request: pytest.FixtureRequest) -> tuple[GRURegressor, Any]:
    model, X, y = CASES[request.param]
    return model.fit(X, y), X


def test_a_loaded_estimator_is_the_saved_one(fitted: tuple[GRURegressor, Any], tmp_path: Path) -> None:
    model, X = fitted
    path = tmp_path / "model.gru"
    model.save(path)
    loaded = load(path)
    assert type(loaded) is GRURegressor
    assert loaded.get_params() == model.get_params()
    assert {name: getattr(loaded, name) for name in FITTED} == {name: getattr(model, name) for name in FITTED}
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.predict(X).shape == model.predict(X).shape
    np.testing.assert_array_equal(loaded.target_scale_, model.target_scale_)
    assert list(loaded.weights_) == list(model.weights_)
    assert all(np.array_equal(loaded.weights_[n], model.weights_[n]) for n in model.weights_)
    if isinstance(X, pd.DataFrame):
        assert loaded.feature_names_in_.tolist() == ["a", "b"]
    else:
        assert not hasattr(loaded, "feature_names_in_")
    loaded.save(tmp_path / "again.gru")
    assert (tmp_path / "again.gru").read_bytes() == path.read_bytes()


def test_a_loaded_estimator_can_be_fitted_again(tmp_path: Path) -> None:
    model = GRURegressor(6, max_iter=4, random_state=0).fit(SERIES, TARGET)
    model.save(tmp_path / "model.gru")
    again = load(tmp_path / "model.gru").fit(SERIES, TARGET)
    np.testing.assert_array_equal(again.predict(SERIES), model.predict(SERIES))


def test_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "model.gru"
    model = GRURegressor(6, max_iter=4, random_state=11).fit(FRAME, TARGET)
    model.save(path)
    arrays, metadata = read_model(path)
    assert set(model.weights_) < set(arrays)
    assert metadata["estimator"] == "GRURegressor"
    assert metadata["params"] == model.get_params()
    assert metadata["spec"]["cell"]["hidden_size"] == 6
    assert metadata["feature_names"] == ["a", "b"]
    assert metadata["seed"] == 11
    assert metadata["history"]["loss_curve"] == model.loss_curve_
    assert set(metadata["versions"]) == {"python", "grulearn", "numpy", "scikit-learn"}
    assert metadata["versions"]["numpy"] == np.__version__
    assert metadata["data_fingerprint"].startswith("sha256:")


def test_a_seed_that_was_drawn_repeats_the_fit(tmp_path: Path) -> None:
    path = tmp_path / "model.gru"
    model = GRURegressor(6, max_iter=4).fit(SERIES, TARGET)
    model.save(path)
    again = GRURegressor(6, max_iter=4, random_state=read_model(path)[1]["seed"]).fit(SERIES, TARGET)
    np.testing.assert_array_equal(again.predict(SERIES), model.predict(SERIES))


def test_a_random_state_object_becomes_the_seed_drawn_from_it(tmp_path: Path) -> None:
    model = GRURegressor(6, max_iter=4, random_state=np.random.RandomState(0)).fit(SERIES, TARGET)
    model.save(tmp_path / "model.gru")
    again = load(tmp_path / "model.gru").fit(SERIES, TARGET)
    np.testing.assert_array_equal(again.predict(SERIES), model.predict(SERIES))


def test_the_fingerprint_is_of_the_data(tmp_path: Path) -> None:
    def fingerprint(X: Any, y: Any) -> str:
        GRURegressor(2, max_iter=1).fit(X, y).save(tmp_path / "model.gru")
        return str(read_model(tmp_path / "model.gru")[1]["data_fingerprint"])

    whole = fingerprint(SERIES, TARGET)
    assert (
        whole
        == fingerprint(SERIES.tolist(), pd.Series(TARGET))
        == fingerprint(np.asfortranarray(SERIES), TARGET)
    )
    nudged = SERIES.copy()
    nudged[30, 2, 1] = np.nextafter(nudged[30, 2, 1], 9)
    others = [
        fingerprint(nudged, TARGET),
        fingerprint(SERIES, TARGET + 1),
        fingerprint(SERIES[::-1], TARGET),
        fingerprint(SERIES.reshape(60, 10), TARGET),
        fingerprint(SERIES.reshape(60, 2, 5), TARGET),
    ]
    assert len({whole, *others}) == 6


def test_a_diverged_history_survives(tmp_path: Path) -> None:
    model = GRURegressor(6, max_iter=4, random_state=0).fit(SERIES, TARGET)
    model.loss_curve_ = [1.0, np.inf]
    model.save(tmp_path / "model.gru")
    assert load(tmp_path / "model.gru").loss_curve_ == [1.0, np.inf]


def test_unfitted_estimators_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        GRURegressor().save(tmp_path / "model.gru")
    assert not list(tmp_path.iterdir())


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError):
        load("nowhere.gru")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, m: m.update(estimator="GRUForecaster"), "holds a 'GRUForecaster'.*update grulearn"),
        (lambda a, m: m.pop("estimator"), "holds a None"),
        (lambda a, m: m["params"].update(dropout=0.1), "cannot be read as a GRURegressor.*dropout"),
        (lambda a, m: m["spec"]["cell"].update(peephole=1), "unknown field peephole.*newer"),
        (lambda a, m: m.pop("history"), "'history' is missing"),
        (lambda a, m: a.pop("weight_hh_l0"), "'weight_hh_l0' is missing"),
        (lambda a, m: a.update({"head.bias": np.zeros(3)}), "head.bias has shape"),
        (lambda a, m: a.pop("input_scaling.mean"), "'mean' is missing"),
    ],
)
def test_models_that_do_not_fit_together(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gru"
    GRURegressor(2, max_iter=1).fit(SERIES, TARGET).save(path)
    arrays, metadata = read_model(path)
    change(arrays, metadata)
    write_model(path, arrays, metadata)
    with pytest.raises(ModelFileError, match=f"model.gru.*{message}"):
        load(path)


def test_files_without_new_parameters_get_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "model.gru"
    GRURegressor(2, max_iter=1).fit(SERIES, TARGET).save(path)
    arrays, metadata = read_model(path)
    del metadata["params"]["weight_decay"]
    write_model(path, arrays, json.loads(json.dumps(metadata)))
    assert load(path).weight_decay == 0.0


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (pd.Series(np.arange(20.0), name="price"), ["price"]),
        (pd.DataFrame({"low": np.arange(20.0), "high": np.arange(20.0) ** 2}), ["low", "high"]),
        (pd.Series(np.arange(20.0)), None),
        (np.arange(20.0), None),
    ],
)
def test_target_names_are_kept(tmp_path, y, names):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = GRURegressor(4, max_iter=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model.gru")
    assert model.target_names_ == load(tmp_path / "model.gru").target_names_ == names


def test_a_file_of_the_first_version_is_read() -> None:
    """It was written before there were categories, missing values, other losses and held-out scores."""
    model = load(Path(__file__).parent / "data" / "regressor-0.1.0.gru")
    X = np.array(
        [
            [[0.13, -0.13, 0.64], [0.1, -0.54, 0.36], [1.3, 0.95, -0.7]],
            [[0.41, 1.04, -0.13], [1.37, -0.67, 0.35], [0.9, 0.09, -0.74]],
        ]
    )
    # What the version that wrote it predicted, on AVX-512; other instruction sets round in another way.
    np.testing.assert_allclose(model.predict(X), [-18.08477925888978, -49.521575925092854], rtol=1e-5)
    assert (model.loss, model.missing, model.target) == ("squared_error", "error", "value")
    with pytest.raises(ValueError, match="calibrate"):
        model.predict_interval(X)
    assert model.partial_fit(X, [1.0, 2.0]).n_iter_ == 6


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (GRUClassifier(2, max_iter=1, class_weight={0: 1.0, 1: 5.0}), "class_weight"),
        (GRURegressor(2, max_iter=1, quantiles=np.array([0.1, 0.9])), "quantiles"),
        (GRURegressor(2, max_iter=1, quantiles=(0.1, 0.9)), "quantiles"),
        (GRURegressor(2, max_iter=1, categorical_features=np.array([0])), "categorical_features"),
    ],
)
def test_parameters_of_every_kind_come_back(estimator: Any, name: str, tmp_path: Path) -> None:
    X, y = np.arange(60.0).reshape(30, 2) % 7, np.arange(30) % 2
    estimator.fit(X, y).save(tmp_path / "model.gru")
    loaded = load(tmp_path / "model.gru")
    before, after = getattr(estimator, name), getattr(loaded, name)
    assert before == after if isinstance(before, dict) else list(before) == after
    assert np.array_equal(loaded.fit(X, y).predict(X).shape, (30,))
