"""Metadata routing: weights, groups and the other arguments of fit reach it through scikit-learn's tools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import VotingRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from grulearn import GRUClassifier, GRURegressor

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(2, 9, size=60)]
Y = np.array([x[-1, 0] for x in X])
WEIGHTS = RNG.random(60)
GROUPS = np.arange(60) // 6


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 4, "max_iter": 4, "random_state": 0, **options})


def test_weights_and_groups_through_a_pipeline():
    alone = regressor().fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    routed = make_pipeline(
        FunctionTransformer(), regressor().set_fit_request(sample_weight=True, groups=True)
    ).fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    np.testing.assert_array_equal(routed.predict(X), alone.predict(X))
    assert not np.array_equal(alone.predict(X), regressor().fit(X, Y).predict(X))


def test_groups_decide_what_is_held_out():
    """An error of the split by groups proves that they arrived."""
    model = make_pipeline(FunctionTransformer(), regressor().set_fit_request(groups=True))
    with pytest.raises(ValueError, match="all sequences are of one group"):
        model.fit(X, Y, groups=np.zeros(60))


def test_weights_and_groups_through_a_search():
    model = regressor().set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
    search = GridSearchCV(model, {"hidden_size": [2, 4]}, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    best = regressor(**search.best_params_).fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))


def test_weights_and_groups_through_cross_validation():
    labels = np.where(Y > 0, "up", "down")
    model = GRUClassifier(4, max_iter=4, random_state=0)
    model = model.set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
    scores = cross_validate(
        model,
        X,
        labels,
        cv=GroupKFold(3),
        params={"sample_weight": WEIGHTS, "groups": GROUPS},
        error_score="raise",
    )["test_score"]
    expected = []
    for train, test in GroupKFold(3).split(Y, groups=GROUPS):
        part = [X[i] for i in train]
        fitted = GRUClassifier(4, max_iter=4, random_state=0).fit(
            part, labels[train], sample_weight=WEIGHTS[train], groups=GROUPS[train]
        )
        expected.append(fitted.score([X[i] for i in test], labels[test], sample_weight=WEIGHTS[test]))
    np.testing.assert_array_equal(scores, expected)


def test_weights_through_a_meta_estimator():
    routed = VotingRegressor([("one", regressor().set_fit_request(sample_weight=True))])
    routed.fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(routed.predict(X), regressor().fit(X, Y, sample_weight=WEIGHTS).predict(X))


def test_a_validation_part_of_ones_own():
    model = make_pipeline(regressor().set_fit_request(X_val=True, y_val=True))
    model.fit(X[:50], Y[:50], X_val=X[50:], y_val=Y[50:])
    alone = regressor().fit(X[:50], Y[:50], X_val=X[50:], y_val=Y[50:])
    assert model[-1].validation_scores_ == alone.validation_scores_


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_what_nobody_asked_for_is_refused(name):
    with pytest.raises(UnsetMetadataPassedError, match=name):
        make_pipeline(FunctionTransformer(), regressor()).fit(X, Y, **{name: GROUPS})


def test_requests_of_the_other_methods():
    model = GRUClassifier().set_partial_fit_request(classes=True, sample_weight=True)
    assert model.get_metadata_routing().partial_fit.requests == {"classes": True, "sample_weight": True}
    model = GRURegressor(loss="gaussian").set_predict_request(return_std=True)
    assert model.get_metadata_routing().predict.requests == {"return_std": True}
