"""Interleaved rounds: who is called when, and what is kept."""

from __future__ import annotations

import time

import pytest

from grulearn.benchmark import Settings, timing
from grulearn.benchmark.timing import Gauge, interleave, wait_until_quiet


@pytest.fixture
def calls(monkeypatch):
    """The names of the calls in their order; waiting takes no time."""
    monkeypatch.setattr(timing, "wait_until_quiet", lambda: log.append("wait"))
    log: list[str] = []
    return log


def test_everyone_has_a_turn_in_each_round_and_another_one_begins(calls):
    def call(name):
        return lambda: (calls.append(name), time.sleep(0.003))[0]  # longer than a quick turn: one timed call

    interleave({"a": call("a"), "b": call("b")}, Settings(n_jobs=1, quick=True), {"g": lambda: 1.0})
    warm = ["a", "a", "b", "b"]
    first, second = ["a", "a"], ["b", "b"]  # untimed, timed
    assert calls == warm + ["wait", *first, "wait", *second, "wait"] + [
        "wait",
        *second,
        "wait",
        "wait",
        *first,
    ]


def test_medians_are_of_rounds_and_short_calls_are_repeated(calls):
    rounds = interleave({"short": lambda: None}, Settings(n_jobs=1, rounds=3))
    measured = rounds.timings["short"]
    assert len(measured.rounds) == 3
    assert measured.median == sorted(measured.rounds)[1]
    assert measured.low <= measured.median <= measured.high
    assert measured.calls > 30


def test_gauges_are_kept_once_a_round(calls):
    values = iter([3.0, 1.0, 2.0])
    rounds = interleave({}, Settings(n_jobs=1, rounds=3), {"g": lambda: next(values)})
    assert rounds.gauges["g"] == Gauge(2.0, (3.0, 1.0, 2.0))


def test_rounds_are_announced(calls):
    announced = []
    interleave({"a": lambda: None}, Settings(n_jobs=1, rounds=2), on_round=announced.append)
    assert announced == [1, 2]


def test_waits_for_a_busy_thread(monkeypatch):
    """Two busy slices, then a quiet one."""
    used = iter([0.0, 0.01, 0.01, 0.02, 0.02, 0.02])
    slept = []
    monkeypatch.setattr(time, "process_time", lambda: next(used))
    monkeypatch.setattr(time, "perf_counter", lambda: 0.01 * len(slept))
    monkeypatch.setattr(time, "sleep", slept.append)
    wait_until_quiet()
    assert len(slept) == 3


def test_does_not_wait_for_ever(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(time, "process_time", lambda: clock["now"])
    monkeypatch.setattr(time, "perf_counter", lambda: clock["now"])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.update(now=clock["now"] + seconds))
    wait_until_quiet()
    assert 1.9 < clock["now"] < 2.1


class TestSettings:
    """Threads, rounds, and what quick shortens."""

    def test_quick_shortens(self):
        normal, quick = Settings(n_jobs=1), Settings(n_jobs=1, quick=True)
        assert (normal.n_rounds, quick.n_rounds) == (9, 2)
        assert Settings(n_jobs=1, rounds=1, quick=True).n_rounds == 1
        assert (normal.count(5000), quick.count(5000), quick.count(50)) == (5000, 50, 10)
        assert quick.turn_seconds < normal.turn_seconds

    def test_refuses_what_cannot_be_measured(self):
        with pytest.raises(ValueError, match="n_jobs is 0"):
            Settings(n_jobs=0)
        with pytest.raises(ValueError, match=r"n_jobs: this process may use \d+ cores?, and 200 threads"):
            Settings(n_jobs=200)
        with pytest.raises(ValueError, match="rounds: expected at least 1, got 0"):
            Settings(n_jobs=1, rounds=0)
