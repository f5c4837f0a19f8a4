"""Gated recurrent networks with scikit-learn's interface, on a native core."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grulearn.displays import LossCurveDisplay as LossCurveDisplay
    from grulearn.estimators import GRUClassifier as GRUClassifier
    from grulearn.estimators import GRURegressor as GRURegressor
    from grulearn.estimators import load as load
    from grulearn.formats import ModelFileError as ModelFileError
    from grulearn.gru import GRU as GRU
    from grulearn.sequences import Sequences as Sequences

__version__ = "0.1.0"

# Imported when first used, so that `import grulearn` costs little more than `import numpy` (PEP 562).
_HOME = {
    "GRU": "grulearn.gru",
    "GRUClassifier": "grulearn.estimators",
    "GRURegressor": "grulearn.estimators",
    "LossCurveDisplay": "grulearn.displays",
    "ModelFileError": "grulearn.formats",
    "Sequences": "grulearn.sequences",
    "load": "grulearn.estimators",
}
_MODULES = ("datasets", "equations", "inspection")

__all__ = [
    "GRU",
    "GRUClassifier",
    "GRURegressor",
    "LossCurveDisplay",
    "ModelFileError",
    "Sequences",
    "__version__",
    "datasets",
    "equations",
    "inspection",
    "load",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"grulearn.{name}")
    else:
        raise AttributeError(f"module 'grulearn' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
