"""What is shown while a model trains."""

from __future__ import annotations

import io
import re

from rich.console import Console

from grulearn.cli._progress import LiveProgress, PlainProgress, progress_view
from grulearn.training import EpochReport


def show(console, reports, **options):
    with progress_view(console, **options) as view:
        view.on_start("60 sequences")
        for report in reports:
            view.on_epoch(report)
    return console.file.getvalue()


def terminal(width):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def plain():
    return Console(file=io.StringIO(), width=200)


def reports(n, seconds_each, validation=0.25):
    return [EpochReport(i, n, 0.5, validation, False, i * seconds_each) for i in range(1, n + 1)]


def test_console_decides():
    assert isinstance(progress_view(terminal(80)), LiveProgress)
    assert isinstance(progress_view(plain()), PlainProgress)


def test_terminal_shows_epoch_losses_and_time_left_in_one_line():
    shown = show(terminal(80), reports(200, 0.1))
    assert "60 sequences" in shown
    frames = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    middle = next(frame for frame in frames if "epoch 100/200" in frame)
    assert "training loss 0.5000, validation 0.2500, at most 10 s left" in middle
    assert max(map(len, frames)) <= 80


def test_terminal_is_drawn_at_most_twenty_times_a_second():
    shown = show(terminal(80), reports(10_000, 0.0001))
    assert 10 <= shown.count("training loss") <= 30


def test_plain_lines_are_few_and_include_the_first_and_last():
    lines = show(plain(), reports(200, 2.0, validation=None)).splitlines()
    assert len(lines) == 12
    assert lines[1] == "epoch   1/200: training loss 0.5000, 6:38 min left"
    assert lines[-1] == "epoch 200/200: training loss 0.5000"


def test_reading_line_can_be_left_out():
    assert "sequences" not in show(plain(), reports(1, 1.0), show_reading=False)
