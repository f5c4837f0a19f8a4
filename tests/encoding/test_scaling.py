"""Scaling: statistics in float64 over the steps that are used, and back."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from grulearn.encoding import Scaling, TargetScaling
from grulearn.sequences import Sequences


def test_rows_come_out_with_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal([5.0, -300.0], [0.1, 40.0], size=(50, 7, 2))
    data = Sequences.from_array(X)
    rows = Scaling.fit(data).transform(data).rows
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(rows.std(axis=0), 1.0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_rows", [1, 8191, 8192, 8193, 20000])  # around the block of the transformation
def test_every_block_is_scaled_alike(n_rows: int, dtype: str) -> None:
    table = np.random.default_rng(1).normal(size=(n_rows, 3))
    scaling = Scaling(np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 4.0]), np.zeros(3, dtype=bool))
    expected = ((table - scaling.mean) / scaling.scale).astype(dtype)
    rows = scaling.transform(Sequences.from_array(table), dtype).rows
    np.testing.assert_array_equal(rows, expected, strict=True)


def test_float32_input_is_scaled_in_float64() -> None:
    table = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)
    scaling = Scaling.fit(Sequences.from_array(table))
    rows = scaling.transform(Sequences.from_array(table), "float64").rows
    np.testing.assert_array_equal(rows, (table.astype(np.float64) - scaling.mean) / scaling.scale)


def test_large_offsets_survive() -> None:
    """Casting to float32 first would leave steps of 128 seconds."""
    seconds = 1.7e9 + np.arange(100.0)[:, None]
    data = Sequences.from_array(seconds)
    rows = Scaling.fit(data).transform(data).rows[:, 0]
    expected = (np.arange(100.0) - 49.5) / np.arange(100.0).std()
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


def test_float32_input_is_averaged_in_float64() -> None:
    values = (1e6 + np.random.default_rng(2).normal(size=(100_000, 1))).astype(np.float32)
    scaling = Scaling.fit(Sequences.from_array(values))
    exact = values.astype(np.float64)
    assert scaling.mean.dtype == scaling.scale.dtype == np.float64
    np.testing.assert_allclose(scaling.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, exact.std(axis=0), rtol=1e-7)


def test_only_the_sequences_given_count() -> None:
    rows = np.array([[0.0], [2.0], [1000.0], [4.0]])
    scaling = Scaling.fit(Sequences(rows, starts=[0, 3], lengths=[2, 1]))
    assert scaling.mean[0] == 2.0


def test_a_shared_step_counts_twice() -> None:
    windows = Sequences(np.array([[0.0], [3.0], [6.0]]), starts=[0, 1], lengths=[2, 2])
    np.testing.assert_allclose(Scaling.fit(windows).scale, np.std([0.0, 3.0, 3.0, 6.0]))


def test_constant_features_get_scale_1_and_are_named() -> None:
    table = np.column_stack([np.full(30, 0.1), np.arange(30.0), np.zeros(30)])
    scaling = Scaling.fit(Sequences.from_array(table))
    assert scaling.constant.tolist() == [True, False, True]
    assert scaling.scale[[0, 2]].tolist() == [1.0, 1.0]
    assert not scaling.transform(Sequences.from_array(table)).rows[:, [0, 2]].any()


def test_identity_changes_nothing() -> None:
    table = np.array([[1.5, -2.0]])
    np.testing.assert_array_equal(Scaling.identity(2).transform(Sequences.from_array(table)).rows, table)


def test_too_large_for_float32_becomes_infinite_without_a_warning() -> None:
    assert np.isinf(Scaling.identity(1).transform(Sequences.from_array(np.array([[1e300]]))).rows[0, 0])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_targets_there_and_back(dtype: str, tolerance: float) -> None:
    y = np.random.default_rng(3).normal([2e5, -1.0], [1e4, 1e-3], size=(40, 2))
    scaling = TargetScaling.fit(y)
    scaled = scaling.transform(y, dtype)
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=tolerance)
    back = scaling.inverse(scaled)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, y, rtol=tolerance)


def test_a_constant_target_comes_back_whatever_the_network_says() -> None:
    y = np.column_stack([np.full(10, 0.1), np.arange(10.0)])
    for standardize in (True, False):
        scaling = TargetScaling.fit(y, standardize=standardize)
        assert scaling.constant.tolist() == [True, False]
        assert np.all(scaling.transform(y)[:, 0] == 0.0)
        back = scaling.inverse(np.full((3, 2), 123.0, dtype=np.float32))
        assert back[:, 0].tolist() == [0.1] * 3


def test_targets_keep_their_units_without_standardize() -> None:
    y = np.arange(5.0)[:, None]
    np.testing.assert_array_equal(TargetScaling.fit(y, standardize=False).transform(y), y)


def test_arrays_rebuild_the_scalings() -> None:
    table = np.column_stack([np.arange(5.0), np.ones(5)])
    scaling, targets = Scaling.fit(Sequences.from_array(table)), TargetScaling.fit(table)
    for old, new in (
        (scaling, Scaling.from_arrays(scaling.to_arrays())),
        (targets, TargetScaling.from_arrays(targets.to_arrays())),
    ):
        np.testing.assert_array_equal(old.mean, new.mean)
        np.testing.assert_array_equal(old.scale, new.scale)
        np.testing.assert_array_equal(old.constant, new.constant)


# Weights and missing values.


def ragged(n: int = 40, seed: int = 4) -> tuple[Sequences, np.ndarray]:
    """Sequences with missing values, and a weight for each."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, n)
    rows = rng.normal([0.0, 1e3, -5.0], [1.0, 1e-2, 40.0], size=(lengths.sum(), 3))
    rows[rng.random(rows.shape) < 0.3] = np.nan
    return Sequences(rows, np.cumsum(lengths) - lengths, lengths), rng.uniform(0.1, 3.0, n)


@pytest.mark.parametrize("size", [1, 10, 64, 10**6])  # blocks without one value of a feature, too
def test_scikit_learn_agrees(size: int, monkeypatch) -> None:
    monkeypatch.setattr("grulearn.encoding.scaling.block_rows", lambda n_features: size)
    data, weights = ragged()
    for given in (None, weights):
        steps = None if given is None else np.repeat(given, data.lengths)
        expected = StandardScaler().fit(data.rows, sample_weight=steps)
        scaling = Scaling.fit(data, given)
        # The mean of the second feature is 1e5 deviations from 0, which costs its deviation 5 digits.
        np.testing.assert_allclose(scaling.mean, expected.mean_, rtol=1e-13)
        np.testing.assert_allclose(scaling.scale, expected.scale_, rtol=1e-10)


def test_small_tables_have_scikit_learns_bits() -> None:
    table = np.random.default_rng(5).normal(3.0, 7.0, size=(1000, 8))
    expected = StandardScaler().fit(table)
    scaling = Scaling.fit(Sequences.from_array(table))
    np.testing.assert_array_equal(scaling.mean, expected.mean_)
    np.testing.assert_array_equal(scaling.scale, expected.scale_)


def test_a_weight_of_two_is_the_sequence_twice() -> None:
    data, _ = ragged()
    weights = np.random.default_rng(6).integers(0, 4, 40)
    weighted = Scaling.fit(data, weights)
    repeated = Scaling.fit(data[np.repeat(np.arange(40), weights)])
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-13)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-12)


def test_windows_weighted() -> None:
    """Rows that windows share count with the sum of their weights."""
    log = Sequences.from_array(np.random.default_rng(7).normal(size=(1, 50, 2)))
    windows = log.windows(6, step=2)
    weights = np.random.default_rng(8).uniform(0.0, 1.0, len(windows))
    index = windows.row_index()
    expected = StandardScaler().fit(windows.rows[index], sample_weight=np.repeat(weights, 6))
    scaling = Scaling.fit(windows, weights)
    np.testing.assert_allclose(scaling.mean, expected.mean_, rtol=1e-13)
    np.testing.assert_allclose(scaling.scale, expected.scale_, rtol=1e-13)


def test_equal_weights_have_the_bits_of_none() -> None:
    data, _ = ragged()
    np.testing.assert_array_equal(Scaling.fit(data, np.full(40, 0.3)).scale, Scaling.fit(data).scale)
    some = np.arange(40) % 3 > 0
    np.testing.assert_array_equal(Scaling.fit(data, some * 7.0).scale, Scaling.fit(data[some]).scale)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_the_unit_of_weights_is_free(factor: float) -> None:
    data, weights = ragged()
    scaled = Scaling.fit(data, weights * factor)
    np.testing.assert_allclose(scaled.scale, Scaling.fit(data, weights).scale, rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(3), r"expected shape \(40,\), one for each sequence, got \(3,\)"),
        (np.full(40, -1.0), "-1.0 for sequence 0; expected finite numbers of at least 0"),
        (np.append(np.ones(39), np.nan), "nan for sequence 39"),
        (np.zeros(40), "all 40 are 0"),
    ],
)
def test_wrong_weights_are_named(weights: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Scaling.fit(ragged()[0], weights)


@pytest.mark.parametrize("exponent", [-300, -200, 200, 307])
def test_very_large_and_very_small_values(exponent: int) -> None:
    """Squares that would leave float64's range."""
    table = np.random.default_rng(9).uniform(-1.0, 1.0, size=(50, 2))
    scaling = Scaling.fit(Sequences.from_array(table * 10.0**exponent))
    expected = StandardScaler().fit(table)
    np.testing.assert_allclose(scaling.mean / 10.0**exponent, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaling.scale / 10.0**exponent, expected.scale_, rtol=1e-12)
    assert not scaling.constant.any()


def test_equal_values_are_constant_however_many() -> None:
    for value in (0.1, 1e-310, 1e300, -7.3, 0.0):
        table = Sequences.from_array(np.full((20_001, 1), value))
        scaling = Scaling.fit(table, np.linspace(0.1, 1.0, 20_001))
        assert scaling.constant.tolist() == [True]
        assert scaling.mean.tolist() == [value]
        assert scaling.transform(table).rows.max() == 0.0


def test_missing_values_do_not_count() -> None:
    table = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    scaling = Scaling.fit(Sequences.from_array(table))
    assert scaling.mean.tolist()[0] == 2.0
    assert np.isnan(scaling.mean[1])
    assert scaling.scale.tolist() == [1.0, 1.0]
    assert scaling.constant.tolist() == [False, False]
    rows = scaling.transform(Sequences.from_array(np.array([[3.0, 9.0]]))).rows
    np.testing.assert_array_equal(rows, np.array([[1.0, np.nan]], dtype=np.float32))


def test_names_times_and_ids_are_kept() -> None:
    data = Sequences(
        np.array([[1.0], [3.0]]), [0], [2], times=[4, 6], ids=["a"], codes=[[0], [0]], categories=[["x"]]
    )
    scaled = Scaling.fit(data).transform(data)
    assert scaled.times is data.times
    assert scaled.ids is data.ids
    assert scaled.codes is data.codes


def test_targets_weighted_and_missing() -> None:
    rng = np.random.default_rng(10)
    y = rng.normal(size=(100, 2))
    y[rng.random((100, 2)) < 0.2] = np.nan
    weights = rng.uniform(size=100)
    expected = StandardScaler().fit(y, sample_weight=weights)
    scaling = TargetScaling.fit(y, weights=weights)
    np.testing.assert_allclose(scaling.mean, expected.mean_, rtol=1e-13)
    np.testing.assert_allclose(scaling.scale, expected.scale_, rtol=1e-13)
    nothing = TargetScaling.fit(np.full((3, 1), np.nan))
    assert nothing.mean.tolist() == [0.0]
    assert nothing.scale.tolist() == [1.0]
