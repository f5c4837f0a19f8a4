"""What the equations need of an array, whether NumPy's or torch's."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["Array", "active_steps", "beside", "namespace", "zeros"]

Array = Any  # a NumPy array or a torch tensor; the arrays of one call are all of one kind


def namespace(array: Array) -> Any:
    """Return the module that the array's functions are in: numpy or torch, whichever made it."""
    for base in type(array).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("numpy", "torch"):
            return sys.modules[package]  # whoever has a tensor has imported torch
    raise TypeError(f"expected NumPy arrays or torch tensors, got {type(array).__name__}")


def beside(array: Array) -> dict[str, Any]:
    """Return the arguments that put a new array where `array` is: on its device, for a tensor."""
    return {"device": array.device} if hasattr(array, "new_zeros") else {}


def active_steps(x: Array, lengths: Array | None) -> Array:
    """Tell which steps each sequence has: bool, shape (N, T)."""
    xp = namespace(x)
    N, T = x.shape[:2]
    placed = beside(x)
    lengths = xp.asarray([T] * N if lengths is None else lengths, **placed)
    if lengths.shape != (N,) or (N and not (lengths.min() >= 0 and lengths.max() <= T)):
        raise ValueError(f"lengths must be {N} integers from 0 to {T}, one for each sequence")
    return xp.arange(T, **placed) < lengths[:, None]


def zeros(like: Array, shape: tuple[int, ...]) -> Array:
    """Return zeros of the dtype, and where there is one the device, of `like`."""
    return like.new_zeros(shape) if hasattr(like, "new_zeros") else np.zeros(shape, like.dtype)
