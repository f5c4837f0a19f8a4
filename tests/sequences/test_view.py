"""Sequences: how data comes in, is picked, and goes out."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split
from sklearn.utils import _safe_indexing, resample, shuffle
from sklearn.utils.validation import _num_samples

from grulearn.sequences import Sequences, as_sequences

LENGTHS = [3, 0, 5, 1]


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in LENGTHS]


@pytest.fixture
def sequences(ragged):
    return Sequences.from_list(ragged)


def assert_equal(sequences, arrays):
    assert len(sequences) == len(arrays)
    for ours, array in zip(sequences.to_list(), arrays, strict=True):
        np.testing.assert_array_equal(ours, array, strict=True)


# From arrays


def test_a_table_is_sequences_of_one_step():
    X = np.arange(6.0).reshape(3, 2)
    table = Sequences.from_array(X)
    assert table.shape == (3, 1, 2)
    assert_equal(table, [X[:1], X[1:2], X[2:]])


def test_a_rectangular_array():
    X = np.arange(24.0).reshape(2, 4, 3)
    sequences = Sequences.from_array(X)
    assert sequences.shape == (2, 4, 3)
    assert_equal(sequences, list(X))


@pytest.mark.parametrize("shape", [(5, 3), (5, 4, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_contiguous_float_array_is_not_copied(shape, dtype):
    X = np.zeros(shape, dtype=dtype)
    sequences = Sequences.from_array(X)
    assert np.shares_memory(sequences.rows, X)
    assert sequences.rows.dtype == sequences.dtype == dtype


@pytest.mark.parametrize("X", [np.arange(24.0).reshape(4, 3, 2).transpose(1, 0, 2), np.ones((4, 6)).T])
def test_any_layout_gives_contiguous_rows(X):
    sequences = Sequences.from_array(X)
    assert sequences.rows.flags.c_contiguous
    assert_equal(sequences, list(X) if X.ndim == 3 else [row[None] for row in X])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.int64, np.float64),
        (np.uint8, np.float64),
        (np.bool_, np.float64),
        (np.float16, np.float32),
        (np.longdouble, np.float64),
        (np.dtype(">f4"), np.dtype("=f4")),
        (np.dtype(">f8"), np.dtype("=f8")),
        (object, np.float64),
    ],
)
def test_other_numbers_are_converted(dtype, expected):
    X = np.array([[0, 1], [1, 1]]).astype(dtype)
    assert_equal(Sequences.from_array(X), [X[:1].astype(expected), X[1:].astype(expected)])


def test_missing_values_stay_nan():
    X = np.array([[1.0, np.nan], [3.0, 4.0]])
    for values in (
        X,
        X.astype(object),
        [[1.0, None], [3.0, 4.0]],
        np.ma.masked_array([[1, 2], [3, 4]], mask=[[False, True], [False, False]]),
        pd.DataFrame(X),
        pd.DataFrame(X).convert_dtypes(),
    ):
        np.testing.assert_array_equal(as_sequences(values).rows, X)


@pytest.mark.parametrize("shape", [(0, 3), (0, 4, 3), (2, 0, 3), (2, 0), (2, 3, 0)])
def test_empty_arrays(shape):
    sequences = Sequences.from_array(np.zeros(shape))
    assert len(sequences) == shape[0]
    assert sequences.n_features == shape[-1]
    assert sequences.row_index().shape == (len(sequences.rows),)


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((1, 2, 3, 4)), 3.0])
def test_arrays_of_other_dimensions(X):
    with pytest.raises(ValueError, match=r"X: expected a table .* Reshape your data"):
        Sequences.from_array(X)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array([["a", "b"]]), ValueError, "X: expected numbers, got an array of <U1"),
        (
            np.array([[1.0, 2.0], [3.0, "high"]], dtype=object),
            ValueError,
            r"X: 'high' at \[1, 1\] is not a number",
        ),
        (np.array([[1j, 2]]), ValueError, "X: Complex data not supported"),
        (
            np.zeros((2, 2), dtype="datetime64[s]"),
            ValueError,
            "X: expected numbers, got an array of datetime64",
        ),
        ([[1.0, 2.0], [3.0]], ValueError, "X: the values do not form a rectangular array"),
        (sparse.csr_matrix(np.eye(3)), TypeError, "X: a sparse matrix is not supported"),
        (sparse.coo_array(np.eye(3)), TypeError, "X: a sparse matrix is not supported"),
    ],
)
def test_values_that_are_no_numbers(X, error, message):
    with pytest.raises(error, match=message):
        as_sequences(X)


# From lists


def test_sequences_of_different_lengths(ragged, sequences):
    assert sequences.shape == (4, None, 2)
    np.testing.assert_array_equal(sequences.lengths, LENGTHS)
    assert_equal(sequences, ragged)


def test_a_list_of_equal_lengths_has_a_number_of_steps():
    assert Sequences.from_list([np.zeros((3, 2))] * 4).shape == (4, 3, 2)


def test_a_list_is_float32_only_if_all_is():
    single = np.zeros((2, 1), dtype=np.float32)
    assert Sequences.from_list([single, single]).dtype == np.float32
    assert Sequences.from_list([single, np.zeros((3, 1))]).dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "there is no sequence in the list"),
        ([np.zeros((2, 3)), np.zeros(3)], r"sequence 1: expected shape \(steps, features\), got \(3,\)"),
        (
            [np.zeros((2, 3)), np.zeros((4, 3)), np.zeros((4, 2))],
            "sequence 2 has 2 features, but sequence 0 has 3",
        ),
        (
            [np.zeros((3, 7)), np.zeros((3, 4))],
            r"sequence 1 has 4 features.* look transposed.*\[x.T for x in X\]",
        ),
        ([np.zeros((2, 1)), np.array([["x"]])], "sequence 1: expected numbers"),
        (
            [np.zeros((2, 1)), np.array([[1], ["x"]], dtype=object)],
            r"sequence 1: 'x' at \[1, 0\] is not a number",
        ),
    ],
)
def test_lists_that_do_not_fit(arrays, message):
    with pytest.raises(ValueError, match=message):
        Sequences.from_list(arrays)


def test_as_sequences_tells_the_forms_apart(ragged, sequences):
    assert as_sequences(sequences) is sequences
    assert_equal(as_sequences(ragged), ragged)
    assert_equal(as_sequences(tuple(ragged)), ragged)
    assert_equal(as_sequences([pd.DataFrame(array) for array in ragged]), ragged)
    steps = [array for array in ragged if len(array)]
    assert_equal(as_sequences([array.tolist() for array in steps]), steps)
    assert as_sequences([[1, 2], [3, 4], [5, 6]]).shape == (3, 1, 2)
    assert as_sequences([np.zeros(2), np.zeros(2)]).shape == (2, 1, 2)
    assert as_sequences([[[1, 2], [3, 4], [5, 6]]]).shape == (1, 3, 2)


# The list view


def test_windows_over_a_log_are_views():
    log = np.arange(20.0).reshape(10, 2)
    windows = Sequences(log, np.arange(8), np.full(8, 3))
    assert windows.shape == (8, 3, 2)
    assert np.shares_memory(windows.rows, log)
    assert_equal(windows, [log[i : i + 3] for i in range(8)])


@pytest.mark.parametrize(
    ("starts", "lengths", "message"),
    [
        ([0, 3], [3, 3], "sequence 1: start 3 and length 3 do not fit into the 5 rows there are"),
        ([0, -1], [3, 1], "sequence 1: start -1"),
        ([0], [-1], "sequence 0: start 0 and length -1"),
        ([6], [0], "sequence 0: start 6"),
        ([2**63 - 1], [2], f"sequence 0: start {2**63 - 1} and length 2"),
        ([2], [2**63 - 1], "sequence 0: start 2"),
        ([0, 1], [1], "2 starts but 1 lengths"),
        ([0.0], [1], "starts: expected integers"),
        ([0], [[1]], "lengths: expected integers"),
        ([0], [True], "lengths: expected integers"),
    ],
)
def test_views_that_leave_the_rows(starts, lengths, message):
    with pytest.raises(ValueError, match=message):
        Sequences(np.zeros((5, 2)), starts, lengths)


def test_rows_are_a_matrix():
    with pytest.raises(ValueError, match=r"rows: expected shape \(rows, features\), got \(5,\)"):
        Sequences(np.zeros(5), [0], [1])


def test_an_empty_sequence_may_start_at_the_end():
    assert Sequences(np.zeros((5, 2)), [5], [0]).shape == (1, 0, 2)


def test_row_index_lists_the_rows_in_order(ragged, sequences):
    picked = sequences[[2, 0, 1, 2]]
    np.testing.assert_array_equal(picked.row_index(), [3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(
        picked.rows[picked.row_index()], np.concatenate([ragged[i] for i in (2, 0, 1, 2)])
    )
    assert sequences[[]].row_index().dtype == np.int64


def test_n_steps_summary(sequences):
    assert sequences.n_steps_summary() == (0, 2.0, 5)
    assert sequences[[0, 2]].n_steps_summary() == (3, 4.0, 5)
    assert sequences[:0].n_steps_summary() == (0, 0.0, 0)


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros((2, 3)), "Sequences(2 sequences of 1 step, 3 features, float64)"),
        (np.zeros((1, 4, 1), dtype=np.float32), "Sequences(1 sequence of 4 steps, 1 feature, float32)"),
        ([np.zeros((0, 2)), np.zeros((3, 2))], "Sequences(2 sequences of 0 to 3 steps, 2 features, float64)"),
        (np.zeros((0, 2)), "Sequences(0 sequences of 0 steps, 2 features, float64)"),
    ],
)
def test_repr(X, text):
    assert repr(as_sequences(X)) == text


def test_frozen_but_picklable(ragged, sequences):
    with pytest.raises(AttributeError):
        sequences.rows = np.zeros((1, 1))
    assert_equal(pickle.loads(pickle.dumps(sequences)), ragged)
    assert_equal(copy.deepcopy(sequences), ragged)


# Picking


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([2, 0], [2, 0]),
        ((2, 0, 3), [2, 0, 3]),
        (range(2), [0, 1]),
        ([], []),
        (np.array([3, 3, -1]), [3, 3, 3]),
        (np.array([2], dtype=np.uint8), [2]),
        (np.array([], dtype=np.int64), []),
        (np.array([True, False, True, False]), [0, 2]),
        ([True, False, False, True], [0, 3]),
        (np.zeros(4, dtype=bool), []),
        (([1, 2], ...), [1, 2]),
    ],
    ids=str,
)
def test_picking_shares_the_rows(ragged, sequences, key, expected):
    picked = sequences[key]
    assert isinstance(picked, Sequences)
    assert picked.rows is sequences.rows
    assert picked.starts.flags.c_contiguous  # the core takes no strided ones, such as those of [::-1]
    assert picked.lengths.flags.c_contiguous
    assert_equal(picked, [ragged[i] for i in expected])


@pytest.mark.parametrize("key", [0, 2, -1, np.int64(3), np.array(1)])
def test_an_int_gives_one_sequence_as_a_view(ragged, sequences, key):
    one = sequences[key]
    np.testing.assert_array_equal(one, ragged[int(key)])
    assert one.size == 0 or np.shares_memory(one, sequences.rows)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (4, "sequence 4 was asked for, but there are 4"),
        (-5, "sequence -5 was asked for"),
        ([0, 7], "sequence 7 was asked for"),
        ([0, -7], "sequence -7 was asked for"),
        ([True, False], "the mask has 2 entries, but there are 4 sequences"),
        (1.5, "sequences are picked by"),
        ([1.5], "sequences are picked by"),
        ("a", "sequences are picked by"),
        (True, "sequences are picked by"),
        (None, "sequences are picked by"),
        (np.array([[0, 1]]), "sequences are picked by"),
        (np.array([]), "sequences are picked by"),
        ((slice(None), 0), "sequences are picked by"),
    ],
)
def test_keys_that_do_not_fit(sequences, key, message):
    with pytest.raises(IndexError, match=message):
        sequences[key]


def test_iterating_gives_the_sequences(ragged, sequences):
    for ours, array in zip(sequences, ragged, strict=True):
        np.testing.assert_array_equal(ours, array)


# scikit-learn


@pytest.mark.parametrize("key", [[0, 2], np.array([3, 1]), np.array([True, False, True, True]), slice(1, 3)])
def test_safe_indexing(ragged, sequences, key):
    picked = _safe_indexing(sequences, key)
    assert_equal(picked, [ragged[i] for i in np.arange(4)[key]])
    np.testing.assert_array_equal(_safe_indexing(sequences, 2), ragged[2])


def test_splitters_and_resampling():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, 2)) for n in rng.integers(0, 6, size=30)]
    sequences, y = Sequences.from_list(arrays), np.arange(30)
    assert _num_samples(sequences) == 30
    train, test, y_train, y_test = train_test_split(sequences, y, random_state=0)
    assert_equal(train, [arrays[i] for i in y_train])
    assert_equal(test, [arrays[i] for i in y_test])
    for splitter, groups in ((KFold(3), None), (StratifiedKFold(3), None), (GroupKFold(3), y % 5)):
        for train_index, test_index in splitter.split(sequences, y % 2, groups):
            assert_equal(sequences[train_index], [arrays[i] for i in train_index])
            assert_equal(sequences[test_index], [arrays[i] for i in test_index])
    for function in (shuffle, resample):
        picked, order = function(sequences, y, random_state=0)
        assert_equal(picked, [arrays[i] for i in order])
