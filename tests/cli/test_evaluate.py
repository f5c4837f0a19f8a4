"""grulearn evaluate: errors beside those of predicting the mean."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    r2_score,
    root_mean_squared_error,
)

from grulearn import GRURegressor, load
from grulearn.cli._scores import format_number, scores

QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")


def rows(stdout):
    """Return the numbers of each row of the table by its first words."""
    lines = [line for line in stdout.splitlines() if line.strip().startswith(("the model", "always"))]
    cells = [re.split(r" {2,}", line.replace(" %", "").strip()) for line in lines]
    return {label: [float(number.replace(",", "")) for number in numbers] for label, *numbers in cells}


def test_prints_errors_beside_those_of_mean_and_median(grulearn, csv, houses, model):
    outcome = grulearn("evaluate", model, csv)
    assert outcome.code == 0
    assert outcome.stderr == ""
    assert outcome.stdout.splitlines()[0] == f"{model} on {csv}, 60 rows"
    predicted, truth = load(model).predict(houses[["rooms", "age"]]), houses.price
    expected = [
        root_mean_squared_error(truth, predicted),
        mean_absolute_error(truth, predicted),
        100 * mean_absolute_percentage_error(truth, predicted),
        r2_score(truth, predicted),
    ]
    table = rows(outcome.stdout)
    assert list(table) == ["the model", "always the mean", "always the median"]
    # Printed with three or four digits.
    np.testing.assert_allclose(table["the model"], expected, rtol=5e-3, atol=1e-3)
    np.testing.assert_allclose(table["always the mean"][0], np.std(truth), rtol=1e-3)
    assert table["always the mean"][3] == 0.0
    median_error = np.mean(np.abs(truth - np.median(truth)))
    np.testing.assert_allclose(table["always the median"][1], median_error, rtol=1e-3)


def test_target_can_be_named(grulearn, csv, houses, model):
    houses.rename(columns={"price": "paid"}).to_csv(csv, index=False)
    assert grulearn("evaluate", model, csv, "--target", "paid").code == 0


def test_model_that_does_not_know_its_target_asks_for_it(grulearn, csv, houses, tmp_path):
    X, y = houses[["rooms", "age"]], houses["price"].to_numpy()
    GRURegressor(2, max_iter=1).fit(X, y).save(tmp_path / "plain.gru")
    error = grulearn("evaluate", tmp_path / "plain.gru", csv).error
    assert error.endswith("does not say which column it predicts; add --target COLUMN")


def test_several_targets_have_their_own_rows(grulearn, csv, tmp_path):
    path = tmp_path / "model.gru"
    grulearn("fit", csv, "--target", "price", "--target", "age", "--output", path, *QUICK)
    assert list(rows(grulearn("evaluate", path, csv).stdout)) == [
        "the model for price", "always the mean for price", "always the median for price",
        "the model for age", "always the mean for age", "always the median for age",
    ]  # fmt: skip


def test_one_row_has_no_r2(grulearn, csv, houses, model):
    houses.head(1).to_csv(csv, index=False)
    outcome = grulearn("evaluate", model, csv)
    assert outcome.code == 0
    assert outcome.stdout.count("undefined") == 3
    assert ", 1 row\n" in outcome.stdout


def test_scores_of_a_known_case():
    got = scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert got.rmse == pytest.approx(np.sqrt(3))
    assert got.mae == 1.0
    assert got.r2 == pytest.approx(1 - 9 / 2)


@pytest.mark.parametrize(("value", "text"), [(54321.4, "54,321"), (1.23456, "1.235"), (0.0001, "0.0001")])
def test_numbers_keep_what_matters(value, text):
    assert format_number(value) == text


def test_scoring_another_column_warns(grulearn, csv, model):
    outcome = grulearn("evaluate", model, csv, "--target", "age")
    assert outcome.said("warning") == [f"{model} predicts price, not age"]
