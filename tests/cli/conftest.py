"""A small table of houses, a model fitted on it, and a way to run the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from grulearn.cli.app import app

Run = Callable[..., "Outcome"]
QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")


class Outcome:
    """What a run of the command left: exit code, and what it wrote to stdout and stderr."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def error(self) -> str:
        """The one line of an error, without its prefix; fails if there is anything else on stderr."""
        assert self.code != 0, self.stdout
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert "Traceback" not in self.stderr
        assert lines[0].startswith("grulearn: error: ")
        return lines[0].removeprefix("grulearn: error: ")

    def said(self, kind: str) -> list[str]:
        """The warnings or notes on stderr."""
        prefix = f"grulearn: {kind}: "
        return [line.removeprefix(prefix) for line in self.stderr.splitlines() if line.startswith(prefix)]


def run(*arguments: object) -> Outcome:
    """Run `grulearn` with these arguments in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="grulearn")
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def grulearn() -> Run:
    return run


@pytest.fixture(scope="session")
def houses() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"rooms": rng.integers(1, 9, 60), "age": rng.uniform(0, 90, 60).round(1)})
    return frame.assign(price=40.0 * frame.rooms - frame.age + 100)


@pytest.fixture
def csv(tmp_path: Path, houses: pd.DataFrame) -> Path:
    path = tmp_path / "houses.csv"
    houses.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, houses: pd.DataFrame) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    houses.to_csv(folder / "houses.csv", index=False)
    outcome = run("fit", folder / "houses.csv", "--target", "price", "--output", folder / "model.gru", *QUICK)
    assert outcome.code == 0, outcome.stderr
    return folder / "model.gru"
