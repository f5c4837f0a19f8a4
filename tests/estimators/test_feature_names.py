"""Names of features, from dataframes and from sequences that know theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.inspection
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grulearn import GRURegressor, Sequences
from grulearn.inspection import permutation_importance

RNG = np.random.default_rng(0)


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 4, "max_iter": 3, "random_state": 0, **options})


def long_frame(n: int = 30) -> pd.DataFrame:
    lengths = RNG.integers(2, 6, size=n)
    return pd.DataFrame(
        {
            "machine": np.repeat(np.arange(n), lengths),
            "load": RNG.normal(size=lengths.sum()),
            "mode": RNG.choice(["on", "off"], size=lengths.sum()),
            "wear": RNG.normal(size=lengths.sum()),
            "life": np.repeat(RNG.normal(size=n), lengths),
        }
    )


def test_sequences_of_a_long_frame_bring_their_names():
    log = long_frame()
    X, y = Sequences.from_frame(log, id_col="machine", target_col="life")
    model = regressor().fit(X, y)
    assert model.feature_names_in_.tolist() == ["load", "wear", "mode"]
    assert model.n_features_in_ == 3
    other = log.rename(columns={"wear": "tear"})
    with pytest.raises(ValueError, match=r"(?s)feature names.*tear.*wear"):
        model.predict(Sequences.from_frame(other, id_col="machine", target_col="life")[0])
    turned = log[["machine", "wear", "mode", "load", "life"]]
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(Sequences.from_frame(turned, id_col="machine", target_col="life")[0])


def test_names_are_kept_by_picking_and_lost_by_lists():
    X, y = Sequences.from_frame(long_frame().drop(columns="mode"), id_col="machine", target_col="life")
    model = regressor().fit(X[::2], y[::2])
    np.testing.assert_array_equal(model.predict(X[1::2]), model.predict(X)[1::2])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X.to_list())


def test_a_dataframe_with_categories_keeps_its_columns_order():
    frame = pd.DataFrame({"mode": RNG.choice(["on", "off"], size=60), "load": RNG.normal(size=60)})
    y = np.where(frame["mode"] == "on", 1.0, -1.0)
    model = regressor(max_iter=100, learning_rate_init=0.02).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["mode", "load"]
    result = permutation_importance(model, frame, y, random_state=0)
    assert result.names.tolist() == ["mode", "load"]
    assert result.importances_mean[0] > 1
    assert abs(result.importances_mean[1]) < 0.1


def test_scikit_learns_own_tools_see_the_names():
    frame = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["load", "wear", "heat"])
    columns = make_column_transformer((StandardScaler(), ["wear", "load"])).set_output(transform="pandas")
    model = make_pipeline(columns, regressor(max_iter=100, learning_rate_init=0.02))
    model.fit(frame, frame["wear"])
    assert model[-1].feature_names_in_.tolist() == ["standardscaler__wear", "standardscaler__load"]
    theirs = sklearn.inspection.permutation_importance(model, frame, frame["wear"], random_state=0)
    ours = permutation_importance(model, frame, frame["wear"], random_state=0)
    assert theirs.importances_mean.argmax() == ours.importances_mean.argmax() == 1
