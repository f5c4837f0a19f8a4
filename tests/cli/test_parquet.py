"""Parquet files, where pyarrow is: conftest.py leaves this file out where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grulearn import load

QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")


def test_reads_parquet_like_csv(grulearn, csv, houses, tmp_path):
    table = tmp_path / "houses.parquet"
    houses.to_parquet(table)
    grulearn("fit", csv, "--target", "price", "--output", tmp_path / "a.gru", *QUICK)
    assert grulearn("fit", table, "--target", "price", "--output", tmp_path / "b.gru", *QUICK).code == 0
    X = houses[["rooms", "age"]]
    np.testing.assert_array_equal(load(tmp_path / "a.gru").predict(X), load(tmp_path / "b.gru").predict(X))
    assert (
        grulearn("predict", tmp_path / "a.gru", table).stdout
        == grulearn("predict", tmp_path / "b.gru", csv).stdout
    )


def test_names_row_and_column_of_a_missing_value(grulearn, houses, tmp_path):
    table = tmp_path / "houses.parquet"
    houses.assign(age=houses.age.where(houses.index != 4)).to_parquet(table)
    error = grulearn("fit", table, "--target", "price").error
    assert (
        'houses.parquet, data row 5 (the first below the header is 1), column "age": the value is missing'
        in error
    )


def test_dates_are_no_numbers(grulearn, houses, tmp_path):
    table = tmp_path / "houses.parquet"
    houses.assign(sold=np.datetime64("2020-01-31")).to_parquet(table)
    assert 'column "sold": "2020-01-31' in grulearn("fit", table, "--target", "price").error


def test_damaged_file(grulearn, tmp_path):
    path = tmp_path / "houses.parquet"
    path.write_bytes(b"PAR1 and no more")
    assert "houses.parquet cannot be read as Parquet" in grulearn("fit", path, "--target", "price").error


def test_long_table_with_a_time_zone_categories_and_gaps(grulearn, tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "machine": np.repeat(np.arange(20), 6),
            "ts": pd.date_range("2024-03-30", periods=n, freq="h", tz="Europe/Berlin"),
            "load": pd.array(np.where(rng.random(n) < 0.2, None, rng.integers(0, 9, n)), dtype="Int64"),
            "mode": pd.Categorical(rng.choice(["idle", "run"], n)),
            "code": rng.integers(1, 4, n),
            "failed": pd.array(np.repeat(rng.random(20) < 0.5, 6), dtype="boolean"),
        }
    )
    table, path = tmp_path / "log.parquet", tmp_path / "model.gru"
    frame.to_parquet(table)
    outcome = grulearn(
        "fit", table, "--id", "machine", "--time", "ts", "--target", "failed", "--categorical", "code",
        "--missing", "simple", "--output", path, *QUICK,
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    assert 'Categories: "mode" (2 values), "code" (3 values).' in outcome.stdout
    assert load(path).classes_.tolist() == [False, True]
    before = grulearn("predict", path, table, "--proba").stdout
    # The same as CSV, and with the codes as the floats that a gap makes of whole numbers.
    frame.assign(code=frame.code.astype(float)).to_parquet(table)
    assert grulearn("predict", path, table, "--proba").stdout == before
    frame.to_csv(tmp_path / "log.csv", index=False)
    assert grulearn("predict", path, tmp_path / "log.csv", "--proba").stdout == before
