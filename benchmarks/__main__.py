"""Side by side with PyTorch, in one process: `python benchmarks [--rounds N]`. Prints Markdown tables.

Every case is timed in interleaved rounds, both libraries warm, with the same number of threads and the same
work: inference is the forward pass over whole sequences; a training step is forward, mean squared error on a
linear layer over the last state, backward for all weights, and Adam. The figures are medians. Input on both
sides is a ready float32 array; nothing is loaded or converted in the timed part. Before each turn there is a
pause and an untimed call: PyTorch's OpenMP threads go on polling for a while after a call, and would take a
core from whoever comes next.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from grulearn import GRURegressor, _core
from grulearn.datasets import load_boston_housing


class Size(NamedTuple):
    """Sequences, steps, features, hidden units."""

    n: int
    steps: int
    features: int
    hidden: int

    def __str__(self) -> str:
        return f"N{self.n} T{self.steps} F{self.features} H{self.hidden}"


PAUSE = 0.05  # seconds
CALLS_A_TURN = 5

SIZES = [
    Size(1, 100, 32, 64),
    Size(32, 50, 16, 32),
    Size(32, 100, 32, 64),
    Size(64, 100, 64, 128),
    Size(64, 100, 128, 256),
    Size(128, 50, 128, 512),
    Size(256, 24, 8, 16),
    Size(506, 1, 13, 32),
]


class TorchModel(torch.nn.Module):
    """torch.nn.GRU and a linear layer on the last state."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(size.features, size.hidden, batch_first=True)
        self.head = torch.nn.Linear(size.hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(x)[0][:, -1])


def cases(size: Size, n_jobs: int) -> dict[str, Callable[[], object]]:
    """Return the four timed calls of a size."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((size.n, size.steps, size.features)).astype(np.float32)
    y = rng.standard_normal((size.n, 1)).astype(np.float32)
    model = TorchModel(size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tensor, target = torch.from_numpy(x), torch.from_numpy(y)

    def torch_inference() -> None:
        with torch.inference_mode():
            model(tensor)

    def torch_step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(tensor), target).backward()
        optimizer.step()

    network = _core.Network(size.features, size.hidden, output_size=1)
    network.set_parameters(torch.cat([p.detach().reshape(-1) for p in model.parameters()]).numpy())
    data = x.reshape(-1, size.features), np.arange(size.n) * size.steps, np.full(size.n, size.steps)
    trainer = _core.Trainer(network, *data, y, batch_size=size.n, n_jobs=n_jobs)
    return {
        "inference": lambda: network.predict(*data, n_jobs),
        "torch inference": torch_inference,
        "step": lambda: trainer.run_epoch(None, 1e-3),
        "torch step": torch_step,
    }


def medians(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each call a few times a round, in turn; return the medians in seconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE)
            call()
            for _ in range(CALLS_A_TURN):
                begin = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def article_run() -> float:
    """Train as the article does, through the estimator; return the seconds of the 10,000 epochs."""
    X, y = load_boston_housing(return_X_y=True)
    model = GRURegressor(
        32, standardize="inputs", init="pytorch", learning_rate_init=1e-3, batch_size=len(X),
        max_iter=10_000, early_stopping=False, clip_norm=None, random_state=0,
    )  # fmt: skip
    begin = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - begin


def torch_article_run(epochs: int) -> float:
    """Return the seconds that PyTorch takes for the article's 10,000 epochs, from `epochs` of them."""
    X, y = load_boston_housing(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = TorchModel(Size(*X.shape[:1], 1, X.shape[1], 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tensor = torch.tensor(X[:, np.newaxis], dtype=torch.float32)
    target = torch.tensor(y[:, np.newaxis], dtype=torch.float32)
    begin = time.perf_counter()
    for _ in range(epochs):
        loss = torch.nn.functional.mse_loss(model(tensor), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - begin) / epochs * 10_000


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds of each case")
    options = parser.parse_args(arguments)
    n_jobs = _core.available_cores()
    torch.set_num_threads(n_jobs)
    print(f"{processor()}, {n_jobs} threads, {_core.instruction_set()}; PyTorch {torch.__version__}\n")
    print("| case | inference | PyTorch | ratio | training step | PyTorch | ratio |")
    print("|---|---|---|---|---|---|---|")
    for size in SIZES:
        t = medians(cases(size, n_jobs), options.rounds)
        columns = []
        for kind in ("inference", "step"):
            own, other = t[kind] * 1e3, t[f"torch {kind}"] * 1e3
            columns += [f"{own:.3g} ms", f"{other:.3g} ms", f"{other / own:.1f}x"]
        print(f"| {size} | " + " | ".join(columns) + " |", flush=True)
    own_runs, other_runs = [], []
    for _ in range(5):
        time.sleep(PAUSE)
        own_runs.append(article_run())
        other_runs.append(torch_article_run(500))
    own, other = statistics.median(own_runs), statistics.median(other_runs)
    print(
        "\nThe article's training (10,000 full-batch epochs of 506 rows) through GRURegressor.fit: "
        f"{own:.2f} s; PyTorch {other:.2f} s; {other / own:.1f}x"
    )


if __name__ == "__main__":
    main()
