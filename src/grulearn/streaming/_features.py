"""The features of a step in any form: numbers and codes, or the place of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import CategoryCodes, InputEncoding
from grulearn.sequences import Sequences, is_missing
from grulearn.streaming._columns import StepColumns
from grulearn.streaming._which import UNTOUCHED

__all__ = ["FeatureReader"]

# What texts are split into.
_TOKENS = {"char": "character", "word": "word"}


class FeatureReader:
    """Turns what a user hands in as a step into numbers and codes; shapes are the caller's business.

    Parameters
    ----------
    encoding : InputEncoding
    columns : StepColumns
    """

    def __init__(self, encoding: InputEncoding, columns: StepColumns) -> None:
        self._columns = columns
        self._categories = encoding.categories
        self._tables = encoding.step_tables()

    def read(self, x_t: Any, shapes: list[tuple[int, ...]]) -> tuple[NDArray[Any], NDArray[np.int32] | None]:
        """Read a step.

        Parameters
        ----------
        x_t : array-like, mapping, Series or DataFrame
        shapes : list of tuple
            The shapes that it may have, the last axis being that of the columns.

        Returns
        -------
        numbers : ndarray of float32 or float64, shape (F,) or (n, F), C-contiguous
        codes : ndarray of int32, shape (C,) or (n, C), or None
            None without categorical features.

        Raises
        ------
        ValueError
            If it has another shape or holds something else; the message names the place.
        """
        if type(x_t) is str and self._columns.size == 1 and (1,) in shapes and self._columns.categorical:
            # A token: the way through arrays of objects takes three times as long.
            return np.empty(0), np.array([self._code(x_t, 0)], dtype=np.int32)
        if _is_frame(x_t):
            return self._from_frame(x_t, shapes)
        if isinstance(x_t, Mapping):
            x_t = self._by_name(x_t)
        elif self._columns.names is not None and _is_named_series(x_t):
            x_t = self._by_name(x_t.to_dict())
        if not self._columns.categorical:
            return _in_shape(_as_numbers(x_t), shapes, self._columns.size), None
        items = _in_shape(_as_objects(x_t), shapes, self._columns.size)
        rows, lead = items.reshape(-1, self._columns.size).tolist(), items.shape[:-1]
        numbers = [[self._number(row[column], column) for column in self._columns.numeric] for row in rows]
        codes = [[self._code(row[k], c) for c, k in enumerate(self._columns.categorical)] for row in rows]
        return (
            np.array(numbers, dtype=np.float64).reshape(*lead, len(self._columns.numeric)),
            np.array(codes, dtype=np.int32).reshape(*lead, len(self._columns.categorical)),
        )

    def _by_name(self, values: Mapping[Any, Any]) -> list[Any]:
        self._check_names(list(values))
        assert self._columns.names is not None
        return [values[name] for name in self._columns.names]

    def _check_names(self, given: list[Any]) -> None:
        names = self._columns.names
        if names is None:
            raise ValueError(
                "x_t has names, but the model was fitted without any: pass its values in the order of the "
                f"training data. {UNTOUCHED}"
            )
        missing = [name for name in names if name not in given]
        unknown = [name for name in given if name not in names]
        if missing or unknown:
            what = f"feature {missing[0]!r} is missing" if missing else f"there is no feature {unknown[0]!r}"
            raise ValueError(f"x_t: {what}; expected {', '.join(map(repr, names))}. {UNTOUCHED}")

    def _from_frame(
        self, frame: Any, shapes: list[tuple[int, ...]]
    ) -> tuple[NDArray[Any], NDArray[np.int32] | None]:
        data = Sequences.from_array(frame)
        self._check_names([*(data.schema.features or ()), *(data.schema.categorical or ())])
        whole = (len(data), self._columns.size)
        if whole not in shapes and not (len(data) == 1 and whole[1:] in shapes):
            _refuse_shape(whole, shapes)
        row: Any = slice(None) if whole in shapes else 0
        numbers = data.rows[:, [self._numeric_column(data, column) for column in self._columns.numeric]]
        codes = self._codes_of_frame(data)
        return np.ascontiguousarray(numbers[row]), None if codes is None else codes[row]

    def _numeric_column(self, data: Sequences, column: int) -> int:
        names = self._columns.names or ()
        if names[column] not in (data.schema.features or ()):
            raise ValueError(
                f"x_t: {self._columns.label(column)} holds strings or categories, expected numbers. "
                f"{UNTOUCHED}"
            )
        return (data.schema.features or ()).index(names[column])

    def _codes_of_frame(self, data: Sequences) -> NDArray[np.int32] | None:
        names = self._columns.names or ()
        wanted = [names[column] for column in self._columns.categorical]
        if not wanted:
            return None
        data = data.with_categorical([name for name in wanted if name in (data.schema.features or ())])
        codes = np.empty((len(data.rows), len(wanted)), dtype=np.int32)
        for c, name in enumerate(wanted):
            j = (data.schema.categorical or ()).index(name)
            table = self._categories[c].lookup(data.categories[j], f"x_t: {self._label(c)}")
            codes[:, c] = table[data.codes[:, j]]
        return codes

    def _number(self, value: Any, column: int) -> float:
        if is_missing(value):
            return np.nan
        try:
            # A text such as "1.5" is no number: the training data had none that was read so.
            if not isinstance(value, str | bytes):
                return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
        raise ValueError(f"x_t: {self._columns.label(column)} is {value!r}, expected a number. {UNTOUCHED}")

    def _code(self, value: Any, c: int) -> int:
        # Most values are known, and of the very type: of Python's own, True is 1 and 1.0 to a dict.
        known = self._categories[c]
        if type(value) is str and known.kind == "str":
            code = self._tables.codes[c].get(value, self._tables.unseen_code)
            if code == self._tables.unseen_code and self._columns.tokens in _TOKENS:
                self._check_token(value)
            return code
        if is_missing(value):
            return self._tables.missing_code
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, str):
            value = str(value)
        if isinstance(value, float) and known.kind != "float":
            if not value.is_integer():
                raise ValueError(
                    f"x_t: {self._label(c)} is {value!r}, which is no category; expected a string, an "
                    f"integer or a boolean. {UNTOUCHED}"
                )
            value = int(value)
        return self._lookup(known, value, c)

    def _check_token(self, value: str) -> None:
        """Refuse a text of several tokens, which would pass for a token that was never seen."""
        tokens: Any = self._columns.tokens
        found = int(Sequences.from_tokens([value], tokens=tokens).lengths[0])
        if found != 1:
            raise ValueError(
                f"x_t: {value!r} has {found} tokens, and a step is one {_TOKENS[tokens]}; take one step for "
                f"each. {UNTOUCHED}"
            )

    def _lookup(self, known: CategoryCodes, value: Any, c: int) -> int:
        alone = np.empty(1, dtype=object)
        alone[0] = value
        try:
            return int(known.lookup(alone, f"x_t: {self._label(c)}")[0])
        except ValueError as error:
            raise ValueError(f"{error}. {UNTOUCHED}") from error

    def _label(self, c: int) -> str:
        return self._columns.label(self._columns.categorical[c])


def _is_frame(x_t: Any) -> bool:
    return hasattr(type(x_t), "columns") or hasattr(type(x_t), "column_names")


def _is_named_series(x_t: Any) -> bool:
    """Tell whether it is a row of a pandas dataframe: a Series whose labels are names."""
    index: Any = getattr(x_t, "index", None)  # that of a list is a method
    if not hasattr(x_t, "to_dict") or not hasattr(index, "dtype"):
        return False
    return all(isinstance(name, str) for name in index)


def _as_numbers(x_t: Any) -> NDArray[Any]:
    if isinstance(x_t, np.ma.MaskedArray):
        x_t = np.ma.filled(x_t.astype(np.float64), np.nan)  # a masked value is a missing one
    try:
        given = np.asarray(x_t)
    except ValueError as error:
        raise ValueError(f"x_t: expected rows of numbers, but {error}. {UNTOUCHED}") from error
    kind = given.dtype.kind
    if x_t is None or kind not in "biufO":  # None and dates would become numbers
        found = "None" if x_t is None else "complex numbers" if kind == "c" else str(given.dtype)
        raise ValueError(f"x_t: expected real numbers, got {found}. {UNTOUCHED}")
    if kind == "O":
        given = np.where(np.vectorize(is_missing, otypes=[bool])(given), np.nan, given)
    dtype = np.float32 if given.dtype == np.float32 else np.float64
    try:
        # Not ascontiguousarray alone, which makes an array of one axis of a number.
        return np.ascontiguousarray(given, dtype=dtype).reshape(given.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"x_t: expected real numbers, but {error}. {UNTOUCHED}") from error


def _as_objects(x_t: Any) -> NDArray[Any]:
    """Return an array of Python's objects: a string is one, and not a sequence of letters."""
    if x_t is None:
        raise ValueError(f"x_t: expected the features of a step, got None. {UNTOUCHED}")
    try:
        return np.array(x_t, dtype=object)
    except ValueError as error:
        raise ValueError(f"x_t: expected rows of values, but {error}. {UNTOUCHED}") from error


def _in_shape(values: NDArray[Any], shapes: list[tuple[int, ...]], size: int) -> NDArray[Any]:
    """Return `values` in one of `shapes`. A single feature needs no axis of its own."""
    if values.shape in shapes:
        return values
    if size == 1 and (*values.shape, 1) in shapes:
        return values.reshape(*values.shape, 1)
    return _refuse_shape(values.shape, shapes)


def _refuse_shape(shape: tuple[int, ...], shapes: list[tuple[int, ...]]) -> NoReturn:
    turned = len(shape) == 2 and shape[::-1] in shapes
    raise ValueError(
        f"x_t: expected shape {' or '.join(map(str, shapes))}, got {shape}"
        + ("; it looks transposed: a row for each stream" if turned else "")
        + f". {UNTOUCHED}"
    )
