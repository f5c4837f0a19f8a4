"""What the columns of sequences are called, and what they held before they became blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Schema"]


@dataclass(frozen=True)
class Schema:
    """Names and original types, so that sequences can go back into a dataframe.

    Parameters
    ----------
    features : tuple of str, length F, or None, default=None
        The names of the numeric features; None where they had none.
    feature_dtypes : tuple of dtype, length F, or None, default=None
        What the numeric features were before they became float32 or float64: integers and booleans come back
        as such. None where it is not known.
    categorical : tuple of str, length C, or None, default=None
        The names of the categorical features.
    id : str, default="id"
        What `ids` are called: the column they came from.
    time : str, default="time"
        What `times` are called.
    time_dtype : dtype or None, default=None
        What `times` count: ``datetime64[unit]`` for that unit since 1970, ``timedelta64[unit]`` for
        durations, int64 or float64 for plain numbers. None where there are no times.
    time_zone : str or None, default=None
        The time zone in which datetimes are shown; `times` count in UTC then.

    Examples
    --------
    >>> from grulearn.sequences import Schema
    >>> Schema(features=("pressure", "speed"), id="machine").id
    'machine'
    """

    features: tuple[str, ...] | None = None
    feature_dtypes: tuple[np.dtype[Any], ...] | None = None
    categorical: tuple[str, ...] | None = None
    id: str = "id"
    time: str = "time"
    time_dtype: np.dtype[Any] | None = None
    time_zone: str | None = None
