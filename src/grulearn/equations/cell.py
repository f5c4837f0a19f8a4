"""One step of a gated recurrent unit, and back through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from .arrays import Array, namespace

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
    (W_r, W_z, W_n), (U_r, U_z, U_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = map(_by_gate, weights)

    s = h if recurrent is None else recurrent * h
    r = sigmoid(x @ W_r.T + b_r + s @ U_r.T + c_r)
    z = sigmoid(x @ W_z.T + b_z + s @ U_z.T + c_z)
    if reset_after:
        q = s @ U_n.T + c_n
        n = tanh(x @ W_n.T + b_n + r * q)
    else:
        q = r * s
        n = tanh(x @ W_n.T + b_n + q @ U_n.T + c_n)
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
        The gradients by W, U, b and c; None for a bias that is not there.
    """
    xp = namespace(x)
    W, U, b, c = weights
    U_r, U_z, U_n = _by_gate(U)
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
        dq = da_n * r
        dr = da_n * q
        ds = dq @ U_n
        dU_n = dq.T @ s
        dc_n = dq.sum(0)
    else:
        dq = da_n @ U_n
        dr = dq * s
        ds = dq * r
        dU_n = da_n.T @ q
        dc_n = da_n.sum(0)
    da_r = dr * r * (1.0 - r)
    da_z = dz * z * (1.0 - z)
    ds = ds + da_r @ U_r + da_z @ U_z
    dh = dh + stays + (ds if recurrent is None else recurrent * ds)

    da = xp.concatenate((da_r, da_z, da_n), 1)
    dx = da @ W
    dW = da.T @ x
    dU = xp.concatenate((da_r.T @ s, da_z.T @ s, dU_n), 0)
    db = None if b is None else da.sum(0)
    dc = None if c is None else xp.concatenate((da_r.sum(0), da_z.sum(0), dc_n), 0)
    return dx, dh, CellWeights(dW, dU, db, dc)


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
    """Cut weights or biases into those of r, z and n; biases that are not there count as zero."""
    if stacked is None:
        return 0.0, 0.0, 0.0
    H = stacked.shape[0] // 3
    return stacked[:H], stacked[H : 2 * H], stacked[2 * H :]


def _keeps_by_z(mixing: Mixing) -> bool:
    """Tell whether z is the part of the old state that is kept, rather than the part replaced."""
    if mixing not in ("pytorch", "article"):
        raise ValueError(f"mixing must be 'pytorch' or 'article', got {mixing!r}")
    return mixing == "pytorch"
