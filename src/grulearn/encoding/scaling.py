"""Scaling of inputs and targets to mean 0 and standard deviation 1, and of targets back.

Statistics and differences are formed in float64, and only the result is cast to the network's dtype,
float32 unless asked for otherwise: a timestamp near 1.7e9 or a price near 1e6 loses its small changes if
it is cast first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._moments import Moments, column_moments
from grulearn.encoding._segments import Segments, block_rows
from grulearn.encoding._weights import counting_weights
from grulearn.sequences import Sequences

__all__ = ["Scaling", "TargetScaling"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """``(x - mean) / scale`` for each input feature. What is missing (NaN) stays missing.

    Parameters
    ----------
    mean : ndarray of float64, shape (F,)
        NaN for a feature of which no value was seen: all its values become missing ones.
    scale : ndarray of float64, shape (F,)
        Standard deviation (of the population, divisor n); 1 for a constant feature.
    constant : ndarray of bool, shape (F,)
        Which features had one value only when the scaling was fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.sequences import Sequences
    >>> table = Sequences.from_array(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]))
    >>> scaling = Scaling.fit(table)
    >>> scaling.transform(table).rows
    array([[-1.,  0.],
           [ 1.,  0.],
           [nan,  0.]], dtype=float32)
    >>> scaling.constant
    array([False,  True])
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]

    @classmethod
    def fit(cls, sequences: Sequences, weights: NDArray[np.float64] | None = None) -> Self:
        """Take mean and standard deviation over the steps of all `sequences`.

        Parameters
        ----------
        sequences : Sequences
            The training part only. A step that two sequences share counts twice. Finite values, or NaN,
            which does not count.
        weights : array-like of shape (N,), default=None
            How often each sequence counts. One of weight 0 does not count at all.

        Returns
        -------
        Scaling

        Raises
        ------
        ValueError
            If the weights are not N finite numbers of at least 0, or all are 0.
        """
        kept, shares = counting_weights(len(sequences), weights)
        if kept is not None:
            sequences = sequences[kept]
        read = Segments.shared(sequences)
        counts = read.weights(sequences.lengths, shares)

        def blocks() -> Iterator[tuple[NDArray[Any], NDArray[np.float64] | None]]:
            for block in read.blocks(block_rows(sequences.n_features)):
                yield sequences.rows[block.source], None if counts is None else counts[block.rows]

        return cls(*_mean_and_scale(column_moments(blocks, sequences.n_features)))

    @classmethod
    def identity(cls, n_features: int) -> Self:
        """Return the scaling that leaves `n_features` features as they are."""
        return cls(np.zeros(n_features), np.ones(n_features), np.zeros(n_features, dtype=np.bool_))

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return values in the network's units.

        Parameters
        ----------
        values : ndarray of float32 or float64, shape (..., F)

        Returns
        -------
        ndarray of float64, shape (..., F)
            Infinite where that leaves float64's range.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: NDArray[np.float64] = (values - self.mean) / self.scale
        return scaled

    def transform(self, sequences: Sequences, dtype: str = "float32") -> Sequences:
        """Scale `sequences`.

        Parameters
        ----------
        sequences : Sequences
            F features.
        dtype : {"float32", "float64"}, default="float32"
            What the network computes in.

        Returns
        -------
        Sequences
            The same sequences on new rows of `dtype`. A value too large for it becomes infinite.
        """
        rows = np.empty(sequences.rows.shape, dtype=dtype)
        size = block_rows(sequences.n_features)
        with np.errstate(over="ignore"):
            for begin in range(0, len(rows), size):
                block = slice(begin, begin + size)
                rows[block] = self.apply(sequences.rows[block])
        return sequences.with_rows(rows)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `from_arrays` rebuilds the scaling from."""
        return {"mean": self.mean, "scale": self.scale, "constant": self.constant}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a scaling from what `to_arrays` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        return cls(arrays["mean"], arrays["scale"], arrays["constant"])


@dataclass(frozen=True, eq=False)
class TargetScaling:
    """``(y - mean) / scale`` for each output, and its inverse for predictions.

    A constant target gets the scale 0: the network is asked for 0, and whatever it answers, the
    prediction is that constant.

    Parameters
    ----------
    mean : ndarray of float64, shape (O,)
    scale : ndarray of float64, shape (O,)
        What one unit of the network's output is worth in the user's units.

    Examples
    --------
    >>> import numpy as np
    >>> prices = np.array([[10.0, 7.0], [30.0, 7.0]])
    >>> scaling = TargetScaling.fit(prices)
    >>> scaling.transform(prices)
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> scaling.inverse(np.array([[0.5, 0.5]], dtype=np.float32))
    array([[25.,  7.]])
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        targets: NDArray[np.float64],
        *,
        standardize: bool = True,
        weights: NDArray[np.float64] | None = None,
        positive: bool = False,
    ) -> Self:
        """Take mean and standard deviation of each output.

        Parameters
        ----------
        targets : ndarray of float64, shape (N, O)
            The training part only. Finite values, or NaN, which does not count.
        standardize : bool, default=True
            If False, only constant outputs are scaled; the others keep the user's units.
        weights : array-like of shape (N,), default=None
            How often each row counts. One of weight 0 does not count at all.
        positive : bool, default=False
            Whether to divide by the mean and move nothing, for targets of at least 0 that have to stay so.
            The loss "poisson" of a scaled target is the loss of the target divided by that mean.

        Returns
        -------
        TargetScaling
            An output without one target keeps its units.

        Raises
        ------
        ValueError
            If the weights are not N finite numbers of at least 0, or all are 0.
        """
        kept, shares = counting_weights(len(targets), weights)
        if kept is not None:
            targets = targets[kept]
        size = block_rows(targets.shape[1])

        def blocks() -> Iterator[tuple[NDArray[Any], NDArray[np.float64] | None]]:
            for begin in range(0, len(targets), size):
                block = slice(begin, begin + size)
                yield targets[block], None if shares is None else shares[block]

        mean, scale, constant = _mean_and_scale(column_moments(blocks, targets.shape[1]))
        mean = np.where(np.isnan(mean), 0.0, mean)
        if not standardize:
            mean, scale = np.where(constant, mean, 0.0), np.ones_like(scale)
        elif positive:
            mean, scale = np.where(constant, mean, 0.0), np.where(mean > 0.0, mean, 1.0)
        return cls(mean, np.where(constant, 0.0, scale))

    @classmethod
    def identity(cls, n_outputs: int) -> Self:
        """Return the scaling that leaves targets as they are."""
        return cls(np.zeros(n_outputs), np.ones(n_outputs))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which outputs had one value only, shape (O,)."""
        constant: NDArray[np.bool_] = self.scale == 0.0
        return constant

    def transform(self, targets: NDArray[np.float64], dtype: str = "float32") -> NDArray[Any]:
        """Scale targets for the network.

        Parameters
        ----------
        targets : ndarray of float64, shape (N, O)
        dtype : {"float32", "float64"}, default="float32"
            What the network computes in.

        Returns
        -------
        ndarray of `dtype`, shape (N, O)
        """
        divisor = np.where(self.constant, 1.0, self.scale)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray((targets - self.mean) / divisor, dtype=dtype)

    def inverse(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Bring the network's outputs into the user's units.

        Parameters
        ----------
        outputs : ndarray of float32 or float64, shape (N, O)

        Returns
        -------
        ndarray of float64, shape (N, O)
        """
        predictions: NDArray[np.float64] = outputs * self.scale + self.mean
        return predictions

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `from_arrays` rebuilds the scaling from."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a scaling from what `to_arrays` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        return cls(arrays["mean"], arrays["scale"])


def _mean_and_scale(
    moments: Moments,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return mean, standard deviation (1 where there is none) and constancy of each column."""
    constant: NDArray[np.bool_] = moments.deviation == 0.0
    return moments.mean, np.where(moments.deviation > 0.0, moments.deviation, 1.0), constant
