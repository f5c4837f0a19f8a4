"""Scaling of inputs and targets to mean 0 and standard deviation 1, and of targets back.

Statistics and differences are formed in float64, and only the result is cast to the network's dtype,
float32 unless asked for otherwise: a timestamp near 1.7e9 or a price near 1e6 loses its small changes if
it is cast first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from grulearn.sequences import Sequences

__all__ = ["Scaling", "TargetScaling"]

# Rows are scaled block by block: the float64 differences of a block stay in the cache, and a long log
# never exists twice in float64.
_BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Scaling:
    """``(x - mean) / scale`` for each input feature.

    Parameters
    ----------
    mean : ndarray of float64, shape (F,)
    scale : ndarray of float64, shape (F,)
        Standard deviation (of the population, divisor n); 1 for a constant feature.
    constant : ndarray of bool, shape (F,)
        Which features had one value only when the scaling was fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.sequences import Sequences
    >>> table = Sequences.from_array(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaling = Scaling.fit(table)
    >>> scaling.transform(table).rows
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> scaling.constant
    array([False,  True])
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]

    @classmethod
    def fit(cls, sequences: Sequences) -> Self:
        """Take mean and standard deviation over the steps of all `sequences`.

        Parameters
        ----------
        sequences : Sequences
            The training part only. A step that two sequences share counts twice. Finite values.

        Returns
        -------
        Scaling
        """
        return cls(*_statistics(_used_rows(sequences)))

    @classmethod
    def identity(cls, n_features: int) -> Self:
        """Return the scaling that leaves `n_features` features as they are."""
        return cls(np.zeros(n_features), np.ones(n_features), np.zeros(n_features, dtype=np.bool_))

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
        with np.errstate(over="ignore"):
            for begin in range(0, len(rows), _BLOCK_ROWS):
                block = slice(begin, begin + _BLOCK_ROWS)
                rows[block] = (sequences.rows[block] - self.mean) / self.scale
        return Sequences(rows, sequences.starts, sequences.lengths)

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
    def fit(cls, targets: NDArray[np.float64], *, standardize: bool = True) -> Self:
        """Take mean and standard deviation of each output.

        Parameters
        ----------
        targets : ndarray of float64, shape (N, O)
            The training part only. Finite values.
        standardize : bool, default=True
            If False, only constant outputs are scaled; the others keep the user's units.

        Returns
        -------
        TargetScaling
        """
        mean, scale, constant = _statistics(targets)
        if not standardize:
            mean, scale = np.where(constant, mean, 0.0), np.ones_like(scale)
        return cls(mean, np.where(constant, 0.0, scale))

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


def _statistics(
    values: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return mean, standard deviation (1 where constant) and constancy of each column."""
    scaler = StandardScaler().fit(values)
    # The scaler sets the scale of a column to 1 where its variance is no more than rounding; this is
    # the only case in which the scale is not the root of the variance.
    constant: NDArray[np.bool_] = scaler.scale_ != np.sqrt(scaler.var_)
    # The mean of ten times 0.1 is not 0.1.
    mean = np.where(constant, values[0], scaler.mean_)
    return mean, scaler.scale_, constant


def _used_rows(sequences: Sequences) -> NDArray[Any]:
    index = sequences.row_index()
    if len(index) == len(sequences.rows) and np.array_equal(index, np.arange(len(index))):
        return sequences.rows
    used: NDArray[Any] = sequences.rows[index]
    return used
