"""grulearn predict: columns by name, data only on stdout."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from grulearn import GRURegressor, load
from grulearn.cli._tables import _exact_floats


def read(stdout):
    return pd.read_csv(io.StringIO(stdout), **_exact_floats())


def test_prints_what_the_model_predicts(grulearn, csv, houses, model):
    outcome = grulearn("predict", model, csv)
    assert outcome.code == 0
    assert outcome.stderr == ""
    predicted = read(outcome.stdout)
    assert list(predicted.columns) == ["predicted_price"]
    np.testing.assert_array_equal(predicted["predicted_price"], load(model).predict(houses[["rooms", "age"]]))


def test_order_of_columns_does_not_matter(grulearn, csv, houses, model):
    as_fitted = grulearn("predict", model, csv).stdout
    houses[["price", "age", "rooms"]].to_csv(csv, index=False)
    assert grulearn("predict", model, csv).stdout == as_fitted


def test_needs_no_target(grulearn, csv, houses, model):
    with_target = grulearn("predict", model, csv).stdout
    houses.drop(columns="price").to_csv(csv, index=False)
    outcome = grulearn("predict", model, csv)
    assert outcome.stdout == with_target
    assert outcome.stderr == ""


def test_extra_columns_are_ignored_with_a_note(grulearn, csv, houses, model):
    as_fitted = grulearn("predict", model, csv).stdout
    houses.assign(street="Elm Street").to_csv(csv, index=False)
    outcome = grulearn("predict", model, csv)
    assert outcome.stdout == as_fitted
    assert outcome.said("note") == [f"{model} does not use street of {csv}"]


def test_one_row_is_enough(grulearn, csv, houses, model):
    houses.head(1).to_csv(csv, index=False)
    assert len(read(grulearn("predict", model, csv).stdout)) == 1


def test_writes_a_file(grulearn, csv, model, tmp_path):
    printed = grulearn("predict", model, csv).stdout
    outcome = grulearn("predict", model, csv, "--output", tmp_path / "out.csv")
    assert outcome.stdout == ""
    assert outcome.said("note") == [f"60 predictions are in {tmp_path / 'out.csv'}"]
    assert (tmp_path / "out.csv").read_text() == printed
    assert sorted(file.name for file in tmp_path.iterdir()) == ["houses.csv", "out.csv"]


def test_model_without_column_names_takes_columns_in_order(grulearn, csv, houses, tmp_path):
    X = houses[["rooms", "age"]].to_numpy(float)
    fitted = GRURegressor(4, max_iter=3, random_state=0).fit(X, houses.price.to_numpy())
    path = tmp_path / "model.gru"
    fitted.save(path)
    houses[["rooms", "age"]].to_csv(csv, index=False)
    predicted = read(grulearn("predict", path, csv).stdout)
    np.testing.assert_array_equal(predicted["predicted"], fitted.predict(X))
    houses.to_csv(csv, index=False)
    assert "2 features without names" in grulearn("predict", path, csv).error


def test_model_for_sequences_refuses_a_table(grulearn, csv, houses, tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 5, 2))
    path = tmp_path / "model.gru"
    GRURegressor(4, max_iter=2, random_state=0).fit(X, X[:, 0, 0]).save(path)
    houses[["rooms", "age"]].to_csv(csv, index=False)
    assert "was fitted on sequences of up to 5 steps" in grulearn("predict", path, csv).error
