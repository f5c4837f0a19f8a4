"""The specification against finite differences, a worked example, and what must hold of any GRU."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from grulearn.equations import (
    CellWeights,
    gru_sequence,
    gru_sequence_backward,
    gru_step,
    gru_step_backward,
    sigmoid,
    swap_mixing,
)

RESET_FORMS = pytest.mark.parametrize("reset_after", [True, False], ids=["reset_after", "reset_before"])
MIXINGS = pytest.mark.parametrize("mixing", ["pytorch", "article"])

# Central differences over 2 * STEP: the cut-off of the Taylor series costs STEP**2 / 6 = 6e-12 times a third
# derivative, and rounding 1e-16 / STEP = 2e-11 times the loss; losses and derivatives here are below 100.
STEP = 6e-6
DIFFERENCE_TOLERANCE = 1e-8

# The same numbers added in another order: some hundred roundings of 1e-16.
ROUNDING_TOLERANCE = 1e-13


def finite_differences(loss: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """Differentiate `loss` by each entry of `array`, which it reads."""
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        value = array[place]
        array[place] = value + STEP
        above = loss()
        array[place] = value - STEP
        below = loss()
        array[place] = value
        gradient[place] = (above - below) / (2 * STEP)
    return gradient


def make_weights(rng, n_features, hidden_size, num_layers=1, bidirectional=False, bias=True):
    weights = {}
    for layer, suffix in itertools.product(range(num_layers), ["", "_reverse"][: 1 + bidirectional]):
        width = n_features if layer == 0 else (1 + bidirectional) * hidden_size
        weights[f"weight_ih_l{layer}{suffix}"] = rng.normal(size=(3 * hidden_size, width))
        weights[f"weight_hh_l{layer}{suffix}"] = rng.normal(size=(3 * hidden_size, hidden_size))
        if bias:
            weights[f"bias_ih_l{layer}{suffix}"] = rng.normal(size=3 * hidden_size)
            weights[f"bias_hh_l{layer}{suffix}"] = rng.normal(size=3 * hidden_size)
    return weights


def make_cell(rng, n_features=3, hidden_size=4, bias=True):
    return CellWeights(
        rng.normal(size=(3 * hidden_size, n_features)),
        rng.normal(size=(3 * hidden_size, hidden_size)),
        rng.normal(size=3 * hidden_size) if bias else None,
        rng.normal(size=3 * hidden_size) if bias else None,
    )


# One step


@pytest.mark.parametrize(
    ("reset_after", "candidate"),
    [
        (True, lambda x, h, r: math.tanh(0.9 * x + 0.3 + r * (0.7 * h - 0.6))),
        (False, lambda x, h, r: math.tanh(0.9 * x + 0.3 + 0.7 * (r * h) - 0.6)),
    ],
)
@pytest.mark.parametrize(
    ("mixing", "mix"),
    [("pytorch", lambda h, z, n: (1 - z) * n + z * h), ("article", lambda h, z, n: (1 - z) * h + z * n)],
)
def test_one_unit_by_hand(reset_after, candidate, mixing, mix):
    """One unit with one input, written out with the math module."""
    x, h = 0.8, -0.5
    r = 1 / (1 + math.exp(-(0.5 * x + 0.1 + 1.1 * h + 0.4)))
    z = 1 / (1 + math.exp(-(-0.4 * x + 0.2 + 0.6 * h - 0.3)))
    weights = CellWeights(
        W=np.array([[0.5], [-0.4], [0.9]]),
        U=np.array([[1.1], [0.6], [0.7]]),
        b=np.array([0.1, 0.2, 0.3]),
        c=np.array([0.4, -0.3, -0.6]),
    )
    form = {"reset_after": reset_after, "mixing": mixing}
    h_next, gates = gru_step(np.array([[x]]), np.array([[h]]), weights, **form)
    n = candidate(x, h, r)
    np.testing.assert_allclose([gates.r[0, 0], gates.z[0, 0], gates.n[0, 0]], [r, z, n], rtol=1e-14)
    np.testing.assert_allclose(h_next, [[mix(h, z, n)]], rtol=1e-14)


@RESET_FORMS
@MIXINGS
@pytest.mark.parametrize("bias", [True, False])
def test_step_backward_is_the_derivative(reset_after, mixing, bias):
    rng = np.random.default_rng(1)
    cell = make_cell(rng, bias=bias)
    x, h, dh_next = rng.normal(size=(5, 3)), rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    form = {"reset_after": reset_after, "mixing": mixing}

    def loss() -> float:
        return float((gru_step(x, h, cell, **form)[0] * dh_next).sum())

    _, gates = gru_step(x, h, cell, **form)
    dx, dh, d_cell = gru_step_backward(dh_next, x, h, gates, cell, **form)
    np.testing.assert_allclose(dx, finite_differences(loss, x), atol=DIFFERENCE_TOLERANCE, err_msg="dx")
    np.testing.assert_allclose(dh, finite_differences(loss, h), atol=DIFFERENCE_TOLERANCE, err_msg="dh")
    for name, weight, gradient in zip("WUbcgk", cell, d_cell, strict=True):
        if weight is None:
            assert gradient is None
        else:
            numeric = finite_differences(loss, weight)
            np.testing.assert_allclose(gradient, numeric, atol=DIFFERENCE_TOLERANCE, err_msg=f"d{name}")


def test_sigmoid_has_no_overflow_and_exact_ends():
    with np.errstate(all="raise"):
        ends = sigmoid(np.array([-np.inf, -1e308, -1e20, -750.0, 0.0, 750.0, 1e20, 1e308, np.inf]))
    np.testing.assert_array_equal(ends, [0, 0, 0, 0, 0.5, 1, 1, 1, 1])
    a = np.linspace(-30, 30, 601)
    # Half a rounding of 1 + tanh, and that of the result.
    np.testing.assert_allclose(sigmoid(a), 1 / (1 + np.exp(-a)), rtol=0, atol=3e-16)
    assert np.isnan(sigmoid(np.array([np.nan]))).all()


@RESET_FORMS
@pytest.mark.parametrize("huge", [1e20, np.inf])
def test_huge_inputs_saturate_the_gates(reset_after, huge):
    h = np.array([[0.25, -0.5]])
    weights = CellWeights(W=np.ones((6, 1)), U=np.ones((6, 2)))
    for x, r, z in [(huge, 1.0, 1.0), (-huge, 0.0, 0.0)]:
        h_next, gates = gru_step(np.array([[x]]), h, weights, reset_after=reset_after)
        np.testing.assert_array_equal(gates.r, [[r, r]])
        np.testing.assert_array_equal(gates.z, [[z, z]])
        # An open update gate keeps the state to the bit; a closed one takes the candidate, here -1.
        np.testing.assert_array_equal(h_next, h if z == 1 else [[-1.0, -1.0]])


@RESET_FORMS
def test_swap_mixing_is_the_same_network_and_its_own_inverse(reset_after):
    rng = np.random.default_rng(2)
    weights = make_weights(rng, 3, 4, num_layers=2, bidirectional=True)
    weights["head.weight"] = rng.normal(size=(1, 8))
    x, h0 = rng.normal(size=(5, 6, 3)), rng.normal(size=(4, 5, 4))
    swapped = swap_mixing(weights)

    ours = gru_sequence(x, weights, h0=h0, reset_after=reset_after)
    articles = gru_sequence(x, swapped, h0=h0, reset_after=reset_after, mixing="article")
    for a, b in zip(ours, articles, strict=True):
        np.testing.assert_allclose(a, b, atol=ROUNDING_TOLERANCE)

    twice = swap_mixing(swapped)
    assert list(twice) == list(weights)
    for name in weights:
        np.testing.assert_array_equal(twice[name], weights[name], err_msg=name)
    assert swapped["head.weight"] is weights["head.weight"]


def test_one_matrix_on_x_and_h_is_two_side_by_side():
    """The article writes each gate as one matrix on the concatenation [x, h]."""
    rng = np.random.default_rng(3)
    W_xh = rng.normal(size=(3, 4, 3 + 4))  # gate by gate, in the order r, z, n
    x, h = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    xh = np.concatenate([x, h], axis=1)
    r, z = sigmoid(xh @ W_xh[0].T), sigmoid(xh @ W_xh[1].T)
    n = np.tanh(np.concatenate([x, r * h], axis=1) @ W_xh[2].T)
    stacked = W_xh.reshape(12, 7)
    cell = CellWeights(W=stacked[:, :3], U=stacked[:, 3:])
    h_next, _ = gru_step(x, h, cell, reset_after=False, mixing="article")
    np.testing.assert_allclose(h_next, (1 - z) * h + z * n, atol=ROUNDING_TOLERANCE)


# Sequences


NETWORKS = pytest.mark.parametrize(
    ("num_layers", "bidirectional", "bias", "lengths"),
    [
        (1, False, True, None),
        (1, True, False, [4, 0, 2]),
        (2, True, True, [1, 4, 0]),
        (3, False, False, [3, 4, 1]),
    ],
    ids=["plain", "reverse-ragged", "two-layers-reverse-ragged", "three-layers-ragged"],
)


@RESET_FORMS
@MIXINGS
@NETWORKS
def test_sequence_backward_is_the_derivative(reset_after, mixing, num_layers, bidirectional, bias, lengths):
    rng = np.random.default_rng(4)
    weights = make_weights(rng, 2, 3, num_layers, bidirectional, bias)
    n_states = num_layers * (1 + bidirectional)
    x, h0 = rng.normal(size=(3, 4, 2)), rng.normal(size=(n_states, 3, 3))
    d_outputs, d_h_n = rng.normal(size=(3, 4, 3 * (1 + bidirectional))), rng.normal(size=h0.shape)
    options = {"h0": h0, "lengths": lengths, "reset_after": reset_after, "mixing": mixing}

    def loss() -> float:
        outputs, h_n = gru_sequence(x, weights, **options)
        return float((outputs * d_outputs).sum() + (h_n * d_h_n).sum())

    d_weights, dx, dh0 = gru_sequence_backward(x, weights, d_outputs, d_h_n, **options)
    assert list(d_weights) == list(weights)
    for name, array, gradient in [
        *((name, weights[name], d_weights[name]) for name in weights),
        ("x", x, dx),
        ("h0", h0, dh0),
    ]:
        numeric = finite_differences(loss, array)
        np.testing.assert_allclose(gradient, numeric, atol=DIFFERENCE_TOLERANCE, err_msg=f"d {name}")


@RESET_FORMS
def test_a_gradient_that_is_not_given_counts_as_zero(reset_after):
    rng = np.random.default_rng(5)
    weights = make_weights(rng, 2, 3, num_layers=2, bidirectional=True)
    x = rng.normal(size=(3, 4, 2))
    d_outputs, d_h_n = rng.normal(size=(3, 4, 6)), rng.normal(size=(4, 3, 3))
    for given in ((d_outputs, None), (None, d_h_n)):
        zeros = [np.zeros_like(d) if g is None else g for d, g in zip((d_outputs, d_h_n), given, strict=True)]
        d_weights, dx, dh0 = gru_sequence_backward(x, weights, *given, reset_after=reset_after)
        d_weights_0, dx_0, dh0_0 = gru_sequence_backward(x, weights, *zeros, reset_after=reset_after)
        np.testing.assert_array_equal(dx, dx_0)
        np.testing.assert_array_equal(dh0, dh0_0)
        for name in weights:
            np.testing.assert_array_equal(d_weights[name], d_weights_0[name])


@RESET_FORMS
def test_ragged_sequences_are_each_computed_as_if_alone(reset_after):
    rng = np.random.default_rng(6)
    lengths = [3, 0, 5, 1]
    weights = make_weights(rng, 2, 3, num_layers=2, bidirectional=True)
    x, h0 = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 4, 3))
    d_outputs, d_h_n = rng.normal(size=(4, 5, 6)), rng.normal(size=(4, 4, 3))
    options = {"lengths": lengths, "reset_after": reset_after}
    outputs, h_n = gru_sequence(x, weights, h0=h0, **options)
    d_weights, dx, dh0 = gru_sequence_backward(x, weights, d_outputs, d_h_n, h0=h0, **options)

    sums = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for i, n in enumerate(lengths):
        alone = {"h0": h0[:, i : i + 1], "reset_after": reset_after}
        one_outputs, one_h_n = gru_sequence(x[i : i + 1, :n], weights, **alone)
        d_one, one_dx, one_dh0 = gru_sequence_backward(
            x[i : i + 1, :n], weights, d_outputs[i : i + 1, :n], d_h_n[:, i : i + 1], **alone
        )
        for name in sums:
            sums[name] += d_one[name]
        for together, single, what in [
            (outputs[i, :n], one_outputs[0], "outputs"),
            (h_n[:, i], one_h_n[:, 0], "h_n"),
            (dx[i, :n], one_dx[0], "dx"),
            (dh0[:, i], one_dh0[:, 0], "dh0"),
        ]:
            np.testing.assert_allclose(together, single, atol=ROUNDING_TOLERANCE, err_msg=f"{what} of {i}")
        assert not outputs[i, n:].any()
        assert not dx[i, n:].any()
    for name in sums:
        np.testing.assert_allclose(d_weights[name], sums[name], atol=ROUNDING_TOLERANCE, err_msg=name)


def test_a_sequence_of_no_step_keeps_its_h0():
    rng = np.random.default_rng(7)
    weights = make_weights(rng, 2, 3, num_layers=2, bidirectional=True)
    h0, d_h_n = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))
    x = rng.normal(size=(2, 3, 2))
    outputs, h_n = gru_sequence(x, weights, h0=h0, lengths=[0, 0])
    d_weights, dx, dh0 = gru_sequence_backward(x, weights, None, d_h_n, h0=h0, lengths=[0, 0])
    np.testing.assert_array_equal(h_n, h0)
    np.testing.assert_array_equal(dh0, d_h_n)
    assert not outputs.any()
    assert not dx.any()
    assert not any(gradient.any() for gradient in d_weights.values())


@pytest.mark.parametrize("padding", [np.nan, np.inf, 1e300])
def test_padding_changes_nothing(padding):
    rng = np.random.default_rng(8)
    weights = make_weights(rng, 2, 3, num_layers=2, bidirectional=True)
    x = rng.normal(size=(2, 4, 2))
    d_outputs = rng.normal(size=(2, 4, 6))
    padded, d_padded = x.copy(), d_outputs.copy()
    padded[0, 2:] = d_padded[0, 2:] = padding
    for clean, dirty in zip(
        gru_sequence(x, weights, lengths=[2, 4]), gru_sequence(padded, weights, lengths=[2, 4]), strict=True
    ):
        np.testing.assert_array_equal(clean, dirty)
    d_weights, dx, _ = gru_sequence_backward(x, weights, d_outputs, lengths=[2, 4])
    d_weights_padded, dx_padded, _ = gru_sequence_backward(padded, weights, d_padded, lengths=[2, 4])
    np.testing.assert_array_equal(dx, dx_padded)
    for name in weights:
        np.testing.assert_array_equal(d_weights[name], d_weights_padded[name], err_msg=name)


def test_the_reverse_direction_is_the_forward_one_on_the_turned_sequence():
    rng = np.random.default_rng(9)
    weights = make_weights(rng, 2, 3, bidirectional=True)
    turned = {
        name.replace("_reverse", "") if name.endswith("_reverse") else f"{name}_reverse": weight
        for name, weight in weights.items()
    }
    x = rng.normal(size=(2, 5, 2))
    outputs, h_n = gru_sequence(x, weights)
    turned_outputs, turned_h_n = gru_sequence(x[:, ::-1], turned)
    np.testing.assert_array_equal(outputs[:, :, :3], turned_outputs[:, ::-1, 3:])
    np.testing.assert_array_equal(outputs[:, :, 3:], turned_outputs[:, ::-1, :3])
    np.testing.assert_array_equal(h_n, turned_h_n[::-1])
    # The final states are the outputs at the two ends.
    np.testing.assert_array_equal(h_n[0], outputs[:, -1, :3])
    np.testing.assert_array_equal(h_n[1], outputs[:, 0, 3:])


@RESET_FORMS
def test_one_step_from_zero_does_not_use_the_recurrent_weights(reset_after):
    """Why a table, read as sequences of one step, trains no recurrent weight and no reset gate."""
    rng = np.random.default_rng(10)
    weights = make_weights(rng, 2, 3, bias=False)
    x = rng.normal(size=(4, 1, 2))
    d_weights, _, _ = gru_sequence_backward(x, weights, rng.normal(size=(4, 1, 3)), reset_after=reset_after)
    assert not d_weights["weight_hh_l0"].any()
    assert not d_weights["weight_ih_l0"][:3].any()
    assert d_weights["weight_ih_l0"][3:].all()


@pytest.mark.parametrize(("n", "n_steps"), [(0, 3), (2, 0), (0, 0)])
def test_no_sequence_and_no_step(n, n_steps):
    weights = make_weights(np.random.default_rng(11), 2, 3, num_layers=2, bidirectional=True)
    x = np.zeros((n, n_steps, 2))
    outputs, h_n = gru_sequence(x, weights)
    assert outputs.shape == (n, n_steps, 6)
    assert h_n.shape == (4, n, 3)
    d_weights, dx, dh0 = gru_sequence_backward(x, weights, outputs, h_n)
    assert dx.shape == x.shape
    assert dh0.shape == h_n.shape
    assert {name: d.shape for name, d in d_weights.items()} == {name: w.shape for name, w in weights.items()}


def test_float32_stays_float32():
    rng = np.random.default_rng(12)
    weights = {name: weight.astype(np.float32) for name, weight in make_weights(rng, 2, 3).items()}
    x = rng.normal(size=(2, 4, 2)).astype(np.float32)
    outputs, h_n = gru_sequence(x, weights, lengths=[2, 4])
    d_weights, dx, dh0 = gru_sequence_backward(x, weights, outputs, h_n, lengths=[2, 4])
    assert {a.dtype for a in (outputs, h_n, dx, dh0, *d_weights.values())} == {np.dtype(np.float32)}


def test_the_arguments_are_left_alone():
    rng = np.random.default_rng(13)
    weights = make_weights(rng, 2, 3, bidirectional=True)
    x, h0 = rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 2, 3))
    arrays = [x, h0, *weights.values()]
    before = [array.copy() for array in arrays]
    outputs, h_n = gru_sequence(x, weights, h0=h0, lengths=[0, 3])
    gru_sequence_backward(x, weights, outputs, h_n, h0=h0, lengths=[0, 3])
    swap_mixing(weights)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


# Wrong arguments


@pytest.mark.parametrize("lengths", [[5, 1], [-1, 2], [1], [[1, 2]]])
def test_lengths_that_do_not_fit_are_refused(lengths):
    weights = make_weights(np.random.default_rng(14), 2, 3)
    with pytest.raises(ValueError, match="lengths must be 2 integers from 0 to 4"):
        gru_sequence(np.zeros((2, 4, 2)), weights, lengths=lengths)


def test_an_unknown_mixing_is_refused():
    with pytest.raises(ValueError, match=r"mixing must be 'pytorch' or 'article', got 'keras'"):
        gru_step(np.zeros((1, 3)), np.zeros((1, 4)), make_cell(np.random.default_rng(15)), mixing="keras")


def test_weights_of_other_names_are_refused():
    weights = make_weights(np.random.default_rng(16), 2, 3)
    with pytest.raises(KeyError, match="weight_hh_l0"):
        gru_sequence(np.zeros((1, 1, 2)), {"weight_ih_l0": weights["weight_ih_l0"]})
    with pytest.raises(ValueError, match="weights: weight_ih_l0 is missing"):
        gru_sequence(np.zeros((1, 1, 2)), {f"gru.{name}": weight for name, weight in weights.items()})


def test_lists_are_refused():
    with pytest.raises(TypeError, match="NumPy arrays or torch tensors, got list"):
        sigmoid([1.0])


def test_the_specification_needs_numpy_alone():
    code = (
        "import sys, grulearn.equations; "
        "print({'torch', 'pandas', 'sklearn', 'safetensors'}.intersection(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
