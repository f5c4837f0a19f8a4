"""Every example runs, and prints as many lines of the same kind as the documentation shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))


def first_words(text: str) -> list[str]:
    """Return the first word of each line, # for a number: instruction sets differ in the last bits.

    That is enough to change a number, a label, or the reason for which a training ends.
    """
    return [re.sub(r"\d[\d,.]*", "#", line.split()[0]) for line in text.splitlines()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_example(name):
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = (FOLDER / "output" / f"{name}.txt").read_text(encoding="utf-8")
    assert first_words(done.stdout) == first_words(shown)


def test_the_list_of_examples_is_complete():
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in SCRIPTS:
        assert f"`{name}.py`" in listed
