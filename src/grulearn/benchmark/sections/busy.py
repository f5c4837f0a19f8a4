"""The tail of the times while another process takes a core."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table, format_count, format_ratio, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.timing import wait_until_quiet

__all__ = ["CASE", "BusyResult", "Tail", "measure", "tables"]

CASE = Case(32, 100, 32, 64)
_CALLS = 2000
_ROUNDS = 4

_TEXT = """{case} with {threads} threads, {calls} calls of each, alone and beside one process that does
nothing but count, on a core that the system chooses. A thread pool that waits by spinning alone has a tail
of milliseconds here."""


@dataclass(frozen=True)
class Tail:
    """Quantiles of the seconds of a kind of call, alone or in company."""

    kind: str
    company: str
    calls: int
    median: float
    p99: float
    longest: float


@dataclass(frozen=True)
class BusyResult:
    """Threads and tails."""

    threads: int
    tails: list[Tail]


def measure(context: Context) -> BusyResult:
    """Time calls one by one, alone and in company in turns."""
    settings = context.settings
    model = CoreModel(CASE, settings.threads)
    calls = {"inference": model.inference, "training step": model.training_step}
    companies: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "alone": nullcontext,
        "beside a busy process": _busy_process,
    }
    seconds: dict[tuple[str, str], list[float]] = {(kind, name): [] for kind in calls for name in companies}
    for i in range(_ROUNDS):
        for company, open_company in companies.items():
            context.say(f"busy: {company}, round {i + 1} of {_ROUNDS}")
            with open_company():
                for kind, call in calls.items():
                    wait_until_quiet()
                    seconds[kind, company] += _times(call, settings.count(_CALLS) // _ROUNDS)
    return BusyResult(settings.threads, [_tail(*key, values) for key, values in seconds.items()])


def _times(call: Callable[[], object], calls: int) -> list[float]:
    call()
    seconds = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return seconds


def _tail(kind: str, company: str, seconds: list[float]) -> Tail:
    median, p99 = np.percentile(seconds, [50, 99])
    return Tail(kind, company, len(seconds), float(median), float(p99), max(seconds))


@contextmanager
def _busy_process() -> Iterator[None]:
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it is running now
            yield
        finally:
            process.kill()


def tables(results: BusyResult) -> list[Table]:
    """Put the result into a table."""
    rows = [
        (
            f"{tail.kind}, {tail.company}",
            format_seconds(tail.median),
            format_seconds(tail.p99),
            format_ratio(tail.p99 / tail.median),
            format_seconds(tail.longest),
        )
        for tail in results.tails
    ]
    text = _TEXT.format(case=CASE.label, threads=results.threads, calls=format_count(results.tails[0].calls))
    header = ("", "median", "99 %", "99 % over median", "longest")
    return [Table("On a busy machine", text, header, rows)]
