"""``grulearn bench``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from grulearn import _core
from grulearn.benchmark import SECTIONS, peers
from grulearn.benchmark.agreement import DisagreementError
from grulearn.benchmark.cases import Case
from grulearn.benchmark.sections import sizes

QUICK = ("--quick", "--n-jobs", "1")


@pytest.fixture
def tiny(monkeypatch):
    """No other library, and a grid that takes no time."""
    monkeypatch.setattr(peers, "KNOWN", ())
    monkeypatch.setattr(sizes, "GRID", (Case(2, 3, 4, 5), Case(1, 4, 2, 3)))


def test_prints_markdown(grulearn, tiny):
    outcome = grulearn("bench", "--only", "sizes", *QUICK)
    assert outcome.code == 0
    assert outcome.stderr == ""
    lines = outcome.stdout.splitlines()
    assert lines[0] == "# grulearn bench"
    rows = [line for line in lines if line.startswith("| N")]
    assert [row.split("|")[1].strip() for row in rows] == ["N2 T3 F4 H5", "N1 T4 F2 H3"]
    assert len({len(line) for line in lines if line.startswith("|")}) == 1


def test_writes_json_and_picture(grulearn, tiny, tmp_path):
    measured, picture = tmp_path / "measured.json", tmp_path / "sizes.png"
    outcome = grulearn("bench", "--only", "sizes", "--json", measured, "--plot", picture, *QUICK)
    assert outcome.code == 0
    assert outcome.said("note") == [
        f"everything measured is in {measured}",
        f"the picture is in {picture}",
    ]
    assert list(json.loads(measured.read_text())["sections"]) == ["sizes"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["measured.json", "sizes.png"]


def test_help_names_every_section(grulearn):
    text = " ".join(grulearn("bench", "--help").stdout.split())
    assert f"{', '.join(SECTIONS)}, or all." in text


class TestWrongInput:
    """One sentence, before anything is measured."""

    def test_section(self, grulearn):
        outcome = grulearn("bench", "--only", "speed")
        assert outcome.code == 2
        assert outcome.error.startswith("there is no section 'speed'; expected all, or some of sizes,")

    def test_threads(self, grulearn):
        assert grulearn("bench", "--n-jobs", "0").error.startswith("n_jobs is 0; expected")
        assert "200 threads would wait" in grulearn("bench", "--n-jobs", "200").error

    def test_rounds(self, grulearn):
        outcome = grulearn("bench", "--rounds", "0")
        assert outcome.code == 2
        assert "--rounds" in outcome.error

    def test_plot_without_sizes(self, grulearn, tmp_path):
        outcome = grulearn("bench", "--only", "forms", "--plot", tmp_path / "x.png")
        assert outcome.error == "--plot draws the section sizes, which --only leaves out; add --only sizes"

    def test_plot_of_unknown_kind(self, grulearn, tmp_path):
        assert "expected it to end in" in grulearn("bench", "--plot", tmp_path / "x.doc").error

    def test_files(self, grulearn, tmp_path):
        outcome = grulearn("bench", "--json", tmp_path / "nowhere" / "x.json")
        assert "there is no folder" in outcome.error
        both = grulearn("bench", "--json", tmp_path / "x.png", "--plot", tmp_path / "x.png")
        assert "are the same file" in both.error

    def test_another_instruction_set_in_a_running_process(self, grulearn):
        outcome = grulearn("bench", "--isa", "avx1024")
        assert outcome.code == 2
        assert f"--isa: the core is already loaded with {_core.instruction_set()}" in outcome.error


def test_disagreement_is_an_error_of_one_line(grulearn, tiny, monkeypatch):
    def disagree(*_):
        raise DisagreementError("N2: the states of a and b differ")

    monkeypatch.setattr(sizes, "check_outputs", disagree)
    outcome = grulearn("bench", "--only", "sizes", *QUICK)
    assert outcome.code == 1
    assert outcome.error == "N2: the states of a and b differ"


class TestInstructionSet:
    """It is chosen when the core is loaded, so each in a process of its own."""

    def bench(self, *arguments):
        code = (
            "import sys\n"
            "from grulearn.cli.app import app\n"
            "import grulearn.cli.bench\n"
            "assert 'grulearn._core' not in sys.modules\n"
            f"try: app({['bench', *arguments]!r}, prog_name='grulearn')\n"
            "finally:\n"
            "    from grulearn import _core\n"
            "    print(_core.instruction_set())\n"
        )
        environment = {name: value for name, value in os.environ.items() if name != "GRULEARN_ISA"}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
        )

    @pytest.mark.parametrize("isa", _core.instruction_sets())
    def test_each(self, isa):
        # The error comes after the core was loaded and before anything is measured.
        done = self.bench("--isa", isa, "--only", "speed")
        assert done.stderr.startswith("grulearn: error: there is no section 'speed'")
        assert done.stdout == f"{isa}\n"

    def test_unknown(self):
        code = "from grulearn.cli.entry import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "bench", "--isa", "avx1024"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("grulearn: error: --isa: ")
        assert "avx1024" in done.stderr
        assert _core.instruction_sets()[0] in done.stderr
