"""Long dataframes: many rows for each id. What is expected comes from pandas' groupby."""

from __future__ import annotations

import tracemalloc

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Sequences


@pytest.fixture
def log():
    """Rows of machines mixed in the order of time, the first to appear not the first by name."""
    rng = np.random.default_rng(0)
    n = 300
    machine = rng.choice(["pump", "fan", "belt"], n)
    machine[0] = "pump"
    return pd.DataFrame(
        {
            "machine": machine,
            "ts": pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(n) * 7, unit="min"),
            "pressure": rng.normal(size=n),
            "count": rng.integers(0, 9, n),
            "mode": rng.choice(["run", "idle"], n),
            "failed": machine == "fan",
            "label": rng.choice(["good", "bad"], n),
        }
    )


KEYS = {"id_col": "machine", "time_col": "ts"}


def groups(frame, id_col="machine"):
    return list(frame.groupby(id_col, sort=False))


def test_interleaved_ids_are_what_groupby_gives(log, convert):
    X, y = Sequences.from_frame(convert(log), **KEYS, feature_cols=["pressure", "count", "mode"])
    assert y is None
    assert X.ids.tolist() == [name for name, _ in groups(log)]
    assert X.schema.features == ("pressure", "count")
    for i, (_, group) in enumerate(groups(log)):
        np.testing.assert_array_equal(X[i], group[["pressure", "count"]])
        codes = X.codes[X.span(i), 0]
        assert X.categories[0][codes].tolist() == group["mode"].tolist()
        assert X.times[X.span(i)].view(X.schema.time_dtype).tolist() == group["ts"].to_numpy().tolist()


def test_a_frame_sorted_by_id_gives_the_same(log, convert):
    grouped = pd.concat([group for _, group in groups(log)], ignore_index=True)
    one, other = (Sequences.from_frame(convert(x), **KEYS)[0].to_frame() for x in (log, grouped))
    pd.testing.assert_frame_equal(one, other)


def test_back_to_the_frame(log, make, convert, as_pandas):
    X, _ = Sequences.from_frame(convert(log), **KEYS)
    expected = pd.concat([group for _, group in groups(log)], ignore_index=True)
    back = as_pandas(X.to_frame(make))
    pd.testing.assert_frame_equal(back[log.columns], expected, check_dtype=make == "pandas")


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_are_exact_in_every_unit_and_zone(log, make, convert, as_pandas, unit, zone):
    # Through the hour that Berlin has twice.
    log["ts"] = (log["ts"] + (pd.Timestamp("2024-10-27") - log["ts"][0])).dt.as_unit(unit)
    if unit == "ns":
        log["ts"] += pd.to_timedelta(np.arange(len(log)), unit="ns")
    if zone:
        log["ts"] = log["ts"].dt.tz_localize("UTC").dt.tz_convert(zone)
    given = convert(log)
    X, _ = Sequences.from_frame(given, **KEYS)
    assert X.times.dtype == np.int64
    assert X.schema.time_zone == zone
    expected = pd.concat([group for _, group in groups(log)])["ts"]
    assert as_pandas(X.to_frame(make))["ts"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("times", "dtype"),
    [
        (np.arange(300), np.int64),
        (np.arange(300, dtype=np.uint16), np.int64),
        (np.arange(300) / 7, np.float64),
        (np.arange(300, dtype=np.float32), np.float64),
        (pd.to_timedelta(np.arange(300), unit="s"), np.int64),
    ],
    ids=["int64", "uint16", "float64", "float32", "durations"],
)
def test_times_that_are_no_dates(log, convert, times, dtype):
    X, _ = Sequences.from_frame(convert(log.assign(ts=times)), **KEYS)
    assert X.times.dtype == dtype
    expected = pd.concat([group for _, group in groups(log.assign(ts=times))])["ts"]
    assert X.to_frame()["ts"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "ids",
    [
        lambda x: x.map({"pump": 7, "fan": -3, "belt": 2**40}),
        lambda x: x.map({"pump": 0.5, "fan": -3.0, "belt": 2.0}),
        lambda x: x == "pump",
        lambda x: x.astype("category"),
        lambda x: x.astype(object),
        lambda x: x.map({"pump": "2024-05-01", "fan": "2023-05-01", "belt": "2025-05-01"}).astype("M8[s]"),
    ],
    ids=["int", "float", "bool", "category", "object", "datetime"],
)
def test_ids_of_every_kind(log, convert, ids):
    log["machine"] = ids(log["machine"])
    X, _ = Sequences.from_frame(convert(log), **KEYS, feature_cols=["pressure"])
    assert pd.Series(X.ids).tolist() == log["machine"].drop_duplicates().tolist()
    for i, (_, group) in enumerate(log.groupby("machine", sort=False, observed=True)):
        np.testing.assert_array_equal(X[i][:, 0], group["pressure"])


def test_more_ids_than_16_bits_count():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": rng.permutation(np.repeat(np.arange(70_000), 2)), "x": rng.normal(size=140_000)}
    )
    X, _ = Sequences.from_frame(frame, id_col="id")
    assert X.shape == (70_000, 2, 1)
    expected = frame.groupby("id", sort=False)["x"].agg(["first", "last"])
    assert X.ids.tolist() == expected.index.tolist()
    np.testing.assert_array_equal(X.to_array()[:, :, 0], expected)


def test_without_id_or_time(log, convert):
    X, y = Sequences.from_frame(convert(log), feature_cols=["pressure"], target_col="failed")
    assert X.shape == (1, 300, 1)
    assert X.ids is None
    assert X.times is None
    assert y.shape == (1, 300, 1)
    X, _ = Sequences.from_frame(convert(log.iloc[::-1]), id_col="machine", feature_cols=["pressure"])
    np.testing.assert_array_equal(X[0][:, 0], groups(log.iloc[::-1])[0][1]["pressure"])


# Targets


def test_one_target_for_each_sequence(log, convert):
    X, y = Sequences.from_frame(convert(log), **KEYS, target_col="failed")
    np.testing.assert_array_equal(y, X.ids == "fan", strict=True)
    assert "failed" not in X.schema.features
    both = log.assign(
        size=log["machine"].map({"pump": 3, "fan": 2, "belt": 1}), kind=log["machine"].str.upper()
    )
    _, y = Sequences.from_frame(convert(both), **KEYS, target_col=["failed", "size"])
    assert y.tolist() == [[name == "fan", {"pump": 3, "fan": 2, "belt": 1}[name]] for name in X.ids]
    _, y = Sequences.from_frame(convert(both), **KEYS, target_col=["size"])
    assert (y.shape, y.dtype) == ((3, 1), np.int64)
    _, y = Sequences.from_frame(convert(both), **KEYS, target_col="kind", target="value")
    assert y.tolist() == [name.upper() for name in X.ids]
    _, y = Sequences.from_frame(convert(both), **KEYS, target_col=["kind", "size"])
    assert y.tolist() == [[name.upper(), {"pump": 3, "fan": 2, "belt": 1}[name]] for name in X.ids]


@pytest.mark.parametrize("target", ["auto", "step"])
def test_one_target_for_each_step(log, convert, target):
    X, y = Sequences.from_frame(convert(log), **KEYS, target_col=["count", "label"], target=target)
    assert X.schema.features == ("pressure", "failed")
    np.testing.assert_array_equal(y.starts, X.starts)
    np.testing.assert_array_equal(y.lengths, X.lengths)
    assert y.ids is X.ids or y.ids.tolist() == X.ids.tolist()
    for i, (_, group) in enumerate(groups(log)):
        np.testing.assert_array_equal(y[i][:, 0], group["count"])
        assert y.categories[0][y.codes[y.span(i), 0]].tolist() == group["label"].tolist()
    assert y.schema.feature_dtypes == (np.dtype(np.int64),)


def test_a_constant_target_can_be_asked_for_by_step(log, convert):
    _, y = Sequences.from_frame(convert(log), **KEYS, target_col="failed", target="step")
    assert isinstance(y, Sequences)
    np.testing.assert_array_equal(np.concatenate(y.to_list())[:, 0], np.repeat(y.ids == "fan", y.lengths))


def test_unlabelled_steps_and_sequences(convert):
    frame = pd.DataFrame(
        {"id": [1, 1, 2, 2], "x": [0.0, 1, 2, 3], "y": [np.nan, np.nan, 5, 5], "s": [None, None, "b", "b"]}
    )
    options = {"id_col": "id", "feature_cols": ["x"]}
    _, y = Sequences.from_frame(convert(frame), **options, target_col="y")
    np.testing.assert_array_equal(y, [np.nan, 5])
    _, y = Sequences.from_frame(convert(frame), **options, target_col="s")
    assert y.tolist() == [None, "b"]
    frame["y"] = [np.nan, 1, 5, np.nan]
    _, y = Sequences.from_frame(convert(frame), **options, target_col=["y", "s"])
    np.testing.assert_array_equal(y.rows[:, 0], frame["y"])
    assert y.codes[:, 0].tolist() == [-1, -1, 0, 0]


def test_a_target_may_be_a_feature_if_it_is_named(log, convert):
    X, y = Sequences.from_frame(convert(log), **KEYS, feature_cols=["count"], target_col="count")
    np.testing.assert_array_equal(X.rows, y.rows)


def test_categories_by_name(log, convert):
    log.loc[3, "count"] = np.nan  # a column of floats now
    X, _ = Sequences.from_frame(
        convert(log), **KEYS, feature_cols=["pressure"], categorical_cols=["count", "failed"]
    )
    assert X.schema.categorical == ("count", "failed")
    assert X.categories[0].tolist() == list(range(9))
    assert X.categories[1].tolist() == [False, True]
    expected = pd.concat([group for _, group in groups(log)])["count"]
    np.testing.assert_array_equal(X.codes[:, 0], expected.fillna(-1))


# Refusals


def refused(frame, message, error=ValueError, **options):
    with pytest.raises(error, match=message):
        Sequences.from_frame(frame, **{**KEYS, **options})


def test_rows_out_of_order(log, make, convert):
    log.loc[[40, 41], "machine"] = "fan"
    log.loc[[40, 41], "ts"] = log.loc[[41, 40], "ts"].to_numpy()
    sort = {
        "pandas": r"df.sort_values\(\['machine', 'ts'\]\)",
        "polars": r"df.sort\(\['machine', 'ts'\]\)",
        "pyarrow": r"df.sort_by\(\[\('machine', 'ascending'\), \('ts', 'ascending'\)\]\)",
    }
    refused(
        convert(log),
        r"rows are not in the order of time: machine 'fan' has 2024-05-01 04:40:00 in row 41, after "
        r"2024-05-01 04:47:00 in row 40 \(column 'ts'.*counted from 0\). Sort first: " + sort[make],
    )
    ready = log.sort_values(["machine", "ts"])
    assert len(Sequences.from_frame(convert(ready), **KEYS)[0]) == 3


def test_one_time_twice(log, convert):
    rows = log.index[log["machine"] == "belt"]
    log.loc[rows[6], "ts"] = log.loc[rows[5], "ts"]
    refused(
        convert(log), rf"machine 'belt' has the time .* twice, in rows {rows[5]} and {rows[6]} \(column 'ts'"
    )
    assert len(Sequences.from_frame(convert(log.assign(ts=0)), id_col="machine")[0]) == 3


def test_missing_ids_and_times(log, convert):
    refused(
        convert(log.assign(machine=log["machine"].where(~log.index.isin([5, 9])))),
        r"row 5 has no id: column 'machine' is missing there \(1 more such row\)",
    )
    refused(
        convert(log.assign(ts=log["ts"].where(log.index != 8))), "row 8 has no time: column 'ts' is missing"
    )
    numbers = np.arange(300.0)
    for bad in (np.nan, np.inf):
        numbers[7] = bad
        refused(convert(log.assign(ts=numbers)), "row 7 has no time: column 'ts' is missing or infinite")
    refused(convert(log.assign(machine=numbers).replace({"machine": np.inf}, np.nan)), "row 7 has no id")


def test_nan_is_missing_where_null_is_another_value(make):
    columns = {
        "id": [1.0, np.nan, 2.0],
        "ts": [1.0, 2.0, 3.0],
        "x": [np.nan, 1.0, 2.0],
        "code": [3.0, np.nan, 7.0],
    }
    frame = nw.from_dict(columns, backend=make).to_native()
    with pytest.raises(ValueError, match="row 1 has no id"):
        Sequences.from_frame(frame, id_col="id")
    with pytest.raises(ValueError, match="row 1 has no time"):
        Sequences.from_frame(frame, time_col="code")
    X, y = Sequences.from_frame(frame, target_col="x", categorical_cols=["code"], feature_cols=[])
    assert X.codes[:, 0].tolist() == [0, -1, 1]
    np.testing.assert_array_equal(y.rows[:, 0], columns["x"])


def test_columns_that_are_no_times(log, make, convert):
    hint = {
        "pandas": r": df\['ts'\] = pd.to_datetime\(df\['ts'\]\)",
        "polars": r".*str.to_datetime\(\)",
        "pyarrow": "",
    }
    refused(
        convert(log.assign(ts=log["ts"].astype(str))),
        "column 'ts' holds values of type String, such as '2024-05-01.*' in row 0.*Convert it first"
        + hint[make],
    )
    refused(convert(log.assign(ts=True)), "column 'ts' holds values of type Boolean")
    refused(
        convert(log.assign(ts=np.arange(2**63, 2**63 + 300, dtype=np.uint64))),
        "in column 'ts' is beyond int64",
    )


def test_a_target_that_changes(log, convert):
    refused(
        convert(log),
        r"column 'label' changes within machine '\w+': '\w+' in row \d+, '\w+' in row \d+; target='value'",
        target_col="label",
        target="value",
    )
    refused(
        convert(log.assign(y=np.arange(300))),
        r"column 'y' changes within machine 'pump': 0 in row 0, \d+ in row \d+; target='value'",
        target_col="y",
        target="value",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"id_col": "machin"},
            r"id_col: df has no column 'machin'; the nearest name is 'machine' \(its columns",
        ),
        ({"time_col": "t"}, "time_col: df has no column 't'"),
        ({"feature_cols": ["pressure", "flow"]}, "feature_cols: df has no column 'flow'"),
        ({"target_col": ["y"]}, "target_col: df has no column 'y'"),
        ({"categorical_cols": ["modes"]}, "categorical_cols: .* nearest name is 'mode'"),
        ({"id_col": "ts"}, "id_col and time_col are both 'ts'"),
        (
            {"feature_cols": ["machine"]},
            "column 'machine' cannot be a feature: it is the id_col or the time_col",
        ),
        ({"target_col": "ts"}, "column 'ts' cannot be a target"),
        ({"feature_cols": ["mode", "mode"]}, "feature_cols: 'mode' is named twice"),
        ({"target_col": ["label", "label"]}, "target_col: 'label' is named twice"),
        (
            {"target_col": "mode", "categorical_cols": ["mode"]},
            "column 'mode' is in categorical_cols, but it is the",
        ),
        ({"feature_cols": []}, "df has no features"),
        ({"categorical_cols": ["pressure"]}, r"column 'pressure', row 0: -0.\d+ is no category"),
        ({"target_col": "label", "target": "row"}, "target='row'; expected 'auto', 'value' or 'step'"),
        ({"time_col": None}, "column 'ts' holds values of type Datetime"),
        (
            {"time_col": None, "target_col": "ts", "feature_cols": ["mode"]},
            "column 'ts' holds values of type Datetime",
        ),
        ({"time_col": None, "categorical_cols": ["ts"]}, "column 'ts' holds values of type Datetime"),
    ],
)
def test_columns_that_do_not_fit(log, convert, options, message):
    refused(convert(log), message, **options)


def test_what_is_no_frame(log):
    refused([1, 2], r"df: expected a dataframe \(pandas, polars or pyarrow\), got list", TypeError)
    refused(log[:0], "df has no rows")
    refused(log.rename(columns={"mode": "ts"}), "df: two columns have the same name, 'ts'")


def test_messages_know_frames_without_ids(log):
    log.loc[5, "ts"] = log.loc[3, "ts"]
    refused(log, r"the frame has .* in row 5, after .* in row 4.*df.sort_values\(\['ts'\]\)", id_col=None)


# Size


def test_a_long_log_takes_little_more_memory_than_its_rows():
    """The blocks themselves, and a few integers for each row: some 24 bytes of 80."""
    rng = np.random.default_rng(0)
    n = 200_000
    frame = pd.DataFrame(rng.normal(size=(n, 8)), columns=list("abcdefgh"))
    frame = frame.assign(machine=rng.integers(0, 1000, n), ts=np.arange(n))
    Sequences.from_frame(frame[:10], **KEYS)  # what is imported on the way does not count
    tracemalloc.start()
    X, _ = Sequences.from_frame(frame, **KEYS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert X.rows.nbytes == 8 * 8 * n
    assert peak < 1.5 * frame.memory_usage().sum()
