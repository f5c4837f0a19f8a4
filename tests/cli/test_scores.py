"""Scores of numbers and labels, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_percentage_error,
    roc_auc_score,
)

from grulearn.cli._scores import class_scores, format_percent, format_share, prior_probabilities, scores


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    truth = np.array(["a", "b", "c"])[rng.integers(0, 3, 200)]
    proba = rng.dirichlet([1, 1, 1], 200)
    return truth, proba, np.array(["a", "b", "c"], dtype=object)


def test_three_classes_are_scikit_learn_s(case):
    truth, proba, classes = case
    predicted = classes[proba.argmax(axis=1)].astype(str)
    got = class_scores(truth, predicted, proba, classes)
    assert got == pytest.approx(
        (
            accuracy_score(truth, predicted),
            balanced_accuracy_score(truth, predicted),
            f1_score(truth, predicted, average="macro"),
            log_loss(truth, proba),
            roc_auc_score(truth, proba, multi_class="ovr"),
        ),
        rel=1e-12,
    )


def test_two_classes_are_scikit_learn_s():
    rng = np.random.default_rng(1)
    truth, p = rng.integers(0, 2, 100), rng.random(100)
    got = class_scores(truth, (p > 0.5) * 1, np.column_stack([1 - p, p]), np.array([0, 1]))
    assert got.roc_auc == pytest.approx(roc_auc_score(truth, p), rel=1e-12)
    assert got.log_loss == pytest.approx(log_loss(truth, p), rel=1e-12)


def test_a_class_that_is_not_in_the_truth(case):
    truth, proba, classes = case
    there = truth != "c"
    predicted = classes[proba.argmax(axis=1)].astype(str)
    got = class_scores(truth[there], predicted[there], proba[there], classes)
    # Of a and b, each against the rest; c has no area.
    areas = [roc_auc_score(truth[there] == label, proba[there, k]) for k, label in enumerate("ab")]
    assert got.roc_auc == pytest.approx(np.mean(areas))
    recalls = [np.mean(predicted[truth == label] == label) for label in "ab"]
    assert got.balanced_accuracy == pytest.approx(np.mean(recalls))


def test_a_label_that_the_model_does_not_know_counts_as_wrong(case):
    truth, proba, classes = case
    predicted = classes[proba.argmax(axis=1)].astype(str)
    with_one_more = class_scores(
        np.append(truth, "d"), np.append(predicted, "a"), np.vstack([proba, proba[:1]]), classes
    )
    without = class_scores(truth, predicted, proba, classes)
    assert with_one_more.accuracy == pytest.approx(without.accuracy * 200 / 201)
    assert with_one_more.log_loss == without.log_loss


def test_one_label_only_has_no_area_and_labels_unknown_throughout_have_no_loss(case):
    _, proba, classes = case
    alone = class_scores(np.array(["a"]), np.array(["b"]), proba[:1], classes)
    assert np.isnan(alone.roc_auc)
    assert alone.texts()[-1] == "undefined"
    unknown = class_scores(np.array(["z", "z"]), np.array(["a", "b"]), proba[:2], classes)
    assert np.isnan(unknown.log_loss)
    assert unknown.accuracy == 0.0


def test_the_prior_is_the_share_of_each_class():
    shares = prior_probabilities(np.array([1, 1, 2, 9]), np.array([1, 2, 3]))
    # 9 is none of them.
    np.testing.assert_allclose(shares, np.tile([2 / 3, 1 / 3, 0], (4, 1)))
    np.testing.assert_array_equal(prior_probabilities(np.array([9]), np.array([1, 2])), np.zeros((1, 2)))


def test_relative_errors_are_scikit_learn_s_where_they_make_sense():
    truth, predicted = np.array([10.0, 20.0, 40.0]), np.array([11.0, 18.0, 40.0])
    assert scores(truth, predicted).mape == pytest.approx(mean_absolute_percentage_error(truth, predicted))
    assert scores(-truth, -predicted).mape == scores(truth, predicted).mape


@pytest.mark.parametrize("truth", [[0.0, 1.0], [-1.0, 1.0], [1e-6, 100.0]])
def test_relative_errors_are_left_out_where_the_truth_comes_near_zero(truth):
    assert np.isnan(scores(np.array(truth), np.array([1.0, 1.0])).mape)


@pytest.mark.parametrize(("value", "text"), [(0.12345, "12.3 %"), (10.0, "1,000 %"), (np.nan, "undefined")])
def test_percentages(value, text):
    assert format_percent(value) == text


def test_shares():
    assert [format_share(value) for value in (0.98765, -0.0001, np.nan)] == ["0.988", "0.000", "undefined"]
