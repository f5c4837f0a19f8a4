"""Every form of input that is no dataframe: told apart, read, refused with the place, and given back."""

from __future__ import annotations

import datetime
import pickle

import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Schema, Sequences, as_sequences


def vectors(*lengths):
    return [np.arange(n, dtype=np.float64) + 10 * n for n in lengths]


# One feature, and the ambiguity of vectors


def test_vectors_of_different_lengths_are_sequences_of_one_feature():
    arrays = vectors(3, 0, 5)
    for X in (arrays, tuple(arrays), [pd.Series(array) for array in arrays], Sequences.from_list(arrays)):
        sequences = as_sequences(X)
        assert sequences.lengths.tolist() == [3, 0, 5]
        for ours, array in zip(sequences, arrays, strict=True):
            np.testing.assert_array_equal(ours, array[:, None])


def test_vectors_of_one_length_are_a_table_as_for_numpy():
    arrays = vectors(3, 3)
    for X in (arrays, [array.tolist() for array in arrays], arrays[:1]):
        assert as_sequences(X).shape == (len(X), 1, 3)
        np.testing.assert_array_equal(as_sequences(X).to_table(), np.asarray(X))


def test_from_list_reads_vectors_of_any_lengths_as_sequences():
    for X in (vectors(3, 3), [[1, 2, 3], [4, 5, 6]]):
        assert Sequences.from_list(X).shape == (2, 3, 1)
    assert Sequences.from_list([[1.0], [], [2, 3]]).lengths.tolist() == [1, 0, 2]


def test_rows_of_different_lengths_are_no_sequences_by_guess():
    with pytest.raises(
        ValueError, match=r"row 0 has 2, row 2 has 1.*Sequences.from_list\(X\).*tokens='item'"
    ):
        as_sequences([[1.0, 2.0], [3.0, 4.0], [3.0]])


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize("wrap", [object_array, pd.Series], ids=["object array", "series"])
def test_object_arrays_are_read_like_lists(wrap):
    ragged = [np.ones((3, 2)), np.zeros((1, 2))]
    assert as_sequences(wrap(ragged)).shape == (2, None, 2)
    assert as_sequences(wrap(vectors(2, 4))).shape == (2, None, 1)
    assert as_sequences(np.array([np.zeros((3, 2))] * 2, dtype=object)).shape == (2, 3, 2)
    assert as_sequences(np.array([["1", 2], [3, 4.0]], dtype=object)).rows.tolist() == [[1, 2], [3, 4]]


# Refusals


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (None, ValueError, "X is None; expected numbers"),
        ({"a": [1.0]}, TypeError, r"X: got a dict.*list\(X.values\(\)\)"),
        ((x for x in [1.0]), TypeError, r"X: got a generator.*list\(X\)"),
        ({1.0}, TypeError, "X: got a set"),
        ([], ValueError, "X: expected a table"),
        (pd.Series([1.0, 2.0]), ValueError, r"got one column \(Series\); pass X.to_frame\(\)"),
        ("text", ValueError, "expected numbers, got an array of <U4.*tokens"),
        (["a", "b"], ValueError, "X holds a string at 0; say tokens='char' or tokens='word'"),
        (pd.Series(["a", "b"]), ValueError, "X holds a string at 0"),
        ([["a", "b"], ["c", "d"]], ValueError, "expected numbers, got an array of <U1.*tokens.*a dataframe"),
        ([["a"], ["b", "c"]], ValueError, "row 0 has 1, row 1 has 2.*tokens='item'"),
        ([[[1, 2], [3]], [[1, 2]]], ValueError, "sequence 0: the values do not form a rectangular array"),
        (
            [[[1, 2]], [[1, 2], [3, 4]], [[1, 2, 3]]],
            ValueError,
            "sequence 2 has 3 features, but sequence 0 has 2",
        ),
        ([[], [[1, 2]]], ValueError, r"sequence 0: expected shape.*no steps has shape \(0, features\)"),
        ([np.zeros((2, 1)), np.zeros((1, 1), complex)], ValueError, "sequence 1: Complex data not supported"),
        (
            [np.zeros((2, 1)), np.zeros((1, 1), "M8[s]")],
            ValueError,
            "sequence 1: expected numbers, got.*hour",
        ),
        (
            [[datetime.date(2024, 5, 1), 1.0]],
            ValueError,
            r"datetime.date\(2024, 5, 1\) at \[0, 0\] is not a number",
        ),
        ([[1, 2], [10**400, 3]], ValueError, r"X: the integer at \[1, 0\] is beyond float64's range"),
        (
            [pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [1], "a": [2]})],
            ValueError,
            r"sequence 1 has the columns \('b', 'a'\), but sequence 0 has \('a', 'b'\)",
        ),
    ],
)
def test_what_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        as_sequences(X)


def test_large_integers_are_rounded_like_any_large_number():
    X = [[2**64 + 1, 1], [-(2**63), 2]]
    np.testing.assert_array_equal(as_sequences(X).rows, [[2.0**64, 1], [-(2.0**63), 2]])


def test_booleans_and_masked_values():
    sequences = as_sequences([np.array([[True], [False]]), np.array([[True]])])
    np.testing.assert_array_equal(sequences.rows, [[1], [0], [1]])
    masked = np.ma.masked_array([[1.0, 2.0]], [[False, True]])
    np.testing.assert_array_equal(as_sequences([masked, masked]).rows, [[1, np.nan]] * 2)


def test_sequences_without_steps_are_named_where_they_are_refused():
    sequences = Sequences(np.zeros((3, 1)), [0, 1, 1], [1, 0, 0], ids=["a", "b", "c"])
    with pytest.raises(
        ValueError, match=r"sequence 1 \(id 'b'\) has 0 steps .1 more such sequence.; .*X.lengths >= 1"
    ):
        sequences.require_steps()
    sequences[sequences.lengths >= 1].require_steps()


# Blocks


def test_blocks_are_checked():
    rows = np.zeros((2, 1))
    for options, message in [
        ({"codes": [[0], [0]]}, "codes have 1 columns, but there are 0 lists of categories"),
        ({"categories": [["a"]]}, "1 lists of categories, but no codes"),
        (
            {"codes": [[0], [1]], "categories": [["a"]]},
            r"codes: 1 in row 1, column 0; expected -1 \(missing\) to 0",
        ),
        ({"codes": [[0], [-2]], "categories": [["a"]]}, "codes: -2 in row 1"),
        (
            {"codes": [[0], [0]], "categories": [["a", "a"]]},
            "categories 0: 2 categories, but only 1 distinct",
        ),
        ({"codes": [[0], [0]], "categories": [[["a"]]]}, "categories 0: expected categories of shape"),
        ({"codes": [[0.0], [0.0]], "categories": [["a"]]}, "codes: expected integers of shape"),
        ({"codes": [[0]], "categories": [["a"]]}, r"codes: expected integers of shape \(2, "),
        ({"times": [1]}, r"times: expected numbers, datetimes or durations of shape \(2,\)"),
        ({"times": ["a", "b"]}, "times: expected numbers"),
        ({"times": [0.0, np.nan]}, "times: nan in row 1"),
        ({"times": np.array(["2024", "NaT"], "M8[s]")}, "times: NaT in row 1"),
        ({"times": np.array([0, 2**63], np.uint64)}, "times: 9223372036854775808 is beyond int64"),
        ({"ids": ["a", "b"]}, r"ids: expected shape \(1,\)"),
        ({"schema": Schema(features=("a", "b"))}, "schema.features has 2 entries, expected 1"),
        ({"schema": Schema(categorical=("a",))}, "schema.categorical has 1 entries, expected 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            Sequences(rows, [0], [2], **options)


def full():
    return Sequences(
        np.arange(8.0).reshape(4, 2),
        [0, 2, 1],
        [2, 2, 0],
        codes=[[0], [1], [-1], [0]],
        categories=[["x", "y"]],
        times=np.array(["2024-01-01", "2024-01-02", "2024-01-01", "2024-02-01"], "M8[s]"),
        ids=["a", "b", "c"],
        schema=Schema(features=("u", "v"), categorical=("w",), id="who", time="when"),
    )


def test_picking_shares_every_block_and_takes_the_ids_along():
    sequences = full()
    for key, expected in (
        ([1, 0, 1], ["b", "a", "b"]),
        (slice(1, None), ["b", "c"]),
        (np.array([True, False, False]), ["a"]),
    ):
        picked = sequences[key]
        assert picked.ids.tolist() == expected
        for block in ("rows", "codes", "times", "categories", "schema"):
            assert getattr(picked, block) is getattr(sequences, block)
    assert sequences.times.dtype == np.int64
    assert sequences.times[sequences.span(1)].view("M8[s]").tolist()[1] == datetime.datetime(2024, 2, 1)
    assert sequences.label(-2) == "sequence -2 (who 'b')"
    assert (
        repr(sequences)
        == "Sequences(3 sequences of 0 to 2 steps, 2 features, 1 categorical feature, float64)"
    )


def test_everything_survives_pickling():
    sequences, copy = full(), pickle.loads(pickle.dumps(full()))
    pd.testing.assert_frame_equal(copy.to_frame(), sequences.to_frame())
    assert copy.schema == sequences.schema
    assert copy.ids.tolist() == ["a", "b", "c"]


def test_other_rows_leave_the_rest():
    sequences = full()
    halved = sequences.with_rows(np.float32(sequences.rows / 2))
    assert halved.dtype == np.float32
    assert halved.schema.features == ("u", "v")
    assert halved.codes is sequences.codes
    assert halved.times is sequences.times
    assert sequences.with_rows(np.zeros((4, 3))).schema.features is None
    with pytest.raises(ValueError, match=r"rows: expected shape \(4, features\), got \(3, 2\)"):
        sequences.with_rows(np.zeros((3, 2)))


def test_numbers_become_categories():
    sequences = full().with_categorical(["v"])
    assert sequences.schema.features == ("u",)
    assert sequences.schema.categorical == ("w", "v")
    assert sequences.categories[1].tolist() == [1, 3, 5, 7]
    np.testing.assert_array_equal(sequences.rows[:, 0], [0, 2, 4, 6])
    np.testing.assert_array_equal(sequences.codes[:, 1], [0, 1, 2, 3])
    missing = as_sequences([[np.nan], [4.0], [-1.0]]).with_categorical([0])
    assert missing.codes.tolist() == [[-1], [1], [0]]
    assert missing.n_features == 0


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([2], "there is no numeric feature 2; they count from 0 to 1"),
        ([-1], "there is no numeric feature -1"),
        (["w"], r"there is no numeric feature 'w'; there are \['u', 'v'\]"),
        ([0, "u"], "one is named twice"),
    ],
)
def test_features_that_cannot_become_categories(features, message):
    with pytest.raises(ValueError, match=message):
        full().with_categorical(features)
    with pytest.raises(ValueError, match="feature 1, row 1: 0.5 is no category"):
        as_sequences([[1, 2], [3, 0.5]]).with_categorical([1])


# Back


def test_back_to_a_list_an_array_a_table():
    ragged = [np.ones((3, 2)), np.zeros((1, 2))]
    for ours, array in zip(Sequences.from_list(ragged).to_list(), ragged, strict=True):
        np.testing.assert_array_equal(ours, array, strict=True)
    cube = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    order = [2, 0, 2]
    np.testing.assert_array_equal(as_sequences(cube)[order].to_array(), cube[order], strict=True)
    np.testing.assert_array_equal(np.asarray(as_sequences(cube)), cube, strict=True)
    np.testing.assert_array_equal(np.asarray(as_sequences(cube), dtype=np.float64), cube)
    table = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(as_sequences(table)[::-1].to_table(), table[::-1], strict=True)
    assert as_sequences(np.zeros((0, 3))).to_array().shape == (0, 0, 3)


def test_forms_that_have_no_place_for_all_of_it():
    ragged = Sequences(np.zeros((3, 1)), [0, 1], [1, 2], ids=[7, 8])
    lengths = r"1 to 2 steps \(sequence 0 \(id 7\) has 1, sequence 1 \(id 8\) has 2\).*to_list\(\)"
    for call in (ragged.to_array, lambda: np.asarray(ragged)):
        with pytest.raises(ValueError, match=lengths):
            call()
    with pytest.raises(ValueError, match=r"sequence 1 \(id 8\) has 2 steps; a row of a table has one"):
        ragged.to_table()
    with pytest.raises(ValueError, match="cannot be made without a copy"):
        np.array(ragged[:1], copy=False)
    for call in (full().to_list, full().to_array, full().to_table):
        with pytest.raises(ValueError, match="1 categorical feature has no place in an array of numbers"):
            call()
    with pytest.raises(ValueError, match="here are 1 categorical and 2 numeric features"):
        full().to_tokens()
