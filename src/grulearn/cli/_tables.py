"""Reading a table from a CSV or Parquet file, and saying where in it something is."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grulearn.cli._errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

DataArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="The table: a CSV file with a header (- for standard input), or a Parquet file."
    ),
]
SeparatorOption = Annotated[
    str,
    typer.Option("--separator", metavar="CHARACTER", help="What stands between the columns of a CSV file."),
]

_PARQUET_SUFFIXES = (".parquet", ".pq")
# More names than this in one message help nobody.
_NAMES_SHOWN = 8


@dataclass(frozen=True)
class Table:
    """The columns of a file as they were read, and the file's name for messages.

    The frame's index counts the rows of the file, from 0, in whatever order they are.
    """

    source: str
    frame: pd.DataFrame

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the file's order."""
        return list(self.frame.columns)

    def require(self, names: Sequence[str], wanted_by: str) -> None:
        """Raise BadInput if a column is missing, with the nearest name there is."""
        missing = [name for name in names if name not in self.frame.columns]
        if not missing:
            return
        spare = [column for column in self.columns if column not in names]
        asked = "; ".join(_describe_missing(name, spare) for name in missing[:_NAMES_SHOWN])
        more = f"; and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
        raise BadInput(
            f"{self.source} lacks {wanted_by}: {asked}{more} (its columns are {join_names(self.columns)})"
        )

    def place(self, row: int, column: str) -> str:
        """Return the words that say where the value in a row of `frame` is in the file."""
        number = int(self.frame.index[row]) + 1
        return f'{self.source}, data row {number} (the first below the header is 1), column "{column}"'


def read_table(path: Path, separator: str = ",", *, as_text: Collection[str] = ()) -> Table:
    """Read a file with at least one row.

    Of a CSV file the columns `as_text` are read to the letter: 007 stays 007.

    Raises
    ------
    BadInput
        If the file is missing, unreadable, empty, malformed, or names a column twice; or it is Parquet and
        pyarrow is not installed.
    """
    if str(path) == "-":
        return _checked(Path("standard input"), _read_csv(path, separator, sys.stdin.buffer.read(), as_text))
    if not path.exists():
        raise BadInput(f"there is no file {path}{_nearest_file(path)}")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; expected a CSV or Parquet file")
    if path.is_file() and path.stat().st_size == 0:
        raise BadInput(f"{path} is empty; expected a table with named columns and rows of numbers")
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return _checked(path, _read_parquet(path))
    # A pipe can be read once only.
    return _checked(path, _read_csv(path, separator, None if path.is_file() else path.read_bytes(), as_text))


def _checked(path: Path, frame: pd.DataFrame) -> Table:
    if len(frame) == 0:
        raise BadInput(f"{path} has a header and no rows; expected at least one row of numbers below it")
    return Table(str(path), frame.reset_index(drop=True))


def join_names(names: Sequence[str]) -> str:
    """Join names for a message, cutting a long list."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow
    except ImportError as error:
        raise BadInput(
            f"reading the Parquet file {path} needs pyarrow, which is not installed: "
            'pip install "grulearn[parquet]", or give a CSV file'
        ) from error
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read as Parquet: {_first_line(error)}") from error
    frame.columns = frame.columns.astype(str)
    _check_names_differ(path, list(frame.columns))
    return frame


def _read_csv(path: Path, separator: str, content: bytes | None, as_text: Collection[str]) -> pd.DataFrame:
    """Read the file, or what was read from it already."""
    import pandas as pd

    if len(separator) != 1:
        separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
    if len(separator) != 1:
        raise BadInput(f'--separator must be one character, or "tab"; it is "{separator}"')
    common: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "index_col": False}
    try:
        # Without this first look pandas would rename a column that comes twice, and say nothing.
        head = pd.read_csv(
            _again(path, content), header=None, nrows=1, dtype=str, keep_default_na=False, **common
        )
        names = [str(name) for name in head.iloc[0]]
        _check_names_differ(path, names)
        _check_separator(path, names, separator)
        with warnings.catch_warnings():
            # It would cut rows that are longer than the header, with a warning only.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            options = common | _exact_floats() | {"low_memory": False, "dtype": dict.fromkeys(as_text, str)}
            frame: pd.DataFrame = pd.read_csv(_again(path, content), **options)
            return frame
    except pd.errors.ParserWarning as error:
        raise BadInput(f"{path} has rows with more cells than its header has names") from error
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{path} has no text in it; expected a header and rows of numbers") from error
    except pd.errors.ParserError as error:
        raise BadInput(f"{path} is not a well-formed CSV file: {_first_line(error)}") from error
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path} is not text in UTF-8; expected a CSV file saved as UTF-8, or a Parquet file"
        ) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error


def _again(path: Path, content: bytes | None) -> Path | io.BytesIO:
    return path if content is None else io.BytesIO(content)


def _exact_floats() -> dict[str, Any]:
    """Ask for floats that are right to the last bit, which pandas 3.1 does without being asked."""
    import pandas as pd

    major, minor = map(int, pd.__version__.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _check_names_differ(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{path} has more than one column of the same name: {join_names(twice)}")


def _check_separator(path: Path, names: Sequence[str], separator: str) -> None:
    for other, spelled in ((";", ";"), ("\t", "tab"), ("|", "|"), (",", ",")):
        if len(names) == 1 and other != separator and other in names[0]:
            raise BadInput(
                f'{path} seems to have "{spelled}" between its columns; add --separator "{spelled}"'
            )


def _describe_missing(name: str, columns: Sequence[str]) -> str:
    by_lower = {column.lower(): column for column in columns}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f'"{name}"' + (f', the nearest name is "{by_lower[near[0]]}"' if near else "")


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    near = get_close_matches(path.name, [file.name for file in path.parent.iterdir()], n=1, cutoff=0.8)
    return f"; the nearest name there is {near[0]}" if near else ""


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.removeprefix("Error tokenizing data. ").removeprefix("C error: ")
