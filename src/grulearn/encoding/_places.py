"""Where in the user's sequences something is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._segments import Segments, block_rows
from grulearn.sequences import Sequences

__all__ = ["Place", "category_label", "feature_label", "find", "find_row", "label", "more"]


@dataclass(frozen=True)
class Place:
    """The first place, in the order of the sequences, at which something was found.

    Parameters
    ----------
    sequence, step, column : int
        Counted from 0; `step` within the sequence.
    row : int
        The row of the sequences that this is.
    count : int
        How many such places there are; a step that sequences share counts once.
    """

    sequence: int
    step: int
    column: int
    row: int
    count: int

    def words(self, data: Sequences, column: str) -> str:
        """Return "row 3, column 'rooms' (2)" in a table, else "sequence 3, step 5, feature 'rooms' (2)"."""
        if data.ids is None and data.n_steps_summary()[2] == 1:
            return f"row {self.sequence}, {column}"
        return f"{data.label(self.sequence)}, step {self.step}, {column}"


def find(
    data: Sequences, read: Segments, values: NDArray[Any], wrong: Callable[[NDArray[Any]], NDArray[np.bool_]]
) -> Place | None:
    """Return the first place where `wrong` is true for a value that a sequence uses, or None.

    Parameters
    ----------
    data : Sequences
    read : Segments
        Its rows, each once.
    values : ndarray, shape (n_rows, columns)
        ``data.rows`` or ``data.codes``.
    wrong : callable
        Takes a block of `values` and returns a mask of its shape.
    """
    flags = np.zeros(read.n_rows, dtype=np.bool_)
    count = 0
    for block in read.blocks(block_rows(values.shape[1])):
        found = wrong(values[block.source])
        if found.any():
            flags[block.rows] = found.any(axis=1)
            count += int(found.sum())
    if not count:
        return None
    before = np.append(0, np.cumsum(flags))
    sequence = int((before[read.starts + data.lengths] > before[read.starts]).argmax())
    start = int(read.starts[sequence])
    step = int(flags[start : start + int(data.lengths[sequence])].argmax())
    row = int(data.starts[sequence]) + step
    return Place(sequence, step, int(wrong(values[row : row + 1])[0].argmax()), row, count)


def find_row(data: Sequences, read: Segments, row: int) -> str:
    """Return the words for one of the rows that are read: the first sequence that uses it, and its step."""
    sequence = int(((read.starts <= row) & (row < read.starts + data.lengths)).argmax())
    return f"{data.label(sequence)}, step {row - int(read.starts[sequence])}"


def more(count: int, what: str) -> str:
    """Return " (3 more missing values)" for a count of 4, and nothing for 1."""
    rest = count - 1
    return f" ({rest:,} more {what}{'s' * (rest != 1)})" if rest else ""


def feature_label(data: Sequences, column: int) -> str:
    """Return what messages call a numeric feature: column of a table, feature of sequences."""
    table = data.ids is None and data.n_steps_summary()[2] == 1
    return label("column" if table else "feature", column, data.schema.features)


def category_label(data: Sequences, column: int) -> str:
    """Return what messages call a categorical feature."""
    return label("categorical feature", column, data.schema.categorical)


def label(what: str, column: int, names: Sequence[str] | None) -> str:
    """Return "column 'rooms' (2)", or "column 2" where there are no names."""
    return f"{what} {column}" if names is None else f"{what} {names[column]!r} ({column})"
