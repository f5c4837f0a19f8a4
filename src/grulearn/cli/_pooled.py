"""Sequences as rows of statistics over their steps: what there is to try before a recurrent network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences


def pooled_statistics(X: Sequences) -> NDArray[np.float64]:
    """Return mean, standard deviation, least, greatest, first and last value of each feature.

    Parameters
    ----------
    X : Sequences of N sequences of at least one step, F features

    Returns
    -------
    ndarray of float64, shape (N, 6 F)
    """
    rows = X.rows[X.row_index()].astype(np.float64)
    ends = np.cumsum(X.lengths)
    starts, n = ends - X.lengths, X.lengths[:, np.newaxis]
    mean = np.add.reduceat(rows, starts) / n
    deviations = rows - np.repeat(mean, X.lengths, axis=0)
    return np.column_stack(
        [
            mean,
            np.sqrt(np.add.reduceat(deviations**2, starts) / n),
            np.minimum.reduceat(rows, starts),
            np.maximum.reduceat(rows, starts),
            rows[starts],
            rows[ends - 1],
        ]
    )


def pooled_logistic_regression() -> Any:
    """Return a pipeline: those statistics, scaled, and a logistic regression on them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return make_pipeline(
        FunctionTransformer(pooled_statistics), StandardScaler(), LogisticRegression(max_iter=1000)
    )
