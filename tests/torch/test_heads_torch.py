"""Losses, poolings and targets of steps against torch: its loss functions on nn.GRU, and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from grulearn.engines import OptimizerOptions, get_engine
from grulearn.equations import apply_link, loss_gradient, loss_sum, pool_states, pool_states_backward
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec, PoolSpec

# Of the largest gradient of the same array. Weights and data are float32 numbers; torch computes in float64.
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
LENGTHS = [7, 2, 1, 5, 5, 3]
F, H = 3, 6
QUANTILES = (0.1, 0.4, 0.8, 0.95)
HEADS = [
    HeadSpec(2),
    HeadSpec(2, "absolute_error"),
    HeadSpec(2, "huber", delta=0.4),
    HeadSpec(8, "pinball", quantiles=QUANTILES),
    HeadSpec(2, "poisson"),
    HeadSpec(4, "gaussian"),
    HeadSpec(4, "cross_entropy"),
    HeadSpec(2, "binary_cross_entropy"),
]
EACH_HEAD = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.loss)
PLACES = [
    ("last", "sequence"),
    ("last", "value"),
    ("mean", "value"),
    ("max", "value"),
    ("attention", "value"),
]
EACH_PLACE = pytest.mark.parametrize(("pool", "target"), PLACES)
CELLS = [CellSpec(H), CellSpec(H, num_layers=2, bidirectional=True)]


def torch_terms(head: HeadSpec, a: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The summands of a loss, (n, K), by torch's own functions where it has them."""
    none = {"reduction": "none"}
    if head.loss == "squared_error":
        return functional.mse_loss(a, y, **none)
    if head.loss == "absolute_error":
        return functional.l1_loss(a, y, **none)
    if head.loss == "huber":
        return functional.huber_loss(a, y, delta=head.delta, **none)
    if head.loss == "poisson":
        return functional.poisson_nll_loss(a, y, log_input=True, **none) + torch.xlogy(y, y) - y
    if head.loss == "gaussian":
        scale = functional.softplus(a[:, 1::2]) + 1e-3
        return functional.gaussian_nll_loss(a[:, ::2], y, scale**2, full=True, **none)
    if head.loss == "cross_entropy":
        return functional.cross_entropy(a, y, **none)[:, None]
    if head.loss == "binary_cross_entropy":
        return functional.binary_cross_entropy_with_logits(a, y, **none)
    levels = torch.tensor(head.quantiles, dtype=a.dtype)
    errors = y[:, :, None] - torch_quantiles(a)
    return torch.maximum(levels * errors, (levels - 1) * errors).sum(2)


def torch_quantiles(a: torch.Tensor) -> torch.Tensor:
    """Of levels 0.1, 0.4, 0.8, 0.95: 0.4 as it stands, the others by sums of steps."""
    a = a.reshape(len(a), -1, 4)
    steps = functional.softplus(a)
    middle = a[:, :, 1:2]
    return torch.cat((middle - steps[:, :, :1], middle, middle + steps[:, :, 2:].cumsum(2)), 2)


def torch_pool(
    kind: str, states: torch.Tensor, h_n: torch.Tensor, query: torch.Tensor | None
) -> torch.Tensor:
    if kind == "last":
        return torch.cat(list(h_n[-states.shape[2] // H :]), 1)
    pooled = []
    for own, length in zip(states, LENGTHS, strict=True):
        steps = own[:length]
        if kind == "mean":
            pooled.append(steps.mean(0))
        elif kind == "max":
            pooled.append(steps.max(0).values)
        else:
            keys = steps[None]
            pooled.append(functional.scaled_dot_product_attention(query[None, None], keys, keys)[0, 0])
    return torch.stack(pooled)


def torch_gru(cell: CellSpec) -> torch.nn.GRU:
    options = {"num_layers": cell.num_layers, "bidirectional": cell.bidirectional}
    return torch.nn.GRU(F, H, batch_first=True, **options).double()


def draw(spec: NetworkSpec) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights, rows, targets, and weights of sequences and targets."""
    rng = np.random.default_rng(0)
    head = spec.head
    weights = {n: rng.uniform(-0.6, 0.6, s).astype("f4") for n, s in parameter_shapes(spec).items()}
    rows = rng.normal(size=(sum(LENGTHS), F)).astype("f4")
    m = sum(LENGTHS) if head.target == "sequence" else len(LENGTHS)
    targets = {
        "poisson": rng.poisson(1.5, (m, 2)).astype("f4"),
        "binary_cross_entropy": rng.integers(0, 2, (m, 2)).astype("f4"),
        "cross_entropy": rng.integers(0, 4, m),
    }.get(head.loss, rng.normal(size=(m, 2)).astype("f4"))
    if head.target == "sequence":
        targets[[0, 5, 6]] = -1 if head.loss == "cross_entropy" else np.nan
    sample_weight = rng.uniform(0.5, 2, len(LENGTHS)).astype("f4")
    return weights, rows, targets, sample_weight, np.repeat(np.arange(len(LENGTHS)), LENGTHS)


def run_torch(spec: NetworkSpec) -> tuple[float, float, dict[str, np.ndarray], np.ndarray]:
    weights, rows, targets, sample_weight, owner = draw(spec)
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
    gru = torch_gru(spec.cell)
    gru.load_state_dict({name: t for name, t in tensors.items() if name in gru.state_dict()})
    others = {name: t.requires_grad_() for name, t in tensors.items() if name not in gru.state_dict()}
    pieces = torch.split(torch.tensor(rows, dtype=torch.float64), LENGTHS)
    x = torch.nn.utils.rnn.pad_sequence(list(pieces), batch_first=True)
    packed, h_n = gru(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    states, _ = pad_packed_sequence(packed, batch_first=True)
    if spec.head.target == "sequence":
        items = torch.cat([own[:n] for own, n in zip(states, LENGTHS, strict=True)])
        known = targets >= 0 if targets.ndim == 1 else ~np.isnan(targets[:, 0])
        item_weights = sample_weight[owner]
    else:
        items = torch_pool(spec.pool.kind, states, h_n, others.get("pool.query"))
        known, item_weights = np.ones(len(targets), bool), sample_weight
    outputs = functional.linear(items, others["head.weight"], others["head.bias"])
    y = torch.tensor(targets[known] if targets.ndim == 1 else targets[known].astype(float))
    terms = torch_terms(spec.head, outputs[known], y)
    w = torch.tensor(item_weights[known], dtype=torch.float64)
    total = (w[:, None] * terms).sum()
    total.backward()
    named = {**dict(gru.named_parameters()), **others}
    gradients = {name: tensor.grad.numpy() for name, tensor in named.items()}
    units = {"pinball": 2 * len(QUANTILES), "cross_entropy": 1}.get(spec.head.loss, 2)
    return total.item(), float(w.sum()) * units, gradients, outputs.detach().numpy()


@EACH_HEAD
@EACH_PLACE
@pytest.mark.parametrize("cell", CELLS, ids=["plain", "two layers, both directions"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_gradients_are_torchs(head, pool, target, cell, dtype):
    head = HeadSpec(head.n_outputs, head.loss, target, head.delta, head.quantiles)
    spec = NetworkSpec(InputSpec(F), cell, PoolSpec(pool), head=head, dtype=dtype)
    expected_loss, expected_weight, expected, expected_outputs = run_torch(spec)

    weights, rows, targets, sample_weight, _ = draw(spec)
    shapes = parameter_shapes(spec)
    engine = get_engine("native")(spec)
    engine.set_parameters(flatten(weights, shapes, dtype))
    data = Sequences(rows.astype(dtype), np.cumsum(LENGTHS) - LENGTHS, LENGTHS)
    targets = targets if head.loss == "cross_entropy" else targets.astype(dtype)
    options = OptimizerOptions(batch_size=len(LENGTHS))
    trainer = engine.trainer(data, targets, options, sample_weight=sample_weight.astype(dtype))
    outputs = engine.predict(data)
    tolerance = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(outputs, expected_outputs, rtol=0, atol=tolerance)
    loss, weight = trainer.accumulate(np.arange(len(LENGTHS)))
    assert loss == pytest.approx(expected_loss, rel={"float32": 3e-6, "float64": 1e-14}[dtype])
    assert weight == pytest.approx(expected_weight, rel=1e-6)
    actual = unflatten(trainer.gradients(), shapes)
    assert set(actual) == set(expected)
    for name, gradient in expected.items():
        assert np.abs(actual[name] - gradient).max() <= TOLERANCE[dtype] * np.abs(gradient).max(), name


@EACH_HEAD
def test_equations_of_losses_are_torchs(head):
    """Both as NumPy's and as torch's, where autograd differentiates them."""
    torch.manual_seed(0)
    outputs = torch.randn(9, head.n_outputs, dtype=torch.float64, requires_grad=True)
    if head.loss == "cross_entropy":
        targets = torch.randint(0, 4, (9,))
    else:
        targets = torch.randint(0, 2, (9, 2)).double()
        if head.loss not in ("poisson", "binary_cross_entropy"):
            targets = targets + torch.randn(9, 2, dtype=torch.float64)
    weights = torch.rand(9, dtype=torch.float64)
    options = {"delta": head.delta or 1.0, "quantiles": head.quantiles}
    expected = (weights[:, None] * torch_terms(head, outputs, targets)).sum()
    (expected_gradient,) = torch.autograd.grad(expected, outputs)

    total, _ = loss_sum(outputs, targets, head.loss, weights=weights, **options)
    (by_autograd,) = torch.autograd.grad(total, outputs)
    by_hand = loss_gradient(outputs.detach(), targets, head.loss, weights=weights, **options)
    arrays = (outputs.detach().numpy(), targets.numpy())
    numpys, _ = loss_sum(*arrays, head.loss, weights=weights.numpy(), **options)
    numpys_gradient = loss_gradient(*arrays, head.loss, weights=weights.numpy(), **options)
    # The same float64 terms in another order.
    assert total.item() == pytest.approx(expected.item(), rel=1e-14)
    assert numpys == pytest.approx(expected.item(), rel=1e-14)
    for gradient in (by_autograd, by_hand, torch.tensor(numpys_gradient)):
        torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=1e-13)


def test_links_are_torchs():
    torch.manual_seed(0)
    a = torch.randn(5, 8, dtype=torch.float64)
    close = {"rtol": 0, "atol": 1e-15}
    for loss, expected in [
        ("squared_error", a),
        ("poisson", a.exp()),
        ("cross_entropy", a.softmax(1)),
        ("binary_cross_entropy", a.sigmoid()),
        ("gaussian", torch.stack((a[:, ::2], functional.softplus(a[:, 1::2]) + 1e-3), 2).reshape(5, 8)),
        ("pinball", torch_quantiles(a).reshape(5, 8)),
    ]:
        torch.testing.assert_close(apply_link(a, loss, quantiles=QUANTILES), expected, **close)
        numpys = torch.tensor(apply_link(a.numpy(), loss, quantiles=QUANTILES))
        torch.testing.assert_close(numpys, expected, **close)


@pytest.mark.parametrize("kind", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("lengths", [None, [4, 0, 1, 3]], ids=["rectangular", "ragged"])
def test_autograd_agrees_with_the_pooling_taken_back_by_hand(kind, lengths):
    torch.manual_seed(0)
    states = torch.rand(4, 4, 6, dtype=torch.float64, requires_grad=True)
    query = torch.randn(6, dtype=torch.float64, requires_grad=True)
    d_pooled = torch.randn(4, 6, dtype=torch.float64)
    options = {"lengths": lengths, "query": query, "n_directions": 2}
    pooled = pool_states(states, kind, **options)
    (pooled * d_pooled).sum().backward()
    with torch.no_grad():
        d_states, d_query = pool_states_backward(d_pooled, states, kind, **options)
    torch.testing.assert_close(d_states, states.grad, rtol=0, atol=1e-14)
    if kind == "attention":
        torch.testing.assert_close(d_query, query.grad, rtol=0, atol=1e-14)
    numpys = pool_states(states.detach().numpy(), kind, **{**options, "query": query.detach().numpy()})
    torch.testing.assert_close(torch.tensor(numpys), pooled.detach(), rtol=0, atol=1e-14)
