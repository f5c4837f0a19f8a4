"""What the tests of the native core share: every instruction set, both scalar types, and random cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.equations import (
    Masks,
    dropout_factors,
    gru_sequence,
    gru_sequence_backward,
    loss_gradient,
    loss_sum,
    network_inputs,
    network_inputs_backward,
    pool_states,
    pool_states_backward,
)
from grulearn.formats.weights import cell_parameter_shapes, parameter_shapes, unflatten
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec, PoolSpec


@pytest.fixture(params=_core.instruction_sets())
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction set that this machine supports."""
    return request.param


NETWORKS = {"float32": _core.Network, "float64": _core.Network64}
TRAINERS = {"float32": _core.Trainer, "float64": _core.Trainer64}


@pytest.fixture(params=NETWORKS)
def dtype(request: pytest.FixtureRequest) -> str:
    """Each scalar type that the core computes in."""
    return request.param


@dataclass
class Case:
    """A network without a head and ragged data for it, with the reference's answers in float64."""

    n_features: int
    cell: CellSpec
    lengths: np.ndarray
    with_h0: bool = False
    isa: str = ""
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        cell = self.cell
        self.lengths = np.asarray(self.lengths, dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.rows = rng.standard_normal((int(self.lengths.sum()), self.n_features)).astype(self.dtype)
        self.shapes = cell_parameter_shapes(self.n_features, cell)
        n_parameters = sum(int(np.prod(shape)) for shape in self.shapes.values())
        scale = 1.0 / np.sqrt(cell.hidden_size)
        self.parameters = rng.uniform(-scale, scale, n_parameters).astype(self.dtype)
        state = (cell.num_layers * cell.n_directions, len(self.lengths), cell.hidden_size)
        self.h0 = rng.standard_normal(state).astype(self.dtype) if self.with_h0 else None
        self.d_outputs = rng.standard_normal((len(self.rows), cell.output_size)).astype(self.dtype)
        self.d_h_n = rng.standard_normal(state).astype(self.dtype)
        self.network = make_network(self.n_features, cell, self.isa, dtype=self.dtype)
        self.network.set_parameters(self.parameters)

    def forward(self, n_jobs: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Run the core."""
        return self.network.forward(self.rows, self.starts, self.lengths, self.h0, n_jobs)

    def backward(self, n_jobs: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Run the core forward and back: gradients of the weights, the rows and h0."""
        tape = _core.record(self.network, self.rows, self.starts, self.lengths, self.h0, n_jobs)
        d_parameters, d_rows, d_h0 = tape.backward(self.d_outputs, self.d_h_n)
        return unflatten(d_parameters, self.shapes), d_rows, d_h0

    @property
    def mask(self) -> np.ndarray:
        """True at the steps that exist, (N, T)."""
        return np.arange(max(self.lengths, default=0)) < self.lengths[:, np.newaxis]

    def pad(self, rows: np.ndarray) -> np.ndarray:
        """Stacked rows as (N, T, ...) float64, zero beyond each length."""
        padded = np.zeros((*self.mask.shape, rows.shape[1]))
        padded[self.mask] = rows
        return padded

    def _reference_arguments(self) -> tuple[Any, dict[str, np.ndarray], dict[str, Any]]:
        weights = unflatten(self.parameters.astype(np.float64), self.shapes)
        h0 = None if self.h0 is None else self.h0.astype(np.float64)
        options = {"h0": h0, "lengths": self.lengths, "reset_after": self.cell.reset_after}
        options["masks"] = Masks(zoneout=self.cell.zoneout or None)
        return self.pad(self.rows), weights, options

    def reference_forward(self) -> tuple[np.ndarray, np.ndarray]:
        """The specification in float64."""
        x, weights, options = self._reference_arguments()
        outputs, h_n = gru_sequence(x, weights, **options)
        return outputs[self.mask], h_n

    def reference_backward(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """The specification's gradients in float64."""
        x, weights, options = self._reference_arguments()
        d_h_n = self.d_h_n.astype(np.float64)
        d_weights, dx, d_h0 = gru_sequence_backward(x, weights, self.pad(self.d_outputs), d_h_n, **options)
        return d_weights, dx[self.mask], d_h0


@dataclass
class HeadCase:
    """A network with a head, ragged data, targets and weights; with the reference's answers in float64."""

    head: HeadSpec
    cell: CellSpec = CellSpec(5)
    isa: str = ""
    dtype: str = "float32"
    n: int = 23
    n_features: int = 3
    longest: int = 7
    seed: int = 0
    weighted: bool = False
    pool: str = "last"
    categorical: tuple[tuple[int, int], ...] = ()
    decay: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    label_smoothing: float = 0.0
    mask_seed: int = 7
    epoch: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        pool = PoolSpec(self.pool)
        self.given = InputSpec(self.n_features, categorical=self.categorical, decay=self.decay)
        self.spec = NetworkSpec(self.given, self.cell, pool, head=self.head, dtype=self.dtype)
        self.shapes = parameter_shapes(self.spec)
        self.network = make_network(
            self.n_features,
            self.cell,
            self.isa,
            self.head.n_outputs,
            self.dtype,
            pool=self.pool,
            target=self.head.target,
            categorical=self.categorical,
            decay=self.decay,
        )
        self.start = rng.normal(0, 0.4, self.network.n_parameters).astype(self.dtype)
        self.network.set_parameters(self.start)
        self.lengths = rng.integers(0, self.longest + 1, self.n)
        self.lengths[0] = self.longest
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.rows = rng.standard_normal((int(self.lengths.sum()), self.given.row_width)).astype(self.dtype)
        if self.decay:
            values = (len(self.rows), self.n_features)
            self.rows[:, self.n_features : 2 * self.n_features] = rng.random(values) < 0.6
            self.rows[:, 2 * self.n_features :] = rng.exponential(1.0, values)
        self.codes = None
        if self.categorical:
            drawn = [rng.integers(0, n_codes, len(self.rows), np.int32) for n_codes, _ in self.categorical]
            self.codes = np.stack(drawn, 1)
        self._draw_targets(rng)

    @property
    def per_step(self) -> bool:
        """Whether there is a target for each step."""
        return self.head.target == "sequence"

    def _draw_targets(self, rng: np.random.Generator) -> None:
        m = len(self.rows) if self.per_step else self.n
        shape = (m, self.head.n_targets)
        if self.head.loss == "cross_entropy":
            self.targets = rng.integers(0, self.head.n_outputs, m)
        elif self.head.loss == "poisson":
            self.targets = rng.poisson(1.5, shape).astype(self.dtype)
        elif self.head.loss == "binary_cross_entropy":
            self.targets = rng.integers(0, 2, shape).astype(self.dtype)
        else:
            self.targets = rng.standard_normal(shape).astype(self.dtype)
        self.weights = rng.uniform(0.2, 3.0, self.n).astype(self.dtype) if self.weighted else None
        self.step_weights = None
        if self.per_step:
            unknown = rng.random(m) < 0.3
            self.targets[unknown] = -1 if self.head.loss == "cross_entropy" else np.nan
            if self.weighted:
                self.step_weights = rng.uniform(0.2, 3.0, m).astype(self.dtype)

    def trainer(self, batch_size: int = 8, n_jobs: int = 1, **options: Any) -> Any:
        """A trainer that begins with the first parameters."""
        self.network.set_parameters(self.start)
        arguments = {
            "loss": self.head.loss,
            "delta": self.head.delta or 1.0,
            "quantiles": self.head.quantiles or (),
            "sample_weight": self.weights,
            "step_weight": self.step_weights,
            "codes": self.codes,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "label_smoothing": self.label_smoothing,
            "seed": self.mask_seed,
            **options,
        }
        arrays = (self.rows, self.starts, self.lengths, self.targets)
        trainer = TRAINERS[self.dtype](
            self.network, *arrays, batch_size=batch_size, n_jobs=n_jobs, **arguments
        )
        trainer.epoch = self.epoch
        return trainer

    def draw(self, kind: str, index: int, batch: np.ndarray, steps: int, rate: float) -> np.ndarray:
        """The core's masks of some sequences, float64 (N, steps, units); without steps (N, units)."""
        units = self.cell.output_size if kind in ("layer", "head") else self.cell.hidden_size
        drawn = _core.draw_masks(
            kind,
            index,
            batch,
            np.arange(steps) if steps else None,
            units,
            probability=rate,
            seed=self.mask_seed,
            epoch=self.epoch,
        ).astype(np.float64)
        return drawn if steps else drawn[:, 0]

    def masks(self, batch: np.ndarray, steps: int) -> Masks:
        """What training multiplies the states of some sequences with."""
        keep, recurrent = 1 - self.dropout, 1 - self.recurrent_dropout
        cells = range(self.cell.num_layers * self.cell.n_directions)
        return Masks(
            layers=[
                dropout_factors(self.draw("layer", layer, batch, steps, keep), self.dropout)
                for layer in range(self.cell.num_layers - 1)
            ]
            if self.dropout
            else None,
            recurrent=np.stack(
                [
                    dropout_factors(self.draw("recurrent", i, batch, 0, recurrent), self.recurrent_dropout)
                    for i in cells
                ]
            )
            if self.recurrent_dropout
            else None,
            zoneout=np.stack([self.draw("zoneout", i, batch, steps, self.cell.zoneout) for i in cells])
            if self.cell.zoneout
            else None,
        )

    def head_factors(self, batch: np.ndarray, mask: np.ndarray) -> np.ndarray | float:
        """What dropout multiplies the head's items with; mask (N, T): the steps that exist."""
        if not self.dropout:
            return 1.0
        keep = 1 - self.dropout
        if self.per_step:
            return dropout_factors(self.draw("head", 0, batch, mask.shape[1], keep)[mask], self.dropout)
        return dropout_factors(self.draw("head", 0, batch, 0, keep), self.dropout)

    def gradient(self) -> np.ndarray:
        """The core's gradient of the summed loss of all sequences."""
        trainer = self.trainer()
        trainer.accumulate(np.arange(self.n))
        return trainer.gradients()

    def differences(self) -> np.ndarray:
        """The same by central differences of the core's own loss."""
        trainer, batch, step = self.trainer(), np.arange(self.n), 6e-6
        slopes = np.empty_like(self.start)
        for i in range(len(slopes)):
            sums = []
            for sign in (1, -1):
                moved = self.start.copy()
                moved[i] += sign * step
                self.network.set_parameters(moved)
                sums.append(trainer.accumulate(batch)[0])
            slopes[i] = (sums[0] - sums[1]) / (2 * step)
        self.network.set_parameters(self.start)
        return slopes

    def predict(self, n_jobs: int = 1) -> np.ndarray:
        """Run the core."""
        return self.network.predict(self.rows, self.starts, self.lengths, n_jobs, self.codes)

    def _reference_inputs(self, batch: np.ndarray, weights: dict[str, np.ndarray]) -> tuple[Any, ...]:
        """What layer 0 reads, (N, T, I), the factors of its states, and the way back from their gradients."""
        lengths = self.lengths[batch]
        rows = np.zeros((len(batch), max(lengths, default=0), self.given.row_width))
        codes = np.zeros((*rows.shape[:2], len(self.categorical)), np.int32)
        for i, sequence in enumerate(batch):
            own = slice(self.starts[sequence], self.starts[sequence] + lengths[i])
            rows[i, : lengths[i]] = self.rows[own]
            if self.codes is not None:
                codes[i, : lengths[i]] = self.codes[own]
        x, hidden_scale = network_inputs(rows, weights, codes)

        def back(gradients: dict[str, np.ndarray], dx: np.ndarray) -> dict[str, np.ndarray]:
            d_scale = gradients.pop("hidden_scale", None)
            return {**gradients, **network_inputs_backward(dx, d_scale, rows, weights, codes)}

        return x, hidden_scale, back

    def _reference_items(self, batch: np.ndarray, training: bool = True) -> tuple[Any, ...]:
        """What the head reads, (items, D*H), and how to get back from its gradient."""
        weights = unflatten(self.network.parameters().astype(np.float64), self.shapes)
        x, hidden_scale, to_inputs = self._reference_inputs(batch, weights)
        lengths = self.lengths[batch]
        mask = np.arange(x.shape[1]) < lengths[:, np.newaxis]
        options = {"lengths": lengths, "reset_after": self.cell.reset_after, "hidden_scale": hidden_scale}
        expected = Masks(zoneout=self.cell.zoneout or None)
        options["masks"] = self.masks(batch, x.shape[1]) if training else expected
        factors = self.head_factors(batch, mask) if training else 1.0
        states, _ = gru_sequence(x, weights, **options)
        if self.per_step:
            items = states[mask]

            def back(d_items: np.ndarray) -> dict[str, np.ndarray]:
                d_states = np.zeros_like(states)
                d_states[mask] = d_items * factors
                return to_inputs(*gru_sequence_backward(x, weights, d_states, **options)[:2])

            return items * factors, weights, back
        pooling = {"lengths": lengths, "n_directions": self.cell.n_directions}
        pooling["query"] = weights.get("pool.query")

        def back(d_items: np.ndarray) -> dict[str, np.ndarray]:
            d_states, d_query = pool_states_backward(d_items * factors, states, self.pool, **pooling)
            gradients = to_inputs(*gru_sequence_backward(x, weights, d_states, **options)[:2])
            return gradients if d_query is None else {**gradients, "pool.query": d_query}

        return pool_states(states, self.pool, **pooling) * factors, weights, back

    def reference_predict(self) -> np.ndarray:
        """The specification's outputs in float64."""
        items, weights, _ = self._reference_items(np.arange(self.n), training=False)
        return items @ weights["head.weight"].T + weights["head.bias"]

    def reference(self, batch: np.ndarray) -> tuple[float, float, dict[str, np.ndarray]]:
        """The specification's loss sum, weight sum and gradient in float64."""
        items, weights, back = self._reference_items(batch)
        outputs = items @ weights["head.weight"].T + weights["head.bias"]
        rows = batch
        if self.per_step:
            steps = [np.arange(self.starts[i], self.starts[i] + self.lengths[i]) for i in batch]
            rows = np.concatenate(steps) if steps else rows
        row_weights = np.ones(len(rows))
        if self.weights is not None:
            of_sequence = self.weights[batch].astype(np.float64)
            row_weights = np.repeat(of_sequence, self.lengths[batch]) if self.per_step else of_sequence
        if self.step_weights is not None:
            row_weights = row_weights * self.step_weights[rows]
        targets = self.targets[rows]
        options: dict[str, Any] = {"weights": row_weights, "quantiles": self.head.quantiles}
        options["delta"] = self.head.delta or 1.0
        options["label_smoothing"] = self.label_smoothing
        if self.head.loss != "cross_entropy":
            targets = targets.astype(np.float64)
        loss, weight = loss_sum(outputs, targets, self.head.loss, **options)
        d_outputs = loss_gradient(outputs, targets, self.head.loss, **options)
        gradients = back(d_outputs @ weights["head.weight"])
        gradients["head.weight"] = d_outputs.T @ items
        gradients["head.bias"] = d_outputs.sum(0)
        return float(loss), float(weight), gradients


def make_network(
    n_features: int,
    cell: CellSpec,
    isa: str = "",
    output_size: int = 0,
    dtype: str = "float32",
    **options: Any,
) -> _core.Network | _core.Network64:
    """A core network of these sizes, all parameters zero."""
    return NETWORKS[dtype](
        n_features,
        cell.hidden_size,
        num_layers=cell.num_layers,
        bidirectional=cell.bidirectional,
        reset_after=cell.reset_after,
        bias=cell.bias,
        zoneout=cell.zoneout,
        layer_norm=cell.layer_norm,
        output_size=output_size,
        isa=isa,
        **options,
    )


@pytest.fixture
def make_case() -> type[Case]:
    """Build random cases."""
    return Case


@pytest.fixture
def make_head_case() -> type[HeadCase]:
    """Build random cases of networks with a head."""
    return HeadCase


@pytest.fixture
def build_network() -> Any:
    """Build networks."""
    return make_network
