"""Fitted estimators to model files and back."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import is_classifier

from grulearn import __version__
from grulearn.encoding import InputEncoding, TargetScaling
from grulearn.engines import get_engine
from grulearn.estimators.conformal import LabelScores, ResidualScores
from grulearn.formats import ModelFileError, flatten, parameter_shapes, read_model, write_model
from grulearn.spec import NetworkSpec
from grulearn.streaming import StepColumns

if TYPE_CHECKING:
    from grulearn.estimators._base import BaseGRU

__all__ = ["load", "save_estimator"]

# A file names its estimator, and only these are ever built: nothing in a file is executed.
_ESTIMATORS = {
    "GRUClassifier": "grulearn.estimators.classifier",
    "GRURegressor": "grulearn.estimators.regressor",
}

_HISTORY = ("loss_curve_", "validation_scores_", "best_loss_", "best_iter_", "n_iter_", "stop_reason_")
_PAIRS = "pairs"
_INPUT, _TARGET, _OPTIMIZER, _SCORES = "input_scaling.", "target_scaling.", "optimizer.", "scores."


def save_estimator(estimator: BaseGRU, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to `path`; see :meth:`GRURegressor.save`."""
    arrays = {
        **estimator.weights_,
        **_prefixed(_INPUT, estimator._encoding.to_arrays()),
        **_prefixed(_TARGET, estimator._target_scaling.to_arrays()),
    }
    n_steps = 0
    if estimator._optimizer is not None:
        first, second, n_steps = estimator._optimizer
        arrays |= _prefixed(_OPTIMIZER, {"first_moment": first, "second_moment": second})
    if estimator._scores is not None:
        arrays |= _prefixed(_SCORES, estimator._scores.to_arrays())
    names = getattr(estimator, "feature_names_in_", None)
    params = estimator.get_params(deep=False)
    metadata = {
        "estimator": type(estimator).__name__,
        "params": {name: _plain(value, estimator) for name, value in params.items()},
        "spec": estimator.spec_.to_dict(),
        "feature_names": None if names is None else [str(name) for name in names],
        "n_features_in": estimator.n_features_in_,
        "columns": asdict(estimator._step_columns),
        "encoding": estimator._encoding.state(),
        "optimizer_steps": n_steps,
        "target": estimator._target_state(),
        "sequence_lengths": list(estimator.sequence_lengths_),
        "reading": estimator.reading_,
        "seed": estimator._seed,
        "history": {name.rstrip("_"): getattr(estimator, name) for name in _HISTORY},
        "versions": _versions(),
        "instruction_set": estimator.instruction_set_,
        "data_fingerprint": estimator._fingerprint,
        "held_out": estimator._held_out,
    }
    write_model(path, arrays, metadata)


def load(path: str | os.PathLike[str]) -> Any:
    """Read a fitted estimator from a model file.

    Parameters
    ----------
    path : path-like
        What an estimator's `save` wrote.

    Returns
    -------
    GRURegressor or GRUClassifier
        It has the parameters and fitted attributes of the estimator that was saved, and predicts the
        same bits on the same instruction set. A `random_state` that was a RandomState is the number
        that was drawn from it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is no model of grulearn, is damaged, or was written by a newer version.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from grulearn import GRURegressor, load
    >>> X = np.random.default_rng(0).normal(size=(40, 2))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.gru")
    >>> GRURegressor(4, max_iter=2, random_state=0).fit(X, X[:, 0]).save(path)
    >>> load(path).predict(X[:3]).shape
    (3,)
    """
    arrays, metadata = read_model(path)
    place = os.fspath(path)
    name = metadata.get("estimator")
    if not isinstance(name, str) or name not in _ESTIMATORS:
        raise ModelFileError(
            f"{place} holds a {name!r}, and this grulearn knows {', '.join(_ESTIMATORS)}: update grulearn "
            "to load it"
        )
    kind = getattr(import_module(_ESTIMATORS[name]), name)
    try:
        estimator = kind(**{name: _given(value) for name, value in metadata["params"].items()})
        _restore(estimator, arrays, metadata)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(f"{place} cannot be read as a {name}: {reason}") from error
    return estimator


def _restore(estimator: BaseGRU, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    spec = NetworkSpec.from_dict(metadata["spec"])
    shapes = parameter_shapes(spec)
    # Shapes are compared before anything is built: a damaged size could ask for all memory.
    weights = flatten({name: arrays[name] for name in shapes}, shapes, spec.dtype)
    if not np.isfinite(weights).all():
        raise ValueError("the weights hold NaN or infinity")
    # A file of before there were categories has no "encoding", which means none of them, and nothing missing.
    encoding = InputEncoding.from_parts(_with_prefix(_INPUT, arrays), metadata.get("encoding", {}))
    if encoding.input_spec != spec.input:
        raise ValueError(f"the encoding gives {encoding.input_spec}, but the network reads {spec.input}")
    engine = get_engine("native")(spec)
    engine.set_parameters(weights)
    estimator._engine = engine
    estimator._encoding = encoding
    estimator._target_scaling = TargetScaling.from_arrays(_with_prefix(_TARGET, arrays))
    estimator.n_features_in_ = metadata["n_features_in"]
    estimator.n_outputs_ = spec.head.n_outputs if spec.head.loss == "cross_entropy" else spec.head.n_targets
    estimator._set_target_state(metadata["target"])
    _check_targets(estimator, spec)
    estimator._optimizer = _optimizer_state(arrays, metadata, len(weights))
    scores = _with_prefix(_SCORES, arrays)
    kind = LabelScores if is_classifier(estimator) else ResidualScores
    estimator._scores = kind.from_arrays(scores) if scores else None
    estimator._step_columns = _step_columns(metadata, encoding)
    if metadata["feature_names"] is not None:
        estimator.feature_names_in_ = np.array(metadata["feature_names"], dtype=object)
    low, median, high = metadata["sequence_lengths"]
    estimator.sequence_lengths_ = (int(low), float(median), int(high))
    estimator.reading_ = metadata["reading"]
    estimator._seed = metadata["seed"]
    for name in _HISTORY:
        setattr(estimator, name, metadata["history"][name.rstrip("_")])
    estimator.instruction_set_ = metadata["instruction_set"]
    estimator._fingerprint = metadata["data_fingerprint"]
    estimator._held_out = metadata.get("held_out")


def _check_targets(estimator: BaseGRU, spec: NetworkSpec) -> None:
    for name, values in estimator._target_scaling.to_arrays().items():
        if values.shape != (estimator.n_outputs_,):
            raise ValueError(f"{_TARGET}{name} has shape {values.shape}, expected ({estimator.n_outputs_},)")
        if not np.isfinite(values).all():
            raise ValueError(f"{_TARGET}{name} holds NaN or infinity")
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return
    binary = spec.head.loss == "binary_cross_entropy" and not estimator._multilabel
    if len(classes) != (2 if binary else spec.head.n_outputs):
        raise ValueError(f"there are {len(classes)} classes, which do not fit {spec.head.n_outputs} outputs")


def _step_columns(metadata: Mapping[str, Any], encoding: InputEncoding) -> StepColumns:
    """Return where features stand in a step; in a file of before that was kept, all are numeric."""
    plain = {"numeric": range(encoding.n_features), "categorical": (), "names": metadata["feature_names"]}
    columns = metadata.get("columns", {**plain, "tokens": None})
    numeric, categorical = tuple(columns["numeric"]), tuple(columns["categorical"])
    if (len(numeric), len(categorical)) != (encoding.n_features, len(encoding.categories)):
        raise ValueError(f"columns {columns} do not fit the encoding")
    found = sorted(numeric + categorical)
    if metadata["n_features_in"] != len(found) or found != list(range(len(found))):
        raise ValueError(f"columns {columns} are not those of {metadata['n_features_in']} features")
    names = columns["names"]
    return StepColumns(numeric, categorical, None if names is None else tuple(names), columns["tokens"])


def _optimizer_state(
    arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any], n_parameters: int
) -> tuple[NDArray[Any], NDArray[Any], int] | None:
    """Return Adam's state, or None for a file of before it was kept."""
    found = _with_prefix(_OPTIMIZER, arrays)
    if not found:
        return None
    first, second = found["first_moment"], found["second_moment"]
    if first.shape != (n_parameters,) or second.shape != (n_parameters,):
        raise ValueError(f"the optimizer's state has shapes {first.shape} and {second.shape}")
    return first, second, int(metadata["optimizer_steps"])


def _prefixed(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {prefix + name: values for name, values in arrays.items()}


def _with_prefix(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _plain(value: Any, estimator: BaseGRU) -> Any:
    """Return a constructor parameter as a JSON value."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item, estimator) for item in value]
    if isinstance(value, np.random.RandomState) or value is np.random:
        return estimator._seed
    if isinstance(value, Mapping):  # JSON's keys are texts, and labels need not be
        return {_PAIRS: [[_plain(key, estimator), _plain(item, estimator)] for key, item in value.items()]}
    return value


def _given(value: Any) -> Any:
    """Take back what `_plain` returned."""
    return dict(value[_PAIRS]) if isinstance(value, Mapping) and _PAIRS in value else value


def _versions() -> dict[str, str]:
    return {
        "grulearn": __version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
    }
