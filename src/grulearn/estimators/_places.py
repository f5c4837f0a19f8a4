"""Where in the user's data something is wrong, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["column_label", "first_non_finite", "first_non_number", "place_label"]


def column_label(column: int, names: Sequence[str] | None) -> str:
    """Return "column 'rooms' (2)", or "column 2" where there are no names."""
    return f"column {column}" if names is None else f"column {names[column]!r} ({column})"


def place_label(position: tuple[int, ...], names: Sequence[str] | None) -> str:
    """Return "row 3, column 2", or "sample 3, step 5, feature 2" for an array of three dimensions."""
    if len(position) == 1:
        return f"row {position[0]}"
    if len(position) == 2:
        return f"row {position[0]}, {column_label(position[1], names)}"
    sample, step, feature = position
    return f"sample {sample}, step {step}, feature {feature}"


def first_non_finite(values: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the position of the first NaN or infinity, or None."""
    # A finite sum proves that all is finite without a temporary array; an infinite one may be overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return None
    finite = np.isfinite(values)
    if finite.all():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), values.shape))


def first_non_number(values: Any) -> tuple[tuple[int, ...], Any] | None:
    """Return position and value of the first thing that float() does not take, or None."""
    for position, value in np.ndenumerate(np.asarray(values, dtype=object)):
        try:
            float(value)
        except (TypeError, ValueError):
            return position, value
    return None
