"""Peak memory of training on a very long sequence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from grulearn.benchmark.report import Table, format_count
from grulearn.benchmark.sections import Context

__all__ = ["MemoryResult", "Usage", "measure", "tables"]

_STEPS, _FEATURES, _HIDDEN = 100_000, 8, 128
_CHECKPOINT_STEPS = (0, 1000)  # 0: off

_TEXT = """A training step on one sequence of {steps} steps, F {features}, H {hidden}, in a process of its
own: by how much its peak of resident memory grows over what it is with data, network and threads in place.
With checkpoint_steps=K the gates of K steps are held at a time, and made again in the backward pass."""


@dataclass(frozen=True)
class Usage:
    """Growth of the peak in bytes, and the seconds of the second step; checkpoint_steps 0 is off."""

    checkpoint_steps: int
    growth: int
    seconds: float


@dataclass(frozen=True)
class MemoryResult:
    """Steps and hidden units, and what was used."""

    steps: int
    features: int
    hidden: int
    usages: list[Usage]


def measure(context: Context) -> MemoryResult:
    """Train in fresh processes."""
    steps = context.settings.count(_STEPS)
    usages = []
    for checkpoint_steps in _CHECKPOINT_STEPS:
        context.say(f"memory: checkpoint_steps={checkpoint_steps}")
        usages.append(_train_in_new_process(steps, checkpoint_steps, context.settings.threads))
    return MemoryResult(steps, _FEATURES, _HIDDEN, usages)


def _train_in_new_process(steps: int, checkpoint_steps: int, threads: int) -> Usage:
    """Run this file's companion; a peak of this process would show in its own measurement."""
    options = {
        "steps": steps,
        "features": _FEATURES,
        "hidden": _HIDDEN,
        "threads": threads,
        "checkpoint_steps": checkpoint_steps,
    }
    command = [sys.executable, "-m", "grulearn.benchmark.sections._training_memory", json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Usage(checkpoint_steps, **json.loads(done.stdout))


def tables(results: MemoryResult) -> list[Table]:
    """Put the result into a table."""
    rows = []
    plain = results.usages[0].seconds
    for usage in results.usages:
        floats = usage.growth / 4 / (results.steps * results.hidden)
        rows.append(
            (
                format_count(usage.checkpoint_steps) if usage.checkpoint_steps else "off",
                f"{usage.growth / 1e6:.1f} MB",
                f"{floats:.2f}",
                f"{usage.seconds / plain:.2f}x",
            )
        )
    text = _TEXT.format(steps=format_count(results.steps), features=results.features, hidden=results.hidden)
    header = ("checkpoint_steps", "peak grows by", "floats per step and unit", "time over off")
    return [Table("Memory of a training step", text, header, rows)]
