"""A stream's state that a user gives back, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_state"]


def check_state(
    given: Mapping[str, ArrayLike], current: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return `given` in the dtypes and shapes of `current`.

    Raises
    ------
    TypeError, ValueError
        If an array is missing, unknown, has another shape, or holds what a state cannot; it is named.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"state: expected a dict of arrays, as `state` gives it, got {type(given).__name__}")
    missing = [name for name in current if name not in given]
    unknown = [str(name) for name in given if name not in current]
    if missing or unknown:
        what = f"{missing[0]!r} is missing" if missing else f"there is no {unknown[0]!r}"
        raise ValueError(
            f"state: {what}; this model's streams have {', '.join(map(repr, current))}. "
            "A state fits streams of the same model only"
        )
    state = {name: _convert(name, given[name], like) for name, like in current.items()}
    _check_values(state)
    return state


def _convert(name: str, value: ArrayLike, like: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(value)
    if array.shape != like.shape:
        raise ValueError(f"state: {name!r} has shape {array.shape}, expected {like.shape}")
    integers = like.dtype.kind == "i"
    if array.dtype.kind not in ("iu" if integers else "iuf"):
        expected = "integers" if integers else "real numbers"
        raise TypeError(f"state: {name!r} holds {array.dtype}, expected {expected}")
    return np.ascontiguousarray(array, dtype=like.dtype).reshape(like.shape)


def _check_values(state: Mapping[str, NDArray[Any]]) -> None:
    n_steps = state["n_steps"]
    if (n_steps < 0).any():
        raise ValueError(f"state: 'n_steps' of stream {np.argmax(n_steps < 0)} is negative")
    for name, values in state.items():
        # Before its first step a stream's largest state is minus infinity.
        finite = np.isfinite(values)
        if name == "largest":
            finite |= np.isneginf(values) & (n_steps == 0)[:, np.newaxis]
        if not finite.all():
            axis = 1 if name == "hidden" else 0
            stream = int(np.argwhere(~finite)[0][axis])
            raise ValueError(f"state: {name!r} of stream {stream} holds NaN or infinity")
