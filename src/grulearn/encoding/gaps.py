"""The time between observations, in units of the training part's mean step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences

__all__ = ["Clock", "GapScale", "differences"]

# The length of one tick in seconds, as a fraction. Months and years, which durations may count, have the
# mean length that the Gregorian calendar gives them over 400 years.
_TICKS = {
    "Y": (31_556_952, 1),
    "M": (2_629_746, 1),
    "W": (604_800, 1),
    "D": (86_400, 1),
    "h": (3_600, 1),
    "m": (60, 1),
    "s": (1, 1),
    "ms": (1, 10**3),
    "us": (1, 10**6),
    "ns": (1, 10**9),
    "ps": (1, 10**12),
    "fs": (1, 10**15),
    "as": (1, 10**18),
}
_WORDS = {"seconds": "datetimes or durations", "numbers": "plain numbers"}


@dataclass(frozen=True, eq=False)
class Clock:
    """The times of the rows of some sequences, and how many of their ticks make a gap of 1.

    Parameters
    ----------
    times : ndarray of int64 or float64, shape (n_rows,), or None
        None where steps are counted instead.
    unit : float
    """

    times: NDArray[Any] | None
    unit: float


@dataclass(frozen=True)
class GapScale:
    """What a gap of 1 is.

    Parameters
    ----------
    kind : {"steps", "seconds", "numbers"}
        Whether steps are counted, for want of times; or times are datetimes or durations, whatever their
        unit; or numbers of whatever the user counts.
    unit : float
        Seconds, or of the user's numbers, that make a gap of 1: the mean time from one step to the next in
        the training part.

    Raises
    ------
    ValueError
        If `kind` is none of the above, or `unit` is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.encoding import GapScale
    >>> from grulearn.sequences import Sequences
    >>> days = np.array(["2024-05-01", "2024-05-02", "2024-05-04"], dtype="datetime64[D]")
    >>> GapScale.fit(Sequences(np.zeros((3, 1)), [0], [3], times=days))
    GapScale(kind='seconds', unit=129600.0)
    """

    kind: str
    unit: float

    def __post_init__(self) -> None:
        if self.kind not in ("steps", *_WORDS):
            raise ValueError(f"gaps: kind {self.kind!r}; expected 'steps', 'seconds' or 'numbers'")
        if isinstance(self.unit, bool) or not isinstance(self.unit, int | float):
            raise ValueError(f"gaps: unit {self.unit!r}; expected a number")
        if not 0.0 < self.unit < np.inf:
            raise ValueError(f"gaps: unit {self.unit}; expected a positive, finite number")

    @classmethod
    def fit(cls, data: Sequences, weights: NDArray[np.float64] | None = None) -> Self:
        """Take the mean time from a step to the next of its sequence; 1 if there is none.

        The mean and not the median: of times that come in bursts the median step is as good as none, and
        gaps in units of it have no bound.

        Parameters
        ----------
        data : Sequences
            The training part.
        weights : ndarray of float64, shape (N,), default=None
            How often each sequence counts.

        Raises
        ------
        ValueError
            If times run backwards.
        """
        if data.times is None:
            return cls("steps", 1.0)
        _check_ahead(data)
        kind, (seconds, parts) = _tick(data.schema.time_dtype)
        used = data.lengths > 0
        first = data.starts[used]
        last = first + data.lengths[used] - 1
        times = _linear(data)
        share = np.ones(len(first)) if weights is None else weights[used]
        n_gaps = float((share * (last - first)).sum())
        spans = float((share * differences(times[last], times[first])).sum())
        mean = spans / n_gaps if n_gaps > 0 else 0.0
        unit = mean * seconds / parts
        return cls(kind, unit if 0.0 < unit < np.inf else 1.0)

    def clock(self, data: Sequences) -> Clock:
        """Return the times of the rows of `data`, and the unit in their ticks.

        Raises
        ------
        ValueError
            If there are no times, or of another kind, or they run backwards.
        """
        if self.kind == "steps":
            return Clock(None, 1.0)
        if data.times is None:
            raise ValueError(
                "X has no times, but the time gaps of the training part came from its times "
                f"({_WORDS[self.kind]}): pass sequences with times, such as Sequences.from_frame(..., "
                "time_col=...) gives"
            )
        kind, _ = _tick(data.schema.time_dtype)
        if kind != self.kind:
            raise ValueError(
                f"the times of X, {data.schema.time!r}, are {_WORDS[kind]}, but those of the training part "
                f"were {_WORDS[self.kind]}: convert them to what they were"
            )
        _check_ahead(data)
        return Clock(_linear(data), self.ticks_per_unit(data.schema.time_dtype))

    def ticks_per_unit(self, dtype: np.dtype[Any] | None) -> float:
        """Return how many ticks of times of `dtype` (``Schema.time_dtype``) make a gap of 1.

        Months and years of the calendar are counted as days.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.encoding import GapScale
        >>> GapScale("seconds", 60.0).ticks_per_unit(np.dtype("datetime64[ms]"))
        60000.0
        """
        _, (seconds, parts) = _tick(dtype)
        return self.unit * parts / seconds

    def state(self) -> dict[str, Any]:
        """Return what `from_state` rebuilds this from, as JSON values."""
        return {"kind": self.kind, "unit": self.unit}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild what `state` was taken from.

        Raises
        ------
        KeyError, ValueError
            If something is missing or does not fit.
        """
        return cls(state["kind"], state["unit"])


def differences(later: NDArray[Any], earlier: NDArray[Any]) -> NDArray[np.float64]:
    """Return ``later - earlier``, at least 0, as float64; of integers without rounding before the end.

    Nanoseconds since 1970 have 61 bits: as float64 they would be 256 ns apart.
    """
    if later.dtype == np.int64:
        # Modulo 2**64 the difference is exact however far apart they are.
        return (later.view(np.uint64) - earlier.view(np.uint64)).astype(np.float64)
    with np.errstate(over="ignore"):
        gaps: NDArray[np.float64] = later - earlier
    return gaps


def _tick(dtype: np.dtype[Any] | None) -> tuple[str, tuple[int, int]]:
    """Return the kind of times of `dtype`, and the length of their tick."""
    if dtype is None or dtype.kind not in "mM" or np.datetime_data(dtype)[0] == "generic":
        return "numbers", (1, 1)
    if _is_calendar(dtype):
        return "seconds", _TICKS["D"]
    unit, count = np.datetime_data(dtype)
    seconds, parts = _TICKS[unit]
    return "seconds", (seconds * count, parts)


def _linear(data: Sequences) -> NDArray[Any]:
    """Return times of ticks of one length: months and years of the calendar as days."""
    dtype = data.schema.time_dtype
    times: NDArray[Any] = np.asarray(data.times)
    if dtype is not None and _is_calendar(dtype):
        return times.view(dtype).astype("datetime64[D]").view(np.int64)
    return times


def _is_calendar(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "M" and np.datetime_data(dtype)[0] in ("Y", "M")


def _check_ahead(data: Sequences) -> None:
    """Raise an error that names the first step whose time is before that of the step before it."""
    times: NDArray[Any] = np.asarray(data.times)
    back = times[1:] < times[:-1]
    if not back.any():
        return
    # Row r + 1 runs back; it belongs to a sequence together with row r if that one begins there or before.
    before = np.append(0, np.cumsum(back))
    first = np.minimum(data.starts, len(back))
    last = np.maximum(first, data.starts + data.lengths - 1)
    wrong = before[last] > before[first]
    if wrong.any():
        i = int(wrong.argmax())
        step = int(back[data.starts[i] :].argmax()) + 1
        row = int(data.starts[i]) + step
        dtype = data.schema.time_dtype
        shown = times if dtype is None else times.view(dtype)
        raise ValueError(
            f"Input X: times run backwards at {data.label(i)}, step {step}: {shown[row]} after "
            f"{shown[row - 1]}. Sort the steps of each sequence by time"
        )
