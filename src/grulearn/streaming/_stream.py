"""What all streams have in common: their number, their state, and the way of a step into the core."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.encoding import InputEncoding, TargetScaling
from grulearn.engines import Engine, EngineStream
from grulearn.streaming._clock import StepClock, as_ticks
from grulearn.streaming._columns import StepColumns
from grulearn.streaming._inputs import StepReader
from grulearn.streaming._state import check_state
from grulearn.streaming._which import read_streams

__all__ = ["Stream"]

Step = Callable[[Any, Any, Any, Any, Any], Any]


class Stream:
    """Sequences that arrive step by step, each advanced by `step` of a subclass.

    After each step a stream predicts what the estimator's `predict` would for all the steps that it has had
    so far, to the bit, for the work of one. It keeps the network that it was made from: a later fit of the
    estimator changes nothing. Streams of one object have states of their own, and do not need to advance
    together. Objects are independent of each other; calls of one object from several threads take turns. It
    can be pickled and copied, with its state.

    Parameters
    ----------
    engine : Engine
        The fitted network. It is not copied, and must not change.
    encoding : InputEncoding
        Between the user's features and what the network reads.
    columns : StepColumns
        Where the features stand in a step.
    n_streams : int
        At least 1.
    target_scaling : TargetScaling, optional
        Of the targets, where they have one.
    n_jobs : int, default=1
        Number of threads for steps of many streams. The results do not depend on it.

    Raises
    ------
    ValueError
        If `n_streams` is less than 1, or the network needs the end of a sequence.
    """

    def __init__(
        self,
        engine: Engine,
        encoding: InputEncoding,
        columns: StepColumns,
        n_streams: int,
        *,
        target_scaling: TargetScaling | None = None,
        n_jobs: int = 1,
    ) -> None:
        self._engine = engine
        self._encoding, self._target_scaling = encoding, target_scaling
        self._n_streams, self._n_jobs = n_streams, n_jobs
        self._reader = StepReader(n_streams, encoding, columns, engine.spec.dtype)
        self._clock = StepClock(encoding.gaps)
        self._turn = Lock()
        self._native = self._open()

    def _open(self) -> EngineStream:
        target = self._target_scaling
        return self._engine.stream(
            self._n_streams,
            self._encoding.step_tables(),
            target_mean=None if target is None else target.mean,
            target_scale=None if target is None else target.scale,
            n_jobs=self._n_jobs,
        )

    @property
    def n_streams(self) -> int:
        """Number of streams."""
        return self._n_streams

    @property
    def n_steps(self) -> NDArray[np.int64]:
        """How many steps each stream has had, shape (n_streams,)."""
        steps: NDArray[np.int64] = self._native.n_steps()
        return steps

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """All that is carried from one step to the next, as arrays; copies.

        ============= =======================================================================================
        "hidden"      (L, n_streams, H): the states of the network's layers
        "n_steps"     (n_streams,): the number of steps
        "sum"         (n_streams, H), for ``pooling="mean"``: the sum of the last layer's states over all
                      whole blocks of 256 steps
        "block_sum"   (n_streams, H), for "mean": the same over the steps since
        "largest"     (n_streams, H), for "max": the largest of the last layer's states
        "last_values" (n_streams, F), for ``missing="forward"``, "simple" and "decay": the value that each
                      numeric feature had when it was observed last, scaled
        "since"       (n_streams, F), for "simple" and "decay": when that was; a number of steps, or a time
        "time"        (n_streams,): of the latest step, where gaps are between times
        ============= =======================================================================================

        Times are there from the first step on. Assigning such a dict, of this object or of another of the
        same model and number of streams, goes on from there; numbers of another dtype are converted. A
        ValueError or TypeError names what does not fit, and then nothing has changed.
        """
        state = self._native.state()
        if self._clock.counts_times:
            for name in {"since", "time"} & state.keys():
                state[name] = self._clock.shown(state[name])
        return state

    @state.setter
    def state(self, arrays: Mapping[str, ArrayLike]) -> None:
        if not isinstance(arrays, Mapping):
            raise TypeError(
                f"state: expected a dict of arrays, as `state` gives it, got {type(arrays).__name__}"
            )
        given, expected = dict(arrays), self._native.state()
        if not self._clock.counts_times:
            self._native.set_state(check_state(given, expected))
            return
        dtype = self._clock.closest(np.asarray(given["since"]).dtype if "since" in given else None)
        expected["since"] = np.zeros((self._n_streams, self._encoding.n_features), dtype)
        expected["time"] = np.zeros(self._n_streams, dtype)
        if not np.any(given.get("n_steps", 1)):  # before the first step there may be none
            given = {"since": expected["since"], "time": expected["time"], **given}
        state = check_state(given, expected)
        self._set_clock(dtype)
        self._native.set_state({name: as_ticks(values) for name, values in state.items()})

    def _set_clock(self, dtype: np.dtype[Any]) -> None:
        self._clock.dtype = dtype
        self._native.set_clock(dtype.kind != "f", self._clock.unit)

    def reset(self, streams: int | ArrayLike | None = None) -> None:
        """Put streams back to before their first step.

        Parameters
        ----------
        streams : int, array-like of int, or mask of shape (n_streams,), default=None
            Which; None means all.

        Raises
        ------
        TypeError, ValueError
            If there is no such stream.
        """
        which = read_streams(streams, self._n_streams)
        self._native.reset([which] if isinstance(which, int) else which if which is None else which.tolist())

    def _run(self, step: Step, x_t: Any, streams: Any, out: Any, time: Any, columns: int = 1) -> Any:
        """Do a step whose arguments need converting, or say what is wrong with them.

        `columns` is how many numbers the result has for each stream.
        """
        with self._turn:  # what the first times count, and the step that brings them, belong together
            return self._run_alone(step, x_t, streams, out, time, columns)

    def _run_alone(self, step: Step, x_t: Any, streams: Any, out: Any, time: Any, columns: int) -> Any:
        before = self._clock.dtype
        inputs = self._reader.read(x_t, streams, time, self._clock, lambda: not self.n_steps.any())
        # Not "!=": to NumPy None is float64.
        if self._clock.dtype is not None and self._clock.dtype is not before:
            self._set_clock(self._clock.dtype)
        if out is not None:
            shape = inputs.x.shape[:-1]
            _check_output(out, shape if columns == 1 else (*shape, columns))
        result = step(inputs.x, inputs.streams, out, inputs.codes, inputs.times)
        if result is None:
            self._reader.refuse(inputs, self._clock, self._native.state())
        return result

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_streams={self._n_streams}, n_features={self._reader.n_columns})"

    # The core's objects cannot be pickled.
    def __getstate__(self) -> dict[str, Any]:
        with self._turn:
            carried = {"_native": self._native.state(), "_clock": copy.copy(self._clock)}
        return {name: value for name, value in self.__dict__.items() if name != "_turn"} | carried

    def __setstate__(self, state: dict[str, Any]) -> None:
        carried = state.pop("_native")
        self.__dict__.update(state)
        self._turn = Lock()
        self._native = self._open()
        if self._clock.dtype is not None:
            self._set_clock(self._clock.dtype)
        self._native.set_state(carried)


def _check_output(out: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected a float64 array to write to, got {type(out).__name__}")
    if type(out) is not np.ndarray or out.dtype != np.float64 or not out.flags.carray:
        raise TypeError(
            f"out: expected a writable C-contiguous float64 array, got {type(out).__name__} of {out.dtype}"
            f"{'' if out.flags.c_contiguous else ', not contiguous'}"
            f"{'' if out.flags.writeable else ', read-only'}"
            f"{'' if out.flags.aligned else ', not aligned'}"
        )
    if out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
