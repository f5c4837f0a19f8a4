"""GRUClassifier: labels from tables, sequences and texts."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from grulearn.estimators._docs import share_docs
from grulearn.estimators._fitting import Request, read_weights
from grulearn.estimators._frames import prediction_frame
from grulearn.estimators._labels import given_classes, read_step_labels
from grulearn.estimators._learns_labels import LearnsLabels
from grulearn.estimators._parameters import GRUParameters
from grulearn.estimators._streams import stream_parts
from grulearn.estimators._targets import Targets
from grulearn.streaming import ClassifierStream

__all__ = ["GRUClassifier"]


@share_docs
class GRUClassifier(ClassifierMixin, LearnsLabels):
    """Classification with gated recurrent units and a linear layer on their states.

    It takes the same data as :class:`GRURegressor`: tables, arrays of sequences, lists of sequences of
    different lengths, long dataframes and texts. It learns one label for each sequence, one for each step, or
    several at once, and is trained with Adam on the cross-entropy.

    Names are those of scikit-learn's MLPClassifier where the meaning is the same. What differs:
    `early_stopping` is on, and without it all `max_iter` epochs run; `max_iter` counts epochs;
    `weight_decay` is decoupled from the gradient (AdamW), unlike `alpha`; `validation_scores_` holds losses,
    lower being better; inputs are scaled inside (`standardize`).

    Parameters
    ----------
    {network}
    class_weight : dict or "balanced", default=None
        How much each class counts in the loss: a dict from labels to weights, 1 for those it leaves out;
        "balanced" is inversely proportional to how often a class occurs in the training part, so that all
        count the same. None: all samples count the same. Not with several labels at once.
    standardize : bool, default=True
        Whether to scale each feature to mean 0 and standard deviation 1, over the steps of the training
        part.
    {inputs}
    {training}

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels that occur in `y`, sorted; with several labels at once their numbers.
    weights_ : dict of str to ndarray of float32 or float64
        In the names and shapes of torch.nn.GRU (``weight_ih_l0`` and so on), and ``head.weight``,
        ``head.bias`` of the linear layer, whose outputs are the logits. Read-only copies, of the `dtype` that
        the fit had.
    {attributes}
    n_outputs_ : int
        Number of outputs: 1 for two classes, otherwise one for each class or label.

    See Also
    --------
    GRURegressor : The same for numbers.
    grulearn.load : Read an estimator that `save` has written.

    Notes
    -----
    With two classes the network has one output, the logit of the second; with more, one logit for each class,
    and the probabilities are their softmax; with several labels at once a logit for each label.

    {notes}

    Classes keep their shares in a validation part that is drawn at random, and a class of which there is one
    sample stays in the training part.

    References
    ----------
    {references}

    Examples
    --------
    Whether a sequence rises, from sequences of different lengths:

    >>> import numpy as np
    >>> from grulearn import GRUClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)).cumsum(axis=0) for n in rng.integers(3, 20, 300)]
    >>> y = np.array(["up" if x[-1, 0] > x[0, 0] else "down" for x in X])
    >>> model = GRUClassifier(16, random_state=0).fit(X[:200], y[:200])
    >>> model.score(X[200:], y[200:]) > 0.9
    True
    >>> model.classes_.tolist(), model.predict_proba(X[200:]).shape
    (['down', 'up'], (100, 2))

    Texts, letter by letter:

    >>> words = ["banana", "cabana", "bandana", "strength", "rhythm", "length"] * 20
    >>> model = GRUClassifier(8, tokens="char", random_state=0).fit(words, ["vowels", "consonants"] * 60)
    >>> model.n_features_in_
    1
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **GRUParameters._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        class_weight: Any = None,
        standardize: bool = True,
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
        self.class_weight = class_weight

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these samples, from where the network and Adam's state are.

        The first call fits the scaling and draws the weights; later ones keep the scaling. Nothing is held
        out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. A first call needs two samples, later ones take one.
        classes : array-like of shape (n_classes,), optional
            All labels that there will be. Needed in the first call, may be left out later.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, `X` or `y` is not usable; the message names the place.
        """
        continuing = self.__sklearn_is_fitted__()
        if not continuing and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if continuing and classes is not None and not np.array_equal(given_classes(classes), self.classes_):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"which had {self.classes_!r}"
            )
        request = Request(
            sample_weight=sample_weight, classes=classes, continuing=continuing, whole_fit=False
        )
        self._run(X, y, request)
        return self

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray, shape (N,), or (N, K) of 0 and 1 with several labels at once
            The most probable label. With ``target="sequence"`` an array of shape (N, T) if `X` was an array,
            otherwise a list of N arrays of shape (T_i,).

        Raises
        ------
        {predict_raises}
        """
        inputs, outputs = self._network_outputs(X)
        return self._in_shape(self._labels_of(outputs), inputs)

    def predict_proba(self, X: Any) -> Any:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of float64, shape (N, n_classes)
            In the order of `classes_`. With several labels at once the probability of each label. With
            ``target="sequence"`` an array of shape (N, T, n_classes) if `X` was an array, otherwise a list of
            N arrays of shape (T_i, n_classes).

        Raises
        ------
        {predict_raises}
        """
        inputs, outputs = self._network_outputs(X)
        return self._in_shape(self._probabilities(self._engine, outputs), inputs)

    def predict_frame(
        self, X: Any, *, proba: bool = True, coverage: float | None = None, backend: str = "pandas"
    ) -> Any:
        """Predict labels and probabilities, as a dataframe with the ids and times of the sequences.

        Parameters
        ----------
        {X}
        proba : bool, default=True
            Add the probabilities.
        coverage : float, default=None
            Add the possible labels of `predict_set`, as a text such as "idle|run".
        backend : {"pandas", "polars", "pyarrow"}, default="pandas"
            The dataframe's make.

        Returns
        -------
        dataframe
            A row for each sequence, or with ``target="sequence"`` for each step: the id and the time (of the
            last step) if `X` has them; the label as "predicted", or "predicted_" and the name of the target;
            "probability_" with each class behind it; "set", or "set_" and the name.

        Raises
        ------
        {predict_raises}

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRUClassifier, Sequences
        >>> ids = [f"m{i}" for i in range(20)]
        >>> X = Sequences(np.arange(40.0)[:, None], range(0, 40, 2), [2] * 20, ids=ids)
        >>> model = GRUClassifier(4, max_iter=2, random_state=0).fit(X, ["low"] * 10 + ["high"] * 10)
        >>> model.predict_frame(X).columns.tolist()
        ['id', 'predicted', 'probability_high', 'probability_low']
        """
        inputs, outputs = self._network_outputs(X)
        per_step = self._engine.spec.head.target == "sequence"
        return prediction_frame(
            inputs.data, self._columns(outputs, proba, coverage), per_step=per_step, backend=backend
        )

    def predict_log_proba(self, X: Any) -> Any:
        """Predict the logarithms of what `predict_proba` predicts.

        Parameters
        ----------
        {X}

        Returns
        -------
        Like `predict_proba`; minus infinity for a probability of 0.

        Raises
        ------
        {predict_raises}
        """
        inputs, outputs = self._network_outputs(X)
        with np.errstate(divide="ignore"):
            return self._in_shape(np.log(self._probabilities(self._engine, outputs)), inputs)

    def decision_function(self, X: Any) -> Any:
        """Return the network's outputs, the logits.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of float64, shape (N,) for two classes, otherwise (N, n_classes)
            Of two classes the logit of the second: the second is predicted where it is greater than 0. With
            ``target="sequence"`` for each step, as in `predict`.

        Raises
        ------
        {predict_raises}
        """
        inputs, outputs = self._network_outputs(X)
        logits = outputs.astype(np.float64)
        return self._in_shape(logits[:, 0] if self._is_binary() else logits, inputs)

    def predict_set(self, X: Any, coverage: float = 0.9) -> Any:
        """Predict which labels are possible, so that the true one is among them with a given probability.

        A label is possible if its probability is not smaller than those that held-out data had for their
        labels: the validation part, or the data given to `calibrate`. This is split-conformal prediction with
        the smallest sets [8]_. If a new sequence and the n held-out ones are exchangeable, as independent
        sequences of one source are, its label is in its set with a probability of at least `coverage`,
        whatever the network and the distribution. It is the probability over all sequences together, not for
        each class; :mod:`grulearn.estimators.conformal` says more.

        Parameters
        ----------
        {X}
        coverage : float, default=0.9
            Between 0 and 1.

        Returns
        -------
        ndarray of bool, shape (N, n_classes), or (N, K, 2) with several labels at once
            In the order of `classes_`; the predicted label is always in. With several labels at once
            ``[i, k, 0]`` says whether label k may be absent, ``[i, k, 1]`` whether it may be there. With
            ``target="sequence"`` for each step, as in `predict`.

        Raises
        ------
        {predict_raises}
            If too few sequences were held out for the coverage: at least ``coverage / (1 - coverage)`` are
            needed, 9 for 0.9.

        References
        ----------
        .. [8] M. Sadinle, J. Lei, L. Wasserman (2019), "Least ambiguous set-valued classifiers with bounded
           error levels", Journal of the American Statistical Association 114.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRUClassifier
        >>> X = np.random.default_rng(0).normal(size=(300, 5, 1))
        >>> model = GRUClassifier(8, random_state=0).fit(X[:200], X[:200].sum((1, 2)) > 0)
        >>> model.predict_set(X[200:], coverage=0.8).shape
        (100, 2)
        """
        inputs, outputs = self._network_outputs(X)
        return self._in_shape(self._sets(outputs, coverage), inputs)

    def stream(self, n_streams: int = 1) -> ClassifierStream:
        """Return streams, for sequences that arrive step by step.

        Parameters
        ----------
        {n_streams}

        Returns
        -------
        ClassifierStream
            Its `step` and `step_proba` give what `predict` and `predict_proba` would for the steps so far, to
            the bit.

        Raises
        ------
        {stream_raises}

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRUClassifier
        >>> X = np.random.default_rng(0).normal(size=(60, 8, 2))
        >>> y = np.where(X[:, :, 0].sum(axis=1) > 0, "up", "down")
        >>> stream = GRUClassifier(8, max_iter=3, random_state=0).fit(X, y).stream()
        >>> label, probabilities = stream.step(X[0, 0]), stream.step_proba(X[0, 1])
        >>> label in ("up", "down"), probabilities.shape, stream.n_steps
        (True, (2,), array([2]))
        """
        parts = stream_parts(self, n_streams)
        return ClassifierStream(self.classes_, **parts, multilabel=self._multilabel)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy of the predictions.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. With ``target="sequence"`` it is taken over all steps that have a label. With several
            labels at once a prediction counts as right if all of them are. A label that training has not
            seen counts as one that was predicted wrongly.

        Returns
        -------
        float
            The share of right predictions.
        """
        check_is_fitted(self)
        if self._engine.spec.head.target == "value":
            return float(super().score(X, y, sample_weight))
        inputs, outputs = self._network_outputs(X)
        labels = read_step_labels(self, y, inputs.data)
        places = Targets(labels.values, labels.starts, labels.lengths)
        index = places.row_index()
        known = labels.known[index]
        predicted = self._labels_of(outputs)
        weights = places.by_row(read_weights(sample_weight, inputs.data))
        return float(
            accuracy_score(
                labels.values[index][known],
                predicted[known],
                sample_weight=None if weights is None else weights[known],
            )
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
