"""What all estimators share: the way through a fit, and the fitted network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from time import perf_counter
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from grulearn.encoding import InputEncoding, TargetScaling, check_values
from grulearn.engines import Engine, FloatArray
from grulearn.estimators._continuing import Curves, held_out_key, join_lengths, random_streams, resume_engine
from grulearn.estimators._fitting import (
    OnEpoch,
    OnStart,
    OptimizerState,
    Request,
    build_engine,
    conclude,
    draw_seed,
    leave_out,
    read_weights,
    require_targets,
    run_training,
)
from grulearn.estimators._inputs import Inputs, read_inputs
from grulearn.estimators._outputs import split_steps
from grulearn.estimators._parameters import GRUParameters
from grulearn.estimators._reading import describe, fingerprint, warn_if_doubtful, warn_if_little_is_left
from grulearn.estimators._samples import Samples
from grulearn.estimators._targets import Targets
from grulearn.estimators._warnings import warn
from grulearn.estimators.conformal import LabelScores, ResidualScores
from grulearn.estimators.persistence import save_estimator
from grulearn.formats import parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, NetworkSpec, PoolSpec
from grulearn.streaming import StepColumns
from grulearn.threads import resolve_n_jobs
from grulearn.training import Outcome, Split, halves, split

__all__ = ["BaseGRU"]


class BaseGRU(GRUParameters):
    """The estimators' common part. A subclass says what the targets are, and what a prediction is."""

    # Set by fit; see the subclasses' documentation for those with a trailing underscore.
    reading_: str
    sequence_lengths_: tuple[int, float, int]
    n_features_in_: int
    n_outputs_: int
    target_names_: list[str] | None
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_loss_: float
    best_iter_: int
    stop_reason_: str
    instruction_set_: str
    _engine: Engine
    _step_columns: StepColumns
    _encoding: InputEncoding
    _target_scaling: TargetScaling
    _optimizer: OptimizerState | None
    _scores: ResidualScores | LabelScores | None
    _held_out: str | None
    _seed: int
    _fingerprint: str

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        initial_weights: Mapping[str, ArrayLike] | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : Sequences, array-like of shape (N, F) or (N, T, F), dataframe, list of arrays, or list of texts
            N samples. A table or a dataframe: sequences of one step. An array with axes (sample, step,
            feature). A list of arrays of shape (T_i, F): sequences of different lengths. A Sequences, such as
            :meth:`grulearn.Sequences.from_frame` makes of a long dataframe. With `tokens`: texts, or lists
            of items.
        y : array-like of shape (N,) or (N, K), or with ``target="sequence"`` one for each step
            One target for each sample, or several. For each step: an array of shape (N, T) or (N, T, K), a
            list of arrays of shape (T_i,) or (T_i, K), or a Sequences; NaN or None where a step has none. A
            sequence of which no step has one is left out.
        sample_weight : array-like of shape (N,), optional
            How much each sample counts, in the loss and in the scaling; at least 0. One of weight 0 is left
            out, as if it were not there.
        groups : array-like of shape (N,), optional
            Whose each sample is: samples of one group are held out together. Without it the ids of windows
            over logs are the groups; see `validation`.
        X_val, y_val : like X and y, optional
            The validation part, instead of one that is held out of `X`.
        initial_weights : dict of str to array, optional
            Weights to start from, with the names and shapes of `weights_`, instead of drawn ones. They
            are those of the network, which sees scaled inputs and targets (see `standardize`).

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter, `X` or `y` is not usable; the message names the place. An earlier fit stays as it
            was.
        KeyboardInterrupt
            If the training was interrupted; the estimator is fitted with the best weights so far.
        """
        return self._fit(
            X,
            y,
            sample_weight=sample_weight,
            groups=groups,
            X_val=X_val,
            y_val=y_val,
            initial_weights=initial_weights,
        )

    def _fit(
        self, X: Any, y: Any, *, on_start: OnStart | None = None, on_epoch: OnEpoch | None = None, **data: Any
    ) -> Self:
        """Do what `fit` does, and tell the hooks about it.

        `on_start` gets the line on how the data was read, `on_epoch` a report after each epoch.
        """
        continuing = bool(self.warm_start) and self.__sklearn_is_fitted__()
        self._run(X, y, Request(on_start=on_start, on_epoch=on_epoch, continuing=continuing, **data))
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def _run(self, X: Any, y: Any, request: Request) -> None:
        before = self.__dict__.copy()
        try:
            outcome = self._fit_all(X, y, request)
        except BaseException:
            # A fit that fails leaves an earlier one as it was.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if outcome.interrupt is not None:
            raise outcome.interrupt

    def _fit_all(self, X: Any, y: Any, request: Request) -> Outcome:
        """Take all steps of a fit; an interrupted training ends like any other."""
        begin = perf_counter()
        self._check_combinations(whole_fit=request.whole_fit)
        inputs = read_inputs(self, X, reset=not request.continuing, training=True)
        targets = self._read_targets(y, inputs, what="y", request=request)
        # Of all the data, so that the message counts sequences as the user does.
        check_values(inputs.data, self.missing)
        weights = read_weights(request.sample_weight, inputs.data)
        warn_if_doubtful(X, inputs.shape)
        self._note_data(inputs.data, targets, request)
        rngs = random_streams(self._seed, self.n_iter_ if request.continuing else 0)
        split_rng, init_rng, order_rng = rngs
        data, targets, weights, request = leave_out(inputs.data, targets, weights, request)
        parts = self._hold_out(data, targets, request, split_rng)
        if not request.continuing:
            self._fit_encoding(data, targets, weights, parts, request)
        self._held_out = held_out_key(self._fingerprint, parts, request, getattr(self, "_held_out", None))
        training_part = data if parts is None else parts.training_part(data)
        engine = self._start_engine(request, init_rng, training_part)
        training, validation = self._encode_parts(data, targets, weights, parts, request, split_rng)
        weighed = self._weigh(training, validation)
        outcome, optimizer, held_out = run_training(self, engine, *weighed, order_rng, request, begin)
        conclude(self, outcome)
        self._keep(engine, outcome, optimizer, request)
        self._scores = None
        # Of a part that an earlier training saw, the residuals are too small.
        if validation is not None and held_out is not None and self._held_out is not None:
            self._scores = self._score_held_out(engine, held_out, validation.targets, validation.weights)
        return outcome

    # What a subclass fills in.

    def _read_targets(self, y: Any, inputs: Inputs, *, what: str, request: Request) -> Targets:
        """Check `y`, set `n_outputs_`, and return numbers in the user's units or class numbers."""
        raise NotImplementedError

    def _head(self) -> HeadSpec:
        """Return the head that the targets ask for."""
        raise NotImplementedError

    def _fit_target_scaling(
        self, targets: Targets, weights: NDArray[np.float64] | None, complete: bool
    ) -> TargetScaling:
        """Return the scaling of the targets, fitted on the training part's; `complete` if no more come."""
        raise NotImplementedError

    def _scale_targets(self, targets: Targets) -> Targets:
        """Return the targets as the network is trained on them."""
        raise NotImplementedError

    def _weigh(self, training: Samples, validation: Samples | None) -> tuple[Samples, Samples | None]:
        """Return the samples with what else they are weighted by."""
        return training, validation

    def _strata(self, targets: Targets) -> NDArray[Any] | None:
        """Return what a random split keeps in proportion, shape (N,), or None."""
        return None

    def _score_held_out(
        self, engine: Engine, outputs: FloatArray, targets: Targets, weights: NDArray[np.float64] | None
    ) -> ResidualScores | LabelScores | None:
        """Return how badly outputs for held-out sequences miss their targets, in the network's units."""
        raise NotImplementedError

    def _target_state(self) -> dict[str, Any]:
        """Return what the model file needs to know of the targets, as JSON values."""
        raise NotImplementedError

    def _set_target_state(self, state: dict[str, Any]) -> None:
        """Take back what `_target_state` returned."""
        raise NotImplementedError

    # The steps of a fit.

    def _note_data(self, data: Sequences, targets: Targets, request: Request) -> None:
        lengths = data.n_steps_summary()
        self.sequence_lengths_ = (
            join_lengths(self.sequence_lengths_, lengths) if request.continuing else lengths
        )
        self.reading_ = describe(data)
        self._fingerprint = fingerprint(data, targets.stacked())
        # A training that goes on goes on with its seed: another would hold out what was trained on.
        if not request.continuing or isinstance(self.random_state, Integral):
            self._seed = draw_seed(self.random_state)
        if self.verbose:
            print(self.reading_)
        if request.on_start is not None:
            request.on_start(self.reading_)

    def _hold_out(
        self, data: Sequences, targets: Targets, request: Request, rng: np.random.Generator
    ) -> Split | None:
        """Choose what is held out of the data; None if nothing is."""
        if request.X_val is not None and not self.early_stopping:
            raise ValueError(
                "X_val is given, but early_stopping=False makes no use of it: it decides when to stop. Set "
                "early_stopping=True, or leave X_val and y_val out"
            )
        if not self.early_stopping or not request.whole_fit or request.X_val is not None:
            return None
        parts = split(
            data,
            how=cast(Any, self.validation),
            fraction=self.validation_fraction,
            groups=request.groups,
            classes=self._strata(targets),
            per_step=targets.per_step,
            rng=rng,
        )
        require_targets(targets, parts)
        if self.verbose:
            print(parts.summary())
        warn_if_little_is_left(parts)
        return parts

    def _fit_encoding(
        self,
        data: Sequences,
        targets: Targets,
        weights: NDArray[np.float64] | None,
        parts: Split | None,
        request: Request,
    ) -> None:
        """Fit the encoding of inputs and targets on the training part."""
        view, known = data, targets
        if parts is not None:
            view = parts.training_part(data)
            known = targets[parts.training]
            weights = None if weights is None else weights[parts.training]
            if parts.held_out_steps is not None:
                known = known.truncate(view.lengths)
        self._encoding = InputEncoding.fit(
            view, standardize=bool(self.standardize), missing=self.missing, weights=weights
        )
        for remark in self._encoding.remarks(data.schema.features, data.schema.categorical):
            warn(remark)
        complete = request.whole_fit and not self.warm_start
        self._target_scaling = self._fit_target_scaling(known, weights, complete)

    def _start_engine(self, request: Request, rng: np.random.Generator, data: Sequences) -> Engine:
        """Return the network to train on `data`: a new one, or a copy of the fitted one."""
        cell = CellSpec(self.hidden_size, self.num_layers, self.bidirectional, self.reset_after, self.bias)
        spec = NetworkSpec(
            self._encoding.input_spec, cell, PoolSpec(self.pooling), head=self._head(), dtype=self.dtype
        )
        if not request.continuing:
            n_steps = int(data.n_steps_summary()[1])
            # Units that begin slow serve a target at the end. One for each step asks for fast ones too: R^2
            # of a sum of three steps, 10 epochs on 60 sequences of 1000 steps, was 0.90 and 0.07.
            init = "orthogonal" if self.init == "auto" and self.target == "sequence" else self.init
            return build_engine(spec, init, request.initial_weights, rng, n_steps)
        return resume_engine(self, spec, request.initial_weights)

    def _encode_parts(
        self,
        data: Sequences,
        targets: Targets,
        weights: NDArray[np.float64] | None,
        parts: Split | None,
        request: Request,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        everything = self._encode(data, targets, weights)
        if request.X_val is not None:
            if request.y_val is None:
                raise ValueError("X_val comes without y_val; expected both or none")
            return everything, self._encode_validation(request, rng)
        if request.y_val is not None:
            raise ValueError("y_val comes without X_val; expected both or none")
        if parts is None:
            return everything, None
        groups = None if request.groups is None else request.groups[parts.validation]
        return everything.divided(parts, halves(data[parts.validation], rng, groups))

    def _encode_validation(self, request: Request, rng: np.random.Generator) -> Samples:
        """Read the validation part that the user has given."""
        try:
            given = read_inputs(self, request.X_val, reset=False)
            goals = self._read_targets(request.y_val, given, what="y_val", request=request)
            held_out = self._encode(given.data, goals, None)
        except (ValueError, TypeError) as error:
            # The messages speak of X and y.
            raise type(error)(f"in X_val, y_val: {error}") from error
        return replace(held_out, in_first_half=halves(given.data, rng))

    def _encode(self, data: Sequences, targets: Targets, weights: NDArray[np.float64] | None) -> Samples:
        return Samples(self._encoding.transform(data, self.dtype), self._scale_targets(targets), weights)

    def _keep(
        self, engine: Engine, outcome: Outcome, optimizer: OptimizerState | None, request: Request
    ) -> None:
        before = Curves(self.loss_curve_, self.validation_scores_) if request.continuing else Curves([], None)
        curves = before.then(outcome.loss_curve, outcome.validation_scores)
        self._engine = engine
        self._optimizer = optimizer
        self.instruction_set_ = engine.instruction_set
        self.loss_curve_, self.validation_scores_ = curves
        self.best_loss_, self.best_iter_ = before.best(outcome, self.best_iter_ if request.continuing else 0)
        self.n_iter_ = len(curves.training)
        self.stop_reason_ = outcome.stop_reason

    # The fitted network.

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_engine")

    @property
    def spec_(self) -> NetworkSpec:
        """What network it is: sizes and options."""
        check_is_fitted(self)
        return self._engine.spec

    @property
    def weights_(self) -> dict[str, FloatArray]:
        """The weights by PyTorch's names: read-only copies."""
        check_is_fitted(self)
        weights = unflatten(self._engine.parameters(), parameter_shapes(self._engine.spec))
        for values in weights.values():
            values.flags.writeable = False  # a change would go nowhere
        return weights

    def _network_outputs(self, X: Any) -> tuple[Inputs, FloatArray]:
        """Return `X` as it was read, and the network's answer: a row for each sequence, or for each step."""
        check_is_fitted(self)
        inputs = read_inputs(self, X, reset=False)
        # The fitted network's dtype: the parameter may have been set anew since.
        encoded = self._encoding.transform(inputs.data, self._engine.spec.dtype)
        return inputs, self._engine.predict(encoded, resolve_n_jobs(self.n_jobs))

    def _in_shape(self, values: NDArray[Any], inputs: Inputs) -> Any:
        """Return rows of predictions in the shape of the targets: for each step, as `X` came."""
        if self._engine.spec.head.target == "value":
            return values
        return split_steps(values, inputs)

    def calibrate(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Take data that training has not seen as the measure for intervals and label sets.

        Without it they are measured on the validation part of `fit`. With data that had no part in the fit,
        neither in training nor in choosing when to stop, the promised coverage is exact.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If `X` or `y` is not usable, or there is no target.
        """
        inputs, outputs = self._network_outputs(X)
        request = Request(continuing=True, whole_fit=False)
        targets = self._read_targets(y, inputs, what="y", request=request)
        weights = read_weights(sample_weight, inputs.data)
        scores = self._score_held_out(self._engine, outputs, self._scale_targets(targets), weights)
        if scores is None:
            raise ValueError("y has no target to calibrate with")
        self._scores = scores
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a model file, for :func:`grulearn.load`.

        Parameters
        ----------
        path : path-like
            By convention it ends in ``.gru``. An existing file is replaced, whole or not at all.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        save_estimator(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing != "error"
        tags.target_tags.required = True
        return tags
