"""What all tests share: the dataframe libraries that are installed, and what is collected without others.

What needs PyTorch or pyarrow is collected only where they are, and pytest's header says so.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import pandas as pd
import pytest

HAS_TORCH = find_spec("torch") is not None
HAS_PYARROW = find_spec("pyarrow") is not None
# Polars reads pandas' frames by way of pyarrow.
HAS_POLARS = HAS_PYARROW and find_spec("polars") is not None
MAKES = ["pandas", *(["pyarrow"] if HAS_PYARROW else []), *(["polars"] if HAS_POLARS else [])]

# Not a skip: without torch those files could not even be imported, and a skip of every one of them would
# read as if something were wrong.
collect_ignore = [] if HAS_TORCH else ["torch"]
if not HAS_PYARROW:
    collect_ignore.append("cli/test_parquet.py")


def pytest_report_header() -> list[str]:
    """Lines for the head of the run."""
    if HAS_TORCH:
        lines = [f"torch: {version('torch')}, comparisons with it (tests/torch) are collected"]
    else:
        lines = [
            "torch: not installed, so the comparisons with it (tests/torch) are not collected; "
            'to run them: pip install ".[test-torch]" && pytest'
        ]
    if not HAS_PYARROW:
        lines.append(
            "pyarrow: not installed, so tests/cli/test_parquet.py is not collected, and "
            "tests/sequences reads pandas' frames only; "
            'to run them: pip install ".[test,parquet]" && pytest'
        )
    elif not HAS_POLARS:
        lines.append("polars: not installed, so tests/sequences reads frames of pandas and pyarrow only")
    return lines


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest):
    """The name of a library."""
    return request.param


@pytest.fixture
def convert(make: str):
    """Turn a pandas dataframe into one of the library."""

    def convert(frame: pd.DataFrame):
        if make == "polars":
            return import_module("polars").from_pandas(frame)
        if make == "pyarrow":
            return import_module("pyarrow").Table.from_pandas(frame, preserve_index=False)
        return frame

    return convert


@pytest.fixture
def as_pandas():
    """Turn a dataframe of any make into pandas'."""
    return lambda frame: frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
