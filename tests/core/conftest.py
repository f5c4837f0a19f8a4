"""What the tests of the native core share: every instruction set, both scalar types, and random cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.equations import gru_sequence, gru_sequence_backward
from grulearn.formats.weights import cell_parameter_shapes, unflatten
from grulearn.spec import CellSpec


@pytest.fixture(params=_core.instruction_sets())
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction set that this machine supports."""
    return request.param


NETWORKS = {"float32": _core.Network, "float64": _core.Network64}


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


def make_network(
    n_features: int, cell: CellSpec, isa: str = "", output_size: int = 0, dtype: str = "float32"
) -> _core.Network | _core.Network64:
    """A core network of these sizes, all parameters zero."""
    return NETWORKS[dtype](
        n_features,
        cell.hidden_size,
        num_layers=cell.num_layers,
        bidirectional=cell.bidirectional,
        reset_after=cell.reset_after,
        bias=cell.bias,
        output_size=output_size,
        isa=isa,
    )


@pytest.fixture
def make_case() -> type[Case]:
    """Build random cases."""
    return Case


@pytest.fixture
def build_network() -> Any:
    """Build networks."""
    return make_network
