"""grulearn as its users call it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn import __version__, _core
from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.peers.protocol import Stream
from grulearn.encoding import InputEncoding, Scaling, TargetScaling
from grulearn.engines import get_engine
from grulearn.formats import flatten, parameter_shapes
from grulearn.formats.weights import HEAD_NAMES
from grulearn.gru import GRU
from grulearn.streaming import RegressorStream, StepColumns

__all__ = ["EstimatorStreams", "GrulearnLibrary"]


class GrulearnLibrary:
    """Inference and single steps through :class:`grulearn.GRU`, training through the native trainer."""

    key = "grulearn"
    label = "grulearn"
    version = __version__

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.details = f"{_core.instruction_set()} kernels (of {', '.join(_core.instruction_sets())})"

    def model(self, case: Case) -> GrulearnModel:
        """Build a case."""
        return GrulearnModel(case, self._threads)

    def stream(self, case: Case) -> Stream:
        """Build the network for single steps; `h` is overwritten in place (``out=h``)."""
        return Stream(
            step=_gru(case, self._threads).step,
            inputs=[np.ascontiguousarray(x[np.newaxis]) for x in case.inputs[0]],
            state=np.zeros((1, 1, case.hidden), np.float32),
            as_array=np.ravel,
        )


class EstimatorStreams:
    """A fitted regressor's stream: features scaled, network, linear layer, predictions scaled back."""

    label = "est.stream()"

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def stream(self, case: Case) -> Stream:
        """Build the network for single steps; the stream has the state, and the one it is given stays."""
        spec, one = case.spec, np.ones(case.features)
        engine = get_engine("native")(spec)
        engine.set_parameters(flatten(case.weights, parameter_shapes(spec), spec.dtype))
        scaling = Scaling(0.0 * one, one, np.zeros(case.features, np.bool_))
        stream = RegressorStream(
            engine,
            InputEncoding(scaling, 0.0 * one, "error", ()),
            StepColumns(tuple(range(case.features))),
            1,
            target_scaling=TargetScaling(np.zeros(1), np.ones(1)),
            n_jobs=self._threads,
        )
        advance = stream.step

        def step(x: Any, h: Any, _: Any) -> Any:
            advance(x)
            return h

        return Stream(
            step=step,
            inputs=[x.copy() for x in case.inputs[0]],
            state=np.zeros((1, 1, case.hidden), np.float32),
            as_array=lambda _: np.ravel(stream.state["hidden"]),
        )


class GrulearnModel:
    """A case."""

    def __init__(self, case: Case, threads: int) -> None:
        self._gru = _gru(case, threads)
        self._inputs = case.inputs
        self.training_step = CoreModel(case, threads).training_step

    def inference(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the sequences."""
        return self._gru(self._inputs)

    def outputs(self) -> NDArray[np.float32]:
        """Return the states after each step, shape (N, T, H)."""
        return self.inference()[0]


def _gru(case: Case, threads: int) -> GRU:
    cell_weights = {name: value for name, value in case.weights.items() if name not in HEAD_NAMES}
    return GRU(cell_weights, reset_after=case.reset_after, n_jobs=threads)
