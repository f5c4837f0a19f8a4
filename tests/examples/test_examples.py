"""Every example runs, and prints what the documentation shows, numbers aside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))


def without_numbers(text: str) -> str:
    """Return a text with # for numbers, and blanks as one: instruction sets differ in the last bits."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d,.:-]*", "#", text))


@pytest.mark.parametrize("name", SCRIPTS)
def test_example(name):
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = (FOLDER / "output" / f"{name}.txt").read_text(encoding="utf-8")
    assert without_numbers(done.stdout) == without_numbers(shown)


def test_the_list_of_examples_is_complete():
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in SCRIPTS:
        assert f"`{name}.py`" in listed
