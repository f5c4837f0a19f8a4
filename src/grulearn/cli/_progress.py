"""What is shown while a model trains: a moving bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from grulearn.training import EpochReport

# Small networks take well under a millisecond an epoch; drawing takes longer than that.
_SECONDS_BETWEEN_DRAWINGS = 0.05
_PLAIN_LINES = 10


class ProgressView(AbstractContextManager["ProgressView"], Protocol):
    """Is told how the data were read, then of each epoch."""

    def on_start(self, reading: str) -> None:
        """Show the line about the data."""

    def on_epoch(self, report: EpochReport) -> None:
        """Show how far the training is, if it is time to."""


def progress_view(console: Console, *, show_reading: bool = True) -> ProgressView:
    """Choose the view that suits the console."""
    view = LiveProgress if console.is_terminal else PlainProgress
    return view(console, show_reading=show_reading)


class LiveProgress(ProgressView):
    """One line that moves, and is gone at the end."""

    def __init__(self, console: Console, *, show_reading: bool) -> None:
        self._console = console
        self._show_reading = show_reading
        # Without a thread of its own, which would take time from the training.
        self._progress = Progress(
            TextColumn("{task.fields[head]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[tail]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=None, head="", tail="")
        self._drawn = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_start(self, reading: str) -> None:
        if self._show_reading:
            self._console.print(reading)

    def on_epoch(self, report: EpochReport) -> None:
        last = report.epoch == report.max_iter
        if report.seconds - self._drawn < _SECONDS_BETWEEN_DRAWINGS and report.epoch > 1 and not last:
            return
        self._drawn = report.seconds
        self._progress.update(
            self._task,
            total=report.max_iter,
            completed=report.epoch,
            head=_epochs(report),
            tail=_losses(report) + _time_left(report),
        )
        self._progress.start()  # does nothing the second time
        self._progress.refresh()


class PlainProgress(ProgressView):
    """A line for the first epoch, the last one, and some between."""

    def __init__(self, console: Console, *, show_reading: bool) -> None:
        self._console = console
        self._show_reading = show_reading

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def on_start(self, reading: str) -> None:
        if self._show_reading:
            self._console.print(reading)

    def on_epoch(self, report: EpochReport) -> None:
        every = max(1, report.max_iter // _PLAIN_LINES)
        if report.epoch == 1 or report.epoch % every == 0 or report.epoch == report.max_iter:
            self._console.print(f"{_epochs(report)}: {_losses(report)}{_time_left(report)}")


def _epochs(report: EpochReport) -> str:
    total = f"{report.max_iter:,}"
    return f"epoch {report.epoch:>{len(total)},}/{total}"


def _losses(report: EpochReport) -> str:
    text = f"training loss {report.training_loss:#.4g}"
    if report.validation_loss is not None:
        text += f", validation {report.validation_loss:#.4g}"
    return text


def _time_left(report: EpochReport) -> str:
    seconds = report.seconds / report.epoch * (report.max_iter - report.epoch)
    if seconds < 0.5:
        return ""
    # Early stopping may end it sooner, but not later.
    bound = ", " if report.validation_loss is None else ", at most "
    if seconds >= 60:
        return f"{bound}{int(seconds) // 60}:{int(seconds) % 60:02d} min left"
    return f"{bound}{seconds:.0f} s left"
