"""The dataframe libraries that are installed: pandas always, pyarrow and polars where they are."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pandas as pd
import pytest

HAS_PYARROW = find_spec("pyarrow") is not None
# Polars reads pandas' frames by way of pyarrow.
HAS_POLARS = HAS_PYARROW and find_spec("polars") is not None
MAKES = ["pandas", *(["pyarrow"] if HAS_PYARROW else []), *(["polars"] if HAS_POLARS else [])]


@pytest.fixture(params=MAKES)
def make(request):
    """The name of a library."""
    return request.param


@pytest.fixture
def convert(make):
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
