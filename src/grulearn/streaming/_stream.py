"""What all streams have in common: their number, their state, and the way of a step into the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.encoding import InputEncoding, TargetScaling
from grulearn.engines import Engine, EngineStream
from grulearn.streaming._inputs import StepReader, read_streams
from grulearn.streaming._state import check_state

__all__ = ["Stream"]

Step = Callable[[Any, Any, Any], Any]


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
    n_streams : int
        At least 1.
    target_scaling : TargetScaling, optional
        Of the targets, where they have one.
    feature_names : sequence of str, optional
    n_jobs : int, default=1
        Number of threads for steps of many streams. The results do not depend on it.

    Raises
    ------
    TypeError, ValueError
        If `n_streams` is no integer of at least 1, or the network needs the end of a sequence.
    """

    def __init__(
        self,
        engine: Engine,
        encoding: InputEncoding,
        n_streams: int,
        *,
        target_scaling: TargetScaling | None = None,
        feature_names: Sequence[str] | None = None,
        n_jobs: int = 1,
    ) -> None:
        self._engine = engine
        self._encoding, self._target_scaling = encoding, target_scaling
        self._n_streams, self._n_jobs = n_streams, n_jobs
        self._reader = StepReader(n_streams, encoding, engine.spec.dtype, feature_names)
        self._native = self._open()

    def _open(self) -> EngineStream:
        target = self._target_scaling
        return self._engine.stream(
            self._n_streams,
            self._encoding.scaling.mean,
            self._encoding.scaling.scale,
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
        steps: NDArray[np.int64] = self._native.state()["n_steps"]
        return steps

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """All that is carried from one step to the next, as arrays; copies.

        "hidden" (L, n_streams, H) are the states of the network's layers, "n_steps" (n_streams,) the number
        of steps. With ``pooling="mean"`` there are "sum" and "block_sum" (n_streams, H), the sums of the last
        layer's states over all whole blocks of 256 steps and over the steps since; with "max" there is
        "largest" (n_streams, H).

        Assigning such a dict, of this object or of another of the same model and number of streams, goes on
        from there. Arrays of another dtype are converted. A ValueError or TypeError names what does not fit,
        and then nothing has changed.
        """
        return self._native.state()

    @state.setter
    def state(self, arrays: Mapping[str, ArrayLike]) -> None:
        self._native.set_state(check_state(arrays, self._native.state()))

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

    def _step_of_any(
        self, step: Step, x_t: Any, streams: Any, out: NDArray[Any] | None, columns: int = 1
    ) -> Any:
        """Do a step whose arrays need converting, or say what is wrong with them.

        `columns` is how many numbers the result has for each stream.
        """
        x, which = self._reader.read(x_t, streams)
        if out is not None:
            shape = x.shape[:-1] if columns == 1 else (*x.shape[:-1], columns)
            _check_output(out, shape)
        return step(x, which, out)

    def __repr__(self) -> str:
        spec = self._engine.spec
        return f"{type(self).__name__}(n_streams={self._n_streams}, n_features={spec.input.n_features})"

    # The core's objects cannot be pickled.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": self._native.state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        carried = state.pop("_native")
        self.__dict__.update(state)
        self._native = self._open()
        self._native.set_state(carried)


def _check_output(out: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected a float64 array to write to, got {type(out).__name__}")
    if out.dtype != np.float64 or not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise TypeError(
            f"out: expected a writable C-contiguous float64 array, got {out.dtype}"
            f"{'' if out.flags.c_contiguous else ', not contiguous'}"
            f"{'' if out.flags.writeable else ', read-only'}"
            f"{'' if out.flags.aligned else ', not aligned'}"
        )
    if out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
