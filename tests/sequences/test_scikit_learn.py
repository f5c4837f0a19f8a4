"""scikit-learn's splitters and searches on Sequences and on lists."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing

from grulearn.sequences import Sequences, as_sequences


class MeanOverSteps(RegressorMixin, BaseEstimator):
    """A model of ragged data that needs no recurrence: a line through the means over the last steps."""

    def __init__(self, last=3):
        self.last = last

    def _means(self, X):
        return [array[-self.last :].mean(axis=0) for array in as_sequences(X)]

    def fit(self, X, y):
        self.line_ = LinearRegression().fit(self._means(X), y)
        return self

    def predict(self, X):
        return self.line_.predict(self._means(X))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, size=40)]
    return arrays, np.array([array[-2:].mean() for array in arrays])


def test_searches_and_scores_are_those_of_the_list(data):
    arrays, y = data
    found = []
    for X in (arrays, Sequences.from_list(arrays)):
        search = GridSearchCV(
            MeanOverSteps(), {"last": [1, 2, 5]}, cv=KFold(4, shuffle=True, random_state=0)
        ).fit(X, y)
        assert search.best_params_ == {"last": 2}
        found.append(
            [
                search.cv_results_["mean_test_score"],
                cross_val_score(MeanOverSteps(), X, y),
                cross_val_predict(make_pipeline(FunctionTransformer(), MeanOverSteps()), X, y),
            ]
        )
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_splits_of_lists_and_sequences_agree(data):
    arrays, y = data
    sequences = Sequences.from_list(arrays)
    for ours, theirs in zip(
        train_test_split(sequences, random_state=1), train_test_split(arrays, random_state=1), strict=True
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert all(part.rows is sequences.rows for part in train_test_split(sequences, random_state=1))


def test_targets_by_step_are_split_with_their_steps(data):
    arrays, _ = data
    X = Sequences.from_list(arrays)
    y = Sequences(X.rows.sum(axis=1, keepdims=True), X.starts, X.lengths)
    X_train, _, y_train, _ = train_test_split(X, y, random_state=0)
    for steps, targets in zip(X_train, y_train, strict=True):
        np.testing.assert_array_equal(steps.sum(axis=1), targets[:, 0])


def test_ids_and_tokens_are_indexed_too():
    tokens = as_sequences(["gru", "rnn", "lstm", ""], tokens="char")
    assert _safe_indexing(tokens, np.array([3, 0])).to_tokens() == [[], ["g", "r", "u"]]
    named = Sequences(np.zeros((3, 1)), [0, 1, 2], [1, 1, 1], ids=["a", "b", "c"])
    assert _safe_indexing(named, [2, 0]).ids.tolist() == ["c", "a"]
