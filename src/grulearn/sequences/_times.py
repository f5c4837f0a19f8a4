"""The time column of a long dataframe: what it counts, and that it runs forward."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._frames import FrameReader

__all__ = ["check_times_ahead", "read_times"]

_SORT = {
    "pandas": "df.sort_values([{}])",
    "polars": "df.sort([{}])",
    "pyarrow": "df.sort_by([{}])",
}


class RowLabels(Protocol):
    """What the messages need to know of the grouping."""

    def source(self, row: int) -> int:
        """Return which row of the frame a row of the blocks was."""

    def label(self, row: int) -> str:
        """Return the words for the sequence of a row of the blocks."""

    def within(self) -> NDArray[np.bool_]:
        """Return for each row but the first whether the row before it is of the same sequence."""


def read_times(reader: FrameReader, name: Any) -> tuple[NDArray[Any], np.dtype[Any], str | None]:
    """Return a column of times, the rows as they stand.

    Returns
    -------
    times : ndarray of int64 or float64
        Datetimes as counts of their own unit since 1970 (UTC, if they have a time zone): exact.
    dtype : dtype
        What they count.
    zone : str or None
        The time zone.

    Raises
    ------
    ValueError
        If one is missing, or they are neither numbers nor datetimes nor durations.
    """
    column = reader.column(name)
    values = np.asarray(column.to_numpy())
    kind = str(column.dtype)
    if values.dtype.kind not in "iufmM":
        shown = f", such as {column[0]!r} in row 0"
        raise ValueError(
            f"time_col: column {name!r} holds values of type {kind}{shown}; expected datetimes, durations or "
            f"numbers. Convert it first{_conversion(reader.make, name)}"
        )
    missing = reader.missing(name)
    if values.dtype.kind == "f":
        missing |= ~np.isfinite(values)
    if missing.any():
        more = int(missing.sum()) - 1
        others = f" ({more:,} more such row{'s' * (more != 1)})" if more else ""
        raise ValueError(
            f"row {int(missing.argmax())} has no time: column {name!r} is missing or infinite there{others}. "
            "Fill it in or leave the rows out"
        )
    if values.dtype.kind in "mM":
        return values.view(np.int64), values.dtype, getattr(column.dtype, "time_zone", None)
    if values.dtype.kind == "f":
        return values.astype(np.float64), np.dtype(np.float64), None
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        raise ValueError(f"time_col: {values.max()} in column {name!r} is beyond int64")
    return values.astype(np.int64), np.dtype(np.int64), None


def check_times_ahead(
    reader: FrameReader, id_name: Any, name: Any, times: NDArray[Any], rows: RowLabels
) -> None:
    """Raise an error where a sequence's time does not grow from row to row.

    Raises
    ------
    ValueError
        If the rows are not sorted, or have one time twice; names id, times and rows.
    """
    within = rows.within()
    back = (times[1:] < times[:-1]) & within
    if back.any():
        at = int(back.argmax())
        before, after = rows.source(at), rows.source(at + 1)
        raise ValueError(
            f"rows are not in the order of time: {rows.label(at)} has {_shown(reader, name, after)} in row "
            f"{after}, after {_shown(reader, name, before)} in row {before} (column {name!r}, rows counted "
            f"from 0){_others(back)}. Sort first: {_sort_call(reader.make, id_name, name)}"
        )
    twice = (times[1:] == times[:-1]) & within
    if twice.any():
        at = int(twice.argmax())
        before, after = rows.source(at), rows.source(at + 1)
        raise ValueError(
            f"{rows.label(at)} has the time {_shown(reader, name, before)} twice, in rows {before} and "
            f"{after} (column {name!r}, rows counted from 0){_others(twice)}. Keep one row for each time, or "
            "make them one"
        )


def _shown(reader: FrameReader, name: Any, row: int) -> str:
    return str(reader.column(name)[row])


def _others(bad: NDArray[np.bool_]) -> str:
    more = int(bad.sum()) - 1
    return f"; {more:,} more such place{'s' * (more != 1)}" if more else ""


def _sort_call(make: str, id_name: Any, name: Any) -> str:
    keys = [key for key in (id_name, name) if key is not None]
    if make == "pyarrow":
        return _SORT[make].format(", ".join(repr((key, "ascending")) for key in keys))
    return _SORT.get(make, _SORT["pandas"]).format(", ".join(map(repr, keys)))


def _conversion(make: str, name: Any) -> str:
    calls = {
        "pandas": f": df[{name!r}] = pd.to_datetime(df[{name!r}])",
        "polars": f": df = df.with_columns(pl.col({name!r}).str.to_datetime())",
    }
    return calls.get(make, "")
