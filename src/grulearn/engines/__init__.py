"""Engines: what runs a network. The native one is the default; others register by name."""

from __future__ import annotations

from importlib import import_module

from grulearn.engines.protocol import (
    ClassArray,
    Engine,
    EngineFactory,
    FloatArray,
    OptimizerOptions,
    SequenceData,
    Trainer,
)
from grulearn.engines.streams import EngineStream, StepEncoding

__all__ = [
    "ClassArray",
    "Engine",
    "EngineFactory",
    "EngineStream",
    "FloatArray",
    "OptimizerOptions",
    "SequenceData",
    "StepEncoding",
    "Trainer",
    "get_engine",
]

# Loaded when asked for, so that an engine's own imports cost nothing to those who use another.
_ENGINES = {"native": ("grulearn.engines.native", "NativeEngine")}


def get_engine(name: str) -> EngineFactory:
    """Return the engine class of that name.

    Parameters
    ----------
    name : str
        "native" is the C++ core.

    Returns
    -------
    callable
        Called with a :class:`~grulearn.spec.NetworkSpec`, it builds an engine.

    Raises
    ------
    ValueError
        If there is no such engine.

    Examples
    --------
    >>> from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
    >>> engine = get_engine("native")(NetworkSpec(InputSpec(8), CellSpec(32), head=HeadSpec(1)))
    >>> engine.parameters().shape
    (4065,)
    """
    if name not in _ENGINES:
        raise ValueError(f"engine: there is none called {name!r}; expected one of {', '.join(_ENGINES)}")
    module, attribute = _ENGINES[name]
    factory: EngineFactory = getattr(import_module(module), attribute)
    return factory
