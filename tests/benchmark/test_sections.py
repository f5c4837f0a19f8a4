"""Every other section runs, and its table says what it measured."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grulearn import _core
from grulearn.benchmark import SECTIONS, DisagreementError, Settings
from grulearn.benchmark.cases import Case
from grulearn.benchmark.sections import (
    DEFAULT,
    Context,
    _training_memory,
    article,
    busy,
    forms,
    instruction_sets,
    length,
    load_section,
    memory,
    shapes,
    streaming,
    threads,
)
from grulearn.benchmark.sections._work import Work
from grulearn.benchmark.timing import Gauge, Timing

TINY = (Case(2, 5, 3, 4),)


def test_every_section_has_its_two_functions():
    assert set(DEFAULT) <= set(SECTIONS)
    for name in SECTIONS:
        section = load_section(name)
        assert callable(section.measure)
        assert callable(section.tables)


def test_article(monkeypatch, context):
    monkeypatch.setattr(article, "_EPOCHS", 20)
    measured = article.measure(context)
    assert list(measured.seconds) == ["grulearn"]
    (table,) = article.tables(measured)
    assert [row[0] for row in table.rows] == ["GRURegressor.fit"]
    assert "PyTorch" not in table.text


def test_article_beside_pytorch():
    measured = article.ArticleResult({"grulearn": [0.2, 0.1], "PyTorch": [6.0, 6.0]}, {"PyTorch": 500})
    (table,) = article.tables(measured)
    assert table.rows[1] == ("PyTorch", "6.00 s", "40x")
    assert "500 epochs scaled up to 10,000" in table.text


class TestStreaming:
    """Single steps."""

    @pytest.fixture
    def tiny(self, monkeypatch):
        monkeypatch.setattr(streaming, "GRID", TINY)
        monkeypatch.setattr(streaming, "_STEPS", 20_000)

    def test_latencies(self, tiny, context, fake_library):
        measured = streaming.measure(replace(context, libraries=(fake_library(),)))
        ours = measured.cases[0].latencies["grulearn"]
        assert ours.steps == 200
        values = list(ours.quantiles.values())
        assert values == sorted(values)
        assert measured.clock > 0
        (table,) = streaming.tables(measured)
        assert [row[0] for row in table.rows] == ["F3 H4 grulearn", "F3 H4 est.stream()", "F3 H4 Fake"]
        assert measured.cases[0].latencies["est.stream()"].steps == 200

    def test_in_place_steps_leave_nothing_behind(self):
        own = streaming.GrulearnLibrary(1).stream(TINY[0])
        allocation = streaming._allocation(own, 1000)
        assert (allocation.blocks, allocation.bytes) == (0, 0)

    def test_what_is_left_behind_is_seen(self, fake_library):
        kept = []
        own = fake_library().stream(TINY[0])
        leaky = replace(own, step=lambda x, h, out: kept.append(np.zeros(1000)))
        allocation = streaming._allocation(leaky, 100)
        assert allocation.blocks >= 100
        assert allocation.bytes > 100 * 8000

    def test_other_states_end_the_run(self, tiny, context, fake_library):
        with pytest.raises(DisagreementError, match="streaming N2 T5 F3 H4: the states of Fake"):
            streaming.measure(replace(context, libraries=(fake_library(output_error=1e-3),)))


def test_forms(monkeypatch, context):
    monkeypatch.setattr(forms, "GRID", TINY)
    (table,) = forms.tables(forms.measure(context))
    assert table.rows[0][0] == TINY[0].label
    assert len(table.rows[0]) == len(table.header) == 7


def test_instruction_sets(monkeypatch, context):
    monkeypatch.setattr(instruction_sets, "GRID", TINY)
    measured = instruction_sets.measure(context)
    assert list(measured.sets) == _core.instruction_sets()
    (table,) = instruction_sets.tables(measured)
    assert [row[0] for row in table.rows] == [f"{isa} {TINY[0].label}" for isa in measured.sets]


class TestThreads:
    """All threads against one."""

    def test_one_thread_has_nothing_to_compare(self, context):
        (table,) = threads.tables(threads.measure(context))
        assert table.rows == []
        assert "nothing to compare" in table.text

    def test_two(self, monkeypatch):
        monkeypatch.setattr(threads, "GRID", TINY)
        monkeypatch.setattr(_core, "available_cores", lambda: 2)
        measured = threads.measure(Context(Settings(n_jobs=2, quick=True)))
        (table,) = threads.tables(measured)
        assert table.header[1:4] == ("inference, 1 thread", "2 threads", "ratio")
        assert len(table.rows) == 1


def test_shapes(monkeypatch, context):
    monkeypatch.setattr(shapes, "GRID", (Case(3, 5, 4, 4),))
    measured = shapes.measure(context)
    work = measured.cases[0].work["inference"]
    assert work.flops["4 layers"] == 4 * work.flops["plain"]
    assert work.flops["bidirectional"] == 2 * work.flops["plain"]
    (table,) = shapes.tables(measured)
    assert table.rows[0][2] == table.rows[0][4] == "1.00x"
    assert [row[0].removeprefix("N3 T5 F4 H4 ") for row in table.rows] == list(shapes.VARIANTS)


def test_time_for_the_same_arithmetic():
    seconds = {
        name: Timing(value, value, value, (value,), 1, 1.0) for name, value in (("a", 1.0), ("b", 6.0))
    }
    work = Work(Gauge(100.0, (100.0,)), 1, {"a": 10, "b": 40}, seconds)
    assert work.ratio("b", to="a") == 6.0
    assert work.ratio_per_flop("b", to="a") == 1.5
    assert work.fraction("a") == 0.1


class TestLength:
    """Long sequences and denormal numbers."""

    def test_tables(self, monkeypatch, context):
        monkeypatch.setattr(length, "LENGTHS", (10, 40, 1_000_000))
        monkeypatch.setattr(length, "DENORMAL_CASE", Case(2, 50, 3, 4))
        by_length, denormals = length.tables(length.measure(context))
        assert [row[0] for row in by_length.rows] == ["10", "40"]  # quick leaves out the longest
        assert by_length.rows[0][2] == "1.00x"
        assert [row[0] for row in denormals.rows] == ["inference", "training step"]

    def test_data_decay_into_the_denormal_range(self):
        x = length.decaying(np.random.default_rng(0).standard_normal((3, 200, 4)).astype(np.float32))
        assert (x != 0).all()
        assert (np.abs(x[:, 40:]) < 1e-36).all()
        assert (np.abs(x) < np.finfo(np.float32).tiny).mean() > 0.8


def test_busy(monkeypatch, context):
    monkeypatch.setattr(busy, "CASE", TINY[0])
    measured = busy.measure(context)
    assert {(tail.kind, tail.company) for tail in measured.tails} == {
        (kind, company)
        for kind in ("inference", "training step")
        for company in ("alone", "beside a busy process")
    }
    for tail in measured.tails:
        assert tail.median <= tail.p99 <= tail.longest
    (table,) = busy.tables(measured)
    assert len(table.rows) == 4


class TestMemory:
    """The peak of a process of its own."""

    def test_growth_is_that_of_the_child(self, monkeypatch, context):
        """What this process holds does not show, and each kept step takes floats for each unit."""
        ballast = np.ones(50_000_000)  # 400 MB, more than the child ever has
        monkeypatch.setattr(memory, "_STEPS", 3_000_000)  # quick: a hundredth
        measured = memory.measure(context)
        assert measured.steps == 30_000
        kept, recomputed = (
            usage.growth / 4 / (measured.steps * measured.hidden) for usage in measured.usages
        )
        assert 1.0 < kept < 12.0
        assert recomputed < kept / 2
        assert ballast.size
        (table,) = memory.tables(measured)
        assert [row[0] for row in table.rows] == ["off", "1,000"]

    def test_peak_is_in_bytes(self):
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert 0.9 * resident < _training_memory.peak_bytes() < 100 * resident
