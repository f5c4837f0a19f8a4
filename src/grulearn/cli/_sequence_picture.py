"""What the sequence demo draws: who is right how often, and what the network believes after each step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grulearn.cli._files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from grulearn.cli._sequence_demo import Heard, Result

# Okabe and Ito's colours: told apart with every common colour vision.
_RIGHT, _OTHERS, _FAINT = "#0072B2", ("#D55E00", "#009E73", "#CC79A7"), "#BBBBBB"
_GRID = "#E4E4E4"
# Speakers that were never this probable are drawn faintly, without a name.
_NAMED_FROM = 0.25


def save_picture(path: Path, results: Sequence[Result], truth: NDArray[np.int64], heard: Heard) -> None:
    """Write the picture, without touching pyplot, whose figures are global."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    _draw_accuracies(left, results, truth)
    _draw_belief(right, heard)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw_accuracies(ax: Axes, results: Sequence[Result], truth: NDArray[np.int64]) -> None:
    from matplotlib.ticker import PercentFormatter

    names = [_broken(result.name) for result in results]
    places = np.arange(len(results))[::-1]
    for place, result in zip(places, results, strict=True):
        share = float(np.mean(result.predicted == truth))
        low, high = wilson_interval(share, len(truth))
        colour = _RIGHT if place == places[0] else "#333333"
        ax.plot([low, high], [place, place], color=colour, linewidth=1.6, alpha=0.5, solid_capstyle="butt")
        ax.plot([share], [place], "o", color=colour, markersize=7)
        ax.annotate(
            f"{share:.1%}",
            (share, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=colour,
        )
    ax.set_yticks(places, names)
    ax.set_ylim(-0.6, len(results) - 0.3)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=True, axis="x", color=_GRID, linewidth=0.8)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("right on the held-out utterances, 95 % intervals")


def _draw_belief(ax: Axes, heard: Heard) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    steps = np.arange(1, len(heard.probabilities) + 1)
    colours = iter(_OTHERS)
    peaks = heard.probabilities.max(axis=0)
    # The surest first, so that it has a colour; the right one last, so that it is on top.
    for k in sorted(range(len(peaks)), key=lambda k: (heard.classes[k] == heard.speaker, -peaks[k])):
        right = heard.classes[k] == heard.speaker
        named = right or peaks[k] >= _NAMED_FROM
        colour = _RIGHT if right else next(colours, _FAINT) if named else _FAINT
        ax.plot(
            steps, heard.probabilities[:, k], color=colour, linewidth=2.4 if right else 1.4 if named else 0.9,
            marker="o" if named else None, markersize=3.5,
        )  # fmt: skip
        if named:
            _name_line(ax, heard, k, f"speaker {heard.classes[k]}", colour)
    ax.set_ylim(-0.02, 1.12)
    ax.set_yticks(np.linspace(0, 1, 5))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    ax.grid(visible=True, axis="y", color=_GRID, linewidth=0.8)
    ax.set_xlabel(f"steps of utterance {heard.number} that the GRU has heard")
    ax.set_ylabel("probability")


def _name_line(ax: Axes, heard: Heard, k: int, name: str, colour: str) -> None:
    """Write the speaker above the step at which he was most probable."""
    peak = int(heard.probabilities[:, k].argmax())
    n = len(heard.probabilities)
    side = "left" if peak < n // 4 else "right" if peak > n - 1 - n // 4 else "center"
    ax.annotate(
        name, (peak + 1, heard.probabilities[peak, k]), xytext=(0, 7), textcoords="offset points", ha=side,
        color=colour, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
    )  # fmt: skip


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of Wilson (1927) for a probability, of which `share` was seen in `n` trials.

    Examples
    --------
    >>> low, high = wilson_interval(0.98, 370)
    >>> round(low, 3), round(high, 3)
    (0.96, 0.99)
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(centre - half), float(centre + half)


def _broken(name: str) -> str:
    """Break a long name in two lines, at the comma."""
    return name.replace(", ", ",\n", 1) if len(name) > 20 else name
