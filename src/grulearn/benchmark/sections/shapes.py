"""Layers, both directions and ragged lengths, against the plain network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table, format_fraction, format_ratio
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, CaseWork, tasks, time_tasks

__all__ = ["GRID", "VARIANTS", "ShapesResult", "measure", "tables"]

# As many inputs as hidden units, so that every layer of a stack does the same work as the first.
GRID = (Case(32, 100, 64, 64), Case(64, 100, 128, 128))
_PLAIN = "plain"
VARIANTS: dict[str, dict[str, Any]] = {
    _PLAIN: {},
    "4 layers": {"num_layers": 4},
    "bidirectional": {"bidirectional": True},
    "ragged": {"ragged": True},
    "all three": {"num_layers": 4, "bidirectional": True, "ragged": True},
}

_TEXT = """Plain: one layer, one direction, all sequences T steps long. Ragged: lengths drawn uniformly
from 1 to T. Compared is the time for the same arithmetic: the time of each variant over its operations at
real steps, over the same quotient of the plain case. Without layers and directions that is the time per
real step; for a stack it is the time per step and layer, with what an upper layer does more (its inputs
have a gradient, and are twice as wide under two directions) counted as work."""


@dataclass(frozen=True)
class ShapesResult:
    """The work by case and kind, with the variants as participants."""

    cases: list[CaseWork]


def measure(context: Context) -> ShapesResult:
    """Time all variants in the same rounds."""
    results = []
    for case in GRID:
        variants = {name: replace(case, **options) for name, options in VARIANTS.items()}
        models = {
            name: (variant, CoreModel(variant, context.settings.threads))
            for name, variant in variants.items()
        }
        results.append(CaseWork(case, time_tasks(context, f"shapes: {case.label}", tasks(models))))
    return ShapesResult(results)


def tables(results: ShapesResult) -> list[Table]:
    """Put the result into a table."""
    header = ("case", "inference, of peak", "over plain", "training, of peak", "over plain")
    rows = []
    for result in results.cases:
        case, work = result.case, result.work
        for name in VARIANTS:
            cells = []
            for kind in KINDS:
                ratio = work[kind].ratio_per_flop(name, to=_PLAIN)
                cells += [format_fraction(work[kind].fraction(name)), format_ratio(ratio)]
            rows.append((f"{case.label} {name}", *cells))
    return [Table("Layers, directions, ragged lengths", _TEXT, header, rows)]
