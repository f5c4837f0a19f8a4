"""Who else is in a batch, in which order, on how many threads: no bit of a prediction depends on it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from grulearn import GRUClassifier, GRURegressor, Sequences

RNG = np.random.default_rng(0)
N = 33  # no multiple of a vector's width
X = [RNG.normal(size=(n, 3)) for n in RNG.integers(1, 20, N)]
HOLES = [np.where(RNG.random(x.shape) < 0.3, np.nan, x) for x in X]
CODED = [np.column_stack([x[:, :2], RNG.integers(0, 5, len(x))]) for x in X]
WORDS = ["".join(RNG.choice(list("abcde"), len(x))) for x in X]
TARGET = np.array([x[-1, 0] for x in X])
LABELS = np.array(["low", "mid", "top"])[np.digitize(TARGET, [-0.5, 0.5])]
SUMS = [x[:, 0].cumsum() for x in X]
TAGS = [np.where(y > 0, "up", "down") for y in SUMS]


def timed(items: list[np.ndarray]) -> Sequences:
    data = Sequences.from_list(items)
    return Sequences(data.rows, data.starts, data.lengths, times=RNG.integers(1, 9, len(data.rows)).cumsum())


CASES: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "last": (GRURegressor, {}, X, TARGET),
    "mean": (GRURegressor, {"pooling": "mean"}, X, TARGET),
    "max": (GRURegressor, {"pooling": "max", "num_layers": 2}, X, TARGET),
    "attention": (GRURegressor, {"pooling": "attention", "bidirectional": True}, X, TARGET),
    "both directions": (GRURegressor, {"bidirectional": True, "num_layers": 3}, X, TARGET),
    "reset before": (GRURegressor, {"reset_after": False, "bias": False}, X, TARGET),
    "float64": (GRURegressor, {"dtype": "float64", "bidirectional": True}, X, TARGET),
    "two numbers": (GRURegressor, {}, X, np.column_stack([TARGET, TARGET**2])),
    "quantiles": (GRURegressor, {"quantiles": [0.1, 0.5, 0.9]}, X, TARGET),
    "gaussian": (GRURegressor, {"loss": "gaussian"}, X, TARGET),
    "poisson": (GRURegressor, {"loss": "poisson"}, X, np.abs(TARGET)),
    "steps": (GRURegressor, {"target": "sequence"}, X, SUMS),
    "steps, both directions": (GRURegressor, {"target": "sequence", "bidirectional": True}, X, SUMS),
    "filled with the mean": (GRURegressor, {"missing": "mean"}, HOLES, TARGET),
    "filled forward": (GRURegressor, {"missing": "forward", "bidirectional": True}, HOLES, TARGET),
    "masks": (GRURegressor, {"missing": "simple"}, timed(HOLES), TARGET),
    "decay": (GRURegressor, {"missing": "decay", "num_layers": 2}, timed(HOLES), TARGET),
    "categories": (GRURegressor, {"categorical_features": [2]}, CODED, TARGET),
    "tokens": (GRUClassifier, {"tokens": "char", "pooling": "mean"}, WORDS, LABELS),
    "labels": (GRUClassifier, {}, X, LABELS),
    "two labels": (GRUClassifier, {"pooling": "attention"}, X, TARGET > 0),
    "several labels": (GRUClassifier, {}, X, np.column_stack([TARGET > 0, TARGET < 1]).astype(int)),
    "tags": (GRUClassifier, {"target": "sequence", "num_layers": 2}, X, TAGS),
}


def methods(model: Any) -> list[Callable[[Any], Any]]:
    if isinstance(model, GRUClassifier):
        return [model.predict, model.predict_proba, model.decision_function]
    if model.quantiles is not None:
        return [model.predict, model.predict_quantiles]
    if model.loss == "gaussian":
        return [lambda X: model.predict(X, return_std=True)[1], model.predict]
    return [model.predict]


def pick(items: Any, index: Any) -> Any:
    return items[index] if isinstance(items, Sequences) else [items[i] for i in index]


def longer(items: Any) -> Any:
    """The same sequences, and after each a neighbour that is much longer."""
    if isinstance(items, Sequences):
        neighbours = Sequences.from_list([np.tile(items[i], (40, 1)) for i in range(N)])
        rows = np.concatenate([items.rows, neighbours.rows])
        starts = np.concatenate([items.starts, neighbours.starts + len(items.rows)])
        times = np.concatenate([items.times, np.arange(len(neighbours.rows))])
        whole = Sequences(rows, starts, np.r_[items.lengths, neighbours.lengths], times=times)
        return whole[np.arange(2 * N).reshape(2, N).T.ravel()]
    repeated = [item * 40 if isinstance(item, str) else np.tile(item, (40, 1)) for item in items]
    return [each for pair in zip(items, repeated, strict=True) for each in pair]


def listed(found: Any) -> list[bytes]:
    return [np.asarray(item).tobytes() for item in found]


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    models = {}
    for case, (kind, options, data, y) in CASES.items():
        models[case] = kind(9, max_iter=2, random_state=0, **options).fit(data, y)
    return models


@pytest.mark.parametrize("case", CASES)
def test_predictions_depend_on_nothing_else(case, fitted):
    model, data = fitted[case], CASES[case][2]
    order = np.random.default_rng(1).permutation(N)
    twice = np.r_[order, order[::-1], [0, 0, 0]]
    for method in methods(model):
        whole = listed(method(data))
        for i in range(N):
            assert listed(method(pick(data, [i]))) == whole[i : i + 1]
        assert listed(method(pick(data, order))) == [whole[i] for i in order]
        assert listed(method(pick(data, twice))) == [whole[i] for i in twice]
        assert listed(method(longer(data)))[::2] == whole
    assert len(set(whole)) > 1


@pytest.mark.parametrize("case", CASES)
def test_threads_do_not_matter(case, fitted):
    kind, options, data, y = CASES[case]
    model = fitted[case]
    for n_jobs in (1, 2, 5, -1):
        again = kind(9, max_iter=2, random_state=0, n_jobs=n_jobs, **options).fit(data, y)
        assert again.loss_curve_ == model.loss_curve_
        assert again.validation_scores_ == model.validation_scores_
        for one, other in zip(methods(again), methods(model), strict=True):
            assert listed(one(data)) == listed(other(data))


@pytest.mark.parametrize("case", ["attention", "decay", "tags", "tokens"])
def test_predictions_side_by_side(case, fitted):
    model, data = fitted[case], CASES[case][2]
    expected = [listed(method(data)) for method in methods(model)]
    with ThreadPoolExecutor(4) as pool:
        for method, whole in list(zip(methods(model), expected, strict=True)) * 3:
            assert all(found == whole for found in pool.map(lambda m: listed(m(data)), [method] * 4))


@pytest.mark.parametrize("case", CASES)
def test_shuffled_samples_are_shuffled_answers_of_one_full_batch(case):
    """With one full batch and no validation part, the order of the samples is rounding only."""
    kind, options, data, y = CASES[case]
    options = {**options, "early_stopping": False, "batch_size": N, "dtype": "float64", "max_iter": 5}
    order = np.random.default_rng(1).permutation(N)
    one, other = (kind(9, random_state=0, **options) for _ in range(2))
    one.fit(data, y)
    other.fit(pick(data, order), [y[i] for i in order] if isinstance(y, list) else y[order])
    a, b = (np.concatenate([np.ravel(item) for item in methods(m)[-1](data)]) for m in (one, other))
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_the_parameter_n_jobs_is_read_when_it_is_used(fitted):
    model = copy.deepcopy(fitted["last"])
    expected = model.predict(X)
    np.testing.assert_array_equal(model.set_params(n_jobs=2).predict(X), expected)
    with pytest.raises(ValueError, match="n_jobs"):
        model.set_params(n_jobs=0).predict(X)
