"""Sequences back into a dataframe: one row for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._view import ListView
from grulearn.sequences._windows import category_values

__all__ = ["to_frame"]

_MAKES = ("pandas", "polars", "pyarrow")


def to_frame(X: ListView, backend: Any, with_ids: bool) -> Any:
    """Return ids, times, numeric features and categories as a dataframe of the make `backend`."""
    import narwhals as nw

    if backend not in _MAKES:
        raise ValueError(f"backend={backend!r}; expected one of {', '.join(map(repr, _MAKES))}")
    index, schema = X.row_index(), X.schema
    data: dict[str, Any] = {}
    if with_ids:
        ids = np.arange(len(X)) if X.ids is None else X.ids
        _add(data, schema.id, np.repeat(ids, X.lengths))
    if X.times is not None:
        times = X.times[index]
        _add(data, schema.time, times.view(schema.time_dtype) if schema.time_dtype else times)
    features = schema.features or tuple(f"x{j}" for j in range(X.n_features))
    dtypes = schema.feature_dtypes or (X.dtype,) * X.n_features
    for j, (name, dtype) in enumerate(zip(features, dtypes, strict=True)):
        _add(data, name, _as_given(X.rows[index, j], dtype))
    names = schema.categorical or tuple(f"c{c}" for c in range(X.n_categorical))
    for c, name in enumerate(names):
        _add(data, name, category_values(X, c, index))
    frame = nw.from_dict(data, backend=backend)
    if schema.time_zone is not None and X.times is not None:
        clock = nw.col(schema.time).dt.replace_time_zone("UTC").dt.convert_time_zone(schema.time_zone)
        frame = frame.with_columns(clock)
    return frame.to_native()


def _add(data: dict[str, Any], name: str, values: NDArray[Any]) -> None:
    if name in data:
        raise ValueError(
            f"two columns would be called {name!r}; pass with_ids=False, or give other names: "
            "Sequences(..., schema=Schema(...))"
        )
    # Polars would keep an array of Python objects as such, not as strings.
    data[name] = values.tolist() if values.dtype == object else values


def _as_given(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Turn numbers back into integers or booleans, unless they were changed to something that is none."""
    if dtype.kind == "f":
        return values.astype(dtype) if dtype.itemsize >= 4 else values
    if not np.isfinite(values).all():
        return values
    limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    # The float next to the greatest int64 is 2**63, which would wrap around: hence < and not <=.
    inside = (values >= limits[0]) & (values < float(limits[1]) + 1)
    return values.astype(dtype) if (inside & (np.trunc(values) == values)).all() else values
