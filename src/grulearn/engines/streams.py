"""What an engine offers to sequences that arrive step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["EngineStream", "StepEncoding"]


class StepEncoding(Protocol):
    """What is made of a step's features; :class:`grulearn.encoding.StepTables` states it, and is one."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Of the features, shape (F,)."""

    @property
    def scale(self) -> NDArray[np.float64]:
        """Of the features, shape (F,)."""

    @property
    def fill(self) -> NDArray[np.float64]:
        """What stands for a missing value where nothing better is known, scaled, shape (F,)."""

    @property
    def missing(self) -> str:
        """What is done about missing values: "error", "mean", "forward", "simple" or "decay"."""

    @property
    def gap_kind(self) -> str | None:
        """What time gaps are between: "steps", times ("seconds", "numbers"), or None for no gaps."""


class EngineStream(Protocol):
    """Sequences that a network reads step by step.

    What it is given is checked, not converted: a step returns None, and nothing has changed, if an array is
    not an aligned C-contiguous one of the right dtype and shape, a stream is not there or named twice, a
    feature, as it came or scaled, is not finite where it has to be, or a time is before that of the stream's
    step before. Who calls it then converts, or says what is wrong.
    """

    def step(self, x: Any, streams: Any, out: Any, codes: Any = None, times: Any = None) -> Any:
        """Advance streams by a step, and predict.

        Parameters
        ----------
        x : ndarray of float32 or float64, shape (F,) or (n, F)
            Numeric features before they are scaled: of one stream, or of several.
        streams : None, int, or ndarray of int64, shape (n,)
            Which: None for all, a number with `x` of shape (F,), or different numbers with (n, F).
        out : None or ndarray of float64
            Where to write; None makes a new array.
        codes : None or ndarray of int32, shape (C,) or (n, C)
            Codes of the categorical features.
        times : None or ndarray of int64 or float64, shape () or (n,)
            The times of the step, where gaps come from times; see `set_clock`.

        Returns
        -------
        float, or ndarray of float64, shape (K,), (n,) or (n, K)
            The prediction for each target, decoded: a mean, or the quantile nearest to 1/2. A float for one
            stream and one target.
        """

    def step_values(self, x: Any, streams: Any, out: Any, codes: Any = None, times: Any = None) -> Any:
        """Do what `step` does, and return all that was decoded: the O columns of :meth:`Engine.decode`."""

    def step_probabilities(self, x: Any, streams: Any, out: Any, codes: Any = None, times: Any = None) -> Any:
        """Do what `step` does, and return the probability of each class, (C,) or (n, C).

        A single output p, of "binary_cross_entropy", gives ``1 - p`` and ``p``.
        """

    def step_decisions(self, x: Any, streams: Any, out: Any, codes: Any = None, times: Any = None) -> Any:
        """Do what `step` does for probabilities, and return int64 class numbers.

        The likeliest class of "cross_entropy"; for each target of "binary_cross_entropy" 1 where its
        output is positive, else 0.
        """

    def set_clock(self, integers: bool, unit: float) -> None:
        """Say that times are int64 or float64 from now on, and how many make a gap of 1."""

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Put streams, or all of them, back to before their first step."""

    def n_steps(self) -> NDArray[np.int64]:
        """Return how many steps each stream has had, shape (n_streams,)."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that are carried from one step to the next.

        Those that hold times are there once there is a clock.
        """

    def set_state(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from arrays of the names, dtypes and shapes of `state`.

        Raises
        ------
        ValueError
            If one is missing or does not fit.
        """
