"""Weights to start from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.formats.weights import INPUT_PREFIXES

__all__ = ["METHODS", "draw_weights"]

METHODS = ("auto", "orthogonal", "pytorch", "chrono")

# The last bits of a QR decomposition depend on the number of BLAS threads, which differs between a process
# and joblib's workers. OpenBLAS runs products up to this size on one thread anyway, and to look up which
# BLAS is loaded takes 2.5 ms, as long as a small network's training.
_SERIAL_SIZE = 64

# Sequences of at least so many steps begin with "chrono" for "auto": it was worth much from 64 steps on, and
# nothing yet at 29.
CHRONO_STEPS = 50

_SLOW_DECAY, _FAST_DECAY = 0.01, 0.1  # rates for each unit of the gaps


def draw_weights(
    shapes: Mapping[str, tuple[int, ...]], method: str, rng: np.random.Generator, n_steps: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Draw initial weights.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Names and shapes as :func:`grulearn.formats.parameter_shapes` gives them.
    method : {"auto", "orthogonal", "pytorch", "chrono"}
        - "orthogonal": an orthogonal matrix for each gate's recurrent weights [1]_, Glorot's uniform
          distribution [2]_ for each gate's input weights and for the head, zero biases, and a query of zero,
          with which attention begins as the mean.
        - "pytorch": everything uniform within ``1 / sqrt(H)``, and the head within
          ``1 / sqrt(D * H)``, as torch.nn.GRU and torch.nn.Linear do it.
        - "chrono": as "orthogonal", but with biases of the update gate with which the units remember for
          1 to `n_steps` - 1 steps [3]_, see the notes.
        - "auto": "chrono" for sequences of 50 steps or more, if there are biases, else "orthogonal".

        All draw the input's weights alike, see the notes.
    rng : numpy.random.Generator
    n_steps : int, default=1
        How long the sequences are, for "chrono" and "auto": the estimators give the median length, so that
        one long sequence among short ones does not make all units slow.

    Returns
    -------
    dict of str to ndarray of float64
        In the order of `shapes`.

    Notes
    -----
    The vectors of a categorical feature of size k are normal with variance ``1 / k``: the squared length of
    each is about 1, what one standardised numeric feature has, whatever k. (Among variances of 1 / 100, 1 / k
    and 1 the largest learned sequences of tokens up to a tenth better, and the effects of 200 categories
    beside numeric features two to three times worse.) Code 0, of values that training has not seen, begins at
    zero, the mean of the others, and stays there if training has no use for it.

    GRU-D's factors ``exp(-max(0, rate))`` have no gradient where the rate is not positive, so the rates
    begin positive wherever there is a gap: that of an input is ``1 / 10`` for each unit of its gap, and that
    of a hidden unit, where all features have the same gap, is drawn log-uniformly between ``1 / 100`` and
    ``1 / 10``. The factors are then close to 1 for gaps of about a unit, and the units differ in how long
    they remember. The biases begin at zero.

    Gains of layer normalisation begin at 1.

    Where the update gate has the value z all the time, the state fades as ``z ** t``, and a unit remembers
    ``1 / (1 - z)`` steps. "chrono" wants these spread over the sequence, so it draws u uniformly between 1
    and ``n_steps - 1`` and sets ``sigmoid(bias) = u / (1 + u)``, which is ``bias = log(u)``. The sign is
    that of [3]_'s forget gate, since here z is the share of the old state, ``h' = (1 - z) n + z h``. The
    whole bias stands in ``bias_ih``; ``bias_hh`` stays zero. With fewer than 3 steps it is zero too.

    What "auto" goes by, measured with the estimators' defaults otherwise; "vowels", "gestures" and "Covid"
    (PickupGestureWiimoteZ and Covid3Month of the archive at timeseriesclassification.com) and "digits" on
    fifths of their training parts, the others on new sequences. The differences have standard errors of 0.007
    for vowels, 0.0003 for Covid and 0.05 for gestures.

    ================================================  =======  ==========  ==========
    task and metric                                   steps    orthogonal  chrono
    ================================================  =======  ==========  ==========
    vowels, accuracy                                  7 to 29  0.946       0.951
    digits pixel by pixel, accuracy after 40 epochs   64       0.856       0.894
    Covid, RMSE                                       84       0.0395      0.0390
    gestures, accuracy                                29-361   0.26        0.62
    adding problem, epochs to an MSE of 0.01          100      5           2
    adding problem, epochs to an MSE of 0.01          200      5 to 11     1 or 2
    first of 100 random symbols, accuracy, 20 epochs  100      0.13        1.00
    ================================================  =======  ==========  ==========

    References
    ----------
    .. [1] A. M. Saxe, J. L. McClelland, S. Ganguli (2014), "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", ICLR.
    .. [2] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS.
    .. [3] C. Tallec, Y. Ollivier (2018), "Can recurrent neural networks warp time?", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> shapes = {"weight_hh_l0": (6, 2), "head.bias": (1,)}
    >>> weights = draw_weights(shapes, "orthogonal", np.random.default_rng(0))
    >>> reset = weights["weight_hh_l0"][:2]
    >>> np.allclose(reset @ reset.T, np.eye(2))
    True
    """
    if method not in METHODS:
        raise ValueError(f"init: there is no method {method!r}; expected one of {', '.join(METHODS)}")
    method = _auto(n_steps, shapes) if method == "auto" else method
    hidden_size = next(shape[1] for name, shape in shapes.items() if name.startswith("weight_hh"))

    def draw(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name.startswith(INPUT_PREFIXES):
            return _draw_input(name, shape, rng)
        if name.startswith("gain_"):
            return np.ones(shape)
        if method == "pytorch":
            return _draw_pytorch(name, shape, shapes, hidden_size, rng)
        return _draw_orthogonal(name, shape, hidden_size, rng)

    serial = method != "pytorch" and hidden_size > _SERIAL_SIZE
    with _one_blas_thread() if serial else nullcontext():
        weights = {name: draw(name, shape) for name, shape in shapes.items()}
    if method == "chrono":
        # After all others, which are those of "orthogonal" with the same generator.
        for name in weights:
            if name.startswith("bias_ih"):
                longest = max(n_steps - 1, 1)
                weights[name][hidden_size : 2 * hidden_size] = np.log(rng.uniform(1.0, longest, hidden_size))
    return weights


def _auto(n_steps: int, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Choose the method for "auto"."""
    return "chrono" if n_steps >= CHRONO_STEPS and "bias_ih_l0" in shapes else "orthogonal"


def _draw_input(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    if name.startswith("input.embedding_"):
        table = rng.normal(0.0, 1.0 / np.sqrt(shape[1]), shape)
        table[:2] = 0.0
        return table
    if name == "decay.input_weight":
        return np.full(shape, _FAST_DECAY)
    if name == "decay.hidden_weight":
        units, features = shape
        rates = np.exp(rng.uniform(np.log(_SLOW_DECAY), np.log(_FAST_DECAY), (units, 1)))
        return np.repeat(rates / features, features, axis=1)
    return np.zeros(shape)


def _draw_pytorch(
    name: str,
    shape: tuple[int, ...],
    shapes: Mapping[str, tuple[int, ...]],
    hidden_size: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    inputs = shapes["head.weight"][1] if name.startswith("head.") else hidden_size
    bound = 1.0 / np.sqrt(inputs)
    return rng.uniform(-bound, bound, shape)


def _draw_orthogonal(
    name: str, shape: tuple[int, ...], hidden_size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    if len(shape) == 1:
        return np.zeros(shape)
    if name == "head.weight":
        return _glorot(shape, rng)
    n_gates = shape[0] // hidden_size
    if name.startswith("weight_hh"):
        return np.concatenate([_orthogonal(hidden_size, rng) for _ in range(n_gates)])
    return np.concatenate([_glorot((hidden_size, shape[1]), rng) for _ in range(n_gates)])


def _one_blas_thread() -> AbstractContextManager[Any]:
    # It comes with scikit-learn.
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _glorot(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    bound = np.sqrt(6.0 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def _orthogonal(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    # LAPACK fixes the signs of R's diagonal in its own way; this makes the distribution uniform.
    signed: NDArray[np.float64] = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return signed
