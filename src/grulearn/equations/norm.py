"""A product with one gate's weights, with or without layer normalisation, and back through it.

Layer normalisation inside the gates [1]_ takes each gate's products with W and with U apart. Over the H
units,

    LN(v) = (v - mean(v)) / sqrt(mean((v - mean(v))^2) + 1e-5)

and ``W x + b`` becomes ``g * LN(W x) + b``, ``U h + c`` becomes ``k * LN(U h) + c``, with the learned gains
g and k, one for each gate and unit; the biases are the paper's shifts. The paper takes the
products of r and z together, over 2H units; here each gate's are taken by themselves, as
``torch.nn.LayerNorm`` takes them.

References
----------
.. [1] J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization", https://arxiv.org/abs/1607.06450,
   supplementary material.
"""

from __future__ import annotations

from .arrays import Array, namespace

__all__ = ["NORM_EPSILON", "gate_product", "gate_product_backward", "normalise"]

NORM_EPSILON = 1e-5


def normalise(v: Array) -> Array:
    """Return LN(v), over the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations.norm import normalise
    >>> normalise(np.array([1.0, 3.0])).round(3)
    array([-1.,  1.])
    """
    centred = v - v.mean(-1)[..., None]
    return centred * _scale(centred)


def gate_product(v: Array, M: Array, gain: Array | None) -> Array:
    """Return ``M v``, or with a gain ``gain * LN(M v)``; v (N, I), M (H, I)."""
    product = v @ M.T
    return product if gain is None else gain * normalise(product)


def gate_product_backward(
    d: Array, v: Array, M: Array, gain: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return the gradients by v, M and the gain, given that by the product, (N, H)."""
    if gain is None:
        return d @ M, d.T @ v, None
    product = v @ M.T
    centred = product - product.mean(-1)[..., None]
    scale = _scale(centred)
    x = centred * scale
    d_gain, d_x = (d * x).sum(0), d * gain
    d = scale * (d_x - d_x.mean(-1)[..., None] - x * (d_x * x).mean(-1)[..., None])
    return d @ M, d.T @ v, d_gain


def _scale(centred: Array) -> Array:
    return 1.0 / namespace(centred).sqrt((centred * centred).mean(-1) + NORM_EPSILON)[..., None]
