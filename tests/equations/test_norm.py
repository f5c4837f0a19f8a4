"""Layer normalisation: one step written out, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grulearn.equations import (
    CellWeights,
    gru_sequence,
    gru_sequence_backward,
    gru_step,
    normalise,
    swap_mixing,
)

F, H = 2, 4


def test_one_step_written_out():
    rng = np.random.default_rng(0)
    shapes = [(3 * H, F), (3 * H, H), 3 * H, 3 * H, 3 * H, 3 * H]
    W, U, b, c, g, k = (rng.normal(size=shape) for shape in shapes)
    x, h = rng.normal(size=(1, F)), rng.normal(size=(1, H))
    h_next, _ = gru_step(x, h, CellWeights(W, U, b, c, g, k))

    def normalised(matrix: np.ndarray, vector: np.ndarray, gate: int) -> list[float]:
        rows = range(gate * H, (gate + 1) * H)
        a = [sum(matrix[i, j] * vector[j] for j in range(len(vector))) for i in rows]
        mean = sum(a) / H
        deviation = math.sqrt(sum((v - mean) ** 2 for v in a) / H + 1e-5)
        return [(v - mean) / deviation for v in a]

    wx, uh = (
        [normalised(W, x[0], gate) for gate in range(3)],
        [normalised(U, h[0], gate) for gate in range(3)],
    )
    for i in range(H):
        a = [g[gate * H + i] * wx[gate][i] + b[gate * H + i] for gate in range(3)]
        s = [k[gate * H + i] * uh[gate][i] + c[gate * H + i] for gate in range(3)]
        r, z = (1 / (1 + math.exp(-a[gate] - s[gate])) for gate in range(2))
        n = math.tanh(a[2] + r * s[2])
        assert h_next[0, i] == pytest.approx((1 - z) * n + z * h[0, i], rel=1e-13)


def draw(directions: int, bias: bool) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    weights = {}
    for layer in range(2):
        for suffix in ("", "_reverse")[:directions]:
            place = f"l{layer}{suffix}"
            weights[f"weight_ih_{place}"] = rng.normal(0, 0.6, (3 * H, directions * H if layer else F))
            weights[f"weight_hh_{place}"] = rng.normal(0, 0.6, (3 * H, H))
            for kind in ("bias_ih", "bias_hh", "gain_ih", "gain_hh"):
                if bias or kind.startswith("gain"):
                    weights[f"{kind}_{place}"] = rng.normal(0, 0.6, 3 * H)
    return weights, rng.normal(size=(3, 5, F)), rng.normal(size=(2 * directions, 3, H))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("reset_after", [True, False])
def test_gradients_are_finite_differences(reset_after, directions, bias):
    weights, x, h0 = draw(directions, bias)
    options = {"lengths": [5, 0, 3], "reset_after": reset_after}
    rng = np.random.default_rng(2)
    d_outputs, d_h_n = rng.normal(size=(3, 5, directions * H)), rng.normal(size=h0.shape)

    def loss() -> float:
        outputs, h_n = gru_sequence(x, weights, h0=h0, **options)
        return float((outputs * d_outputs).sum() + (h_n * d_h_n).sum())

    d_weights, dx, dh0 = gru_sequence_backward(x, weights, d_outputs, d_h_n, h0=h0, **options)
    assert list(d_weights) == list(weights)
    for array, gradient in [*((weights[name], d_weights[name]) for name in weights), (x, dx), (h0, dh0)]:
        for index in np.ndindex(array.shape):
            kept, sums = array[index], []
            for sign in (1, -1):
                array[index] = kept + sign * 1e-6
                sums.append(loss())
            array[index] = kept
            # The differences' own error: 1e-12 by derivatives that small deviations enlarge, and rounding.
            assert (sums[0] - sums[1]) / 2e-6 == pytest.approx(gradient[index], rel=1e-5, abs=1e-7)


def test_mixing_can_be_swapped():
    weights, x, h0 = draw(1, True)
    plain, _ = gru_sequence(x, weights, h0=h0)
    # -LN(v) = LN(-v): gains stay.
    swapped, _ = gru_sequence(x, swap_mixing(weights), h0=h0, mixing="article")
    np.testing.assert_allclose(swapped, plain, rtol=1e-12)


def test_what_is_the_same_everywhere_becomes_zero():
    np.testing.assert_array_equal(normalise(np.full((2, 3), 7.0)), np.zeros((2, 3)))
