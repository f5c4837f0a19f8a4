"""Numbers and tables as text."""

from __future__ import annotations

import pytest

from grulearn.benchmark.report import (
    Table,
    format_fraction,
    format_ratio,
    format_seconds,
    markdown,
    paragraph,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.3e-8, "83 ns"),
        (9.996e-7, "1.00 µs"),
        (9.994e-6, "9.99 µs"),
        (9.996e-6, "10.0 µs"),
        (1.234e-4, "123 µs"),
        (0.0456, "45.6 ms"),
        (0.9996, "1.00 s"),
        (59.96, "60.0 s"),
        (1234.5, "1234 s"),
    ],
)
def test_times_have_three_digits(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.5, "0.50x"), (1.994, "1.99x"), (1.996, "2.0x"), (9.94, "9.9x"), (9.96, "10x")]
)
def test_ratios(ratio, text):
    assert format_ratio(ratio) == text


def test_fractions():
    assert format_fraction(0.895) == "90 %"


def test_a_table_is_markdown_with_equal_columns():
    text = markdown(Table("T", "About it.", ("case", "time"), [("N1", "1 ms"), ("N100", "10 ms")]))
    assert text.splitlines() == [
        "## T",
        "",
        "About it.",
        "",
        "| case |  time |",
        "| ---- | ----: |",
        "| N1   |  1 ms |",
        "| N100 | 10 ms |",
    ]


def test_a_table_may_have_no_rows():
    assert markdown(Table("T", "", ("a", "b"), [])).splitlines()[-1] == "| --- | --: |"


def test_paragraphs_are_wrapped_and_items_indented():
    lines = paragraph("word " * 60, "- ").splitlines()
    assert lines[0].startswith("- word")
    assert all(line.startswith("  word") for line in lines[1:])
    assert max(map(len, lines)) <= 100
