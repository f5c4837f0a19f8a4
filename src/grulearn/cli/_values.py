"""Columns of a table as numbers, categories or times, with errors that name row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from grulearn.cli._errors import BadInput, say
from grulearn.cli._tables import Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["numbers", "text"]

# A column of texts of which so many, and more than half, differ is names or remarks rather than categories.
_MANY_CATEGORIES = 20


@dataclass(frozen=True)
class Gaps:
    """Whether values may be missing, and what to do about it where they may not."""

    allowed: bool = False
    hint: str = ""

    def check(self, table: Table, name: str) -> None:
        """Raise BadInput at the first missing value of a column, unless values may be missing."""
        gaps = table.frame[name].isna().to_numpy()
        if gaps.any() and not self.allowed:
            raise BadInput(
                f"{table.place(int(gaps.argmax()), name)}: the value is missing (NaN or an empty cell); fill "
                f"it in or leave the row out{self.hint}{_count_more(gaps)}"
            )


NO_GAPS = Gaps()


def numbers(table: Table, names: Sequence[str], gaps: Gaps = NO_GAPS) -> pd.DataFrame:
    """Return columns as float64, NaN where a value may be and is missing.

    Raises
    ------
    BadInput
        At the first text, infinity or, unless they may be, missing value.
    """
    import pandas as pd

    columns = {name: _numbers(table, name, gaps) for name in names}
    return pd.DataFrame(columns, columns=list(names), index=table.frame.index)


def texts(table: Table, names: Sequence[str], gaps: Gaps = NO_GAPS) -> pd.DataFrame:
    """Return columns as strings, None where a value may be and is missing.

    Raises
    ------
    BadInput
        At the first missing value, unless they may be.
    """
    import pandas as pd

    columns = {}
    for name in names:
        gaps.check(table, name)
        columns[name] = as_text(table.frame[name])
    return pd.DataFrame(columns, columns=list(names), index=table.frame.index, dtype=object)


def as_text(column: pd.Series[Any]) -> NDArray[Any]:
    """Return values as strings, None where one is missing.

    Whole numbers are written without a point: a column of them is read as 3.0 where one is missing.
    """
    import pandas as pd

    gaps = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.fillna(0).astype(np.int64)
    written = np.array(column.astype(object).map(str), dtype=object)  # a copy: pandas may give a view
    written[gaps] = None
    return written


def kind_of(table: Table, name: str) -> Kind:
    """Tell whether a column is numbers or categories.

    Raises
    ------
    BadInput
        If it holds dates, or texts among numbers that are at least as many: a slip, and not a category.
    """
    import pandas as pd

    column = table.frame[name]
    if pd.api.types.is_numeric_dtype(column):  # booleans are among them
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(column):
        raise BadInput(f"{_no_number(table, 0, name)}, but a date; {_role_of_dates(name)}")
    gaps = column.isna().to_numpy()
    parsed = pd.to_numeric(column.astype(str), errors="coerce").to_numpy(dtype=np.float64)
    text = np.isnan(parsed) & ~gaps
    if not text.any():
        return "numbers"
    row = int(text.argmax())
    if int(text.sum()) <= int((~gaps).sum()) - int(text.sum()):
        raise BadInput(
            f"{_no_number(table, row, name)}, as the others in this column are{_count_more(text)}; correct "
            f'it, take the column as categories with --categorical "{name}", or leave it out with --ignore'
        )
    if _dates(column[~gaps]).notna().all():
        raise BadInput(f"{_no_number(table, row, name)}, but a date; {_role_of_dates(name)}")
    _warn_of_many_categories(table, name)
    return "text"


def times(table: Table, name: str) -> pd.Series[Any]:
    """Return a column of times: numbers as they are, or dates and clock times in UTC.

    Raises
    ------
    BadInput
        If one is missing, or is neither a number nor a date of ISO 8601.
    """
    import pandas as pd

    NO_GAPS.check(table, name)
    column = table.frame[name]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(_numbers(table, name, NO_GAPS), index=column.index)
    parsed = _dates(column)
    wrong = parsed.isna().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInput(
            f'{table.place(row, name)}: "{column.iloc[row]}" is no time; expected numbers, or dates such as '
            f"2024-05-31 or 2024-05-31T13:45:00{_count_more(wrong)}"
        )
    return parsed


def _dates(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read dates of ISO 8601, which cannot be read in two ways as 03/04/2024 can; NaT for all else."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype(str)
    # One unit, whatever each file was written with.
    return pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True).dt.as_unit("us")


def _numbers(table: Table, name: str, gaps: Gaps) -> NDArray[np.float64]:
    import pandas as pd

    column = table.frame[name]
    if pd.api.types.is_numeric_dtype(column):
        values: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        # By way of text: pandas would turn a date into a count of nanoseconds.
        values = pd.to_numeric(column.astype(str), errors="coerce").to_numpy(dtype=np.float64)
        text = np.isnan(values) & ~column.isna().to_numpy()
        if text.any():
            raise BadInput(f"{_no_number(table, int(text.argmax()), name)}{_count_more(text)}")
    gaps.check(table, name)
    infinite = np.isinf(values)
    if infinite.any():
        raise BadInput(
            f"{table.place(int(infinite.argmax()), name)}: the value is infinite; expected a finite "
            f"number{_count_more(infinite)}"
        )
    return values


def _no_number(table: Table, row: int, name: str) -> str:
    return f'{table.place(row, name)}: "{table.frame[name].iloc[row]}" is not a number'


def _role_of_dates(name: str) -> str:
    return f'make it the --time of long tables, or leave it out with --ignore "{name}"'


def _warn_of_many_categories(table: Table, name: str) -> None:
    column = table.frame[name]
    n, rows = column.nunique(), len(column)
    if n > _MANY_CATEGORIES and 2 * n > rows:
        say(
            "warning",
            f'column "{name}" holds {n:,} different texts in {rows:,} rows, which tell a model little as '
            f'categories; leave it out with --ignore "{name}"',
        )


def _count_more(bad: NDArray[np.bool_]) -> str:
    others = int(bad.sum()) - 1
    return f" ({others:,} more such in this column)" if others else ""
