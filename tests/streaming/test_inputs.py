"""Every form of a step gives the same; what is wrong is named, and changes nothing."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Sequences

NAMES = ("load", "speed", "mode")


def other_frames(columns):
    """The same columns in a dataframe of each other make that is installed."""
    frames = []
    if find_spec("polars"):
        import polars as pl

        frames.append(pl.DataFrame(columns, strict=False))
    if find_spec("pyarrow"):
        import pyarrow as pa

        frames.append(pa.table(columns))
    return frames


@pytest.fixture
def numbers(make_model):
    """A model of three numeric features with names."""
    rng = np.random.default_rng(0)
    data = Sequences.from_array(rng.normal(size=(5, 8, 3)))
    return make_model(data, names=("a", "b", "c"))


@pytest.fixture
def mixed(make_model, read_log, log):
    """A model of two numeric features and one categorical one with names."""
    return make_model(read_log(log), "mean", names=NAMES)


def unchanged(streams, message, *arguments, error=ValueError, **options):
    before = streams.state
    with pytest.raises(error, match=message):
        streams.step(*arguments, **options)
    for name, values in streams.state.items():
        np.testing.assert_array_equal(values, before[name])


X = np.random.default_rng(1).normal(size=(2, 3))


@pytest.mark.parametrize(
    "given",
    [
        X.tolist(),
        X.astype(object),
        X.astype(">f8"),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        np.ma.masked_array(X, mask=False),
        pd.DataFrame(X, columns=list("abc")),
        pd.DataFrame(X[:, ::-1], columns=list("cba")),
        *other_frames({name: X[:, k] for k, name in enumerate("abc")}),
        memoryview(X),
    ],
    ids=lambda given: type(given).__name__,
)
def test_rows_in_every_form(numbers, given):
    np.testing.assert_array_equal(numbers.stream(2).step(given), numbers.stream(2).step(X), strict=True)


@pytest.mark.parametrize(
    "given",
    [
        X[0].tolist(),
        tuple(X[0]),
        {"c": X[0, 2], "a": X[0, 0], "b": X[0, 1]},
        pd.Series(X[0], index=list("abc")),
        pd.Series(X[0, ::-1], index=list("cba")),
        pd.Series(X[0]),
        pd.DataFrame(X, columns=list("abc")).iloc[0],
        X.T[:, 0],
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_row_in_every_form(numbers, given):
    expected = numbers.stream().step(X[0].copy())
    assert numbers.stream().step(given) == expected
    assert numbers.stream(3).step(given, streams=1) == expected
    assert type(expected) is float


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.int8, np.uint64, bool])
def test_numbers_of_any_dtype(numbers, dtype):
    given = np.array([[3.0, 0.0, 1.0], [1.0, 2.0, 0.0]]).astype(dtype)
    expected = numbers.stream(2).step(given.astype(np.float64))
    np.testing.assert_array_equal(numbers.stream(2).step(given), expected)


def test_frames_of_one_row(numbers):
    frame, expected = pd.DataFrame(X[:1], columns=list("abc")), numbers.stream().step(X[0].copy())
    assert numbers.stream().step(frame).tolist() == [expected]
    assert numbers.stream(3).step(frame, streams=1) == expected
    assert numbers.stream(3).step(frame, streams=[1]).tolist() == [expected]


def test_a_single_feature_needs_no_axis(make_model):
    model = make_model(Sequences.from_list([[1.0, 2.0, 4.0], [3.0, 1.0, 0.0]]))
    expected = model.stream().step(np.array([2.5]))
    for given in (2.5, np.float32(2.5), np.array(2.5), [2.5]):
        assert model.stream().step(given) == expected
        assert model.stream(4).step(given, streams=2) == expected
    assert model.stream(2).step([2.5, 2.5]).tolist() == [expected] * 2
    assert model.stream(4).step([2.5, 2.5], streams=[3, 0]).tolist() == [expected] * 2


@pytest.mark.parametrize(
    "streams",
    [
        [2, 0],
        (2, 0),
        np.array([2, 0], np.int8),
        np.array([2, 0], np.uint64),
        np.array([2, 0])[::1],
        pd.Index([2, 0]),
    ],
    ids=lambda streams: type(streams).__name__,
)
def test_streams_are_named_in_every_form(numbers, streams):
    all_at_once = numbers.stream(3).step(np.stack([X[1], X[1], X[0]]))
    np.testing.assert_array_equal(numbers.stream(3).step(X, streams=streams), all_at_once[[2, 0]])


def test_a_mask_names_streams(numbers):
    streams = numbers.stream(3)
    streams.step(X, streams=[True, False, True])
    assert streams.n_steps.tolist() == [1, 0, 1]
    streams.reset(np.array([True, False, False]))
    assert streams.n_steps.tolist() == [0, 0, 1]
    assert streams.step(np.empty((0, 3)), streams=[]).shape == (0,)
    assert streams.step(np.empty((0, 3)), streams=[False] * 3).shape == (0,)


def test_mixed_rows_in_every_form(mixed):
    rows = [[21.0, 0.001, "run"], [19.0, np.nan, None]]
    expected = mixed.stream(2).step(rows)
    frame = pd.DataFrame(rows, columns=NAMES)
    for given in (
        np.array(rows, dtype=object),
        [tuple(row) for row in rows],
        frame,
        frame.astype({"mode": "category"})[["mode", "speed", "load"]],
        *other_frames({name: [row[k] for row in rows] for k, name in enumerate(NAMES)}),
    ):
        np.testing.assert_array_equal(mixed.stream(2).step(given), expected)
    one = mixed.stream(2)
    named = dict(zip(NAMES, rows[0], strict=True))
    assert one.step(named, streams=0) == expected[0]
    assert one.step(frame.iloc[1], streams=1) == expected[1]
    missing = {"load": 19.0, "speed": pd.NA, "mode": pd.NA}
    assert mixed.stream().step(missing) == expected[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(4),), r"x_t: expected shape \(2, 3\), got \(4,\)\. No stream was changed"),
        ((np.zeros((3, 2)),), r"got \(3, 2\); it looks transposed: a row for each stream"),
        ((np.zeros(3),), r"expected shape \(2, 3\), got \(3,\)"),
        ((np.zeros((2, 3)), 0), r"expected shape \(3,\), got \(2, 3\)"),
        ((np.zeros((2, 3)), [0]), r"expected shape \(1, 3\), got \(2, 3\)"),
        ((0.5,), r"expected shape \(2, 3\), got \(\)"),
        ((None,), "expected real numbers, got None"),
        (("run",), "expected real numbers, got <U3"),
        ((np.zeros((2, 3)) * 1j,), "expected real numbers, got complex numbers"),
        ((np.zeros((2, 3), "M8[s]"),), r"expected real numbers, got datetime64\[s\]"),
        (([[0.0, 1.0, "x"], [0.0] * 3],), "expected real numbers, got <U32"),
        ((np.array([[0.0, 1.0, "x"], [0.0] * 3], object),), "expected real numbers, but could not convert"),
        (([[0.0, 1.0], [0.0]],), "expected rows of numbers, but"),
        (
            ([[np.nan] * 3, [0.0] * 3],),
            r"x_t contains NaN at stream 0, feature 'a' \(0\)\. Fit with missing=",
        ),
        (([[0.0, 1.0, None], [0.0] * 3],), r"x_t contains NaN at stream 0, feature 'c' \(2\)"),
        (([[0.0, 1.0, pd.NA], [0.0] * 3],), r"x_t contains NaN at stream 0, feature 'c' \(2\)"),
        (
            ([[0.0, 1.0, np.inf]], [1]),
            r"x_t contains infinity at stream 1, feature 'c' \(2\); expected finite",
        ),
        (([0.0, np.nan, 0.0], 1), r"x_t contains NaN at stream 1, feature 'b' \(1\)"),
        (([0.0, 1e200, 0.0], 1), r"too large at stream 1, feature 'b' \(1\): 1e\+200, which scaling leaves"),
        ((np.zeros((1, 3)), [2]), "streams: there is no stream 2; there are 0 to 1"),
        ((np.zeros(3), -1), "streams: there is no stream -1"),
        ((np.zeros((3, 3)), [0, 1, 0]), "streams: stream 0 is named twice"),
        ((np.zeros((1, 3)), [True, False, False]), "the mask has 3 entries, but there are 2 streams"),
        (({"a": 1.0, "b": 2.0}, 0), "x_t: feature 'c' is missing; expected 'a', 'b', 'c'"),
        (({"a": 1.0, "b": 2.0, "c": 0.0, "d": 1.0}, 0), "x_t: there is no feature 'd'"),
        ((pd.DataFrame(X, columns=list("abd")),), "x_t: feature 'c' is missing"),
        ((pd.DataFrame(X[:1], columns=list("abc")),), r"expected shape \(2, 3\), got \(1, 3\)"),
        (
            (pd.DataFrame({"a": ["x", "y"], "b": 0.0, "c": 0.0}),),
            r"feature 'a' \(0\) holds strings or categories",
        ),
    ],
)
def test_what_is_wrong_is_named(numbers, arguments, message):
    streams = numbers.stream(2)
    streams.step(X)
    unchanged(streams, message, *arguments)


@pytest.mark.parametrize("wrong", [True, np.True_, 0.5, "1", [0.5], [[0]], None.__class__])
def test_streams_that_are_no_numbers(numbers, wrong):
    streams = numbers.stream(2)
    unchanged(streams, "streams: expected", X, wrong, error=TypeError)
    with pytest.raises(TypeError, match="streams: expected"):
        streams.reset(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 0.0],), r"expected shape \(3,\) or \(1, 3\), got \(2,\)"),
        ((["x", 0.0, "run"],), r"feature 'load' \(0\) is 'x', expected a number"),
        ((["1.5", 0.0, "run"],), r"feature 'load' \(0\) is '1\.5', expected a number"),
        (([1.0, [2.0], "run"],), r"feature 'speed' \(1\) is \[2\.0\], expected a number"),
        (([1.0, 0.0, 3],), r"x_t: feature 'mode' \(2\) holds integers, such as 3; it was fitted on strings"),
        (([1.0, 0.0, 2.5],), r"feature 'mode' \(2\) is 2\.5, which is no category; expected a string"),
        (([1.0, 0.0, np.bool_(True)],), "holds booleans, such as True; it was fitted on strings"),
        (([np.inf, 0.0, "run"],), r"x_t contains infinity at feature 'load' \(0\)"),
        ((None,), "x_t: expected the features of a step, got None"),
        (({"load": 1.0, "speed": 0.0},), "feature 'mode' is missing; expected 'load', 'speed', 'mode'"),
        ((pd.DataFrame({"load": ["x"], "speed": [0.0], "mode": ["run"]}),), "'load' .* holds strings or cat"),
    ],
)
def test_what_is_wrong_among_categories_is_named(mixed, arguments, message):
    unchanged(mixed.stream(), message, *arguments)


def test_missing_categories_are_refused_where_nothing_may_be_missing(make_model, read_log, log):
    complete = log.assign(load=1.0, speed=log["k"] * 1.0, mode=log["mode"].astype(object).fillna("off"))
    streams = make_model(read_log(complete), names=NAMES).stream(2)
    rows = [[1.0, 2.0, "run"], [1.0, 2.0, None]]
    unchanged(streams, r"x_t has a missing value at stream 1, feature 'mode' \(2\)\. Fit with missing=", rows)


def test_names_where_there_were_none(make_model):
    stream = make_model(Sequences.from_array(np.ones((3, 4, 2)))).stream()
    for given in ({"a": 1.0, "b": 2.0}, pd.DataFrame({"a": [1.0], "b": [2.0]})):
        unchanged(stream, "x_t has names, but the model was fitted without any", given)


def test_results_are_written_where_they_are_wanted(numbers):
    expected = numbers.stream(2).step(X)
    out = np.empty(2)
    assert numbers.stream(2).step(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    again = np.empty(2)
    assert numbers.stream(2).step(X.tolist(), None, again) is again
    np.testing.assert_array_equal(again, expected)
    single = np.empty(())
    assert numbers.stream().step(X[0].tolist(), out=single) is single
    assert single == expected[0]


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([0.0, 0.0], TypeError, "out: expected a float64 array to write to, got list"),
        (np.empty(2, np.float32), TypeError, "got ndarray of float32"),
        (np.empty(4)[::2], TypeError, "got ndarray of float64, not contiguous"),
        (np.empty(2, ">f8"), TypeError, "got ndarray of >f8"),
        (np.ma.zeros(2), TypeError, "got MaskedArray of float64"),
        (np.empty(3), ValueError, r"out: expected shape \(2,\), got \(3,\)"),
        (np.empty((2, 1)), ValueError, r"out: expected shape \(2,\), got \(2, 1\)"),
    ],
)
def test_places_that_do_not_fit(numbers, out, error, message):
    unchanged(numbers.stream(2), message, X, out=out, error=error)


def test_a_locked_place(numbers):
    out = np.zeros(2)
    out.flags.writeable = False
    unchanged(numbers.stream(2), "got ndarray of float64, read-only", X, out=out, error=TypeError)
