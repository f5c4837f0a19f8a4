"""A plain recurrent network with tanh units and no gates (Elman 1990), in NumPy: what a GRU is compared with.

    h_t = tanh(W x_t + U h_{t-1} + b),  h_0 = 0,        p = softmax(V h_T + c)

It gets what the GRU gets: initial weights drawn in the same way, Adam with decoupled weight decay, batches,
and a bound on the gradient's norm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences
from grulearn.training import draw_weights

Array = NDArray[np.float64]
Weights = dict[str, Array]

# W, U, b, V and c by PyTorch's names.
_NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "head.weight", "head.bias")
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass
class ElmanClassifier:
    """The network, and its training by backpropagation through time; parameters mean what they do for a GRU.

    Features are expected to be scaled.
    """

    hidden_size: int
    learning_rate_init: float = 3e-3
    weight_decay: float = 0.0
    batch_size: int = 16
    max_iter: int = 200
    clip_norm: float = 1.0
    random_state: int = 0
    weights: Weights = field(default_factory=dict, init=False)
    loss_curve: list[float] = field(default_factory=list, init=False)

    def fit(self, X: Sequences, y: NDArray[np.int64]) -> Self:
        """Train on classes 0 to K - 1 for `max_iter` epochs."""
        rng = np.random.default_rng(self.random_state)
        self.weights = new_weights(X.n_features, self.hidden_size, int(y.max()) + 1, rng)
        self.loss_curve = []
        adam = _Adam(self.weights, self.weight_decay)
        for _ in range(self.max_iter):
            order = rng.permutation(len(X))
            total = 0.0
            for begin in range(0, len(X), self.batch_size):
                batch = order[begin : begin + self.batch_size]
                loss, gradients = loss_and_gradients(self.weights, X[batch], y[batch])
                _clip(gradients, self.clip_norm)
                adam.step(self.weights, gradients, self.learning_rate_init)
                total += loss * len(batch)
            self.loss_curve.append(total / len(X))
        return self

    def predict(self, X: Sequences) -> NDArray[np.int64]:
        """Return the most probable class of each sequence, shape (N,)."""
        classes: NDArray[np.int64] = forward(self.weights, X)[0].argmax(axis=1)
        return classes

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return sum(values.size for values in self.weights.values())


def new_weights(n_features: int, hidden_size: int, n_classes: int, rng: np.random.Generator) -> Weights:
    """Draw what the training starts from."""
    H, K = hidden_size, n_classes
    shapes = ((H, n_features), (H, H), (H,), (K, H), (K,))
    return draw_weights(dict(zip(_NAMES, shapes, strict=True)), "auto", rng)


def forward(weights: Weights, X: Sequences) -> tuple[Array, list[Array], NDArray[np.int64]]:
    """Run the network on N sequences.

    Returns
    -------
    logits : ndarray, shape (N, K)
    states : list of ndarray, shape (N_t, H)
        Of each step, of those sequences that last that long, the longest first.
    order : ndarray, shape (N,)
        The sequences' numbers, the longest first.
    """
    order = np.argsort(-X.lengths, kind="stable")
    starts, lengths = X.starts[order], X.lengths[order]
    W, U, b, V, c = (weights[name] for name in _NAMES)
    h = np.zeros((len(X), len(b)))
    last = h.copy()
    states = []
    for t in range(int(lengths[0])):
        n = int(np.count_nonzero(lengths > t))
        h = np.tanh(X.rows[starts[:n] + t] @ W.T + h[:n] @ U.T + b)
        states.append(h)
        last[:n] = h
    logits = np.empty((len(X), len(c)))
    logits[order] = last @ V.T + c
    return logits, states, order


def loss_and_gradients(weights: Weights, X: Sequences, y: NDArray[np.int64]) -> tuple[float, Weights]:
    """Return the mean cross entropy and its gradient with respect to each weight."""
    logits, states, order = forward(weights, X)
    starts, lengths = X.starts[order], X.lengths[order]
    log_p = _log_softmax(logits[order])
    true = np.arange(len(X)), y[order]
    dlogits = np.exp(log_p)
    dlogits[true] -= 1.0
    dlogits /= len(X)
    last = np.stack([states[length - 1][i] for i, length in enumerate(lengths)])
    W, U, b, V, _ = (weights[name] for name in _NAMES)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dV, dc = dlogits.T @ last, dlogits.sum(axis=0)
    dlast = dlogits @ V
    dh = np.empty((0, len(U)))
    for t in reversed(range(len(states))):
        n = len(states[t])
        dh = np.concatenate([dh, dlast[len(dh) : n]])  # those that end here
        da = dh * (1.0 - states[t] ** 2)
        dW += da.T @ X.rows[starts[:n] + t]
        db += da.sum(axis=0)
        if t > 0:  # h_0 is 0
            dU += da.T @ states[t - 1][:n]
        dh = da @ U
    gradients = dict(zip(_NAMES, (dW, dU, db, dV, dc), strict=True))
    return float(-log_p[true].mean()), gradients


class _Adam:
    """Adam (Kingma and Ba 2015) with its usual constants; weights, but not biases, decay (AdamW)."""

    def __init__(self, weights: Weights, weight_decay: float) -> None:
        self._weight_decay = weight_decay
        self._mean = {name: np.zeros_like(values) for name, values in weights.items()}
        self._square = {name: np.zeros_like(values) for name, values in weights.items()}
        self._n_steps = 0

    def step(self, weights: Weights, gradients: Weights, learning_rate: float) -> None:
        self._n_steps += 1
        for name, g in gradients.items():
            self._mean[name] += (1.0 - _BETA_1) * (g - self._mean[name])
            self._square[name] += (1.0 - _BETA_2) * (g * g - self._square[name])
            mean = self._mean[name] / (1.0 - _BETA_1**self._n_steps)
            square = self._square[name] / (1.0 - _BETA_2**self._n_steps)
            update = mean / (np.sqrt(square) + _EPSILON)
            if weights[name].ndim > 1:
                update += self._weight_decay * weights[name]
            weights[name] = weights[name] - learning_rate * update


def _clip(gradients: Weights, bound: float) -> None:
    norm = np.sqrt(sum(float(np.sum(g * g)) for g in gradients.values()))
    if norm > bound:
        for g in gradients.values():
            g *= bound / norm


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p
