"""What numbers mean to a fit: the loss, the targets' scale, and numbers back from outputs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import TargetScaling
from grulearn.engines import Engine, FloatArray
from grulearn.equations import quantile_anchor
from grulearn.estimators._base import BaseGRU
from grulearn.estimators._fitting import Request
from grulearn.estimators._frames import name_endings
from grulearn.estimators._inputs import Inputs
from grulearn.estimators._intervals import Ends, intervals, no_scores, residual_scores
from grulearn.estimators._targets import (
    Targets,
    read_step_targets,
    read_targets,
    refuse_negative,
    target_names,
)
from grulearn.estimators._warnings import warn
from grulearn.estimators.conformal import ResidualScores
from grulearn.spec import HeadSpec

__all__ = ["LearnsNumbers"]


class LearnsNumbers(BaseGRU):
    """An estimator whose targets are numbers."""

    loss: str
    quantiles: Any
    delta: float
    _one_dimensional: bool
    _scores: ResidualScores | None

    def _decoded(self, X: Any) -> tuple[Inputs, NDArray[np.float64]]:
        """Return `X` as it was read, and all that the outputs stand for, shape (rows, K, per target)."""
        inputs, outputs = self._network_outputs(X)
        return inputs, self._decoded_outputs(outputs)

    def _decoded_outputs(self, outputs: FloatArray) -> NDArray[np.float64]:
        values = self._engine.decode(outputs, self._target_scaling.mean, self._target_scaling.scale)
        return values.reshape(len(outputs), self.n_outputs_, -1)

    def _point(self) -> int:
        """Return which of the values of a target is the prediction."""
        quantiles = self._engine.spec.head.quantiles
        return 0 if quantiles is None else quantile_anchor(quantiles)

    def _intervals(self, outputs: FloatArray, coverage: float) -> Ends:
        if self._scores is None:
            raise no_scores(type(self).__name__, "predict_interval")
        return intervals(self._engine, outputs, self._scores, coverage, self._target_scaling)

    def _columns(self, outputs: FloatArray, coverage: float | None) -> dict[str, NDArray[Any]]:
        """Return all that there is to predict, by the names of a dataframe's columns."""
        values, head = self._decoded_outputs(outputs), self._engine.spec.head
        ends = None if coverage is None else self._intervals(outputs, coverage)
        columns: dict[str, NDArray[Any]] = {}
        for k, name in enumerate(name_endings(self.target_names_, self.n_outputs_)):
            columns[f"predicted{name}"] = values[:, k, self._point()]
            if head.loss == "gaussian":
                columns[f"std{name}"] = values[:, k, 1]
            for q, level in enumerate(head.quantiles or ()):
                columns[f"quantile_{level:g}{name}"] = values[:, k, q]
            if ends is not None:
                columns |= {f"lower{name}": ends[0][:, k], f"upper{name}": ends[1][:, k]}
        return columns

    def _shaped(self, values: NDArray[np.float64], inputs: Inputs) -> Any:
        return self._in_shape(values[:, 0] if self._one_dimensional else values, inputs)

    # What the targets mean to a fit.

    def _read_targets(self, y: Any, inputs: Inputs, *, what: str, request: Request) -> Targets:
        if self.target == "sequence":
            targets, one_dimensional = read_step_targets(self, y, inputs.data)
        else:
            targets, one_dimensional = read_targets(self, y, inputs.shape)
        if self.loss == "poisson":
            refuse_negative(targets, inputs.data, what)
        n_outputs = targets.values.shape[1]
        if what == "y" and not request.continuing:
            self._one_dimensional, self.n_outputs_, self.target_names_ = (
                one_dimensional,
                n_outputs,
                target_names(y),
            )
        elif n_outputs != self.n_outputs_:
            raise ValueError(f"{what} has {n_outputs} targets for each sample, expected {self.n_outputs_}")
        return targets

    def _head(self) -> HeadSpec:
        loss, levels = self._loss()
        per_target = len(levels) if levels is not None else 2 if loss == "gaussian" else 1
        return HeadSpec(
            self.n_outputs_ * per_target,
            loss,
            self.target,
            delta=float(self.delta) if loss == "huber" else None,
            quantiles=levels,
        )

    def _loss(self) -> tuple[str, tuple[float, ...] | None]:
        """Return the loss and the quantiles that the parameters come to."""
        if self.quantiles is None:
            if self.loss == "pinball":
                raise ValueError('loss="pinball" needs quantiles, such as quantiles=[0.1, 0.5, 0.9]')
            return self.loss, None
        if self.loss not in ("pinball", "squared_error"):
            raise ValueError(
                f'quantiles belong to loss="pinball", and loss={self.loss!r} learns none; drop one of the two'
            )
        levels = list(self.quantiles)
        numbers = all(isinstance(level, Real) and 0.0 < float(level) < 1.0 for level in levels)
        if not numbers or not levels or any(a >= b for a, b in pairwise(levels)):
            raise ValueError(
                f"quantiles={levels}; expected numbers between 0 and 1 that rise, such as [0.1, 0.5, 0.9]"
            )
        return "pinball", tuple(float(level) for level in levels)

    def _fit_target_scaling(
        self, targets: Targets, weights: NDArray[np.float64] | None, complete: bool
    ) -> TargetScaling:
        # NumPy's True is not Python's; "inputs" is the only text.
        standardize = not isinstance(self.standardize, str) and bool(self.standardize)
        scaling = TargetScaling.fit(
            targets.stacked(),
            standardize=standardize,
            weights=targets.by_row(weights),
            positive=self.loss == "poisson",
        )
        constant = np.flatnonzero(scaling.constant)
        if len(constant):
            column = "y" if self._one_dimensional else f"y, output {constant[0]},"
            value = scaling.mean[constant[0]]
            if not complete:
                warn(
                    f"The target {column} is constant in the first samples, {value:g}, so that it cannot be "
                    "scaled. Begin with samples in which it is not."
                )
                return replace(scaling, scale=np.where(scaling.constant, 1.0, scaling.scale))
            warn(
                f"The target {column} is constant in the training part: it is predicted as {value:g} always."
            )
        return scaling

    def _scale_targets(self, targets: Targets) -> Targets:
        return targets.with_values(self._target_scaling.transform(targets.values, self.dtype))

    def _score_held_out(
        self, engine: Engine, outputs: FloatArray, targets: Targets, weights: NDArray[np.float64] | None
    ) -> ResidualScores | None:
        return residual_scores(engine, outputs, targets, weights)

    def _target_state(self) -> dict[str, Any]:
        return {"one_dimensional": self._one_dimensional, "names": self.target_names_}

    def _set_target_state(self, state: dict[str, Any]) -> None:
        self._one_dimensional = bool(state["one_dimensional"])
        self.target_names_ = state["names"]
