"""grulearn.GRU: shapes, lengths, steps, and what it refuses; tests/core and tests/torch judge the values."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from grulearn import GRU
from grulearn.equations import gru_sequence
from grulearn.formats.weights import cell_parameter_shapes
from grulearn.spec import CellSpec


def random_weights(n_features: int, cell: CellSpec, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0, 0.4, shape) for name, shape in cell_parameter_shapes(n_features, cell).items()
    }


# Rounding of inputs, weights and sums of some 10 terms; each is off by a few 6e-8, or 1.1e-16.
TOLERANCES = {"float32": 2e-6, "float64": 1e-14}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_ragged_call_matches_the_specification(bidirectional, reset_after, dtype):
    cell = CellSpec(6, num_layers=2, bidirectional=bidirectional, reset_after=reset_after)
    weights = random_weights(3, cell)
    rng = np.random.default_rng(1)
    x, lengths = rng.normal(size=(5, 7, 3)), np.array([7, 0, 3, 1, 7])
    h0 = rng.normal(size=(2 * cell.n_directions, 5, 6))
    outputs, h_n = GRU(weights, reset_after=reset_after, dtype=dtype)(x, h0, lengths)
    expected, expected_h_n = gru_sequence(x, weights, h0=h0, lengths=lengths, reset_after=reset_after)
    assert outputs.dtype == h_n.dtype == dtype
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=TOLERANCES[dtype])
    np.testing.assert_allclose(h_n, expected_h_n, rtol=0, atol=TOLERANCES[dtype])
    np.testing.assert_array_equal(h_n[:, 1], h0[:, 1].astype(dtype))
    assert not outputs[2, 3:].any()


def test_steps_beyond_the_length_are_not_read():
    gru = GRU(random_weights(2, CellSpec(4, bidirectional=True)))
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    lengths = [5, 2, 4]
    clean = gru(x, lengths=lengths)
    x[1, 2:] = np.nan
    x[2, 4:] = 1e30
    for before, after in zip(clean, gru(x, lengths=lengths), strict=True):
        np.testing.assert_array_equal(before, after)


def test_one_sequence_without_the_batch_axis():
    gru = GRU(random_weights(3, CellSpec(4, bidirectional=True)))
    rng = np.random.default_rng(0)
    x, h0 = rng.normal(size=(6, 3)), rng.normal(size=(2, 4))
    outputs, h_n = gru(x, h0)
    batched = gru(x[np.newaxis], h0[:, np.newaxis])
    np.testing.assert_array_equal(outputs, batched[0][0])
    np.testing.assert_array_equal(h_n, batched[1][:, 0])


def test_strided_and_float32_inputs_give_the_same():
    gru = GRU(random_weights(3, CellSpec(4)))
    time_major = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    contiguous = np.ascontiguousarray(time_major.swapaxes(0, 1))
    np.testing.assert_array_equal(gru(time_major.swapaxes(0, 1))[0], gru(contiguous)[0])
    assert gru(time_major.swapaxes(0, 1).tolist())[0].shape == (2, 6, 4)


@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64, np.longdouble, np.int8, bool])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_of_any_real_dtype_are_taken(given, dtype):
    gru = GRU(random_weights(3, CellSpec(4)), dtype=dtype)
    rng = np.random.default_rng(0)
    x, h0 = rng.normal(0, 2, (2, 5, 3)).astype(given), rng.normal(0, 2, (1, 2, 4)).astype(given)
    for outputs, expected in zip(gru(x, h0), gru(x.astype(dtype), h0.astype(dtype)), strict=True):
        assert outputs.dtype == dtype
        np.testing.assert_array_equal(outputs, expected)
    assert gru.step(x[:, 0], h0).dtype == dtype


@pytest.mark.parametrize("dtype", ["float16", "f8", np.float64, None])
def test_other_dtypes_to_compute_in_are_refused(dtype):
    with pytest.raises(ValueError, match="dtype: expected 'float32' or 'float64', got"):
        GRU(random_weights(3, CellSpec(4)), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stepping_equals_the_call_to_the_bit(dtype):
    gru = GRU(random_weights(3, CellSpec(20, num_layers=2)), dtype=dtype)
    x = np.random.default_rng(0).normal(size=(4, 9, 3))
    outputs, h_n = gru(x)
    h, kept = None, np.empty((2, 4, 20), dtype)
    for t in range(9):
        h = gru.step(x[:, t], h, out=kept)
        assert h is kept
        np.testing.assert_array_equal(h[-1], outputs[:, t])
    np.testing.assert_array_equal(h, h_n)
    h = None
    for t in range(9):
        h = gru.step(x[2, t], h)
    np.testing.assert_array_equal(h, h_n[:, 2])
    again = np.zeros((2, 20), dtype)
    assert gru.step(x[2, 0], again, out=again) is again
    np.testing.assert_array_equal(again[-1], outputs[2, 0])


@pytest.mark.parametrize(("dtype", "shown"), [("float32", ""), ("float64", ", dtype='float64'")])
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda gru: pickle.loads(pickle.dumps(gru))])
def test_copies_compute_the_same(copier, dtype, shown):
    gru = GRU(random_weights(3, CellSpec(5, num_layers=2)), reset_after=False, dtype=dtype)
    x = np.ones((2, 3, 3))
    twin = copier(gru)
    options = f"input_size=3, hidden_size=5, num_layers=2, reset_after=False{shown}"
    assert repr(twin) == repr(gru) == f"GRU({options})"
    np.testing.assert_array_equal(twin(x)[0], gru(x)[0], strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_round_trip(dtype):
    weights = random_weights(3, CellSpec(5, bidirectional=True))
    again = GRU(GRU(weights, dtype=dtype).weights, dtype=dtype).weights
    assert list(again) == list(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(again[name], value.astype(dtype), strict=True)


def test_head_and_other_names():
    weights = random_weights(3, CellSpec(5))
    head = {"head.weight": np.zeros((1, 5)), "head.bias": np.zeros(1)}
    assert GRU(weights | head).hidden_size == 5
    prefixed = {f"encoder.{name}": value for name, value in weights.items()} | {"fc.weight": np.zeros((1, 5))}
    assert GRU.from_torch(prefixed, prefix="encoder.").hidden_size == 5
    with pytest.raises(ValueError, match="weight_ih_l0 is missing"):
        GRU.from_torch(prefixed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((2, 4, 5))}, r"expected 3 features in the last axis, got shape \(2, 4, 5\)"),
        ({"x": np.zeros((2, 3, 5))}, "it looks transposed"),
        ({"x": np.zeros(3)}, r"expected shape \(sequences, steps, 3\)"),
        (
            {"x": np.zeros((2, 4, 3)), "h0": np.zeros((1, 3, 4))},
            r"h0: expected shape \(1, 2, 4\), got \(1, 3, 4\)",
        ),
        ({"x": np.zeros((4, 3)), "h0": np.zeros((1, 2, 4))}, r"h0: expected shape \(1, 4\) for one sequence"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [4]}, r"lengths: expected 2 integers, one a sequence"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [4, 5]}, "sequence 1 has length 5, expected 0 to 4"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [-1, 2]}, "sequence 0 has length -1"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [1.0, 2.0]}, "expected 2 integers"),
        ({"x": np.zeros((4, 3)), "lengths": [4]}, "leave it out"),
    ],
)
def test_bad_calls_say_what_was_expected(arguments, message):
    gru = GRU(random_weights(3, CellSpec(4)))
    with pytest.raises(ValueError, match=message):
        gru(**arguments)


def test_bad_steps_say_what_was_expected():
    gru = GRU(random_weights(3, CellSpec(4)))
    with pytest.raises(ValueError, match=r"x_t: expected shape \(sequences, 3\) or \(3,\), got \(2, 4\)"):
        gru.step(np.zeros((2, 4)))
    with pytest.raises(
        ValueError, match=r"h: expected shape \(1, 2, 4\) for x_t of shape \(2, 3\), got \(1, 3, 4\)"
    ):
        gru.step(np.zeros((2, 3)), np.zeros((1, 3, 4)))
    with pytest.raises(ValueError, match=r"out: expected shape \(1, 2, 4\), got \(1, 2, 5\)"):
        gru.step(np.zeros((2, 3)), out=np.zeros((1, 2, 5), np.float32))
    with pytest.raises(TypeError, match="out: expected a writable C-contiguous float32 array, got float64"):
        gru.step(np.zeros((2, 3)), out=np.zeros((1, 2, 4)))
    with pytest.raises(TypeError, match="got float32, not contiguous"):
        gru.step(np.zeros((2, 3)), out=np.zeros((1, 2, 8), np.float32)[..., ::2])
    locked = np.zeros((1, 2, 4), np.float32)
    locked.flags.writeable = False
    with pytest.raises(TypeError, match="got float32, read-only"):
        gru.step(np.zeros((2, 3)), out=locked)
    with pytest.raises(
        ValueError, match=r"h: expected shape \(1, 2, 4\) for x_t of shape \(2, 3\), got \(2, 4\)"
    ):
        gru.step(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(TypeError, match="out: expected a float32 array to write to, got list"):
        gru.step(np.zeros(3), out=[1])
    with pytest.raises(ValueError, match="x: expected real numbers, got complex ones"):
        gru(np.zeros((2, 5, 3)) * 1j)
    for wrong, found in ((None, "None"), (np.zeros(3, "M8[s]"), r"datetime64\[s\]"), (["a"], "<U1")):
        with pytest.raises(ValueError, match=f"x_t: expected real numbers, got {found}"):
            gru.step(wrong)
    both = GRU(random_weights(3, CellSpec(4, bidirectional=True)))
    with pytest.raises(ValueError, match="its reverse direction needs the end first"):
        both.step(np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_step_takes_any_array_and_gives_the_same_bits(dtype, num_layers):
    gru = GRU(random_weights(3, CellSpec(5, num_layers=num_layers)), dtype=dtype)
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=(num_layers, 4, 5)).astype("f4")
    expected = gru.step(x.astype(dtype), h.astype(dtype))  # exactly what the core takes
    assert expected.dtype == dtype
    out = np.empty_like(expected)
    assert gru.step(x.astype(dtype), h.astype(dtype), out) is out
    np.testing.assert_array_equal(out, expected)
    strange = [
        (x.astype("f8"), h.astype("f8")),
        (x.astype(">f4"), h.astype(">f8")),
        (x.tolist(), h.tolist()),
        (np.asfortranarray(x), np.asfortranarray(h)),
        (np.repeat(x, 2, axis=1)[:, ::2], h[:, ::-1][:, ::-1]),
        (x.view(np.ma.MaskedArray), h),
    ]
    for given in strange:
        np.testing.assert_array_equal(gru.step(*given), expected)
    for i in range(4):
        np.testing.assert_array_equal(gru.step(x[i], h[:, i]), expected[:, i])
    np.testing.assert_array_equal(gru.step(x), gru.step(x, np.zeros_like(h)))
    np.testing.assert_array_equal(gru.step(x[0].astype(dtype)), gru.step(x[0], np.zeros_like(h[:, 0])))


def test_a_step_may_write_over_what_it_reads():
    gru = GRU(random_weights(4, CellSpec(4, num_layers=2)))
    rng = np.random.default_rng(0)
    memory = rng.normal(size=200).astype(np.float32)
    x = rng.normal(size=(3, 4)).astype(np.float32)
    for shift in (0, 1, 7, 12, 24):
        copy = memory.copy()
        h = copy[shift : shift + 24].reshape(2, 3, 4)
        expected = gru.step(x, h.copy())
        np.testing.assert_array_equal(gru.step(x, h, copy[:24].reshape(2, 3, 4)), expected)
    copy = memory.copy()
    inputs = copy[20:32].reshape(3, 4)
    expected = gru.step(inputs.copy())
    np.testing.assert_array_equal(gru.step(inputs, None, copy[:24].reshape(2, 3, 4)), expected)


def test_nothing_to_do():
    gru = GRU(random_weights(3, CellSpec(4)))
    outputs, h_n = gru(np.zeros((0, 5, 3)))
    assert outputs.shape == (0, 5, 4)
    assert h_n.shape == (1, 0, 4)
    outputs, h_n = gru(np.zeros((2, 0, 3)))
    assert outputs.shape == (2, 0, 4)
    assert not h_n.any()
    assert gru.step(np.zeros((0, 3))).shape == (1, 0, 4)
