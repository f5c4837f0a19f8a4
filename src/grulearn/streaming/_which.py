"""Which streams are meant."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNTOUCHED", "Which", "read_streams"]

# None for all, one, or several different ones.
Which = int | NDArray[np.int64] | None

UNTOUCHED = "No stream was changed."


def read_streams(streams: Any, n_streams: int) -> Which:
    """Check which streams are meant.

    Parameters
    ----------
    streams : None, int, array-like of int of shape (n,), or mask of shape (n_streams,)
    n_streams : int

    Returns
    -------
    None, int, or ndarray of int64, shape (n,)

    Raises
    ------
    TypeError, ValueError
        If it is none of these; the message names the stream.
    """
    if streams is None:
        return None
    index = _as_index(streams)
    if index is not None:
        _check_known(np.array([index]), n_streams)
        return index
    numbers = np.asarray(streams)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iub"):
        raise TypeError(
            f"streams: expected None, the number of a stream or several such numbers, got {numbers.dtype} of "
            f"shape {numbers.shape}. {UNTOUCHED}"
        )
    if numbers.dtype.kind == "b":
        if len(numbers) != n_streams:
            raise ValueError(
                f"streams: the mask has {len(numbers)} entries, but there are {n_streams} streams. "
                f"{UNTOUCHED}"
            )
        numbers = np.flatnonzero(numbers)
    _check_known(numbers, n_streams)
    seen, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"streams: stream {seen[counts > 1][0]} is named twice. {UNTOUCHED}")
    return np.ascontiguousarray(numbers, dtype=np.int64)


def _as_index(value: Any) -> int | None:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"streams: expected the number of a stream, got {value}. {UNTOUCHED}")
    try:
        return operator.index(value)  # an array of one number is no index
    except TypeError:
        return None


def _check_known(numbers: NDArray[Any], n_streams: int) -> None:
    wrong = np.flatnonzero((numbers < 0) | (numbers >= n_streams))
    if len(wrong):
        known = "the only one is 0" if n_streams == 1 else f"there are 0 to {n_streams - 1}"
        raise ValueError(f"streams: there is no stream {numbers[wrong[0]]}; {known}. {UNTOUCHED}")
