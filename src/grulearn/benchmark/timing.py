"""Interleaved rounds: everyone is timed under the same conditions, one after the other, many times over."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grulearn.benchmark.settings import Settings

__all__ = ["Gauge", "Rounds", "Timing", "interleave", "wait_until_quiet"]

_MAX_CALLS_A_TURN = 1000
# PyTorch's threads were seen polling for 7 ms after a call and ONNX Runtime's for 45 ms: they would take a
# core from whoever comes next. How long depends on the machine, so it is watched, not assumed.
_QUIET_SECONDS = 0.01
_QUIET_SHARE = 0.1
_WAIT_AT_MOST = 2.0


@dataclass(frozen=True)
class Timing:
    """How long a call took.

    Parameters
    ----------
    median : float
        Seconds: the median of `rounds`.
    low, high : float
        The 10th and the 90th percentile of all calls, in seconds.
    rounds : tuple of float
        The median of each round's calls, in seconds.
    calls : int
        Calls that were timed.
    cores : float
        Processor time over elapsed time in the timed calls: how many cores the process kept busy.
    """

    median: float
    low: float
    high: float
    rounds: tuple[float, ...]
    calls: int
    cores: float


@dataclass(frozen=True)
class Gauge:
    """What a measuring function returned, once a round.

    Parameters
    ----------
    median : float
    rounds : tuple of float
    """

    median: float
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Gauge:
        """Summarise the values of all rounds."""
        return cls(statistics.median(rounds), tuple(rounds))


@dataclass(frozen=True)
class Rounds:
    """What `interleave` measured: a `Timing` for each call, a `Gauge` for each measuring function."""

    timings: dict[str, Timing]
    gauges: dict[str, Gauge]


class _Turns:
    """One participant: its call, and what was measured of it."""

    def __init__(self, call: Callable[[], object], turn_seconds: float) -> None:
        self._call = call
        self._turn_seconds = turn_seconds
        self._seconds: list[list[float]] = []
        self._elapsed = self._processor = 0.0

    def take(self) -> None:
        # The first call after a pause finds sleeping threads and cold caches; it also tells how many fit.
        begin = time.perf_counter()
        self._call()
        expected = time.perf_counter() - begin
        calls = max(1, min(_MAX_CALLS_A_TURN, int(self._turn_seconds / max(expected, 1e-9))))
        seconds = []
        processor = time.process_time()
        start = before = time.perf_counter()
        for _ in range(calls):
            self._call()
            now = time.perf_counter()
            seconds.append(now - before)
            before = now
        self._processor += time.process_time() - processor
        self._elapsed += before - start
        self._seconds.append(seconds)

    def timing(self) -> Timing:
        rounds = tuple(statistics.median(seconds) for seconds in self._seconds)
        everything = np.concatenate([np.asarray(seconds) for seconds in self._seconds])
        low, high = np.percentile(everything, [10, 90])
        return Timing(
            median=statistics.median(rounds),
            low=float(low),
            high=float(high),
            rounds=rounds,
            calls=everything.size,
            cores=self._processor / self._elapsed,
        )


def interleave(
    calls: Mapping[str, Callable[[], object]],
    settings: Settings,
    gauges: Mapping[str, Callable[[], float]] | None = None,
    on_round: Callable[[int], None] = lambda _: None,
) -> Rounds:
    """Time calls in turns.

    Each call runs twice before anything is timed, for compilers and caches. In each round everyone has a
    turn: a wait until no thread of this process is busy any more, an untimed call, then timed ones. Each
    round begins with another participant.

    Parameters
    ----------
    calls : mapping of str to callable
        What to time.
    settings : Settings
        Rounds, and how long a turn is.
    gauges : mapping of str to callable, default=None
        Functions whose returned number is kept, once a round; they take turns with the calls.
    on_round : callable
        Is told the number of each round, from 1, as it begins.

    Returns
    -------
    Rounds

    Examples
    --------
    >>> from grulearn.benchmark import Settings
    >>> rounds = interleave({"sum": lambda: sum(range(1000))}, Settings(n_jobs=1, quick=True))
    >>> 0 < rounds.timings["sum"].low <= rounds.timings["sum"].high
    True
    """
    turns = {name: _Turns(call, settings.turn_seconds) for name, call in calls.items()}
    values: dict[str, list[float]] = {name: [] for name in gauges or {}}
    for call in calls.values():
        call()
        call()
    order = [*turns, *values]
    for i in range(settings.n_rounds):
        on_round(i + 1)
        first = i % len(order)
        for name in order[first:] + order[:first]:
            wait_until_quiet()
            if name in turns:
                turns[name].take()
            else:
                values[name].append((gauges or {})[name]())
    return Rounds(
        {name: turn.timing() for name, turn in turns.items()},
        {name: Gauge.of(list_of_values) for name, list_of_values in values.items()},
    )


def wait_until_quiet() -> None:
    """Sleep until the threads of this process do, at most two seconds."""
    give_up = time.perf_counter() + _WAIT_AT_MOST
    while time.perf_counter() < give_up:
        begin, processor = time.perf_counter(), time.process_time()
        time.sleep(_QUIET_SECONDS)
        if time.process_time() - processor < _QUIET_SHARE * (time.perf_counter() - begin):
            return
