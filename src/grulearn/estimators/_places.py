"""Where in the user's data something is wrong, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from grulearn.sequences import is_frame

__all__ = [
    "column_label",
    "explain_text",
    "first_infinite",
    "first_non_finite",
    "first_non_number",
    "place_label",
    "refuse_non_finite",
]


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


def first_infinite(values: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the position of the first infinity, or None; NaN is left alone."""
    infinite = np.isinf(values)
    if not infinite.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(infinite)), values.shape))


def refuse_non_finite(values: NDArray[Any], what: str, name: str, names: Sequence[str] | None) -> None:
    """Raise an error that names the first NaN or infinity, unless scikit-learn is told to assume finite."""
    position = None if get_config()["assume_finite"] else first_non_finite(values)
    if position is None:
        return
    found = "NaN" if np.isnan(values[position]) else "infinity"
    raise ValueError(
        f"Input {what} contains {found} at {place_label(position, names)}. {name} takes finite numbers only: "
        "fill it in or drop it first."
    )


def explain_text(X: Any, what: str, error: ValueError, name: str, names: Sequence[str] | None) -> None:
    """Raise a better error if the reason is a text among the numbers."""
    if "could not convert string" not in str(error):
        return
    found = first_non_number(X)
    if found is not None:
        position, value = found
        remedy = "convert or drop it"
        if what == "y":
            remedy += ", or learn labels with GRUClassifier"
        elif is_frame(X):
            remedy += ", or make the whole column one of texts, which are categories"
        raise ValueError(
            f"{what} holds {value!r} at {place_label(position, names)}, which is not a number: could not "
            f"convert string to float. {name} takes numbers only here; {remedy}."
        ) from error


def first_non_number(values: Any) -> tuple[tuple[int, ...], Any] | None:
    """Return position and value of the first thing that float() does not take, or None."""
    for position, value in np.ndenumerate(np.asarray(values, dtype=object)):
        try:
            float(value)
        except (TypeError, ValueError):
            return position, value
    return None
