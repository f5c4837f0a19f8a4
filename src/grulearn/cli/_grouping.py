"""Long tables, one row a step, as sequences: whose rows are whose, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grulearn.cli._errors import BadInput
from grulearn.cli._tables import Table
from grulearn.cli._values import NO_GAPS, times

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which rows of a table are whose.

    Parameters
    ----------
    table : Table
    id : str or None
        The column that says it; None if all rows are one sequence.
    order : ndarray of int64, shape (rows,)
        The rows, sequence after sequence, in the order in which the ids first appear in the table.
    starts, lengths : ndarray of int64, shape (N,)
        Sequence `i` has the rows ``order[starts[i] : starts[i] + lengths[i]]``.
    time : str or None
        The column that says when each row was.
    times : Series or None
        The same as numbers or dates, in the table's own order.
    """

    table: Table
    id: str | None
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    time: str | None = None
    times: pd.Series[Any] | None = None

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The first row of each sequence."""
        return self.order[self.starts]

    def label(self, row: int) -> str:
        """Return what messages call the sequence of a row of the table."""
        return "the table" if self.id is None else f'{self.id} "{self.table.frame[self.id].iloc[row]}"'

    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that have one before them in their sequence, and those before them."""
        inside = np.ones(len(self.order), dtype=np.bool_)
        inside[self.starts] = False
        return self.order[inside], self.order[np.flatnonzero(inside) - 1]


def group(table: Table, id_name: str | None, time_name: str | None, *, sort: bool = False) -> Grouping:
    """Find the rows of each sequence.

    Parameters
    ----------
    table : Table
    id_name, time_name : str or None
        Columns of it.
    sort : bool, default=False
        Whether to take the rows of each sequence in the order of time, whatever order they are in.

    Raises
    ------
    BadInput
        If an id or a time is missing, rows of a sequence are not in the order of time, or a time comes twice.
    """
    import pandas as pd

    when = None if time_name is None else times(table, time_name)
    if id_name is None:
        numbers = np.zeros(len(table.frame), dtype=np.int64)
    else:
        NO_GAPS.check(table, id_name)
        numbers = pd.factorize(table.frame[id_name])[0]
    # Both keep the order of equals.
    order = np.argsort(numbers, kind="stable")
    if sort and when is not None:
        order = np.lexsort((when.to_numpy(), numbers))
    lengths = np.bincount(numbers).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    grouping = Grouping(table, id_name, order.astype(np.int64), starts, lengths, time_name, when)
    if when is not None and time_name is not None:
        _check_order(grouping, when.to_numpy(), time_name)
    return grouping


def _check_order(grouping: Grouping, when: NDArray[Any], name: str) -> None:
    rows, before = grouping.neighbours()
    table = grouping.table
    back = when[rows] < when[before]
    if back.any():
        row, previous = int(rows[back.argmax()]), int(before[back.argmax()])
        column = table.frame[name]
        raise BadInput(
            f"{table.place(row, name)}: {column.iloc[row]} comes after {column.iloc[previous]} in row "
            f"{_number(table, previous)}, both of {grouping.label(row)}; rows must be in the order of time: "
            f"sort the file, or add --sort{_more_places(back)}"
        )
    twice = when[rows] == when[before]
    if twice.any():
        row, previous = int(rows[twice.argmax()]), int(before[twice.argmax()])
        raise BadInput(
            f"{table.place(row, name)}: {grouping.label(row)} has the time {table.frame[name].iloc[row]} "
            f"in row {_number(table, previous)} already; keep one row for each time{_more_places(twice)}"
        )


def _number(table: Table, row: int) -> int:
    return int(table.frame.index[row]) + 1


def _more_places(bad: NDArray[np.bool_]) -> str:
    more = int(bad.sum()) - 1
    return f" ({more:,} more such place{'s' * (more != 1)})" if more else ""
