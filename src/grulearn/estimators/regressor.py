"""GRURegressor: numbers from tables and sequences."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from grulearn.estimators._docs import share_docs
from grulearn.estimators._fitting import Request, read_weights
from grulearn.estimators._frames import prediction_frame
from grulearn.estimators._learns_numbers import LearnsNumbers
from grulearn.estimators._parameters import GRUParameters
from grulearn.estimators._streams import stream_parts
from grulearn.estimators._targets import (
    read_step_targets,
)
from grulearn.streaming import RegressorStream

__all__ = ["GRURegressor"]

LOSSES = ("squared_error", "absolute_error", "huber", "pinball", "poisson", "gaussian")


@share_docs
class GRURegressor(RegressorMixin, LearnsNumbers):
    """Regression with gated recurrent units and a linear layer on their states.

    It reads tables, whose rows are sequences of one step, arrays of sequences, lists of sequences of
    different lengths, long dataframes (:meth:`grulearn.Sequences.from_frame`) and tokens, and is trained
    with Adam.

    Names are those of scikit-learn's MLPRegressor where the meaning is the same. What differs:
    `early_stopping` is on, and without it all `max_iter` epochs run; `max_iter` counts epochs;
    `weight_decay` is decoupled from the gradient (AdamW), unlike `alpha`; the loss is the full mean
    squared error, not half of it, and `validation_scores_` holds losses, lower being better; inputs and
    target are scaled inside (`standardize`).

    Parameters
    ----------
    {network}
    loss : {"squared_error", "absolute_error", "huber", "pinball", "poisson", "gaussian"}, \
default="squared_error"
        What is minimised, and so what a prediction is: the mean for "squared_error"; the median for
        "absolute_error"; for "huber" a mean on which far values have a bounded pull; "pinball" learns the
        `quantiles`; "poisson", for counts and other numbers that are at least 0, the mean, always
        positive; "gaussian" mean and standard deviation. :mod:`grulearn.equations` states them.
    quantiles : list of float, default=None
        The levels to learn, rising, between 0 and 1, with ``loss="pinball"`` or without a word on the loss.
        One network gives them all, and they never cross.
    delta : float, default=1.0
        The residual at which "huber" turns from a square to a line, in the units that the network sees:
        standard deviations of the target, if it is standardized.
    standardize : bool or "inputs", default=True
        Whether to scale each feature and each target to mean 0 and standard deviation 1, over the steps
        of the training part; "inputs" leaves the target as it is. The target of "poisson" is divided by its
        mean instead.
    {inputs}
    {training}

    Attributes
    ----------
    weights_ : dict of str to ndarray of float32 or float64
        In the names and shapes of torch.nn.GRU (``weight_ih_l0`` and so on), and ``head.weight``,
        ``head.bias`` of the linear layer, whose output is in the scaled target's units. Read-only copies,
        of the `dtype` that the fit had.
    {attributes}
    target_scale_ : ndarray of float64, shape (K,)
        What a network's output of 1 is worth in the target's units: a mean squared error is `best_loss_`
        times its square. All 1 unless the target is standardized; 0 for a constant target.
    n_outputs_ : int
        Number of targets K.
    target_names_ : list of str or None
        Names of the targets, if `y` was a series or dataframe that had them.

    See Also
    --------
    GRUClassifier : The same for labels.
    grulearn.load : Read an estimator that `save` has written.

    Notes
    -----
    {notes}

    The training of the article that this project began with, on its 506 rows of 13 features, is::

        GRURegressor(32, standardize="inputs", init="pytorch", learning_rate_init=1e-3, batch_size=len(X),
                     max_iter=10_000, early_stopping=False, clip_norm=None)

    and with ``reset_after=False, bias=False`` it is the article's own equations.

    References
    ----------
    {references}

    Examples
    --------
    The sum of one series, weighted towards its end, from sequences of 12 steps:

    >>> import numpy as np
    >>> from grulearn import GRURegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 12, 2))
    >>> y = (X[:, :, 0] * np.linspace(0, 1, 12)).sum(axis=1)
    >>> model = GRURegressor(hidden_size=16, random_state=0).fit(X[:300], y[:300])
    >>> model.score(X[300:], y[300:]) > 0.9
    True
    >>> model.sequence_lengths_
    (12, 12.0, 12)

    The running sum at each step, of sequences of different lengths:

    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(3, 9, 300)]
    >>> y = [x[:, 0].cumsum() for x in X]
    >>> model = GRURegressor(16, target="sequence", random_state=0).fit(X, y)
    >>> [p.shape for p in model.predict(X[:2])] == [t.shape for t in y[:2]]
    True
    >>> model.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **GRUParameters._parameter_constraints,
        "loss": [StrOptions(set(LOSSES))],
        "quantiles": ["array-like", None],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "standardize": ["boolean", StrOptions({"inputs"})],
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
        loss: str = "squared_error",
        quantiles: Any = None,
        delta: float = 1.0,
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
        super().__init__(
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            reset_after=reset_after,
            bias=bias,
            pooling=pooling,
            target=target,
            standardize=standardize,
            missing=missing,
            categorical_features=categorical_features,
            tokens=tokens,
            init=init,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            weight_decay=weight_decay,
            batch_size=batch_size,
            bptt=bptt,
            max_iter=max_iter,
            max_seconds=max_seconds,
            clip_norm=clip_norm,
            early_stopping=early_stopping,
            validation=validation,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            dtype=dtype,
            checkpoint_steps=checkpoint_steps,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )
        self.loss = loss
        self.quantiles = quantiles
        self.delta = delta

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these samples, from where the network and Adam's state are.

        The first call fits the scaling and draws the weights; later ones keep the scaling. Nothing is held
        out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. A first call needs two samples, later ones take one.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, `X` or `y` is not usable; the message names the place.
        """
        continuing = self.__sklearn_is_fitted__()
        request = Request(sample_weight=sample_weight, continuing=continuing, whole_fit=False)
        self._run(X, y, request)
        return self

    def predict(self, X: Any, *, return_std: bool = False) -> Any:
        """Predict targets.

        Parameters
        ----------
        {X}
        return_std : bool, default=False
            Whether to return the standard deviations too; for the loss "gaussian".

        Returns
        -------
        predictions : ndarray of float64, shape (N,) or (N, K)
            In the target's own units; of shape (N,) if `y` was, or had shape (N, 1). The median, or the
            quantile nearest to it, for "pinball". With ``target="sequence"`` an array of shape (N, T) or
            (N, T, K) if `X` was an array, otherwise a list of N arrays of shape (T_i,) or (T_i, K).
        std : like predictions
            Only if `return_std`.

        Raises
        ------
        {predict_raises}
        """
        inputs, values = self._decoded(X)
        if not return_std:
            return self._shaped(values[:, :, self._point()], inputs)
        if self._engine.spec.head.loss != "gaussian":
            raise ValueError(
                f"return_std=True: the loss {self._engine.spec.head.loss!r} gives no standard deviation; fit "
                'with loss="gaussian"'
            )
        return self._shaped(values[:, :, 0], inputs), self._shaped(values[:, :, 1], inputs)

    def predict_quantiles(self, X: Any) -> Any:
        """Predict the quantiles that the network was trained on.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of float64, shape (N, Q) or (N, K, Q)
            In the order of `quantiles`, never falling along the last axis. With ``target="sequence"`` for
            each step, as in `predict`.

        Raises
        ------
        {predict_raises}

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRURegressor
        >>> X = np.random.default_rng(0).normal(size=(300, 5, 1))
        >>> model = GRURegressor(8, quantiles=[0.1, 0.5, 0.9], random_state=0).fit(X, X[:, -1, 0])
        >>> model.predict_quantiles(X[:4]).shape
        (4, 3)
        """
        inputs, values = self._decoded(X)
        if self._engine.spec.head.quantiles is None:
            raise ValueError(
                f"the loss {self._engine.spec.head.loss!r} gives no quantiles; fit with "
                "quantiles=[0.1, 0.5, 0.9], or whichever you want"
            )
        return self._shaped(values, inputs)

    def predict_frame(self, X: Any, *, coverage: float | None = None, backend: str = "pandas") -> Any:
        """Predict targets, as a dataframe with the ids and times of the sequences.

        Parameters
        ----------
        {X}
        coverage : float, default=None
            Add the ends of `predict_interval`.
        backend : {"pandas", "polars", "pyarrow"}, default="pandas"
            The dataframe's make.

        Returns
        -------
        dataframe
            A row for each sequence, or with ``target="sequence"`` for each step: the id and the time (of the
            last step) if `X` has them; the prediction as "predicted", or "predicted_" and the name of the
            target; likewise "std", "quantile_0.1" and so on, "lower" and "upper", where there are such.

        Raises
        ------
        {predict_raises}

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRURegressor, Sequences
        >>> ids = [f"m{i}" for i in range(20)]
        >>> X = Sequences(np.arange(40.0)[:, None], range(0, 40, 2), [2] * 20, ids=ids)
        >>> model = GRURegressor(4, max_iter=2, random_state=0).fit(X, np.arange(20.0))
        >>> model.predict_frame(X).columns.tolist()
        ['id', 'predicted']
        """
        inputs, outputs = self._network_outputs(X)
        columns = self._columns(outputs, coverage)
        per_step = self._engine.spec.head.target == "sequence"
        return prediction_frame(inputs.data, columns, per_step=per_step, backend=backend)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Any, Any]:
        """Predict intervals that cover new targets with a given probability.

        They are as wide as the residuals of held-out data ask for: those of the validation part, or of the
        data given to `calibrate`. This is split-conformal prediction [8]_. If a new sequence and the n
        held-out ones are exchangeable, as independent sequences of one source are, its target is in its
        interval with a probability of at least `coverage`, whatever the network and the distribution, and of
        at most ``coverage + 1 / (n + 1)`` if no two residuals are equal. It is the probability over all
        sequences together, not for each kind of them; :mod:`grulearn.estimators.conformal` says more.

        Intervals of the loss "gaussian" are as wide as the predicted standard deviation says, those of
        quantiles are the quantiles' own, moved; all others have one width.

        Parameters
        ----------
        {X}
        coverage : float, default=0.9
            Between 0 and 1. For several targets it is that of each by itself; for each step, of a step
            drawn at random from a new sequence.

        Returns
        -------
        lower, upper : like what `predict` returns
            The ends of the intervals.

        Raises
        ------
        {predict_raises}
            If too few sequences were held out for the coverage: at least ``coverage / (1 - coverage)`` are
            needed, 9 for 0.9.

        References
        ----------
        .. [8] V. Vovk, A. Gammerman, G. Shafer (2005), "Algorithmic learning in a random world", Springer.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRURegressor
        >>> X = np.random.default_rng(0).normal(size=(300, 5, 1))
        >>> model = GRURegressor(8, random_state=0).fit(X[:200], X[:200].sum((1, 2)))
        >>> lower, upper = model.predict_interval(X[200:], coverage=0.8)
        >>> bool((lower < model.predict(X[200:])).all())
        True
        """
        inputs, outputs = self._network_outputs(X)
        lower, upper = self._intervals(outputs, coverage)
        return self._shaped(lower, inputs), self._shaped(upper, inputs)

    def stream(self, n_streams: int = 1) -> RegressorStream:
        """Return streams, for sequences that arrive step by step.

        Parameters
        ----------
        {n_streams}

        Returns
        -------
        RegressorStream
            Its `step` predicts what `predict` would for the steps so far, to the bit.

        Raises
        ------
        {stream_raises}

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRURegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 8, 2))
        >>> model = GRURegressor(8, max_iter=3, random_state=0).fit(X, X.sum(axis=(1, 2)))
        >>> stream = model.stream()
        >>> for x_t in X[0]:
        ...     prediction = stream.step(x_t)
        >>> prediction == float(model.predict(X[:1])[0])
        True
        """
        return RegressorStream(**stream_parts(self, n_streams), target_scaling=self._target_scaling)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R^2 of the predictions.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. With ``target="sequence"`` it is taken over all steps that have a target, for each of
            several targets by itself.

        Returns
        -------
        float
            1 at best; 0 for predicting the mean. The mean over several targets.
        """
        check_is_fitted(self)
        if self._engine.spec.head.target == "value":
            return float(super().score(X, y, sample_weight))
        inputs, values = self._decoded(X)
        targets, _ = read_step_targets(self, y, inputs.data)
        weights = targets.by_row(read_weights(sample_weight, inputs.data))
        scores = []
        for truth, predicted in zip(targets.stacked().T, values[:, :, self._point()].T, strict=True):
            known = ~np.isnan(truth)
            of_known = None if weights is None else weights[known]
            if known.any():
                scores.append(r2_score(truth[known], predicted[known], sample_weight=of_known))
        return float(np.mean(scores))

    @property
    def target_scale_(self) -> NDArray[np.float64]:
        """What one unit of the network's output is worth in the target's units, shape (K,)."""
        check_is_fitted(self)
        return self._target_scaling.scale.copy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
