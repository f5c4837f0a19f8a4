"""Dropout, recurrent dropout, zoneout and smoothed labels against a torch loop with the same masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from grulearn import _core
from grulearn.engines import OptimizerOptions, get_engine
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training import draw_weights

F, H, N, RATE, EPOCHS, SEED = 3, 6, 7, 0.01, 3, 2**63 + 11
DROPOUT, RECURRENT, ZONEOUT, SMOOTHING, DECAY = 0.3, 0.2, 0.15, 0.1, 0.8
LENGTHS = np.array([13, 4, 11, 1, 8, 12, 9])
BATCHES = [np.array([3, 0, 5]), np.array([1, 6, 2]), np.array([4])]


def drawn(kind: str, index: int, sequence: int, steps: int | None, units: int, rate: float, epoch: int):
    """The core's masks of one sequence, (steps, units) or (units,)."""
    each = None if steps is None else np.arange(steps)
    options = {"probability": rate, "seed": SEED, "epoch": epoch}
    masks = _core.draw_masks(kind, index, np.array([sequence]), each, units, **options)[0]
    return torch.tensor(masks if steps is not None else masks[0]).double()


class Model:
    """Layers, directions and a head, step by step, with masks as factors; autograd takes it back."""

    def __init__(self, spec: NetworkSpec, weights: dict[str, np.ndarray]) -> None:
        self.spec = spec
        self.weights = {name: torch.tensor(w, requires_grad=True) for name, w in weights.items()}

    def step(self, place: str, x, h, factors, stays):
        w = self.weights
        s = factors * h
        if self.spec.cell.layer_norm:
            a, u = (
                [
                    functional.layer_norm(matrix @ vector, (H,), gain, bias)
                    for matrix, gain, bias in zip(
                        *(w[f"{kind}_{side}_{place}"].chunk(3) for kind in ("weight", "gain", "bias")),
                        strict=True,
                    )
                ]
                for side, vector in (("ih", x), ("hh", s))
            )
            r, z = torch.sigmoid(a[0] + u[0]), torch.sigmoid(a[1] + u[1])
            return torch.where(stays > 0, h, (1 - z) * torch.tanh(a[2] + r * u[2]) + z * h)
        a = functional.linear(x, w[f"weight_ih_{place}"], w[f"bias_ih_{place}"]).chunk(3)
        u, c = w[f"weight_hh_{place}"].chunk(3), w[f"bias_hh_{place}"].chunk(3)
        r = torch.sigmoid(a[0] + u[0] @ s + c[0])
        z = torch.sigmoid(a[1] + u[1] @ s + c[1])
        recurrent = r * (u[2] @ s + c[2]) if self.spec.cell.reset_after else u[2] @ (r * s) + c[2]
        n = torch.tanh(a[2] + recurrent)
        return torch.where(stays > 0, h, (1 - z) * n + z * h)

    def outputs(self, rows, states, sequence: int, epoch: int, begin: int):
        """Of steps [begin, begin + len(rows)) of a sequence: the head's outputs, and the last states."""
        cell, last = self.spec.cell, []
        D, end = cell.n_directions, begin + len(rows)
        for layer in range(cell.num_layers):
            beside = []
            for direction in range(D):
                i = layer * D + direction
                factors = drawn("recurrent", i, sequence, None, H, 1 - RECURRENT, epoch) / (1 - RECURRENT)
                stays = drawn("zoneout", i, sequence, end, H, ZONEOUT, epoch)
                place = f"l{layer}" + ("_reverse" if direction else "")
                h, run = states[i], []
                order = range(len(rows)) if direction == 0 else reversed(range(len(rows)))
                for t in order:
                    h = self.step(place, rows[t], h, factors, stays[begin + t])
                    run.append(h)
                last.append(h)
                beside.append(torch.stack(run if direction == 0 else run[::-1]))
            rows = torch.cat(beside, 1)
            if layer + 1 < cell.num_layers:
                keep = drawn("layer", layer, sequence, end, D * H, 1 - DROPOUT, epoch)[begin:]
                rows = rows * keep / (1 - DROPOUT)
        if self.spec.head.target == "sequence":
            items = rows * drawn("head", 0, sequence, end, D * H, 1 - DROPOUT, epoch)[begin:] / (1 - DROPOUT)
        else:
            final = torch.cat(last[-D:])
            items = (final * drawn("head", 0, sequence, None, D * H, 1 - DROPOUT, epoch) / (1 - DROPOUT))[
                None
            ]
        return functional.linear(items, self.weights["head.weight"], self.weights["head.bias"]), last


def batch_updates(
    spec: NetworkSpec, batch: np.ndarray, bptt: int | None
) -> list[list[tuple[int, int, int, bool]]]:
    """For each update of a batch the (sequence, begin, end, has a loss) that it takes."""
    if bptt is None:
        return [[(i, 0, LENGTHS[i], True) for i in batch]]
    if spec.head.target == "value":
        cuts = [(i, max(0, LENGTHS[i] - bptt)) for i in batch]
        before = [(i, 0, cut, False) for i, cut in cuts if cut]
        return [before + [(i, cut, LENGTHS[i], True) for i, cut in cuts]]
    longest = LENGTHS[batch].max()
    return [
        [(i, b, min(b + bptt, LENGTHS[i]), True) for i in batch if b < LENGTHS[i]]
        for b in range(0, longest, bptt)
    ]


def train_torch(spec: NetworkSpec, weights, rows, targets, bptt):
    model = Model(spec, weights)
    optimizer = torch.optim.Adam(model.weights.values(), lr=RATE)
    average = {name: torch.zeros_like(w) for name, w in model.weights.items()}
    starts = np.cumsum(LENGTHS) - LENGTHS
    losses, n_updates = [], 0
    for epoch in range(EPOCHS):
        for batch in BATCHES:
            zeros = [torch.zeros(H).double()] * (spec.cell.num_layers * spec.cell.n_directions)
            states = {i: zeros for i in batch}
            for update in batch_updates(spec, batch, bptt):
                terms = []
                for i, begin, end, counts in update:
                    own = torch.tensor(rows[starts[i] + begin : starts[i] + end])
                    a, last = model.outputs(own, states[i], i, epoch, begin)
                    states[i] = [h.detach() for h in last]
                    if counts:
                        y = targets[starts[i] + begin : starts[i] + end]
                        y = torch.tensor(y if spec.head.target == "sequence" else targets[i : i + 1])
                        terms.append(
                            functional.cross_entropy(a, y, reduction="none", label_smoothing=SMOOTHING)
                        )
                loss = torch.cat(terms).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                n_updates += 1
                for name, w in model.weights.items():
                    average[name] = DECAY * average[name] + (1 - DECAY) * w.detach()
    corrected = {name: (a / (1 - DECAY**n_updates)).numpy() for name, a in average.items()}
    return losses, {name: w.detach().numpy() for name, w in model.weights.items()}, corrected


@pytest.mark.parametrize("bptt", [None, 5])
@pytest.mark.parametrize("target", ["value", "sequence"])
@pytest.mark.parametrize(
    "cell",
    [
        CellSpec(H, num_layers=2, zoneout=ZONEOUT),
        CellSpec(H, num_layers=2, bidirectional=True, zoneout=ZONEOUT),
        CellSpec(H, reset_after=False, zoneout=ZONEOUT),
        CellSpec(H, num_layers=2, zoneout=ZONEOUT, layer_norm=True),
    ],
    ids=str,
)
def test_training_is_torchs(cell, target, bptt):
    if bptt is not None and cell.bidirectional:
        cell = CellSpec(H, num_layers=3, reset_after=False, zoneout=ZONEOUT)
    head = HeadSpec(4, loss="cross_entropy", target=target)
    spec = NetworkSpec(InputSpec(F), cell, head=head, dtype="float64")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(int(LENGTHS.sum()), F))
    targets = rng.integers(0, 4, len(rows) if target == "sequence" else N)
    shapes = parameter_shapes(spec)
    weights = draw_weights(shapes, "pytorch", rng)
    for name, w in weights.items():
        if name.startswith("gain"):
            w += rng.normal(0, 0.3, w.shape)
    expected_losses, expected, average = train_torch(spec, weights, rows, targets, bptt)

    engine = get_engine("native")(spec)
    engine.set_parameters(flatten(weights, shapes, "float64"))
    options = OptimizerOptions(
        batch_size=3,
        bptt=bptt,
        dropout=DROPOUT,
        recurrent_dropout=RECURRENT,
        seed=SEED,
        label_smoothing=SMOOTHING,
        average_decay=DECAY,
    )
    starts = np.cumsum(LENGTHS) - LENGTHS
    trainer = engine.trainer(Sequences(rows, starts, LENGTHS), targets, options)
    losses = np.concatenate([trainer.run_epoch(np.concatenate(BATCHES), RATE) for _ in range(EPOCHS)])
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-10)
    for actual, reference in (
        (engine.parameters(), expected),
        (trainer.averaged_parameters(), average),
    ):
        for name, w in unflatten(actual, shapes).items():
            # Up to 27 steps of Adam, which divides gradients by their size: rounding of small ones grows.
            np.testing.assert_allclose(w, reference[name], rtol=0, atol=1e-9, err_msg=name)
