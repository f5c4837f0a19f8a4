"""The article's training: 10,000 full-batch epochs on Boston housing."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from grulearn.benchmark.agreement import check_losses
from grulearn.benchmark.cases import LEARNING_RATE, Case
from grulearn.benchmark.report import Table, format_ratio, format_seconds
from grulearn.benchmark.sections import Context
from grulearn.benchmark.timing import wait_until_quiet

__all__ = ["ArticleResult", "measure", "tables"]

_EPOCHS, _HIDDEN = 10_000, 32
_PEER_EPOCHS = 500
_ROUNDS = 5
_COMPARED_EPOCHS = 10  # whose losses must agree

_TEXT = """506 rows as sequences of one step, 13 features, 32 hidden units, Adam, no clipping.
GRURegressor.fit from call to return, with its checks, scaling and loop in Python. {others}Medians of
{rounds} interleaved runs."""
_PYTORCH = """PyTorch: the training loop alone on scaled tensors, {epochs} epochs scaled up to 10,000, from
the same initial weights. """


@dataclass(frozen=True)
class ArticleResult:
    """Seconds for 10,000 epochs in each round, by label; and the epochs that were really run."""

    seconds: dict[str, list[float]]
    epochs: dict[str, int]


def measure(context: Context) -> ArticleResult:
    """Fit, and train in PyTorch if it is there, in turns."""
    from grulearn.datasets import load_boston_housing

    settings = context.settings
    X, y = load_boston_housing(return_X_y=True)
    scaled = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)[:, np.newaxis]
    targets = y.astype(np.float32)[:, np.newaxis]
    weights = Case(len(X), 1, X.shape[1], _HIDDEN).weights
    epochs = {"grulearn": _EPOCHS}
    has_torch = any(library.key == "torch" for library in context.libraries)
    if has_torch:
        epochs["PyTorch"] = settings.count(_PEER_EPOCHS)
    seconds: dict[str, list[float]] = {label: [] for label in epochs}
    rounds = min(_ROUNDS, settings.n_rounds)
    for i in range(rounds):
        context.say(f"article: round {i + 1} of {rounds}")
        losses = {}
        for label, n in epochs.items():
            wait_until_quiet()
            begin = time.perf_counter()
            if label == "grulearn":
                losses[label] = _fit(X, y, weights, n, settings.threads)
            else:
                from grulearn.benchmark.peers.torch_peer import train_full_batches

                losses[label] = train_full_batches(scaled, targets, weights, n)
            seconds[label].append((time.perf_counter() - begin) * _EPOCHS / n)
        check_losses("article", {label: tuple(given[:_COMPARED_EPOCHS]) for label, given in losses.items()})
    return ArticleResult(seconds, epochs)


def _fit(
    X: np.ndarray, y: np.ndarray, weights: dict[str, np.ndarray], epochs: int, threads: int
) -> list[float]:
    from grulearn.estimators import GRURegressor

    model = GRURegressor(
        _HIDDEN,
        standardize="inputs",
        learning_rate_init=LEARNING_RATE,
        batch_size=len(X),
        max_iter=epochs,
        early_stopping=False,
        clip_norm=None,
        n_jobs=threads,
    )
    losses: list[float] = model.fit(X, y, initial_weights=weights).loss_curve_
    return losses


def tables(results: ArticleResult) -> list[Table]:
    """Put the result into a table."""
    medians = {label: statistics.median(seconds) for label, seconds in results.seconds.items()}
    rows = [
        (
            "GRURegressor.fit" if label == "grulearn" else label,
            format_seconds(seconds),
            "" if label == "grulearn" else format_ratio(seconds / medians["grulearn"]),
        )
        for label, seconds in medians.items()
    ]
    others = _PYTORCH.format(epochs=results.epochs["PyTorch"]) if "PyTorch" in results.epochs else ""
    text = _TEXT.format(others=others, rounds=len(results.seconds["grulearn"]))
    return [Table("The article's training: 10,000 epochs", text, ("", "time", "over grulearn's"), rows)]
