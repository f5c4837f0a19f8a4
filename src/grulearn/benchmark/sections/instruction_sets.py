"""Each instruction set that the processor has, against its own peak."""

from __future__ import annotations

from dataclasses import dataclass

from grulearn import _core
from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, OURS, CaseWork, tasks, time_tasks

__all__ = ["GRID", "InstructionSetResult", "measure", "tables"]

GRID = (Case(32, 100, 32, 64), Case(64, 100, 64, 128), Case(64, 100, 128, 256))

_TEXT = """The same network with the kernels of each instruction set. The peak is that of the set:
multiply-adds with its own vectors, on the same threads in the same rounds."""


@dataclass(frozen=True)
class InstructionSetResult:
    """The work by case and kind, for each instruction set."""

    sets: dict[str, list[CaseWork]]


def measure(context: Context) -> InstructionSetResult:
    """Time every supported set."""
    sets: dict[str, list[CaseWork]] = {}
    for isa in _core.instruction_sets():
        sets[isa] = []
        for case in GRID:
            model = CoreModel(case, context.settings.threads, isa)
            label = f"instruction sets: {isa}, {case.label}"
            sets[isa].append(CaseWork(case, time_tasks(context, label, tasks({OURS: (case, model)}), isa)))
    return InstructionSetResult(sets)


def tables(results: InstructionSetResult) -> list[Table]:
    """Put the result into a table."""
    header = ("set and case", "peak in Gflop/s", "inference", "of peak", "training step", "of peak")
    rows = []
    for isa, cases in results.sets.items():
        for result in cases:
            work = result.work
            peak = work["inference"].peak.median
            cells = [cell for kind in KINDS for cell in work[kind].cells()]
            rows.append((f"{isa} {result.case.label}", f"{peak / 1e9:.0f}", *cells))
    return [Table("Instruction sets", _TEXT, header, rows)]
