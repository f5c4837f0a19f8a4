"""warm_start and partial_fit: the bits of a training that never stopped, and errors that change nothing."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from grulearn import GRUClassifier, GRURegressor, load

RNG = np.random.default_rng(0)
N = 60
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, N)]
TARGET = np.array([x[-1, 0] for x in X])
LABELS = np.array(["low", "mid", "high"])[np.digitize(TARGET, [-0.5, 0.5])]
STEPS = [x[:, 0].cumsum() for x in X]
WORDS = ["".join(RNG.choice(list("abcd"), len(x))) for x in X]
HOLES = [np.where(RNG.random(x.shape) < 0.3, np.nan, x) for x in X]


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(5, **{"random_state": 0, "max_iter": 3, **options})


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(5, **{"random_state": 0, "max_iter": 3, **options})


def bits(model: Any) -> dict[str, Any]:
    found = {name: weights.tobytes() for name, weights in model.weights_.items()}
    return found | {"curve": tuple(model.loss_curve_), "n_iter": model.n_iter_, "best": model.best_iter_}


CASES: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "numbers": (regressor, {}, X, TARGET),
    "small batches": (regressor, {"batch_size": 7, "n_jobs": 2}, X, TARGET),
    "one batch": (regressor, {"batch_size": 1000}, X, TARGET),
    "decayed weights": (regressor, {"weight_decay": 0.1, "num_layers": 2, "dtype": "float64"}, X, TARGET),
    "steps": (regressor, {"target": "sequence"}, X, STEPS),
    "segments": (regressor, {"bptt": 2}, X, TARGET),
    "labels": (classifier, {"class_weight": "balanced"}, X, LABELS),
    "tokens": (classifier, {"tokens": "char"}, WORDS, LABELS),
    "decay": (regressor, {"missing": "decay"}, HOLES, TARGET),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("epochs", [(3, 4), (1, 1, 5)])
def test_a_warm_start_goes_on(case, epochs):
    make, options, data, y = CASES[case]
    options = {**options, "early_stopping": False}
    whole = make(**{**options, "max_iter": sum(epochs)}).fit(data, y)
    parts = make(**options, warm_start=True)
    for n in epochs:
        parts.set_params(max_iter=n).fit(data, y)
    assert bits(parts) == bits(whole)
    assert parts.best_loss_ == min(parts.loss_curve_) == parts.loss_curve_[parts.best_iter_ - 1]


@pytest.mark.parametrize("case", CASES)
def test_partial_fits_are_epochs(case):
    """On the same samples; a fit and a partial_fit may follow each other."""
    make, options, data, y = CASES[case]
    options = {**options, "early_stopping": False}
    whole = make(**{**options, "max_iter": 5}).fit(data, y)
    first = {"classes": np.unique(LABELS)} if make is classifier else {}
    parts = make(**options).partial_fit(data, y, **first)
    for _ in range(4):
        parts.partial_fit(data, y)
    assert bits(parts) == bits(whole)
    assert bits(make(**{**options, "max_iter": 4}).fit(data, y).partial_fit(data, y)) == bits(whole)


def there_and_back(model: Any, tmp_path: Path) -> list[Any]:
    model.save(tmp_path / "model.gru")
    return [load(tmp_path / "model.gru"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]


@pytest.mark.parametrize("case", CASES)
def test_detours_by_a_file_change_no_bit(case, tmp_path):
    """Other samples each time, and Adam's state with them."""
    make, options, data, y = CASES[case]
    first = {"classes": np.unique(LABELS)} if make is classifier else {}
    batches = [(data[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)]
    model = make(**options).partial_fit(*batches[0], **first)
    copies = there_and_back(model, tmp_path)
    for batch in batches[1:]:
        model.partial_fit(*batch)
        copies = [twin.partial_fit(*batch) for twin in copies]
        assert [bits(twin) for twin in copies] == [bits(model)] * 3
    # Adam's state matters: without it the next epoch would be another.
    forgetful = copy.deepcopy(model)
    forgetful._optimizer = None
    assert bits(forgetful.partial_fit(*batches[0])) != bits(model.partial_fit(*batches[0]))


def test_the_state_is_adams():
    """After one full batch its moments are (1 - 0.9) g and (1 - 0.999) g^2."""
    model = regressor(dtype="float64", clip_norm=None, batch_size=N).partial_fit(X, TARGET)
    first, second, n_steps = model._optimizer
    assert n_steps == 1
    np.testing.assert_allclose(second, (first / 0.1) ** 2 * 0.001, rtol=1e-12)


def test_no_two_epochs_have_one_order():
    """One seed and the same samples: partial_fit must not shuffle them in the same way each time."""
    orders = []

    class Watched(GRURegressor):
        def _start_engine(self, *args):
            engine = super()._start_engine(*args)
            trainer = engine.trainer

            def watched(*arguments, **options):
                made = trainer(*arguments, **options)
                run = made.run_epoch
                spy = SimpleNamespace(
                    run_epoch=lambda order, *rest: orders.append(order.tolist()) or run(order, *rest),
                    optimizer_state=made.optimizer_state,
                    set_optimizer_state=made.set_optimizer_state,
                )
                return spy

            engine.trainer = watched
            return engine

        def _keep(self, engine, *rest):
            del engine.trainer
            super()._keep(engine, *rest)

    model = Watched(2, batch_size=7, random_state=0)
    for _ in range(4):
        model.partial_fit(X, TARGET)
    assert all(sorted(order) == list(range(N)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    first = orders.copy()
    orders.clear()
    Watched(2, batch_size=7, random_state=0, early_stopping=False, max_iter=4).fit(X, TARGET)
    assert orders == first


# With a validation part


def test_what_was_held_out_stays_held_out():
    """Also without a seed of one's own: it would be trained on otherwise, and then be called held out."""
    seen = []

    class Watched(GRURegressor):
        def _hold_out(self, *args):
            parts = super()._hold_out(*args)
            seen.append(parts.validation.tolist())
            return parts

    for state in (0, None, np.random.RandomState(3)):
        seen.clear()
        model = Watched(2, max_iter=1, warm_start=True, random_state=state)
        for _ in range(3):
            model.fit(X, TARGET)
        assert seen[0] == seen[1] == seen[2]
        model.set_params(random_state=7).fit(X, TARGET)
        assert seen[3] != seen[0]


def test_a_warm_start_does_not_make_the_validation_loss_worse():
    model = regressor(max_iter=30, warm_start=True).fit(X, TARGET)
    before, weights = model.best_loss_, model.weights_
    model.set_params(max_iter=3, learning_rate_init=1.0, clip_norm=None).fit(X, TARGET)
    assert min(model.validation_scores_[-3:]) > before == model.best_loss_
    assert all(np.array_equal(model.weights_[name], weights[name]) for name in weights)
    assert model.best_iter_ <= 30 < model.n_iter_ == 33
    model.set_params(max_iter=50, learning_rate_init=1e-3).fit(X, TARGET)
    assert model.best_loss_ < before
    assert model.best_iter_ > 33
    assert model.best_loss_ == model.validation_scores_[model.best_iter_ - 1]


def test_curves_line_up():
    model = regressor(early_stopping=False, warm_start=True).fit(X, TARGET)
    assert model.validation_scores_ is None
    model.set_params(early_stopping=True).fit(X, TARGET)
    assert [math.isnan(v) for v in model.validation_scores_] == [True] * 3 + [False] * 3
    model.partial_fit(X, TARGET)
    assert [math.isnan(v) for v in model.validation_scores_] == [True] * 3 + [False] * 3 + [True]
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_) == 7


def test_intervals_are_those_of_the_network_there_is():
    model = regressor(validation_fraction=0.5).fit(X, TARGET)
    model.predict_interval(X)
    model.partial_fit(X, TARGET)
    with pytest.raises(ValueError, match="calibrate"):
        model.predict_interval(X)


# The scaling stays


def test_the_scaling_is_that_of_the_first_samples():
    model = regressor(warm_start=True).fit(X, TARGET)
    mean, scale = model._encoding.scaling.mean, model.target_scale_
    model.fit([x + 100 for x in X], TARGET * 9).partial_fit([x - 5 for x in X], TARGET)
    np.testing.assert_array_equal(model._encoding.scaling.mean, mean)
    np.testing.assert_array_equal(model.target_scale_, scale)


def test_a_constant_target_at_the_beginning_is_not_the_end():
    model = regressor(learning_rate_init=0.05)
    with pytest.warns(UserWarning, match="constant in the first samples, 5, so that it cannot be scaled"):
        model.partial_fit(X[:2], [5.0, 5.0])
    for _ in range(60):
        model.partial_fit(X, TARGET)
    assert model.score(X, TARGET) > 0.8


def test_lengths_of_all_samples_are_known():
    model = regressor().partial_fit([x[:1] for x in X], TARGET)
    assert model.sequence_lengths_ == (1, 1.0, 1)
    with pytest.raises(ValueError, match="fitted on sequences of one step"):
        model.predict(X)
    model.partial_fit(X, TARGET).partial_fit([x[:1] for x in X], TARGET)
    assert model.sequence_lengths_ == (1, 1.0, 8)
    assert model.predict(X).shape == (N,)


def test_one_sample_is_enough_later():
    with pytest.raises(ValueError, match=r"1 sample\(s\).*minimum of 2"):
        regressor().partial_fit(X[:1], TARGET[:1])
    assert regressor().partial_fit(X, TARGET).partial_fit(X[:1], TARGET[:1]).n_iter_ == 2


# Errors


def state(model: Any) -> tuple[Any, ...]:
    fitted = {name: copy.deepcopy(value) for name, value in vars(model).items() if name.endswith("_")}
    return bits(model), repr(fitted), model.predict(X)[:3].tolist(), model._optimizer[2]


@pytest.mark.parametrize(
    ("options", "data", "y", "message"),
    [
        ({"hidden_size": 8}, X, TARGET, "another network .*hidden_size 5 became 8.*warm_start=False"),
        ({"num_layers": 2}, X, TARGET, "num_layers 1 became 2"),
        ({"bidirectional": True, "bias": False}, X, TARGET, "bidirectional False became True, bias True"),
        ({"loss": "gaussian"}, X, TARGET, r"head\.n_outputs 1 became 2, head\.loss 'squared_error'"),
        ({"pooling": "mean"}, X, TARGET, r"pool\.kind 'last' became 'mean'"),
        ({"dtype": "float64"}, X, TARGET, "dtype 'float32' became 'float64'"),
        ({"target": "sequence"}, X, STEPS, r"head\.target 'value' became 'sequence'"),
        ({"missing": "mean"}, X, TARGET, "missing='mean', but the training.*began with 'error'"),
        ({"missing": "decay"}, X, TARGET, "missing='decay', but the training.*began with 'error'"),
        ({"hidden_size": 0}, X, TARGET, "hidden_size"),
        ({"tokens": "char"}, WORDS, TARGET, "X has 1 features, but GRURegressor is expecting 2"),
        ({}, [x[:, :1] for x in X], TARGET, "X has 1 features, but GRURegressor is expecting 2"),
        ({}, X[:9], TARGET, "y has 60 values.*X has 9 samples"),
        ({}, X, np.column_stack([TARGET, TARGET]), "y has 2 targets for each sample, expected 1"),
        ({}, HOLES, TARGET, "Input X contains NaN at sequence"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_what_cannot_go_on_leaves_all_as_it_was(options, data, y, message, call):
    model = regressor(warm_start=True).fit(X, TARGET)
    before, params = state(model), model.get_params()
    with pytest.raises(ValueError, match=message):
        getattr(model.set_params(**options), call)(data, y)
    assert state(model.set_params(**params)) == before
    assert model.fit(X, TARGET).n_iter_ == 6


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            np.where(LABELS == "mid", "other", LABELS),
            "y holds the label 'other', which is none of the classes",
        ),
        (TARGET > 0, "y holds the label (True|False), which is none of the classes 'high', 'low', 'mid'"),
        (
            np.eye(3, dtype=int)[np.arange(N) % 3],
            "y has several labels for each sample, but training had one",
        ),
    ],
)
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_labels_that_are_not_known(y, message, call):
    model = classifier(warm_start=True).fit(X, LABELS)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        getattr(model, call)(X, y)
    assert bits(model) == before
    # Fewer of them are fine.
    assert model.fit(X[:9], np.full(9, "mid")).classes_.tolist() == ["high", "low", "mid"]


def test_the_first_call_names_all_classes():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier().partial_fit(X, LABELS)
    with pytest.raises(
        ValueError, match="y holds the label 'high', which is none of the classes 'low', 'mid'"
    ):
        classifier().partial_fit(X, LABELS, classes=["mid", "low"])
    with pytest.raises(ValueError, match="classes=.*one class.*at least two"):
        classifier().partial_fit(X, LABELS, classes=["mid"])
    model = classifier().partial_fit(X[:2], ["low", "low"], classes=["low", "mid", "high", "low"])
    assert model.classes_.tolist() == ["high", "low", "mid"]
    assert model.predict_proba(X).shape == (N, 3)
    with pytest.raises(ValueError, match="not the same as on the last call"):
        model.partial_fit(X, LABELS, classes=["low", "high"])
    model.partial_fit(X, LABELS, classes=["mid", "low", "high"])


def test_a_clone_begins_anew_and_a_plain_fit_too():
    model = regressor(warm_start=True).fit(X, TARGET)
    assert bits(clone(model).fit(X, TARGET)) == bits(model)
    whole = bits(model)
    model.fit(X, TARGET).set_params(warm_start=False).fit(X, TARGET)
    assert bits(model) == whole
    with pytest.raises(ValueError, match="initial_weights: a training that goes on begins with the weights"):
        model.set_params(warm_start=True).fit(X, TARGET, initial_weights=model.weights_)
