"""Which rows are read, once each, however the sequences lie over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences

__all__ = ["Block", "Segments", "block_rows"]

# What is done to a block of rows is done in float64 with a handful of temporary arrays: 2**16 elements make
# 512 KiB each, which the second-level cache of a core holds, and a long log never exists twice in float64.
_BLOCK_ELEMENTS = 2**16


def block_rows(n_features: int) -> int:
    """Return how many rows of `n_features` columns are worked on at a time."""
    return max(_BLOCK_ELEMENTS // max(n_features, 1), 1)


@dataclass(frozen=True, eq=False)
class Block:
    """A run of rows.

    Parameters
    ----------
    rows : slice
        Where they stand among the rows that are read.
    source : slice or ndarray of int64
        Where they stand in the rows of the sequences.
    opens : ndarray of int64
        Which of the block's rows, counted from 0, are the first of a segment.
    """

    rows: slice
    source: Any
    opens: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """The rows that N sequences use, as segments that are put one behind the other.

    Rows that no sequence uses are left out: to encode one sequence of a long log costs what that one costs.

    Parameters
    ----------
    begins : ndarray of int64, shape (S,)
        The first row of each segment in the rows of the sequences.
    offsets : ndarray of int64, shape (S + 1,)
        Where each segment begins among the rows that are read; rises. The last is their number.
    starts : ndarray of int64, shape (N,)
        Where each sequence begins among the rows that are read.
    """

    begins: NDArray[np.int64]
    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def shared(cls, data: Sequences) -> Segments:
        """Read each row that is used once: sequences that overlap share it, as they do now."""
        order, starts, ends = _by_start(data)
        reach = np.maximum.accumulate(ends)
        opens = np.ones(len(starts), dtype=np.bool_)
        opens[1:] = starts[1:] > reach[:-1]
        return _segments(order, starts, reach, opens)

    @classmethod
    def private(cls, data: Sequences) -> Segments:
        """Give each first row a segment of its own, as long as the longest sequence that begins there.

        What a step is made of may then depend on the steps before it in its sequence, and on no others.
        Sequences that overlap, but begin in different rows, share nothing any more.
        """
        order, starts, ends = _by_start(data)
        opens = np.ones(len(starts), dtype=np.bool_)
        opens[1:] = starts[1:] != starts[:-1]
        if len(starts):
            reach = np.maximum.reduceat(ends, np.flatnonzero(opens))
            ends = reach[np.cumsum(opens) - 1]
        return _segments(order, starts, ends, opens)

    @property
    def n_rows(self) -> int:
        """How many rows are read."""
        return int(self.offsets[-1])

    def blocks(self, size: int) -> Iterator[Block]:
        """Cut the rows that are read into blocks of `size`; the last one may be smaller."""
        for begin in range(0, self.n_rows, size):
            end = min(begin + size, self.n_rows)
            first = int(np.searchsorted(self.offsets, begin, side="right")) - 1
            last = int(np.searchsorted(self.offsets, end, side="left"))
            offsets = self.offsets[first : last + 1]
            shifts = self.begins[first:last] - offsets[:-1]
            opens = offsets[:-1] - begin
            source: Any = slice(begin + int(shifts[0]), end + int(shifts[0]))
            if (shifts != shifts[0]).any():
                edges = np.clip(offsets, begin, end)
                source = np.repeat(shifts, edges[1:] - edges[:-1]) + np.arange(begin, end)
            yield Block(slice(begin, end), source, opens[opens >= 0])

    def counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return how many sequences use each row that is read, shape (n_rows,); None if it is one each."""
        return None if self._apart(lengths) else self._sums(lengths, np.ones(len(lengths), dtype=np.int64))

    def weights(
        self, lengths: NDArray[np.int64], weights: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """Return the sum of the weights of the sequences that use each row; None if it is 1 everywhere."""
        if weights is None:
            counts = self.counts(lengths)
            return None if counts is None else counts.astype(np.float64)
        return self._sums(lengths, weights)

    def owners(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which sequence uses each row, shape (n_rows,); -1 where there are several."""
        owners: NDArray[np.int64] = self._sums(lengths, np.arange(len(lengths), dtype=np.int64))
        counts = self.counts(lengths)
        if counts is not None:
            owners[counts > 1] = -1
        return owners

    def _apart(self, lengths: NDArray[np.int64]) -> bool:
        return int(lengths.sum()) == self.n_rows

    def _sums(self, lengths: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        """Return for each row the sum of the values of the sequences that use it."""
        if self._apart(lengths):
            order = np.argsort(self.starts, kind="stable")
            return np.repeat(values[order], lengths[order])
        change = np.zeros(self.n_rows + 1, dtype=values.dtype)
        np.add.at(change, self.starts, values)
        np.subtract.at(change, self.starts + lengths, values)
        sums: NDArray[Any] = np.cumsum(change[:-1], out=change[:-1])
        return sums


def _by_start(data: Sequences) -> tuple[NDArray[np.int64] | None, NDArray[np.int64], NDArray[np.int64]]:
    """Return the order in which sequences begin (None if it is theirs), their starts and their ends."""
    starts, order = data.starts, None
    ends = starts + data.lengths
    if (starts[1:] < starts[:-1]).any():
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
    return order, starts, ends


def _segments(
    order: NDArray[np.int64] | None,
    starts: NDArray[np.int64],
    reach: NDArray[np.int64],
    opens: NDArray[np.bool_],
) -> Segments:
    """Put segments together: one begins where `opens` says so, and ends at the last `reach` in it."""
    first = np.flatnonzero(opens)
    begins = starts[first]
    sizes = (reach[np.append(first[1:], len(starts)) - 1] if len(first) else begins) - begins
    offsets = np.append(0, np.cumsum(sizes))
    placed = starts + (offsets[:-1] - begins)[np.cumsum(opens) - 1] if len(first) else starts
    if order is not None:
        back = np.empty_like(placed)
        back[order] = placed
        placed = back
    kept = sizes > 0
    return Segments(begins[kept], np.append(offsets[:-1][kept], offsets[-1]), placed)
