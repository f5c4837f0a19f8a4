"""Pooling: the states of a sequence's steps become the one vector that the head reads, and back.

With ``h_t`` the last layer's state after step t of T, of both directions beside each other, ``D H`` wide:

============= ==================================================================
`last`        the final states: ``h_T`` of the forward direction, ``h_1`` of the
              reverse one, which has then read back to the first step
`mean`        ``(h_1 + ... + h_T) / T``
`max`         the largest of each unit; the gradient goes to the first step that
              reaches it
`attention`   ``sum_t p_t h_t`` with p the softmax over the sequence's own steps
              of ``q . h_t / sqrt(D H)`` for a learned query q, as in scaled
              dot-product attention [1]_
============= ==================================================================

A sequence of no step has zeros.

References
----------
.. [1] A. Vaswani et al. (2017), "Attention Is All You Need", https://arxiv.org/abs/1706.03762
"""

from __future__ import annotations

import math

from .arrays import Array, active_steps, namespace

__all__ = ["pool_states", "pool_states_backward"]

KINDS = ("last", "mean", "max", "attention")


def pool_states(
    states: Array,
    kind: str = "last",
    *,
    lengths: Array | None = None,
    query: Array | None = None,
    n_directions: int = 1,
) -> Array:
    """Pool the states of each sequence.

    Parameters
    ----------
    states : array, shape (N, T, D*H)
        The outputs of :func:`gru_sequence`; what stands beyond a sequence's length is not looked at.
    kind : {"last", "mean", "max", "attention"}, default="last"
    lengths : array of int, shape (N,), optional
        The number of steps of each sequence; all have T steps if not given.
    query : array, shape (D*H,), optional
        For "attention".
    n_directions : {1, 2}, default=1
        D, which "last" needs to know.

    Returns
    -------
    array, shape (N, D*H)

    Raises
    ------
    ValueError
        If the kind is not one of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import pool_states
    >>> states = np.array([[[1.0, 5.0], [3.0, 4.0], [9.0, 9.0]]])
    >>> pool_states(states, "mean", lengths=[2]), pool_states(states, "max", lengths=[2])
    (array([[2. , 4.5]]), array([[3., 5.]]))
    """
    xp = namespace(states)
    _, share = _shares(states, kind, lengths, query, n_directions)
    return xp.where(share != 0, share * states, xp.zeros_like(states)).sum(1)


def pool_states_backward(
    d_pooled: Array,
    states: Array,
    kind: str = "last",
    *,
    lengths: Array | None = None,
    query: Array | None = None,
    n_directions: int = 1,
) -> tuple[Array, Array | None]:
    """Take the gradient by what `pool_states` returns back to the states and the query.

    Parameters
    ----------
    d_pooled : array, shape (N, D*H)
    states, kind, lengths, query, n_directions
        What `pool_states` was given.

    Returns
    -------
    d_states : array, shape (N, T, D*H)
        Zeros beyond a sequence's length.
    d_query : array, shape (D*H,), or None
        None without a query.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import pool_states_backward
    >>> pool_states_backward(np.array([[6.0]]), np.array([[[1.0], [2.0], [2.0]]]), "max")[0]
    array([[[0.],
            [6.],
            [0.]]])
    """
    active, share = _shares(states, kind, lengths, query, n_directions)
    d_states = share * d_pooled[:, None, :]
    if kind != "attention":
        return d_states, None
    # Through the softmax to the scores, and from those to the states and the query.
    xp = namespace(states)
    h = xp.where(active, states, xp.zeros_like(states))
    p = share[:, :, 0]
    dp = (h * d_pooled[:, None, :]).sum(2)
    d_score = p * (dp - (p * dp).sum(1)[:, None]) / math.sqrt(states.shape[2])
    d_query = (d_score[:, :, None] * h).sum(1).sum(0)
    return d_states + d_score[:, :, None] * query, d_query


def _shares(
    states: Array, kind: str, lengths: Array | None, query: Array | None, n_directions: int
) -> tuple[Array, Array]:
    """Return which steps there are, (N, T, 1), and the share of each in the pooled vector, (N, T, D*H)."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    xp = namespace(states)
    active = active_steps(states, lengths)[:, :, None]
    ones, zeros = xp.ones_like(states), xp.zeros_like(states)
    h = xp.where(active, states, zeros)
    if kind == "mean":
        count = xp.where(active, ones, zeros).sum(1)[:, None, :]
        return active, xp.where(active, ones, zeros) / xp.where(count > 0, count, xp.ones_like(count))
    if not states.shape[1]:
        return active, zeros
    if kind == "max":
        largest = xp.amax(xp.where(active, states, zeros - math.inf), 1)[:, None, :]
        reached = active & (h == largest)
        first = reached & (xp.cumsum(xp.where(reached, ones, zeros), 1) == 1)
        return active, xp.where(first, ones, zeros)
    if kind == "attention":
        assert query is not None
        score = (h * query).sum(2)[:, :, None] / math.sqrt(states.shape[2])
        score = xp.where(active, score, xp.zeros_like(score) - math.inf)
        # A sequence of no step has no largest score: 0 keeps the difference from being NaN.
        largest = xp.amax(score, 1)[:, None, :]
        power = xp.exp(score - xp.where(largest > -math.inf, largest, xp.zeros_like(largest)))
        total = power.sum(1)[:, None, :]
        return active, ones * power / xp.where(total > 0, total, xp.ones_like(total))
    # The last step of the forward direction's units, the first of the reverse one's.
    after = xp.concatenate((active[:, 1:], xp.zeros_like(active[:, :1])), 1)
    ends = (active & ~after, active & (xp.cumsum(xp.where(active, ones, zeros)[:, :, :1], 1) == 1))
    H = states.shape[2] // n_directions
    parts = [xp.where(end, ones[:, :, :H], zeros[:, :, :H]) for end in ends[:n_directions]]
    return active, xp.concatenate(parts, 2)
