"""What a step is given, converted to what the core takes, or refused with the place of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import InputEncoding
from grulearn.streaming._clock import StepClock
from grulearn.streaming._columns import StepColumns
from grulearn.streaming._features import FeatureReader
from grulearn.streaming._which import UNTOUCHED, Which, read_streams

__all__ = ["StepInputs", "StepReader"]

_REMEDY = 'Fit with missing="simple", "decay", "forward" or "mean" to use missing values'


class StepInputs(NamedTuple):
    """The arguments of a step, as the core takes them.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (F,) or (n, F)
    streams : None, int, or ndarray of int64, shape (n,)
    codes : ndarray of int32, shape (C,) or (n, C), or None
    times : ndarray of int64 or float64, shape () or (n,), or None
    """

    x: NDArray[Any]
    streams: Which
    codes: NDArray[np.int32] | None
    times: NDArray[Any] | None


class StepReader:
    """Reads steps for the streams of one object.

    Parameters
    ----------
    n_streams : int
    encoding : InputEncoding
    columns : StepColumns
    dtype : str
        What the network computes in.
    """

    def __init__(self, n_streams: int, encoding: InputEncoding, columns: StepColumns, dtype: str) -> None:
        self._n_streams, self._columns, self._dtype = n_streams, columns, dtype
        self._tables = encoding.step_tables()
        self._scaling = encoding.scaling
        self._features = FeatureReader(encoding, columns)

    @property
    def n_columns(self) -> int:
        """Number of features of a step."""
        return self._columns.size

    def read(
        self, x_t: Any, streams: Any, time: Any, clock: StepClock, is_fresh: Callable[[], bool]
    ) -> StepInputs:
        """Read a step.

        Parameters
        ----------
        x_t, streams, time
            As the user gave them.
        clock : StepClock
        is_fresh : callable
            Tells whether no stream has had a step.

        Raises
        ------
        ValueError, TypeError
            If something cannot be read; the message names it. Whether numbers are finite and times run
            forward is left to the core.
        """
        which = read_streams(streams, self._n_streams)
        x, codes = self._features.read(x_t, self._shapes(which))
        if codes is not None and self._tables.missing == "error":
            self._check_codes(codes, which)
        return StepInputs(x, which, codes, clock.read(time, x.shape[:-1], is_fresh))

    def refuse(self, inputs: StepInputs, clock: StepClock, state: dict[str, NDArray[Any]]) -> NoReturn:
        """Say why the core does not take inputs that were read.

        Raises
        ------
        ValueError
            Names stream and feature.
        """
        self._check_numbers(inputs.x, inputs.streams)
        if inputs.times is not None:
            self._check_ahead(inputs.times, inputs.streams, clock, state)
        raise ValueError(
            f"a time gap is outside the range of {self._dtype}, in units of the training part's mean step. "
            f"{UNTOUCHED}"
        )

    def _check_ahead(
        self, times: NDArray[Any], which: Which, clock: StepClock, state: dict[str, NDArray[Any]]
    ) -> None:
        index = np.arange(self._n_streams) if which is None else np.atleast_1d(which)
        times, latest = np.atleast_1d(times), state["time"][index]
        back = (times < latest) & (state["n_steps"][index] > 0)
        if back.any():
            row = int(back.argmax())
            raise ValueError(
                f"time runs backwards at stream {index[row]}: {clock.shown(times)[row]} after "
                f"{clock.shown(latest)[row]}. {UNTOUCHED}"
            )

    def _shapes(self, which: Which) -> list[tuple[int, ...]]:
        size = self._columns.size
        if isinstance(which, int):
            return [(size,)]
        if which is not None:
            return [(len(which), size)]
        return [(size,), (1, size)] if self._n_streams == 1 else [(self._n_streams, size)]

    def _check_numbers(self, x: NDArray[Any], which: Which) -> None:
        missing = self._tables.missing != "error"
        wrong = np.isinf(x) if missing else ~np.isfinite(x)
        if wrong.any():
            place = self._place(wrong, which, self._columns.numeric)
            if np.isnan(x[wrong][0]):
                raise ValueError(f"x_t contains NaN at {place}. {_REMEDY}. {UNTOUCHED}")
            raise ValueError(f"x_t contains infinity at {place}; expected finite numbers. {UNTOUCHED}")
        with np.errstate(over="ignore"):
            wrong = np.isinf(self._scaling.apply(x).astype(self._dtype))
        if wrong.any():
            raise ValueError(
                f"x_t contains a value too large at {self._place(wrong, which, self._columns.numeric)}: "
                f"{x[wrong][0]!s}, which scaling leaves outside {self._dtype}'s range. {UNTOUCHED}"
            )

    def _check_codes(self, codes: NDArray[np.int32], which: Which) -> None:
        wrong = codes == self._tables.missing_code
        if wrong.any():
            place = self._place(wrong, which, self._columns.categorical)
            raise ValueError(f"x_t has a missing value at {place}. {_REMEDY}. {UNTOUCHED}")

    def _place(self, wrong: NDArray[np.bool_], which: Which, columns: tuple[int, ...]) -> str:
        row, feature = (int(i) for i in np.argwhere(np.atleast_2d(wrong))[0])
        label = self._columns.label(columns[feature])
        if self._n_streams == 1:
            return label
        stream = row if which is None else which if isinstance(which, int) else which[row]
        return f"stream {stream}, {label}"
