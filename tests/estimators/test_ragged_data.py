"""Ragged data in scikit-learn's own tools: lists, object arrays and Sequences, to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from grulearn import GRUClassifier, GRURegressor, Sequences

RNG = np.random.default_rng(0)
LIST = [RNG.normal(size=(n, 2)) for n in RNG.integers(2, 9, size=60)]
NUMBERS = np.array([x[-1, 0] for x in LIST])
LABELS = np.where(NUMBERS > 0, "up", "down")
THREE = np.digitize(NUMBERS, [-0.5, 0.5])


def as_objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


FORMS = {
    "list": LIST,
    "tuple": tuple(LIST),
    "objects": as_objects(LIST),
    "Sequences": Sequences.from_list(LIST),
}


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 4, "max_iter": 4, "random_state": 0, **options})


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(**{"hidden_size": 4, "max_iter": 4, "random_state": 0, **options})


def both(make: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [("last", make()), ("mean", make(pooling="mean"))]


def search(X: Any) -> Any:
    found = GridSearchCV(regressor(), {"hidden_size": [2, 4]}, cv=3, error_score="raise").fit(X, NUMBERS)
    return np.concatenate([found.cv_results_["mean_test_score"], found.predict(X)])


def search_labels(X: Any) -> Any:
    scores = ["roc_auc", "neg_log_loss"]
    found = GridSearchCV(classifier(), {"hidden_size": [2, 4]}, cv=3, scoring=scores, refit="roc_auc")
    return [found.fit(X, LABELS).cv_results_[f"mean_test_{score}"] for score in scores]


def halves(X: Any) -> Any:
    X_train, X_test, y_train, y_test = train_test_split(X, NUMBERS, random_state=0)
    return regressor().fit(X_train, y_train).score(X_test, y_test)


WAYS: dict[str, Callable[[Any], Any]] = {
    "train_test_split": halves,
    "GridSearchCV": search,
    "GridSearchCV of labels": search_labels,
    "cross_val_score": lambda X: cross_val_score(regressor(), X, NUMBERS, cv=3, error_score="raise"),
    "cross_val_predict": lambda X: cross_val_predict(regressor(), X, NUMBERS, cv=3),
    "probabilities": lambda X: cross_val_predict(classifier(), X, LABELS, cv=3, method="predict_proba"),
    "logits": lambda X: cross_val_predict(classifier(), X, THREE, cv=3, method="decision_function"),
    "learning_curve": lambda X: learning_curve(regressor(), X, NUMBERS, cv=3, train_sizes=[0.5, 1.0])[2],
    "Pipeline": lambda X: make_pipeline(FunctionTransformer(), regressor()).fit(X, NUMBERS).predict(X),
    "VotingRegressor": lambda X: VotingRegressor(both(regressor)).fit(X, NUMBERS).predict(X),
    "StackingRegressor": lambda X: StackingRegressor(both(regressor), Ridge()).fit(X, NUMBERS).predict(X),
    "VotingClassifier": lambda X: (
        VotingClassifier(both(classifier), voting="soft").fit(X, LABELS).predict_proba(X)
    ),
    "StackingClassifier": lambda X: (
        StackingClassifier(both(classifier), LogisticRegression()).fit(X, LABELS).predict_proba(X)
    ),
    "CalibratedClassifierCV": lambda X: (
        CalibratedClassifierCV(classifier(), cv=3).fit(X, LABELS).predict_proba(X)
    ),
    "TunedThresholdClassifierCV": lambda X: (
        TunedThresholdClassifierCV(classifier(), cv=3).fit(X, LABELS).best_threshold_
    ),
    "OneVsRestClassifier": lambda X: OneVsRestClassifier(classifier()).fit(X, THREE).decision_function(X),
    "MultiOutputRegressor": lambda X: (
        MultiOutputRegressor(regressor()).fit(X, np.column_stack([NUMBERS, -NUMBERS])).predict(X)
    ),
    "MultiOutputClassifier": lambda X: (
        MultiOutputClassifier(classifier()).fit(X, np.column_stack([LABELS, LABELS])).predict(X)
    ),
    "TransformedTargetRegressor": lambda X: (
        TransformedTargetRegressor(regressor(), func=np.sinh, inverse_func=np.arcsinh)
        .fit(X, NUMBERS)
        .predict(X)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_form_gives_the_same_bits(way):
    expected = WAYS[way](FORMS["list"])
    for form in ("tuple", "objects", "Sequences"):
        np.testing.assert_array_equal(WAYS[way](FORMS[form]), expected, err_msg=form)


def test_a_network_learns_in_them():
    """The bits might agree on nonsense."""
    model = regressor(hidden_size=16, max_iter=200, learning_rate_init=0.01)
    assert cross_val_score(model, LIST * 4, np.tile(NUMBERS, 4), cv=KFold(3, shuffle=True)).min() > 0.8


def test_in_two_processes():
    grid = {"hidden_size": [2, 4]}
    one, two = (
        GridSearchCV(regressor(), grid, cv=3, n_jobs=n).fit(FORMS["Sequences"], NUMBERS) for n in (1, 2)
    )
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


# A target for each step


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("targets", ["list", "objects", "Sequences"])
def test_targets_for_each_step(form, targets):
    items = [x[:, :1] for x in LIST]
    y = {"list": items, "objects": as_objects(items), "Sequences": Sequences.from_list(items)}[targets]
    model = regressor(target="sequence")
    scores = cross_val_score(model, FORMS[form], y, cv=3, error_score="raise")
    expected = []
    for train, test in KFold(3).split(LIST):
        fitted = regressor(target="sequence").fit([LIST[i] for i in train], [items[i] for i in train])
        expected.append(fitted.score([LIST[i] for i in test], [items[i] for i in test]))
    np.testing.assert_array_equal(scores, expected)


def test_labels_for_each_step():
    y = [np.where(x[:, 0] > 0, "a", "b") for x in LIST]
    scores = [
        cross_val_score(classifier(target="sequence"), X, labels, cv=3, error_score="raise")
        for X in FORMS.values()
        for labels in (y, as_objects(y))
    ]
    for score in scores[1:]:
        np.testing.assert_array_equal(score, scores[0])
    grid = GridSearchCV(classifier(target="sequence"), {"hidden_size": [2, 4]}, cv=KFold(3)).fit(LIST, y)
    assert grid.predict(LIST)[0].shape == (len(LIST[0]),)


# Other forms


def test_lists_of_vectors_and_a_fold_of_one_length():
    vectors = [x[:, 0] for x in LIST]
    columns = [x[:, :1] for x in LIST]
    one, other = (
        cross_val_score(regressor(), X, NUMBERS, cv=3, error_score="raise") for X in (vectors, columns)
    )
    np.testing.assert_array_equal(one, other)
    model = regressor().fit(vectors, NUMBERS)
    same = [v for v in vectors if len(v) == 5]
    np.testing.assert_array_equal(model.predict(same), model.predict(vectors)[[len(v) == 5 for v in vectors]])


@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_texts(form):
    words = ["".join(RNG.choice(list("abc"), size=n)) for n in RNG.integers(1, 6, size=60)]
    y = np.array([word[-1] == "a" for word in words])
    model = classifier(tokens="char")
    expected = cross_val_score(model, words, y, cv=3, error_score="raise")
    np.testing.assert_array_equal(cross_val_score(model, form(words), y, cv=3, error_score="raise"), expected)
    assert VotingClassifier([("one", model)], voting="soft").fit(form(words), y).predict(
        form(words)
    ).shape == (60,)


def test_windows_are_split_by_log():
    """The ids that windows carry are the groups of scikit-learn's splitters, and of the validation part."""
    logs = Sequences.from_array(RNG.normal(size=(12, 30, 2)))
    X, y = logs.windows(5, step=5, horizon=1, y=[x[:, 0] for x in logs])
    scores = cross_val_score(regressor(), X, y, cv=GroupKFold(3), groups=X.ids, error_score="raise")
    expected = [
        regressor().fit(X[train], y[train]).score(X[test], y[test])
        for train, test in GroupKFold(3).split(y, groups=X.ids)
    ]
    np.testing.assert_array_equal(scores, expected)
