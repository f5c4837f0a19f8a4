"""The picture of the sizes: how many times as long the others take, and the fraction of the peak."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grulearn.benchmark.sections._work import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from grulearn.benchmark.sections.sizes import SizesResult

__all__ = ["draw_sizes"]

# Okabe and Ito's colours: told apart with every common colour vision. Shapes tell the same.
_PEERS = {"torch": ("#D55E00", "o"), "onnxruntime": ("#0072B2", "s"), "jax": ("#009E73", "D")}
_OTHER = ("#CC79A7", "^")
_OWN = {"inference": ("#56B4E9", "o"), "training": ("#000000", "s")}
_TITLES = {"inference": "Inference", "training": "Training step"}
_GRID_COLOUR = "#E4E4E4"
_TEXT_COLOUR = "#333333"
_CHARACTERS_AN_INCH = 12  # of the heading, with room to spare


def draw_sizes(results: SizesResult, subtitle: str) -> Figure:
    """Draw the section `sizes`; without pyplot, whose figures are global.

    Parameters
    ----------
    results : SizesResult
    subtitle : str
        Machine and versions.

    Returns
    -------
    matplotlib Figure
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = [result.case.label for result in results.cases]
    compared = [
        kind for kind in KINDS if any(key in results.cases[0].work[kind].seconds for key in results.libraries)
    ]
    width, height = max(7.0, 3.8 + 3.6 * len(compared)), 2.0 + 0.46 * len(labels)
    figure = Figure(figsize=(width, height), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    widths = [*(3 for _ in compared), 2]
    axes = figure.subplots(1, len(widths), sharey=True, width_ratios=widths, squeeze=False)[0]
    for ax, kind in zip(axes, compared, strict=False):
        _draw_ratios(ax, results, kind)
    _draw_fractions(axes[-1], results)
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    heading = textwrap.fill(subtitle, int(width * _CHARACTERS_AN_INCH))
    figure.suptitle(f"{heading}\n", x=0.008, ha="left", fontsize="medium", color=_TEXT_COLOUR)
    return figure


def _draw_ratios(ax: Axes, results: SizesResult, kind: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.axvline(1.0, color=_TEXT_COLOUR, linewidth=1.2)
    keys = list(results.libraries)
    for key in keys:
        ratios = [
            result.work[kind].ratio(key) for result in results.cases if key in result.work[kind].seconds
        ]
        if ratios:
            colour, marker = _PEERS.get(key, _OTHER)
            _dots(ax, ratios, _dodge(keys, key), results.libraries[key], colour, marker)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0.8), max(high, 12.0))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="x", which="minor", length=0)
    _style(ax, f"{_TITLES[kind]}: time over grulearn's", len(results.cases))


def _draw_fractions(ax: Axes, results: SizesResult) -> None:
    from matplotlib.ticker import PercentFormatter

    for kind in KINDS:
        fractions = [result.work[kind].fraction() for result in results.cases]
        colour, marker = _OWN[kind]
        _dots(ax, fractions, _dodge(KINDS, kind), _TITLES[kind].lower(), colour, marker)
    ax.set_xlim(0.0, max(1.0, ax.get_xlim()[1]))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    _style(ax, "grulearn: of the FMA peak", len(results.cases))


def _dodge(names: Sequence[str], name: str) -> float:
    """Place several dots of a row apart, so that none hides another."""
    return 0.2 * (list(names).index(name) - (len(names) - 1) / 2)


def _dots(ax: Axes, values: Sequence[float], shift: float, label: str, colour: str, marker: str) -> None:
    ax.plot(
        values, [row + shift for row in range(len(values))], linestyle="none", marker=marker, markersize=7,
        color=colour, label=label, markeredgecolor="white", markeredgewidth=0.6, clip_on=False,
    )  # fmt: skip


def _style(ax: Axes, title: str, rows: int) -> None:
    ax.set_title(title, loc="left", fontsize="medium", fontweight="bold", pad=26)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=True, which="major", axis="x", color=_GRID_COLOUR, linewidth=0.8)
    for row in range(1, rows):
        ax.axhline(row - 0.5, color=_GRID_COLOUR, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, borderpad=0.2,
        handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip
