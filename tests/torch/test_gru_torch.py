"""The core against torch.nn.GRU: outputs, final states, gradients and training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from grulearn import GRU, _core

# torch computes in float64 here, with weights and inputs that float32 holds exactly; what is left is the
# core's own rounding (and in float64 torch's).
FORWARD_TOLERANCES = {"float32": 2e-6, "float64": 1e-14}
GRADIENT_TOLERANCE = 1e-5  # of the largest gradient of the same array

SIZES = [(1, 1), (4, 3), (13, 32), (8, 65), (30, 128)]
BATCHES = [(1, 1), (1, 9), (3, 4), (17, 6)]


def torch_gru(n_features: int, hidden_size: int, **options) -> torch.nn.GRU:
    torch.manual_seed(0)
    return torch.nn.GRU(n_features, hidden_size, batch_first=True, **options).float().double()


def ragged(n: int, n_steps: int) -> np.ndarray:
    lengths = np.random.default_rng(n).integers(1, n_steps + 1, n)
    lengths[0] = n_steps  # pad_packed_sequence pads to the longest
    return lengths


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(("n_features", "hidden_size"), SIZES)
def test_call_is_torchs(n_features, hidden_size, num_layers, bidirectional, bias):
    reference = torch_gru(
        n_features, hidden_size, num_layers=num_layers, bidirectional=bidirectional, bias=bias
    )
    grus = {dtype: GRU.from_torch(reference.state_dict(), dtype=dtype) for dtype in FORWARD_TOLERANCES}
    rng = np.random.default_rng(1)
    for n, n_steps in BATCHES:
        x = rng.standard_normal((n, n_steps, n_features)).astype(np.float32)
        states = (num_layers * (1 + bidirectional), n, hidden_size)
        h0 = rng.standard_normal(states).astype(np.float32) if n % 2 else None
        tensor = torch.tensor(x, dtype=torch.float64)
        initial = None if h0 is None else torch.tensor(h0, dtype=torch.float64)
        with torch.no_grad():
            expected = reference(tensor, initial)
            lengths = ragged(n, n_steps)
            packed = pack_padded_sequence(tensor, torch.tensor(lengths), True, enforce_sorted=False)
            outputs, h_n = reference(packed, initial)
        unpacked, _ = pad_packed_sequence(outputs, batch_first=True)
        for dtype, gru in grus.items():
            for actual, wanted in [
                *zip(gru(x, h0), expected, strict=True),
                *zip(gru(x, h0, lengths), (unpacked, h_n), strict=True),
            ]:
                assert actual.dtype == dtype
                np.testing.assert_allclose(actual, wanted.numpy(), rtol=0, atol=FORWARD_TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", FORWARD_TOLERANCES)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize(("n_features", "hidden_size"), SIZES)
def test_step_is_torchs(n_features, hidden_size, num_layers, dtype):
    reference = torch_gru(n_features, hidden_size, num_layers=num_layers)
    gru = GRU.from_torch(reference.state_dict(), dtype=dtype)
    x = np.random.default_rng(2).standard_normal((5, 7, n_features)).astype(np.float32)
    with torch.no_grad():
        expected, _ = reference(torch.tensor(x, dtype=torch.float64))
    h = None
    for t in range(7):
        h = gru.step(x[:, t], h)
        np.testing.assert_allclose(h[-1], expected[:, t].numpy(), rtol=0, atol=FORWARD_TOLERANCES[dtype])


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize(("n_features", "hidden_size"), SIZES)
def test_gradients_are_torchs(n_features, hidden_size, num_layers, bidirectional, isa):
    reference = torch_gru(n_features, hidden_size, num_layers=num_layers, bidirectional=bidirectional)
    n, n_steps = 19, 11
    rng = np.random.default_rng(3)
    lengths = ragged(n, n_steps)
    x = rng.standard_normal((n, n_steps, n_features)).astype(np.float32)
    h0 = rng.standard_normal((num_layers * (1 + bidirectional), n, hidden_size)).astype(np.float32)
    network = _core.Network(
        n_features, hidden_size, num_layers=num_layers, bidirectional=bidirectional, isa=isa
    )
    flat = torch.cat([p.detach().reshape(-1) for p in reference.parameters()])
    network.set_parameters(flat.numpy().astype(np.float32))
    mask = np.arange(n_steps) < lengths[:, np.newaxis]
    tape = _core.record(network, x[mask], np.cumsum(lengths) - lengths, lengths, h0, 2)
    d_outputs = rng.standard_normal(tape.outputs.shape).astype(np.float32)
    d_h_n = rng.standard_normal(h0.shape).astype(np.float32)
    d_parameters, d_rows, d_h0 = tape.backward(d_outputs, d_h_n)

    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    initial = torch.tensor(h0, dtype=torch.float64, requires_grad=True)
    packed = pack_padded_sequence(tensor, torch.tensor(lengths), True, enforce_sorted=False)
    outputs, h_n = reference(packed, initial)
    unpacked, _ = pad_packed_sequence(outputs, batch_first=True)
    loss = (unpacked[torch.tensor(mask)] * torch.tensor(d_outputs)).sum() + (h_n * torch.tensor(d_h_n)).sum()
    loss.backward()

    pairs = [("rows", d_rows, tensor.grad[torch.tensor(mask)]), ("h0", d_h0, initial.grad)]
    offset = 0
    for name, parameter in reference.named_parameters():
        part = d_parameters[offset : offset + parameter.numel()]
        pairs.append((name, part.reshape(parameter.shape), parameter.grad))
        offset += parameter.numel()
    for name, actual, expected in pairs:
        wanted = expected.numpy()
        assert np.abs(actual - wanted).max() <= GRADIENT_TOLERANCE * np.abs(wanted).max(), name


@pytest.mark.parametrize(("weight_decay", "clip_norm"), [(0.0, None), (0.0, 0.5), (0.1, 0.5)])
def test_training_is_torchs(weight_decay, clip_norm):
    """The loss of 100 Adam steps on sequences, from the same weights."""
    rng = np.random.default_rng(4)
    n, n_steps, n_features, hidden_size = 40, 6, 5, 18
    x = rng.standard_normal((n, n_steps, n_features)).astype(np.float32)
    y = x[:, :, :1].cumsum(axis=1)[:, -1] + 0.1 * rng.standard_normal((n, 1)).astype(np.float32)
    reference = torch_gru(n_features, hidden_size)
    head = torch.nn.Linear(hidden_size, 1).double()
    parameters = [*reference.parameters(), *head.parameters()]
    network = _core.Network(n_features, hidden_size, output_size=1)
    network.set_parameters(torch.cat([p.detach().reshape(-1) for p in parameters]).numpy().astype(np.float32))
    trainer = _core.Trainer(
        network, x.reshape(-1, n_features), np.arange(n) * n_steps, np.full(n, n_steps), y,
        batch_size=n, n_jobs=1, weight_decay=weight_decay, clip_norm=clip_norm or 0.0,
    )  # fmt: skip
    groups = [
        {"params": [p for p in parameters if p.ndim == 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.003)
    tensor, target = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(head(reference(tensor)[0][:, -1]), target)
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        # Rounding differences grow as training goes on: torch's own float32 run is 3e-6 away from its
        # float64 run by now, and 4e-4 after twice as many steps.
        assert trainer.run_epoch(None, 0.003)[0] == pytest.approx(loss.item(), rel=1e-5)
