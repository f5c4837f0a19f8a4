"""The two reset forms: what reset_after=False costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table, format_fraction, format_ratio
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, CaseWork, tasks, time_tasks

__all__ = ["GRID", "FormsResult", "measure", "tables"]

GRID = (Case(32, 100, 32, 64), Case(64, 100, 64, 128), Case(64, 100, 128, 256))
_AFTER, _BEFORE = "reset_after=True", "reset_after=False"

_TEXT = """reset_after=True scales the recurrent product by the reset gate; reset_after=False scales the
state before the product, which then has to wait for the gate. Both have the same arithmetic. "over": the
time with False over that with True."""


@dataclass(frozen=True)
class FormsResult:
    """The work by case and kind, with the two forms as participants."""

    cases: list[CaseWork]


def measure(context: Context) -> FormsResult:
    """Time both forms in the same rounds."""
    results = []
    for case in GRID:
        models = {
            name: (form, CoreModel(form, context.settings.threads))
            for name, form in ((_AFTER, case), (_BEFORE, replace(case, reset_after=False)))
        }
        results.append(CaseWork(case, time_tasks(context, f"forms: {case.label}", tasks(models))))
    return FormsResult(results)


def tables(results: FormsResult) -> list[Table]:
    """Put the result into a table."""
    header = ["case"]
    for title in ("inference", "training"):
        header += [f"{title}: True, of peak", "False, of peak", "over"]
    rows = []
    for result in results.cases:
        work, row = result.work, [result.case.label]
        for kind in KINDS:
            row += [format_fraction(work[kind].fraction(form)) for form in (_AFTER, _BEFORE)]
            row.append(format_ratio(work[kind].ratio(_BEFORE, to=_AFTER)))
        rows.append(tuple(row))
    return [Table("The two reset forms", _TEXT, tuple(header), rows)]
