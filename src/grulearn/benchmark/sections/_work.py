"""Calls that do a known amount of arithmetic, timed together with the processor's peak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from grulearn.benchmark.cases import Case
from grulearn.benchmark.core_model import fma_peak
from grulearn.benchmark.report import format_fraction, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.timing import Gauge, Timing, interleave

__all__ = ["KINDS", "OURS", "CaseWork", "Task", "Work", "flops", "tasks", "time_tasks"]

KINDS = ("inference", "training")
OURS = "grulearn"
_PEAK = "peak"


@dataclass(frozen=True)
class Task:
    """A call, and the floating-point operations that it cannot avoid."""

    call: Callable[[], object]
    flops: int


class _Model(Protocol):
    def inference(self) -> object: ...

    @property
    def training_step(self) -> Callable[[], float] | None: ...


def flops(case: Case, kind: str) -> int:
    """Return the operations of "inference" or "training"."""
    return case.inference_flops() if kind == "inference" else case.training_flops()


def tasks(models: Mapping[str, tuple[Case, _Model]]) -> dict[str, dict[str, Task]]:
    """List what the models can do: tasks by kind, then by the model's name."""
    by_kind: dict[str, dict[str, Task]] = {kind: {} for kind in KINDS}
    for name, (case, model) in models.items():
        for kind, call in zip(KINDS, (model.inference, model.training_step), strict=True):
            if call is not None:
                by_kind[kind][name] = Task(call, flops(case, kind))
    return by_kind


@dataclass(frozen=True)
class Work:
    """One kind of work, as several participants did it in the same rounds.

    Parameters
    ----------
    peak : Gauge
        Operations a second of fused multiply-adds alone, in the same rounds.
    peak_threads : int
        The threads that ran them.
    flops : dict of str to int
        By participant: the operations that cannot be avoided.
    seconds : dict of str to Timing
        By participant.
    """

    peak: Gauge
    peak_threads: int
    flops: dict[str, int]
    seconds: dict[str, Timing]

    def fraction(self, participant: str = OURS) -> float:
        """Return the fraction of the peak."""
        return self.flops[participant] / self.seconds[participant].median / self.peak.median

    def ratio(self, participant: str, to: str = OURS) -> float:
        """Return the time of a participant over that of another."""
        return self.seconds[participant].median / self.seconds[to].median

    def ratio_per_flop(self, participant: str, to: str) -> float:
        """Return the time per operation of a participant over that of another."""
        return self.ratio(participant, to) / (self.flops[participant] / self.flops[to])

    def cells(self, participant: str = OURS) -> tuple[str, str]:
        """Write time and fraction of the peak."""
        return format_seconds(self.seconds[participant].median), format_fraction(self.fraction(participant))


@dataclass(frozen=True)
class CaseWork:
    """The work on a case, by kind."""

    case: Case
    work: dict[str, Work]


def time_tasks(
    context: Context,
    label: str,
    by_kind: Mapping[str, Mapping[str, Task]],
    isa: str = "",
    peak_threads: int | None = None,
) -> dict[str, Work]:
    """Time each kind of work by each participant, all in the same rounds.

    Parameters
    ----------
    context : Context
    label : str
        What to say is being measured.
    by_kind : mapping of str to mapping of str to Task
        By kind, then by participant.
    isa : str, default=""
        Instruction set of the peak; empty for the one in use.
    peak_threads : int, default=None
        Threads of the peak; None means the settings'.

    Returns
    -------
    dict of str to Work
        By kind.
    """
    settings = context.settings
    threads = settings.threads if peak_threads is None else peak_threads
    rounds = interleave(
        {f"{kind} {name}": task.call for kind, by_name in by_kind.items() for name, task in by_name.items()},
        settings,
        {_PEAK: lambda: fma_peak(threads, isa)},
        on_round=lambda i: context.say(f"{label}, round {i} of {settings.n_rounds}"),
    )
    return {
        kind: Work(
            peak=rounds.gauges[_PEAK],
            peak_threads=threads,
            flops={name: task.flops for name, task in by_name.items()},
            seconds={name: rounds.timings[f"{kind} {name}"] for name in by_name},
        )
        for kind, by_name in by_kind.items()
    }
