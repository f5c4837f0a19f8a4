"""The constructor's parameters that all estimators share: defaults, and what is allowed."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions

from grulearn.spec import DTYPES, POOL_KINDS, TARGETS
from grulearn.training.initialisation import METHODS
from grulearn.training.schedules import SCHEDULES

__all__ = ["GRUParameters"]


class GRUParameters(BaseEstimator):
    """Stores parameters as they are given; `fit` checks them against the constraints below.

    A subclass repeats them in its own signature, since scikit-learn reads parameters from there.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "num_layers": [Interval(Integral, 1, None, closed="left")],
        "bidirectional": ["boolean"],
        "reset_after": ["boolean"],
        "bias": ["boolean"],
        "pooling": [StrOptions(set(POOL_KINDS))],
        "target": [StrOptions(set(TARGETS))],
        "standardize": ["boolean"],
        "missing": [StrOptions({"error", "mean", "forward", "simple", "decay"})],
        "categorical_features": ["array-like", None],
        "tokens": [StrOptions({"char", "word", "item"}), None],
        "init": [StrOptions(set(METHODS))],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "bptt": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation": [StrOptions({"auto", "random", "group", "last"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "dtype": [StrOptions(set(DTYPES))],
        "checkpoint_steps": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_size: int = 32,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        reset_after: bool = True,
        bias: bool = True,
        pooling: str = "last",
        target: str = "value",
        standardize: bool | str = True,
        missing: str = "error",
        categorical_features: Any = None,
        tokens: str | None = None,
        init: str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 3e-3,
        weight_decay: float = 0.0,
        batch_size: int | str = "auto",
        bptt: int | None = None,
        max_iter: int = 200,
        max_seconds: float | None = None,
        clip_norm: float | None = 1.0,
        early_stopping: bool = True,
        validation: str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 20,
        tol: float = 1e-4,
        warm_start: bool = False,
        dtype: str = "float32",
        checkpoint_steps: int | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.reset_after = reset_after
        self.bias = bias
        self.pooling = pooling
        self.target = target
        self.standardize = standardize
        self.missing = missing
        self.categorical_features = categorical_features
        self.tokens = tokens
        self.init = init
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.bptt = bptt
        self.max_iter = max_iter
        self.max_seconds = max_seconds
        self.clip_norm = clip_norm
        self.early_stopping = early_stopping
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.dtype = dtype
        self.checkpoint_steps = checkpoint_steps
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def _check_combinations(self, *, whole_fit: bool) -> None:
        """Raise an error if two parameters, each of them fine, do not go together.

        `whole_fit` is False for a `partial_fit`.
        """
        if self.learning_rate != "constant" and not whole_fit:
            raise ValueError(
                f"partial_fit with learning_rate={self.learning_rate!r}: a schedule has an end, and "
                'partial_fit trains one epoch of nobody knows how many; set learning_rate="constant"'
            )
        if self.target == "sequence" and self.pooling != "last":
            raise ValueError(
                f'pooling={self.pooling!r} makes one vector of all steps, and target="sequence" predicts for '
                'each step from its own state; leave pooling="last"'
            )
        if self.bidirectional and self.missing == "decay":
            raise ValueError(
                'missing="decay" needs bidirectional=False: a gap is the time since an earlier step, which a '
                'direction that reads from the end has not seen; missing="simple" goes with both'
            )
        if self.init == "chrono" and not self.bias:
            raise ValueError('init="chrono" draws biases, and bias=False leaves them out; set one of the two')
        if self.bptt is None:
            return
        if self.bidirectional:
            raise ValueError(
                "bptt needs bidirectional=False: the reverse direction begins at the end of a sequence, so "
                "that its state cannot be carried from one segment to the next"
            )
        if self.pooling != "last":
            raise ValueError(
                f'bptt needs pooling="last": pooling={self.pooling!r} reads the states of all segments '
                "at once"
            )
