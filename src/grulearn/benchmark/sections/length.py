"""Long sequences: time per step by length, and data in the range of denormal numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.report import Table, format_count, format_ratio, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.sections._work import KINDS, CaseWork, Work, tasks, time_tasks

__all__ = ["DENORMAL_CASE", "LENGTHS", "LengthResult", "decaying", "measure", "tables"]

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
_QUICK_LENGTH = 10_000  # the longest with quick
DENORMAL_CASE = Case(8, 1000, 32, 64)
_NORMAL, _DECAYING = "normal", "decaying"

_LENGTH_TEXT = (
    """One sequence, F 32, H 64: the time over the number of steps. "over": against the shortest."""
)
_DENORMAL_TEXT = """A network without biases (all zero) reads data that decay within the first tenth of the
steps to 1e-38 and stay between there and 1e-42, where float32 numbers are denormal and many processors
need a hundred times as long for an operation; so do the states and many products. Its time is compared
with that of the same network on data that do not decay."""


@dataclass(frozen=True)
class LengthResult:
    """The work by length and kind; the work with denormal numbers by kind, normal ones as a participant."""

    lengths: list[CaseWork]
    denormals: dict[str, Work]


def measure(context: Context) -> LengthResult:
    """Time each length, then decaying data beside normal ones."""
    threads, quick = context.settings.threads, context.settings.quick
    lengths = []
    for steps in LENGTHS:
        if quick and steps > _QUICK_LENGTH:
            break
        case = Case(1, steps, 32, 64)
        by_kind = tasks({_NORMAL: (case, CoreModel(case, threads))})
        lengths.append(CaseWork(case, time_tasks(context, f"length: {format_count(steps)} steps", by_kind)))
    return LengthResult(lengths, _time_denormals(context))


def _time_denormals(context: Context) -> dict[str, Work]:
    case, threads = DENORMAL_CASE, context.settings.threads
    weights = {name: value * ("bias" not in name) for name, value in case.weights.items()}
    inputs = {_NORMAL: case.inputs, _DECAYING: decaying(case.inputs)}
    models = {name: (case, CoreModel(case, threads, inputs=x, weights=weights)) for name, x in inputs.items()}
    return time_tasks(context, "length: denormal numbers", tasks(models))


def decaying(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shrink sequences, shape (N, T, F), to 1e-38 over a tenth of their steps, then slowly to 1e-42.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.benchmark.sections.length import decaying
    >>> x = decaying(np.ones((1, 100, 1), np.float32))[0, :, 0]
    >>> bool(x[0] == 1.0), int(np.sum((x > 0) & (x < np.finfo(np.float32).tiny)))
    (True, 90)
    """
    steps = x.shape[1]
    fast = max(1, steps // 10)
    exponents = np.concatenate(
        [np.linspace(0, -38, fast, endpoint=False), np.linspace(-38, -42, steps - fast)]
    )
    return (x * 10.0 ** exponents[:, np.newaxis]).astype(np.float32)


def tables(results: LengthResult) -> list[Table]:
    """Put the results into two tables."""
    first = results.lengths[0]
    rows = []
    for result in results.lengths:
        row = [format_count(result.case.steps)]
        for kind in KINDS:
            per_step = _per_step(result, kind)
            row += [format_seconds(per_step), format_ratio(per_step / _per_step(first, kind))]
        rows.append(tuple(row))
    header = ("steps", "inference, a step", "over", "training, a step", "over")
    denormal_rows = [
        (
            {"inference": "inference", "training": "training step"}[kind],
            *(format_seconds(work.seconds[name].median) for name in (_NORMAL, _DECAYING)),
            format_ratio(work.ratio(_DECAYING, to=_NORMAL)),
        )
        for kind, work in results.denormals.items()
    ]
    return [
        Table("Time per step by length", _LENGTH_TEXT, header, rows),
        Table("Denormal numbers", _DENORMAL_TEXT, ("", "normal", "decaying", "over"), denormal_rows),
    ]


def _per_step(result: CaseWork, kind: str) -> float:
    return result.work[kind].seconds[_NORMAL].median / result.case.steps
