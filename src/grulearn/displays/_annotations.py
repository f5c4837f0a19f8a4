"""Texts in a plot of curves, placed where they hide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

_TEXT_COLOUR = "#333333"


def label_ends(ax: Axes, lines: Sequence[Line2D]) -> None:
    """Write each curve's name beside its last point, apart from each other where the curves meet."""
    lasts = [_last_finite(ax, line) for line in lines]
    heights = [ax.transData.transform((1.0, last))[1] * _points_per_pixel(ax) for last in lasts]
    shifts = _push_apart(heights, at_least=13.0)
    for line, last, shift in zip(lines, lasts, shifts, strict=True):
        ax.annotate(
            str(line.get_label()),
            xy=(1.0, last),
            xycoords=ax.get_yaxis_transform(),
            xytext=(6, shift),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            annotation_clip=False,
        )


def _last_finite(ax: Axes, line: Line2D) -> float:
    losses = np.asarray(line.get_ydata(), dtype=float)
    finite = losses[np.isfinite(losses)]
    return float(finite[-1] if finite.size else np.mean(ax.get_ylim()))


def _push_apart(heights: Sequence[float], at_least: float) -> list[float]:
    """Return the shift of each of one or two labels that keeps them `at_least` apart."""
    if len(heights) < 2:
        return [0.0] * len(heights)
    first, second = heights
    missing = max(0.0, at_least - abs(first - second)) / 2
    sign = 1.0 if first > second else -1.0
    return [sign * missing, -sign * missing]


def mark_best(ax: Axes, lines: Sequence[Line2D], epoch: int) -> None:
    """Ring the best epoch and write its value where the curves leave room."""
    # The best epoch is chosen by the validation loss where there is one.
    line = lines[-1]
    loss = np.asarray(line.get_ydata(), dtype=float)[epoch - 1]
    ax.plot(
        [epoch], [loss], marker="o", markersize=8, markerfacecolor="none", markeredgewidth=1.6,
        markeredgecolor=_TEXT_COLOUR, linestyle="none", zorder=line.get_zorder() + 1,
    )  # fmt: skip
    right, up = _roomiest_offset(ax, lines, (epoch, loss))
    ax.annotate(
        f"best: epoch {epoch:,}\n{_format(loss)}",
        xy=(epoch, loss),
        xytext=(right, up),
        textcoords="offset points",
        ha="left" if right > 0 else "right",
        va="center",
        color=_TEXT_COLOUR,
        arrowprops={"arrowstyle": "-", "color": _TEXT_COLOUR, "linewidth": 0.8, "shrinkB": 5},
    )


def _roomiest_offset(ax: Axes, lines: Sequence[Line2D], point: tuple[float, float]) -> tuple[float, float]:
    """Choose how far, in points, from a point a text of two short lines covers least of the curves."""
    scale = _points_per_pixel(ax)
    origin = ax.transData.transform(point)
    pixels = [ax.transData.transform(line.get_xydata()) for line in lines]
    curves = np.vstack([_dense((curve - origin) * scale) for curve in pixels])
    (left, bottom), (right, top) = (ax.bbox.get_points() - origin) * scale
    half_height, width = 16.0, 100.0  # with some air

    def cost(offset: tuple[float, float]) -> int:
        low, high = offset[1] - half_height, offset[1] + half_height
        near, far = sorted((offset[0], offset[0] + np.copysign(width, offset[0])))
        if near < left or far > right or low < bottom or high > top:
            return len(curves)
        x, y = curves.T
        return int(np.sum((x > near) & (x < far) & (y > low) & (y < high)))

    heights, widths = (36.0, 60.0, 90.0, -36.0, -60.0, 0.0), (-12.0, 12.0, -40.0, 40.0)
    return min(((right, up) for up in heights for right in widths), key=cost)


def _dense(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill the gaps between few points, and thin many."""
    x = np.linspace(curve[0, 0], curve[-1, 0], 500)
    return np.column_stack([x, np.interp(x, curve[:, 0], curve[:, 1])])


def _format(loss: float) -> str:
    return f"{loss:,.0f}" if abs(loss) >= 1000 else f"{loss:.4g}"


def _points_per_pixel(ax: Axes) -> float:
    return 72.0 / cast("Figure", ax.get_figure(root=True)).dpi
