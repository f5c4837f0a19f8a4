"""Dataframes whose rows are sequences of one step, and every dataframe back."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Schema, Sequences, as_sequences


def test_a_wide_table(convert):
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "s": ["x", None, "b"], "b": [0.5, np.nan, 2.0], "t": [True, False, True]}
    )
    sequences = as_sequences(convert(frame))
    assert sequences.shape == (3, 1, 3)
    np.testing.assert_array_equal(sequences.rows, frame[["a", "b", "t"]].astype(float))
    assert sequences.codes.tolist() == [[1], [-1], [0]]
    assert sequences.categories[0].tolist() == ["b", "x"]
    assert sequences.schema.features == ("a", "b", "t")
    assert sequences.schema.categorical == ("s",)
    assert sequences.ids is None


def test_a_table_goes_there_and_back(make, convert, as_pandas):
    frame = pd.DataFrame(
        {
            "a": [1, -2, 3],
            "b": [0.5, np.nan, 2.0],
            "t": [True, False, True],
            "u": np.array([0, 1, 255], np.uint8),
            "c": ["x", "y", "x"],
        }
    )
    back = as_sequences(convert(frame)).to_frame(make, with_ids=False)
    assert type(back) is type(convert(frame))
    # A missing number is NaN there; polars and pyarrow have null beside it, which pandas shows as NaN too.
    pd.testing.assert_frame_equal(as_pandas(back), frame)
    rows = as_sequences(convert(frame[["a"]]))[[2, 0]].to_frame(make)
    pd.testing.assert_frame_equal(as_pandas(rows), pd.DataFrame({"id": [0, 1], "a": [3, 1]}))


def test_dtypes(convert):
    single = pd.DataFrame({"a": np.float32([1.5, 2.5]), "b": np.float32([0, 1])})
    assert as_sequences(convert(single)).dtype == np.float32
    assert as_sequences(convert(single.assign(c=[1, 2]))).dtype == np.float64


def test_an_array_and_its_frame_give_the_same_rows(convert):
    X = np.random.default_rng(0).normal(size=(20_000, 3))  # more rows than are brought in at a time
    frame = pd.DataFrame(X, columns=list("abc"))
    np.testing.assert_array_equal(as_sequences(convert(frame)).rows, X)
    assert as_sequences(convert(frame)).rows.flags.c_contiguous


def test_categories_of_every_kind(convert):
    frame = pd.DataFrame(
        {
            "ordered": pd.Categorical(
                ["low", "high", None], categories=["low", "high", "never"], ordered=True
            ),
            "numbers": pd.Categorical([10, 9, 10]),
        }
    )
    sequences = as_sequences(convert(frame[["ordered"]]))
    assert sequences.categories[0].tolist() == ["high", "low"]
    assert sequences.codes.tolist() == [[1], [0], [-1]]
    if convert(frame) is frame:  # the other makes turn categories that are no strings into their values
        assert as_sequences(frame).categories[1].tolist() == [9, 10]


def test_nullable_columns_of_pandas():
    frame = pd.DataFrame(
        {"a": [1, None], "b": [True, None], "c": [0.5, None], "s": ["x", None]}
    ).convert_dtypes()
    sequences = as_sequences(frame)
    np.testing.assert_array_equal(sequences.rows, [[1, 1, 0.5], [np.nan] * 3])
    assert sequences.codes.tolist() == [[0], [-1]]


def test_objects_in_pandas_columns():
    frame = pd.DataFrame({"n": [1, None, Decimal("2.5")], "s": ["x", None, "x"]}, dtype=object)
    sequences = as_sequences(frame)
    assert sequences.schema.features == ("n",)
    np.testing.assert_array_equal(sequences.rows, [[1], [np.nan], [2.5]])
    assert sequences.codes.tolist() == [[0], [-1], [0]]


def test_columns_without_names():
    sequences = as_sequences(pd.DataFrame([[1.0, 2.0]]))
    assert sequences.schema.features is None
    assert list(sequences.to_frame(with_ids=False).columns) == ["x0", "x1"]
    assert list(Sequences.from_tokens(["a"], "char").to_frame().columns) == ["id", "c0"]


def test_a_list_of_frames_keeps_the_names(convert):
    frames = [pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"a": [3.0, 4.0], "b": [5.0, 6.0]})]
    sequences = as_sequences([convert(frame) for frame in frames])
    assert sequences.schema.features == ("a", "b")
    np.testing.assert_array_equal(sequences[1], frames[1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"when": pd.to_datetime(["2024-05-01"])},
            "column 'when' holds values of type Datetime.*hour of the day",
        ),
        ({"gap": pd.to_timedelta([1], unit="s")}, "column 'gap' holds values of type Duration"),
    ],
)
def test_columns_of_dates(convert, columns, message):
    with pytest.raises(ValueError, match=message):
        as_sequences(convert(pd.DataFrame(columns)))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "X: two columns have the same name, 'a'"),
        (pd.DataFrame({"a": [1.0, "x"]}, dtype=object), r"column 'a': 'x' at \[1\] is not a number"),
        (
            pd.DataFrame({"a": ["x"] * 150 + [3]}, dtype=object),
            "column 'a', row 150 holds one of integers, but column 'a', row 0 one of strings",
        ),
        (pd.DataFrame({"a": [1j]}), "column 'a': Complex data not supported"),
        (
            pd.DataFrame({"a": [datetime.date(2024, 5, 1)]}),
            r"column 'a': datetime.date\(2024, 5, 1\) at \[0\]",
        ),
        (pd.DataFrame({"a": [[1, 2]]}), r"column 'a': \[1, 2\] at \[0\] is not a number"),
    ],
)
def test_columns_of_pandas_that_are_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        as_sequences(frame)


def test_frames_that_cannot_be_made():
    with pytest.raises(ValueError, match="backend='dask'; expected one of 'pandas', 'polars', 'pyarrow'"):
        as_sequences([[1.0]]).to_frame("dask")
    with pytest.raises(ValueError, match="two columns would be called 'id'; pass with_ids=False"):
        as_sequences(pd.DataFrame({"id": [1]})).to_frame()


def test_numbers_that_were_changed_stay_what_they_are():
    sequences = as_sequences(
        pd.DataFrame({"n": [1, 2], "t": [True, False], "u": np.array([1, 255], np.uint8)})
    )
    for rows, dtypes in (
        (sequences.rows, "int64 bool uint8"),
        (sequences.rows + 0.5, "float64 float64 float64"),
        (sequences.rows + 1, "int64 float64 float64"),
        (sequences.rows * np.nan, "float64 float64 float64"),
        (sequences.rows * 2.0**63, "float64 float64 float64"),
    ):
        changed = Sequences(rows, [0], [2], schema=sequences.schema).to_frame(with_ids=False)
        assert " ".join(map(str, changed.dtypes)) == dtypes


def test_times_and_ids_go_back(make, as_pandas):
    times = np.array(["2024-01-01T10", "2024-01-02T11", "2024-01-03T12"], "M8[us]")
    schema = Schema(id="machine", time="ts", time_zone="Europe/Berlin")
    sequences = Sequences(np.zeros((3, 1)), [1, 0], [2, 1], times=times, ids=["b", "a"], schema=schema)
    frame = as_pandas(sequences.to_frame(make))
    assert frame["machine"].tolist() == ["b", "b", "a"]
    expected = pd.Series(times[[1, 2, 0]]).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    assert frame["ts"].tolist() == expected.tolist()
