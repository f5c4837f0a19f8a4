"""The parts of the estimators' docstrings that they share, in one place."""

from __future__ import annotations

import re
from typing import TypeVar

__all__ = ["share_docs"]

Class = TypeVar("Class", bound=type)


def share_docs(cls: Class) -> Class:
    """Fill ``{name}``, alone in its line, in the docstrings of a class and its own methods."""
    own = [value for value in vars(cls).values() if callable(value)]
    for item in (cls, *own):
        if item.__doc__:
            item.__doc__ = re.sub(r"^( *)\{(\w+)\}$", _indented, item.__doc__, flags=re.MULTILINE)
    return cls


def _indented(match: re.Match[str]) -> str:
    margin = match[1]
    text = _SHARED[match[2]].strip("\n")
    return "\n".join(margin + line if line else "" for line in text.split("\n"))


_SHARED = {
    "n_streams": """
n_streams : int, default=1
    How many sequences advance side by side, each with a state of its own.
""",
    "stream_raises": """
sklearn.exceptions.NotFittedError
    If the estimator is not fitted.
TypeError, ValueError
    If `n_streams` is no integer of at least 1. If the network needs the end of a sequence, with
    ``bidirectional=True`` or ``pooling="attention"``; or was fitted on sequences of one step.
""",
    "network": """
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
pooling : {"last", "mean", "max", "attention"}, default="last"
    What the linear layer reads of the last layer's states: the final ones, of each direction, which
    for sequences of different lengths are those after each one's own last step; the mean or the
    maximum over the steps; or a mean with weights that one learned query gives. With
    ``target="sequence"`` it reads the state of each step, and only "last" is allowed.
target : {"value", "sequence"}, default="value"
    Whether there is one target for each sequence, or one for each step.
""",
    "inputs": """
missing : {"error", "mean", "forward", "simple", "decay"}, default="error"
    What missing values (NaN, None) become. "error" refuses them and names the first. "mean": the
    training part's mean. "forward": the last value seen in the sequence, before it the mean.
    "simple": the same, and beside it, for each numeric feature, whether it was seen and how long ago.
    "decay": the GRU-D of [4]_, in which what was seen last and the hidden state fade with the time
    since then, as fast as training finds best; not with ``bidirectional=True``. Time is that of the
    sequences' `times` (see :meth:`grulearn.Sequences.from_frame`), or one step each.
categorical_features : list of str or int, default=None
    Numeric features that are categories, by name or position: that of a dataframe's column, or among the
    numeric features of an array or a Sequences (`feature_names_in_` lists a Sequences' numeric features
    first). Columns of strings and categories of
    a dataframe are so without being named. Each has a table of learned vectors, one for each value
    and one for all values that training did not see.
tokens : {"char", "word", "item"}, default=None
    Read `X` as texts, each a sequence of characters or of words and punctuation, or ("item") as
    lists of items, which are strings or integers; see :meth:`grulearn.Sequences.from_tokens`.
init : {"auto", "orthogonal", "chrono", "pytorch"}, default="auto"
    How initial weights are drawn. "orthogonal": orthogonal recurrent matrices [2]_, Glorot's uniform
    distribution [3]_ for the others, zero biases. "chrono": the same, with biases of the update gate that
    make the units remember for 1 step to the median length of the sequences [7]_; needs ``bias=True``.
    "auto": "chrono" from a median length of 50 steps on, below it, without biases, and with a target for
    each step "orthogonal".
    "pytorch": all uniform within ``1 / sqrt(H)``, as torch.nn.GRU and torch.nn.Linear draw them.
""",
    "training": """
learning_rate : {"constant", "cosine", "one_cycle", "plateau"}, default="constant"
    How Adam's step size changes from epoch to epoch; `learning_rate_init` is the greatest. "cosine": a
    warm-up of a twentieth of `max_iter`, then down to zero along a cosine [5]_. "one_cycle": up and down
    in lines, and lower still at the end [6]_. Both take as long as `max_iter` epochs or `max_seconds`,
    whichever are over first; early stopping may end them before that, and ``n_iter_no_change=np.inf``
    lets them run to their end. "plateau": to a third whenever the validation loss (without early stopping
    the training loss) has not fallen by more than `tol` for a quarter of `n_iter_no_change`.
    Each `fit` runs the schedule from its beginning, with `warm_start` too; `partial_fit`, which
    does not know how many epochs there will be, takes "constant" only.
learning_rate_init : float, default=3e-3
    Adam's step size; the greatest one of a schedule.
weight_decay : float, default=0.0
    Each update shrinks the weights, but not the biases, by this much times the learning rate.
batch_size : int or "auto", default="auto"
    Samples for each update. "auto" makes about 100 updates an epoch, with 16 to 256 samples each. A
    size of at least the number of training samples means full batches, in the samples' own order.
bptt : int or None, default=None
    Truncated backpropagation through time, for sequences too long to backpropagate through whole:
    they are cut into segments of this many steps, each of which starts from the state that the one
    before left, and no gradient crosses a cut. With ``target="sequence"`` every segment makes an
    update; with one target for each sequence the gradient comes from the last `bptt` steps. None:
    through whole sequences. Not with ``bidirectional=True`` or a pooling other than "last".
max_iter : int, default=200
    Greatest number of epochs, passes over the training part.
max_seconds : float or None, default=None
    Greatest duration of a fit in seconds. Training stops within an epoch if need be, and keeps the best
    weights so far; at least one batch is trained on.
clip_norm : float or None, default=1.0
    Bound of the norm of the whole gradient; None for no bound.
early_stopping : bool, default=True
    Whether to hold out a validation part, stop when its loss no longer falls, and restore the
    weights of its lowest loss.
validation : {"auto", "random", "group", "last"}, default="auto"
    What is held out; see Notes. Used with `early_stopping` only.
validation_fraction : float, default=0.1
    Share of the samples held out: at least one, and at least two are left to train
    on. With fewer than some 50 samples consider ``early_stopping=False``. Used with
    `early_stopping` only.
n_iter_no_change : int or inf, default=20
    Epochs in a row without an improvement by more than `tol` after which to stop. Used with
    `early_stopping` only.
tol : float, default=1e-4
    Least improvement of the validation loss that counts, in the units of `validation_scores_`.
warm_start : bool, default=False
    Whether another `fit` goes on with the weights, the scaling and Adam's state that there are, instead of
    starting anew. On the same samples without early stopping, a `fit` of a epochs and one of b have the
    bits of one of a + b. With early stopping the same samples stay held out, and the weights that there
    were are kept if no epoch has a lower validation loss. What shapes the network must not change.
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
""",
    "attributes": """
loss_curve_ : list of float
    Training loss of each epoch: mean over its batches, each measured before its update. A fit that goes on
    (`warm_start`, `partial_fit`) adds to it.
validation_scores_ : list of float or None
    Loss on the validation part after each epoch, in the same units, NaN for epochs without; None without
    early stopping.
best_loss_ : float
    The lowest validation loss; the lowest training loss without early stopping.
best_iter_ : int
    The epoch of `best_loss_`, counted from 1. With early stopping `weights_` are those it ended
    with; without it they are the last epoch's.
n_iter_ : int
    Number of epochs run.
stop_reason_ : {"max_iter", "no improvement", "max_seconds", "diverged", "interrupted"}
    Why the training ended. "diverged": the loss was NaN, infinite, a million times that of
    a network that predicts 0, or in the end above it and a hundred times the best; the best weights before
    were kept, and there was a ConvergenceWarning.
n_features_in_ : int
    Number of features of each step, numeric and categorical.
feature_names_in_ : ndarray of str, shape (n_features_in_,)
    Names of the features; only if `X` had names that are all strings.
sequence_lengths_ : tuple of (int, float, int)
    Least, median and greatest number of steps.
reading_ : str
    One line on how the data was read.
instruction_set_ : str
    The instruction set that trained the network: "avx512", "avx2" or "baseline".
spec_ : NetworkSpec
    The network's sizes and options.
""",
    "notes": """
A table's rows are sequences of one step, whose state before is 0: the recurrent weights have no
effect then, and each layer is a gated feed-forward layer. The reset gate is left with the candidate's
recurrent bias to scale, and with ``reset_after=False`` or ``bias=False`` with nothing.

What the others in a batch are, how long they are and in which order they come changes no bit of a
prediction.

The validation part is held out before anything is fitted, the scaling included. ``validation="auto"``
holds out whole groups where `groups` are given to `fit`, or where several sequences have one id, as
windows over logs do; of windows over few logs the last in time, and no window that shares steps with
them is trained on; of fewer than five sequences with a target for each step the last steps of each;
otherwise samples drawn at random. "random", "group" and "last" say which it must be;
"last" with a target for each step holds out the last steps of each sequence.
""",
    "references": """
.. [1] K. Cho, B. van Merrienboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk, Y. Bengio
   (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine
   translation", EMNLP. arXiv:1406.1078.
.. [2] A. M. Saxe, J. L. McClelland, S. Ganguli (2014), "Exact solutions to the nonlinear dynamics
   of learning in deep linear neural networks", ICLR.
.. [3] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward
   neural networks", AISTATS.
.. [4] Z. Che, S. Purushotham, K. Cho, D. Sontag, Y. Liu (2018), "Recurrent neural networks for
   multivariate time series with missing values", Scientific Reports 8:6085.
.. [5] I. Loshchilov, F. Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", ICLR.
.. [6] L. N. Smith, N. Topin (2019), "Super-convergence: very fast training of neural networks using
   large learning rates", SPIE Defense + Commercial Sensing. arXiv:1708.07120.
.. [7] C. Tallec, Y. Ollivier (2018), "Can recurrent neural networks warp time?", ICLR.
""",
    "X": """
X : Sequences, array-like of shape (N, F) or (N, T, F), dataframe, list of arrays, or list of texts
    As in `fit`. The number of steps may be another one than there.
""",
    "predict_raises": """
sklearn.exceptions.NotFittedError
    If the estimator is not fitted.
ValueError, TypeError
    If `X` is not usable or has other features than in `fit`.
""",
}
