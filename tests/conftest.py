"""Collects the comparisons with PyTorch only where PyTorch is, and says so in pytest's header."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

HAS_TORCH = find_spec("torch") is not None

# Not a skip: without torch those files could not even be imported, and a skip of every one of them would
# read as if something were wrong.
collect_ignore = [] if HAS_TORCH else ["torch"]


def pytest_report_header() -> str:
    """One line for the head of the run."""
    if HAS_TORCH:
        return f"torch: {version('torch')}, comparisons with it (tests/torch) are collected"
    return (
        "torch: not installed, so the comparisons with it (tests/torch) are not collected; "
        'to run them: pip install ".[test-torch]" && pytest'
    )
