"""Predictions in the shape in which they are wanted: for each step, or as a dataframe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.estimators._inputs import Inputs

__all__ = ["split_steps"]


def split_steps(values: NDArray[Any], inputs: Inputs) -> Any:
    """Return rows of all steps, sequence after sequence, as the sequences came.

    Parameters
    ----------
    values : ndarray, shape (sum of lengths, ...)
    inputs : Inputs

    Returns
    -------
    ndarray of shape (N, T, ...) if they came as one array, otherwise list of N arrays of shape (T_i, ...)
    """
    lengths = inputs.data.lengths
    if inputs.rectangular:
        n_steps = int(lengths[0])
        return values.reshape(len(lengths), n_steps, *values.shape[1:])
    return np.split(values, np.cumsum(lengths)[:-1])
