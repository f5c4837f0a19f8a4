"""What a user may hand in, told apart and read into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences._schema import Schema
from grulearn.sequences._values import as_float_array, source_dtype

__all__ = [
    "Blocks",
    "are_vectors",
    "is_frame",
    "is_list_of_sequences",
    "listed",
    "read_array",
    "read_list",
    "refuse_unequal_rows",
]

Blocks = dict[str, Any]  # the arguments of Sequences


def read_array(X: ArrayLike) -> Blocks:
    """Read a table or a rectangular array."""
    values = as_float_array(X, "X")
    if values.ndim == 1 and hasattr(X, "to_frame"):
        raise ValueError(f"X: expected a table, got one column ({type(X).__name__}); pass X.to_frame()")
    if values.ndim not in (2, 3):
        raise ValueError(
            "X: expected a table of shape (samples, features) or an array of shape "
            f"(samples, steps, features), got {values.ndim} dimension(s) with shape {values.shape}. "
            "Reshape your data: X.reshape(-1, 1) for samples of one feature, "
            "X.reshape(1, -1) for one sample"
        )
    n, n_steps, n_features = len(values), values.shape[1] if values.ndim == 3 else 1, values.shape[-1]
    return {
        "rows": values.reshape(n * n_steps, n_features),
        "starts": np.arange(n, dtype=np.int64) * n_steps,
        "lengths": np.full(n, n_steps, dtype=np.int64),
        "schema": Schema(feature_dtypes=(source_dtype(X) or values.dtype,) * n_features),
    }


def read_list(sequences: Sequence[ArrayLike]) -> Blocks:
    """Stack sequences of different lengths; those of one dimension have one feature."""
    sequences = list(sequences)
    arrays = [as_float_array(item, f"sequence {i}") for i, item in enumerate(sequences)]
    if arrays and all(array.ndim == 1 for array in arrays):
        arrays = [array[:, np.newaxis] for array in arrays]
    _check_same_features(arrays)
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    rows = np.concatenate(arrays)
    known = {source_dtype(item) for item in sequences}
    given = rows.dtype if None in known else np.result_type(*(dtype for dtype in known if dtype))
    return {
        "rows": rows,
        "starts": np.cumsum(lengths) - lengths,
        "lengths": lengths,
        "schema": Schema(features=_common_names(sequences), feature_dtypes=(given,) * rows.shape[1]),
    }


def is_frame(X: Any) -> bool:
    """Tell whether `X` is a dataframe or an Arrow table, without importing what makes them."""
    # By the class: a lazy frame warns if its own columns are asked for.
    return hasattr(type(X), "columns") or hasattr(type(X), "column_names")


def listed(X: Any) -> list[Any] | None:
    """Return the items of a list, a tuple, or a one-dimensional array or series of objects; else None."""
    if isinstance(X, list | tuple):
        return list(X)
    if hasattr(X, "to_pylist"):  # Arrow's arrays
        return list(X.to_pylist())
    if len(getattr(X, "shape", ())) == 1:
        array = np.asarray(X)
        if array.dtype.kind in "OUT":
            return list(array)
    return None


def is_list_of_sequences(items: list[Any]) -> bool:
    """Tell whether items are sequences of their own rather than the rows of a table.

    They are if one has two dimensions, or if all are one-dimensional arrays that differ in length.
    """
    if any(_has_steps(item) for item in items):
        return True
    return are_vectors(items) and len({len(item) for item in items}) > 1


def are_vectors(items: list[Any]) -> bool:
    """Tell whether items are one-dimensional arrays or series."""
    return all(len(getattr(item, "shape", ())) == 1 for item in items)


def refuse_unequal_rows(items: list[Any]) -> None:
    """Raise an error if the items are rows of numbers, but of different lengths."""
    lengths = [len(item) if isinstance(item, list | tuple | np.ndarray) else None for item in items]
    differing = [i for i, length in enumerate(lengths) if length != lengths[0]]
    if differing and None not in lengths:
        i = differing[0]
        raise ValueError(
            f"X: the values do not form a rectangular array of numbers: row 0 has {lengths[0]}, row {i} has "
            f"{lengths[i]}. If each is a sequence of one feature, pass Sequences.from_list(X) or a list of "
            "arrays; if each is a list of tokens, say tokens='item'"
        )


def _has_steps(item: Any) -> bool:
    if hasattr(item, "shape"):
        return len(item.shape) == 2
    if not isinstance(item, list | tuple):
        return False
    return any(isinstance(step, list | tuple | np.ndarray) for step in item)


def _common_names(sequences: list[Any]) -> tuple[str, ...] | None:
    """Return the column names of a list of dataframes; None for arrays."""
    found = [_names(item) for item in sequences]
    for i, names in enumerate(found):
        if names != found[0]:
            raise ValueError(
                f"sequence {i} has the columns {names}, but sequence 0 has {found[0]}; expected the "
                "same columns in the same order"
            )
    return found[0] if found[0] and all(isinstance(name, str) for name in found[0]) else None


def _names(item: Any) -> tuple[Any, ...] | None:
    return tuple(getattr(item, "column_names", None) or item.columns) if is_frame(item) else None


def _check_same_features(arrays: list[NDArray[Any]]) -> None:
    if not arrays:
        raise ValueError(
            "there is no sequence in the list, so the number of features is unknown; "
            "for zero sequences pass an array of shape (0, steps, features)"
        )
    for i, array in enumerate(arrays):
        if array.ndim != 2:
            raise ValueError(
                f"sequence {i}: expected shape (steps, features), got {array.shape}; a sequence of "
                + (
                    "no steps has shape (0, features)"
                    if array.size == 0
                    else "one feature has shape (steps, 1)"
                )
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
