"""What a network makes of a step before layer 0: vectors for codes, and the decay of what is missing.

A categorical feature's code ``k`` becomes the row ``E[k]`` of a learned table. The numeric features may
decay, as in GRU-D [1]_. With ``x`` the value that was observed last, at this step or before it, ``m`` 1 where
that was at this step and 0 elsewhere, and ``delta`` the time from the observation before it to this step::

    gamma_x = exp(-max(0, w_x * delta + b_x))             elementwise, one rate a feature
    x_hat   = m * x + (1 - m) * gamma_x * x
    gamma_h = exp(-max(0, W_h delta + b_h))               one rate a hidden unit
    h       <- gamma_h * h                                before the step of layer 0

A value that is not observed again thus fades to zero, the mean of a standardised feature (the paper's mean
``x~``), and the state fades with the time that has passed. Layer 0 then reads ``x_hat``, the mask and the
vectors of the codes, in this order, beside each other.

References
----------
.. [1] Z. Che, S. Purushotham, K. Cho, D. Sontag, Y. Liu (2018), "Recurrent neural networks for multivariate
   time series with missing values", Scientific Reports 8:6085, equations 10 to 14.
   https://doi.org/10.1038/s41598-018-24271-9
"""

from __future__ import annotations

from collections.abc import Mapping

from .arrays import Array, namespace, zeros

__all__ = ["decay_factor", "network_inputs", "network_inputs_backward"]


def decay_factor(gap: Array, weight: Array, bias: Array) -> Array:
    """Return ``exp(-max(0, weight gap + bias))``: the part that is left after a gap, between 0 and 1.

    Parameters
    ----------
    gap : array, shape (..., F)
        At least 0.
    weight : array, shape (F,) or (H, F)
        A vector acts elementwise, a matrix as a product.
    bias : array, shape (F,) or (H,)

    Returns
    -------
    array, shape (..., F) or (..., H)

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import decay_factor
    >>> decay_factor(np.array([0.0, 1.0]), np.array([1.0, -1.0]), np.zeros(2))
    array([1., 1.])
    """
    rate = _rate(gap, weight, bias)
    xp = namespace(gap)
    return xp.exp(-xp.where(rate < 0, xp.zeros_like(rate), rate))  # NaN stays NaN


def network_inputs(
    rows: Array, weights: Mapping[str, Array], codes: Array | None = None
) -> tuple[Array, Array | None]:
    """Prepare steps for the network.

    Parameters
    ----------
    rows : array, shape (..., F), or with decay (..., 3F)
        With decay the values, then the mask, then the gaps.
    weights : mapping of str to array
        ``input.embedding_0`` (n_codes, size) and so on, and with decay ``decay.input_weight`` (F,),
        ``decay.input_bias`` (F,), ``decay.hidden_weight`` (H, F) and ``decay.hidden_bias`` (H,). Others may
        be among them.
    codes : array of int, shape (..., C), optional
        Of the categorical features.

    Returns
    -------
    inputs : array, shape (..., I)
        What layer 0 reads.
    hidden_scale : array, shape (..., H), or None
        gamma_h, for :func:`gru_sequence`; None without decay.

    Examples
    --------
    Of two features the second was seen with the value 4, two units of time before this step:

    >>> import numpy as np
    >>> from grulearn.equations import network_inputs
    >>> weights = {"decay.input_weight": np.full(2, 0.5), "decay.input_bias": np.zeros(2),
    ...            "decay.hidden_weight": np.zeros((3, 2)), "decay.hidden_bias": np.zeros(3)}
    >>> inputs, hidden_scale = network_inputs(np.array([[1.0, 4.0, 1.0, 0.0, 1.0, 2.0]]), weights)
    >>> inputs.round(3), hidden_scale
    (array([[1.   , 1.472, 1.   , 0.   ]]), array([[1., 1., 1.]]))
    """
    parts, hidden_scale = [rows], None
    if "decay.input_weight" in weights:
        x, m, gap = _value_mask_gap(rows, weights)
        gamma = decay_factor(gap, weights["decay.input_weight"], weights["decay.input_bias"])
        parts = [m * x + (1 - m) * gamma * x, m]
        hidden_scale = decay_factor(gap, weights["decay.hidden_weight"], weights["decay.hidden_bias"])
    for c, table in enumerate(_tables(weights)):
        assert codes is not None
        parts.append(table[codes[..., c]])
    return namespace(rows).concatenate(parts, -1), hidden_scale


def network_inputs_backward(
    d_inputs: Array,
    d_hidden_scale: Array | None,
    rows: Array,
    weights: Mapping[str, Array],
    codes: Array | None = None,
) -> dict[str, Array]:
    """Take gradients by what `network_inputs` returns back to the weights of the input.

    Parameters
    ----------
    d_inputs : array, shape (..., I)
    d_hidden_scale : array, shape (..., H), or None
        None without decay.
    rows, weights, codes
        What `network_inputs` was given.

    Returns
    -------
    dict of str to array
        One gradient for each weight of the input, under its name. Where a rate is not positive it has none.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import network_inputs_backward
    >>> weights, codes = {"input.embedding_0": np.zeros((3, 2))}, np.array([[2], [0], [2]])
    >>> network_inputs_backward(np.ones((3, 2)), None, np.zeros((3, 0)), weights, codes)["input.embedding_0"]
    array([[1., 1.],
           [0., 0.],
           [2., 2.]])
    """
    xp = namespace(rows)
    gradients = {}
    begin = rows.shape[-1]
    if "decay.input_weight" in weights:
        assert d_hidden_scale is not None
        x, m, gap = _value_mask_gap(rows, weights)
        F = x.shape[-1]
        for kind, d_gamma in (("input", d_inputs[..., :F] * (1 - m) * x), ("hidden", d_hidden_scale)):
            weight, bias = weights[f"decay.{kind}_weight"], weights[f"decay.{kind}_bias"]
            falling = _rate(gap, weight, bias) > 0
            d_rate = -d_gamma * decay_factor(gap, weight, bias)
            d_rate = _stacked(xp.where(falling, d_rate, xp.zeros_like(d_rate)))
            by_weight = d_rate * _stacked(gap) if weight.ndim == 1 else None
            gradients[f"decay.{kind}_weight"] = (
                d_rate.T @ _stacked(gap) if by_weight is None else by_weight.sum(0)
            )
            gradients[f"decay.{kind}_bias"] = d_rate.sum(0)
        begin = 2 * F
    for c, table in enumerate(_tables(weights)):
        assert codes is not None
        n_codes, size = table.shape
        every = xp.cumsum(xp.ones_like(table[:, 0]), 0) - 1
        is_code = zeros(table, (1,)) + 1.0 * (_stacked(codes)[:, c, None] == every)
        gradients[f"input.embedding_{c}"] = is_code.T @ _stacked(d_inputs)[:, begin : begin + size]
        begin += size
    return gradients


def _rate(gap: Array, weight: Array, bias: Array) -> Array:
    return (gap * weight if weight.ndim == 1 else gap @ weight.T) + bias


def _value_mask_gap(rows: Array, weights: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    F = weights["decay.input_weight"].shape[0]
    return rows[..., :F], rows[..., F : 2 * F], rows[..., 2 * F :]


def _tables(weights: Mapping[str, Array]) -> list[Array]:
    tables: list[Array] = []
    while f"input.embedding_{len(tables)}" in weights:
        tables.append(weights[f"input.embedding_{len(tables)}"])
    return tables


def _stacked(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])
