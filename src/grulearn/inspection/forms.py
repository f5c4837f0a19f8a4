"""Data with values exchanged, in the form in which it came."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences, as_sequences

__all__ = ["Given", "read"]

Indices = NDArray[np.int64]


class Given(Protocol):
    """What a user handed in, as rows of steps, sequence after sequence."""

    data: Any  # as the estimator gets it
    lengths: Indices
    names: list[str]  # of the features

    def exchanged(self, feature: int | None, source: Indices) -> Any:
        """Return a copy whose row `i` has the values of row ``source[i]``: of one feature, or of all."""


def read(X: Any, tokens: Any = None) -> Given:
    """Take whatever :func:`grulearn.sequences.as_sequences` takes.

    Examples
    --------
    >>> import numpy as np
    >>> given = read([[1.0, 2.0], [3.0, 4.0]])
    >>> given.exchanged(0, np.array([1, 0]))
    array([[3., 2.],
           [1., 4.]])
    """
    data = as_sequences(X, tokens=tokens)
    data.require_steps()
    if isinstance(X, Sequences) or tokens is not None:
        return _GivenSequences(data)
    if hasattr(type(X), "columns") or hasattr(type(X), "column_names"):
        return _GivenFrame(X)
    if isinstance(X, np.ndarray) and X.dtype != object:
        return _GivenArray(X)
    if isinstance(X, list | tuple) and data.n_steps_summary()[2] == 1:
        return _GivenArray(np.asarray(X))
    return _GivenSequences(data)


class _GivenArray:
    """An array of shape (N, F) or (N, T, F)."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.data = array
        n_steps = array.shape[1] if array.ndim == 3 else 1
        self.lengths = np.full(len(array), n_steps, dtype=np.int64)
        self.names = [f"x{j}" for j in range(array.shape[-1])]

    def exchanged(self, feature: int | None, source: Indices) -> Any:
        rows = self.data.reshape(len(source), -1)
        if feature is None:
            return rows[source].reshape(self.data.shape)
        changed = rows.copy()
        changed[:, feature] = rows[source, feature]
        return changed.reshape(self.data.shape)


class _GivenFrame:
    """A dataframe of any make, whose rows are sequences of one step."""

    def __init__(self, frame: Any) -> None:
        import narwhals as nw

        self.data = frame
        self._frame = nw.from_native(frame, eager_only=True)
        self.lengths = np.ones(len(self._frame), dtype=np.int64)
        self.names = [str(name) for name in self._frame.columns]

    def exchanged(self, feature: int | None, source: Indices) -> Any:
        if feature is None:
            return self._frame[source].to_native()
        column = self._frame[self._frame.columns[feature]]
        return self._frame.with_columns(column[source]).to_native()


class _GivenSequences:
    """Sequences; windows that overlap no longer share their rows."""

    def __init__(self, data: Sequences) -> None:
        self.data = data
        self.lengths = data.lengths
        self._index = data.row_index()
        numeric = data.schema.features or [f"x{j}" for j in range(data.n_features)]
        self.names = [*numeric, *(data.schema.categorical or [f"c{c}" for c in range(data.n_categorical)])]

    def exchanged(self, feature: int | None, source: Indices) -> Any:
        data, there = self.data, self._index[source]
        numeric = coded = slice(None)
        if feature is not None:
            # One of the two is empty.
            c = max(feature - data.n_features, -1)
            numeric, coded = slice(feature, feature + 1), slice(max(c, 0), c + 1)
        rows, codes = data.rows[self._index], data.codes[self._index]
        rows[:, numeric] = data.rows[there, numeric]
        codes[:, coded] = data.codes[there, coded]
        return Sequences(
            rows,
            np.cumsum(self.lengths) - self.lengths,
            self.lengths,
            codes=codes,
            categories=data.categories,
            times=None if data.times is None else data.times[self._index],
            ids=data.ids,
            schema=data.schema,
        )
