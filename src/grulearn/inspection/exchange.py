"""Exchanging values between sequences of different lengths."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Align", "Steps"]

Align = Literal["start", "end"]
Indices = NDArray[np.int64]


class Steps:
    """The steps of N sequences that lie one after the other, counted from either end.

    Parameters
    ----------
    lengths : ndarray of int64, shape (N,)
        Each at least 1.
    align : {"start", "end"}
        Whether a place is the number of steps before it, or behind it.
    """

    def __init__(self, lengths: Indices, align: Align) -> None:
        self.lengths = lengths
        ends = np.cumsum(lengths)
        self._origin: Indices = ends - lengths if align == "start" else ends - 1
        self._sign = 1 if align == "start" else -1

    def places(self) -> Indices:
        """Return the place of each row, shape (sum(lengths),)."""
        rows = np.arange(self.lengths.sum())
        places: Indices = self._sign * (rows - np.repeat(self._origin, self.lengths))
        return places

    def exchange(self, rng: np.random.Generator) -> Indices:
        """Draw for each row the row whose values it gets.

        A permutation of the sequences in cycles says whose series a sequence gets. Where that one is too
        short, the next in its cycle that is long enough comes in: at each place this is a permutation of
        the sequences that have it, and uniformly distributed if the first one is.

        Returns
        -------
        ndarray of int64, shape (sum(lengths),)
            A permutation that leaves every place to itself.

        Examples
        --------
        >>> import numpy as np
        >>> steps = Steps(np.array([3, 3, 3]), "start")
        >>> steps.exchange(np.random.default_rng(0)).reshape(3, 3)
        array([[6, 7, 8],
               [0, 1, 2],
               [3, 4, 5]])
        """
        # From the longest to the shortest: a permutation of the longer ones grows by one sequence after the
        # other, each put behind a random one in its cycle, or into a cycle of its own. Leaving the shorter
        # ones out of the final permutation gives back the earlier ones.
        order = np.argsort(-self.lengths, kind="stable")
        levels, counts = np.unique(-self.lengths, return_counts=True)
        known, lowest = np.cumsum(counts).tolist(), np.append(-levels[1:], 0).tolist()
        successor = np.empty(len(order), dtype=np.int64)
        successor[: known[0]] = rng.permutation(known[0])
        behind = rng.integers(0, np.arange(1, len(order) + 1))
        source = np.empty(int(self.lengths.sum()), dtype=np.int64)
        for before, n, longest, low in zip(
            [known[0], *known], known, (-levels).tolist(), lowest, strict=False
        ):
            _put_behind(successor, behind[before:n], before)
            places = self._sign * np.arange(low, longest)
            mine, theirs = self._origin[order[:n]], self._origin[order[successor[:n]]]
            source[mine[:, np.newaxis] + places] = theirs[:, np.newaxis] + places
        return source


def _put_behind(successor: Indices, behind: Indices, first: int) -> None:
    """Put the numbers from `first` on behind those in `behind`; behind itself makes a cycle of one."""
    # A dict of what changes: element by element NumPy's arrays take five times as long.
    changed = dict(zip(behind.tolist(), successor[behind].tolist(), strict=True))
    for k, predecessor in enumerate(behind.tolist(), first):
        changed[k] = k if predecessor == k else changed[predecessor]
        changed[predecessor] = k
    successor[list(changed)] = list(changed.values())
