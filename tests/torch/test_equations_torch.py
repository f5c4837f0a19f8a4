"""The specification against torch.nn.GRU, and as a function that autograd differentiates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from grulearn.equations import gru_sequence, gru_sequence_backward, swap_mixing

# Both sides add the same float64 terms in another order, some hundred of them with sums up to 100: errors
# around 1e-14. The margin is for other machines' matrix products.
TOLERANCE = 1e-12

N, T, F = 4, 7, 5


def make_network(hidden_size, num_layers, bidirectional, bias, seed=0):
    torch.manual_seed(seed)
    network = torch.nn.GRU(
        F, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional, bias=bias
    ).double()
    n_states = num_layers * (1 + bidirectional)
    x = torch.randn(N, T, F, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(n_states, N, hidden_size, dtype=torch.float64, requires_grad=True)
    d_outputs = torch.randn(N, T, hidden_size * (1 + bidirectional), dtype=torch.float64)
    return network, x, h0, d_outputs, torch.randn_like(h0)


def as_numpy(tensors):
    return {name: tensor.detach().numpy() for name, tensor in tensors}


def run_torch(network, x, h0, lengths):
    if lengths is None:
        return network(x, h0)
    packed, h_n = network(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), h0)
    outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    return outputs, h_n


@pytest.mark.parametrize("hidden_size", [1, 4, 9])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [None, [3, 7, 1, 4]], ids=["rectangular", "ragged"])
@pytest.mark.parametrize("with_h0", [True, False])
def test_nn_gru_forward_and_gradients(hidden_size, num_layers, bidirectional, bias, lengths, with_h0):
    network, x, h0, d_outputs, d_h_n = make_network(hidden_size, num_layers, bidirectional, bias)
    outputs, h_n = run_torch(network, x, h0 if with_h0 else None, lengths)
    ((outputs * d_outputs).sum() + (h_n * d_h_n).sum()).backward()

    weights = as_numpy(network.named_parameters())
    options = {"h0": h0.detach().numpy() if with_h0 else None, "lengths": lengths}
    ours_outputs, ours_h_n = gru_sequence(x.detach().numpy(), weights, **options)
    d_weights, dx, dh0 = gru_sequence_backward(
        x.detach().numpy(), weights, d_outputs.numpy(), d_h_n.numpy(), **options
    )
    compare = {
        "outputs": (ours_outputs, outputs.detach()),
        "h_n": (ours_h_n, h_n.detach()),
        "dx": (dx, x.grad),
        **{f"d {name}": (d_weights[name], weight.grad) for name, weight in network.named_parameters()},
    }
    if with_h0:
        compare["dh0"] = (dh0, h0.grad)
    for what, (ours, torchs) in compare.items():
        np.testing.assert_allclose(ours, torchs.numpy(), rtol=0, atol=TOLERANCE, err_msg=what)


def test_nn_gru_as_the_article_mixes():
    network, x, h0, _, _ = make_network(6, 2, True, True)
    outputs, h_n = network(x, h0)
    weights = swap_mixing(as_numpy(network.named_parameters()))
    ours = gru_sequence(x.detach().numpy(), weights, h0=h0.detach().numpy(), mixing="article")
    for a, b in zip(ours, (outputs, h_n), strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("mixing", ["pytorch", "article"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [None, [3, 7, 0, 4]], ids=["rectangular", "ragged"])
def test_autograd_agrees_with_the_hand_derived_backward(reset_after, mixing, bias, lengths):
    network, x, h0, d_outputs, d_h_n = make_network(4, 2, True, bias)
    weights = dict(network.named_parameters())
    options = {"lengths": lengths, "reset_after": reset_after, "mixing": mixing}
    outputs, h_n = gru_sequence(x, weights, h0=h0, **options)
    ((outputs * d_outputs).sum() + (h_n * d_h_n).sum()).backward()

    with torch.no_grad():
        by_hand = gru_sequence_backward(x, weights, d_outputs, d_h_n, h0=h0, **options)
    d_weights, dx, dh0 = by_hand
    torch.testing.assert_close(dx, x.grad, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(dh0, h0.grad, rtol=0, atol=TOLERANCE)
    for name, weight in weights.items():
        torch.testing.assert_close(d_weights[name], weight.grad, rtol=0, atol=TOLERANCE, msg=name)

    # NumPy and torch are two backs of the same lines.
    numpys = gru_sequence(x.detach().numpy(), as_numpy(weights.items()), h0=h0.detach().numpy(), **options)
    for a, b in zip(numpys, (outputs, h_n), strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("reset_after", [True, False])
def test_autograd_differentiates_twice(reset_after):
    """Also where weights are zero, at the point around which a sigmoid may be written in two pieces."""
    torch.manual_seed(0)
    shapes = [(6, 2), (6, 2), (6,), (6,)]
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    for scale in (1.0, 0.0):
        tensors = [(scale * torch.randn(s, dtype=torch.float64)).requires_grad_() for s in shapes]
        x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)

        def function(x, *tensors):
            weights = dict(zip(names, tensors, strict=True))
            return gru_sequence(x, weights, lengths=[3, 2], reset_after=reset_after)

        assert torch.autograd.gradcheck(function, (x, *tensors))
        assert torch.autograd.gradgradcheck(function, (x, *tensors))


def test_padding_of_nan_reaches_no_gradient():
    network, x, h0, _, _ = make_network(4, 2, True, True)
    with torch.no_grad():
        x[0, 3:] = torch.nan
    outputs, h_n = gru_sequence(x, dict(network.named_parameters()), h0=h0, lengths=[3, 7, 0, 4])
    (outputs.sum() + h_n.sum()).backward()
    for tensor in (x, h0, *network.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    network = torch.nn.GRU(F, 4, batch_first=True).to(dtype)
    outputs, h_n = gru_sequence(torch.randn(N, T, F, dtype=dtype), dict(network.named_parameters()))
    assert outputs.dtype == h_n.dtype == dtype


def test_lengths_may_be_a_tensor():
    network, x, h0, _, _ = make_network(4, 1, False, True)
    weights = dict(network.named_parameters())
    for a, b in itertools.pairwise(
        gru_sequence(x, weights, h0=h0, lengths=lengths)
        for lengths in ([3, 7, 0, 4], torch.tensor([3, 7, 0, 4]), np.array([3, 7, 0, 4]))
    ):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
