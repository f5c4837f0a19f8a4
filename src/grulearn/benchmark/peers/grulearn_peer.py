"""grulearn as its users call it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grulearn import __version__, _core
from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.peers.protocol import Stream
from grulearn.formats.weights import HEAD_NAMES
from grulearn.gru import GRU

__all__ = ["GrulearnLibrary"]


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
