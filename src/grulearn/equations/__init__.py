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

With layer normalisation each product with W and U is normalised before its bias is added; see
:func:`normalise`.

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

# Relative imports: tests/native loads this package from its folder, where grulearn itself cannot be imported.
from .cell import CellWeights, Gates, gru_step, gru_step_backward, sigmoid, swap_mixing
from .inputs import decay_factor, network_inputs, network_inputs_backward
from .losses import SMALLEST_SCALE, apply_link, loss_gradient, loss_sum, loss_terms, quantile_anchor, softplus
from .masks import Masks, dropout_factors
from .norm import NORM_EPSILON, normalise
from .pooling import pool_states, pool_states_backward
from .sequence import gru_sequence, gru_sequence_backward

__all__ = [
    "NORM_EPSILON",
    "SMALLEST_SCALE",
    "CellWeights",
    "Gates",
    "Masks",
    "apply_link",
    "decay_factor",
    "dropout_factors",
    "gru_sequence",
    "gru_sequence_backward",
    "gru_step",
    "gru_step_backward",
    "loss_gradient",
    "loss_sum",
    "loss_terms",
    "network_inputs",
    "network_inputs_backward",
    "normalise",
    "pool_states",
    "pool_states_backward",
    "quantile_anchor",
    "sigmoid",
    "softplus",
    "swap_mixing",
]
