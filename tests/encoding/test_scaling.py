"""Scaling: statistics in float64 over the steps that are used, and back."""

from __future__ import annotations

import numpy as np
import pytest

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
