"""Same bits whatever the batch and the threads; NaN and infinity where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn import _core
from grulearn.equations import gru_sequence
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec

# States are below 1 and sums of some 40 terms round a few times 6e-8 (float32) or 1.1e-16 (float64).
TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
LENGTHS = np.random.default_rng(3).integers(1, 30, 83)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("n_jobs", [2, 3, 8])
def test_threads_do_not_change_a_bit(make_case, isa, dtype, n_jobs, reset_after):
    cell = CellSpec(45, num_layers=2, bidirectional=True, reset_after=reset_after)
    case = make_case(11, cell, LENGTHS, isa=isa, dtype=dtype)
    for one, many in zip(case.forward(1), case.forward(n_jobs), strict=True):
        np.testing.assert_array_equal(one, many)
    one, many = case.backward(1), case.backward(n_jobs)
    for name in one[0]:
        np.testing.assert_array_equal(one[0][name], many[0][name], err_msg=name)
    np.testing.assert_array_equal(one[1], many[1])
    np.testing.assert_array_equal(one[2], many[2])


@pytest.mark.parametrize("reset_after", [True, False])
def test_batch_mates_do_not_change_a_bit(make_case, isa, dtype, reset_after):
    case = make_case(
        6, CellSpec(27, bidirectional=True, reset_after=reset_after), LENGTHS, isa=isa, dtype=dtype
    )
    outputs, _ = case.forward()
    for size in (1, 2, 3, 5, 9):
        for begin in range(0, len(LENGTHS), 3 * size):
            part = slice(begin, begin + size)
            alone, _ = case.network.forward(case.rows, case.starts[part], case.lengths[part], None, 1)
            first = case.starts[begin]
            np.testing.assert_array_equal(alone, outputs[first : first + len(alone)])


@pytest.mark.parametrize("reset_after", [True, False])
def test_training_and_inference_forward_agree_to_the_bit(make_case, isa, dtype, reset_after):
    case = make_case(
        6, CellSpec(27, num_layers=2, reset_after=reset_after), LENGTHS, with_h0=True, isa=isa, dtype=dtype
    )
    outputs, h_n = case.forward()
    tape = _core.record(case.network, case.rows, case.starts, case.lengths, case.h0, 1)
    np.testing.assert_array_equal(tape.outputs, outputs)
    np.testing.assert_array_equal(tape.h_n, h_n)


def test_instruction_sets_differ_by_rounding_only(make_case, dtype):
    sets = _core.instruction_sets()
    results = [make_case(8, CellSpec(33), LENGTHS, isa=isa, dtype=dtype).forward() for isa in sets]
    for outputs, h_n in results[1:]:
        np.testing.assert_allclose(outputs, results[0][0], rtol=0, atol=TOLERANCE[dtype])
        np.testing.assert_allclose(h_n, results[0][1], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("reset_after", [True, False])
def test_nan_stays_in_its_sequence(make_case, isa, dtype, reset_after):
    case = make_case(4, CellSpec(19, reset_after=reset_after), [6] * 11, isa=isa, dtype=dtype)
    clean, _ = case.forward()
    case.rows[4 * 6 + 2, 1] = np.nan
    outputs, h_n = case.forward()
    outputs, clean = outputs.reshape(11, 6, 19), clean.reshape(11, 6, 19)
    others = np.arange(11) != 4
    np.testing.assert_array_equal(outputs[others], clean[others])
    np.testing.assert_array_equal(outputs[4, :2], clean[4, :2])
    assert np.isnan(outputs[4, 2:]).all()
    assert np.isnan(h_n[0, 4]).all()


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float32", value) for value in (np.inf, -np.inf, 1e20, -1e20, 3e38, 100.0)]
    + [("float64", value) for value in (np.inf, -np.inf, 1e300, -1e300, 1.7e308, 1000.0)],
)
def test_huge_inputs_saturate_as_the_specification_says(make_case, isa, dtype, value, reset_after):
    case = make_case(1, CellSpec(5, reset_after=reset_after), [3, 3], isa=isa, dtype=dtype)
    case.rows[1] = value
    weights = unflatten(case.parameters.astype(np.float64), case.shapes)
    expected, _ = gru_sequence(case.pad(case.rows), weights, lengths=case.lengths, reset_after=reset_after)
    outputs, _ = case.forward()
    assert np.isfinite(outputs).all()
    np.testing.assert_allclose(outputs, expected[case.mask], rtol=0, atol=TOLERANCE[dtype])


def test_activations_are_accurate(build_network, isa, dtype):
    """Sigmoid and tanh over their whole range, read off a network of one unit."""
    single = dtype == "float32"
    end = 100 if single else 800  # beyond where the exponential leaves the scalar type
    small = np.geomspace(1e-30 if single else 1e-300, 1, 2_001)
    x = np.concatenate([np.linspace(-end, end, 20_001), np.linspace(-25, 25, 20_001), small]).astype(dtype)
    rows, starts, lengths = x[:, np.newaxis], np.arange(len(x)), np.ones(len(x), np.int64)
    wide = x.astype(np.longdouble)
    network = build_network(1, CellSpec(1, bias=False), isa, dtype=dtype)

    # W_z very negative would need a bias; with W_z = 0 the gate is 1/2 exactly, so h' = tanh(x) / 2.
    network.set_parameters(np.array([0, 0, 1, 0, 0, 0], dtype))
    outputs, _ = network.forward(rows, starts, lengths, None, 1)
    # Relative: small x must not drown in the 1 of the exponential.
    np.testing.assert_allclose(outputs[:, 0], np.tanh(wide) / 2, rtol=4e-7 if single else 1e-15, atol=0)

    # n saturates at 1 for a bias of 50, so h' = 1 - sigmoid(x).
    network = build_network(1, CellSpec(1), isa, dtype=dtype)
    network.set_parameters(np.array([0, 1, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0], dtype))
    outputs, _ = network.forward(rows, starts, lengths, None, 1)
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(wide))
    np.testing.assert_allclose(outputs[:, 0], exact, rtol=0, atol=2e-7 if single else 4e-16)


def test_denormals_do_not_leak_into_the_caller(make_case):
    case = make_case(2, CellSpec(3), [4])
    case.forward()
    tiny = np.float32(1e-38) * np.float32(0.01)  # flushed to zero if the core had left its mode on
    assert tiny > 0
