"""The native engine: a thin face of the C++ core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn import _core
from grulearn.engines.protocol import OptimizerOptions, SequenceData, Trainer
from grulearn.spec import NetworkSpec

__all__ = ["NativeEngine"]


class NativeEngine:
    """A network that the C++ core runs and trains.

    Parameters
    ----------
    spec : NetworkSpec
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        cell = spec.cell
        self._network = _core.Network(
            spec.input.n_features,
            cell.hidden_size,
            num_layers=cell.num_layers,
            bidirectional=cell.bidirectional,
            reset_after=cell.reset_after,
            bias=cell.bias,
            output_size=spec.head.n_outputs,
        )

    @property
    def spec(self) -> NetworkSpec:
        """What network it is."""
        return self._spec

    @property
    def instruction_set(self) -> str:
        """The instruction set in use: "avx512", "avx2" or "baseline"."""
        return _core.instruction_set()

    def parameters(self) -> NDArray[np.float32]:
        """Return a copy of all weights, shape (n_parameters,), in the canonical order."""
        return self._network.parameters()

    def set_parameters(self, values: NDArray[np.float32]) -> None:
        """Replace all weights by `values`, shape (n_parameters,)."""
        self._network.set_parameters(values)

    def predict(self, data: SequenceData, n_jobs: int = 1) -> NDArray[np.float32]:
        """Run the network on N sequences; the result has shape (N, O)."""
        return self._network.predict(data.rows, data.starts, data.lengths, n_jobs)

    def trainer(self, data: SequenceData, targets: NDArray[np.float32], options: OptimizerOptions) -> Trainer:
        """Return a trainer of this network on N sequences and their targets, shape (N, O)."""
        return _core.Trainer(
            self._network,
            data.rows,
            data.starts,
            data.lengths,
            targets,
            batch_size=options.batch_size,
            n_jobs=options.n_jobs,
            weight_decay=options.weight_decay,
            clip_norm=0.0 if options.clip_norm is None else options.clip_norm,
        )

    # The core's objects cannot be pickled; the specification and the weights say everything.
    def __getstate__(self) -> dict[str, Any]:
        return {"spec": self._spec, "parameters": self.parameters()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["spec"])  # type: ignore[misc]
        self.set_parameters(state["parameters"])
