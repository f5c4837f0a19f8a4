"""The specification: what a gated recurrent unit computes, and its gradient.

This is the only place where the GRU is written in Python, and it is written to be read. Everything fast
is tested against it. The arrays may be NumPy's or torch's; with torch tensors autograd can differentiate
the forward functions, also twice.

One step takes the input ``x`` and the hidden state ``h`` to the new state ``h'``::

    r = sigmoid(W_r x + b_r + U_r h + c_r)                the reset gate
    z = sigmoid(W_z x + b_z + U_z h + c_z)                the update gate
    n = tanh(W_n x + b_n + r * (U_n h + c_n))             the candidate, reset_after=True
    n = tanh(W_n x + b_n + U_n (r * h) + c_n)             the candidate, reset_after=False
    h' = (1 - z) * n + z * h                              mixing="pytorch"
    h' = (1 - z) * h + z * n                              mixing="article"

``reset_after=True`` is the form of PyTorch and cuDNN, ``reset_after=False`` that of Cho et al. [1]_ (and
the article this project began with, which has no biases). The two ways of mixing the old state with the
candidate are one network: ``sigmoid(-a) = 1 - sigmoid(a)``, so :func:`swap_mixing` turns the weights of
either into the other's by changing signs. PyTorch's is used wherever nothing else is said.

Sizes: N sequences, T steps, F features, H hidden units, L layers, D directions. Arrays hold one sequence
a row, so that ``W x`` of the formulas reads ``x @ W.T`` below. ``W`` stacks W_r, W_z, W_n, in this order,
and so do ``U``, ``b`` and ``c``. A gradient is called ``d`` and the name: ``dh`` is the derivative of the
loss by ``h``; ``da_r`` is that by the argument of r's sigmoid.

References
----------
.. [1] K. Cho et al. (2014), "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
   Machine Translation", https://arxiv.org/abs/1406.1078v3
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = [
    "CellWeights",
    "Gates",
    "gru_sequence",
    "gru_sequence_backward",
    "gru_step",
    "gru_step_backward",
    "sigmoid",
    "swap_mixing",
]

Array = Any  # a NumPy array or a torch tensor; the arrays of one call are all of one kind
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


# One step ------------------------------------------------------------------------------------------------


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
    return 0.5 * (1.0 + _namespace(a).tanh(0.5 * a))


def gru_step(
    x: Array, h: Array, weights: CellWeights, *, reset_after: bool = True, mixing: Mixing = "pytorch"
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
    tanh = _namespace(x).tanh
    (W_r, W_z, W_n), (U_r, U_z, U_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = map(_by_gate, weights)

    r = sigmoid(x @ W_r.T + b_r + h @ U_r.T + c_r)
    z = sigmoid(x @ W_z.T + b_z + h @ U_z.T + c_z)
    if reset_after:
        q = h @ U_n.T + c_n
        n = tanh(x @ W_n.T + b_n + r * q)
    else:
        q = r * h
        n = tanh(x @ W_n.T + b_n + q @ U_n.T + c_n)
    h_next = (1.0 - z) * n + z * h if _keeps_by_z(mixing) else (1.0 - z) * h + z * n

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
) -> tuple[Array, Array, CellWeights]:
    """Take the gradient back through one step: the chain rule, applied to `gru_step` from its last line up.

    Parameters
    ----------
    dh_next : array, shape (N, H)
        The gradient by the states after the step.
    x, h, weights, reset_after, mixing
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
    xp = _namespace(x)
    W, U, b, c = weights
    U_r, U_z, U_n = _by_gate(U)
    r, z, n, q = gates

    if _keeps_by_z(mixing):
        dn, dz, dh = dh_next * (1.0 - z), dh_next * (h - n), dh_next * z
    else:
        dn, dz, dh = dh_next * z, dh_next * (n - h), dh_next * (1.0 - z)
    da_n = dn * (1.0 - n * n)
    if reset_after:
        dq = da_n * r
        dr = da_n * q
        dh = dh + dq @ U_n
        dU_n = dq.T @ h
        dc_n = dq.sum(0)
    else:
        dq = da_n @ U_n
        dr = dq * h
        dh = dh + dq * r
        dU_n = da_n.T @ q
        dc_n = da_n.sum(0)
    da_r = dr * r * (1.0 - r)
    da_z = dz * z * (1.0 - z)
    dh = dh + da_r @ U_r + da_z @ U_z

    da = xp.concatenate((da_r, da_z, da_n), 1)
    dx = da @ W
    dW = da.T @ x
    dU = xp.concatenate((da_r.T @ h, da_z.T @ h, dU_n), 0)
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
            swapped[name] = _namespace(value).concatenate((of_r, -of_z, of_n), 0)
    return swapped


# Sequences, layers, directions ---------------------------------------------------------------------------


def gru_sequence(
    x: Array,
    weights: Mapping[str, Array],
    *,
    h0: Array | None = None,
    lengths: Array | None = None,
    reset_after: bool = True,
    mixing: Mixing = "pytorch",
) -> tuple[Array, Array]:
    """Run all layers and directions over whole sequences, as ``torch.nn.GRU(batch_first=True)`` does.

    Parameters
    ----------
    x : array, shape (N, T, F)
        The sequences; what stands beyond a sequence's length is not looked at.
    weights : mapping of str to array
        In PyTorch's names (``weight_ih_l0``, ``weight_hh_l0_reverse``, ...); they say how many layers and
        directions there are, and whether there are biases.
    h0 : array, shape (L*D, N, H), optional
        The states to begin with; zeros if not given.
    lengths : array of int, shape (N,), optional
        The number of steps of each sequence, from 0 to T; all have T steps if not given.
    reset_after, mixing
        As in `gru_step`.

    Returns
    -------
    outputs : array, shape (N, T, D*H)
        The states of the last layer after each step, its two directions beside each other; zeros beyond a
        sequence's length.
    h_n : array, shape (L*D, N, H)
        The last states of every layer and direction: forward, those after the last step; reverse, those
        after the first. For a sequence of length 0, its h0.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import gru_sequence
    >>> weights = {"weight_ih_l0": np.zeros((6, 3)), "weight_hh_l0": np.zeros((6, 2))}
    >>> outputs, h_n = gru_sequence(np.ones((1, 4, 3)), weights, h0=np.ones((1, 1, 2)), lengths=[2])
    >>> outputs[0, :, 0], h_n[0]
    (array([0.5 , 0.25, 0.  , 0.  ]), array([[0.25, 0.25]]))
    """
    xp = _namespace(x)
    layers = _run_layers(x, weights, h0, lengths, reset_after, mixing)
    outputs = xp.concatenate([run.states for run in layers[-1]], 2)
    h_n = xp.stack([run.h_n for layer in layers for run in layer])
    return outputs, h_n


def gru_sequence_backward(
    x: Array,
    weights: Mapping[str, Array],
    d_outputs: Array | None = None,
    d_h_n: Array | None = None,
    *,
    h0: Array | None = None,
    lengths: Array | None = None,
    reset_after: bool = True,
    mixing: Mixing = "pytorch",
) -> tuple[dict[str, Array], Array, Array]:
    """Take gradients by what `gru_sequence` returns back to all that it was given.

    It runs the forward pass again for what it needs.

    Parameters
    ----------
    x, weights, h0, lengths, reset_after, mixing
        What `gru_sequence` was given.
    d_outputs : array, shape (N, T, D*H), optional
        The gradient by the outputs; zeros if not given. What stands beyond a sequence's length has no
        effect: the outputs there are constant.
    d_h_n : array, shape (L*D, N, H), optional
        The gradient by the last states; zeros if not given.

    Returns
    -------
    d_weights : dict of str to array
        One gradient for each of the recurrent weights, under its name.
    dx : array, shape (N, T, F)
        Zeros beyond a sequence's length.
    dh0 : array, shape (L*D, N, H)
        Also if no `h0` was given.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import gru_sequence_backward
    >>> weights = {"weight_ih_l0": np.zeros((6, 3)), "weight_hh_l0": np.zeros((6, 2))}
    >>> d_weights, dx, dh0 = gru_sequence_backward(np.ones((1, 4, 3)), weights, d_h_n=np.ones((1, 1, 2)))
    >>> dh0
    array([[[0.0625, 0.0625]]])
    """
    xp = _namespace(x)
    layers = _run_layers(x, weights, h0, lengths, reset_after, mixing)
    states = [run.h_n for layer in layers for run in layer]
    dh = [xp.zeros_like(h) for h in states] if d_h_n is None else list(d_h_n)
    if d_outputs is None:
        d_outputs = xp.concatenate([xp.zeros_like(run.states) for run in layers[-1]], 2)

    d_weights: dict[str, Array] = {}
    for layer in range(len(layers) - 1, -1, -1):
        d_inputs = xp.zeros_like(layers[layer][0].inputs)
        for direction, run in enumerate(layers[layer]):
            i, H = layer * len(layers[layer]) + direction, run.h_n.shape[1]
            d_states = d_outputs[:, :, direction * H : (direction + 1) * H]
            dx, dh[i], d_cell = _run_backward(run, d_states, dh[i], reset_after, mixing)
            d_inputs = d_inputs + dx
            d_weights.update(zip(run.names, d_cell, strict=True))
        d_outputs = d_inputs
    return {name: d_weights[name] for name in weights if name in d_weights}, d_outputs, xp.stack(dh)


class _Run(NamedTuple):
    """One direction of one layer, run over its inputs."""

    names: tuple[str, ...]  # of the weights, in the order of CellWeights
    cell: CellWeights
    inputs: Array  # (N, T, F), or (N, T, D*H) above the first layer
    active: Array  # (N, T): whether the sequence has this step
    steps: list[tuple[int, Array, Gates]]  # as they ran: which step, the states before it, its gates
    states: Array  # (N, T, H): the states after each step; zeros where the sequence has no such step
    h_n: Array  # (N, H)


def _run_layers(
    x: Array,
    weights: Mapping[str, Array],
    h0: Array | None,
    lengths: Array | None,
    reset_after: bool,
    mixing: Mixing,
) -> list[list[_Run]]:
    """Run every layer in every direction; an item a layer, with an item a direction."""
    xp = _namespace(x)
    active = _active_steps(x, lengths)
    # Padding may hold anything, NaN too; as zeros it cannot reach a gradient.
    inputs = xp.where(active[:, :, None], x, xp.zeros_like(x))
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in weights else ("",)
    layers: list[list[_Run]] = []
    while f"weight_ih_l{len(layers)}" in weights:
        runs: list[_Run] = []
        for direction, suffix in enumerate(suffixes):
            place = f"l{len(layers)}{suffix}"
            names = tuple(f"{kind}_{place}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            W, U, b, c = names
            cell = CellWeights(weights[W], weights[U], weights.get(b), weights.get(c))
            h = None if h0 is None else h0[len(layers) * len(suffixes) + direction]
            runs.append(_run(names, cell, inputs, active, h, bool(suffix), reset_after, mixing))
        layers.append(runs)
        inputs = xp.concatenate([run.states for run in runs], 2)
    if not layers:
        raise ValueError("weights: weight_ih_l0 is missing; expected the names of torch.nn.GRU")
    return layers


def _run(
    names: tuple[str, ...],
    cell: CellWeights,
    inputs: Array,
    active: Array,
    h: Array | None,
    reverse: bool,
    reset_after: bool,
    mixing: Mixing,
) -> _Run:
    xp = _namespace(inputs)
    (N, T), H = inputs.shape[:2], cell.U.shape[1]
    if h is None:
        h = _zeros(inputs, (N, H))
    states = [_zeros(inputs, (N, H))] * T
    steps = []
    for t in reversed(range(T)) if reverse else range(T):
        has_step = active[:, t, None]
        h_next, gates = gru_step(inputs[:, t], h, cell, reset_after=reset_after, mixing=mixing)
        steps.append((t, h, gates))
        # Read in reverse, a sequence keeps its h0 until its last step comes up.
        h = xp.where(has_step, h_next, h)
        states[t] = xp.where(has_step, h_next, states[t])
    stacked = xp.stack(states, 1) if states else _zeros(inputs, (N, T, H))
    return _Run(names, cell, inputs, active, steps, stacked, h)


def _run_backward(
    run: _Run, d_states: Array, dh: Array, reset_after: bool, mixing: Mixing
) -> tuple[Array, Array, CellWeights]:
    """Return the gradients by the inputs, by the states at the beginning and by the weights."""
    xp = _namespace(dh)
    d_inputs = [xp.zeros_like(run.inputs[:, t]) for t in range(run.inputs.shape[1])]
    d_cell = CellWeights(*(None if w is None else xp.zeros_like(w) for w in run.cell))
    for t, h, gates in reversed(run.steps):
        has_step = run.active[:, t, None]
        # Where there is no step the state went by it, and so does its gradient.
        passing = xp.where(has_step, xp.zeros_like(dh), dh)
        dh_next = xp.where(has_step, dh + d_states[:, t], xp.zeros_like(dh))
        d_inputs[t], dh, d_step = gru_step_backward(
            dh_next, run.inputs[:, t], h, gates, run.cell, reset_after=reset_after, mixing=mixing
        )
        dh = dh + passing
        d_cell = CellWeights(*(None if d is None else d + g for d, g in zip(d_cell, d_step, strict=True)))
    return xp.stack(d_inputs, 1) if d_inputs else xp.zeros_like(run.inputs), dh, d_cell


# Helpers -------------------------------------------------------------------------------------------------


def _namespace(array: Array) -> Any:
    """Return the module that the array's functions are in: numpy or torch, whichever made it."""
    for base in type(array).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("numpy", "torch"):
            return sys.modules[package]  # whoever has a tensor has imported torch
    raise TypeError(f"expected NumPy arrays or torch tensors, got {type(array).__name__}")


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


def _active_steps(x: Array, lengths: Array | None) -> Array:
    """Tell which steps each sequence has: bool, shape (N, T)."""
    xp = _namespace(x)
    N, T = x.shape[:2]
    placed = {"device": x.device} if hasattr(x, "new_zeros") else {}
    lengths = xp.asarray([T] * N if lengths is None else lengths, **placed)
    if lengths.shape != (N,) or (N and not (lengths.min() >= 0 and lengths.max() <= T)):
        raise ValueError(f"lengths must be {N} integers from 0 to {T}, one for each sequence")
    return xp.arange(T, **placed) < lengths[:, None]


def _zeros(like: Array, shape: tuple[int, ...]) -> Array:
    """Return zeros of the dtype, and where there is one the device, of `like`."""
    return like.new_zeros(shape) if hasattr(like, "new_zeros") else np.zeros(shape, like.dtype)
