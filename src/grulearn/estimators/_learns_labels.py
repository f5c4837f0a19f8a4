"""What labels mean to a fit: classes, class numbers, their weights, and labels back from outputs."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import TargetScaling
from grulearn.engines import Engine, FloatArray
from grulearn.estimators._base import BaseGRU
from grulearn.estimators._fitting import Request
from grulearn.estimators._frames import name_endings
from grulearn.estimators._inputs import Inputs
from grulearn.estimators._intervals import label_scores, no_scores
from grulearn.estimators._labels import (
    Labels,
    encode_labels,
    find_classes,
    given_classes,
    read_labels,
    read_step_labels,
)
from grulearn.estimators._samples import Samples
from grulearn.estimators._targets import Targets, target_names
from grulearn.estimators.conformal import LabelScores
from grulearn.spec import HeadSpec

__all__ = ["LearnsLabels"]


class LearnsLabels(BaseGRU):
    """An estimator whose targets are labels."""

    class_weight: Any
    classes_: NDArray[Any]
    _multilabel: bool
    _scores: LabelScores | None

    def _probabilities(self, engine: Engine, outputs: NDArray[Any]) -> NDArray[np.float64]:
        values = engine.decode(outputs)
        return np.column_stack([1.0 - values, values]) if self._is_binary() else values

    def _sets(self, outputs: FloatArray, coverage: float) -> NDArray[np.bool_]:
        if self._scores is None:
            raise no_scores(type(self).__name__, "predict_set")
        return self._scores.sets(self._probabilities(self._engine, outputs), coverage)

    def _columns(self, outputs: FloatArray, proba: bool, coverage: float | None) -> dict[str, NDArray[Any]]:
        """Return all that there is to predict, by the names of a dataframe's columns."""
        labels = self._labels_of(outputs).reshape(len(outputs), -1)
        names = name_endings(self.target_names_, labels.shape[1])
        columns = {f"predicted{name}": values for name, values in zip(names, labels.T, strict=True)}
        if proba:
            shares = self._probabilities(self._engine, outputs)
            of = [name.lstrip("_") for name in names] if self._multilabel else self.classes_.tolist()
            columns |= {f"probability_{name}": values for name, values in zip(of, shares.T, strict=True)}
        if coverage is not None:
            if self._multilabel:
                raise ValueError("coverage: with several labels at once use predict_set")
            texts = [
                "|".join(str(label) for label in self.classes_[possible].tolist())
                for possible in self._sets(outputs, coverage)
            ]
            columns[f"set{names[0]}"] = np.array(texts, dtype=object)
        return columns

    def _labels_of(self, outputs: NDArray[Any]) -> NDArray[Any]:
        if self._multilabel:
            return (outputs > 0).astype(np.int64)
        best = outputs[:, 0] > 0 if self._is_binary() else outputs.argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best.astype(np.int64)]
        return labels

    def _is_binary(self) -> bool:
        return not self._multilabel and len(self.classes_) == 2

    # What the targets mean to a fit.

    def _read_targets(self, y: Any, inputs: Inputs, *, what: str, request: Request) -> Targets:
        if self.target == "sequence":
            labels = read_step_labels(self, y, inputs.data)
        else:
            labels = read_labels(self, y, inputs.shape)
        if not request.continuing and what == "y":
            self._note_classes(labels, request)
            self.target_names_ = target_names(y)
        if labels.multilabel != self._multilabel:
            raise ValueError(
                f"{what} has {'several labels' if labels.multilabel else 'one label'} for each sample, but "
                f"training had {'several' if self._multilabel else 'one'}"
            )
        return encode_labels(labels, self.classes_, what)

    def _note_classes(self, labels: Labels, request: Request) -> None:
        self._multilabel = labels.multilabel
        self.classes_ = find_classes(labels) if request.classes is None else given_classes(request.classes)
        self.n_outputs_ = 1 if self._is_binary() else len(self.classes_)

    def _head(self) -> HeadSpec:
        binary = self._multilabel or self._is_binary()
        return HeadSpec(self.n_outputs_, "binary_cross_entropy" if binary else "cross_entropy", self.target)

    def _fit_target_scaling(
        self, targets: Targets, weights: NDArray[np.float64] | None, complete: bool
    ) -> TargetScaling:
        return TargetScaling.identity(self.n_outputs_)

    def _scale_targets(self, targets: Targets) -> Targets:
        if self._is_binary():
            values = np.where(targets.values < 0, np.nan, targets.values)[:, np.newaxis]
            return targets.with_values(np.ascontiguousarray(values, dtype=self.dtype))
        if self._multilabel:
            return targets.with_values(np.ascontiguousarray(targets.values, dtype=self.dtype))
        return targets

    def _strata(self, targets: Targets) -> NDArray[Any] | None:
        return None if self._multilabel or targets.per_step else targets.values

    def _weigh(self, training: Samples, validation: Samples | None) -> tuple[Samples, Samples | None]:
        if self.class_weight is None:
            return training, validation
        if self._multilabel:
            raise ValueError(
                "class_weight: with several labels at once a sample has no one class; use sample_weight"
            )
        of_class = self._class_weights(training)
        return self._weighted(training, of_class), validation and self._weighted(validation, of_class)

    def _class_weights(self, training: Samples) -> NDArray[np.float64]:
        """Return a weight for each class; 0 for one that the training part lacks."""
        codes = self._class_numbers(training.targets.stacked())
        known, row_weights = codes >= 0, training.stacked_weights()
        row_weights = None if row_weights is None else row_weights[known]
        totals = np.bincount(codes[known], row_weights, minlength=len(self.classes_))
        present = totals > 0
        weights = np.zeros(len(self.classes_))
        if isinstance(self.class_weight, dict):
            labels = self.classes_.tolist()
            unknown = [label for label in self.class_weight if label not in labels]
            if unknown:
                raise ValueError(f"class_weight: {unknown[0]!r} is none of the classes {labels}")
            known_weights = [_class_weight(label, self.class_weight.get(label, 1.0)) for label in labels]
            weights[present] = np.array(known_weights)[present]
            if not weights.any():
                raise ValueError(f"class_weight: all classes that there are have weight 0, {labels}")
        else:
            # scikit-learn's "balanced"; a sample of weight 2 counts as two do.
            weights[present] = totals.sum() / (np.count_nonzero(present) * totals[present])
        return weights

    def _weighted(self, samples: Samples, of_class: NDArray[np.float64]) -> Samples:
        codes = self._class_numbers(samples.targets.values)
        of_row = np.where(codes >= 0, of_class[codes], 0.0)
        if samples.targets.per_step:
            before = 1.0 if samples.row_weights is None else samples.row_weights
            return replace(samples, row_weights=before * of_row)
        return replace(samples, weights=of_row if samples.weights is None else samples.weights * of_row)

    def _class_numbers(self, values: NDArray[Any]) -> NDArray[np.int64]:
        if not self._is_binary():
            return values
        return np.where(np.isnan(values[:, 0]), -1, values[:, 0]).astype(np.int64)

    def _score_held_out(
        self, engine: Engine, outputs: FloatArray, targets: Targets, weights: NDArray[np.float64] | None
    ) -> LabelScores | None:
        if not self._multilabel:
            targets = targets.with_values(self._class_numbers(targets.values))
        return label_scores(self._probabilities(engine, outputs), targets, weights)

    def _target_state(self) -> dict[str, Any]:
        return {
            "classes": self.classes_.tolist(),
            "kind": _kind(self.classes_),
            "dtype": self.classes_.dtype.name,
            "multilabel": self._multilabel,
            "names": self.target_names_,
        }

    def _set_target_state(self, state: dict[str, Any]) -> None:
        dtype = np.dtype(state["dtype"]) if state["kind"] in ("int", "float") else _DTYPES[state["kind"]]
        self.classes_ = np.array(state["classes"], dtype=dtype)
        self._multilabel = bool(state["multilabel"])
        self.target_names_ = state["names"]


def _class_weight(label: Any, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, Real) or not 0.0 <= float(weight) < np.inf:
        raise ValueError(f"class_weight: {weight!r} for {label!r}; expected a finite number of at least 0")
    return float(weight)


# Strings may be in NumPy's own type or, as pandas gives them, Python objects.
_DTYPES = {"str": np.str_, "object": object, "bool": np.bool_}


def _kind(classes: NDArray[Any]) -> str:
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "U": "str"}.get(classes.dtype.kind, "object")
