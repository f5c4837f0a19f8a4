"""What all estimators share: parameters, the way through a fit, and the fitted network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from grulearn.encoding import Scaling, TargetScaling
from grulearn.engines import Engine, FloatArray, OptimizerOptions, get_engine
from grulearn.estimators._console import console_report
from grulearn.estimators._inputs import check_encoded, feature_names, read_sequences
from grulearn.estimators._parameters import GRUParameters
from grulearn.estimators._places import column_label
from grulearn.estimators._reading import describe, fingerprint, warn_if_doubtful
from grulearn.estimators._warnings import warn
from grulearn.estimators.persistence import save_estimator
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.threads import resolve_n_jobs
from grulearn.training import EpochReport, LoopOptions, Outcome, draw_weights, hold_out, train
from grulearn.training.batches import auto_batch_size

__all__ = ["BaseGRU"]

OnStart = Callable[[str], None]
OnEpoch = Callable[[EpochReport], None]


class BaseGRU(GRUParameters):
    """The estimators' common part. A subclass says what the targets are, and what a prediction is."""

    # Set by fit; see the subclasses' documentation for those with a trailing underscore.
    reading_: str
    sequence_lengths_: tuple[int, float, int]
    n_features_in_: int
    n_outputs_: int
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_loss_: float
    best_iter_: int
    stop_reason_: str
    instruction_set_: str
    _engine: Engine
    _input_scaling: Scaling
    _target_scaling: TargetScaling
    _seed: int
    _fingerprint: str

    def fit(self, X: Any, y: Any, *, initial_weights: Mapping[str, ArrayLike] | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (N, F), dataframe, or array-like of shape (N, T, F)
            A table, each row a sequence of one step; or sequences, axes (sample, step, feature).
        y : array-like of shape (N,) or (N, O)
            One target for each sample, or several.
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
            If a parameter, `X` or `y` is not usable; the message names the place.
        KeyboardInterrupt
            If the training was interrupted; the estimator is fitted with the best weights so far.
        """
        self._fit(X, y, initial_weights=initial_weights)
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def _fit(
        self,
        X: Any,
        y: Any,
        *,
        initial_weights: Mapping[str, ArrayLike] | None = None,
        on_start: OnStart | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Do what `fit` does, and tell the hooks about it.

        `on_start` gets the line on how the data was read, `on_epoch` a report after each epoch.
        """
        before = self.__dict__.copy()
        try:
            outcome = self._fit_all(X, y, initial_weights, on_start, on_epoch)
        except BaseException:
            # A fit that fails leaves an earlier one as it was.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if outcome.interrupt is not None:
            raise outcome.interrupt
        return self

    def _fit_all(
        self,
        X: Any,
        y: Any,
        initial_weights: Mapping[str, ArrayLike] | None,
        on_start: OnStart | None,
        on_epoch: OnEpoch | None,
    ) -> Outcome:
        """Take all steps of a fit; an interrupted training ends like any other."""
        data, shape = read_sequences(self, X, reset=True)
        targets = self._read_targets(y, shape)
        warn_if_doubtful(X, shape)
        self._note_data(data, targets)
        if self.verbose:
            print(self.reading_)
        if on_start is not None:
            on_start(self.reading_)
        self._seed = _draw_seed(self.random_state)
        # One stream for each purpose, so that other initial weights leave the split and the order alone.
        split_rng, init_rng, order_rng = map(
            np.random.default_rng, np.random.SeedSequence(self._seed).spawn(3)
        )
        training, validation = self._split(len(data), split_rng)
        engine = self._build_engine(initial_weights, init_rng)
        encoded, scaled = self._fit_encoding(data, targets, training)
        outcome = self._train(engine, encoded, scaled, training, validation, order_rng, on_epoch)
        self._keep(engine, outcome)
        return outcome

    # What a subclass fills in.

    def _read_targets(self, y: Any, X_shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Check `y`, set `n_outputs_`, and return the targets, shape (N, O)."""
        raise NotImplementedError

    def _fit_target_scaling(self, targets: NDArray[np.float64]) -> TargetScaling:
        """Return the scaling of the targets, fitted on the training part's."""
        raise NotImplementedError

    def _target_state(self) -> dict[str, Any]:
        """Return what the model file needs to know of the targets, as JSON values."""
        raise NotImplementedError

    def _set_target_state(self, state: dict[str, Any]) -> None:
        """Take back what `_target_state` returned."""
        raise NotImplementedError

    # The steps of a fit.

    def _note_data(self, data: Sequences, targets: NDArray[np.float64]) -> None:
        self.sequence_lengths_ = data.n_steps_summary()
        self.reading_ = describe(data)
        self._fingerprint = fingerprint(data, targets)

    def _split(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        if self.early_stopping:
            return hold_out(n, self.validation_fraction, rng)
        return np.arange(n, dtype=np.int64), None

    def _fit_encoding(
        self, data: Sequences, targets: NDArray[np.float64], training: NDArray[np.int64]
    ) -> tuple[Sequences, FloatArray]:
        """Fit the scalings on the training part, and scale everything."""
        names = feature_names(self)
        if self.standardize:
            self._input_scaling = Scaling.fit(data[training])
            self._warn_of_constant_features(data, names)
        else:
            self._input_scaling = Scaling.identity(data.n_features)
        self._target_scaling = self._fit_target_scaling(targets[training])
        encoded = self._input_scaling.transform(data, self.dtype)
        check_encoded(encoded, data, type(self).__name__, names)
        return encoded, self._target_scaling.transform(targets, self.dtype)

    def _warn_of_constant_features(self, data: Sequences, names: list[str] | None) -> None:
        constant = np.flatnonzero(self._input_scaling.constant)
        if len(constant):
            listed = ", ".join(column_label(int(i), names) for i in constant[:5])
            listed += ", ..." if len(constant) > 5 else ""
            what = "feature is" if len(constant) == 1 else "features are"
            warn(
                f"{len(constant)} {what} constant in the training part and cannot tell samples apart: "
                f"{listed}. Scaled with 1 instead of a standard deviation of 0; consider dropping it."
            )

    def _build_engine(
        self, initial_weights: Mapping[str, ArrayLike] | None, rng: np.random.Generator
    ) -> Engine:
        cell = CellSpec(self.hidden_size, self.num_layers, self.bidirectional, self.reset_after, self.bias)
        head = HeadSpec(self.n_outputs_)
        spec = NetworkSpec(InputSpec(self.n_features_in_), cell, head=head, dtype=self.dtype)
        shapes = parameter_shapes(spec)
        if initial_weights is None:
            start = flatten(draw_weights(shapes, self.init, rng), shapes, self.dtype)
        else:
            start = flatten(initial_weights, shapes, self.dtype)
            if not np.isfinite(start).all():
                named = unflatten(start, shapes)
                broken = next(name for name in named if not np.isfinite(named[name]).all())
                raise ValueError(f"initial_weights: {broken} holds NaN or infinity, expected finite numbers")
        engine = get_engine("native")(spec)
        engine.set_parameters(start)
        return engine

    def _train(
        self,
        engine: Engine,
        encoded: Sequences,
        scaled: FloatArray,
        training: NDArray[np.int64],
        validation: NDArray[np.int64] | None,
        rng: np.random.Generator,
        on_epoch: OnEpoch | None,
    ) -> Outcome:
        n = len(training)
        n_jobs = resolve_n_jobs(self.n_jobs)
        batch_size = auto_batch_size(n) if isinstance(self.batch_size, str) else min(self.batch_size, n)
        checkpoint_steps = self.checkpoint_steps
        if checkpoint_steps is not None:
            checkpoint_steps = min(int(checkpoint_steps), self.sequence_lengths_[2])
        optimizer = OptimizerOptions(
            int(batch_size), n_jobs, float(self.weight_decay), self.clip_norm, checkpoint_steps
        )
        goals = scaled[training]
        options = LoopOptions(
            max_iter=self.max_iter,
            learning_rate=float(self.learning_rate_init),
            batch_size=int(batch_size),
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
        )
        outcome = train(
            engine,
            engine.trainer(encoded[training], goals, optimizer),
            n,
            options,
            rng,
            naive_loss=_mean_square(goals),
            validation_loss=None
            if validation is None
            else _validation_loss(engine, encoded[validation], scaled[validation], n_jobs),
            on_epoch=console_report(self.verbose, on_epoch),
        )
        self._conclude(outcome)
        return outcome

    def _conclude(self, outcome: Outcome) -> None:
        """Say why the training ended, if that matters to the user."""
        n_iter = len(outcome.loss_curve)
        kept = f"the weights of epoch {outcome.kept_iter}" if outcome.kept_iter else "the initial weights"
        if outcome.stop_reason == "diverged":
            warn(
                f"The loss diverged in epoch {n_iter} (training loss {outcome.loss_curve[-1]:.3g}) with "
                f"learning_rate_init={self.learning_rate_init}. Training stopped there, and {kept} were "
                f"kept. Lower learning_rate_init, for instance to {self.learning_rate_init / 10:.2g}"
                + (", or set clip_norm=1.0." if self.clip_norm is None else "."),
                ConvergenceWarning,
            )
        if self.verbose:
            print(f"stopped after epoch {n_iter}: {outcome.stop_reason}; {kept} were kept")

    def _keep(self, engine: Engine, outcome: Outcome) -> None:
        self._engine = engine
        self.instruction_set_ = engine.instruction_set
        self.loss_curve_ = outcome.loss_curve
        self.validation_scores_ = outcome.validation_scores
        self.best_loss_ = outcome.best_loss
        self.best_iter_ = outcome.best_iter
        self.n_iter_ = len(outcome.loss_curve)
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

    @property
    def target_scale_(self) -> NDArray[np.float64]:
        """What one unit of the network's output is worth in the target's units, shape (O,)."""
        check_is_fitted(self)
        return self._target_scaling.scale.copy()

    def _network_outputs(self, X: Any) -> FloatArray:
        """Return what the network answers to `X`, shape (N, O), in the scaled target's units."""
        check_is_fitted(self)
        data, _ = read_sequences(self, X, reset=False)
        # The fitted network's dtype: the parameter may have been set anew since.
        encoded = self._input_scaling.transform(data, self._engine.spec.dtype)
        check_encoded(encoded, data, type(self).__name__, feature_names(self))
        return self._engine.predict(encoded, resolve_n_jobs(self.n_jobs))

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
        tags.target_tags.required = True
        return tags


def _draw_seed(random_state: Any) -> int:
    """Return `random_state` itself if it is a number, and a number drawn from it otherwise."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _mean_square(values: FloatArray) -> float:
    return float(np.mean(np.square(values, dtype=np.float64)))


def _validation_loss(
    engine: Engine, data: Sequences, targets: FloatArray, n_jobs: int
) -> Callable[[], float]:
    # NumPy's pairwise sum, not a BLAS product, whose last bits depend on its threads.
    return lambda: _mean_square(engine.predict(data, n_jobs) - targets)
