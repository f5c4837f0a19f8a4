"""Split-conformal prediction: intervals and label sets from the scores of held-out sequences.

A score says how badly a prediction misses. Let n sequences be held out from training, let a new one be
exchangeable with them, which independent sequences from one source are, and let q be the k-th smallest of
their scores, with ``k = ceil((n + 1) * coverage)``. Then the new score is at most q with a probability of at
least `coverage`, and of at most ``coverage + 1 / (n + 1)`` if no two scores are equal, whatever the network
and the distribution [1]_. That probability is over the held-out sequences and the new one together. It is
marginal: it says nothing about a particular kind of sequence, and with one draw of held-out sequences the
share of new ones that are covered is a random number, of standard deviation 0.03 for n = 100.

With a target for each step, the steps of a sequence resemble each other, and only sequences are
exchangeable. Each step of sequence i then has the mass ``1 / T_i``, so each sequence 1, the new one 1 at
infinity, and q is the smallest score with which at least `coverage` of the mass ``n + 1`` is reached. A step
drawn at random from a new sequence is covered with a probability of at least `coverage` [2]_: on average over
new sequences, at least that share of their steps is.

Sequences that chose the epoch are not quite held out: :class:`grulearn.training.CrossStopping` says how much
that matters, and what is done about it.

References
----------
.. [1] V. Vovk, A. Gammerman, G. Shafer (2005), "Algorithmic learning in a random world", Springer; J. Lei,
   M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman (2018), "Distribution-free predictive inference for
   regression", Journal of the American Statistical Association 113.
.. [2] Y. Lee, R. F. Barber, R. Willett (2023), "Distribution-free inference with hierarchical data",
   arXiv:2306.06342. There the steps of a sequence are exchangeable; drawing one at random makes them so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.estimators._score_distribution import ScoreDistribution

__all__ = ["LabelScores", "ResidualScores"]

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ResidualScores:
    """What held-out residuals say about the intervals of new predictions.

    Three kinds of score, each for one output:

    ======================  =====================================  ==================================
    what is predicted       score                                  interval
    ======================  =====================================  ==================================
    a value p               ``abs(y - p)``                         ``p - q`` to ``p + q``
    a value p, a scale s    ``abs(y - p) / s``                     ``p - q * s`` to ``p + q * s``
    quantiles lo, hi        ``max(lo - y, y - hi)`` [1]_           ``lo - q`` to ``hi + q``
    ======================  =====================================  ==================================

    The first gives every interval of an output the same width. The scale, the predicted standard deviation
    for one, makes them as wide as the network is unsure; so do quantiles, and need not be symmetric.

    Parameters
    ----------
    distributions : tuple of tuple of ScoreDistribution
        ``distributions[i][o]``: of pair `i` of quantiles, or of the only kind there is (i = 0), and output
        `o`.
    levels : tuple of float
        The levels of the quantiles, growing; empty if none are predicted.
    scaled : bool
        Whether a scale is predicted.

    References
    ----------
    .. [1] Y. Romano, E. Patterson, E. J. Candes (2019), "Conformalized quantile regression", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.estimators.conformal import ResidualScores
    >>> residuals = np.linspace(-1, 1, 199)
    >>> scores = ResidualScores.fit(y_true=residuals[:, None], y_pred=np.zeros((199, 1)))
    >>> lower, upper = scores.interval(np.array([[10.0]]), coverage=0.9)
    >>> lower.round(2), upper.round(2)
    (array([[9.09]]), array([[10.91]]))
    """

    distributions: tuple[tuple[ScoreDistribution, ...], ...]
    levels: tuple[float, ...] = ()
    scaled: bool = False

    @classmethod
    def fit(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        scale: ArrayLike | None = None,
        levels: Sequence[float] = (),
        lengths: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> Self:
        """Compare targets that were held out with their predictions.

        Parameters
        ----------
        y_true : array-like, shape (M, O)
            NaN where there is no target.
        y_pred : array-like, shape (M, O), or (M, O, Q) with `levels`
        scale : array-like, shape (M, O), default=None
            Positive.
        levels : sequence of Q floats, default=()
            The levels of predicted quantiles, growing. The outermost two make a pair, and so on inwards; a
            median in the middle has no part. A single one is taken as a value.
        lengths, weights
            As for :meth:`ScoreDistribution.fit`.

        Returns
        -------
        ResidualScores

        Raises
        ------
        ValueError
            If shapes do not fit, a scale is not positive, or an output has no target.
        """
        levels = tuple(float(level) for level in levels)
        target = np.asarray(y_true, dtype=np.float64)
        prediction, width = _check(y_pred, scale, levels, target.shape)
        if len(levels) > 1:
            by_pair = [
                np.maximum(prediction[..., low] - target, target - prediction[..., high])
                for low, high in _pairs(levels)
            ]
        else:
            by_pair = [np.abs(target - prediction) / width]
        distributions = tuple(
            tuple(ScoreDistribution.fit(column, lengths=lengths, weights=weights) for column in scores.T)
            for scores in by_pair
        )
        return cls(distributions, levels if len(levels) > 1 else (), scale is not None)

    def interval(
        self, prediction: ArrayLike, coverage: float, *, scale: ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the ends of intervals that cover new targets with a probability of at least `coverage`.

        That holds for each output by itself; for all O at once ask for ``1 - (1 - coverage) / O``.

        Parameters
        ----------
        prediction : array-like, shape (M, O), or (M, O, Q) where quantiles are predicted
        coverage : float
            Between 0 and 1. Of several pairs of quantiles the one whose levels come nearest to it is used, of
            two that are as near the wider.
        scale : array-like, shape (M, O), default=None
            Where `fit` had one.

        Returns
        -------
        lower, upper : ndarray of float64, shape (M, O)
            Where quantiles are so far apart that the correction turns their order, both are the middle.

        Raises
        ------
        ValueError
            If too few sequences were held out for the coverage, or shapes do not fit.
        """
        if self.scaled != (scale is not None):
            raise ValueError(f"scale: expected {'one' if self.scaled else 'none'}, as in fit")
        values, width = _check(prediction, scale, self.levels, None)
        pair = self._nearest_pair(coverage)
        reach = np.array([known.quantile(coverage) for known in self.distributions[pair]])
        if not self.levels:
            return values - reach * width, values + reach * width
        low, high = _pairs(self.levels)[pair]
        lower, upper = values[..., low] - reach, values[..., high] + reach
        crossed = lower > upper
        middle = (lower + upper) / 2
        return np.where(crossed, middle, lower), np.where(crossed, middle, upper)

    def _nearest_pair(self, coverage: float) -> int:
        if not self.levels:
            return 0
        # Pairs come from the widest to the narrowest, and the first of equals is taken.
        gaps = [abs(self.levels[high] - self.levels[low] - coverage) for low, high in _pairs(self.levels)]
        return int(np.argmin(np.round(gaps, 9)))

    def to_arrays(self) -> Arrays:
        """Return everything as arrays, for the model file."""
        return {
            **_pack(self.distributions),
            "levels": np.array(self.levels, dtype=np.float64),
            "scaled": np.array([self.scaled], dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take back what `to_arrays` returned."""
        levels = tuple(float(level) for level in arrays["levels"])
        return cls(_unpack(arrays), levels, bool(arrays["scaled"][0]))


@dataclass(frozen=True, eq=False)
class LabelScores:
    """What the probabilities of held-out labels say about the labels that new sequences may have.

    The score of a label is 1 minus its probability, and the set of labels are those whose score is at most
    q [1]_. Among all sets with the same coverage these have the fewest labels on average, if the
    probabilities are right; they need no random numbers, and a greater coverage never takes a label away.
    (Adaptive prediction sets [2]_ cover hard samples better and easy ones less, with more labels on average
    and random numbers.)

    Parameters
    ----------
    distributions : tuple of ScoreDistribution
        One; or with `multilabel` one for each label.
    multilabel : bool

    References
    ----------
    .. [1] M. Sadinle, J. Lei, L. Wasserman (2019), "Least ambiguous set-valued classifiers with bounded error
       levels", Journal of the American Statistical Association 114.
    .. [2] Y. Romano, M. Sesia, E. J. Candes (2020), "Classification with valid and adaptive coverage",
       NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.estimators.conformal import LabelScores
    >>> held_out = np.tile([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], (10, 1))
    >>> scores = LabelScores.fit(np.array([0, 1] * 9 + [1, 0]), held_out)
    >>> scores.sets([[0.55, 0.35, 0.1], [0.9, 0.05, 0.05]], coverage=0.95)
    array([[ True,  True, False],
           [ True, False, False]])
    """

    distributions: tuple[ScoreDistribution, ...]
    multilabel: bool = False

    @classmethod
    def fit(
        cls,
        y_true: ArrayLike,
        probabilities: ArrayLike,
        *,
        lengths: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> Self:
        """Look up the probabilities that held-out labels got.

        Parameters
        ----------
        y_true : array-like of int, shape (M,) or, for several labels at once, (M, L)
            Which of K classes, or which labels (0 or 1); negative where it is not known.
        probabilities : array-like, shape (M, K) or (M, L)
            Of the classes; or of each label being there.
        lengths, weights
            As for :meth:`ScoreDistribution.fit`.

        Returns
        -------
        LabelScores

        Raises
        ------
        ValueError
            If shapes do not fit, or nothing counts.
        """
        labels, p = np.asarray(y_true), _as_probabilities(probabilities)
        multilabel = labels.ndim == 2
        if labels.shape != (p.shape if multilabel else p.shape[:1]):
            raise ValueError(f"labels of shape {labels.shape} do not fit probabilities of shape {p.shape}")
        n_known = 2 if multilabel else p.shape[1]
        if labels.max(initial=0) >= n_known:
            raise ValueError(
                f"label {labels.max()}; expected 0 to {n_known - 1}, or -1 where it is not known"
            )
        if multilabel:
            given = np.where(labels > 0, p, 1 - p)
        else:
            given = np.take_along_axis(p, np.maximum(labels, 0)[:, None], axis=1)
        scores = np.where(labels.reshape(given.shape) < 0, np.nan, 1 - given)
        return cls(
            tuple(ScoreDistribution.fit(column, lengths=lengths, weights=weights) for column in scores.T),
            multilabel,
        )

    def sets(
        self, probabilities: ArrayLike, coverage: float, *, never_empty: bool = True
    ) -> NDArray[np.bool_]:
        """Return which labels are possible, such that the true one is with probability `coverage` or more.

        Parameters
        ----------
        probabilities : array-like, shape (M, K) or (M, L)
        coverage : float
            Between 0 and 1.
        never_empty : bool, default=True
            Whether the most probable label is always in. A set may be empty otherwise: the sample is unlike
            all that were held out, or the coverage is less than the accuracy.

        Returns
        -------
        ndarray of bool, shape (M, K) or, with several labels at once, (M, L, 2)
            ``[i, k]``: whether sample `i` may be of class `k`. ``[i, l, 0]``: whether label `l` may be
            absent, ``[i, l, 1]`` whether it may be there; the coverage is that of each label by itself.

        Raises
        ------
        ValueError
            If too few sequences were held out for the coverage, or shapes do not fit.
        """
        p = _as_probabilities(probabilities)
        q = np.array([known.quantile(coverage) for known in self.distributions])
        if self.multilabel:
            p, q = np.stack([1 - p, p], axis=-1), q[:, None]
        possible: NDArray[np.bool_] = 1 - p <= q
        if never_empty:
            possible |= p == p.max(axis=-1, keepdims=True)
        return possible

    def to_arrays(self) -> Arrays:
        """Return everything as arrays, for the model file."""
        return {**_pack((self.distributions,)), "multilabel": np.array([self.multilabel], dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take back what `to_arrays` returned."""
        return cls(_unpack(arrays)[0], bool(arrays["multilabel"][0]))


def _check(
    predicted: ArrayLike, scale: ArrayLike | None, levels: tuple[float, ...], target: tuple[int, ...] | None
) -> tuple[FloatArray, FloatArray | float]:
    """Return predictions, quantiles in a last axis of their own, and the scale, or 1."""
    values = np.asarray(predicted, dtype=np.float64)
    if len(levels) > 1:
        if not all(0 < low < high < 1 for low, high in pairwise(levels)):
            raise ValueError(f"levels={levels}; expected numbers that grow between 0 and 1")
        fits = values.ndim == 3 and values.shape[2] == len(levels)
        expected = f"(samples, outputs, {len(levels)} quantiles)"
    else:
        fits, expected = values.ndim == 2, "(samples, outputs)"
    if not fits or (target is not None and target != values.shape[:2]):
        fitting = "" if target is None else f", fitting targets of shape {target}"
        raise ValueError(f"predictions have shape {values.shape}; expected {expected}{fitting}")
    if scale is None:
        return values, 1.0
    width = np.asarray(scale, dtype=np.float64)
    if len(levels) > 1:
        raise ValueError("scale: quantiles have their own widths; pass one or the other")
    if width.shape != values.shape or not (width > 0).all():
        raise ValueError(f"scale: expected positive numbers of shape {values.shape}, got {width.shape}")
    return values, width


def _pairs(levels: tuple[float, ...]) -> list[tuple[int, int]]:
    """Return the positions of the outermost two levels, and so on inwards."""
    return [(i, len(levels) - 1 - i) for i in range(len(levels) // 2)]


def _as_probabilities(given: ArrayLike) -> FloatArray:
    p = np.asarray(given, dtype=np.float64)
    if p.ndim != 2 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"expected probabilities of shape (samples, labels), between 0 and 1, got {p.shape}")
    return p


def _pack(distributions: tuple[tuple[ScoreDistribution, ...], ...]) -> Arrays:
    everything = [one for several in distributions for one in several]
    shape = (len(distributions), len(distributions[0]))
    return {
        "values": np.concatenate([one.values for one in everything]),
        "shares": np.concatenate([one.shares for one in everything]),
        "counts": np.array([len(one.values) for one in everything], dtype=np.int64).reshape(shape),
        "n_sequences": np.array([one.n_sequences for one in everything], dtype=np.int64).reshape(shape),
    }


def _unpack(arrays: Mapping[str, NDArray[Any]]) -> tuple[tuple[ScoreDistribution, ...], ...]:
    counts = arrays["counts"]
    ends = np.cumsum(counts)[:-1]
    everything = map(
        ScoreDistribution,
        np.split(arrays["values"], ends),
        np.split(arrays["shares"], ends),
        arrays["n_sequences"].ravel().tolist(),
    )
    several = list(everything)
    n_outputs = counts.shape[1]
    return tuple(tuple(several[i : i + n_outputs]) for i in range(0, len(several), n_outputs))
