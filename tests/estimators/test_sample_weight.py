"""sample_weight: what a weight of 3 does, three copies do; what has weight 0, or no target, is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from grulearn import GRUClassifier, GRURegressor, Sequences

RNG = np.random.default_rng(0)
N = 40
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, N)]
TARGET = np.array([x[-1, 0] for x in X])
LABELS = np.array(["low", "mid", "high"])[np.digitize(TARGET, [-0.5, 0.5])]
WEIGHTS = RNG.integers(0, 4, N)
STEPS = [x[:, 0].cumsum() for x in X]
SOME_STEPS = [np.where(RNG.random(len(y)) < 0.3, np.nan, y) for y in STEPS]
TAGS = [np.array(["low", "mid", "high"])[np.digitize(y, [-0.5, 0.5])] for y in STEPS]
HOLES = [np.where(RNG.random(x.shape) < 0.3, np.nan, x) for x in X]
WORDS = ["".join(RNG.choice(list("abcd"), len(x))) for x in X]

# One full batch without a validation part: the same sums in another order.
EXACT = {"dtype": "float64", "early_stopping": False, "batch_size": 10_000, "max_iter": 20}
# They differ by what float64 rounds in 20 updates, 1e-14 at most.
CLOSE = {"rtol": 0, "atol": 1e-12}


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(5, **{"random_state": 0, **options})


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(5, **{"random_state": 0, **options})


def pick(items: Any, index: np.ndarray) -> Any:
    return [items[i] for i in index] if isinstance(items, list) else items[index]


def values(model: Any, X: Any) -> np.ndarray:
    if isinstance(model, GRUClassifier):
        found = model.decision_function(X)
    elif model.quantiles is not None:
        found = model.predict_quantiles(X)
    else:
        found = model.predict(X, return_std=True)[1] if model.loss == "gaussian" else model.predict(X)
    return np.concatenate(found) if isinstance(found, list) else found


CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], Any, Any]] = {
    "numbers": (regressor, {}, X, TARGET),
    "two numbers": (regressor, {}, X, np.column_stack([TARGET, TARGET**2])),
    "absolute error": (regressor, {"loss": "absolute_error"}, X, TARGET),
    "huber": (regressor, {"loss": "huber"}, X, TARGET),
    "poisson": (regressor, {"loss": "poisson"}, X, np.abs(TARGET)),
    "gaussian": (regressor, {"loss": "gaussian"}, X, TARGET),
    "quantiles": (regressor, {"quantiles": [0.1, 0.5, 0.9]}, X, TARGET),
    "steps": (regressor, {"target": "sequence"}, X, STEPS),
    "some steps": (regressor, {"target": "sequence"}, X, SOME_STEPS),
    "labels": (classifier, {}, X, LABELS),
    "two labels": (classifier, {}, X, TARGET > 0),
    "several labels": (classifier, {}, X, np.column_stack([TARGET > 0, TARGET < 0.3]).astype(int)),
    "tags": (classifier, {"target": "sequence"}, X, TAGS),
    "balanced": (classifier, {"class_weight": "balanced"}, X, LABELS),
    "balanced tags": (classifier, {"target": "sequence", "class_weight": "balanced"}, X, TAGS),
    "pooled": (regressor, {"pooling": "attention", "bidirectional": True}, X, TARGET),
    "tokens": (regressor, {"tokens": "char"}, WORDS, TARGET),
    "filled with the mean": (regressor, {"missing": "mean"}, HOLES, TARGET),
    "filled forward": (regressor, {"missing": "forward"}, HOLES, TARGET),
    "masks": (regressor, {"missing": "simple"}, HOLES, TARGET),
    "decay": (regressor, {"missing": "decay"}, HOLES, TARGET),
    "segments": (regressor, {"bptt": 3}, X, TARGET),
    "unscaled": (regressor, {"standardize": False}, X, TARGET),
}


@pytest.mark.parametrize("case", CASES)
def test_a_weight_is_a_number_of_copies(case):
    estimator, options, data, y = CASES[case]
    copies = np.repeat(np.arange(N), WEIGHTS)
    weighted = estimator(**EXACT, **options).fit(data, y, sample_weight=WEIGHTS)
    repeated = estimator(**EXACT, **options).fit(pick(data, copies), pick(y, copies))
    np.testing.assert_allclose(values(weighted, data), values(repeated, data), **CLOSE)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, **CLOSE)
    # The weights matter at all.
    plain = estimator(**EXACT, **options).fit(data, y)
    assert np.abs(values(weighted, data) - values(plain, data)).max() > 1e-4


@pytest.mark.parametrize("case", CASES)
def test_weight_0_is_not_being_there(case):
    """To the bit, whatever the parameters: the validation part and the batches are drawn without them."""
    estimator, options, data, y = CASES[case]
    kept = np.flatnonzero(WEIGHTS)
    options = {"max_iter": 3, **options}
    weighted = estimator(**options).fit(data, y, sample_weight=WEIGHTS)
    without = estimator(**options).fit(pick(data, kept), pick(y, kept), sample_weight=WEIGHTS[kept])
    np.testing.assert_array_equal(values(weighted, data), values(without, data))
    assert weighted.loss_curve_ == without.loss_curve_
    assert weighted.validation_scores_ == without.validation_scores_


def test_a_sequence_without_a_target_is_not_there():
    y = [np.full(len(t), np.nan) if i % 4 else t for i, t in enumerate(STEPS)]
    kept = np.arange(0, N, 4)
    for seed in range(8):  # a validation part without a target would have the loss 0, which nothing undercuts
        model = regressor(target="sequence", max_iter=5, random_state=seed).fit(X, y)
        fewer = regressor(target="sequence", max_iter=5, random_state=seed).fit(pick(X, kept), pick(y, kept))
        np.testing.assert_array_equal(values(model, X), values(fewer, X))
        assert model.best_loss_ == fewer.best_loss_ > 0


def test_groups_are_those_of_the_others():
    groups = np.arange(N) // 5
    kept = np.flatnonzero(WEIGHTS)
    one = regressor(max_iter=3).fit(X, TARGET, sample_weight=WEIGHTS, groups=groups)
    other = regressor(max_iter=3).fit(
        pick(X, kept), TARGET[kept], sample_weight=WEIGHTS[kept], groups=groups[kept]
    )
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_equal_weights_are_none():
    plain = regressor(max_iter=3).fit(X, TARGET)
    for weights in (1, 3.0, np.full(N, 0.3)):
        equal = regressor(max_iter=3).fit(X, TARGET, sample_weight=weights)
        np.testing.assert_array_equal(equal.predict(X), plain.predict(X))


def test_only_proportions_matter():
    """To the bit for powers of two; likelihoods are small, and float32 ends at 1e-45 and 3e38."""
    plain = regressor(max_iter=3).fit(X, TARGET, sample_weight=WEIGHTS)
    for scale in (2.0**-900, 2.0**-40, 2.0**900):
        scaled = regressor(max_iter=3).fit(X, TARGET, sample_weight=WEIGHTS * scale)
        np.testing.assert_array_equal(scaled.predict(X), plain.predict(X))
    one, other = (regressor(**EXACT).fit(X, TARGET, sample_weight=WEIGHTS * s) for s in (1.0, 1e-305))
    np.testing.assert_allclose(one.predict(X), other.predict(X), **CLOSE)


def test_a_class_of_weight_0_is_still_a_class():
    model = classifier(max_iter=2).fit(X, LABELS, sample_weight=LABELS != "mid")
    assert model.classes_.tolist() == ["high", "low", "mid"]
    assert model.predict_proba(X).shape == (N, 3)


def test_scores_are_weighted():
    """By what scikit-learn's metrics say on all steps that have a target."""
    from sklearn.metrics import accuracy_score, r2_score

    model = regressor(target="sequence", max_iter=3).fit(X, SOME_STEPS)
    truth, predicted = np.concatenate(SOME_STEPS), np.concatenate(model.predict(X))
    known, weights = ~np.isnan(truth), np.repeat(WEIGHTS, [len(x) for x in X])
    expected = r2_score(truth[known], predicted[known], sample_weight=weights[known])
    assert model.score(X, SOME_STEPS, sample_weight=WEIGHTS) == pytest.approx(expected, rel=1e-12)
    model = classifier(target="sequence", max_iter=3).fit(X, TAGS)
    expected = accuracy_score(
        np.concatenate(TAGS), np.concatenate(model.predict(X)), sample_weight=np.concatenate(
            [np.full(len(x), w) for x, w in zip(X, WEIGHTS, strict=True)]
        )
    )  # fmt: skip
    assert model.score(X, TAGS, sample_weight=WEIGHTS) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(N), "[Aa]t least one non-zero|contain at least one non-zero"),
        (np.r_[-1.0, np.ones(N - 1)], "Negative values"),
        (np.r_[np.nan, np.ones(N - 1)], "contains NaN"),
        (np.r_[np.inf, np.ones(N - 1)], "contains infinity"),
        (np.ones(N - 1), r"sample_weight\.shape == \(39,\), expected \(40,\)"),
        (np.ones((N, 1)), "must be 1D"),
        (["heavy"] * N, "could not convert string to float"),
    ],
)
@pytest.mark.parametrize("call", ["fit", "partial_fit", "score", "calibrate"])
@pytest.mark.parametrize("steps", [False, True], ids=["values", "steps"])
def test_bad_weights(weights, message, call, steps):
    y = STEPS if steps else TARGET
    model = regressor(target="sequence" if steps else "value", max_iter=1)
    if call not in ("fit", "partial_fit"):
        model.fit(X, y)
    if call == "score" and (not steps or message.startswith(("[Aa]", "Neg"))):
        return  # the metric's own matter
    with pytest.raises(ValueError, match=message):
        getattr(model, call)(X, y, sample_weight=weights)


def test_weight_only_where_there_is_no_target():
    y = [np.full(len(t), np.nan) if i else t for i, t in enumerate(STEPS)]
    with pytest.raises(ValueError, match="every sequence that has a target has weight 0"):
        regressor(target="sequence").fit(X, y, sample_weight=np.arange(N) > 0)


def test_a_batch_in_which_nothing_counts():
    """After the first call the network is there, and partial_fit has nothing to learn from."""
    model = regressor().partial_fit(X, TARGET)
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.partial_fit(X, TARGET, sample_weight=np.zeros(N))


def test_the_validation_loss_is_weighted():
    """Of one held-out sample of weight w, the loss of that sample; of two their weighted mean."""
    data = Sequences.from_list(X)
    weights = np.where(np.arange(N) < 20, 1.0, 3.0)
    model = regressor(max_iter=1, validation="last", validation_fraction=0.5, standardize=False)
    model.fit(data, TARGET, sample_weight=weights)
    errors = np.square(model.predict(data[20:]) - TARGET[20:])
    assert model.best_loss_ == pytest.approx(errors.mean(), rel=1e-5)
    weights[20:] = np.arange(1, 21)
    model.fit(data, TARGET, sample_weight=weights)
    errors = np.square(model.predict(data[20:]) - TARGET[20:])
    assert model.best_loss_ == pytest.approx(np.average(errors, weights=np.arange(1, 21)), rel=1e-5)
