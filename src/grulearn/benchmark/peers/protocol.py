"""What a library under measurement offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.cases import Case

__all__ = ["Library", "Model", "Stream", "StreamingLibrary"]


class Model(Protocol):
    """A case in one library, compiled or not, with its data ready in the form that it reads."""

    def inference(self) -> object:
        """Run whole sequences: the states after each step are the result, computed when this returns."""

    @property
    def training_step(self) -> Callable[[], float] | None:
        """What takes a training step and returns the loss before it; None for a library without training.

        Forward, mean squared error of a linear layer on the last state, backward, clipping, AdamW.
        """

    def outputs(self) -> NDArray[np.float32]:
        """Return the states after each step, shape (N, T, H)."""


@dataclass(frozen=True)
class Stream:
    """A network that advances one sequence step by step.

    Parameters
    ----------
    step : callable
        Called as ``h = step(x, h, h)``: the input, the state before, and the place for the state after it,
        which a library that makes a new array leaves alone.
    inputs : sequence
        Prepared inputs of one step each.
    state : object
        The state of zeros.
    as_array : callable
        Turns a state into an array with H elements.
    """

    step: Callable[[Any, Any, Any], Any]
    inputs: Sequence[Any]
    state: Any
    as_array: Callable[[Any], NDArray[np.float32]]


class StreamingLibrary(Protocol):
    """What has single steps to measure."""

    label: str

    def stream(self, case: Case) -> Stream | None:
        """Build the network of a case for single steps of ``case.inputs[0]``; None if it is not compared."""


class Library(Protocol):
    """A library with the number of threads that it was given."""

    key: str
    label: str
    version: str
    details: str
    """One line: instruction set, matrix library, threads."""

    def model(self, case: Case) -> Model:
        """Build a case of one layer in one direction."""

    def stream(self, case: Case) -> Stream | None:
        """Build the network of a case for single steps of ``case.inputs[0]``; None if it is not compared."""
