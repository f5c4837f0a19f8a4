"""``grulearn demo --sequence``: who is speaking, and what a recurrent network and its gates are for."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console

    from grulearn.sequences import Sequences

# The lowest log loss in cross-validations of the training part (5 folds, twice) among some 75 settings of
# size, directions, pooling, decay, epochs and rate. Test accuracies were printed beside it, and did not
# decide.
SETTINGS: dict[str, Any] = {
    "hidden_size": 64,
    "num_layers": 2,
    "bidirectional": True,
    "learning_rate_init": 2e-3,
    "weight_decay": 0.1,
    "max_iter": 60,
    "early_stopping": False,
    "random_state": 0,
}
# One layer, one direction: what the tanh network has as well. Rate, decay and epochs are those of the lowest
# log loss (5 folds) among six settings of the tanh network, so that they favour it if either. Seeds 0 to 5
# get 7 to 11 wrong with gates, 8 to 21 without.
PLAIN_SETTINGS = SETTINGS | {"num_layers": 1, "bidirectional": False, "learning_rate_init": 3e-3}
# So sure of the right speaker must the network be in the end of the utterance that is shown.
_SURE = 0.9


class Result(NamedTuple):
    """A model's name, what it said about the held-out utterances, how it came to that."""

    name: str
    predicted: NDArray[np.int64]
    n_parameters: int
    seconds: float


class Heard(NamedTuple):
    """One utterance: number, speaker, and the probability of each class after each step, (T, classes)."""

    number: int
    speaker: int
    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def run(console: Console, folder: Path) -> None:
    """Train on the training part, compare with other models, listen to one utterance step by step."""
    import pandas as pd

    from grulearn.cli._layout import Layout
    from grulearn.cli._progress import progress_view
    from grulearn.cli._sequence_picture import save_picture
    from grulearn.cli._training import Outputs, print_ending, train
    from grulearn.datasets import load_japanese_vowels
    from grulearn.estimators import GRUClassifier

    X, y = load_japanese_vowels(return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    low, _, high = X_test.n_steps_summary()
    console.print(
        f'Japanese vowels, 1999: nine men say "ae", and the question is who it is. {len(X)} utterances to '
        f"train on, {len(X_test)} from other occasions held out, of {low} to {high} steps each; a step has "
        f"{X.n_features} numbers, the cepstrum of 26 ms of sound."
    )
    layout = Layout(("speaker",), tuple(X.schema.features or ()), id="utterance", time="step")
    outputs = Outputs(folder / "model.gru", layout=layout)
    model = GRUClassifier(**SETTINGS)
    seconds = train(model, X, pd.Series(y, name="speaker"), progress_view(console), outputs)
    print_ending(console, model, seconds)
    ours = Result("GRU, 2 layers, both directions", model.predict(X_test), _size(model), seconds)
    results = [ours, *_others(X, y, X_test)]
    _print_comparison(console, results, y_test)
    course = _hear(model, X_test)
    _print_course(console, course, model.classes_, y_test)
    heard = _pick_utterance(course, model.classes_, y_test, X_test.ids)
    _print_utterance(console, heard)
    picture = folder / "speakers.png"
    save_picture(picture, results, y_test, heard)
    held_out = folder / "held_out.csv"
    bunch: Any = load_japanese_vowels(subset="test", as_frame=True)
    bunch.frame.to_csv(held_out, index=False)
    console.print(f"\nWritten: {picture}, {outputs.model} and {held_out}")
    _print_next(console, folder)


def _others(X: Sequences, y: NDArray[np.int64], X_test: Sequences) -> list[Result]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from grulearn.cli._elman import ElmanClassifier
    from grulearn.cli._pooled import pooled_logistic_regression
    from grulearn.encoding import Scaling
    from grulearn.estimators import GRUClassifier

    start = perf_counter()
    plain = GRUClassifier(**PLAIN_SETTINGS).fit(X, y)
    results = [Result("GRU, 1 layer", plain.predict(X_test), _size(plain), perf_counter() - start)]
    # Products this small take no less time with several threads, and far more where something else runs.
    with threadpool_limits(limits=1):
        start = perf_counter()
        scaling = Scaling.fit(X)
        options = {"hidden_size", "learning_rate_init", "weight_decay", "max_iter", "random_state"}
        tanh = ElmanClassifier(**{name: PLAIN_SETTINGS[name] for name in options})
        tanh.fit(scaling.transform(X, "float64"), y - 1)
        seconds = perf_counter() - start
        predicted = tanh.predict(scaling.transform(X_test, "float64")) + 1
        results.append(Result("the same with plain tanh units", predicted, tanh.n_parameters, seconds))
        start = perf_counter()
        pooled = pooled_logistic_regression().fit(X, y)
        seconds = perf_counter() - start
        regression = pooled[-1]
        n = regression.coef_.size + regression.intercept_.size
        results.append(
            Result("statistics over the steps, logistic regression", pooled.predict(X_test), n, seconds)
        )
    return results


def _print_comparison(console: Console, results: list[Result], truth: NDArray[np.int64]) -> None:
    from grulearn.cli._scores import new_table
    from grulearn.cli._training import format_seconds

    table = new_table("on the held-out utterances", "right", "wrong", "parameters", "trained in")
    for i, (name, predicted, n_parameters, seconds) in enumerate(results):
        wrong = int(np.count_nonzero(predicted != truth))
        table.add_row(
            name, f"{1 - wrong / len(truth):.1%}", str(wrong), f"{n_parameters:,}", format_seconds(seconds),
            style="bold" if i == 0 else None,
        )  # fmt: skip
    console.print(table)
    console.print(
        "The second and the third differ in their gates alone. The last sees nothing of the order but the "
        "first and the last step; where a sound hardly changes, statistics go far. With "
        f"{len(truth)} utterances a difference of some five may be chance."
    )


def _hear(model: Any, X: Sequences) -> list[NDArray[np.float64]]:
    """Return, for each sequence, the probabilities after each of its steps, as if no more had been heard."""
    from grulearn.sequences import Sequences

    # All that was heard up to a step is a sequence of its own; they share their rows.
    heard = np.concatenate([np.arange(1, n + 1) for n in X.lengths])
    prefixes = Sequences(X.rows, np.repeat(X.starts, X.lengths), heard, schema=X.schema)
    return np.split(model.predict_proba(prefixes), np.cumsum(X.lengths)[:-1])


def _print_course(
    console: Console, course: list[NDArray[np.float64]], classes: NDArray[np.int64], y: NDArray[np.int64]
) -> None:
    """Print how many speakers are recognised after some steps."""
    shares = []
    for k in (1, 5, 10):
        right = [
            classes[p[min(k, len(p)) - 1].argmax()] == speaker for p, speaker in zip(course, y, strict=True)
        ]
        shares.append(f"{np.mean(right):.0%} after {k} step{'s' * (k > 1)}")
    console.print(f"With every step that it hears, the first network recognises more: {', '.join(shares)}.")


def _pick_utterance(
    course: list[NDArray[np.float64]],
    classes: NDArray[np.int64],
    y: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> Heard:
    """Return the one at which the model was surest of someone else before it was sure of the right one."""
    surest = np.full(len(course), -1.0)
    for i, p in enumerate(course):
        right = classes == y[i]
        if p[-1, right] > _SURE:
            surest[i] = p[:, ~right].max()
    i = int(surest.argmax())
    return Heard(int(ids[i]), int(y[i]), classes, course[i])


def _print_utterance(console: Console, heard: Heard) -> None:
    taken_for = heard.classes[heard.probabilities.argmax(axis=1)]
    ends = np.flatnonzero(np.diff(taken_for))
    course = [f"up to step {end + 1} it takes him for speaker {taken_for[end]}" for end in ends]
    course.append(f"in the end, after {len(taken_for)} steps, for speaker {taken_for[-1]}")
    console.print(
        f"Utterance {heard.number}, heard step by step: {', '.join(course)}, "
        f"{heard.probabilities[-1].max():.1%} sure; it was speaker {heard.speaker}."
    )


def _print_next(console: Console, folder: Path) -> None:
    console.print(
        f"Next: grulearn evaluate {folder / 'model.gru'} {folder / 'held_out.csv'}\n"
        "Your own: grulearn fit log.csv --id machine --time ts --target failed --output model.gru"
    )


def _size(model: Any) -> int:
    return sum(weights.size for weights in model.weights_.values())
