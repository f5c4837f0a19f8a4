"""The process of its own that the memory section starts: trains once, prints by how much its peak grew."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from grulearn import _core
from grulearn.benchmark.cases import LEARNING_RATE

__all__: list[str] = []

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the most resident memory that this process has had so far.

    Linux hands getrusage's ru_maxrss on to a child that was started from a larger process, so VmHWM, which
    begins anew with every program, is read where there is one.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def train(steps: int, features: int, hidden: int, threads: int, checkpoint_steps: int) -> dict[str, float]:
    """Train two steps on one random sequence; return the growth of the peak, and the second one's seconds."""
    rng = np.random.default_rng(0)
    network = _core.Network(features, hidden, output_size=1)
    scale = 1 / np.sqrt(hidden)
    network.set_parameters(rng.uniform(-scale, scale, network.n_parameters).astype(np.float32))
    rows = rng.standard_normal((steps, features), dtype=np.float32)
    targets = np.ones((1, 1), np.float32)

    def trainer_of(length: int) -> _core.Trainer:
        starts, lengths = np.zeros(1, np.int64), np.array([length])
        return _core.Trainer(
            network,
            rows,
            starts,
            lengths,
            targets,
            batch_size=1,
            n_jobs=threads,
            checkpoint_steps=checkpoint_steps,
        )

    trainer_of(2).run_epoch(None, LEARNING_RATE)  # starts the threads
    before = peak_bytes()
    trainer = trainer_of(steps)
    trainer.run_epoch(None, LEARNING_RATE)
    begin = time.perf_counter()
    trainer.run_epoch(None, LEARNING_RATE)
    return {"growth": peak_bytes() - before, "seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
