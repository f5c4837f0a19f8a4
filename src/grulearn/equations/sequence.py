"""Whole sequences through all layers and directions, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .arrays import Array, active_steps, namespace, zeros
from .cell import CellWeights, Gates, Mixing, gru_step, gru_step_backward
from .masks import Masks

__all__ = ["gru_sequence", "gru_sequence_backward"]


def gru_sequence(
    x: Array,
    weights: Mapping[str, Array],
    *,
    h0: Array | None = None,
    lengths: Array | None = None,
    hidden_scale: Array | None = None,
    masks: Masks | None = None,
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
    hidden_scale : array, shape (N, T, H), optional
        Factors of the states that enter the steps of layer 0: GRU-D's decay, see :func:`network_inputs`.
        Only for networks in one direction.
    masks : Masks, optional
        Dropout between the layers, recurrent dropout and zoneout.
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
    xp = namespace(x)
    layers = _run_layers(x, weights, h0, lengths, hidden_scale, masks or Masks(), reset_after, mixing)
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
    hidden_scale: Array | None = None,
    masks: Masks | None = None,
    reset_after: bool = True,
    mixing: Mixing = "pytorch",
) -> tuple[dict[str, Array], Array, Array]:
    """Take gradients by what `gru_sequence` returns back to all that it was given.

    It runs the forward pass again for what it needs.

    Parameters
    ----------
    x, weights, h0, lengths, hidden_scale, masks, reset_after, mixing
        What `gru_sequence` was given.
    d_outputs : array, shape (N, T, D*H), optional
        The gradient by the outputs; zeros if not given. What stands beyond a sequence's length has no
        effect: the outputs there are constant.
    d_h_n : array, shape (L*D, N, H), optional
        The gradient by the last states; zeros if not given.

    Returns
    -------
    d_weights : dict of str to array
        One gradient for each of the recurrent weights, under its name, and if there is a `hidden_scale` that
        by it, (N, T, H), under this name.
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
    xp = namespace(x)
    layers = _run_layers(x, weights, h0, lengths, hidden_scale, masks or Masks(), reset_after, mixing)
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
            dx, dh[i], d_scale, d_cell = _run_backward(run, d_states, dh[i], reset_after, mixing)
            d_inputs = d_inputs + dx
            d_weights.update(zip(run.names, d_cell, strict=True))
            if run.hooks.scale is not None:
                d_weights["hidden_scale"] = d_scale
        if layer and masks is not None and masks.layers is not None:
            d_inputs = d_inputs * masks.layers[layer - 1]
        d_outputs = d_inputs
    names = [*weights, "hidden_scale"]
    return {name: d_weights[name] for name in names if name in d_weights}, d_outputs, xp.stack(dh)


# Of the weights, in the order of CellWeights.
_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gain_ih", "gain_hh")


class _Hooks(NamedTuple):
    """What is done with the states of one direction of one layer, beside the step itself."""

    scale: Array | None  # (N, T, H): factors of the states before each step
    recurrent: Array | None  # (N, H): factors of the states that U multiplies
    zoneout: Array | float | None  # (N, T, H), or for all: the part of the states that stays

    def of_step(self, t: int) -> dict[str, Any]:
        """Return the options of :func:`gru_step` at a step."""
        zoneout = (
            self.zoneout if self.zoneout is None or isinstance(self.zoneout, float) else self.zoneout[:, t]
        )
        return {"recurrent": self.recurrent, "zoneout": zoneout}


class _Run(NamedTuple):
    """One direction of one layer, run over its inputs."""

    names: tuple[str, ...]  # of the weights, in the order of CellWeights
    cell: CellWeights
    inputs: Array  # (N, T, F), or (N, T, D*H) above the first layer
    active: Array  # (N, T): whether the sequence has this step
    hooks: _Hooks
    steps: list[tuple[int, Array, Gates]]  # as they ran: which step, the states before it, its gates
    states: Array  # (N, T, H): the states after each step; zeros where the sequence has no such step
    h_n: Array  # (N, H)


def _run_layers(
    x: Array,
    weights: Mapping[str, Array],
    h0: Array | None,
    lengths: Array | None,
    hidden_scale: Array | None,
    masks: Masks,
    reset_after: bool,
    mixing: Mixing,
) -> list[list[_Run]]:
    """Run every layer in every direction; an item a layer, with an item a direction."""
    xp = namespace(x)
    active = active_steps(x, lengths)
    # Padding may hold anything, NaN too; as zeros it cannot reach a gradient.
    inputs = xp.where(active[:, :, None], x, xp.zeros_like(x))
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in weights else ("",)
    if hidden_scale is not None:
        if len(suffixes) > 1:
            raise ValueError("hidden_scale is for networks in one direction; these weights have two")
        hidden_scale = xp.where(active[:, :, None], hidden_scale, xp.ones_like(hidden_scale))
    layers: list[list[_Run]] = []
    while f"weight_ih_l{len(layers)}" in weights:
        runs: list[_Run] = []
        for direction, suffix in enumerate(suffixes):
            place = f"l{len(layers)}{suffix}"
            names = tuple(f"{kind}_{place}" for kind in _KINDS)
            W, U, *others = names
            cell = CellWeights(weights[W], weights[U], *(weights.get(name) for name in others))
            i = len(layers) * len(suffixes) + direction
            h = None if h0 is None else h0[i]
            hooks = _Hooks(
                None if layers else hidden_scale,
                None if masks.recurrent is None else masks.recurrent[i],
                masks.zoneout
                if masks.zoneout is None or isinstance(masks.zoneout, float)
                else masks.zoneout[i],
            )
            runs.append(_run(names, cell, inputs, active, hooks, h, bool(suffix), reset_after, mixing))
        layers.append(runs)
        inputs = xp.concatenate([run.states for run in runs], 2)
        if masks.layers is not None and len(layers) <= len(masks.layers):
            inputs = inputs * masks.layers[len(layers) - 1]
    if not layers:
        raise ValueError("weights: weight_ih_l0 is missing; expected the names of torch.nn.GRU")
    return layers


def _run(
    names: tuple[str, ...],
    cell: CellWeights,
    inputs: Array,
    active: Array,
    hooks: _Hooks,
    h: Array | None,
    reverse: bool,
    reset_after: bool,
    mixing: Mixing,
) -> _Run:
    xp = namespace(inputs)
    (N, T), H = inputs.shape[:2], cell.U.shape[1]
    if h is None:
        h = zeros(inputs, (N, H))
    states = [zeros(inputs, (N, H))] * T
    steps = []
    for t in reversed(range(T)) if reverse else range(T):
        has_step = active[:, t, None]
        entering = h if hooks.scale is None else hooks.scale[:, t] * h
        options = {"reset_after": reset_after, "mixing": mixing, **hooks.of_step(t)}
        h_next, gates = gru_step(inputs[:, t], entering, cell, **options)
        steps.append((t, h, gates))
        # Read in reverse, a sequence keeps its h0 until its last step comes up.
        h = xp.where(has_step, h_next, h)
        states[t] = xp.where(has_step, h_next, states[t])
    stacked = xp.stack(states, 1) if states else zeros(inputs, (N, T, H))
    return _Run(names, cell, inputs, active, hooks, steps, stacked, h)


def _run_backward(
    run: _Run, d_states: Array, dh: Array, reset_after: bool, mixing: Mixing
) -> tuple[Array, Array, Array | None, CellWeights]:
    """Return the gradients by the inputs, the states at the beginning, their factors and the weights."""
    xp = namespace(dh)
    d_scale: Array = None if run.hooks.scale is None else xp.zeros_like(run.hooks.scale)
    d_inputs = [xp.zeros_like(run.inputs[:, t]) for t in range(run.inputs.shape[1])]
    d_cell = CellWeights(*(None if w is None else xp.zeros_like(w) for w in run.cell))
    for t, h, gates in reversed(run.steps):
        has_step = run.active[:, t, None]
        # Where there is no step the state went by it, and so does its gradient.
        passing = xp.where(has_step, xp.zeros_like(dh), dh)
        dh_next = xp.where(has_step, dh + d_states[:, t], xp.zeros_like(dh))
        entering = h if run.hooks.scale is None else run.hooks.scale[:, t] * h
        options = {"reset_after": reset_after, "mixing": mixing, **run.hooks.of_step(t)}
        d_inputs[t], dh, d_step = gru_step_backward(
            dh_next, run.inputs[:, t], entering, gates, run.cell, **options
        )
        if run.hooks.scale is not None:
            d_scale[:, t] = dh * h
            dh = dh * run.hooks.scale[:, t]
        dh = dh + passing
        d_cell = CellWeights(*(None if d is None else d + g for d, g in zip(d_cell, d_step, strict=True)))
    return xp.stack(d_inputs, 1) if d_inputs else xp.zeros_like(run.inputs), dh, d_scale, d_cell
