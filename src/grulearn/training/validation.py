"""Which sequences are held out to watch the training."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["hold_out"]

_LEAST_TRAINING = 2  # one sequence has no spread: every feature and the target would be constant


def hold_out(
    n_sequences: int, fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a validation part at random.

    It has ``ceil(fraction * n_sequences)`` sequences, at least 1, and leaves at least 2 to train on. With
    fewer than some 50 sequences a part of a tenth is a handful: the epoch that it picks is then partly a
    matter of luck, and a fit without early stopping is worth a try.

    Parameters
    ----------
    n_sequences : int
        At least 3.
    fraction : float
        Between 0 and 1.
    rng : numpy.random.Generator

    Returns
    -------
    training, validation : ndarray of int64
        Sorted, disjoint, together 0 to ``n_sequences - 1``.

    Raises
    ------
    ValueError
        If there are fewer than 3 sequences.

    Examples
    --------
    >>> import numpy as np
    >>> training, validation = hold_out(10, 0.2, np.random.default_rng(0))
    >>> len(training), len(validation)
    (8, 2)
    """
    if n_sequences <= _LEAST_TRAINING:
        raise ValueError(
            f"early_stopping=True with n_samples={n_sequences}: at least {_LEAST_TRAINING + 1} are needed, "
            f"one to hold out and {_LEAST_TRAINING} to train on. Set early_stopping=False"
        )
    # Rounding to 12 digits first: 0.1 * 30 is 3.0000000000000004.
    wanted = math.ceil(round(fraction * n_sequences, 12))
    n_held_out = min(max(wanted, 1), n_sequences - _LEAST_TRAINING)
    shuffled = rng.permutation(n_sequences)
    return np.sort(shuffled[n_held_out:]), np.sort(shuffled[:n_held_out])
