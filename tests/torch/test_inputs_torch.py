"""Embeddings and GRU-D against torch: nn.Embedding, nn.GRUCell, and autograd through the paper's factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grulearn.engines import OptimizerOptions, get_engine
from grulearn.equations import (
    gru_sequence,
    gru_sequence_backward,
    network_inputs,
    network_inputs_backward,
)
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training import draw_weights

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}  # of the largest gradient of the same array
LENGTHS = [7, 2, 1, 5, 5, 3]
F, H = 3, 6
INPUTS = [
    InputSpec(F, categorical=[(5, 4), (30, 2)]),
    InputSpec(0, categorical=[(5, 4), (30, 2)]),
    InputSpec(F, decay=True),
    InputSpec(F, categorical=[(5, 4), (30, 2)], decay=True),
]
EACH_INPUT = pytest.mark.parametrize("given", INPUTS, ids=str)


def draw(spec: NetworkSpec) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Weights as a training begins with, made larger; rows, codes and a target for each step."""
    rng = np.random.default_rng(0)
    weights = draw_weights(parameter_shapes(spec), "pytorch", rng)
    weights = {name: (w + rng.normal(0, 0.2, w.shape)).astype("f4") for name, w in weights.items()}
    rows = rng.normal(size=(sum(LENGTHS), spec.input.row_width)).astype("f4")
    if spec.input.decay:
        rows[:, F : 2 * F] = rng.integers(0, 2, (len(rows), F))
        rows[:, 2 * F :] = rng.exponential(2, (len(rows), F))
    codes = [rng.integers(0, n_codes, len(rows), np.int32) for n_codes, _ in spec.input.categorical]
    return (
        weights,
        rows,
        np.array(codes, np.int32).reshape(-1, len(rows)).T.copy(),
        rng.normal(size=len(rows)),
    )


def torch_outputs(spec: NetworkSpec, tensors: dict[str, torch.Tensor], rows, codes) -> torch.Tensor:
    """The head at every step, sequence by sequence and step by step."""
    cells = []
    for layer in range(spec.cell.num_layers):
        cell = torch.nn.GRUCell(spec.input.cell_inputs if layer == 0 else H, H).double()
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        cells.append((cell, {name: tensors[f"{name}_l{layer}"] for name in names}))
    rows = torch.tensor(rows, dtype=torch.float64)
    parts = [rows]
    if spec.input.decay:
        x, m, gap = rows.split(F, 1)
        gamma_x = torch.exp(-torch.relu(gap * tensors["decay.input_weight"] + tensors["decay.input_bias"]))
        parts = [torch.where(m > 0, x, gamma_x * x), m]
        gamma_h = torch.nn.functional.linear(
            gap, tensors["decay.hidden_weight"], tensors["decay.hidden_bias"]
        )
        gamma_h = torch.exp(-torch.relu(gamma_h))
    for c in range(len(spec.input.categorical)):
        code = torch.tensor(codes[:, c], dtype=torch.int64)
        parts.append(torch.nn.functional.embedding(code, tensors[f"input.embedding_{c}"]))
    inputs = torch.cat(parts, 1)
    outputs, row = [], 0
    for length in LENGTHS:
        states = [torch.zeros(1, H, dtype=torch.float64) for _ in cells]
        for _ in range(length):
            below = inputs[row : row + 1]
            for layer, (cell, parameters) in enumerate(cells):
                entering = states[layer]
                if spec.input.decay and layer == 0:
                    entering = gamma_h[row] * entering
                states[layer] = torch.func.functional_call(cell, parameters, (below, entering))
                below = states[layer]
            outputs.append(torch.nn.functional.linear(below, tensors["head.weight"], tensors["head.bias"]))
            row += 1
    return torch.cat(outputs)


@EACH_INPUT
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_and_gradients_are_torchs(given, num_layers, dtype):
    head = HeadSpec(1, target="sequence")
    spec = NetworkSpec(given, CellSpec(H, num_layers=num_layers), head=head, dtype=dtype)
    weights, rows, codes, targets = draw(spec)
    tensors = {name: torch.tensor(w.astype("f8"), requires_grad=True) for name, w in weights.items()}
    expected = torch_outputs(spec, tensors, rows, codes)
    targets = targets[:, np.newaxis].astype(dtype)
    loss = ((expected - torch.tensor(targets)) ** 2).sum()
    loss.backward()

    engine = get_engine("native")(spec)
    shapes = parameter_shapes(spec)
    engine.set_parameters(flatten(weights, shapes, dtype))
    names = [np.arange(n).astype(str) for n, _ in given.categorical]
    starts = np.cumsum(LENGTHS) - LENGTHS
    data = Sequences(rows.astype(dtype), starts, LENGTHS, codes=codes, categories=names)
    tolerance = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(engine.predict(data), expected.detach().numpy(), rtol=0, atol=tolerance)
    trainer = engine.trainer(data, targets, OptimizerOptions(batch_size=len(LENGTHS)))
    assert trainer.accumulate(np.arange(len(LENGTHS)))[0] == pytest.approx(loss.item(), rel=tolerance)
    for name, gradient in unflatten(trainer.gradients(), shapes).items():
        by_torch = tensors[name].grad.numpy()
        assert np.abs(by_torch).max() > 0, name
        assert np.abs(gradient - by_torch).max() <= TOLERANCE[dtype] * np.abs(by_torch).max(), name


@EACH_INPUT
def test_autograd_agrees_with_the_equations_taken_back_by_hand(given):
    spec = NetworkSpec(given, CellSpec(H), head=HeadSpec(1), dtype="float64")
    weights, rows, codes, _ = draw(spec)
    tensors = {name: torch.tensor(w.astype("f8"), requires_grad=True) for name, w in weights.items()}
    tensor_rows, tensor_codes = torch.tensor(rows.astype("f8")), torch.tensor(codes)
    inputs, hidden_scale = network_inputs(tensor_rows, tensors, tensor_codes)
    d_inputs = torch.randn(inputs.shape, dtype=torch.float64)
    total = (inputs * d_inputs).sum()
    d_scale = None
    if hidden_scale is not None:
        d_scale = torch.randn(hidden_scale.shape, dtype=torch.float64)
        total = total + (hidden_scale * d_scale).sum()
    total.backward()
    with torch.no_grad():
        by_hand = network_inputs_backward(d_inputs, d_scale, tensor_rows, tensors, tensor_codes)
    assert set(by_hand) == {name for name in tensors if name.startswith(("input.", "decay."))}
    for name, gradient in by_hand.items():
        torch.testing.assert_close(gradient, tensors[name].grad, rtol=0, atol=1e-12)


def test_the_factor_of_the_state_has_autograds_gradient():
    spec = NetworkSpec(INPUTS[3], CellSpec(H, num_layers=2), head=HeadSpec(1), dtype="float64")
    weights, _, _, _ = draw(spec)
    tensors = {name: torch.tensor(w.astype("f8")) for name, w in weights.items()}
    x = torch.randn(4, 5, spec.input.cell_inputs, dtype=torch.float64)
    scale = torch.rand(4, 5, H, dtype=torch.float64, requires_grad=True)
    outputs, _ = gru_sequence(x, tensors, hidden_scale=scale, lengths=[5, 0, 2, 3])
    (by_autograd,) = torch.autograd.grad(outputs.sum(), scale)
    with torch.no_grad():
        ones = torch.ones_like(outputs)
        by_hand, _, _ = gru_sequence_backward(x, tensors, ones, hidden_scale=scale, lengths=[5, 0, 2, 3])
    torch.testing.assert_close(by_hand["hidden_scale"], by_autograd, rtol=0, atol=1e-14)
