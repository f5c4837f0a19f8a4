"""A network of the native core under measurement, and the processor's peak."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn import _core
from grulearn.benchmark.cases import BETAS, CLIP_NORM, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Case
from grulearn.formats.weights import flatten, parameter_shapes

__all__ = ["CoreModel", "fma_peak"]

_PEAK_SECONDS = 0.02


def fma_peak(threads: int, isa: str = "") -> float:
    """Measure the floating-point operations a second of independent fused multiply-adds, 20 ms long.

    Parameters
    ----------
    threads : int
        All of them at once.
    isa : str, default=""
        The instruction set; empty for the one in use.

    Returns
    -------
    float

    Examples
    --------
    >>> from grulearn.benchmark.core_model import fma_peak
    >>> fma_peak(1) > 1e8
    True
    """
    return _core.fma_peak(threads, _PEAK_SECONDS, isa)


class CoreModel:
    """A case on the native core, called without the Python classes above it.

    Parameters
    ----------
    case : Case
    threads : int
    isa : str, default=""
        The instruction set; empty for the one in use.
    inputs : ndarray of float32, shape (N, T, F), default=None
        Data instead of the case's own.
    weights : mapping, default=None
        Weights instead of the case's own.

    Examples
    --------
    >>> from grulearn.benchmark.cases import Case
    >>> from grulearn.benchmark.core_model import CoreModel
    >>> model = CoreModel(Case(2, 3, 4, 5), threads=1)
    >>> model.inference()[0].shape
    (6, 5)
    """

    def __init__(
        self,
        case: Case,
        threads: int,
        isa: str = "",
        inputs: NDArray[np.float32] | None = None,
        weights: dict[str, NDArray[np.float32]] | None = None,
    ) -> None:
        self._threads = threads
        self._parameters = flatten(case.weights if weights is None else weights, parameter_shapes(case.spec))
        rows = (case.inputs if inputs is None else inputs).reshape(-1, case.features)
        starts = np.arange(case.n, dtype=np.int64) * case.steps
        self._sequences = rows, starts, case.lengths
        self._network = self._new_network(case, isa)
        # Training changes the weights, so it has a network of its own.
        self._trainer = _core.Trainer(
            self._new_network(case, isa),
            *self._sequences,
            case.targets,
            batch_size=case.n,
            n_jobs=threads,
            beta1=BETAS[0],
            beta2=BETAS[1],
            epsilon=EPSILON,
            weight_decay=WEIGHT_DECAY,
            clip_norm=CLIP_NORM,
        )

    def _new_network(self, case: Case, isa: str) -> Any:
        cell = case.spec.cell
        network = _core.Network(
            case.features,
            cell.hidden_size,
            num_layers=cell.num_layers,
            bidirectional=cell.bidirectional,
            reset_after=cell.reset_after,
            bias=cell.bias,
            output_size=case.spec.head.n_outputs,
            isa=isa,
        )
        network.set_parameters(self._parameters)
        return network

    def inference(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the sequences; return the states after each step and the final states."""
        outputs, final = self._network.forward(*self._sequences, None, self._threads)
        return outputs, final

    def training_step(self) -> float:
        """Take one step on the whole batch; return the loss before it."""
        return float(self._trainer.run_epoch(None, LEARNING_RATE)[0])
