"""Collects what needs PyTorch or pyarrow only where they are, and says so in pytest's header."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

HAS_TORCH = find_spec("torch") is not None
HAS_PYARROW = find_spec("pyarrow") is not None
HAS_POLARS = find_spec("polars") is not None

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
