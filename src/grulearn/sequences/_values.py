"""Numbers as the room keeps them: float32 or float64, C-contiguous, NaN where a value is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_float_array", "as_positions", "is_missing", "source_dtype"]


def as_float_array(values: Any, place: str) -> NDArray[Any]:
    """Return `values` as a C-contiguous float32 or float64 array, without a copy where it is one.

    Integers beyond 2**53 are rounded to float64's 53 bits, as any large number is; one beyond float64's range
    is refused. Booleans become 0 and 1, masked values NaN.

    Raises
    ------
    ValueError
        If a value is not a real number, or the values form no rectangle; the message names `place`.
    TypeError
        If `values` is sparse, or something that can be read only once.
    """
    _refuse_other_containers(values, place)
    if isinstance(values, np.ma.MaskedArray):
        # np.asarray would drop the mask without a word.
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{place}: the values do not form a rectangular array of numbers; "
            "pass sequences of different lengths as a list of arrays of shape (steps, features)"
        ) from error
    if array.dtype.kind == "c":
        raise ValueError(f"{place}: Complex data not supported; expected real numbers")
    if array.dtype.kind == "O":
        array = _objects_to_float(array, place)
    if array.dtype.kind not in "fiub":
        hint = "; turn dates into numbers, such as the hour of the day" if array.dtype.kind in "mM" else ""
        hint = hint or _TEXT_HINT
        raise ValueError(f"{place}: expected numbers, got an array of {array.dtype}{hint}")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    with np.errstate(
        over="ignore"
    ):  # a long double beyond float64's range becomes infinite, and is seen then
        return np.asarray(array, dtype=np.float32 if single else np.float64, order="C")


_TEXT_HINT = (
    '; if each text is a sequence of tokens, say tokens="char" or tokens="word", if the columns are '
    "categories, pass a dataframe"
)


def source_dtype(values: Any) -> np.dtype[Any] | None:
    """Return the dtype that an array's numbers had, or None where they came as Python objects."""
    dtype = getattr(values, "dtype", None)
    return dtype.newbyteorder("=") if isinstance(dtype, np.dtype) and dtype.kind in "fiub" else None


def as_positions(values: Any, name: str) -> NDArray[np.int64]:
    """Return integers, one for each sequence, as an int64 array.

    Raises
    ------
    ValueError
        If they are something else; the message begins with `name`.
    """
    positions = np.asarray(values)
    if positions.ndim != 1 or (positions.dtype.kind not in "iu" and positions.size):
        raise ValueError(
            f"{name}: expected integers of shape (sequences,), "
            f"got {positions.dtype} of shape {positions.shape}"
        )
    return np.ascontiguousarray(positions, dtype=np.int64)


def is_missing(value: Any) -> bool:
    """Tell whether a Python value stands for a missing one: None, NaN, NaT, or pandas' NA."""
    # By name, so that pandas is not imported; and first: NA != NA is neither true nor false.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _refuse_other_containers(values: Any, place: str) -> None:
    if values is None:
        raise ValueError(f"{place} is None; expected numbers")
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise TypeError(f"{place}: a sparse matrix is not supported; pass X.toarray() if it fits in memory")
    if isinstance(values, dict | set | frozenset) or hasattr(values, "__next__"):
        raise TypeError(
            f"{place}: got a {type(values).__name__}, expected an array, a list or a dataframe; pass "
            f"list({'X.values()' if isinstance(values, dict) else 'X'})"
        )


def _objects_to_float(array: NDArray[Any], place: str) -> NDArray[np.float64]:
    # What pandas' nullable columns have for a missing value.
    missing = np.array([type(value).__name__ == "NAType" for value in array.flat], dtype=bool)
    try:
        return np.where(missing.reshape(array.shape), np.nan, array).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        for position, value in np.ndenumerate(array):
            if value is None or type(value).__name__ == "NAType":
                continue
            where = f"[{', '.join(str(i) for i in position)}]"
            try:
                float(value)
            except OverflowError:
                raise ValueError(
                    f"{place}: the integer at {where} is beyond float64's range (1.8e308)"
                ) from error
            except (TypeError, ValueError):
                raise ValueError(f"{place}: {_shown(value)} at {where} is not a number") from error
        raise ValueError(f"{place}: expected numbers ({error})") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
