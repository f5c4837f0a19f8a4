"""Weights as torch has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grulearn.formats.weights import cell_parameter_shapes, flatten, infer_cell
from grulearn.spec import CellSpec


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_names_shapes_and_order_are_those_of_nn_gru(num_layers, bidirectional, bias):
    network = torch.nn.GRU(5, 4, num_layers, bidirectional=bidirectional, bias=bias)
    cell = CellSpec(4, num_layers, bidirectional, bias=bias)
    shapes = cell_parameter_shapes(5, cell)
    assert list(shapes.items()) == [(name, tuple(p.shape)) for name, p in network.named_parameters()]
    assert infer_cell(network.state_dict()) == (5, cell)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_flatten_takes_tensors_and_parameters(dtype):
    network = torch.nn.GRU(5, 4).to(dtype)
    shapes = cell_parameter_shapes(5, CellSpec(4))
    expected = torch.nn.utils.parameters_to_vector(network.parameters()).detach().float().numpy()
    for weights in (network.state_dict(), dict(network.named_parameters())):
        np.testing.assert_array_equal(flatten(weights, shapes), expected)


def test_flatten_keeps_the_digits_of_float64_tensors():
    network = torch.nn.GRU(5, 4, dtype=torch.float64)
    expected = torch.nn.utils.parameters_to_vector(network.parameters()).detach().numpy()
    flat = flatten(network.state_dict(), cell_parameter_shapes(5, CellSpec(4)), "float64")
    np.testing.assert_array_equal(flat, expected, strict=True)


def test_other_recurrent_networks_are_told_apart():
    with pytest.raises(ValueError, match="an LSTM has four"):
        infer_cell(torch.nn.LSTM(5, 4).state_dict())
    with pytest.raises(ValueError, match="a plain RNN one"):
        infer_cell(torch.nn.RNN(5, 4).state_dict())
    module = torch.nn.ModuleDict({"gru": torch.nn.GRU(5, 4)})
    with pytest.raises(ValueError, match=r"weight_ih_l0 is missing; .*gru\.bias_hh_l0"):
        infer_cell(module.state_dict())
