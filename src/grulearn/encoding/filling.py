"""Missing values filled in with what was observed before, with masks and time gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding.gaps import differences

__all__ = ["ForwardFill"]


class ForwardFill:
    """Goes through the rows of sequences, block by block, and knows what was observed last.

    Parameters
    ----------
    fill : ndarray of float64, shape (F,)
        What stands for a value before the first observed one.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[np.nan], [5.0], [np.nan], [np.nan]])
    >>> filled, gaps = ForwardFill(np.zeros(1)).push(values, opens=[0], times=np.array([10, 11, 14, 15]))
    >>> filled.ravel(), gaps.ravel()
    (array([0., 5., 5., 5.]), array([0., 1., 3., 4.]))
    """

    def __init__(self, fill: NDArray[np.float64]) -> None:
        self._fill = fill
        self._value = fill
        self._since: NDArray[Any] | None = None

    def push(
        self, values: NDArray[np.float64], opens: Any, times: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fill in the next block.

        Parameters
        ----------
        values : ndarray of float64, shape (B, F)
            NaN where missing.
        opens : array-like of int
            Which rows are the first of a sequence. In the first block row 0 is.
        times : ndarray of int64 or float64, shape (B,)
            They do not fall within a sequence.

        Returns
        -------
        filled : ndarray of float64, shape (B, F)
            Where a value is missing, the last one observed before in the sequence; `fill` if there is none.
        gaps : ndarray of float64, shape (B, F)
            The time since the last row *before* this one in which the feature was observed; if there is none,
            since the first row of the sequence. It is the interval that Che et al. (2018) add up step by
            step: ``delta_t = s_t - s_{t-1} + (1 - m_{t-1}) delta_{t-1}``, and 0 at the first step.
        """
        # Row 0 of what follows is what the blocks before have left; row k + 1 is row k of this block.
        row = np.arange(1, len(values) + 1)
        begin = np.zeros(len(values), dtype=np.int64)
        begin[opens] = row[opens]
        begin = np.maximum.accumulate(begin)[:, np.newaxis]
        observed = np.where(np.isnan(values), 0, row[:, np.newaxis])
        latest = np.maximum.accumulate(observed, axis=0)
        before = np.vstack([np.zeros_like(latest[:1]), latest[:-1]])
        filled = np.take_along_axis(np.vstack([self._value, values]), latest, axis=0)
        filled = np.where(latest >= begin, filled, self._fill)
        gaps = differences(times[:, np.newaxis], self._times(np.maximum(before, begin), times))
        self._value = filled[-1]
        self._since = self._times(np.maximum(latest[-1:], begin[-1:]), times)[0]
        return filled, gaps

    def _times(self, reference: NDArray[np.int64], times: NDArray[Any]) -> NDArray[Any]:
        """Return the times of rows; for row 0 that which each feature's next gap counts from."""
        since = times[:1] if self._since is None else self._since
        found: NDArray[Any] = np.where(reference == 0, since, times[reference - 1])
        return found
