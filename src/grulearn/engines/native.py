"""The native engine: a thin face of the C++ core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn import _core
from grulearn.engines.protocol import (
    ClassArray,
    FloatArray,
    OptimizerOptions,
    SequenceData,
    Trainer,
)
from grulearn.engines.streams import EngineStream, StepEncoding
from grulearn.precision import core_classes
from grulearn.spec import NetworkSpec

__all__ = ["NativeEngine"]


class NativeEngine:
    """A network that the C++ core runs and trains, in the dtype of its specification.

    Parameters
    ----------
    spec : NetworkSpec
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        cell = spec.cell
        self._network = core_classes(spec.dtype).network(
            spec.input.n_features,
            cell.hidden_size,
            num_layers=cell.num_layers,
            bidirectional=cell.bidirectional,
            reset_after=cell.reset_after,
            bias=cell.bias,
            output_size=spec.head.n_outputs,
            pool=spec.pool.kind,
            target=spec.head.target,
            categorical=spec.input.categorical,
            decay=spec.input.decay,
            zoneout=cell.zoneout,
            layer_norm=cell.layer_norm,
        )

    @property
    def spec(self) -> NetworkSpec:
        """What network it is."""
        return self._spec

    @property
    def instruction_set(self) -> str:
        """The instruction set in use: "avx512", "avx2" or "baseline"."""
        return _core.instruction_set()

    def parameters(self) -> FloatArray:
        """Return a copy of all weights, shape (n_parameters,), in the canonical order."""
        return self._network.parameters()

    def set_parameters(self, values: FloatArray) -> None:
        """Replace all weights by `values`, shape (n_parameters,)."""
        self._network.set_parameters(values)

    def predict(self, data: SequenceData, n_jobs: int = 1) -> FloatArray:
        """Return the head's outputs for N sequences, shape (N, O) or (sum of lengths, O)."""
        return self._network.predict(data.rows, data.starts, data.lengths, n_jobs, self._codes(data))

    def _codes(self, data: SequenceData) -> NDArray[np.int32] | None:
        return data.codes if self._spec.input.categorical else None

    def decode(
        self,
        outputs: FloatArray,
        mean: NDArray[np.float64] | None = None,
        scale: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Turn outputs (n, O) into what they stand for in the user's units, float64 (n, O)."""
        head = self._spec.head
        return _core.decode(
            outputs,
            loss=head.loss,
            quantiles=head.quantiles or (),
            mean=() if mean is None else mean.tolist(),
            scale=() if scale is None else scale.tolist(),
        )

    def stream(
        self,
        n_streams: int,
        encoding: StepEncoding,
        *,
        target_mean: NDArray[np.float64] | None = None,
        target_scale: NDArray[np.float64] | None = None,
        n_jobs: int = 1,
    ) -> EngineStream:
        """Return streams of this network, which must not change as long as they are used."""
        head = self._spec.head
        return core_classes(self._spec.dtype).stream(
            self._network,
            n_streams,
            mean=encoding.mean.tolist(),
            scale=encoding.scale.tolist(),
            fill=encoding.fill.tolist(),
            missing=encoding.missing,
            gap_time={None: "none", "steps": "steps"}.get(encoding.gap_kind, "given"),
            loss=head.loss,
            quantiles=head.quantiles or (),
            target_mean=() if target_mean is None else target_mean.tolist(),
            target_scale=() if target_scale is None else target_scale.tolist(),
            n_jobs=n_jobs,
        )

    def trainer(
        self,
        data: SequenceData,
        targets: FloatArray | ClassArray,
        options: OptimizerOptions,
        *,
        target_starts: NDArray[np.int64] | None = None,
        sample_weight: FloatArray | None = None,
        step_weight: FloatArray | None = None,
    ) -> Trainer:
        """Return a trainer of this network on N sequences and their targets."""
        head = self._spec.head
        return core_classes(self._spec.dtype).trainer(
            self._network,
            data.rows,
            data.starts,
            data.lengths,
            targets,
            batch_size=options.batch_size,
            n_jobs=options.n_jobs,
            loss=head.loss,
            delta=1.0 if head.delta is None else head.delta,
            quantiles=head.quantiles or (),
            target_starts=target_starts,
            sample_weight=sample_weight,
            step_weight=step_weight,
            weight_decay=options.weight_decay,
            clip_norm=0.0 if options.clip_norm is None else options.clip_norm,
            checkpoint_steps=0 if options.checkpoint_steps is None else options.checkpoint_steps,
            codes=self._codes(data),
            bptt=0 if options.bptt is None else options.bptt,
            dropout=options.dropout,
            recurrent_dropout=options.recurrent_dropout,
            seed=options.seed,
            label_smoothing=options.label_smoothing,
            average_decay=options.average_decay or 0.0,
        )

    # The core's objects cannot be pickled; the specification and the weights say everything.
    def __getstate__(self) -> dict[str, Any]:
        return {"spec": self._spec, "parameters": self.parameters()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["spec"])  # type: ignore[misc]
        self.set_parameters(state["parameters"])
