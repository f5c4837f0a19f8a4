"""Dataframes of any make, through narwhals: their columns as numbers, codes and times, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._categories import encode_integers, encode_values
from grulearn.sequences._forms import Blocks
from grulearn.sequences._schema import Schema
from grulearn.sequences._values import as_float_array

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["FrameReader", "column_kinds", "read_wide", "stack_codes", "stack_numbers"]

# Columns are brought into rows block by block: what a block of rows needs stays in the cache.
_BLOCK_ROWS = 8192
# So many values at a time become Python objects to be numbered.
_CHUNK = 65_536
# Types, as narwhals calls them, that hold neither numbers nor categories.
_NO_NUMBERS = ("Date", "Duration", "Time", "List", "Array", "Struct", "Binary")


class FrameReader:
    """One dataframe, asked for its columns by name.

    Parameters
    ----------
    frame : dataframe of pandas, polars, pyarrow or another eager make that narwhals knows
    place : str
        What messages call it.

    Raises
    ------
    TypeError
        If it is no dataframe, or a lazy one.
    ValueError
        If two columns have one name.
    """

    def __init__(self, frame: Any, place: str) -> None:
        import narwhals as nw

        if hasattr(frame, "collect") or isinstance(frame, nw.LazyFrame):
            raise TypeError(f"{place}: a {type(frame).__name__} is lazy; pass {place}.collect()")
        names = column_names(frame)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{place}: two columns have the same name, {twice!r}")
        try:
            opened = nw.from_native(frame, eager_only=True)
        except TypeError as error:
            raise TypeError(
                f"{place}: expected a dataframe (pandas, polars or pyarrow), got {type(frame).__name__}"
            ) from error
        self.frame: nw.DataFrame[Any] = opened
        self.place = place
        self.make: str = opened.implementation.value

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> list[Any]:
        """The names of the columns."""
        return list(self.frame.columns)

    def require(self, names: Sequence[Any], role: str) -> None:
        """Raise an error that names the first of `names` which is no column, and the nearest that is."""
        for name in names:
            if name not in self.names:
                known = [str(column) for column in self.names]
                near = get_close_matches(str(name), known, n=1)
                hint = f"; the nearest name is {near[0]!r}" if near else ""
                raise ValueError(f"{role}: {self.place} has no column {name!r}{hint} (its columns: {known})")

    def column(self, name: Any) -> nw.Series[Any]:
        """Return one column."""
        column: nw.Series[Any] = self.frame.get_column(name)
        return column

    def where(self, name: Any, row: int) -> str:
        """Return the words that say where a value is."""
        return f"column {name!r}, row {row}"

    def is_categorical(self, name: Any) -> bool:
        """Tell whether a column holds strings or categories."""
        kind = str(self.column(name).dtype).split("(")[0]
        # Of pandas' objects narwhals calls those strings that are, by a look at the first hundred.
        return kind in ("String", "Categorical", "Enum")

    def missing(self, name: Any) -> NDArray[np.bool_]:
        """Return which values of a column are missing: null, NaN or NaT."""
        column = self.column(name)
        missing: NDArray[np.bool_] = column.is_null().to_numpy().astype(bool)
        if str(column.dtype).startswith("Float"):
            missing = missing | np.isnan(column.to_numpy())
        return missing

    def numbers(self, name: Any) -> NDArray[Any]:
        """Return a column as an array of numbers or booleans of its own dtype, NaN where one is missing.

        Raises
        ------
        ValueError
            If it holds something else; the message names column and row.
        """
        kind = str(self.column(name).dtype)
        if kind.startswith(_NO_NUMBERS):
            raise ValueError(
                f"column {name!r} holds values of type {kind}, expected numbers or categories; leave it out, "
                "make it the time_col if it is one, or turn it into numbers such as the hour of the day"
            )
        values = np.asarray(self.column(name).to_numpy())
        return values if values.dtype.kind in "iufb" else as_float_array(values, f"column {name!r}")

    def codes(self, name: Any) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Return a column of strings, integers or booleans as codes into its sorted values.

        Raises
        ------
        ValueError
            If it holds something else; the message names column and row.
        """
        kind = str(self.column(name).dtype)
        if kind.startswith(("Int", "UInt", "Float")):
            return self._integer_codes(name)
        if kind.startswith(_NO_NUMBERS):
            raise ValueError(
                f"column {name!r} holds values of type {kind}; expected strings, integers or booleans"
            )
        return encode_values(self._chunks(name), len(self), lambda row: self.where(name, row))

    def _integer_codes(self, name: Any) -> tuple[NDArray[np.int32], NDArray[Any]]:
        try:
            return encode_integers(np.asarray(self.column(name).to_numpy()), self.missing(name))
        except ValueError as error:
            raise ValueError(f"column {name!r}, {error}") from None

    def _chunks(self, name: Any) -> Iterator[list[Any]]:
        column = self.column(name)
        for begin in range(0, len(self), _CHUNK):
            yield column[begin : begin + _CHUNK].to_list()


def column_kinds(frame: Any, place: str) -> dict[Any, str]:
    """Return what each column of a dataframe holds, as narwhals calls it: "Float64", "String" and so on.

    Raises
    ------
    TypeError, ValueError
        As `FrameReader` does.
    """
    reader = FrameReader(frame, place)
    kinds = {name: str(reader.column(name).dtype).partition("(")[0] for name in reader.names}
    # Of pandas' periods narwhals only says that it does not know them.
    given = zip(kinds, getattr(frame, "dtypes", ()), strict=False)
    return kinds | {name: str(dtype) for name, dtype in given if kinds[name] == "Unknown"}


def read_wide(frame: Any, place: str = "X") -> Blocks:
    """Read a dataframe whose rows are sequences of one step."""
    reader = FrameReader(frame, place)
    categorical = [name for name in reader.names if reader.is_categorical(name)]
    numeric = [name for name in reader.names if name not in set(categorical)]
    n = len(reader)
    rows, dtypes = stack_numbers([reader.numbers(name) for name in numeric], n, None)
    codes, categories = stack_codes([reader.codes(name) for name in categorical], n, None)
    return {
        "rows": rows,
        "starts": np.arange(n, dtype=np.int64),
        "lengths": np.ones(n, dtype=np.int64),
        "codes": codes,
        "categories": categories,
        "schema": Schema(
            features=string_names(numeric), feature_dtypes=dtypes, categorical=string_names(categorical)
        ),
    }


def stack_numbers(
    columns: Sequence[NDArray[Any]], n: int, order: NDArray[np.int64] | None
) -> tuple[NDArray[Any], tuple[np.dtype[Any], ...]]:
    """Return rows of shape (n, F), the columns' values in `order`, and what their dtypes were."""
    dtypes = tuple(column.dtype.newbyteorder("=") for column in columns)
    single = bool(dtypes) and all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in dtypes)
    rows = np.empty((n, len(columns)), dtype=np.float32 if single else np.float64)
    _fill_rows(rows, columns, order)
    return rows, dtypes


def stack_codes(
    columns: Sequence[tuple[NDArray[np.int32], NDArray[Any]]], n: int, order: NDArray[np.int64] | None
) -> tuple[NDArray[np.int32], list[NDArray[Any]]]:
    """Return codes of shape (n, C), the columns' codes in `order`, and the categories of each."""
    codes = np.empty((n, len(columns)), dtype=np.int32)
    _fill_rows(codes, [column for column, _ in columns], order)
    return codes, [categories for _, categories in columns]


def column_names(frame: Any) -> list[Any]:
    """Return the names of a dataframe's columns as its make gives them; [] if it is no dataframe."""
    # A pyarrow table's `columns` are the columns themselves.
    return list(frame.column_names if hasattr(frame, "column_names") else getattr(frame, "columns", ()))


def string_names(names: Sequence[Any]) -> tuple[str, ...] | None:
    """Return names as a tuple if all are strings, else None: pandas numbers columns that have none."""
    return tuple(names) if all(isinstance(name, str) for name in names) else None


def _fill_rows(rows: NDArray[Any], columns: Sequence[NDArray[Any]], order: NDArray[np.int64] | None) -> None:
    for begin in range(0, len(rows), _BLOCK_ROWS):
        block: Any = slice(begin, begin + _BLOCK_ROWS)
        source = block if order is None else order[block]
        for j, column in enumerate(columns):
            rows[block, j] = column[source]
