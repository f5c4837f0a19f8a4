"""All threads against one, where there is little to divide."""

from __future__ import annotations

from dataclasses import dataclass

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table, format_ratio, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, CaseWork, tasks, time_tasks

__all__ = ["GRID", "ThreadsResult", "measure", "tables"]

# Small batches of large networks; and one long sequence, whose weight gradients are the part to divide.
GRID = (
    *(Case(n, 100, hidden // 2, hidden) for hidden in (256, 512) for n in (1, 4, 8)),
    Case(1, 1000, 64, 128),
)
_ONE, _ALL = "one thread", "all threads"

_TEXT = """The time with one thread over that with {threads}, which gives the same bits. N is the number of
sequences."""
_ALONE = "Not measured: with one thread there is nothing to compare."


@dataclass(frozen=True)
class ThreadsResult:
    """Threads, and the work by case and kind with one thread and all of them as participants."""

    threads: int
    cases: list[CaseWork]


def measure(context: Context) -> ThreadsResult:
    """Time one thread and all of them in the same rounds."""
    threads = context.settings.threads
    results = []
    for case in GRID if threads > 1 else ():
        models = {_ONE: (case, CoreModel(case, 1)), _ALL: (case, CoreModel(case, threads))}
        results.append(CaseWork(case, time_tasks(context, f"threads: {case.label}", tasks(models))))
    return ThreadsResult(threads, results)


def tables(results: ThreadsResult) -> list[Table]:
    """Put the result into a table."""
    header = ["case"]
    for title in ("inference", "training step"):
        header += [f"{title}, 1 thread", f"{results.threads} threads", "ratio"]
    rows = []
    for result in results.cases:
        work, row = result.work, [result.case.label]
        for kind in KINDS:
            row += [format_seconds(work[kind].seconds[name].median) for name in (_ONE, _ALL)]
            row.append(format_ratio(work[kind].ratio(_ONE, to=_ALL)))
        rows.append(tuple(row))
    text = _TEXT.format(threads=results.threads) if rows else _ALONE
    return [Table("Threads", text, tuple(header), rows)]
