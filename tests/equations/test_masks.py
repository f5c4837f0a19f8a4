"""Dropout, recurrent dropout and zoneout: written out one scalar at a time, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grulearn.equations import (
    CellWeights,
    Masks,
    dropout_factors,
    gru_sequence,
    gru_sequence_backward,
    gru_step,
)

N, T, F, H = 3, 5, 2, 4
LENGTHS = [5, 0, 3]


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


@pytest.mark.parametrize("reset_after", [True, False])
def test_one_step_written_out(reset_after):
    rng = np.random.default_rng(0)
    W, U = rng.normal(size=(3 * H, F)), rng.normal(size=(3 * H, H))
    x, h = rng.normal(size=(1, F)), rng.normal(size=(1, H))
    factors = dropout_factors(np.array([[1.0, 0.0, 1.0, 0.0]]), 0.25)
    stays = np.array([[0.0, 1.0, 1.0, 0.0]])
    h_next, _ = gru_step(x, h, CellWeights(W, U), reset_after=reset_after, recurrent=factors, zoneout=stays)

    def product(matrix: np.ndarray, row: int, vector: list[float]) -> float:
        return sum(matrix[row, k] * vector[k] for k in range(len(vector)))

    s = [h[0, k] * (1, 0, 1, 0)[k] / 0.75 for k in range(H)]
    r = [sigmoid(product(W, i, x[0]) + product(U, i, s)) for i in range(H)]
    for i in range(H):
        z = sigmoid(product(W, H + i, x[0]) + product(U, H + i, s))
        if reset_after:
            recurrent = r[i] * product(U, 2 * H + i, s)
        else:
            recurrent = product(U, 2 * H + i, [r[k] * s[k] for k in range(H)])
        n = math.tanh(product(W, 2 * H + i, x[0]) + recurrent)
        expected = h[0, i] if stays[0, i] else (1 - z) * n + z * h[0, i]
        assert h_next[0, i] == pytest.approx(expected, rel=1e-14)


def draw(reset_after: bool, directions: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, Masks]:
    rng = np.random.default_rng(1)
    weights = {}
    for layer in range(2):
        for suffix in ("", "_reverse")[:directions]:
            width = directions * H if layer else F
            weights[f"weight_ih_l{layer}{suffix}"] = rng.normal(0, 0.6, (3 * H, width))
            weights[f"weight_hh_l{layer}{suffix}"] = rng.normal(0, 0.6, (3 * H, H))
            weights[f"bias_ih_l{layer}{suffix}"] = rng.normal(0, 0.6, 3 * H)
            weights[f"bias_hh_l{layer}{suffix}"] = rng.normal(0, 0.6, 3 * H)
    masks = Masks(
        layers=[dropout_factors(1.0 * (rng.random((N, T, directions * H)) < 0.6), 0.4)],
        recurrent=dropout_factors(1.0 * (rng.random((2 * directions, N, H)) < 0.7), 0.3),
        zoneout=1.0 * (rng.random((2 * directions, N, T, H)) < 0.2),
    )
    return weights, rng.normal(size=(N, T, F)), rng.normal(size=(2 * directions, N, H)), masks


@pytest.mark.parametrize("zoneout", ["drawn", "expected"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("reset_after", [True, False])
def test_gradients_are_finite_differences(reset_after, directions, zoneout):
    weights, x, h0, masks = draw(reset_after, directions)
    if zoneout == "expected":
        masks = masks._replace(zoneout=0.2)
    options = {"lengths": LENGTHS, "masks": masks, "reset_after": reset_after}
    rng = np.random.default_rng(2)
    d_outputs, d_h_n = rng.normal(size=(N, T, directions * H)), rng.normal(size=h0.shape)

    def loss() -> float:
        outputs, h_n = gru_sequence(x, weights, h0=h0, **options)
        return float((outputs * d_outputs).sum() + (h_n * d_h_n).sum())

    d_weights, dx, dh0 = gru_sequence_backward(x, weights, d_outputs, d_h_n, h0=h0, **options)
    for array, gradient in [*((weights[name], d_weights[name]) for name in weights), (x, dx), (h0, dh0)]:
        for index in np.ndindex(array.shape):
            kept, sums = array[index], []
            for sign in (1, -1):
                array[index] = kept + sign * 1e-6
                sums.append(loss())
            array[index] = kept
            # The differences' own error: 1e-12, and rounding of a sum of about 10 over 1e-6.
            assert (sums[0] - sums[1]) / 2e-6 == pytest.approx(gradient[index], rel=1e-7, abs=2e-8)


def test_masks_of_ones_change_nothing():
    weights, x, h0, masks = draw(True, 2)
    ones = Masks(
        layers=[np.ones_like(masks.layers[0])],
        recurrent=np.ones_like(masks.recurrent),
        zoneout=np.zeros_like(masks.zoneout),
    )
    plain = gru_sequence(x, weights, h0=h0, lengths=LENGTHS)
    masked = gru_sequence(x, weights, h0=h0, lengths=LENGTHS, masks=ones)
    np.testing.assert_array_equal(plain[0], masked[0])
    np.testing.assert_array_equal(plain[1], masked[1])


def test_zoneout_of_everything_keeps_the_first_state():
    weights, x, h0, _ = draw(True, 1)
    _, h_n = gru_sequence(x, weights, h0=h0, masks=Masks(zoneout=1.0))
    np.testing.assert_array_equal(h_n, h0)
