"""Training with a progress bar, and keeping the result whatever way it ended."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from sklearn.exceptions import ConvergenceWarning

from grulearn.cli._errors import BadInput, CommandError, Interrupted
from grulearn.cli._files import replacing
from grulearn.cli._layout import Layout
from grulearn.cli._models import save_model
from grulearn.cli._progress import ProgressView


@dataclass(frozen=True)
class Outputs:
    """Where to put the model and the picture of its loss curve; None for nowhere.

    With a layout the model file knows the columns of its table.
    """

    model: Path | None = None
    picture: Path | None = None
    layout: Layout | None = None
    unit: str | None = None
    squared: bool = False

    @property
    def paths(self) -> str:
        """The names of the files, for messages."""
        return " and ".join(str(path) for path in (self.model, self.picture) if path is not None)

    def write(self, estimator: Any) -> None:
        """Write both files."""
        if self.model is not None:
            self.model.parent.mkdir(parents=True, exist_ok=True)
            save_model(estimator, self.model, self.layout)
        if self.picture is not None:
            save_picture(estimator, self.picture, unit=self.unit, squared=self.squared)


def train(estimator: Any, X: Any, y: Any, view: ProgressView | None, outputs: Outputs) -> float:
    """Fit the estimator, write the outputs, and return the seconds that the training took.

    Raises
    ------
    Interrupted
        After Ctrl-C; what was trained so far is written first.
    CommandError
        If the loss diverged; the best weights are written first.
    """
    start = perf_counter()
    try:
        with view or nullcontext(), warnings.catch_warnings():
            # That the loss diverged is said once, below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if view is None:
                estimator.fit(X, y)
            else:
                shown = view.on_start
                estimator._fit(X, y, on_start=lambda line: shown(_in_options(line)), on_epoch=view.on_epoch)
    except KeyboardInterrupt:
        with _deaf_to_ctrl_c():
            message = _keep_interrupted(estimator, outputs)
        raise Interrupted(message) from None
    seconds = perf_counter() - start
    if estimator.stop_reason_ == "diverged":
        raise CommandError(_keep_diverged(estimator, outputs))
    outputs.write(estimator)
    return seconds


def _in_options(reading: str) -> str:
    """Say what can be done about rows that are no sequences as it is said on the command line."""
    return reading.replace(
        "pass a 3-D array (sample, step, feature) for sequences", "--id and --time make rows into sequences"
    )


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let no second Ctrl-C cut off the writing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def print_ending(console: Console, estimator: Any, seconds: float) -> None:
    """Say why the training ended, and what its best epoch was."""
    reasons = {
        "max_iter": "the last epoch was reached (--max-iter)",
        "no improvement": f"no improvement for {estimator.n_iter_no_change} epochs",
        "max_seconds": "the time was up (--max-seconds)",
    }
    of = "training" if estimator.validation_scores_ is None else "validation"
    console.print(
        f"Trained {estimator.n_iter_:,} epochs in {format_seconds(seconds)}; stopped: "
        f"{reasons.get(estimator.stop_reason_, estimator.stop_reason_)}; "
        f"lowest {of} loss {estimator.best_loss_:.4g} in epoch {estimator.best_iter_:,}; "
        f"--random-state {estimator._seed} repeats it.",
    )


def format_seconds(seconds: float) -> str:
    """Write a duration with two digits at least."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def save_picture(estimator: Any, path: Path, *, unit: str | None, squared: bool) -> None:
    """Draw the loss curve without touching pyplot, whose figures are global."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from grulearn.displays import LossCurveDisplay

    figure = Figure(figsize=(7.2, 4.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    LossCurveDisplay.from_estimator(estimator, unit=unit, squared=squared, ax=figure.subplots())
    with replacing(path) as temporary:
        figure.savefig(temporary, format=_picture_format(path))


def check_picture_name(path: Path) -> None:
    """Raise BadInput unless matplotlib knows the format that the file's name asks for."""
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if _picture_format(path) not in known:
        raise BadInput(
            f"{path} is not the name of a picture; expected it to end in .{', .'.join(sorted(known))}"
        )


def _picture_format(path: Path) -> str:
    return path.suffix.lower().removeprefix(".") or "png"


def _keep_diverged(estimator: Any, outputs: Outputs) -> str:
    hint = f"try a --learning-rate-init smaller than {estimator.learning_rate_init:g}"
    if estimator.clip_norm is None:
        hint += ", or --clip-norm 1"
    where = f"the loss diverged in epoch {estimator.n_iter_:,}"
    if estimator.best_iter_ == 0 or not outputs.paths:
        return f"{where} and nothing was written; {hint}"
    existing = [str(path) for path in (outputs.model, outputs.picture) if path is not None and path.exists()]
    if existing:
        return f"{where} and nothing was written, to keep the {' and '.join(existing)} there is; {hint}"
    outputs.write(estimator)
    return f"{where}; the best weights before that are kept in {outputs.paths}; {hint}"


def _keep_interrupted(estimator: Any, outputs: Outputs) -> str:
    epochs = getattr(estimator, "n_iter_", 0)
    if epochs == 0:
        return "interrupted before the first epoch was over; nothing was written"
    if not outputs.paths:
        return f"interrupted after {epochs:,} epochs; nothing was written, as there was no --output"
    outputs.write(estimator)
    return f"interrupted after {epochs:,} epochs; what was trained so far is kept in {outputs.paths}"
