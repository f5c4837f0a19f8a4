"""Forward and backward of the core against the specification in float64."""

from __future__ import annotations

import gc
from itertools import product

import numpy as np
import pytest

from grulearn import _core
from grulearn.spec import CellSpec

# float32 rounds to 6e-8, float64 to 1.1e-16; states are below 1 and sums of at most 100 terms round a few
# times that.
FORWARD_TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
# Relative to the largest gradient of the same array. Measured at most 3e-6 here; 1e-5 is what is promised.
# In float64 the reference rounds as much as the core does.
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 2e-14}

# Below, at and beyond a vector (4, 8, 16) and a tile of rows (2, 4, 8); never only multiples.
SIZES = [(1, 1), (3, 5), (2, 16), (13, 32), (20, 37)]
LENGTHS = [[1], [1, 1, 1], [4, 2, 7], [3] * 9, [5, 0, 2, 2, 9, 1, 3], [1] * 70]


def assert_close(actual: np.ndarray, expected: np.ndarray, name: str) -> None:
    assert actual.shape == expected.shape, name
    tolerance = GRADIENT_TOLERANCE[actual.dtype.name]
    if expected.size:
        scale = max(float(np.abs(expected).max()), 1e-6)
        assert float(np.abs(actual - expected).max()) <= tolerance * scale, name


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize(("n_features", "hidden_size"), SIZES)
def test_forward_and_backward_match_the_specification(
    make_case, isa, dtype, n_features, hidden_size, reset_after
):
    for lengths, num_layers, bidirectional, with_h0 in product(LENGTHS, [1, 2], [False, True], [False, True]):
        bias = len(lengths) != 9
        cell = CellSpec(
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            reset_after=reset_after,
            bias=bias,
        )
        case = make_case(n_features, cell, lengths, with_h0=with_h0, isa=isa, dtype=dtype)
        for actual, expected in zip(case.forward(), case.reference_forward(), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=FORWARD_TOLERANCE[dtype])
        d_weights, d_rows, d_h0 = case.backward()
        expected_weights, expected_rows, expected_h0 = case.reference_backward()
        for name, expected in expected_weights.items():
            assert_close(d_weights[name], expected, name)
        assert_close(d_rows, expected_rows, "rows")
        assert_close(d_h0, expected_h0, "h0")


@pytest.mark.parametrize("reset_after", [True, False])
def test_long_sums_stay_accurate(make_case, isa, dtype, reset_after):
    # Several chunks of row-steps, several blocks in each, more than one group of rows.
    lengths = np.random.default_rng(0).integers(1, 60, 150)
    case = make_case(9, CellSpec(40, reset_after=reset_after), lengths, isa=isa, dtype=dtype)
    d_weights, d_rows, _ = case.backward(n_jobs=2)
    expected_weights, expected_rows, _ = case.reference_backward()
    for name, expected in expected_weights.items():
        assert_close(d_weights[name], expected, name)
    assert_close(d_rows, expected_rows, "rows")


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("with_h0", [True, False])
@pytest.mark.parametrize("lengths", [[1] * 530, [3] * 300, [2] * 260 + [0] + [1] * 300])
def test_many_rows_of_one_step(make_case, isa, dtype, lengths, with_h0, reset_after):
    cell = CellSpec(21, bidirectional=True, reset_after=reset_after)
    case = make_case(5, cell, lengths, with_h0=with_h0, isa=isa, dtype=dtype)
    d_weights, d_rows, d_h0 = case.backward()
    expected_weights, expected_rows, expected_h0 = case.reference_backward()
    for name, expected in expected_weights.items():
        assert_close(d_weights[name], expected, name)
    assert_close(d_rows, expected_rows, "rows")
    assert_close(d_h0, expected_h0, "h0")
    again, _, _ = case.backward(n_jobs=2)
    for name, values in d_weights.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


@pytest.mark.parametrize(("dtype", "reset_after"), [("float32", True), ("float32", False), ("float64", True)])
def test_large_hidden_size(make_case, dtype, reset_after):
    # Beyond 256 units chunks are larger; 273 is no multiple of any vector.
    case = make_case(5, CellSpec(273, reset_after=reset_after), [30] * 33, dtype=dtype)
    d_weights, _, _ = case.backward(n_jobs=2)
    for name, expected in case.reference_backward()[0].items():
        assert_close(d_weights[name], expected, name)


@pytest.mark.parametrize("given", ["outputs", "h_n"])
def test_a_missing_output_gradient_counts_as_zero(make_case, dtype, given):
    case = make_case(4, CellSpec(6, num_layers=2), [3, 5], with_h0=True, dtype=dtype)
    zeros = {"outputs": np.zeros_like(case.d_outputs), "h_n": np.zeros_like(case.d_h_n)}
    filled = {"outputs": case.d_outputs, "h_n": case.d_h_n}
    results = []
    for other in (None, zeros):
        tape = _core.record(case.network, case.rows, case.starts, case.lengths, case.h0, 1)
        arguments = {
            name: filled[name] if name == given else (None if other is None else other[name])
            for name in filled
        }
        results.append(tape.backward(arguments["outputs"], arguments["h_n"]))
    for without, with_zeros in zip(*results, strict=True):
        np.testing.assert_array_equal(without, with_zeros)


def test_overlapping_and_reordered_sequences(make_case, isa, dtype):
    case = make_case(3, CellSpec(7), [6, 6], isa=isa, dtype=dtype)
    starts = np.array([4, 0, 4], dtype=np.int64)
    lengths = np.array([3, 8, 3], dtype=np.int64)
    outputs, h_n = case.network.forward(case.rows, starts, lengths, None, 1)
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        alone = case.network.forward(case.rows, starts[i : i + 1], lengths[i : i + 1], None, 1)
        before = int(lengths[:i].sum())
        np.testing.assert_array_equal(outputs[before : before + length], alone[0], err_msg=f"from {start}")
        np.testing.assert_array_equal(h_n[:, i : i + 1], alone[1])


@pytest.mark.parametrize("reset_after", [True, False])
def test_steps_equal_the_whole_sequence_to_the_bit(make_case, isa, dtype, reset_after):
    cell = CellSpec(21, num_layers=2, reset_after=reset_after)
    case = make_case(5, cell, [6] * 70, with_h0=True, isa=isa, dtype=dtype)
    outputs, h_n = case.forward()
    x = case.rows.reshape(70, 6, 5)
    h = case.h0.copy()
    for t in range(6):
        case.network.step(np.ascontiguousarray(x[:, t]), h, h)
        np.testing.assert_array_equal(h[-1], outputs.reshape(70, 6, 21)[:, t])
    np.testing.assert_array_equal(h, h_n)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_predict_is_the_head_on_the_final_states(build_network, isa, dtype, num_layers, bidirectional):
    rng = np.random.default_rng(1)
    cell = CellSpec(18, num_layers=num_layers, bidirectional=bidirectional)
    network = build_network(4, cell, isa, output_size=3, dtype=dtype)
    parameters = rng.normal(0, 0.3, network.n_parameters).astype(dtype)
    network.set_parameters(parameters)
    lengths = rng.integers(0, 9, 40)
    starts = np.cumsum(lengths) - lengths
    rows = rng.standard_normal((int(lengths.sum()), 4)).astype(dtype)
    _, h_n = network.forward(rows, starts, lengths, None, 1)
    final = np.concatenate(list(h_n[-cell.n_directions :]), axis=1).astype(np.float64)
    weight = parameters[-3 * (cell.output_size + 1) : -3].reshape(3, cell.output_size)
    expected = final @ weight.T.astype(np.float64) + parameters[-3:]
    actual = network.predict(rows, starts, lengths, 1)
    tolerance = {"float32": 2e-6, "float64": 5e-15}[dtype]  # sums of at most 36 products
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_predict_in_blocks_equals_predict_at_once(build_network):
    # More row-steps than one block of prediction holds (65,536).
    rng = np.random.default_rng(2)
    network = build_network(2, CellSpec(3, num_layers=2), output_size=1)
    network.set_parameters(rng.normal(0, 0.5, network.n_parameters).astype(np.float32))
    rows = rng.standard_normal((90_000, 2)).astype(np.float32)
    starts, lengths = np.arange(0, 90_000, 9), np.full(10_000, 9)
    whole = network.predict(rows, starts, lengths, 2)
    last = network.predict(rows, starts[-7:], lengths[-7:], 1)
    np.testing.assert_array_equal(whole[-7:], last)


def test_no_sequences(build_network):
    network = build_network(3, CellSpec(4, bidirectional=True), output_size=2)
    rows, none = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    outputs, h_n = network.forward(rows, none, none, None, 1)
    assert outputs.shape == (0, 8)
    assert h_n.shape == (2, 0, 4)
    assert network.predict(rows, none, none, 1).shape == (0, 2)


def test_parameters_survive_packing(build_network, isa, dtype):
    cell = CellSpec(19, num_layers=2, bidirectional=True)
    network = build_network(7, cell, isa, output_size=3, dtype=dtype)
    values = np.random.default_rng(0).standard_normal(network.n_parameters).astype(dtype)
    network.set_parameters(values)
    np.testing.assert_array_equal(network.parameters(), values)


@pytest.mark.parametrize("given", ["float32", "float64"])
def test_arrays_of_another_type_are_refused(build_network, dtype, given):
    network = build_network(3, CellSpec(4), dtype=dtype)
    arguments = (np.zeros((5, 3), given), np.zeros(1, np.int64), np.full(1, 5), None, 1)
    if given == dtype:
        assert network.forward(*arguments)[0].dtype == dtype
        assert _core.record(network, *arguments).outputs.dtype == dtype
    else:
        with pytest.raises(TypeError, match="incompatible function arguments"):
            network.forward(*arguments)
        with pytest.raises(TypeError, match="incompatible function arguments"):
            _core.record(network, *arguments)


def test_a_tape_keeps_its_network_alive(make_case, dtype):
    case = make_case(2, CellSpec(3), [4], dtype=dtype)
    expected = case.backward()[1]
    tape = _core.record(case.network, case.rows, case.starts, case.lengths, None, 1)
    del case.network
    gc.collect()
    np.testing.assert_array_equal(tape.backward(case.d_outputs, case.d_h_n)[1], expected)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("lengths", [[40], [9, 9, 4, 1], [3, 0, 12, 12, 12, 7, 1], [2, 3] * 10])
def test_few_rows_of_a_large_cell_are_shared_by_panels(make_case, isa, lengths, reset_after):
    # Threads then work on the same steps and meet after each; 150 units are no multiple of any vector.
    case = make_case(7, CellSpec(150, reset_after=reset_after), lengths, with_h0=True, isa=isa)
    one = [*case.forward(1), *case.backward(1)]
    for actual, expected in zip(one[:2], case.reference_forward(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=FORWARD_TOLERANCE["float32"])
    expected_weights, expected_rows, expected_h0 = case.reference_backward()
    for name, expected in expected_weights.items():
        assert_close(one[2][name], expected, name)
    assert_close(one[3], expected_rows, "rows")
    assert_close(one[4], expected_h0, "h0")
    for n_jobs in (2, 3, 16):
        many = [*case.forward(n_jobs), *case.backward(n_jobs)]
        for name, values in one[2].items():
            np.testing.assert_array_equal(many[2][name], values, err_msg=name)
        for i in (0, 1, 3, 4):
            np.testing.assert_array_equal(many[i], one[i])


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("with_h0", [True, False])
@pytest.mark.parametrize("lengths", [[1500], [700, 3, 650, 0], [40] * 30])
def test_checkpoints_do_not_change_a_bit(make_case, isa, lengths, with_h0, reset_after):
    cell = CellSpec(13, num_layers=2, bidirectional=True, reset_after=reset_after)
    case = make_case(3, cell, lengths, with_h0=with_h0, isa=isa)
    results = []
    for steps, n_jobs in [(0, 1), (1, 1), (25, 2), (500, 3), (10_000, 1)]:
        arguments = (case.rows, case.starts, case.lengths, case.h0, n_jobs)
        tape = _core.record(case.network, *arguments, checkpoint_steps=steps)
        results.append([tape.outputs, tape.h_n, *tape.backward(case.d_outputs, case.d_h_n)])
    for other in results[1:]:
        for expected, actual in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(actual, expected)
