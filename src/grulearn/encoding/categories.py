"""Values of a categorical feature to the codes of the network's table, and the bucket for unseen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._places import category_label
from grulearn.encoding._segments import Segments, block_rows
from grulearn.sequences import Sequences

__all__ = ["MISSING_CODE", "UNSEEN_CODE", "CategoryCodes", "Value", "fit_categories"]

UNSEEN_CODE, MISSING_CODE, FIRST_CODE = 0, 1, 2

# With fewer sequences behind it the row of unseen values would be the memory of a few odd ones.
_BUCKET_SEQUENCES = 10

Value = str | bool | int | float

_KINDS: dict[str, type] = {"str": str, "bool": bool, "int": int, "float": float}
_WORDS = {"str": "strings", "bool": "booleans", "int": "integers", "float": "numbers"}


@dataclass(frozen=True)
class CategoryCodes:
    """The codes of one categorical feature.

    Code 0 stands for every value that is not known, code 1 for a missing one; the known values follow.

    Parameters
    ----------
    kind : {"str", "bool", "int", "float"} or None
        What the values are; None if the training part had none.
    values : tuple of that kind
        The known values, sorted; value `k` has the code ``k + 2``.

    Raises
    ------
    ValueError
        If a value is of another kind, or comes twice.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.encoding import CategoryCodes
    >>> modes = CategoryCodes("str", ("idle", "run"))
    >>> modes.n_codes, modes.size
    (4, 3)
    >>> codes = np.array([0, 2, 1, -1])
    >>> modes.lookup(np.array(["boost", "idle", "run"], dtype=object), "mode")[codes]
    array([0, 3, 2, 1], dtype=int32)
    """

    kind: str | None
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if self.kind is None:
            wrong: list[Any] = list(self.values)
        elif self.kind in _KINDS:
            wrong = [value for value in self.values if type(value) is not _KINDS[self.kind]]
        else:
            raise ValueError(f"categories: kind {self.kind!r}; expected one of {', '.join(_KINDS)}")
        if wrong:
            raise ValueError(f"categories: {wrong[0]!r} among values of kind {self.kind}")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"categories: of {len(self.values)} values some come twice")

    @property
    def n_codes(self) -> int:
        """Number of codes: the known values, and two."""
        return FIRST_CODE + len(self.values)

    @property
    def size(self) -> int:
        """Size of the vector that the network learns for each code: ``min(64, round(1.6 n_codes^0.56))``.

        The rule of thumb of fastai's tabular models (Howard and Gugger 2020), fitted to what their authors
        found to work, with a lower cap: a vector much wider than the state of a cell says no more to it.
        """
        return int(min(64, round(1.6 * self.n_codes**0.56)))

    def lookup(self, categories: NDArray[Any], place: str) -> NDArray[np.int32]:
        """Return the code of each of `categories`, matched by value, and at the end that of a missing one.

        Parameters
        ----------
        categories : ndarray, shape (n,)
            As in ``Sequences.categories``, in any order and dtype.
        place : str
            What a message calls the feature.

        Returns
        -------
        ndarray of int32, shape (n + 1,)
            To be indexed by the codes of a Sequences; -1, missing, finds the last.

        Raises
        ------
        ValueError
            If they are of another kind than the values of the training part.
        """
        kind = _kind(categories, place)
        numbers = {"int", "float"}
        if kind != self.kind and None not in (kind, self.kind) and not {kind, self.kind} <= numbers:
            raise ValueError(
                f"{place} holds {_WORDS[kind or '']}, such as {categories.tolist()[0]!r}; it was fitted on "
                f"{_WORDS[self.kind or '']}, such as {self._example()}. Convert it to what it was"
            )
        known = self.table()
        codes = [known.get(value, UNSEEN_CODE) for value in categories.tolist()]
        return np.array([*codes, MISSING_CODE], dtype=np.int32)

    def table(self) -> dict[Value, int]:
        """Return the code of each known value."""
        return {value: FIRST_CODE + k for k, value in enumerate(self.values)}

    def state(self) -> dict[str, Any]:
        """Return what `from_state` rebuilds this from, as JSON values."""
        return {"kind": self.kind, "values": list(self.values)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild what `state` was taken from.

        Raises
        ------
        KeyError, ValueError, TypeError
            If something is missing or does not fit.
        """
        return cls(state["kind"], tuple(state["values"]))

    def _example(self) -> str:
        return repr(self.values[0]) if self.values else "values that each occurred in one sequence only"


def fit_categories(data: Sequences) -> tuple[CategoryCodes, ...]:
    """Take the known values of each categorical feature from the steps of `data`.

    A value that occurs in a single sequence teaches the network that sequence, and nothing about others. From
    ten such sequences on, these values become unknown ones: their steps train the row that values which
    were never seen will get. With fewer, each keeps a code of its own.

    Parameters
    ----------
    data : Sequences
        The training part.

    Returns
    -------
    tuple of C CategoryCodes

    Raises
    ------
    ValueError
        If the categories of a feature are not all strings, all booleans or all numbers.
    """
    read = Segments.shared(data)
    owners = read.owners(data.lengths) if data.n_categorical else np.empty(0, dtype=np.int64)
    fitted = []
    for c, categories in enumerate(data.categories):
        kind = _kind(categories, category_label(data, c))
        # The least and the greatest number of a sequence in which each occurs; codes of -1 count last.
        least = np.full(len(categories) + 1, len(data))
        greatest = np.full(len(categories) + 1, -1)
        for block in read.blocks(block_rows(1)):
            codes = data.codes[block.source, c].astype(np.intp)
            several = owners[block.rows] < 0
            np.minimum.at(least, codes, owners[block.rows])
            np.maximum.at(greatest, codes, np.where(several, len(data), owners[block.rows]))
        least, greatest = least[:-1], greatest[:-1]
        known = greatest >= 0
        single = known & (least == greatest)
        if len(np.unique(least[single])) >= _BUCKET_SEQUENCES:
            known &= ~single
        values = sorted(categories[known].tolist())
        fitted.append(CategoryCodes(kind, tuple(values)))
    return tuple(fitted)


def _kind(categories: NDArray[Any], place: str) -> str | None:
    """Return which kind of values `categories` holds; None if there are none."""
    kinds = {type(value) for value in categories.tolist()}
    if not kinds:
        return None
    for kind, python in _KINDS.items():
        if kinds == {python}:
            if kind == "float" and not np.isfinite(categories.astype(np.float64)).all():
                raise ValueError(f"{place}: NaN or infinity among the categories; a missing one has no code")
            return kind
    names = ", ".join(sorted(python.__name__ for python in kinds))
    raise ValueError(
        f"{place}: categories of type {names}; expected all strings, all integers, all floats or all booleans"
    )
