"""The numeric inputs of each step: scaled, filled in, and with masks and gaps where they are inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from grulearn.encoding._checks import check_values, has_finite_sum
from grulearn.encoding._places import feature_label, find, find_row, more
from grulearn.encoding._segments import Block, Segments, block_rows
from grulearn.encoding.filling import ForwardFill
from grulearn.encoding.gaps import Clock, GapScale
from grulearn.encoding.scaling import Scaling
from grulearn.sequences import Sequences

__all__ = ["encode_rows"]


def encode_rows(
    data: Sequences,
    read: Segments,
    scaling: Scaling,
    fill: NDArray[np.float64],
    missing: str,
    gaps: GapScale | None,
    dtype: str,
) -> NDArray[Any]:
    """Return the rows that the network reads, shape (n_rows, F), or (n_rows, 3F) with `gaps`.

    Raises
    ------
    ValueError
        If something is not finite that should be, or the times of `data` do not fit `gaps`.
    """
    n_features = len(fill)
    rows = np.empty((read.n_rows, n_features if gaps is None else 3 * n_features), dtype=dtype)
    clock = Clock(None, 1.0) if gaps is None else gaps.clock(data)
    forward = ForwardFill(fill)
    checked = not get_config()["assume_finite"]
    unobserved = np.flatnonzero(np.isnan(scaling.mean))
    for block in read.blocks(block_rows(n_features)):
        given, encoded = data.rows[block.source], rows[block.rows]
        scaled = scaling.apply(given)
        with np.errstate(over="ignore"):
            if missing == "error":
                encoded[:] = scaled
            elif missing == "mean":
                encoded[:] = np.where(np.isnan(scaled), fill, scaled)
            else:
                _fill_forward(encoded, scaled, block, forward, clock, n_features)
        if checked and not has_finite_sum(encoded):
            _check_encoded(data, read, scaling, missing, encoded, block)
        if checked and np.isinf(given[:, unobserved]).any():
            check_values(data, missing)
    return rows


def _fill_forward(
    encoded: NDArray[Any],
    scaled: NDArray[np.float64],
    block: Block,
    forward: ForwardFill,
    clock: Clock,
    n_features: int,
) -> None:
    # Rows of one sequence follow each other: where there are no times, their numbers count the steps.
    steps = np.arange(block.rows.start, block.rows.stop)
    times = steps if clock.times is None else clock.times[block.source]
    filled, gaps = forward.push(scaled, block.opens, times)
    encoded[:, :n_features] = filled
    if encoded.shape[1] > n_features:
        encoded[:, n_features : 2 * n_features] = ~np.isnan(scaled)
        encoded[:, 2 * n_features :] = gaps / clock.unit


def _check_encoded(
    data: Sequences, read: Segments, scaling: Scaling, missing: str, encoded: NDArray[Any], block: Block
) -> None:
    """Raise an error that names what is not finite, if anything is."""
    finite = np.isfinite(encoded)
    if finite.all():
        return
    check_values(data, missing)
    dtype = encoded.dtype

    def too_large(values: NDArray[Any]) -> NDArray[np.bool_]:
        with np.errstate(over="ignore"):
            outside: NDArray[np.bool_] = np.isinf(scaling.apply(values).astype(dtype))
        return outside

    place = find(data, Segments.shared(data), data.rows, too_large)
    if place is not None:
        where = place.words(data, feature_label(data, place.column))
        raise ValueError(
            f"Input X contains a value too large for {dtype} at {where}{more(place.count, 'such value')}: "
            f"{data.rows[place.row, place.column]!s}, which scaling leaves outside its range"
        )
    row = block.rows.start + int((~finite).any(axis=1).argmax())
    raise ValueError(
        f"Input X: the time gap at {find_row(data, read, row)} is outside the range of {dtype}, in units of "
        "the training part's mean step"
    )
