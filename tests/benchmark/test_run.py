"""The whole: heading, sections in order, JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from grulearn import __version__
from grulearn.benchmark import SECTIONS, Report, Settings, choose_sections, peers, run
from grulearn.benchmark.cases import Case
from grulearn.benchmark.machine import Machine
from grulearn.benchmark.peers import Missing
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary
from grulearn.benchmark.sections import forms, sizes

MACHINE = Machine("Ryzen 9", "AuthenticAMD", 4, "Linux 6", "3.12", "avx2", ("avx2", "baseline"), 2.5e11)


@pytest.fixture
def ran(monkeypatch, fake_library):
    """A report of two tiny sections, what was written, and what was said."""
    fake = fake_library()
    known = peers.Known("fake", "Fake", ("numpy",), "pip install fake", "tests:unused")
    absent = peers.Known("absent", "Absent", ("no_such_package",), "pip install absent", "")
    monkeypatch.setattr(peers, "KNOWN", (known, absent))
    monkeypatch.setattr(peers.Known, "open", lambda self, threads: fake)
    for section in (sizes, forms):
        monkeypatch.setattr(section, "GRID", (Case(2, 3, 4, 5),))
    written, said = [], []
    report = run(Settings(n_jobs=1, quick=True), ("sizes", "forms"), written.append, said.append)
    return report, written, said


def test_writes_heading_and_sections(ran):
    _, (heading, *sections), said = ran
    lines = heading.splitlines()
    assert lines[0] == "# grulearn bench"
    assert f"- grulearn {__version__}: " in heading
    assert "- Fake 1.2: fake kernels" in lines
    assert "- Absent: not installed (pip install absent); not compared" in lines
    assert [text.splitlines()[1] for text in sections] == [
        "## Inference and training step",
        "## The two reset forms",
    ]
    assert any(text.startswith("sizes: N2 T3 F4 H5, round 2 of 2") for text in said)


def test_json_holds_everything(ran):
    report, _, _ = ran
    stored = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert stored["format"] == 1
    assert set(stored) == {"format", "began", "machine", "settings", "libraries", "missing", "sections"}
    assert stored["settings"] == {"n_jobs": 1, "rounds": 9, "quick": True, "threads": 1}
    assert stored["libraries"]["fake"] == {"name": "Fake", "version": "1.2", "details": "fake kernels"}
    assert stored["missing"] == {"absent": "not installed (pip install absent)"}
    (case,) = stored["sections"]["sizes"]["cases"]
    assert (case["case"]["n"], case["case"]["hidden"]) == (2, 5)
    work = case["work"]["training"]
    assert work["flops"]["grulearn"] == Case(2, 3, 4, 5).training_flops()
    assert set(work["seconds"]["fake"]) == {"median", "low", "high", "rounds", "calls", "cores"}
    assert len(work["seconds"]["fake"]["rounds"]) == len(work["peak"]["rounds"]) == 2


def test_json_has_no_infinities(ran):
    report, _, _ = ran
    report.machine = replace(report.machine, peak=float("inf"))
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["machine"]["peak"] is None


class TestHeading:
    """What stands above the tables."""

    def report(self, details="kernels", **machine):
        library = GrulearnLibrary(1)
        library.details = details
        return Report(replace(MACHINE, **machine), Settings(n_jobs=1), (library,), ())

    def test_machine(self):
        heading = " ".join(self.report().heading().split())
        assert (
            "- Ryzen 9: 4 cores to use, 1 thread for every library, up to 250 Gflop/s in float32 "
            "multiply-adds (avx2); Linux 6, Python 3.12"
        ) in heading

    def test_mkl_on_amd_is_said(self):
        remark = "MKL keeps to AVX2"
        assert remark in self.report(details="matrix products by MKL 2024.2").heading()
        assert remark not in self.report().heading()
        assert remark not in self.report(details="MKL", vendor="GenuineIntel").heading()

    def test_missing_libraries_are_named(self):
        report = self.report()
        report.missing = (Missing("jax", "JAX", "not installed (pip install jax)"),)
        assert "- JAX: not installed (pip install jax); not compared" in report.heading()


def test_sections_are_chosen():
    assert choose_sections(["all"]) == tuple(SECTIONS)
    assert choose_sections(["busy", "sizes", "busy"]) == ("sizes", "busy")
    with pytest.raises(
        ValueError, match="there is no section 'speed'; expected all, or some of sizes, article"
    ):
        choose_sections(["sizes", "speed"])
