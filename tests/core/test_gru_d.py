"""The core's GRU-D against the paper's own formulas, from raw data with holes to the prediction.

Z. Che et al. (2018), "Recurrent neural networks for multivariate time series with missing values", Scientific
Reports 8:6085: the notation and the equation numbers are the paper's.
"""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.equations import swap_mixing
from grulearn.formats.weights import flatten, parameter_shapes
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec

D, H, T, N = 3, 6, 9, 11
SPEC = NetworkSpec(
    InputSpec(D, decay=True), CellSpec(H, reset_after=False), head=HeadSpec(1), dtype="float64"
)


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def masks_and_intervals(x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """m_t^d of equation 1, delta_t^d of equation 2, and the last observed x_t'^d, for times s_t."""
    m = (~np.isnan(x)).astype(float)
    delta, last = np.zeros_like(x), np.zeros_like(x)
    for t in range(len(x)):
        for d in range(D):
            if t > 0:
                elapsed = s[t] - s[t - 1]
                delta[t, d] = elapsed + delta[t - 1, d] if m[t - 1, d] == 0 else elapsed
                last[t, d] = last[t - 1, d]
            if m[t, d] == 1:
                last[t, d] = x[t, d]
    return m, delta, last


def gru_d(x: np.ndarray, s: np.ndarray, p: dict[str, np.ndarray]) -> float:
    """Equations 10 to 14 for one sequence, with the empirical mean 0 of scaled features."""
    m, delta, last = masks_and_intervals(x, s)
    h = np.zeros(H)
    for t in range(len(x)):
        gamma_x = np.exp(-np.maximum(0, p["w_gx"] * delta[t] + p["b_gx"]))
        gamma_h = np.exp(-np.maximum(0, p["W_gh"] @ delta[t] + p["b_gh"]))
        x_hat = np.array(
            [x[t, d] if m[t, d] else gamma_x[d] * last[t, d] + (1 - gamma_x[d]) * 0.0 for d in range(D)]
        )
        h_hat = gamma_h * h
        r = sigmoid(p["W_r"] @ x_hat + p["U_r"] @ h_hat + p["V_r"] @ m[t] + p["b_r"])
        z = sigmoid(p["W_z"] @ x_hat + p["U_z"] @ h_hat + p["V_z"] @ m[t] + p["b_z"])
        candidate = np.tanh(p["W"] @ x_hat + p["U"] @ (r * h_hat) + p["V"] @ m[t] + p["b"])
        h = (1 - z) * h_hat + z * candidate
    return float(p["w_o"] @ h + p["b_o"])


def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {"w_gx": D, "b_gx": D, "W_gh": (H, D), "b_gh": H, "w_o": H, "b_o": ()}
    for gate in ("_r", "_z", ""):
        shapes |= {f"W{gate}": (H, D), f"U{gate}": (H, H), f"V{gate}": (H, D), f"b{gate}": H}
    return {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}


def grulearns(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The paper's parameters under grulearn's names; it mixes the states the other way round."""
    gates = ("_r", "_z", "")
    weights = {
        "weight_ih_l0": np.concatenate([np.hstack([p[f"W{g}"], p[f"V{g}"]]) for g in gates]),
        "weight_hh_l0": np.concatenate([p[f"U{g}"] for g in gates]),
        "bias_ih_l0": np.concatenate([p[f"b{g}"] for g in gates]),
        "bias_hh_l0": np.zeros(3 * H),
        "decay.input_weight": p["w_gx"],
        "decay.input_bias": p["b_gx"],
        "decay.hidden_weight": p["W_gh"],
        "decay.hidden_bias": p["b_gh"],
        "head.weight": p["w_o"][np.newaxis],
        "head.bias": p["b_o"][np.newaxis],
    }
    return swap_mixing(weights)


@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_predictions_are_the_papers(build_network, isa, dtype, missing):
    rng = np.random.default_rng(0)
    p = draw(rng)
    shapes = parameter_shapes(SPEC)
    network = build_network(D, SPEC.cell, isa, 1, dtype, decay=True)
    network.set_parameters(flatten(grulearns(p), shapes, dtype))
    lengths = np.array([T, 1, 0, *rng.integers(2, T, N - 3)])
    rows, expected = [], []
    for length in lengths:
        x = rng.normal(size=(length, D))
        x[rng.random(x.shape) < missing] = np.nan
        s = np.cumsum(rng.exponential(1.0, length))
        m, delta, last = masks_and_intervals(x, s)
        rows.append(np.hstack([last, m, delta]))
        expected.append(gru_d(x, s, p))
    stacked = np.concatenate(rows).astype(dtype)
    predicted = network.predict(stacked, np.cumsum(lengths) - lengths, lengths, 1)[:, 0]
    np.testing.assert_allclose(predicted, expected, rtol=0, atol={"float32": 3e-6, "float64": 2e-14}[dtype])
    if missing < 1:
        assert np.std(predicted) > 0.1
