"""The layout: stacked rows in typed blocks, and the list view that says which of them are whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences._categories import as_categories
from grulearn.sequences._schema import Schema
from grulearn.sequences._values import as_float_array, as_positions, source_dtype

__all__ = ["ListView"]

Indices = slice | Sequence[int] | Sequence[bool] | NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False, init=False, slots=True)
class ListView:
    """N sequences as views into stacked rows. The public class :class:`Sequences` documents it."""

    rows: NDArray[Any]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    codes: NDArray[np.int32]
    categories: tuple[NDArray[Any], ...]
    times: NDArray[Any] | None
    ids: NDArray[Any] | None
    schema: Schema

    def __init__(
        self,
        rows: ArrayLike,
        starts: ArrayLike,
        lengths: ArrayLike,
        *,
        codes: ArrayLike | None = None,
        categories: Sequence[ArrayLike] | None = None,
        times: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        schema: Schema | None = None,
    ) -> None:
        stacked = as_float_array(rows, "rows")
        if stacked.ndim != 2:
            raise ValueError(f"rows: expected shape (rows, features), got {stacked.shape}")
        begins, counts = as_positions(starts, "starts"), as_positions(lengths, "lengths")
        _check_view(begins, counts, len(stacked))
        coded, known = _check_codes(codes, categories, len(stacked))
        schema = schema or Schema()
        if schema.feature_dtypes is None:
            given = source_dtype(rows) or stacked.dtype
            schema = replace(schema, feature_dtypes=(given,) * stacked.shape[1])
        clock, time_dtype = _check_times(times, len(stacked), schema)
        _check_names(schema, stacked.shape[1], coded.shape[1])
        self._fill(
            rows=stacked,
            starts=begins,
            lengths=counts,
            codes=coded,
            categories=known,
            times=clock,
            ids=_check_ids(ids, len(begins)),
            schema=replace(schema, time_dtype=time_dtype),
        )

    def _fill(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _view(self, starts: NDArray[np.int64], lengths: NDArray[np.int64], ids: NDArray[Any] | None) -> Self:
        """Return other sequences over the same blocks; the caller has checked that they fit."""
        view = object.__new__(type(self))
        view._fill(
            rows=self.rows,
            starts=starts,
            lengths=lengths,
            codes=self.codes,
            categories=self.categories,
            times=self.times,
            ids=ids,
            schema=self.schema,
        )
        return view

    @property
    def shape(self) -> tuple[int, int | None, int]:
        """(N, T, F); T is None where the lengths differ, or there is no sequence. F: numeric ones."""
        if len(self) == 0 or self.lengths.min() != self.lengths.max():
            return len(self), None, self.n_features
        return len(self), int(self.lengths[0]), self.n_features

    @property
    def n_features(self) -> int:
        """Number of numeric features F of each step."""
        return int(self.rows.shape[1])

    @property
    def n_categorical(self) -> int:
        """Number of categorical features C of each step."""
        return int(self.codes.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numeric rows' dtype: float32 or float64."""
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
        ndarray of shape (T_i, F) for an int, a view of the numeric rows; otherwise Sequences

        Raises
        ------
        IndexError
            If an index is out of range, a mask has the wrong length, or the key is something else.
        """
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if not isinstance(key, slice):
            picked = np.asarray(key)
            if picked.size == 0 and picked.ndim == 1 and not isinstance(key, np.ndarray):
                picked = picked.astype(np.int64)  # NumPy makes [] an array of floats
            self._check_key(picked)
            if picked.ndim == 0:
                return self.rows[self.span(int(picked))]
            key = picked
        # A slice with a step would leave strided views, which the core does not take.
        starts, lengths = np.ascontiguousarray(self.starts[key]), np.ascontiguousarray(self.lengths[key])
        return self._view(starts, lengths, None if self.ids is None else self.ids[key])

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

    def span(self, i: int) -> slice:
        """Return the slice of sequence `i` in `rows`, `codes` and `times`.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> X = Sequences(np.zeros((5, 1)), [3, 0], [2, 3], times=[0, 5, 9, 4, 7])
        >>> X.times[X.span(0)]
        array([4, 7])
        """
        start = int(self.starts[i])
        return slice(start, start + int(self.lengths[i]))

    def label(self, i: int) -> str:
        """Return what messages call sequence `i`: its number, and its id if there is one.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Schema, Sequences
        >>> X = Sequences(np.zeros((2, 1)), [0], [2], ids=["pump 7"], schema=Schema(id="machine"))
        >>> X.label(0)
        "sequence 0 (machine 'pump 7')"
        """
        if self.ids is None:
            return f"sequence {i}"
        return f"sequence {i} ({self.schema.id} {self.ids[[i]].tolist()[0]!r})"

    def require_steps(self, least: int = 1, remedy: str | None = None) -> None:
        """Raise an error that names the first sequence of fewer than `least` steps.

        Parameters
        ----------
        least : int, default=1
        remedy : str, default=None
            What the message says is to be done.

        Raises
        ------
        ValueError
            If there is one.
        """
        short = np.flatnonzero(self.lengths < least)
        if len(short):
            i, more = int(short[0]), len(short) - 1
            others = f" ({more:,} more such sequence{'s' * (more != 1)})" if more else ""
            raise ValueError(
                f"{self.label(i)} has {_count(int(self.lengths[i]), 'step')}{others}; expected at least "
                f"{least}. {remedy or f'Leave it out: X[X.lengths >= {least}]'}"
            )

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

    def __repr__(self) -> str:
        low, _, high = self.n_steps_summary()
        steps = f"{low} to {high} steps" if low != high else _count(low, "step")
        kinds = [_count(self.n_features, "feature")] if self.n_features or not self.n_categorical else []
        if self.n_categorical:
            kinds.append(_count(self.n_categorical, "categorical feature"))
        kinds += [str(self.dtype)] * (self.n_features > 0 or not self.n_categorical)
        return f"Sequences({_count(len(self), 'sequence')} of {steps}, {', '.join(kinds)})"


def _count(n: int, unit: str) -> str:
    return f"{n} {unit}{'s' * (n != 1)}"


def _check_view(starts: NDArray[np.int64], lengths: NDArray[np.int64], n_rows: int) -> None:
    if len(starts) != len(lengths):
        raise ValueError(f"{len(starts)} starts but {len(lengths)} lengths; a sequence has one of each")
    # starts > n - lengths rather than starts + lengths > n: the sum may overflow.
    outside = (starts < 0) | (lengths < 0) | (lengths > n_rows) | (starts > n_rows - lengths)
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        raise ValueError(
            f"sequence {i}: start {starts[i]} and length {lengths[i]} do not fit into "
            f"the {n_rows} rows there are"
        )


def _check_codes(
    codes: ArrayLike | None, categories: Sequence[ArrayLike] | None, n_rows: int
) -> tuple[NDArray[np.int32], tuple[NDArray[Any], ...]]:
    if codes is None:
        if categories:
            raise ValueError(f"{len(categories)} lists of categories, but no codes")
        return np.empty((n_rows, 0), dtype=np.int32), ()
    array = np.asarray(codes)
    if array.ndim != 2 or len(array) != n_rows or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(
            f"codes: expected integers of shape ({n_rows}, categorical features), got {array.dtype} of shape "
            f"{array.shape}"
        )
    if categories is None or len(categories) != array.shape[1]:
        raise ValueError(
            f"codes have {array.shape[1]} columns, but there are "
            f"{0 if categories is None else len(categories)} lists of categories; expected one for each "
            "column"
        )
    known = tuple(as_categories(values, f"categories {c}") for c, values in enumerate(categories))
    for c, values in enumerate(known):
        outside = (array[:, c] < -1) | (array[:, c] >= len(values))
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(
                f"codes: {array[row, c]} in row {row}, column {c}; expected -1 (missing) to "
                f"{len(values) - 1}, for {len(values)} categories"
            )
    return np.ascontiguousarray(array, dtype=np.int32), known


def _check_times(
    times: ArrayLike | None, n_rows: int, schema: Schema
) -> tuple[NDArray[Any] | None, np.dtype[Any] | None]:
    """Return times as int64 or float64, and the dtype that says what they count."""
    if times is None:
        return None, None
    array = np.asarray(times)
    if array.shape != (n_rows,) or array.dtype.kind not in "iufmM":
        raise ValueError(
            f"times: expected numbers, datetimes or durations of shape ({n_rows},), one for each row, got "
            f"{array.dtype} of shape {array.shape}"
        )
    missing = np.isnat(array) if array.dtype.kind in "mM" else ~np.isfinite(array)
    if missing.any():
        raise ValueError(
            f"times: {array[missing.argmax()]} in row {int(missing.argmax())}; expected none missing"
        )
    if array.dtype.kind in "mM":
        return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("=")).view(np.int64), array.dtype
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"times: {array.max()} is beyond int64")
    counts = np.ascontiguousarray(array, dtype=np.float64 if array.dtype.kind == "f" else np.int64)
    return counts, schema.time_dtype if counts.dtype == np.int64 and schema.time_dtype else counts.dtype


def _check_ids(ids: ArrayLike | None, n: int) -> NDArray[Any] | None:
    if ids is None:
        return None
    array = np.asarray(ids)
    if array.shape != (n,):
        raise ValueError(f"ids: expected shape ({n},), one for each sequence, got {array.shape}")
    return array.astype(object) if array.dtype.kind == "U" else array


def _check_names(schema: Schema, n_features: int, n_categorical: int) -> None:
    for what, names, count in (
        ("features", schema.features, n_features),
        ("feature_dtypes", schema.feature_dtypes, n_features),
        ("categorical", schema.categorical, n_categorical),
    ):
        if names is not None and len(names) != count:
            raise ValueError(f"schema.{what} has {len(names)} entries, expected {count}")
