"""Which classes of the native core compute in which dtype; the only place that knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from grulearn import _core

__all__ = ["CoreClasses", "core_classes"]


class CoreClasses(NamedTuple):
    """The core's classes for one dtype.

    Parameters
    ----------
    network : type
        Runs a network; takes and gives arrays of the dtype.
    trainer : type
        Trains such a network.
    stream : type
        Runs such a network step by step.
    """

    # Not the types themselves: they differ in the dtype of what they take.
    network: Callable[..., _core.Network | _core.Network64]
    trainer: Callable[..., _core.Trainer | _core.Trainer64]
    stream: Callable[..., _core.Stream | _core.Stream64]


_CLASSES = {
    "float32": CoreClasses(_core.Network, _core.Trainer, _core.Stream),
    "float64": CoreClasses(_core.Network64, _core.Trainer64, _core.Stream64),
}


def core_classes(dtype: str) -> CoreClasses:
    """Return the core's classes that compute in `dtype`.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Returns
    -------
    CoreClasses

    Raises
    ------
    ValueError
        If `dtype` is neither.

    Examples
    --------
    >>> core_classes("float64").network(3, 4).parameters().dtype
    dtype('float64')
    """
    if not isinstance(dtype, str) or dtype not in _CLASSES:
        expected = " or ".join(repr(name) for name in _CLASSES)
        raise ValueError(f"dtype: expected {expected}, got {dtype!r}")
    return _CLASSES[dtype]
