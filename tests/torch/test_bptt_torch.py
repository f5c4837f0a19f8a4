"""Truncated backpropagation against torch: a loop over segments, detached from each other, and its Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grulearn.engines import OptimizerOptions, get_engine
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training import draw_weights

F, H, N, RATE, EPOCHS = 3, 6, 7, 0.01, 3
LENGTHS = np.array([23, 4, 11, 1, 8, 16, 9])
BATCHES = [np.array([3, 0, 5]), np.array([1, 6, 2]), np.array([4])]


class Model(torch.nn.Module):
    """A torch.nn.GRU and a head; with decay it is taken step by step, after the factors of the paper."""

    def __init__(self, spec: NetworkSpec, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.decay = spec.input.decay
        self.gru = torch.nn.GRU(spec.input.cell_inputs, H, spec.cell.num_layers, batch_first=True).double()
        self.gru.load_state_dict({name: torch.tensor(weights[name]) for name in self.gru.state_dict()})
        names = [name for name in weights if name not in self.gru.state_dict()]
        self.others = torch.nn.ParameterDict(
            {name.replace(".", "_"): torch.nn.Parameter(torch.tensor(weights[name])) for name in names}
        )

    def forward(self, rows: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of one sequence, rows (T, W) and h (L, H): the outputs at every step, and the last states."""
        own = self.others
        if not self.decay:
            states, h = self.gru(rows, h)
            return torch.nn.functional.linear(states, own["head_weight"], own["head_bias"]), h
        outputs = []
        for row in rows:
            x, m, gap = row.split(F)
            gamma_x = torch.exp(-torch.relu(own["decay_input_weight"] * gap + own["decay_input_bias"]))
            gamma_h = torch.exp(-torch.relu(own["decay_hidden_weight"] @ gap + own["decay_hidden_bias"]))
            inputs = torch.cat((m * x + (1 - m) * gamma_x * x, m))
            h = torch.cat((h[:1] * gamma_h, h[1:]))
            state, h = self.gru(inputs[None], h)
            outputs.append(torch.nn.functional.linear(state[0], own["head_weight"], own["head_bias"]))
        return torch.stack(outputs), h

    def named(self) -> dict[str, np.ndarray]:
        """The weights under grulearn's names."""
        named = {name: p.detach().numpy() for name, p in self.gru.named_parameters()}
        dotted = {
            name.replace("head_", "head.").replace("decay_", "decay."): p for name, p in self.others.items()
        }
        return named | {name: p.detach().numpy() for name, p in dotted.items()}


class Loop:
    """Trains a model on segments, and records the loss and the weight of each update."""

    def __init__(self, model: Model, pieces: list[torch.Tensor], targets: list[torch.Tensor], bptt: int):
        self.model, self.pieces, self.targets, self.bptt = model, pieces, targets, bptt
        self.adam = torch.optim.Adam(model.parameters(), lr=RATE)
        self.updates: list[tuple[float, float]] = []

    def start(self) -> torch.Tensor:
        return torch.zeros(self.model.gru.num_layers, H, dtype=torch.float64)

    def update(self, errors: torch.Tensor) -> None:
        if not len(errors):
            self.updates.append((0.0, 0.0))
            return
        self.adam.zero_grad()
        loss = (errors**2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.adam.step()
        self.updates.append((loss.item(), float(len(errors))))

    def sequence_batch(self, batch: np.ndarray) -> None:
        """An update after each segment in which something is labelled."""
        states = {i: self.start() for i in batch}
        for begin in range(0, int(LENGTHS[batch].max()), self.bptt):
            errors = []
            for i in batch:
                rows = self.pieces[i][begin : begin + self.bptt]
                if len(rows):
                    outputs, h = self.model(rows, states[i])
                    states[i] = h.detach()
                    wanted = self.targets[i][begin : begin + self.bptt]
                    errors.append((outputs - wanted)[~torch.isnan(wanted)])
            self.update(torch.cat(errors))

    def value_batch(self, batch: np.ndarray) -> None:
        """One update; the gradient ends `bptt` steps before the end."""
        errors = []
        for i in batch:
            rows, h = self.pieces[i], self.start()
            cut = max(0, len(rows) - self.bptt)
            if cut:
                _, h = self.model(rows[:cut], h)
            outputs, _ = self.model(rows[cut:], h.detach())
            errors.append(outputs[-1] - self.targets[i])
        self.update(torch.cat(errors))


@pytest.mark.parametrize("bptt", [1, 4, 10, 50])
@pytest.mark.parametrize("target", ["value", "sequence"])
@pytest.mark.parametrize(("decay", "num_layers"), [(False, 1), (False, 2), (True, 2)])
def test_updates_are_torchs(bptt, target, decay, num_layers):
    cell = CellSpec(H, num_layers=num_layers)
    spec = NetworkSpec(InputSpec(F, decay=decay), cell, head=HeadSpec(1, target=target), dtype="float64")
    shapes = parameter_shapes(spec)
    rng = np.random.default_rng(0)
    weights = draw_weights(shapes, "pytorch", rng)
    starts, n_rows = np.cumsum(LENGTHS) - LENGTHS, int(LENGTHS.sum())
    rows = rng.normal(size=(n_rows, spec.input.row_width))
    if decay:
        rows[:, F : 2 * F] = rng.integers(0, 2, (n_rows, F))
        rows[:, 2 * F :] = rng.exponential(1, (n_rows, F))
    targets = rng.normal(size=(n_rows if target == "sequence" else N, 1))
    if target == "sequence":
        targets[rng.random(n_rows) < 0.4] = np.nan
        targets[4:12] = np.nan  # whole segments of the longest sequence, while the others have ended or not

    def cut(values: np.ndarray) -> list[torch.Tensor]:
        return list(torch.split(torch.tensor(values), LENGTHS.tolist()))

    wanted = cut(targets) if target == "sequence" else list(torch.tensor(targets))
    loop = Loop(Model(spec, weights), cut(rows), wanted, bptt)
    run = loop.sequence_batch if target == "sequence" else loop.value_batch

    engine = get_engine("native")(spec)
    engine.set_parameters(flatten(weights, shapes, "float64"))
    options = OptimizerOptions(batch_size=3, clip_norm=0.5, bptt=bptt, n_jobs=2)
    trainer = engine.trainer(Sequences(rows, starts, LENGTHS), targets, options)
    for epoch in range(EPOCHS):
        loop.updates.clear()
        for batch in BATCHES:
            run(batch)
        losses = trainer.run_epoch(np.concatenate(BATCHES), RATE)
        expected_losses, expected_weights = np.array(loop.updates).T
        np.testing.assert_array_equal(trainer.batch_weights, expected_weights)
        # float64 sums in another order, and Adam's quotients, which multiply that where gradients are small.
        np.testing.assert_allclose(losses, expected_losses, rtol=1e-9, err_msg=f"epoch {epoch}")
    expected = loop.model.named()
    for name, actual in unflatten(engine.parameters(), shapes).items():
        np.testing.assert_allclose(
            actual, expected[name].reshape(actual.shape), rtol=0, atol=1e-9, err_msg=name
        )
