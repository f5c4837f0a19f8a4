"""The grid: inference and training step beside the other libraries."""

from __future__ import annotations

from dataclasses import dataclass

from grulearn.benchmark.agreement import check_losses, check_outputs
from grulearn.benchmark.cases import Case
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary
from grulearn.benchmark.report import Table, format_ratio
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, CaseWork, tasks, time_tasks

__all__ = ["GRID", "SizesResult", "measure", "tables"]

GRID = (
    Case(1, 100, 32, 64),
    Case(32, 50, 16, 32),
    Case(256, 24, 8, 16),
    Case(32, 100, 32, 64),
    Case(64, 100, 64, 128),
    Case(64, 100, 128, 256),
    Case(128, 50, 128, 512),
    Case(506, 1, 13, 32),
)

# The first loss compares the forward pass, the second one gradient, clipping and AdamW.
_CHECKED_STEPS = 2

_TEXT = """Inference: all states of whole sequences. Training step: forward, mean squared error of a linear
layer on the last state, backward for all weights, clipping of the gradient's norm, AdamW. "of peak": the
arithmetic that cannot be avoided (products with the weights; those with a state of zeros left out, and
head and optimiser too) in a second, over what fused multiply-adds alone reach on the same threads in the
same rounds. One sequence and fewer than {serial} hidden units give work to one thread only; the peak is
then that of one, marked (1). Under each library's name: its time over grulearn's."""

# Below this many hidden units a step of one sequence is over sooner than threads can share it.
_SERIAL_BELOW = 48
# A library that has more cores to itself than the others is not compared fairly. The system's count of
# processor time moves in steps of milliseconds, which blurs short measurements.
_TOLERATED_CORES, _CORES_FROM_SECONDS = 1.1, 0.1


@dataclass(frozen=True)
class SizesResult:
    """Threads, the names of the libraries compared with by key, and all cases."""

    threads: int
    libraries: dict[str, str]
    cases: list[CaseWork]


def measure(context: Context) -> SizesResult:
    """Measure all cases of the grid; what does not agree raises an error."""
    results = [_measure_case(context, case) for case in GRID]
    names = {library.key: library.label for library in context.libraries}
    return SizesResult(context.settings.threads, names, results)


def _measure_case(context: Context, case: Case) -> CaseWork:
    label = f"sizes: {case.label}"
    context.say(f"{label}, compiling and comparing results")
    libraries = (GrulearnLibrary(context.settings.threads), *context.libraries)
    models = {library.key: library.model(case) for library in libraries}
    check_outputs(case.label, {key: model.outputs() for key, model in models.items()})
    losses: dict[str, tuple[float, ...]] = {}
    for key, model in models.items():
        step = model.training_step
        if step is not None:
            losses[key] = tuple(step() for _ in range(_CHECKED_STEPS))
    check_losses(case.label, losses)
    by_kind = tasks({key: (case, model) for key, model in models.items()})
    serial = case.n == 1 and case.hidden < _SERIAL_BELOW
    return CaseWork(case, time_tasks(context, label, by_kind, peak_threads=1 if serial else None))


def tables(results: SizesResult) -> list[Table]:
    """Put the results into the table of the README."""
    compared = {
        kind: [key for key in results.libraries if key in results.cases[0].work[kind].seconds]
        for kind in KINDS
    }
    header = ["case"]
    for kind, title in zip(KINDS, ("inference", "training step"), strict=True):
        header += [title, "of peak", *(results.libraries[key] for key in compared[kind])]
    rows = []
    for result in results.cases:
        row = [result.case.label]
        for kind in KINDS:
            work = result.work[kind]
            mark = " (1)" if work.peak_threads < results.threads else ""
            time, fraction = work.cells()
            row += [time, fraction + mark, *(format_ratio(work.ratio(key)) for key in compared[kind])]
        rows.append(tuple(row))
    text = " ".join([_TEXT.format(serial=_SERIAL_BELOW), *_unfair(results)])
    return [Table("Inference and training step", text, tuple(header), rows)]


def _unfair(results: SizesResult) -> list[str]:
    """Name the libraries that kept more cores busy than they were given threads."""
    most: dict[str, float] = {}
    for result in results.cases:
        for work in result.work.values():
            for key, timing in work.seconds.items():
                if timing.calls * timing.median > _CORES_FROM_SECONDS:
                    most[key] = max(most.get(key, 0.0), timing.cores)
    return [
        f"{results.libraries.get(key, key)} was given {results.threads} threads and kept up to "
        f"{cores:.1f} cores busy."
        for key, cores in most.items()
        if cores > _TOLERATED_CORES * results.threads
    ]
