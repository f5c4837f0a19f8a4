"""How good predictions are: of numbers and of labels, and how it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table

UNDEFINED = float("nan")


class Scores(NamedTuple):
    """Errors of predicted numbers.

    RMSE and mean absolute error are in the unit of the target; MAPE, the mean absolute error relative to the
    truth, is NaN where the truth is not all of one sign or comes near 0; R² where the truth does not vary.
    """

    rmse: float
    mae: float
    r2: float
    mape: float

    def texts(self) -> tuple[str, str, str]:
        """Write RMSE, MAE and R² with at least four significant digits."""
        return format_number(self.rmse), format_number(self.mae), format_share(self.r2)


class ClassScores(NamedTuple):
    """How right predicted labels, and the probabilities behind them, are.

    Balanced accuracy is the mean over the true labels of the share that was recognised; F1 the mean over
    labels. The log loss, and the area under the ROC curve (its mean over the labels, each against the rest),
    leave out rows whose label the model does not know; they are NaN where they are undefined.
    """

    accuracy: float
    balanced_accuracy: float
    f1: float
    log_loss: float
    roc_auc: float

    def texts(self) -> tuple[str, ...]:
        """Write all five with three decimals."""
        return tuple(format_share(value) for value in self)


def scores(truth: NDArray[Any], predicted: NDArray[Any]) -> Scores:
    """Compare predicted numbers, shape (rows,), with the truth."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    varies = bool(np.ptp(truth) > 0)
    sizes = np.abs(truth)
    relative = abs(np.sign(truth).sum()) == len(truth) and bool(sizes.min() > 0.01 * sizes.mean())
    return Scores(
        float(root_mean_squared_error(truth, predicted)),
        float(mean_absolute_error(truth, predicted)),
        float(r2_score(truth, predicted)) if varies else UNDEFINED,
        float(np.mean(np.abs(predicted - truth) / sizes)) if relative else UNDEFINED,
    )


def class_scores(
    truth: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any], classes: NDArray[Any]
) -> ClassScores:
    """Compare predicted labels, and their probabilities, with the truth.

    Parameters
    ----------
    truth, predicted : ndarray of labels, shape (rows,)
    probabilities : ndarray, shape (rows, n_classes)
        In the order of `classes`.
    classes : ndarray, shape (n_classes,)
        The labels that the model knows.
    """
    from sklearn.metrics import f1_score, log_loss

    right = truth == predicted
    known = np.isin(truth, classes)
    true_labels = np.unique(truth)
    return ClassScores(
        float(right.mean()),
        float(np.mean([right[truth == label].mean() for label in true_labels])),
        float(f1_score(truth, predicted, average="macro", zero_division=0)),
        float(log_loss(truth[known], probabilities[known], labels=classes)) if known.any() else UNDEFINED,
        _mean_roc_auc(truth[known], probabilities[known], classes),
    )


def _mean_roc_auc(truth: NDArray[Any], probabilities: NDArray[Any], classes: NDArray[Any]) -> float:
    from sklearn.metrics import roc_auc_score

    # Of two classes either gives the same area.
    columns = range(1, 2) if len(classes) == 2 else range(len(classes))
    areas = []
    for k in columns:
        positive = truth == classes[k]
        if positive.any() and not positive.all():
            areas.append(roc_auc_score(positive, probabilities[:, k]))
    return float(np.mean(areas)) if areas else UNDEFINED


def prior_probabilities(truth: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of each class in the truth, for every row: shape (rows, n_classes)."""
    counts = np.array([np.count_nonzero(truth == label) for label in classes], dtype=np.float64)
    return np.tile(counts / max(counts.sum(), 1.0), (len(truth), 1))


def format_number(value: float) -> str:
    """Write four significant digits, and all those before the decimal point."""
    if np.isnan(value):
        return "undefined"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_share(value: float) -> str:
    """Write three decimals."""
    return "undefined" if np.isnan(value) else f"{value:z.3f}"


def format_percent(value: float) -> str:
    """Write a share as a percentage: three significant digits, and all those before the decimal point."""
    if np.isnan(value):
        return "undefined"
    return f"{100 * value:,.0f} %" if abs(value) >= 1 else f"{100 * value:.3g} %"


def new_table(first: str, *others: str) -> Table:
    """Start a table with a left-aligned column and right-aligned ones."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right")
    return table
