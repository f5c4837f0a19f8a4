"""Tables and numbers as text: Markdown that reads well in a terminal too."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table", "format_count", "format_fraction", "format_ratio", "format_seconds", "markdown"]

_WIDTH = 100


@dataclass(frozen=True)
class Table:
    """A table with a heading and what one must know to read it.

    Parameters
    ----------
    title : str
    text : str
        A paragraph above the table.
    header : tuple of str
        One a column.
    rows : sequence of tuple of str
    """

    title: str
    text: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def markdown(table: Table) -> str:
    """Write a table in Markdown, its columns padded to equal width.

    Examples
    --------
    >>> from grulearn.benchmark.report import Table, markdown
    >>> print(markdown(Table("Heights", "In metres.", ("who", "height"), [("Ann", "1.7"), ("Bo", "1.81")])))
    ## Heights
    <BLANKLINE>
    In metres.
    <BLANKLINE>
    | who | height |
    | --- | -----: |
    | Ann |    1.7 |
    | Bo  |   1.81 |
    """
    parts = [f"## {table.title}"]
    if table.text:
        parts.append(paragraph(table.text))
    parts.append("\n".join(_lines(table.header, table.rows)))
    return "\n\n".join(parts)


def paragraph(text: str, bullet: str = "") -> str:
    """Wrap a text, as an item of a list if `bullet` is given."""
    return textwrap.fill(
        " ".join(text.split()),
        _WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for cells in (header, rule, *rows):
        padded = [cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]
        lines.append(f"| {' | '.join(padded)} |")
    return lines


def format_seconds(seconds: float) -> str:
    """Write a time with three digits.

    Examples
    --------
    >>> from grulearn.benchmark.report import format_seconds
    >>> [format_seconds(s) for s in (1.234e-6, 0.0123, 4.5, 123.4)]
    ['1.23 µs', '12.3 ms', '4.50 s', '123 s']
    """
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms"), (1.0, "s")):
        value = seconds * factor
        if value < 999.5 or unit == "s":
            break
    decimals = 0 if value >= 99.95 or unit == "ns" else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f} {unit}"


def format_ratio(ratio: float) -> str:
    """Write how many times as long, or as fast.

    Examples
    --------
    >>> from grulearn.benchmark.report import format_ratio
    >>> [format_ratio(r) for r in (0.957, 3.14159, 12.5, 123.4)]
    ['0.96x', '3.1x', '12x', '123x']
    """
    return f"{ratio:.{2 if ratio < 1.995 else 1 if ratio < 9.95 else 0}f}x"


def format_fraction(fraction: float) -> str:
    """Write a part of a whole.

    Examples
    --------
    >>> from grulearn.benchmark.report import format_fraction
    >>> format_fraction(0.8049)
    '80 %'
    """
    return f"{100 * fraction:.0f} %"


def format_count(number: int) -> str:
    """Write a whole number.

    Examples
    --------
    >>> from grulearn.benchmark.report import format_count
    >>> format_count(1000000)
    '1,000,000'
    """
    return f"{number:,}"
