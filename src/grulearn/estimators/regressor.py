"""GRURegressor: numbers from tables and sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from grulearn.encoding import TargetScaling
from grulearn.estimators._base import BaseGRU
from grulearn.estimators._inputs import read_targets, target_names
from grulearn.estimators._warnings import warn

__all__ = ["GRURegressor"]


class GRURegressor(RegressorMixin, BaseGRU):
    """Regression with gated recurrent units and a linear layer on the last state.

    It reads a table, whose rows are sequences of one step, or a 3-D array of sequences, and is trained
    with Adam on the mean squared error.

    Names are those of scikit-learn's MLPRegressor where the meaning is the same. What differs:
    `early_stopping` is on, and without it all `max_iter` epochs run; `max_iter` counts epochs;
    `weight_decay` is decoupled from the gradient (AdamW), unlike `alpha`; the loss is the full mean
    squared error, not half of it, and `validation_scores_` holds losses, lower being better; inputs and
    target are scaled inside (`standardize`).

    Parameters
    ----------
    hidden_size : int, default=32
        Number of hidden units H of each layer and direction.
    num_layers : int, default=1
        Number of layers; each reads the outputs of the one before.
    bidirectional : bool, default=False
        Whether every layer also reads the sequence from its end.
    reset_after : bool, default=True
        Whether the reset gate acts after the recurrent product, as in torch.nn.GRU, or on the state that
        enters it, as in [1]_.
    bias : bool, default=True
        Whether the gated units have biases. The linear layer always has one.
    standardize : bool or "inputs", default=True
        Whether to scale each feature and each output to mean 0 and standard deviation 1, over the steps
        of the training part; "inputs" leaves the target as it is.
    init : {"auto", "orthogonal", "pytorch"}, default="auto"
        How initial weights are drawn. "orthogonal", which "auto" stands for: orthogonal recurrent
        matrices [2]_, Glorot's uniform distribution [3]_ for the others, zero biases. "pytorch": all
        uniform within ``1 / sqrt(H)``, as torch.nn.GRU and torch.nn.Linear draw them.
    learning_rate_init : float, default=3e-3
        Adam's step size.
    weight_decay : float, default=0.0
        Each update shrinks the weights, but not the biases, by this much times the learning rate.
    batch_size : int or "auto", default="auto"
        Samples for each update. "auto" makes about 100 updates an epoch, with 16 to 256 samples each. A
        size of at least the number of training samples means full batches, in the samples' own order.
    max_iter : int, default=200
        Greatest number of epochs, passes over the training part.
    clip_norm : float or None, default=1.0
        Bound of the norm of the whole gradient; None for no bound.
    early_stopping : bool, default=True
        Whether to hold out a validation part, stop when its loss no longer falls, and restore the
        weights of its lowest loss.
    validation_fraction : float, default=0.1
        Share of the samples held out, drawn at random: at least one, and at least two are left to train
        on. With fewer than some 50 samples consider ``early_stopping=False``. Used with
        `early_stopping` only.
    n_iter_no_change : int or inf, default=20
        Epochs in a row without an improvement by more than `tol` after which to stop. Used with
        `early_stopping` only.
    tol : float, default=1e-4
        Least improvement of the validation loss that counts, in the units of `validation_scores_`.
    dtype : {"float32", "float64"}, default="float32"
        What the network computes in, and holds its weights in. Inputs and targets of either are taken,
        and scaled in float64 before they are rounded to it. float64 takes twice the memory and two to
        three times the time; it is for comparing gradients, or where seven digits are too few.
    checkpoint_steps : int or None, default=None
        Train long sequences in little memory: keep the gates of at most this many steps and recompute
        the others in the backward pass. Beyond inputs and outputs, a batch takes 5 floats for each step
        of each sequence and each hidden unit, in every layer and direction; with `checkpoint_steps` it
        takes 1, and 4 more for the steps kept. The price is one more forward pass, up to a third more
        time. None keeps all. Results have the same bits.
    n_jobs : int or None, default=None
        Number of threads; results do not depend on it, and 1 starts none. None means all cores that the
        process may use, by its affinity and its container's quota, and 1 inside a joblib or loky worker;
        -1 means all, -2 all but one.
    verbose : int or bool, default=0
        1 prints how the data was read and up to about 100 lines on the epochs, 2 every epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the validation part, the initial weights and the order of the samples. A number gives
        the same bits in every run on one instruction set, for any `n_jobs`.

    Attributes
    ----------
    weights_ : dict of str to ndarray of float32 or float64
        In the names and shapes of torch.nn.GRU (``weight_ih_l0`` and so on), and ``head.weight``,
        ``head.bias`` of the linear layer, whose output is in the scaled target's units. Read-only copies,
        of the `dtype` that the fit had.
    loss_curve_ : list of float
        Training loss of each epoch: mean over its batches, each measured before its update. In the
        units that the network sees, those of the scaled target; see `target_scale_`.
    validation_scores_ : list of float or None
        Loss on the validation part after each epoch, in the same units; None without early stopping.
    best_loss_ : float
        The lowest validation loss; the lowest training loss without early stopping.
    best_iter_ : int
        The epoch of `best_loss_`, counted from 1. With early stopping `weights_` are those it ended
        with; without it they are the last epoch's.
    n_iter_ : int
        Number of epochs run.
    stop_reason_ : {"max_iter", "no improvement", "diverged", "interrupted"}
        Why the training ended. "diverged": the loss was NaN, infinite, a million times that of
        predicting the mean, or in the end above it and a hundred times the best; the best weights before
        were kept, and there was a ConvergenceWarning.
    target_scale_ : ndarray of float64, shape (n_outputs_,)
        What a network's output of 1 is worth in the target's units: a loss times its square is a mean
        squared error. All 1 unless the target is standardized; 0 for a constant target.
    n_features_in_ : int
        Number of features F.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Names of the features; only if `X` was a dataframe whose column names are all strings.
    n_outputs_ : int
        Number of outputs O.
    target_names_ : list of str or None
        Names of the outputs, if `y` was a series or dataframe that had them.
    sequence_lengths_ : tuple of (int, float, int)
        Least, median and greatest number of steps.
    reading_ : str
        One line on how the data was read.
    instruction_set_ : str
        The instruction set that trained the network: "avx512", "avx2" or "baseline".
    spec_ : NetworkSpec
        The network's sizes and options.

    See Also
    --------
    grulearn.load : Read an estimator that `save` has written.

    Notes
    -----
    A table's rows are sequences of one step, whose state before is 0: the recurrent weights have no
    effect then, and each layer is a gated feed-forward layer. The reset gate is left with the candidate's
    recurrent bias to scale, and with ``reset_after=False`` or ``bias=False`` with nothing.

    The training of the article that this project began with, on its 506 rows of 13 features, is::

        GRURegressor(32, standardize="inputs", init="pytorch", learning_rate_init=1e-3, batch_size=len(X),
                     max_iter=10_000, early_stopping=False, clip_norm=None)

    and with ``reset_after=False, bias=False`` it is the article's own equations.

    References
    ----------
    .. [1] K. Cho, B. van Merrienboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk, Y. Bengio
       (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine
       translation", EMNLP. arXiv:1406.1078.
    .. [2] A. M. Saxe, J. L. McClelland, S. Ganguli (2014), "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", ICLR.
    .. [3] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS.

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
    """

    target_names_: list[str] | None
    _one_dimensional: bool

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (N, F), dataframe, or array-like of shape (N, T, F)
            As in `fit`. The number of steps may be another one than there.

        Returns
        -------
        ndarray of float64, shape (N,) or (N, O)
            In the target's own units; of shape (N,) if `y` was, or had shape (N, 1).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If `X` is not usable or has other features than in `fit`.
        """
        outputs = self._network_outputs(X)
        predictions = self._target_scaling.inverse(outputs)
        return predictions[:, 0] if self._one_dimensional else predictions

    def _read_targets(self, y: Any, X_shape: tuple[int, ...]) -> NDArray[np.float64]:
        targets, self._one_dimensional = read_targets(self, y, X_shape)
        self.target_names_ = target_names(y)
        self.n_outputs_ = targets.shape[1]
        return targets

    def _fit_target_scaling(self, targets: NDArray[np.float64]) -> TargetScaling:
        # NumPy's True is not Python's; "inputs" is the only text.
        standardize = not isinstance(self.standardize, str) and bool(self.standardize)
        scaling = TargetScaling.fit(targets, standardize=standardize)
        constant = np.flatnonzero(scaling.constant)
        if len(constant):
            column = "y" if self._one_dimensional else f"y, output {constant[0]},"
            value = scaling.mean[constant[0]]
            warn(
                f"The target {column} is constant in the training part: it is predicted as {value:g} always."
            )
        return scaling

    def _target_state(self) -> dict[str, Any]:
        return {"one_dimensional": self._one_dimensional, "names": self.target_names_}

    def _set_target_state(self, state: dict[str, Any]) -> None:
        self._one_dimensional = bool(state["one_dimensional"])
        self.target_names_ = state["names"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
