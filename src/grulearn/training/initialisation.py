"""Weights to start from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.formats.weights import INPUT_PREFIXES

__all__ = ["METHODS", "draw_weights"]

METHODS = ("auto", "orthogonal", "pytorch")

# The last bits of a QR decomposition depend on the number of BLAS threads, which differs between a process
# and joblib's workers. OpenBLAS runs products up to this size on one thread anyway, and to look up which
# BLAS is loaded takes 2.5 ms, as long as a small network's training.
_SERIAL_SIZE = 64

_SLOW_DECAY, _FAST_DECAY = 0.01, 0.1  # rates for each unit of the gaps


def draw_weights(
    shapes: Mapping[str, tuple[int, ...]], method: str, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Draw initial weights.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Names and shapes as :func:`grulearn.formats.parameter_shapes` gives them.
    method : {"auto", "orthogonal", "pytorch"}
        - "orthogonal", which "auto" stands for: an orthogonal matrix for each gate's recurrent weights
          [1]_, Glorot's uniform distribution [2]_ for each gate's input weights and for the head, zero
          biases, and a query of zero, with which attention begins as the mean.
        - "pytorch": everything uniform within ``1 / sqrt(H)``, and the head within
          ``1 / sqrt(D * H)``, as torch.nn.GRU and torch.nn.Linear do it.

        Both draw the input's weights alike, see the notes.
    rng : numpy.random.Generator

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

    References
    ----------
    .. [1] A. M. Saxe, J. L. McClelland, S. Ganguli (2014), "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", ICLR.
    .. [2] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS.

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
        return {name: draw(name, shape) for name, shape in shapes.items()}


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
