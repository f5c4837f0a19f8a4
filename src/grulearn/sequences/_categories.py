"""Values of categories and tokens as int32 codes into a sorted list of the values that occur."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences._values import is_missing

__all__ = ["as_categories", "decode", "encode_integers", "encode_values"]

MISSING = -1
_KINDS = {str: "strings", bool: "booleans", int: "integers"}


class _Numbering(dict[Any, int]):
    """Numbers keys in the order in which they first come; a lookup of a known key stays in C."""

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        return number


def encode_values(
    chunks: Iterable[list[Any]], count: int, place: Callable[[int], str]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Give `count` values numbers in the sorted list of those that occur.

    Parameters
    ----------
    chunks : iterable of list
        The values, piece by piece, so that they need not exist as Python objects all at once: all strings,
        all integers or all booleans; missing ones aside.
    count : int
        How many there are in all chunks.
    place : callable
        Gives the words that say where the value of a number is.

    Returns
    -------
    codes : ndarray of int32, shape (count,)
        -1 for a missing value.
    categories : ndarray, shape (n_categories,)
        Sorted: of int64, of bool, or of Python strings (dtype object).

    Raises
    ------
    ValueError
        If a value is something else, or they are of several kinds.
    """
    numbering = _Numbering()
    # 1, 1.0 and True are one key; the type beside the value would cost three times as much, so types are
    # looked at once for each chunk instead.
    kinds: dict[type, int] = {}

    def watched() -> Iterable[list[Any]]:
        begin = 0
        for chunk in chunks:
            for kind in set(map(type, chunk)):
                if kind not in kinds:
                    kinds[kind] = begin + next(i for i, value in enumerate(chunk) if type(value) is kind)
            begin += len(chunk)
            yield chunk

    numbers = np.fromiter(
        map(numbering.__getitem__, chain.from_iterable(watched())), dtype=np.int64, count=count
    )
    _check_kinds(kinds, numbering, numbers, place)
    present = [value for value in numbering if not is_missing(value)]
    categories = _sorted_array(present)
    rank = {value: code for code, value in enumerate(categories.tolist())}
    recoded = np.array([rank.get(value, MISSING) for value in numbering], dtype=np.int32)
    return recoded[numbers] if count else np.empty(0, dtype=np.int32), categories


def encode_integers(
    values: NDArray[Any], missing: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Give an array of integers, those `missing` aside, numbers in the sorted list of those that occur.

    Raises
    ------
    ValueError
        If they are floats, and one is not whole; the message begins with its position in the array.
    """
    if values.dtype.kind == "f":
        whole = missing | ((np.trunc(values) == values) & (np.abs(values) < 2.0**63))
        if not whole.all():
            row = int((~whole).argmax())
            raise ValueError(
                f"row {row}: {values[row]} is no category; expected strings, integers or booleans"
            )
        values = np.where(missing, 0, values).astype(np.int64)
    categories, positions = np.unique(values[~missing] if missing.any() else values, return_inverse=True)
    codes = np.full(len(values), MISSING, dtype=np.int32)
    codes[~missing] = positions
    return codes, categories


def decode(codes: NDArray[np.int32], categories: NDArray[Any]) -> NDArray[Any]:
    """Return the values that codes stand for; None for a missing one."""
    if (codes < 0).any():
        categories = np.append(categories.astype(object), np.array([None], dtype=object))
    values: NDArray[Any] = categories[codes]
    return values


def as_categories(values: ArrayLike, place: str) -> NDArray[Any]:
    """Check a list of categories: one-dimensional, distinct, one kind.

    Raises
    ------
    ValueError
        If it is something else; the message begins with `place`.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{place}: expected categories of shape (n,), got shape {array.shape}")
    if array.dtype.kind == "U":
        array = array.astype(object)
    distinct = len(set(array.tolist()))
    if distinct != len(array):
        raise ValueError(f"{place}: {len(array)} categories, but only {distinct} distinct ones")
    return array


def _check_kinds(
    kinds: dict[type, int], numbering: _Numbering, numbers: NDArray[np.int64], place: Callable[[int], str]
) -> None:
    found: dict[str, int] = {}
    values = list(numbering)
    for kind, position in kinds.items():
        value = values[numbers[position]]
        if issubclass(kind, bool | np.bool_):
            name = _KINDS[bool]
        elif issubclass(kind, int | np.integer):
            name = _KINDS[int]
        elif issubclass(kind, str):
            name = _KINDS[str]
        elif is_missing(value):
            continue
        else:
            raise ValueError(
                f"{place(position)}: {value!r} is a {kind.__name__}; expected categories that are strings, "
                "integers or booleans"
            )
        found.setdefault(name, position)
    if len(found) > 1:
        (first, i), (second, j) = sorted(found.items(), key=lambda item: item[1])[:2]
        raise ValueError(
            f"{place(j)} holds one of {second}, but {place(i)} one of {first}; categories of one column must "
            "be of one kind: convert them, for instance to strings"
        )


def _sorted_array(present: list[Any]) -> NDArray[Any]:
    if not present or isinstance(present[0], str):
        array = np.empty(len(present), dtype=object)
        array[:] = sorted(str(value) for value in present)
        return array
    array = np.array(sorted(present))
    if array.dtype == object or array.dtype.kind == "f":  # beyond int64: as Python's integers
        wide = np.empty(len(present), dtype=object)
        wide[:] = sorted(present)
        return wide
    return array
