"""Losses: what a head's outputs stand for, how far they are from their targets, and the derivative.

A network's outputs ``a`` are linear in its states and may be any number. Each loss says what they stand for
(its link), and what one target ``y`` and its outputs add to the sum that training minimises:

====================== ======================= =======================================================
loss                   outputs a of a target   adds
====================== ======================= =======================================================
`squared_error`        the mean                ``(a - y)^2``
`absolute_error`       the median              ``|a - y|``
`huber`                a mean with few far     ``(a - y)^2 / 2`` where ``|a - y| <= delta``, else
                       away                    ``delta (|a - y| - delta / 2)``
`pinball`              the quantiles, below    for each quantile q of level t: ``t (y - q)`` where
                                               ``y >= q``, else ``(1 - t) (q - y)``
`poisson`              the log of the rate     ``exp(a) - y a + y log y - y``, half the deviance
`gaussian`             mean m, and s with      ``log scale + (y - m)^2 / (2 scale^2) + log(2 pi) / 2``
                       scale = softplus(s)
                       + 0.001
`cross_entropy`        the logits of the       ``log(sum_o exp a_o) - a_y`` for the class number y
                       classes
`binary_cross_entropy` the logit of y = 1      ``softplus(a) - y a``
====================== ======================= =======================================================

with ``softplus(x) = log(1 + exp x)``. The mean is taken over these summands with the weights of their
sequences and steps; for `pinball` every quantile is a summand of its own.

Label smoothing [1]_ by s spreads that part of each label evenly: for `cross_entropy` with C classes every
class wants s / C and class y 1 - s more; for `binary_cross_entropy` y becomes ``(1 - s) y + s / 2``.

The outputs of `pinball` cannot cross: with the levels rising and m the one nearest to 1/2 (the lower of two),

    q_m = a_m,    q_k = q_(k-1) + softplus(a_k) above,    q_k = q_(k+1) - softplus(a_k) below.

Outputs are laid out target after target: those of target j are the columns ``j p`` to ``(j + 1) p - 1`` where
a target has p of them (2 for `gaussian`, as many as there are levels for `pinball`, otherwise 1; the classes
of `cross_entropy` are those of its only target).

Half the deviance of `poisson` differs from ``torch.nn.PoissonNLLLoss(log_input=True)`` by what does not
depend on the outputs, and is 0 where they are exact. The bound of `gaussian`'s scale is that of the variance
in ``torch.nn.GaussianNLLLoss``; it is in the units of the targets that the network is trained on.

References
----------
.. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016), "Rethinking the Inception architecture
   for computer vision", CVPR, section 7. https://arxiv.org/abs/1512.00567
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .arrays import Array, beside, namespace
from .cell import sigmoid

__all__ = ["apply_link", "loss_gradient", "loss_sum", "loss_terms", "quantile_anchor", "softplus"]

SMALLEST_SCALE = 1e-3

# A loss's summands and their derivatives by the outputs of each target.
Terms = tuple[Array, Array]


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))``, elementwise, which does not overflow.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import softplus
    >>> softplus(np.array([-800.0, 800.0]))
    array([  0., 800.])
    """
    xp = namespace(x)
    return xp.logaddexp(x, xp.zeros_like(x))


def quantile_anchor(quantiles: Sequence[float]) -> int:
    """Return which level's quantile is an output as it stands: the one nearest to 1/2, the lower of two.

    Examples
    --------
    >>> from grulearn.equations import quantile_anchor
    >>> quantile_anchor([0.1, 0.5, 0.9]), quantile_anchor([0.25, 0.75])
    (1, 0)
    """
    return min(range(len(quantiles)), key=lambda k: abs(quantiles[k] - 0.5))


def apply_link(outputs: Array, loss: str, *, quantiles: Sequence[float] | None = None) -> Array:
    """Turn a network's outputs into what they stand for.

    Parameters
    ----------
    outputs : array, shape (n, O)
    loss : str
        The loss that the network is trained with.
    quantiles : sequence of float, optional
        The rising levels, for "pinball".

    Returns
    -------
    array, shape (n, O)
        Quantiles for "pinball", rates for "poisson", mean and scale in turn for "gaussian", probabilities of
        the classes for "cross_entropy" and of 1 for "binary_cross_entropy"; else the outputs themselves.

    Raises
    ------
    ValueError
        If the loss is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import apply_link
    >>> apply_link(np.array([[0.0, 0.0]]), "cross_entropy")
    array([[0.5, 0.5]])
    """
    _check_loss(loss)
    xp = namespace(outputs)
    if loss == "pinball":
        assert quantiles is not None
        grouped = outputs.reshape(len(outputs), -1, len(quantiles))
        return _quantiles(grouped, quantiles).reshape(outputs.shape)
    if loss == "gaussian":
        mean, scale = _mean_and_scale(outputs.reshape(len(outputs), -1, 2))
        return xp.stack((mean, scale), 2).reshape(outputs.shape)
    if loss == "poisson":
        return xp.exp(outputs)
    if loss == "cross_entropy":
        return xp.exp(_log_softmax(outputs))
    return sigmoid(outputs) if loss == "binary_cross_entropy" else outputs


def loss_sum(
    outputs: Array,
    targets: Array,
    loss: str = "squared_error",
    *,
    weights: Array | None = None,
    delta: float = 1.0,
    quantiles: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    """Return the weighted sum of a loss, and the sum of the weights; their quotient is the mean loss.

    Parameters
    ----------
    outputs : array, shape (n, O)
        Of n sequences, or of n steps.
    targets : array, shape (n, K), or of int, shape (n,)
        For "cross_entropy" class numbers. A target that is NaN, or a class of -1, does not count.
    loss : str, default="squared_error"
    weights : array, shape (n,), optional
        All 1 if not given.
    delta : float, default=1.0
        Where "huber" becomes linear.
    quantiles : sequence of float, optional
        The rising levels, for "pinball".
    label_smoothing : float, default=0.0
        At least 0 and below 1, for "cross_entropy" and "binary_cross_entropy".

    Returns
    -------
    loss_sum, weight_sum : scalar arrays

    Raises
    ------
    ValueError
        If the loss is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import loss_sum
    >>> total, weight = loss_sum(np.array([[1.0], [5.0]]), np.array([[3.0], [np.nan]]))
    >>> float(total), float(weight)
    (4.0, 1.0)
    """
    terms, weights = loss_terms(
        outputs,
        targets,
        loss,
        weights=weights,
        delta=delta,
        quantiles=quantiles,
        label_smoothing=label_smoothing,
    )
    return terms.sum(), weights.sum()


def loss_terms(
    outputs: Array,
    targets: Array,
    loss: str = "squared_error",
    *,
    weights: Array | None = None,
    delta: float = 1.0,
    quantiles: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    """Return what each target adds to the two sums of `loss_sum`.

    Parameters
    ----------
    outputs, targets, loss, weights, delta, quantiles, label_smoothing
        As for `loss_sum`.

    Returns
    -------
    terms, weights : array, shape (n, K)
        0 for a target that does not count. The weights are those of all its summands.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import loss_terms
    >>> loss_terms(np.array([[1.0], [5.0]]), np.array([[3.0], [np.nan]]))[0]
    array([[4.],
           [0.]])
    """
    weights, terms, _ = _weighted_terms(outputs, targets, loss, weights, delta, quantiles, label_smoothing)
    per_target = 1 if quantiles is None else len(quantiles)
    return weights * terms, weights * per_target


def loss_gradient(
    outputs: Array,
    targets: Array,
    loss: str = "squared_error",
    *,
    weights: Array | None = None,
    delta: float = 1.0,
    quantiles: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    """Return the derivative of `loss_sum`'s first result by the outputs, shape (n, O).

    Where a loss has a corner, at a residual of 0 of "absolute_error" and "pinball", it is 0.

    Parameters
    ----------
    outputs, targets, loss, weights, delta, quantiles, label_smoothing
        As for `loss_sum`.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import loss_gradient
    >>> loss_gradient(np.array([[1.0], [5.0]]), np.array([[3.0], [np.nan]]))
    array([[-4.],
           [ 0.]])
    """
    weights, _, slopes = _weighted_terms(outputs, targets, loss, weights, delta, quantiles, label_smoothing)
    return (weights[:, :, None] * slopes).reshape(outputs.shape)


def _weighted_terms(
    outputs: Array,
    targets: Array,
    loss: str,
    weights: Array | None,
    delta: float,
    quantiles: Sequence[float] | None,
    label_smoothing: float,
) -> tuple[Array, Array, Array]:
    """Return weights (n, K), summands (n, K) and derivatives (n, K, outputs of a target)."""
    _check_loss(loss)
    xp = namespace(outputs)
    classes = loss == "cross_entropy"
    y = targets[:, None] if classes else targets
    known = y >= 0 if classes else ~xp.isnan(y)
    y = xp.where(known, y, xp.zeros_like(y))
    ones = xp.ones_like(outputs[:, 0]) if weights is None else weights
    counting = xp.where(known, ones[:, None], xp.zeros_like(ones[:, None]))
    a = outputs.reshape(len(outputs), y.shape[1], -1) if len(outputs) else outputs[:, None, :]
    terms, slopes = _LOSSES[loss](a, y, delta, quantiles, label_smoothing)
    return counting, terms, slopes


def _squared_error(a: Array, y: Array, *_: Any) -> Terms:
    error = a[:, :, 0] - y
    return error * error, 2.0 * error[:, :, None]


def _absolute_error(a: Array, y: Array, *_: Any) -> Terms:
    xp = namespace(a)
    error = a[:, :, 0] - y
    return xp.abs(error), xp.sign(error)[:, :, None]


def _huber(a: Array, y: Array, delta: float, *_: Any) -> Terms:
    xp = namespace(a)
    error = a[:, :, 0] - y
    near = xp.abs(error) <= delta
    terms = xp.where(near, error * error / 2.0, delta * (xp.abs(error) - delta / 2.0))
    return terms, xp.where(near, error, delta * xp.sign(error))[:, :, None]


def _poisson(a: Array, y: Array, *_: Any) -> Terms:
    xp = namespace(a)
    log_rate = a[:, :, 0]
    rate = xp.exp(log_rate)
    positive = xp.where(y > 0, y, xp.ones_like(y))
    return rate - y * log_rate + y * xp.log(positive) - y, (rate - y)[:, :, None]


def _gaussian(a: Array, y: Array, *_: Any) -> Terms:
    xp = namespace(a)
    mean, scale = _mean_and_scale(a)
    error = (y - mean) / scale
    terms = xp.log(scale) + error * error / 2.0 + 0.5 * math.log(2.0 * math.pi)
    d_mean = -error / scale
    d_scale = (1.0 - error * error) / scale
    return terms, xp.stack((d_mean, d_scale * sigmoid(a[:, :, 1])), 2)


def _pinball(a: Array, y: Array, delta: float, quantiles: Sequence[float], *_: Any) -> Terms:
    xp = namespace(a)
    q = _quantiles(a, quantiles)
    terms, zero, dq = xp.zeros_like(y), xp.zeros_like(q[:, :, 0]), []
    for k, level in enumerate(quantiles):
        error = y - q[:, :, k]
        terms = terms + xp.where(error > 0, level * error, (level - 1.0) * error)
        dq.append(xp.where(error > 0, zero - level, xp.where(error < 0, zero + (1.0 - level), zero)))
    # An output moves all quantiles from its own outwards.
    m, grow = quantile_anchor(quantiles), sigmoid(a)
    slopes = []
    for k in range(len(quantiles)):
        moved = dq[: k + 1] if k < m else dq[k:] if k > m else dq
        total = sum(moved[1:], moved[0])
        slopes.append(total if k == m else (total if k > m else -total) * grow[:, :, k])
    return terms, xp.stack(slopes, 2)


def _cross_entropy(a: Array, y: Array, delta: float, quantiles: None, smoothing: float) -> Terms:
    xp = namespace(a)
    log_p = _log_softmax(a)
    is_y = xp.arange(a.shape[2], **beside(a)) == y[:, :, None]
    wanted = xp.where(is_y, xp.ones_like(a), xp.zeros_like(a))  # one-hot, (n, 1, O)
    wanted = (1.0 - smoothing) * wanted + smoothing / a.shape[2]
    return -(wanted * log_p).sum(2), xp.exp(log_p) - wanted


def _binary_cross_entropy(a: Array, y: Array, delta: float, quantiles: None, smoothing: float) -> Terms:
    logit = a[:, :, 0]
    y = (1.0 - smoothing) * y + smoothing / 2.0
    return softplus(logit) - y * logit, (sigmoid(logit) - y)[:, :, None]


_LOSSES: dict[str, Callable[..., Terms]] = {
    "squared_error": _squared_error,
    "absolute_error": _absolute_error,
    "huber": _huber,
    "pinball": _pinball,
    "poisson": _poisson,
    "gaussian": _gaussian,
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
}


def _check_loss(loss: str) -> None:
    if loss not in _LOSSES:
        raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")


def _quantiles(a: Array, levels: Sequence[float]) -> Array:
    """Build the quantiles from the anchor outwards, shape (n, K, levels)."""
    m = quantile_anchor(levels)
    steps = softplus(a)
    q = {m: a[:, :, m]}
    for k in range(m + 1, len(levels)):
        q[k] = q[k - 1] + steps[:, :, k]
    for k in range(m - 1, -1, -1):
        q[k] = q[k + 1] - steps[:, :, k]
    return namespace(a).stack([q[k] for k in range(len(levels))], 2)


def _mean_and_scale(a: Array) -> tuple[Array, Array]:
    return a[:, :, 0], softplus(a[:, :, 1]) + SMALLEST_SCALE


def _log_softmax(a: Array) -> Array:
    # Moved so that the largest is 0: no power overflows.
    xp = namespace(a)
    a = a - xp.amax(a, -1)[..., None]
    return a - xp.log(xp.exp(a).sum(-1))[..., None]
