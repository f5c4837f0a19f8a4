"""The distribution of held-out scores, and its quantile for a score to come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ScoreDistribution"]

FloatArray = NDArray[np.float64]

# Of the whole mass. A cumulative sum of a million masses is off by at most 1e-10.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class ScoreDistribution:
    """The distribution of held-out scores, and the mass of the sequence to come.

    Parameters
    ----------
    values : ndarray of float64, shape (K,)
        Scores, sorted.
    shares : ndarray of float64, shape (K,)
        Which share of the whole mass each score and those before it have. The rest, which the last one
        leaves to 1, is the new sequence's.
    n_sequences : int
        How many sequences the scores are from.
    """

    values: FloatArray
    shares: FloatArray
    n_sequences: int

    @classmethod
    def fit(
        cls, scores: ArrayLike, *, lengths: ArrayLike | None = None, weights: ArrayLike | None = None
    ) -> Self:
        """Gather scores.

        Parameters
        ----------
        scores : array-like, shape (M,)
            NaN for a step without a target, which does not count.
        lengths : array-like of int, shape (N,), default=None
            How many scores, one after the other, belong to each sequence; None: one to each.
        weights : array-like, shape (M,), default=None
            Non-negative, not all 0. The coverage is then that of new data drawn in proportion to such weights
            [1]_, as long as none weighs more than the heaviest sequence here, whose mass the new one gets.

        Returns
        -------
        ScoreDistribution

        Raises
        ------
        ValueError
            If shapes do not fit, or no score counts.

        References
        ----------
        .. [1] R. J. Tibshirani, R. F. Barber, E. J. Candes, A. Ramdas (2019), "Conformal prediction under
           covariate shift", NeurIPS.

        Examples
        --------
        >>> from grulearn.estimators._score_distribution import ScoreDistribution
        >>> ScoreDistribution.fit([0.3, 0.1, 0.2, 0.4]).quantile(0.6)
        0.3
        """
        values = np.asarray(scores, dtype=np.float64)
        weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
        counts = np.ones(len(values), dtype=np.int64) if lengths is None else np.asarray(lengths)
        if weight.shape != values.shape or counts.sum() != len(values):
            raise ValueError(
                f"{len(values)} scores, weights of shape {weight.shape}, lengths that sum to "
                f"{counts.sum()}; expected as many of each"
            )
        counted = ~np.isnan(values) & (weight > 0)
        if not counted.any():
            raise ValueError("no held-out target counts: all are missing or have weight 0")
        sequence = np.repeat(np.arange(len(counts)), counts)[counted]
        steps = np.bincount(sequence)
        mass = weight[counted] / steps[sequence]
        order = np.argsort(values[counted], kind="stable")
        reached = np.cumsum(mass[order])
        to_come = np.bincount(sequence, mass).max()
        return cls(values[counted][order], reached / (reached[-1] + to_come), int(np.count_nonzero(steps)))

    @property
    def max_coverage(self) -> float:
        """The greatest coverage that so many sequences can promise: n / (n + 1) with equal weights."""
        return float(self.shares[-1])

    def quantile(self, coverage: float) -> float:
        """Return the smallest score with which `coverage` is reached.

        Raises
        ------
        ValueError
            If `coverage` is not between 0 and 1, or so great that the interval would have to be infinite: it
            takes ``coverage / (1 - coverage)`` sequences.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage={coverage}; expected a number between 0 and 1, without 0 and 1")
        place = int(np.searchsorted(self.shares, coverage - _ROUNDING))
        if place == len(self.shares):
            needed = math.ceil(round(coverage / (1 - coverage), 6))
            raise ValueError(
                f"coverage={coverage} takes {needed} held-out sequences of equal weight; there are "
                f"{self.n_sequences}, enough for {math.floor(self.max_coverage * 1000) / 1000}. "
                "Hold out more (validation_fraction), calibrate on other data, or ask for less"
            )
        return float(self.values[place])
