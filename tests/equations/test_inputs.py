"""Embeddings and GRU-D's decay: against the paper's formulas one scalar at a time, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grulearn.equations import (
    decay_factor,
    gru_sequence,
    gru_sequence_backward,
    network_inputs,
    network_inputs_backward,
)

N, T, F, H = 3, 5, 2, 4
LENGTHS = [5, 0, 3]
TABLES = [(6, 3), (2, 1)]


def draw(decay: bool, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weights with rates on both sides of the kink, rows and codes."""
    rng = np.random.default_rng(seed)
    inputs = F * (2 if decay else 1) + sum(size for _, size in TABLES)
    shapes: dict[str, tuple[int, ...]] = {"weight_ih_l0": (3 * H, inputs), "weight_hh_l0": (3 * H, H)}
    shapes |= {"weight_ih_l1": (3 * H, H), "weight_hh_l1": (3 * H, H)}
    shapes |= {f"input.embedding_{c}": table for c, table in enumerate(TABLES)}
    if decay:
        shapes |= {"decay.input_weight": (F,), "decay.input_bias": (F,)}
        shapes |= {"decay.hidden_weight": (H, F), "decay.hidden_bias": (H,)}
    weights = {name: rng.normal(0, 0.6, shape) for name, shape in shapes.items()}
    rows = rng.normal(size=(N, T, 3 * F if decay else F))
    if decay:
        rows[:, :, F : 2 * F] = rng.integers(0, 2, (N, T, F))
        rows[:, :, 2 * F :] = rng.exponential(2, (N, T, F))
    codes = np.stack([rng.integers(0, n, (N, T)) for n, _ in TABLES], 2)
    return weights, rows, codes


def test_one_step_written_out():
    """The paper's equations 10 to 12, with scaled features of mean 0."""
    weights, rows, codes = draw(decay=True)
    inputs, hidden_scale = network_inputs(rows, weights, codes)
    for i in range(N):
        for t in range(T):
            x, m, delta = rows[i, t].reshape(3, F)
            expected = []
            for d in range(F):
                rate = weights["decay.input_weight"][d] * delta[d] + weights["decay.input_bias"][d]
                gamma = math.exp(-max(0.0, rate))
                expected.append(x[d] if m[d] else gamma * x[d] + (1 - gamma) * 0.0)
            expected += list(m)
            for c in range(len(TABLES)):
                expected += list(weights[f"input.embedding_{c}"][codes[i, t, c]])
            np.testing.assert_allclose(inputs[i, t], expected, rtol=1e-15)
            for u in range(H):
                rate = weights["decay.hidden_bias"][u]
                rate += sum(weights["decay.hidden_weight"][u, d] * delta[d] for d in range(F))
                # A few roundings of the rate, which is at most 10.
                assert hidden_scale[i, t, u] == pytest.approx(math.exp(-max(0.0, rate)), rel=1e-14)


def test_the_state_is_scaled_before_it_enters_a_step():
    """Scaling h0 by hand before a sequence of one step is the same."""
    weights, rows, codes = draw(decay=True)
    inputs, hidden_scale = network_inputs(rows, weights, codes)
    h0 = np.random.default_rng(1).normal(size=(2, N, H))
    scaled = h0.copy()
    scaled[0] *= hidden_scale[:, 0]
    outputs, _ = gru_sequence(inputs[:, :1], weights, h0=h0, hidden_scale=hidden_scale[:, :1])
    np.testing.assert_array_equal(outputs, gru_sequence(inputs[:, :1], weights, h0=scaled)[0])


def test_without_anything_the_rows_are_the_inputs():
    rows = np.random.default_rng(0).normal(size=(4, F))
    inputs, hidden_scale = network_inputs(rows, {})
    np.testing.assert_array_equal(inputs, rows)
    assert hidden_scale is None
    assert decay_factor(np.zeros((0, F)), np.ones(F), np.ones(F)).shape == (0, F)


@pytest.mark.parametrize("decay", [False, True])
@pytest.mark.parametrize("reset_after", [True, False])
def test_gradients_are_the_derivatives(decay, reset_after):
    """Central differences of a weighted sum of states: cut-off and rounding leave some 1e-9."""
    weights, rows, codes = draw(decay)
    d_outputs = np.random.default_rng(1).normal(size=(N, T, H))
    h0 = np.random.default_rng(2).normal(size=(2, N, H))
    options = {"h0": h0, "lengths": LENGTHS, "reset_after": reset_after}

    def loss() -> float:
        inputs, hidden_scale = network_inputs(rows, weights, codes)
        return float(
            (gru_sequence(inputs, weights, hidden_scale=hidden_scale, **options)[0] * d_outputs).sum()
        )

    inputs, hidden_scale = network_inputs(rows, weights, codes)
    gradients, d_inputs, _ = gru_sequence_backward(
        inputs, weights, d_outputs, hidden_scale=hidden_scale, **options
    )
    d_scale = gradients.pop("hidden_scale") if decay else None
    gradients |= network_inputs_backward(d_inputs, d_scale, rows, weights, codes)
    assert set(gradients) == set(weights)
    for name, values in weights.items():
        for index in np.ndindex(values.shape):
            kept = values[index]
            sides = []
            for step in (1e-5, -1e-5):
                values[index] = kept + step
                sides.append(loss())
            values[index] = kept
            assert gradients[name][index] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-8), name


def test_padding_may_hold_anything():
    weights, rows, codes = draw(decay=True)
    inputs, hidden_scale = network_inputs(rows, weights, codes)
    expected, _ = gru_sequence(inputs, weights, lengths=LENGTHS, hidden_scale=hidden_scale)
    inputs[2, 3:] = hidden_scale[2, 3:] = np.nan
    actual, _ = gru_sequence(inputs, weights, lengths=LENGTHS, hidden_scale=hidden_scale)
    np.testing.assert_array_equal(actual, expected)


def test_two_directions_have_no_decay():
    weights, _, _ = draw(decay=False)
    weights |= {f"{name}_reverse": w for name, w in weights.items() if name.endswith("_l0")}
    with pytest.raises(ValueError, match="hidden_scale is for networks in one direction"):
        gru_sequence(np.zeros((1, 1, F + 4)), weights, hidden_scale=np.ones((1, 1, H)))
