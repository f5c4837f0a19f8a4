"""class_weight, against weights of samples and against scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data

from grulearn import GRUClassifier

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 6, size=80)]
LABELS = np.array(["rare", "often", "mid"])[np.digitize([x[-1, 0] for x in X], [-1.2, 0.8])]


def classifier(**options: Any) -> GRUClassifier:
    # Weights of samples count in the scaling too, those of classes do not.
    defaults = {"max_iter": 5, "random_state": 0, "early_stopping": False, "standardize": False}
    return GRUClassifier(4, **{**defaults, **options})


@pytest.mark.parametrize("weight", ["balanced", {"rare": 5.0, "mid": 0.5}])
def test_weights_of_classes_are_weights_of_samples(weight):
    of_samples = compute_sample_weight(weight, LABELS)
    one = classifier(class_weight=weight).fit(X, LABELS)
    other = classifier().fit(X, LABELS, sample_weight=of_samples)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert not np.array_equal(one.predict_proba(X), classifier().fit(X, LABELS).predict_proba(X))


def test_both_kinds_of_weights_multiply():
    weights = RNG.random(80)
    one = classifier(class_weight={"rare": 5.0}).fit(X, LABELS, sample_weight=weights)
    other = classifier().fit(X, LABELS, sample_weight=weights * np.where(LABELS == "rare", 5.0, 1.0))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_balanced_counts_a_weight_as_so_many_samples():
    """Repeated samples change the balance, and so do weights: scikit-learn's check, in float64."""
    exact = classifier(class_weight="balanced", dtype="float64", batch_size=10_000, standardize=True)
    check_sample_weight_equivalence_on_dense_data("GRUClassifier", exact)


def test_labels_of_steps_are_balanced_over_steps():
    y = [np.where(np.arange(len(x)) == 0, "first", "later") for x in X]
    n_steps, n_first = sum(map(len, X)), len(X)
    by_hand = {"first": n_steps / (2 * n_first), "later": n_steps / (2 * (n_steps - n_first))}
    one, other = (
        classifier(target="sequence", class_weight=weight).fit(X, y).weights_["head.weight"]
        for weight in ("balanced", by_hand)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_class_of_weight_nothing_is_no_class():
    weights = (LABELS != "rare").astype(float)
    model = classifier(class_weight="balanced").fit(X, LABELS, sample_weight=weights)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.classes_.tolist() == ["mid", "often", "rare"]


def test_weights_of_unknown_classes_are_refused():
    with pytest.raises(ValueError, match=r"class_weight: 'seldom' is none of the classes \['mid'"):
        classifier(class_weight={"seldom": 2.0}).fit(X, LABELS)
    with pytest.raises(ValueError, match="several labels at once"):
        classifier(class_weight="balanced").fit(X, np.column_stack([LABELS == "mid", LABELS == "rare"]) * 1)
