"""Predictions as a dataframe, beside the ids and times that they belong to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Schema, Sequences

__all__ = ["name_endings", "prediction_frame"]


def name_endings(names: list[str] | None, n_targets: int) -> list[str]:
    """Return what follows "predicted" and the like in the names of the columns of each target.

    Examples
    --------
    >>> name_endings(["price"], 1), name_endings(None, 1), name_endings(None, 2)
    (['_price'], [''], ['_1', '_2'])
    """
    if names is not None and len(names) == n_targets:
        return [f"_{name}" for name in names]
    return [""] if n_targets == 1 else [f"_{i}" for i in range(1, n_targets + 1)]


def prediction_frame(
    data: Sequences, columns: dict[str, NDArray[Any]], *, per_step: bool, backend: str
) -> Any:
    """Put predictions beside the ids and times of their sequences.

    Parameters
    ----------
    data : Sequences
        N sequences.
    columns : dict of str to ndarray, shape (N,) or, if `per_step`, (sum of lengths,)
        Numbers or labels.
    per_step : bool
        Whether there is a prediction for each step rather than for each sequence.
    backend : {"pandas", "polars", "pyarrow"}

    Returns
    -------
    dataframe
        First the id, if the sequences have ids or there is a prediction for each step; then the time, if they
        have times: that of the step, or of the sequence's last one; then `columns`.
    """
    import narwhals as nw

    index = data.row_index() if per_step else data.starts + data.lengths - 1
    counts = data.lengths if per_step else np.ones(len(data), dtype=np.int64)
    # Under these names they cannot be taken for an id or a time.
    own = {f"{i} {name}": values for i, (name, values) in enumerate(columns.items())}
    numbers = {name: values for name, values in own.items() if values.dtype.kind in "biuf"}
    rows = Sequences(
        np.column_stack(list(numbers.values())) if numbers else np.empty((len(index), 0)),
        np.cumsum(counts) - counts,
        counts,
        times=None if data.times is None else data.times[index],
        ids=data.ids,
        schema=replace(
            Schema(tuple(numbers), tuple(values.dtype for values in numbers.values())),
            id=data.schema.id,
            time=data.schema.time,
            time_dtype=data.schema.time_dtype,
            time_zone=data.schema.time_zone,
        ),
    )
    frame = nw.from_native(rows.to_frame(backend, with_ids=per_step or data.ids is not None))
    texts = {name: values.tolist() for name, values in own.items() if name not in numbers}
    native = nw.get_native_namespace(frame)
    frame = frame.with_columns(
        *(nw.new_series(name, values, backend=native) for name, values in texts.items())
    )
    keys = [name for name in frame.columns if name not in own]
    clashing = [name for name in columns if name in keys]
    if clashing:
        raise ValueError(f"two columns would be called {clashing[0]!r}: that of X, and that of predictions")
    names = dict(zip(own, columns, strict=True))
    return frame.select(*keys, *own).rename(names).to_native()
