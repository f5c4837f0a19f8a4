"""One step of one sequence through the public call: median, tail, and what it allocates."""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from array import array
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.agreement import check_outputs
from grulearn.benchmark.cases import Case
from grulearn.benchmark.peers.grulearn_peer import EstimatorStreams, GrulearnLibrary
from grulearn.benchmark.peers.protocol import Stream, StreamingLibrary
from grulearn.benchmark.report import Table, format_count, format_ratio, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.timing import wait_until_quiet

__all__ = ["GRID", "Latency", "StreamingResult", "measure", "tables"]

# The steps give different inputs; they are taken round and round.
GRID = (Case(1, 64, 32, 32), Case(1, 64, 32, 64), Case(1, 64, 64, 128))
_STEPS, _PEER_STEPS = 1_000_000, 20_000
_ALLOCATION_STEPS = 10_000
_ROUNDS = 10
_QUANTILES = {"median": 50.0, "99 %": 99.0, "99.9 %": 99.9, "longest": 100.0}

_TEXT = """Each call is timed by itself: GRU.step(x, h, out=h) in grulearn, step(x) of a fitted regressor's
stream, session.run with T = 1 in ONNX Runtime, a call of nn.GRU with T = 1 under inference_mode in PyTorch.
The stream alone scales the features, has a linear layer, and scales the prediction back. Reading the clock
takes {clock}, which is part of every time here. With out=, {steps} steps of GRU.step left {blocks} more
memory blocks allocated than there were before, and {bytes} more bytes; in between at most {peak} bytes were
taken for a moment (Python's own objects, such as the tuple of a shape)."""


@dataclass(frozen=True)
class Latency:
    """Quantiles of the seconds of single steps.

    Parameters
    ----------
    steps : int
    quantiles : dict of str to float
        The median, the 99th and 99.9th percentile, the longest.
    rounds : tuple of float
        The median of each round.
    """

    steps: int
    quantiles: dict[str, float]
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class CaseLatencies:
    """A case, and the latencies by library."""

    case: Case
    latencies: dict[str, Latency]


@dataclass(frozen=True)
class Allocation:
    """Growth over a run of steps with ``out=``, and the most there was in between."""

    steps: int
    blocks: int
    bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class StreamingResult:
    """The clock's own cost in seconds, what was allocated, and the latencies by case."""

    clock: float
    allocation: Allocation
    cases: list[CaseLatencies]


def measure(context: Context) -> StreamingResult:
    """Measure all sizes."""
    context.say("streaming: the clock, and what a step allocates")
    library = GrulearnLibrary(context.settings.threads)
    allocation = _allocation(library.stream(GRID[0]), context.settings.count(_ALLOCATION_STEPS))
    cases = [CaseLatencies(case, _measure_case(context, case)) for case in GRID]
    return StreamingResult(_clock_cost(), allocation, cases)


def _measure_case(context: Context, case: Case) -> dict[str, Latency]:
    settings = context.settings
    own = (GrulearnLibrary(settings.threads), EstimatorStreams(settings.threads))
    own_labels = (GrulearnLibrary.label, EstimatorStreams.label)
    libraries: tuple[StreamingLibrary, ...] = (*own, *context.libraries)
    opened = {library.label: library.stream(case) for library in libraries}
    streams = {label: stream for label, stream in opened.items() if stream is not None}
    check_outputs(f"streaming {case.label}", {name: _last_state(stream) for name, stream in streams.items()})
    times: dict[str, list[NDArray[np.int64]]] = {label: [] for label in streams}
    for i in range(_ROUNDS):
        context.say(f"streaming: F{case.features} H{case.hidden}, round {i + 1} of {_ROUNDS}")
        for label, stream in streams.items():
            steps = settings.count(_STEPS if label in own_labels else _PEER_STEPS) // _ROUNDS
            wait_until_quiet()
            times[label].append(_times(stream, max(steps, 10)))
    return {label: _latency(rounds) for label, rounds in times.items()}


def _times(stream: Stream, steps: int) -> NDArray[np.int64]:
    """Time each of `steps` steps; nanoseconds."""
    times = np.zeros(steps, np.int64)
    clock, step, h = time.perf_counter_ns, stream.step, _copy(stream.state)
    for x in stream.inputs:  # untimed
        h = step(x, h, h)
    for i, x in enumerate(islice(cycle(stream.inputs), steps)):
        begin = clock()
        h = step(x, h, h)
        times[i] = clock() - begin
    return times


def _last_state(stream: Stream) -> NDArray[np.float32]:
    h = _copy(stream.state)
    for x in stream.inputs:
        h = stream.step(x, h, h)
    return stream.as_array(h)


def _copy(state: Any) -> Any:
    return state.clone() if hasattr(state, "clone") else state.copy()


def _latency(rounds: list[NDArray[np.int64]]) -> Latency:
    seconds = np.concatenate(rounds) / 1e9
    values = np.percentile(seconds, list(_QUANTILES.values()))
    return Latency(
        seconds.size,
        dict(zip(_QUANTILES, values.tolist(), strict=True)),
        tuple(float(np.median(times)) / 1e9 for times in rounds),
    )


def _clock_cost() -> float:
    clock = time.perf_counter_ns
    costs = []
    for _ in range(10_000):
        begin = clock()
        costs.append(clock() - begin)
    return statistics.median(costs) / 1e9


def _allocation(stream: Stream, steps: int) -> Allocation:
    h = stream.state
    inputs = list(islice(cycle(stream.inputs), steps))
    counts = array("q", [0, 0])  # not a list, whose numbers would be counted too

    def run() -> None:
        for x in inputs:
            stream.step(x, h, h)

    run()
    counts[0] = sys.getallocatedblocks()
    run()
    counts[1] = sys.getallocatedblocks()
    tracemalloc.start()
    try:
        run()
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        run()
        end, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Allocation(steps, counts[1] - counts[0], end - start, peak - start)


def tables(results: StreamingResult) -> list[Table]:
    """Put the result into a table."""
    allocation = results.allocation
    text = _TEXT.format(
        clock=format_seconds(results.clock),
        steps=format_count(allocation.steps),
        blocks=allocation.blocks,
        bytes=allocation.bytes,
        peak=format_count(allocation.peak_bytes),
    )
    rows = []
    for result in results.cases:
        case, latencies = result.case, result.latencies
        ours = next(iter(latencies.values())).quantiles["median"]
        for label, latency in latencies.items():
            rows.append(
                (
                    f"F{case.features} H{case.hidden} {label}",
                    *(format_seconds(value) for value in latency.quantiles.values()),
                    format_count(latency.steps),
                    format_ratio(latency.quantiles["median"] / ours),
                )
            )
    return [Table("One streaming step", text, ("", *_QUANTILES, "steps", "over grulearn's"), rows)]
