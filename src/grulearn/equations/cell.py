"""One step of a gated recurrent unit, and back through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from .arrays import Array, namespace
from .norm import gate_product, gate_product_backward

__all__ = ["CellWeights", "Gates", "Mixing", "gru_step", "gru_step_backward", "sigmoid", "swap_mixing"]

Mixing = Literal["pytorch", "article"]


class CellWeights(NamedTuple):
    """The weights of one layer in one direction, or their gradients.

    The gates are stacked in the order r, z, n.
    """

    W: Array  #: input weights, shape (3H, F)
    U: Array  #: recurrent weights, shape (3H, H)
    b: Array | None = None  #: input biases, shape (3H,)
    c: Array | None = None  #: recurrent biases, shape (3H,)
    g: Array | None = None  #: gains of the products with W, shape (3H,); with layer normalisation
    k: Array | None = None  #: gains of the products with U, shape (3H,); with layer normalisation


class Gates(NamedTuple):
    """What one step computes on its way and its backward step needs again; each of shape (N, H)."""

    r: Array  #: reset gate
    z: Array  #: update gate
    n: Array  #: candidate
    q: Array  #: what the reset gate acts in: ``U_n h + c_n`` (reset after), ``r * h`` (reset before)


def sigmoid(a: Array) -> Array:
    """Return ``1 / (1 + exp(-a))``, elementwise.

    Written with tanh it cannot overflow, is exact at both infinities, and is smooth for autograd. Its
    error is at most a rounding of 1, not of the result; a gate is a fraction of 1, so that is what counts.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import sigmoid
    >>> sigmoid(np.array([-np.inf, -1e20, 0.0, 1e20, np.inf]))
    array([0. , 0. , 0.5, 1. , 1. ])
    """
    return 0.5 * (1.0 + namespace(a).tanh(0.5 * a))


def gru_step(
    x: Array,
    h: Array,
    weights: CellWeights,
    *,
    reset_after: bool = True,
    mixing: Mixing = "pytorch",
    recurrent: Array | None = None,
    zoneout: Array | float | None = None,
) -> tuple[Array, Gates]:
    """Do one step of one layer in one direction.

    Parameters
    ----------
    x : array, shape (N, F)
        The inputs of this step.
    h : array, shape (N, H)
        The states before it.
    weights : CellWeights
    reset_after : bool, default=True
        The reset form.
    mixing : {"pytorch", "article"}, default="pytorch"
        Which of the two states the update gate keeps.
    recurrent : array, shape (N, H), optional
        Factors of the states in the products with U: recurrent dropout, see :class:`Masks`.
    zoneout : float or array, shape (N, H), optional
        The part of each state that stays as it was.

    Returns
    -------
    h_next : array, shape (N, H)
        The states after the step.
    gates : Gates
        What `gru_step_backward` needs.

    Raises
    ------
    ValueError
        If `mixing` is neither of the two.

    Examples
    --------
    With weights of zero both gates are one half and the candidate is zero:

    >>> import numpy as np
    >>> from grulearn.equations import CellWeights, gru_step
    >>> weights = CellWeights(W=np.zeros((6, 3)), U=np.zeros((6, 2)))
    >>> h_next, gates = gru_step(np.ones((1, 3)), np.ones((1, 2)), weights)
    >>> h_next
    array([[0.5, 0.5]])
    """
    tanh = namespace(x).tanh
    by_gate = map(_by_gate, weights)
    (W_r, W_z, W_n), (U_r, U_z, U_n), b, c, (g_r, g_z, g_n), (k_r, k_z, k_n) = by_gate
    b_r, b_z, b_n, c_r, c_z, c_n = (0.0 if bias is None else bias for bias in (*b, *c))

    s = h if recurrent is None else recurrent * h
    r = sigmoid(gate_product(x, W_r, g_r) + b_r + gate_product(s, U_r, k_r) + c_r)
    z = sigmoid(gate_product(x, W_z, g_z) + b_z + gate_product(s, U_z, k_z) + c_z)
    if reset_after:
        q = gate_product(s, U_n, k_n) + c_n
        n = tanh(gate_product(x, W_n, g_n) + b_n + r * q)
    else:
        q = r * s
        n = tanh(gate_product(x, W_n, g_n) + b_n + gate_product(q, U_n, k_n) + c_n)
    h_next = (1.0 - z) * n + z * h if _keeps_by_z(mixing) else (1.0 - z) * h + z * n
    if zoneout is not None:
        h_next = zoneout * h + (1.0 - zoneout) * h_next

    return h_next, Gates(r, z, n, q)


def gru_step_backward(
    dh_next: Array,
    x: Array,
    h: Array,
    gates: Gates,
    weights: CellWeights,
    *,
    reset_after: bool = True,
    mixing: Mixing = "pytorch",
    recurrent: Array | None = None,
    zoneout: Array | float | None = None,
) -> tuple[Array, Array, CellWeights]:
    """Take the gradient back through one step: the chain rule, applied to `gru_step` from its last line up.

    Parameters
    ----------
    dh_next : array, shape (N, H)
        The gradient by the states after the step.
    x, h, weights, reset_after, mixing, recurrent, zoneout
        What `gru_step` was given.
    gates : Gates
        What it returned.

    Returns
    -------
    dx : array, shape (N, F)
    dh : array, shape (N, H)
    d_weights : CellWeights
        The gradients by W, U, b, c, g and k; None for what is not there.
    """
    (W_r, W_z, W_n), (U_r, U_z, U_n), _, _, (g_r, g_z, g_n), (k_r, k_z, k_n) = map(_by_gate, weights)
    r, z, n, q = gates
    s = h if recurrent is None else recurrent * h

    stays: Any = 0.0
    if zoneout is not None:
        stays, dh_next = zoneout * dh_next, (1.0 - zoneout) * dh_next
    if _keeps_by_z(mixing):
        dn, dz, dh = dh_next * (1.0 - z), dh_next * (h - n), dh_next * z
    else:
        dn, dz, dh = dh_next * z, dh_next * (n - h), dh_next * (1.0 - z)
    da_n = dn * (1.0 - n * n)
    if reset_after:
        dc_n = da_n * r
        dr = da_n * q
        ds, dU_n, dk_n = gate_product_backward(dc_n, s, U_n, k_n)
    else:
        dc_n = da_n
        dq, dU_n, dk_n = gate_product_backward(da_n, q, U_n, k_n)
        dr = dq * s
        ds = dq * r
    da_r = dr * r * (1.0 - r)
    da_z = dz * z * (1.0 - z)
    ds_r, dU_r, dk_r = gate_product_backward(da_r, s, U_r, k_r)
    ds_z, dU_z, dk_z = gate_product_backward(da_z, s, U_z, k_z)
    ds = ds + ds_r + ds_z
    dh = dh + stays + (ds if recurrent is None else recurrent * ds)

    dx_r, dW_r, dg_r = gate_product_backward(da_r, x, W_r, g_r)
    dx_z, dW_z, dg_z = gate_product_backward(da_z, x, W_z, g_z)
    dx_n, dW_n, dg_n = gate_product_backward(da_n, x, W_n, g_n)
    stacked = [
        (dW_r, dW_z, dW_n),
        (dU_r, dU_z, dU_n),
        (da_r.sum(0), da_z.sum(0), da_n.sum(0)),
        (da_r.sum(0), da_z.sum(0), dc_n.sum(0)),
        (dg_r, dg_z, dg_n),
        (dk_r, dk_z, dk_n),
    ]
    xp = namespace(x)
    d_weights = (
        None if w is None else xp.concatenate(by_gate, 0) for w, by_gate in zip(weights, stacked, strict=True)
    )
    return dx_r + dx_z + dx_n, dh, CellWeights(*d_weights)


def swap_mixing(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Turn weights made for one mixing into weights of the same network for the other.

    Negates W_z, U_z, b_z and c_z, which loses nothing: doing it twice gives the same bits back.

    Parameters
    ----------
    weights : mapping of str to array
        In PyTorch's names. What belongs to no gate, such as ``head.weight``, stays as it is.

    Returns
    -------
    dict of str to array

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import swap_mixing
    >>> swap_mixing({"bias_ih_l0": np.array([1.0, 2.0, 3.0])})
    {'bias_ih_l0': array([ 1., -2.,  3.])}
    """
    swapped = dict(weights)
    for name, value in weights.items():
        if name.startswith(("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")):
            of_r, of_z, of_n = _by_gate(value)
            swapped[name] = namespace(value).concatenate((of_r, -of_z, of_n), 0)
    return swapped


def _by_gate(stacked: Array | None) -> tuple[Any, Any, Any]:
    """Cut weights, biases or gains into those of r, z and n; None for what is not there."""
    if stacked is None:
        return None, None, None
    H = stacked.shape[0] // 3
    return stacked[:H], stacked[H : 2 * H], stacked[2 * H :]


def _keeps_by_z(mixing: Mixing) -> bool:
    """Tell whether z is the part of the old state that is kept, rather than the part replaced."""
    if mixing not in ("pytorch", "article"):
        raise ValueError(f"mixing must be 'pytorch' or 'article', got {mixing!r}")
    return mixing == "pytorch"
