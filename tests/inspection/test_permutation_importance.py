"""Importances where the truth is known, and beside scikit-learn's on tables."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import sklearn.inspection
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from grulearn import GRUClassifier, GRURegressor, Sequences
from grulearn.inspection import permutation_importance
from grulearn.sequences import as_sequences


class Known(RegressorMixin, BaseEstimator):
    """Predicts what a function says of each sequence; there is nothing to fit."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return np.array([self.function(x) for x in as_sequences(X)])


class Majority(ClassifierMixin, BaseEstimator):
    """Predicts the code of the first categorical feature's last step."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return X.codes[X.starts + X.lengths - 1, 0]


def ragged(n=200, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(k, n_features)) for k in rng.integers(2, 9, size=n)]


# The truth is known


@pytest.mark.parametrize("form", ["list", "Sequences", "tuple", "objects"])
def test_a_feature_that_is_not_used_has_exactly_no_importance(form):
    X = ragged()
    given = {
        "list": X,
        "Sequences": Sequences.from_list(X),
        "tuple": tuple(X),
        "objects": np.array([*X, None], dtype=object)[:-1],
    }[form]
    model = Known(lambda x: x[-1, 1])
    result = permutation_importance(model, given, model.predict(X), random_state=0)
    assert result.names.tolist() == ["x0", "x1", "x2"]
    assert result.importances.shape == (3, 5)
    assert (result.importances[[0, 2]] == 0).all()
    # Predictions and target are independent then: R2 is 1 - 2. Five standard errors of 200 draws.
    assert result.importances_mean[1] == pytest.approx(2, abs=5 * 2 / np.sqrt(200))
    np.testing.assert_array_equal(result.importances_mean, result.importances.mean(axis=1))
    np.testing.assert_array_equal(result.importances_std, result.importances.std(axis=1))


@pytest.mark.parametrize(("align", "used", "name"), [("start", 1, "step 1"), ("end", -2, "step -2")])
def test_only_the_step_that_is_used_matters(align, used, name):
    X = ragged()
    model = Known(lambda x: x[used].sum())
    result = permutation_importance(model, X, model.predict(X), by="step", align=align, random_state=0)
    assert len(result.names) == 8
    assert result.names.tolist() == [f"step {t}" for t in (range(8) if align == "start" else range(-8, 0))]
    assert result.names[result.importances_mean > 0].tolist() == [name]


def test_counted_from_the_other_end_the_step_is_spread_out():
    X = ragged()
    model = Known(lambda x: x[-1, 0])
    result = permutation_importance(model, X, model.predict(X), by="step", random_state=0)
    assert (result.importances_mean[1:7] > 0).all()
    assert result.importances_mean[0] == 0  # none has a single step


def test_the_course_of_a_feature_is_kept():
    """A sum of squared differences of a smooth series would be far off if its steps were shuffled."""
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.normal(size=(300, 50, 2)), axis=1)
    model = Known(lambda x: np.square(np.diff(x[:, 0])).sum())
    result = permutation_importance(
        model, X, model.predict(X), scoring="neg_mean_absolute_error", random_state=0
    )
    y = model.predict(X)
    two_at_random = np.abs(y[:150] - y[150:]).mean()
    assert result.importances_mean[0] == pytest.approx(two_at_random, rel=0.3)
    assert result.importances_mean[1] == 0


def test_neighbouring_steps_together():
    """Each of two steps says the same; together they say all there is to say."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 7, 1))
    X[:, 3] = X[:, 2]
    model = Known(lambda x: x[2, 0] + x[3, 0])
    y = model.predict(X)
    alone = permutation_importance(model, X, y, by="step", random_state=0)
    together = permutation_importance(model, X, y, by="step", width=2, random_state=0)
    assert together.names.tolist() == ["steps 0 to 1", "steps 2 to 3", "steps 4 to 5", "step 6"]
    assert together.importances_mean[1] == pytest.approx(2, abs=0.4)
    assert alone.importances_mean[2] == pytest.approx(0.5, abs=0.1)
    backwards = permutation_importance(model, X, y, by="step", width=2, align="end", random_state=0)
    assert backwards.names.tolist() == ["step -7", "steps -6 to -5", "steps -4 to -3", "steps -2 to -1"]


def test_categorical_features_and_tokens():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcd"), size=n)) for n in rng.integers(1, 6, size=100)]
    data = as_sequences(words, tokens="char")
    y = data.codes[data.starts + data.lengths - 1, 0]
    for X, options in ((data, {}), (words, {"tokens": "char"})):
        result = permutation_importance(
            Majority().fit(data, y), X, y, by="step", align="end", random_state=0, **options
        )
        assert result.names[result.importances_mean > 0].tolist() == ["step -1"]
        feature = permutation_importance(Majority().fit(data, y), X, y, align="end", **options)
        assert feature.names.tolist() == ["c0"]
        assert feature.importances_mean[0] == pytest.approx(0.75, abs=0.2)


def test_numeric_and_categorical_features_by_name():
    log = pd.DataFrame(
        {
            "id": np.repeat(np.arange(60), 3),
            "mode": np.random.default_rng(0).choice(["on", "off"], size=180),
            "load": np.random.default_rng(1).normal(size=180),
        }
    )
    X, _ = Sequences.from_frame(log, id_col="id")
    y = X.codes[X.starts + 2, 0]
    result = permutation_importance(Majority().fit(X, y), X, y, random_state=0)
    assert result.names.tolist() == ["load", "mode"]
    assert result.importances_mean[0] == 0
    assert result.importances_mean[1] > 0.3


def test_windows_are_exchanged_as_if_they_were_copies():
    log = Sequences.from_array(np.random.default_rng(0).normal(size=(2, 60, 2)))
    windows = log.windows(5)
    model = Known(lambda x: x[:, 0].sum())
    y = model.predict(windows)
    one, other = (permutation_importance(model, X, y, random_state=0) for X in (windows, windows.to_array()))
    np.testing.assert_array_equal(one.importances, other.importances)


def test_a_gru_finds_what_matters():
    X = ragged(400)
    y = np.array([x[-1, 0] - x[-2, 2] for x in X])
    model = GRURegressor(16, random_state=0, learning_rate_init=0.01).fit(X[:300], y[:300])
    test = (X[300:], y[300:])
    by_feature = permutation_importance(model, *test, random_state=0)
    assert by_feature.importances_mean[[0, 2]].min() > 0.3
    assert abs(by_feature.importances_mean[1]) < 0.1
    by_step = permutation_importance(model, *test, by="step", align="end", random_state=0)
    assert set(by_step.names[by_step.importances_mean > 0.2]) == {"step -1", "step -2"}


def test_targets_for_each_step():
    X = ragged(100)
    y = [x[:, 0] for x in X]
    model = GRURegressor(8, target="sequence", random_state=0, max_iter=60).fit(X, y)
    result = permutation_importance(model, X, y, random_state=0)
    assert result.importances_mean.argmax() == 0


def test_classifier_with_a_score_by_name():
    X = ragged(200)
    y = np.array(["up" if x[-1, 1] > 0 else "down" for x in X])
    model = GRUClassifier(8, random_state=0).fit(X, y)
    result = permutation_importance(model, X, y, scoring="roc_auc", random_state=0)
    assert result.importances_mean[1] > 0.3
    assert np.abs(result.importances_mean[[0, 2]]).max() < 0.1


# Beside scikit-learn's


def table(n=300):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    return X, 3 * X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", make_scorer(mean_absolute_error)])
def test_tables_as_scikit_learn_does_it(scoring):
    X, y = table()
    model = RandomForestRegressor(20, random_state=0).fit(X, y)
    theirs = sklearn.inspection.permutation_importance(
        model, X, y, scoring=scoring, n_repeats=50, random_state=0
    )
    ours = permutation_importance(model, X, y, scoring=scoring, n_repeats=50, random_state=0)
    error = np.sqrt((ours.importances_std**2 + theirs.importances_std**2) / 50)
    assert (np.abs(ours.importances_mean - theirs.importances_mean) < 5 * error + 1e-12).all()
    # The standard deviation over 50 repeats has itself an error of a tenth.
    np.testing.assert_allclose(ours.importances_std, theirs.importances_std, rtol=0.5)


def test_weights_of_the_samples():
    X, y = table()
    model = LinearRegression().fit(X, y)
    weights = (np.arange(300) < 150).astype(float)
    theirs = sklearn.inspection.permutation_importance(model, X, y, sample_weight=weights, n_repeats=50)
    ours = permutation_importance(model, X, y, sample_weight=weights, n_repeats=50)
    error = np.sqrt((ours.importances_std**2 + theirs.importances_std**2) / 50)
    assert (np.abs(ours.importances_mean - theirs.importances_mean) < 5 * error).all()


def test_dataframes_keep_their_columns_and_types():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"mode": rng.choice(["on", "off"], size=200), "load": rng.normal(size=200), "age": np.arange(200)},
        index=rng.permutation(200),
    )
    y = (frame["mode"] == "on").to_numpy() * 2.0 + frame["load"].to_numpy()
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["mode"]), (StandardScaler(), ["load", "age"])),
        LinearRegression(),
    ).fit(frame, y)
    before = frame.copy()
    ours = permutation_importance(model, frame, y, n_repeats=50)
    theirs = sklearn.inspection.permutation_importance(model, frame, y, n_repeats=50)
    pd.testing.assert_frame_equal(frame, before)
    assert ours.names.tolist() == ["mode", "load", "age"]
    error = np.sqrt((ours.importances_std**2 + theirs.importances_std**2) / 50)
    assert (np.abs(ours.importances_mean - theirs.importances_mean) < 5 * error + 1e-12).all()
    assert permutation_importance(model, frame, y, by="step").names.tolist() == ["step 0"]


@pytest.mark.parametrize("make", [name for name in ("pandas", "polars", "pyarrow") if find_spec(name)])
def test_dataframes_of_any_make(make):
    X = np.random.default_rng(0).normal(size=(50, 2))
    frame = Sequences.from_array(X).to_frame(make, with_ids=False)
    model = Known(lambda x: x[0, 0])
    for by in ("feature", "step"):
        one, other = (
            permutation_importance(model, data, X[:, 0], by=by, random_state=0) for data in (X, frame)
        )
        np.testing.assert_array_equal(one.importances, other.importances)
        assert one.names.tolist() == other.names.tolist()


def test_lists_of_rows_are_tables():
    X, y = table(50)
    model = LinearRegression().fit(X, y)
    one, other = (permutation_importance(model, data, y, random_state=0) for data in (X, X.tolist()))
    np.testing.assert_array_equal(one.importances, other.importances)


# What it leaves alone


@pytest.mark.parametrize("by", ["feature", "step"])
def test_nothing_that_was_given_changes(by):
    X = ragged(30)
    copies = [x.copy() for x in X]
    data = Sequences.from_list(X)
    rows = data.rows.copy()
    array = np.random.default_rng(0).normal(size=(30, 4, 3))
    same = array.copy()
    for given in (X, data, array):
        permutation_importance(Known(lambda x: x[0, 0]), given, np.arange(30.0), by=by)
    np.testing.assert_array_equal(array, same)
    np.testing.assert_array_equal(data.rows, rows)
    for x, copy in zip(X, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_ids_and_times_stay_where_they_are():
    seen = []

    class Watching(Known):
        def predict(self, X):
            seen.append(X)
            return np.zeros(len(X))

    data = Sequences(np.arange(6.0)[:, None], [0, 2, 3], [2, 1, 3], ids=["a", "b", "c"], times=np.arange(6))
    permutation_importance(Watching(None), data, np.arange(3.0))
    assert len(seen) == 6
    for X in seen:
        assert X.ids.tolist() == ["a", "b", "c"]
        assert X.times.tolist() == list(range(6))
        assert X.lengths.tolist() == [2, 1, 3]


def test_the_same_seed_gives_the_same_bits_in_any_number_of_processes():
    X, y = table(60)
    model = LogisticRegression().fit(X, y > 0)
    one, two, other = (
        permutation_importance(model, X, y > 0, random_state=seed, n_jobs=n)
        for seed, n in ((0, 1), (0, 2), (1, 1))
    )
    np.testing.assert_array_equal(one.importances, two.importances)
    assert not np.array_equal(one.importances, other.importances)
    drawn = permutation_importance(model, X, y > 0, random_state=np.random.RandomState(3))
    again = permutation_importance(model, X, y > 0, random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(drawn.importances, again.importances)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "row"}, ValueError, "by='row'; expected one of 'feature', 'step'"),
        ({"align": "middle"}, ValueError, "align='middle'; expected one of 'start', 'end'"),
        ({"n_repeats": 0}, ValueError, "n_repeats=0; expected at least 1"),
        ({"n_repeats": 2.5}, TypeError, "n_repeats=2.5; expected an integer"),
        ({"width": True}, TypeError, "width=True; expected an integer"),
        ({"scoring": "r3"}, ValueError, "r3"),
        ({"tokens": "char"}, TypeError, "sequence 0: expected a string"),
    ],
)
def test_parameters_that_make_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        permutation_importance(Known(lambda x: 0.0), np.zeros((5, 2, 1)), np.zeros(5), **options)


def test_one_sample_has_nothing_to_exchange():
    with pytest.raises(ValueError, match=r"X has 1 sample\(s\); expected at least 2"):
        permutation_importance(Known(lambda x: 0.0), np.zeros((1, 2, 1)), np.zeros(1))
    with pytest.raises(ValueError, match="sequence 1 has 0 steps"):
        permutation_importance(Known(lambda x: 0.0), [np.zeros((2, 1)), np.zeros((0, 1))], np.zeros(2))
