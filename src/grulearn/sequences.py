"""Sequences: the one form in which data travels.

N sequences of T_i steps and F features are kept as Arrow keeps a list view: the steps of all sequences
are rows of one matrix, and sequence `i` is ``rows[starts[i] : starts[i] + lengths[i]]``. Picking, ordering
or repeating sequences copies two integers for each and no data; windows over a long log are views that
overlap; nothing is padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Sequences", "as_sequences"]

Indices = slice | Sequence[int] | Sequence[bool] | NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Sequences:
    """N sequences, each a number of steps of F features, as views into stacked rows.

    Parameters
    ----------
    rows : array-like, shape (n_rows, F)
        The steps, one a row. float32 and float64 are kept as they are, other numbers become float64
        (float16 becomes float32). A C-contiguous array is not copied. NaN stands for a missing value.
    starts : array-like of int, shape (N,)
        The first row of each sequence.
    lengths : array-like of int, shape (N,)
        The number of steps of each sequence; 0 is allowed.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not a real number, or a sequence leaves the rows; the
        message names the place.

    Examples
    --------
    Two windows over one log, which share two of its rows:

    >>> import numpy as np
    >>> from grulearn.sequences import Sequences
    >>> windows = Sequences(np.arange(8.0).reshape(4, 2), starts=[0, 1], lengths=[3, 3])
    >>> windows
    Sequences(2 sequences of 3 steps, 2 features, float64)
    >>> windows[1]
    array([[2., 3.],
           [4., 5.],
           [6., 7.]])
    >>> windows[[1, 1, 0]].shape
    (3, 3, 2)
    """

    rows: NDArray[Any]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = _as_float_array(self.rows, "rows")
        if rows.ndim != 2:
            raise ValueError(f"rows: expected shape (rows, features), got {rows.shape}")
        starts = _as_positions(self.starts, "starts")
        lengths = _as_positions(self.lengths, "lengths")
        if len(starts) != len(lengths):
            raise ValueError(f"{len(starts)} starts but {len(lengths)} lengths; a sequence has one of each")
        # starts > n - lengths rather than starts + lengths > n: the sum may overflow.
        outside = (starts < 0) | (lengths < 0) | (lengths > len(rows)) | (starts > len(rows) - lengths)
        if outside.any():
            i = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f"sequence {i}: start {starts[i]} and length {lengths[i]} "
                f"do not fit into the {len(rows)} rows there are"
            )
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "lengths", lengths)

    @classmethod
    def from_array(cls, X: ArrayLike) -> Self:
        """Take a table or a rectangular array.

        Parameters
        ----------
        X : array-like, shape (N, F) or (N, T, F)
            A table gives N sequences of one step. A C-contiguous float32 or float64 array is not copied.

        Returns
        -------
        Sequences

        Raises
        ------
        ValueError
            If `X` has another number of dimensions or holds something that is not a real number.
        TypeError
            If `X` is a sparse matrix.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences.from_array(np.zeros((5, 7, 2)))
        Sequences(5 sequences of 7 steps, 2 features, float64)
        """
        values = _as_float_array(X, "X")
        if values.ndim not in (2, 3):
            raise ValueError(
                "X: expected a table of shape (samples, features) or an array of shape "
                f"(samples, steps, features), got {values.ndim} dimension(s) with shape {values.shape}. "
                "Reshape your data: X.reshape(-1, 1) for samples of one feature, "
                "X.reshape(1, -1) for one sample"
            )
        n, n_steps = len(values), values.shape[1] if values.ndim == 3 else 1
        return cls(
            values.reshape(n * n_steps, values.shape[-1]),
            np.arange(n, dtype=np.int64) * n_steps,
            np.full(n, n_steps, dtype=np.int64),
        )

    @classmethod
    def from_list(cls, sequences: Sequence[ArrayLike]) -> Self:
        """Stack sequences of different lengths.

        Parameters
        ----------
        sequences : sequence of array-like, each of shape (T_i, F)
            At least one; T_i may be 0.

        Returns
        -------
        Sequences
            The values are copied into one block, float32 if every sequence was.

        Raises
        ------
        ValueError
            If there is no sequence, or one does not have two dimensions or the others' number of
            features; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences.from_list([np.zeros((2, 3)), np.zeros((4, 3))])
        Sequences(2 sequences of 2 to 4 steps, 3 features, float64)
        """
        arrays = [_as_float_array(item, f"sequence {i}") for i, item in enumerate(sequences)]
        _check_same_features(arrays)
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        return cls(np.concatenate(arrays), np.cumsum(lengths) - lengths, lengths)

    @property
    def shape(self) -> tuple[int, int | None, int]:
        """(N, T, F); T is None where the lengths differ, or there is no sequence."""
        if len(self) == 0 or self.lengths.min() != self.lengths.max():
            return len(self), None, self.n_features
        return len(self), int(self.lengths[0]), self.n_features

    @property
    def n_features(self) -> int:
        """Number of features F of each step."""
        return int(self.rows.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The rows' dtype: float32 or float64."""
        return self.rows.dtype

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        ends = self.starts + self.lengths
        return (self.rows[a:b] for a, b in zip(self.starts.tolist(), ends.tolist(), strict=True))

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: Indices) -> Self: ...

    @overload
    def __getitem__(self, key: tuple[Any, EllipsisType]) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        """Pick sequences; the rows are shared, never copied.

        Parameters
        ----------
        key : int, slice, index array or bool mask
            Counts along the sequences. ``(key, ...)``, which scikit-learn's splitters use, is the same
            as ``key``.

        Returns
        -------
        ndarray of shape (T_i, F) for an int, a view; otherwise Sequences

        Raises
        ------
        IndexError
            If an index is out of range, a mask has the wrong length, or the key is something else.
        """
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if isinstance(key, slice):
            return type(self)(self.rows, self.starts[key], self.lengths[key])
        picked = np.asarray(key)
        if picked.size == 0 and picked.ndim == 1 and not isinstance(key, np.ndarray):
            picked = picked.astype(np.int64)  # NumPy makes [] an array of floats
        self._check_key(picked)
        if picked.ndim == 0:
            start = self.starts[picked]
            return self.rows[start : start + self.lengths[picked]]
        return type(self)(self.rows, self.starts[picked], self.lengths[picked])

    def _check_key(self, picked: NDArray[Any]) -> None:
        n, kind = len(self), picked.dtype.kind
        if (picked.ndim, kind) not in {(0, "i"), (0, "u"), (1, "i"), (1, "u"), (1, "b")}:
            raise IndexError(
                "sequences are picked by an int, a slice, an index array or a bool mask, "
                f"got {picked.dtype} of shape {picked.shape}"
            )
        if kind == "b":
            if len(picked) != n:
                raise IndexError(f"the mask has {len(picked)} entries, but there are {n} sequences")
        elif picked.size and not (-n <= picked.min() and picked.max() < n):
            wrong = picked.max() if picked.max() >= n else picked.min()
            raise IndexError(f"sequence {wrong} was asked for, but there are {n} sequences")

    def n_steps_summary(self) -> tuple[int, float, int]:
        """Return the least, median and greatest number of steps; zeros if there is no sequence.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences(np.zeros((4, 1)), [0, 0, 0], [1, 2, 4]).n_steps_summary()
        (1, 2.0, 4)
        """
        if len(self) == 0:
            return 0, 0.0, 0
        return int(self.lengths.min()), float(np.median(self.lengths)), int(self.lengths.max())

    def row_index(self) -> NDArray[np.int64]:
        """Return the row numbers that the sequences use, sequence after sequence.

        ``rows[row_index()]`` is all sequences stacked; a row that two sequences share appears twice.

        Returns
        -------
        ndarray of int64, shape (sum(lengths),)

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences(np.zeros((5, 1)), [3, 0], [2, 3]).row_index()
        array([3, 4, 0, 1, 2])
        """
        begins = np.cumsum(self.lengths) - self.lengths
        return np.repeat(self.starts - begins, self.lengths) + np.arange(self.lengths.sum(), dtype=np.int64)

    def to_list(self) -> list[NDArray[Any]]:
        """Return the sequences as a list of N views of shape (T_i, F)."""
        return list(self)

    def __repr__(self) -> str:
        low, _, high = self.n_steps_summary()
        steps = f"{low} to {high} steps" if low != high else f"{low} step{'s' * (low != 1)}"
        sequences = f"{len(self)} sequence{'s' * (len(self) != 1)} of {steps}"
        features = f"{self.n_features} feature{'s' * (self.n_features != 1)}"
        return f"Sequences({sequences}, {features}, {self.dtype})"


def as_sequences(X: Any) -> Sequences:
    """Take whatever a user may hand in as data.

    Parameters
    ----------
    X : Sequences, array-like of shape (N, F) or (N, T, F), or list of arrays of shape (T_i, F)
        Sequences are returned as they are.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError, TypeError
        As :meth:`Sequences.from_array` and :meth:`Sequences.from_list` do.

    Examples
    --------
    >>> from grulearn.sequences import as_sequences
    >>> as_sequences([[1.0, 2.0], [3.0, 4.0]])
    Sequences(2 sequences of 1 step, 2 features, float64)
    """
    if isinstance(X, Sequences):
        return X
    if isinstance(X, list | tuple) and any(_has_steps(item) for item in X):
        return Sequences.from_list(X)
    return Sequences.from_array(X)


def _has_steps(item: Any) -> bool:
    """Tell whether a list's item is a sequence of its own rather than one row of a table."""
    if hasattr(item, "ndim"):
        return bool(item.ndim == 2)
    if not isinstance(item, list | tuple):
        return False
    return any(isinstance(step, list | tuple | np.ndarray) for step in item)


def _check_same_features(arrays: list[NDArray[Any]]) -> None:
    if not arrays:
        raise ValueError(
            "there is no sequence in the list, so the number of features is unknown; "
            "for zero sequences pass an array of shape (0, steps, features)"
        )
    for i, array in enumerate(arrays):
        if array.ndim != 2:
            raise ValueError(
                f"sequence {i}: expected shape (steps, features), got {array.shape}; "
                "a sequence of one feature has shape (steps, 1)"
            )
    widths = np.array([array.shape[1] for array in arrays])
    if (widths != widths[0]).any():
        i = int(np.flatnonzero(widths != widths[0])[0])
        message = f"sequence {i} has {widths[i]} features, but sequence 0 has {widths[0]}"
        if len({len(array) for array in arrays}) == 1:
            message += (
                f". All have {len(arrays[0])} rows: they look transposed, (features, steps); "
                "expected (steps, features), as in [x.T for x in X]"
            )
        raise ValueError(message)


def _as_positions(values: Any, name: str) -> NDArray[np.int64]:
    positions = np.asarray(values)
    if positions.ndim != 1 or (positions.dtype.kind not in "iu" and positions.size):
        raise ValueError(
            f"{name}: expected integers of shape (sequences,), "
            f"got {positions.dtype} of shape {positions.shape}"
        )
    return np.ascontiguousarray(positions, dtype=np.int64)


def _as_float_array(values: Any, place: str) -> NDArray[Any]:
    """Return `values` as a C-contiguous float32 or float64 array, without a copy where it is one."""
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise TypeError(f"{place}: a sparse matrix is not supported; pass X.toarray() if it fits in memory")
    if isinstance(values, np.ma.MaskedArray):
        # np.asarray would drop the mask without a word.
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{place}: the values do not form a rectangular array of numbers; "
            "pass sequences of different lengths as a list of arrays of shape (steps, features)"
        ) from error
    if array.dtype.kind == "c":
        raise ValueError(f"{place}: Complex data not supported; expected real numbers")
    if array.dtype.kind == "O":
        array = _objects_to_float(array, place)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{place}: expected numbers, got an array of {array.dtype}")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return np.asarray(array, dtype=np.float32 if single else np.float64, order="C")


def _objects_to_float(array: NDArray[Any], place: str) -> NDArray[np.float64]:
    # What pandas' nullable columns have for a missing value; by name, so that pandas is not imported.
    missing = np.array([type(value).__name__ == "NAType" for value in array.flat], dtype=bool)
    try:
        return np.where(missing.reshape(array.shape), np.nan, array).astype(np.float64)
    except (TypeError, ValueError) as error:
        for position, value in np.ndenumerate(array):
            try:
                float(value)
            except (TypeError, ValueError):
                if value is not None and type(value).__name__ != "NAType":
                    where = f"[{', '.join(str(i) for i in position)}]"
                    raise ValueError(f"{place}: {value!r} at {where} is not a number") from error
        raise ValueError(f"{place}: expected numbers ({error})") from error
