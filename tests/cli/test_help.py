"""Help, version, and how little is imported for them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import grulearn as package

COMMANDS = ["demo", "fit", "predict", "evaluate", "inspect", "bench"]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_lists_the_commands(grulearn):
    for arguments in [(), ("--help",), ("-h",)]:
        outcome = grulearn(*arguments)
        assert outcome.code == 0
        listed = re.findall(r"^  (\w+)  +[A-Z].*\.$", outcome.stdout.split("Commands:")[1], re.MULTILINE)
        assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_an_example(grulearn, command):
    outcome = grulearn(command, "--help")
    assert outcome.code == 0
    assert outcome.stdout.startswith(f"Usage: grulearn {command} ")
    closing = " ".join(outcome.stdout.strip().split("\n\n")[-1].split())
    assert closing.startswith(f"Example: grulearn {command} ")


def test_examples_are_accepted(grulearn, csv, tmp_path, monkeypatch):
    """What the help of fit, predict, evaluate and inspect shows works as it stands."""
    monkeypatch.chdir(tmp_path)
    for name in ["new_houses.csv", "held_out_houses.csv"]:
        (tmp_path / name).write_bytes(csv.read_bytes())
    for command in ["fit", "predict", "evaluate", "inspect"]:
        example = grulearn(command, "--help").stdout.rsplit("Example: grulearn ", 1)[1].split()
        outcome = grulearn(*example)
        assert outcome.code == 0, outcome.stderr


def test_version(grulearn):
    assert grulearn("--version").stdout == f"grulearn {package.__version__}\n"


def test_help_imports_nothing_heavy():
    out = python(
        "import sys\n"
        "from grulearn.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'sklearn', 'matplotlib') if m in sys.modules])\n"
    )
    assert out.splitlines()[-1] == "[]"


def test_inspect_needs_neither_pandas_nor_scikit_learn(model):
    out = python(
        "import sys\n"
        "from grulearn.cli.app import app\n"
        f"try: app(['inspect', {str(model)!r}])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('pandas', 'scipy', 'sklearn', 'matplotlib') if m in sys.modules])\n"
    )
    assert out.splitlines()[-1] == "[]"
