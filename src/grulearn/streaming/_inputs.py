"""What a step is given: converted to what the core takes, or refused with the place of what is wrong."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.encoding import InputEncoding
from grulearn.sequences import Sequences

__all__ = ["StepReader", "read_streams"]

Streams = int | NDArray[np.int64] | None

_UNTOUCHED = "No stream was advanced."


def read_streams(streams: Any, n_streams: int) -> Streams:
    """Check which streams are meant.

    Parameters
    ----------
    streams : None, int, array-like of int of shape (n,), or mask of shape (n_streams,)
    n_streams : int

    Returns
    -------
    None, int, or ndarray of int64, shape (n,)

    Raises
    ------
    TypeError, ValueError
        If it is none of these; the message names the stream.
    """
    if streams is None:
        return None
    index = _as_index(streams)
    if index is not None:
        _check_known(np.array([index]), n_streams)
        return index
    numbers = np.asarray(streams)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iub"):
        raise TypeError(
            f"streams: expected None, the number of a stream or several such numbers, got {numbers.dtype} of "
            f"shape {numbers.shape}"
        )
    if numbers.dtype.kind == "b":
        if len(numbers) != n_streams:
            raise ValueError(
                f"streams: the mask has {len(numbers)} entries, but there are {n_streams} streams"
            )
        numbers = np.flatnonzero(numbers)
    _check_known(numbers, n_streams)
    seen, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"streams: stream {seen[counts > 1][0]} is named twice; each takes one step a call. {_UNTOUCHED}"
        )
    return np.ascontiguousarray(numbers, dtype=np.int64)


def _as_index(value: Any) -> int | None:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"streams: expected the number of a stream, got {value}")
    try:
        return operator.index(value)  # an array of one number is no index
    except TypeError:
        return None


def _check_known(numbers: NDArray[Any], n_streams: int) -> None:
    wrong = np.flatnonzero((numbers < 0) | (numbers >= n_streams))
    if len(wrong):
        known = "the only one is 0" if n_streams == 1 else f"there are 0 to {n_streams - 1}"
        raise ValueError(f"streams: there is no stream {numbers[wrong[0]]}; {known}. {_UNTOUCHED}")


class StepReader:
    """Reads the features of a step.

    Parameters
    ----------
    n_streams : int
    encoding : InputEncoding
        Of the F features.
    dtype : str
        What the network computes in.
    names : sequence of str, optional
        The features' names.
    """

    def __init__(
        self, n_streams: int, encoding: InputEncoding, dtype: str, names: Sequence[str] | None = None
    ) -> None:
        self.n_streams, self.n_features = n_streams, encoding.n_features
        self._encoding, self._dtype = encoding, dtype
        self._names = None if names is None else list(names)

    def read(self, x_t: Any, streams: Any) -> tuple[NDArray[Any], Streams]:
        """Return features and streams as the core takes them.

        Parameters
        ----------
        x_t : array-like, mapping, Series or DataFrame
        streams : None, int or array-like

        Returns
        -------
        x : ndarray of float32 or float64, shape (F,) or (n, F), C-contiguous
        streams : None, int, or ndarray of int64, shape (n,)

        Raises
        ------
        ValueError, TypeError
            If something does not fit; the message names it.
        """
        which = read_streams(streams, self.n_streams)
        x = self._in_shape(self._as_numbers(x_t), which)
        self._check_values(x, which)
        return x, which

    def _as_numbers(self, x_t: Any) -> NDArray[Any]:
        if isinstance(x_t, Mapping):
            return self._from_names(x_t)
        if hasattr(x_t, "columns"):
            return self._from_frame(x_t)
        if hasattr(x_t, "index") and hasattr(x_t, "to_dict"):  # a Series, which is a row of a DataFrame
            return self._from_names(x_t.to_dict()) if self._names is not None else self._as_real(x_t)
        return self._as_real(x_t)

    def _as_real(self, x_t: ArrayLike) -> NDArray[Any]:
        if isinstance(x_t, np.ma.MaskedArray):
            x_t = np.ma.filled(x_t.astype(np.float64), np.nan)  # a masked value is a missing one
        given = np.asarray(x_t)
        kind = given.dtype.kind
        if x_t is None or kind not in "biufO":  # None and dates would become numbers
            found = "None" if x_t is None else "complex numbers" if kind == "c" else str(given.dtype)
            raise ValueError(f"x_t: expected real numbers, got {found}. {_UNTOUCHED}")
        dtype = np.float32 if given.dtype == np.float32 else np.float64
        try:
            return np.ascontiguousarray(given, dtype=dtype).reshape(given.shape)
        except (TypeError, ValueError) as error:
            raise ValueError(f"x_t: expected real numbers, but {error}. {_UNTOUCHED}") from error

    def _from_names(self, values: Mapping[Any, Any]) -> NDArray[Any]:
        if self._names is None:
            raise ValueError(
                "x_t has names, but the model was fitted without any; pass an array of shape "
                f"({self.n_features},). {_UNTOUCHED}"
            )
        self._check_names(list(values))
        return self._as_real([values[name] for name in self._names])

    def _from_frame(self, frame: Any) -> NDArray[Any]:
        if self._names is not None:
            self._check_names([str(name) for name in frame.columns])
            frame = frame[self._names]
        rows: NDArray[Any] = Sequences.from_array(frame).rows
        return rows

    def _check_names(self, given: list[Any]) -> None:
        assert self._names is not None
        missing = [name for name in self._names if name not in given]
        unknown = [name for name in given if name not in self._names]
        if missing or unknown:
            what = f"feature {missing[0]!r} is missing" if missing else f"there is no feature {unknown[0]!r}"
            raise ValueError(f"x_t: {what}; expected {', '.join(map(repr, self._names))}. {_UNTOUCHED}")

    def _in_shape(self, x: NDArray[Any], which: Streams) -> NDArray[Any]:
        single = isinstance(which, int) or (which is None and self.n_streams == 1)
        n = self.n_streams if which is None else 1 if isinstance(which, int) else len(which)
        shapes: list[tuple[int, ...]] = [(self.n_features,)] if single else []
        if not isinstance(which, int):
            shapes.append((n, self.n_features))
        if x.shape in shapes:
            return x
        # One feature needs no axis of its own.
        if self.n_features == 1 and (*x.shape, 1) in shapes:
            return x.reshape(*x.shape, 1)
        expected = " or ".join(map(str, shapes))
        of = f"stream {which}" if isinstance(which, int) else "1 stream" if n == 1 else f"{n} streams"
        turned = x.ndim == 2 and x.shape[::-1] in shapes
        raise ValueError(
            f"x_t: expected shape {expected} for {of}, got {x.shape}"
            + ("; it looks transposed: a row for each stream" if turned else "")
            + f". {_UNTOUCHED}"
        )

    def _check_values(self, x: NDArray[Any], which: Streams) -> None:
        wrong = ~np.isfinite(x)
        if wrong.any():
            place, value = self._place(wrong, which), x[wrong][0]
            found = "NaN" if np.isnan(value) else "infinity"
            raise ValueError(f"x_t contains {found} at {place}; expected finite numbers. {_UNTOUCHED}")
        with np.errstate(over="ignore"):
            wrong = np.isinf(self._encoding.scaling.apply(x).astype(self._dtype))
        if wrong.any():
            raise ValueError(
                f"x_t contains a value too large at {self._place(wrong, which)}: {x[wrong][0]!s}, which "
                f"scaling leaves outside {self._dtype}'s range. {_UNTOUCHED}"
            )

    def _place(self, wrong: NDArray[np.bool_], which: Streams) -> str:
        row, feature = (int(i) for i in np.argwhere(np.atleast_2d(wrong))[0])
        label = (
            f"feature {feature}" if self._names is None else f"feature {self._names[feature]!r} ({feature})"
        )
        if self.n_streams == 1:
            return label
        stream = row if which is None else which if isinstance(which, int) else which[row]
        return f"stream {stream}, {label}"
