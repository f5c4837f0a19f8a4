"""How well the estimators learn with nothing set: metric and seconds on real and made data, beside a target.

    python benchmarks/quality.py                          # the table, on the test parts
    python benchmarks/quality.py --development            # the same on a fifth of each training part
    python benchmarks/quality.py --only boston --set learning_rate=cosine --development
    python benchmarks/quality.py --archive FOLDER         # with the archive's two data sets, NAME_TRAIN.ts.gz

Defaults are chosen with ``--development``: the test parts are for reporting what came of it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, train_test_split

from grulearn import GRUClassifier, GRURegressor
from grulearn.datasets import load_boston_housing, load_california_housing, load_japanese_vowels

_DEVELOPMENT_SHARE = 0.2  # of a training part, judged instead of the test part


class Parts(NamedTuple):
    """One training part and what is predicted after it.

    Parameters
    ----------
    X, y
        As `fit` takes them.
    X_test, y_test
    seed : int
        The estimator's `random_state`.
    """

    X: Any
    y: NDArray[Any]
    X_test: Any
    y_test: NDArray[Any]
    seed: int


@dataclass(frozen=True)
class Task:
    """A row of the table.

    Parameters
    ----------
    parts : callable
        Makes the parts, one for each seed or fold.
    metric : {"accuracy", "RMSE", "MSE"}
    target : float or None
        What the mean over the parts is to reach: at least for an accuracy, at most for an error.
    seconds : float or None
        Within which a fit is to do it.
    options : dict
        What is set all the same, because the task says so.
    """

    parts: Callable[[], Iterator[Parts]]
    metric: str
    target: float | None
    seconds: float | None = None
    options: tuple[tuple[str, Any], ...] = ()


def california() -> Iterator[Parts]:
    """Yield 80/20 splits by seeds 0 to 2."""
    X, y = load_california_housing(return_X_y=True)
    for seed in range(3):
        yield _divided(X, y, seed)


def boston() -> Iterator[Parts]:
    """Yield five folds."""
    X, y = load_boston_housing(return_X_y=True)
    for training, test in KFold(5, shuffle=True, random_state=0).split(X):
        yield Parts(X[training], y[training], X[test], y[test], 0)


def vowels() -> Iterator[Parts]:
    """Yield the data's own split, with five seeds."""
    X, y = load_japanese_vowels(subset="train", return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    for seed in range(5):
        yield Parts(X, y, X_test, y_test, seed)


def digits() -> Iterator[Parts]:
    """Yield pictures of 8 x 8 pixels, one pixel a step, in stratified 80/20 splits by seeds 0 to 2."""
    X, y = load_digits(return_X_y=True)
    for seed in range(3):
        yield _divided(X[:, :, None], y, seed, stratify=y)


def adding(n_steps: int) -> Callable[[], Iterator[Parts]]:
    """Return the adding problem: the sum of the two numbers that a second feature marks.

    One is marked in each half (Hochreiter & Schmidhuber 1997); who always predicts 1 has a mean squared error
    of 1/6.
    """

    def parts() -> Iterator[Parts]:
        for seed in range(5):
            rng = np.random.default_rng(1000 + seed)
            X = np.stack([rng.random((3000, n_steps)), np.zeros((3000, n_steps))], axis=2)
            rows = np.arange(len(X))
            half = n_steps // 2
            first, second = rng.integers(0, half, len(X)), rng.integers(half, n_steps, len(X))
            X[rows, first, 1] = X[rows, second, 1] = 1.0
            y = X[rows, first, 0] + X[rows, second, 0]
            yield Parts(X[:2000], y[:2000], X[2000:], y[2000:], seed)

    return parts


def first_symbol(n_steps: int) -> Callable[[], Iterator[Parts]]:
    """Return the recall of the first of `n_steps` symbols out of 8, all drawn at random."""

    def parts() -> Iterator[Parts]:
        for seed in range(5):
            rng = np.random.default_rng(2000 + seed)
            symbols = rng.integers(0, 8, (1500, n_steps))
            X, y = np.eye(8)[symbols], symbols[:, 0]
            yield Parts(X[:1000], y[:1000], X[1000:], y[1000:], seed)

    return parts


def archived(folder: Path, name: str, read_target: Callable[[str], Any]) -> Callable[[], Iterator[Parts]]:
    """Return a data set of the archive at timeseriesclassification.com, with its own split and 5 seeds."""

    def parts() -> Iterator[Parts]:
        X, y = _read_ts(folder / f"{name}_TRAIN.ts.gz", read_target)
        X_test, y_test = _read_ts(folder / f"{name}_TEST.ts.gz", read_target)
        for seed in range(5):
            yield Parts(X, y, X_test, y_test, seed)

    return parts


def tasks(archive: Path | None) -> dict[str, Task]:
    """Return the rows of the table; two of them need files that are not in the package."""
    wide = (("hidden_size", 64),)
    found = {
        "california": Task(california, "RMSE", 0.50, 60.0),
        "boston": Task(boston, "RMSE", 3.4, 2.0),
        "vowels": Task(vowels, "accuracy", 0.983, 3.0),
        "digits": Task(digits, "accuracy", 0.95, 15.0),
        "adding-100": Task(adding(100), "MSE", 0.01, 2.0, wide),
        "adding-200": Task(adding(200), "MSE", 0.01, 4.0, wide),
        "adding-600": Task(adding(600), "MSE", 0.01, 12.0, wide),
        "first-symbol-300": Task(first_symbol(300), "accuracy", 1.0),
    }
    if archive is not None:
        found["wiimote"] = Task(archived(archive, "PickupGestureWiimoteZ", str), "accuracy", None)
        found["covid"] = Task(archived(archive, "Covid3Month", float), "RMSE", None)
    return found


def main() -> None:
    """Print the table, row by row as it is measured."""
    arguments = _arguments()
    table = tasks(arguments.archive)
    unknown = set(arguments.only or ()) - set(table)
    if unknown:
        sys.exit(f"no task {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    options = dict(_setting(text) for text in arguments.set)
    print(
        f"{'task':<18}{'metric':<10}{'mean':>8}{'worst':>8}{'target':>8}{'s/fit':>7}{'limit':>7}{'epochs':>8}"
    )
    rows: list[dict[str, Any]] = []
    for name, task in table.items():
        if arguments.only and name not in arguments.only:
            continue
        scores, seconds, epochs = _measure(task, options, arguments.development, arguments.n_parts)
        print(_line(name, task, scores, seconds, epochs), flush=True)
        rows += [
            {"task": name, "part": i, "metric": task.metric, "value": score, "seconds": second}
            for i, (score, second) in enumerate(zip(scores, seconds, strict=True))
        ]
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, ["task", "part", "metric", "value", "seconds"])
            writer.writeheader()
            writer.writerows(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="TASK")
    parser.add_argument("--development", action="store_true", help="judge on a fifth of each training part")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    parser.add_argument("--n-parts", type=int, metavar="N", help="the first N seeds or folds only")
    parser.add_argument("--archive", type=Path, help="folder of PickupGestureWiimoteZ and Covid3Month")
    parser.add_argument("--csv", type=Path, help="write every part's result")
    return parser.parse_args()


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    words = {"True": True, "False": False, "None": None}
    if value in words:
        return name, words[value]
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def _measure(
    task: Task, options: dict[str, Any], development: bool, n_parts: int | None
) -> tuple[list[float], list[float], list[int]]:
    """Return score, seconds and epochs of each part."""
    scores, seconds, epochs = [], [], []
    for i, part in enumerate(task.parts()):
        if i == n_parts:
            break
        chosen = _inner(part, task.metric) if development else part
        kind = GRUClassifier if task.metric == "accuracy" else GRURegressor
        model = kind(**{**dict(task.options), **options}, random_state=chosen.seed)
        begin = perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as that a feature is constant, once for each part
            model.fit(chosen.X, chosen.y)
        seconds.append(perf_counter() - begin)
        scores.append(_score(task.metric, chosen.y_test, model.predict(chosen.X_test)))
        epochs.append(model.n_iter_)
    return scores, seconds, epochs


def _score(metric: str, truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    if metric == "accuracy":
        return float(np.mean(truth == predicted))
    mean_square = float(np.mean((truth - predicted) ** 2))
    return mean_square if metric == "MSE" else mean_square**0.5


def _line(name: str, task: Task, scores: list[float], seconds: list[float], epochs: list[int]) -> str:
    worst = min(scores) if task.metric == "accuracy" else max(scores)
    target = "" if task.target is None else f"{task.target:g}"
    limit = "" if task.seconds is None else f"{task.seconds:g}"
    return (
        f"{name:<18}{task.metric:<10}{np.mean(scores):>8.4f}{worst:>8.4f}{target:>8}"
        f"{np.mean(seconds):>7.1f}{limit:>7}{np.mean(epochs):>8.0f}"
    )


def _inner(part: Parts, metric: str) -> Parts:
    """Divide a training part anew, so that its test part stays out of sight."""
    rng = np.random.default_rng(part.seed + 77)
    indices = np.arange(len(part.y))
    training, test = train_test_split(
        indices,
        test_size=_DEVELOPMENT_SHARE,
        random_state=int(rng.integers(2**31)),
        stratify=part.y if metric == "accuracy" else None,
    )
    return Parts(_pick(part.X, training), part.y[training], _pick(part.X, test), part.y[test], part.seed)


def _pick(X: Any, indices: NDArray[np.int64]) -> Any:
    return [X[i] for i in indices] if isinstance(X, list) else X[indices]


def _divided(X: Any, y: NDArray[Any], seed: int, stratify: NDArray[Any] | None = None) -> Parts:
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=stratify)
    return Parts(X, y, X_test, y_test, seed)


def _read_ts(path: Path, read_target: Callable[[str], Any]) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """Read a univariate file of the archive: a line for each sequence, the target behind a colon."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and line[0] not in "#@"]
    X, y = [], []
    for line in lines:
        values, target = line.split(":")
        x = np.array([np.nan if v == "?" else float(v) for v in values.split(",")])
        X.append(x[~np.isnan(x)][:, None])
        y.append(read_target(target))
    return X, np.array(y)


if __name__ == "__main__":
    main()
