"""The encoding as a whole: what goes in, what comes out, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.preprocessing import StandardScaler

from grulearn.encoding import InputEncoding, check_values
from grulearn.sequences import Schema, Sequences
from grulearn.spec import InputSpec


def ragged(seed: int = 0, n: int = 12) -> Sequences:
    """Sequences of 1 to 9 steps with three features."""
    rng = np.random.default_rng(seed)
    return Sequences.from_list(
        [rng.normal([1.0, -50.0, 1e6], [1.0, 9.0, 3.0], size=(k, 3)) for k in rng.integers(1, 10, n)]
    )


def again(encoding: InputEncoding) -> InputEncoding:
    """Send an encoding through plain arrays and JSON text."""
    arrays = {name: np.frombuffer(a.tobytes(), a.dtype) for name, a in encoding.to_arrays().items()}
    return InputEncoding.from_parts(arrays, json.loads(json.dumps(encoding.state())))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_scaled_as_scikit_learn_does(dtype: str) -> None:
    data = ragged()
    encoded = InputEncoding.fit(data, standardize=True, missing="error").transform(data, dtype)
    expected = StandardScaler().fit_transform(data.rows)
    assert encoded.rows.dtype == dtype
    np.testing.assert_allclose(encoded.rows, expected, rtol=1e-6 if dtype == "float32" else 1e-9, atol=1e-7)
    np.testing.assert_array_equal(encoded.starts, data.starts)
    assert encoded.codes.shape == (len(data.rows), 0)


def test_without_standardize_numbers_stay_as_they_are() -> None:
    data = ragged()
    encoding = InputEncoding.fit(data, standardize=False, missing="error")
    np.testing.assert_array_equal(encoding.transform(data, "float64").rows, data.rows)
    assert encoding.input_spec == InputSpec(3)


def test_only_what_sequences_use_is_encoded() -> None:
    """One sequence of a long log costs what it costs; what lies between sequences may be anything."""
    rows = np.full((100, 2), np.nan)
    rows[40:50] = np.arange(20.0).reshape(10, 2)
    data = Sequences(rows, [44, 40], [6, 6])
    encoded = InputEncoding.fit(data, standardize=False, missing="error").transform(data, "float64")
    np.testing.assert_array_equal(encoded.rows, rows[40:50])
    assert encoded.starts.tolist() == [4, 0]


def test_windows_share_their_rows() -> None:
    log = Sequences.from_list([np.arange(1000.0), np.arange(500.0)])
    windows = log.windows(50)
    encoded = InputEncoding.fit(windows, standardize=True, missing="mean").transform(windows)
    assert len(encoded.rows) == 1500
    assert len(encoded) == len(windows)
    picked = encoded[[3, 3, 700]]
    assert picked.rows is encoded.rows
    assert picked.starts.tolist() == [3, 3, int(windows.starts[700])]


def test_zero_lengths_and_no_sequences() -> None:
    fitted = InputEncoding.fit(ragged(), standardize=True, missing="error")
    rows = np.arange(12.0).reshape(4, 3)
    encoded = fitted.transform(Sequences(rows, [4, 1, 0, 2], [0, 2, 0, 0]))
    assert len(encoded.rows) == 2
    assert encoded.lengths.tolist() == [0, 2, 0, 0]
    assert ((encoded.starts >= 0) & (encoded.starts + encoded.lengths <= 2)).all()
    empty = fitted.transform(Sequences(rows, [], []))
    assert len(empty) == len(empty.rows) == 0


def test_nan_is_refused_where_it_is() -> None:
    data = Sequences.from_list([[1.0, 2.0], [3.0, np.nan, np.nan]])
    with pytest.raises(
        ValueError, match=r"contains NaN at sequence 1, step 1, feature 0 \(1 more such val.*simple"
    ):
        InputEncoding.fit(data, standardize=True, missing="error")
    fitted = InputEncoding.fit(data[[0]], standardize=True, missing="error")
    with pytest.raises(ValueError, match=r"contains NaN at sequence 0, step 1, feature 0 \(1 more"):
        fitted.transform(data[[1, 0]])
    table = Sequences.from_array(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]}))
    with pytest.raises(ValueError, match=r"contains NaN at row 1, column 'b' \(1\)\. Pass missing="):
        check_values(table, "error")


@pytest.mark.parametrize("missing", ["error", "mean"])
def test_infinity_is_refused_always(missing: str) -> None:
    data = Sequences(
        np.array([[1.0, np.nan if missing == "mean" else 0.0], [np.inf, 2.0]]),
        [0],
        [2],
        ids=["m7"],
        schema=Schema(("load", "speed"), id="machine"),
    )
    where = r"infinity at sequence 0 \(machine 'm7'\), step 1, feature 'load' \(0\)"
    with pytest.raises(ValueError, match=where):
        InputEncoding.fit(data, standardize=True, missing=missing)
    fine = Sequences(np.array([[1.0, 2.0], [2.0, 2.0]]), [0], [2])
    with pytest.raises(ValueError, match=where):
        InputEncoding.fit(fine, standardize=True, missing=missing).transform(data)


def test_values_outside_float32_are_named() -> None:
    fitted = InputEncoding.fit(ragged(), standardize=True, missing="error")
    data = Sequences.from_list([np.zeros((2, 3)), np.array([[0.0, 0.0, 0.0], [0.0, 1e300, -1e300]])])
    message = r"too large for float32 at sequence 1, step 1, feature 1 \(1 more such value\): 1e\+300, which"
    with pytest.raises(ValueError, match=message):
        fitted.transform(data)
    assert np.isfinite(fitted.transform(data, "float64").rows).all()


def test_assume_finite_checks_nothing() -> None:
    data = Sequences.from_list([[1.0, np.nan]])
    fitted = InputEncoding.fit(Sequences.from_list([[1.0, 2.0]]), standardize=False, missing="error")
    with sklearn.config_context(assume_finite=True):
        assert np.isnan(fitted.transform(data).rows[1, 0])


def test_other_features_are_refused() -> None:
    fitted = InputEncoding.fit(ragged(), standardize=True, missing="error")
    with pytest.raises(ValueError, match="X has 2 features, expected 3 features as in the training part"):
        fitted.transform(Sequences(np.zeros((1, 2)), [0], [1]))
    coded = Sequences(np.zeros((1, 2)), [0], [1], codes=[[0]], categories=[["a"]])
    with pytest.raises(ValueError, match="X has 2 numeric and 1 categorical features, expected 3 features"):
        fitted.transform(coded)


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(
        ValueError, match="missing='drop'; expected one of 'error', 'mean', 'forward', 'simple'"
    ):
        InputEncoding.fit(ragged(), standardize=True, missing="drop")


def test_through_arrays_and_json_and_back() -> None:
    data = ragged()
    encoding = InputEncoding.fit(data, standardize=True, missing="mean")
    other = again(encoding)
    assert other.input_spec == encoding.input_spec
    assert other.state() == encoding.state()
    np.testing.assert_array_equal(other.transform(data).rows, encoding.transform(data).rows, strict=True)


def test_older_files_have_scalings_only() -> None:
    data = ragged()
    encoding = InputEncoding.fit(data, standardize=True, missing="error")
    old = InputEncoding.from_parts(encoding.scaling.to_arrays(), {})
    assert old.missing == "error"
    np.testing.assert_array_equal(old.transform(data).rows, encoding.transform(data).rows)


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_nothing_to_fit_on(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="the training part has no step"):
        InputEncoding.fit(
            Sequences(np.zeros((2, 1)), [0] * len(lengths), lengths), standardize=True, missing="mean"
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_rows", [1, 21845, 21846, 50_000])  # around the blocks: 2**16 // 3
def test_every_block_is_scaled_alike(n_rows: int, dtype: str) -> None:
    table = np.random.default_rng(1).normal(size=(n_rows, 3))
    data = Sequences.from_array(table)
    encoding = InputEncoding.fit(data, standardize=True, missing="error")
    expected = ((table - encoding.scaling.mean) / encoding.scaling.scale).astype(dtype)
    np.testing.assert_array_equal(encoding.transform(data, dtype).rows, expected, strict=True)
