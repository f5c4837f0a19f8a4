"""The regressor inside scikit-learn's own tools."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from grulearn.estimators import GRURegressor

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(120, 3))
SERIES = RNG.normal(size=(120, 4, 2))
Y_TABLE = TABLE[:, 0] * 2 - TABLE[:, 1]
Y_SERIES = SERIES[:, :, 0].sum(axis=1)


def regressor(**options: object) -> GRURegressor:
    return GRURegressor(
        **{"hidden_size": 8, "max_iter": 60, "random_state": 0, "learning_rate_init": 0.01, **options}
    )


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_predict_the_same_bits(duplicate) -> None:
    model = regressor(max_iter=3).fit(SERIES, Y_SERIES)
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.predict(SERIES), model.predict(SERIES))
    assert twin.loss_curve_ == model.loss_curve_
    twin.fit(SERIES, -Y_SERIES)
    assert not np.array_equal(twin.predict(SERIES), model.predict(SERIES))


def test_clones_are_unfitted() -> None:
    model = regressor(max_iter=3).fit(SERIES, Y_SERIES)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "weights_")


def test_a_second_fit_forgets_the_first() -> None:
    model = regressor(max_iter=3).fit(SERIES, np.column_stack([Y_SERIES, Y_SERIES]))
    model.fit(TABLE, Y_TABLE)
    fresh = regressor(max_iter=3).fit(TABLE, Y_TABLE)
    np.testing.assert_array_equal(model.predict(TABLE), fresh.predict(TABLE))
    assert model.predict(TABLE).shape == (120,)


def test_pipeline() -> None:
    model = make_pipeline(PolynomialFeatures(2, include_bias=False), regressor())
    assert model.fit(TABLE, Y_TABLE).score(TABLE, Y_TABLE) > 0.9


def test_cross_validation_of_sequences() -> None:
    assert cross_val_score(regressor(), SERIES, Y_SERIES, cv=3).min() > 0.8
    assert cross_val_predict(regressor(), SERIES, Y_SERIES, cv=3).shape == (120,)


def test_grid_search_gives_the_same_bits_in_two_processes() -> None:
    grid = {"hidden_size": [4, 8], "learning_rate_init": [0.003, 0.01]}
    cv = KFold(3, shuffle=True, random_state=0)
    one, two = (
        GridSearchCV(regressor(max_iter=20), grid, cv=cv, n_jobs=n).fit(SERIES, Y_SERIES) for n in (1, 2)
    )
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    np.testing.assert_array_equal(one.predict(SERIES), two.predict(SERIES))


def test_initial_weights_pass_through_a_grid_search() -> None:
    start = regressor(max_iter=1).fit(SERIES, Y_SERIES).weights_
    search = GridSearchCV(regressor(max_iter=1), {"learning_rate_init": [1e-30]}, cv=2)
    search.fit(SERIES, Y_SERIES, initial_weights=start)
    assert np.array_equal(search.best_estimator_.weights_["head.weight"], start["head.weight"])


def test_transformed_targets() -> None:
    model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    y = np.exp(Y_TABLE)
    assert model.fit(TABLE, y).predict(TABLE).shape == (120,)
    assert np.corrcoef(np.log(model.predict(TABLE)), Y_TABLE)[0, 1] > 0.97


def test_one_regressor_for_each_output() -> None:
    y = np.column_stack([Y_TABLE, -Y_TABLE])
    model = MultiOutputRegressor(regressor()).fit(TABLE, y)
    np.testing.assert_array_equal(model.predict(TABLE)[:, 0], regressor().fit(TABLE, Y_TABLE).predict(TABLE))
