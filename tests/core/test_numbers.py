"""Same bits whatever the batch and the threads; NaN and infinity where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn import _core
from grulearn.equations import gru_sequence
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec

LENGTHS = np.random.default_rng(3).integers(1, 30, 83)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("n_jobs", [2, 3, 8])
def test_threads_do_not_change_a_bit(make_case, isa, n_jobs, reset_after):
    cell = CellSpec(45, num_layers=2, bidirectional=True, reset_after=reset_after)
    case = make_case(11, cell, LENGTHS, isa=isa)
    for one, many in zip(case.forward(1), case.forward(n_jobs), strict=True):
        np.testing.assert_array_equal(one, many)
    one, many = case.backward(1), case.backward(n_jobs)
    for name in one[0]:
        np.testing.assert_array_equal(one[0][name], many[0][name], err_msg=name)
    np.testing.assert_array_equal(one[1], many[1])
    np.testing.assert_array_equal(one[2], many[2])


@pytest.mark.parametrize("reset_after", [True, False])
def test_batch_mates_do_not_change_a_bit(make_case, isa, reset_after):
    case = make_case(6, CellSpec(27, bidirectional=True, reset_after=reset_after), LENGTHS, isa=isa)
    outputs, _ = case.forward()
    for size in (1, 2, 3, 5, 9):
        for begin in range(0, len(LENGTHS), 3 * size):
            part = slice(begin, begin + size)
            alone, _ = case.network.forward(case.rows, case.starts[part], case.lengths[part], None, 1)
            first = case.starts[begin]
            np.testing.assert_array_equal(alone, outputs[first : first + len(alone)])


@pytest.mark.parametrize("reset_after", [True, False])
def test_training_and_inference_forward_agree_to_the_bit(make_case, isa, reset_after):
    case = make_case(6, CellSpec(27, num_layers=2, reset_after=reset_after), LENGTHS, with_h0=True, isa=isa)
    outputs, h_n = case.forward()
    tape = _core.record(case.network, case.rows, case.starts, case.lengths, case.h0, 1)
    np.testing.assert_array_equal(tape.outputs, outputs)
    np.testing.assert_array_equal(tape.h_n, h_n)


def test_instruction_sets_differ_by_rounding_only(make_case):
    results = [make_case(8, CellSpec(33), LENGTHS, isa=isa).forward() for isa in _core.instruction_sets()]
    for outputs, h_n in results[1:]:
        np.testing.assert_allclose(outputs, results[0][0], rtol=0, atol=2e-6)
        np.testing.assert_allclose(h_n, results[0][1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_nan_stays_in_its_sequence(make_case, isa, reset_after):
    case = make_case(4, CellSpec(19, reset_after=reset_after), [6] * 11, isa=isa)
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
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e20, -1e20, 3e38, 100.0])
def test_huge_inputs_saturate_as_the_specification_says(make_case, isa, value, reset_after):
    case = make_case(1, CellSpec(5, reset_after=reset_after), [3, 3], isa=isa)
    case.rows[1] = value
    weights = unflatten(case.parameters.astype(np.float64), case.shapes)
    expected, _ = gru_sequence(case.pad(case.rows), weights, lengths=case.lengths, reset_after=reset_after)
    outputs, _ = case.forward()
    assert np.isfinite(outputs).all()
    np.testing.assert_allclose(outputs, expected[case.mask], rtol=0, atol=2e-6)


def test_activations_are_accurate(build_network, isa):
    """Sigmoid and tanh over their whole range, read off a network of one unit."""
    x = np.concatenate([np.linspace(-100, 100, 20_001), np.geomspace(1e-30, 1, 2_001)]).astype(np.float32)
    rows, starts, lengths = x[:, np.newaxis], np.arange(len(x)), np.ones(len(x), np.int64)
    network = build_network(1, CellSpec(1, bias=False), isa)

    # W_z very negative would need a bias; with W_z = 0 the gate is 1/2 exactly, so h' = tanh(x) / 2.
    network.set_parameters(np.array([0, 0, 1, 0, 0, 0], np.float32))
    outputs, _ = network.forward(rows, starts, lengths, None, 1)
    exact = np.tanh(x.astype(np.float64)) / 2
    # Relative: small x must not drown in the 1 of the exponential.
    np.testing.assert_allclose(outputs[:, 0], exact, rtol=4e-7, atol=0)

    # n saturates at 1 for a bias of 50, so h' = 1 - sigmoid(x).
    network = build_network(1, CellSpec(1), isa)
    network.set_parameters(np.array([0, 1, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0], np.float32))
    outputs, _ = network.forward(rows, starts, lengths, None, 1)
    with np.errstate(over="ignore"):
        exact = 1 - 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(outputs[:, 0], exact, rtol=0, atol=2e-7)


def test_denormals_do_not_leak_into_the_caller(make_case):
    case = make_case(2, CellSpec(3), [4])
    case.forward()
    tiny = np.float32(1e-38) * np.float32(0.01)  # flushed to zero if the core had left its mode on
    assert tiny > 0
