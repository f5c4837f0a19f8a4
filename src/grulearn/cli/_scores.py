"""Errors of predictions, and how they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table


class Scores(NamedTuple):
    """RMSE and mean absolute error in the unit of the target; R² is NaN where the truth does not vary."""

    rmse: float
    mae: float
    r2: float

    def texts(self) -> tuple[str, str, str]:
        """Write them with at least four significant digits."""
        return (
            format_number(self.rmse),
            format_number(self.mae),
            "undefined" if np.isnan(self.r2) else f"{self.r2:z.3f}",
        )


def scores(truth: NDArray[Any], predicted: NDArray[Any]) -> Scores:
    """Compare predictions, shape (rows,), with the truth."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    varies = bool(np.ptp(truth) > 0)
    return Scores(
        float(root_mean_squared_error(truth, predicted)),
        float(mean_absolute_error(truth, predicted)),
        float(r2_score(truth, predicted)) if varies else float("nan"),
    )


def format_number(value: float) -> str:
    """Write four significant digits, and all those before the decimal point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def new_table(first: str, *others: str) -> Table:
    """Start a table with a left-aligned column and right-aligned ones."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right")
    return table
