"""A stream's state that a user gives back, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_state"]

_KINDS = {"i": "integers", "f": "real numbers", "M": "datetimes", "m": "durations"}


def check_state(
    given: Mapping[str, ArrayLike], expected: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return `given` in the dtypes and shapes of `expected`, which has all names.

    Raises
    ------
    TypeError, ValueError
        If an array is missing, unknown, has another shape, or holds what a state cannot; it is named.
    """
    missing = [name for name in expected if name not in given]
    unknown = [str(name) for name in given if name not in expected]
    if missing or unknown:
        what = f"{missing[0]!r} is missing" if missing else f"there is no {unknown[0]!r}"
        raise ValueError(
            f"state: {what}; expected {', '.join(map(repr, expected))}. A state fits streams of the same "
            "model only"
        )
    state = {name: _convert(name, given[name], like) for name, like in expected.items()}
    _check_values(state)
    return state


def _convert(name: str, value: ArrayLike, like: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(value)
    if array.shape != like.shape:
        raise ValueError(f"state: {name!r} has shape {array.shape}, expected {like.shape}")
    fits = {"i": "iu", "f": "iuf"}.get(like.dtype.kind, like.dtype.kind)
    if array.dtype.kind not in fits or (like.dtype.kind in "mM" and array.dtype != like.dtype):
        kind = _KINDS[like.dtype.kind]
        raise TypeError(f"state: {name!r} holds {array.dtype}, expected {kind} ({like.dtype})")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=like.dtype).reshape(like.shape)


def _check_values(state: Mapping[str, NDArray[Any]]) -> None:
    n_steps = state["n_steps"]
    if (n_steps < 0).any():
        raise ValueError(f"state: 'n_steps' of stream {np.argmax(n_steps < 0)} is negative")
    for name, values in state.items():
        finite = np.isfinite(values)
        if name == "largest":  # before its first step that of a stream is minus infinity
            finite |= np.isneginf(values) & (n_steps == 0)[:, np.newaxis]
        if not finite.all():
            raise ValueError(f"state: {name!r} of stream {_stream(name, ~finite)} holds NaN or infinity")
    if "since" in state:
        latest = state.get("time", n_steps - 1)
        ahead = (state["since"] > latest[:, np.newaxis]) & (n_steps > 0)[:, np.newaxis]
        if ahead.any():
            raise ValueError(f"state: 'since' of stream {_stream('since', ahead)} is after its latest step")


def _stream(name: str, wrong: NDArray[np.bool_]) -> int:
    return int(np.argwhere(wrong)[0][1 if name == "hidden" else 0])
