"""The times of steps: what they count, in one unit for all streams of an object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import GapScale
from grulearn.streaming._which import UNTOUCHED

__all__ = ["StepClock"]

_WORDS = {"seconds": "datetimes or durations", "numbers": "plain numbers"}


class StepClock:
    """Reads times, and knows what the first ones counted: the others are brought into that unit.

    Gaps are differences of whole ticks where times are whole, so that they have the bits that `predict` makes
    of a time column of the same unit.

    Parameters
    ----------
    gaps : GapScale or None
        None where no time gaps are inputs.

    Attributes
    ----------
    dtype : dtype or None
        What times count: int64, float64, ``datetime64[unit]`` or ``timedelta64[unit]``; None as long as there
        were none.
    """

    def __init__(self, gaps: GapScale | None) -> None:
        self._gaps = gaps
        self.dtype: np.dtype[Any] | None = None

    @property
    def counts_times(self) -> bool:
        """Whether gaps are between times, rather than steps."""
        return self._gaps is not None and self._gaps.kind != "steps"

    def closest(self, dtype: np.dtype[Any] | None) -> np.dtype[Any]:
        """Return `dtype` if times may count that, else what they count now, or might."""
        assert self._gaps is not None
        known = dtype is not None and (dtype.kind in "mM" or dtype in (np.int64, np.float64))
        if dtype is not None and known and _kind(dtype) == self._gaps.kind:
            return dtype
        return self.dtype or np.dtype("M8[ns]" if self._gaps.kind == "seconds" else np.float64)

    @property
    def unit(self) -> float:
        """How many ticks make a gap of 1."""
        assert self._gaps is not None
        return self._gaps.ticks_per_unit(self.dtype)

    def shown(self, ticks: NDArray[Any]) -> NDArray[Any]:
        """Return ticks as the datetimes or durations that they count; numbers as they are."""
        return ticks if self.dtype is None or self.dtype.kind not in "mM" else ticks.view(self.dtype)

    def read(self, time: Any, shape: tuple[int, ...], is_fresh: Callable[[], bool]) -> NDArray[Any] | None:
        """Return times as the core takes them, and remember what they count.

        Parameters
        ----------
        time : None, number, datetime or duration, or array-like of these
        shape : tuple of int
            () or (n,).
        is_fresh : callable
            Tells whether no stream has had a step: times may then count something new.

        Returns
        -------
        ndarray of int64 or float64 of `shape`; None if the model has no use for times

        Raises
        ------
        ValueError
            If there are none where there should be or the other way round, or they do not fit.
        """
        if self._gaps is None or self._gaps.kind == "steps":
            if time is not None:
                raise ValueError(self._useless())
            return None
        kind = self._gaps.kind
        if time is None:
            raise ValueError(
                f"time is missing: the model was fitted on sequences with times, {_WORDS[kind]}, and the "
                f"gaps between them are inputs. {UNTOUCHED}"
            )
        times = _as_times(time)
        if times.shape == ():
            times = np.full(shape, times)  # one time for all streams
        if times.shape != shape:
            raise ValueError(f"time: expected shape {shape}, got {times.shape}. {UNTOUCHED}")
        if _kind(times.dtype) != kind:
            raise ValueError(
                f"time: the model was fitted on times that are {_WORDS[kind]}, got "
                f"{_WORDS[_kind(times.dtype)]} ({times.dtype}). {UNTOUCHED}"
            )
        if self.dtype is None or (times.dtype != self.dtype and is_fresh()):
            self.dtype = times.dtype
        return as_ticks(_convert(times, self.dtype))

    def _useless(self) -> str:
        if self._gaps is None:
            reason = 'no time gaps are inputs of this model (missing="simple" and "decay" have them)'
        else:
            reason = "the model was fitted on sequences without times, and counts steps"
        return f"time: {reason}; leave it out. {UNTOUCHED}"


def as_ticks(times: NDArray[Any]) -> NDArray[Any]:
    """Return datetimes and durations as the int64 that they count, numbers as they are."""
    return times.view(np.int64) if times.dtype.kind in "mM" else times


def _kind(dtype: np.dtype[Any]) -> str:
    generic = dtype.kind == "m" and np.datetime_data(dtype)[0] == "generic"
    return "seconds" if dtype.kind in "mM" and not generic else "numbers"


def _as_times(time: Any) -> NDArray[Any]:
    """Return times as int64, float64, or NumPy's datetimes or durations of a unit of one length."""
    times = np.asarray(time)
    if times.dtype.kind == "O":
        times = _from_objects(times)
    if times.dtype.kind not in "iufmM":
        raise ValueError(f"time: expected datetimes, durations or numbers, got {times.dtype}. {UNTOUCHED}")
    if times.dtype.kind == "M" and np.datetime_data(times.dtype)[0] in ("Y", "M"):
        times = times.astype("datetime64[D]")  # months are of different lengths
    if times.dtype.kind == "u" and times.size and times.max() > np.iinfo(np.int64).max:
        raise ValueError(f"time: {times.max()} is beyond int64. {UNTOUCHED}")
    if times.dtype.kind in "iu":
        times = times.astype(np.int64)
    if times.dtype.kind == "f":
        times = times.astype(np.float64)
    if not np.isfinite(times).all():
        raise ValueError(f"time: {times[~np.isfinite(times)][0]} is no time. {UNTOUCHED}")
    return np.ascontiguousarray(times).reshape(times.shape)


def _from_objects(times: NDArray[Any]) -> NDArray[Any]:
    """Turn Python's and pandas' datetimes and durations into NumPy's; with a time zone into UTC."""
    import pandas as pd

    items = list(times.flat)
    if items and all(isinstance(item, date) for item in items):  # a datetime is a date
        index: Any = pd.DatetimeIndex(items)
        index = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    elif items and all(isinstance(item, timedelta) for item in items):
        index = pd.TimedeltaIndex(items)
    else:
        found = next((item for item in items if not isinstance(item, datetime | timedelta)), None)
        raise ValueError(f"time: expected datetimes, durations or numbers, got {found!r}. {UNTOUCHED}")
    return np.asarray(index.to_numpy()).reshape(times.shape)


def _convert(times: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return times in the unit of the first ones, if that changes nothing."""
    if times.dtype == dtype:
        return times
    if times.dtype.kind == dtype.kind or {times.dtype.kind, dtype.kind} == {"i", "f"}:
        converted = times.astype(dtype)
        if (converted.astype(times.dtype) == times).all():
            return converted
    raise ValueError(
        f"time: the first times of these streams were {dtype}, and {times.flat[0]!r} cannot be brought into "
        f"that without a change. Pass all times in one unit. {UNTOUCHED}"
    )
