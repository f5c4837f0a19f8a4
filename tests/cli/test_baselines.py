"""What the demo compares the GRU with: a tanh network and pooled statistics, both written for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from grulearn.cli._elman import ElmanClassifier, forward, loss_and_gradients, mean_loss, new_weights
from grulearn.cli._pooled import pooled_logistic_regression, pooled_statistics
from grulearn.sequences import Sequences

F, H, K = 3, 5, 4


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    X = Sequences.from_list([rng.normal(size=(n, F)) for n in (4, 1, 7, 4, 2, 7)])
    return X, rng.integers(0, K, len(X))


@pytest.fixture
def weights():
    rng = np.random.default_rng(1)
    drawn = new_weights(F, H, K, rng)
    return {name: values + 0.1 * rng.normal(size=values.shape) for name, values in drawn.items()}


def logits_by_the_formula(weights, x):
    """One sequence, one unit at a time."""
    W, U, b, V, c = (
        weights[name] for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "head.weight", "head.bias")
    )
    h = np.zeros(H)
    for x_t in x:
        h = np.array([np.tanh(W[i] @ x_t + U[i] @ h + b[i]) for i in range(H)])
    return V @ h + c


def test_forward_is_the_formula(ragged, weights):
    X, _ = ragged
    expected = [logits_by_the_formula(weights, x) for x in X]
    # Sums of at most 8 products in another order.
    assert_allclose(forward(weights, X)[0], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "head.weight", "head.bias"])
def test_gradients_are_finite_differences(ragged, weights, name):
    X, y = ragged
    loss, gradients = loss_and_gradients(weights, X, y)
    assert loss == pytest.approx(mean_loss(weights, X, y), rel=1e-14)
    step = 1e-5  # error about step^2 = 1e-10 of the formula, 1e-16 / step = 1e-11 of rounding
    expected = np.empty_like(weights[name])
    for place in np.ndindex(expected.shape):
        losses = []
        for sign in (1.0, -1.0):
            moved = weights[name].copy()
            moved[place] += sign * step
            losses.append(mean_loss(weights | {name: moved}, X, y))
        expected[place] = (losses[0] - losses[1]) / (2 * step)
    assert_allclose(gradients[name], expected, rtol=1e-7, atol=1e-9)


def test_an_update_is_adam_s(ragged):
    """One batch, two epochs, against Adam as its paper states it."""
    X, y = ragged
    one = ElmanClassifier(H, batch_size=len(X), max_iter=2, clip_norm=np.inf, random_state=3)
    fitted = one.fit(X, y, X, y).weights
    weights = new_weights(F, H, int(y.max()) + 1, np.random.default_rng(3))
    m = {name: 0.0 for name in weights}
    v = dict(m)
    for t in (1, 2):
        _, gradients = loss_and_gradients(weights, X, y)
        for name, g in gradients.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            weights[name] = weights[name] - 3e-3 * (m[name] / (1 - 0.9**t)) / (
                np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8
            )
    for name in weights:
        # The order of the sequences, which sums depend on, is drawn in fit.
        assert_allclose(fitted[name], weights[name], rtol=0, atol=1e-9)


def test_it_learns_what_it_must_remember():
    """The class is the sign of the first step, noise follows."""
    rng = np.random.default_rng(0)
    X = Sequences.from_list([rng.normal(size=(n, 1)) for n in rng.integers(3, 7, 600)])
    y = (X.rows[X.starts, 0] > 0).astype(np.int64)
    model = ElmanClassifier(16, random_state=0).fit(X[:400], y[:400], X[400:500], y[400:500])
    assert np.mean(model.predict(X[500:]) == y[500:]) > 0.9


def test_it_stops_and_keeps_the_best(ragged):
    X, y = ragged
    epochs = []
    model = ElmanClassifier(H, learning_rate_init=0.1, max_iter=100, n_iter_no_change=5, random_state=0)
    model.fit(X, y, X[:2], (y[:2] + 1) % K, epochs.append)
    assert epochs == list(range(1, model.n_iter + 1))
    assert 5 <= model.n_iter < 100
    one = ElmanClassifier(H, learning_rate_init=0.1, max_iter=1, random_state=0)
    one.fit(X, y, X[:2], (y[:2] + 1) % K)
    least = mean_loss(model.weights, X[:2], (y[:2] + 1) % K)
    assert least <= mean_loss(one.weights, X[:2], (y[:2] + 1) % K)
    assert model.n_parameters == H * F + H * H + H + (y.max() + 1) * (H + 1)


def test_a_gradient_is_clipped():
    rng = np.random.default_rng(0)
    X, y = Sequences.from_array(rng.normal(size=(4, 2, F))), np.arange(4)
    # Adam's first step has the size of the learning rate whatever the gradient; its second tells.
    options = {"batch_size": 4, "max_iter": 2, "random_state": 0}
    free = ElmanClassifier(H, clip_norm=np.inf, **options).fit(X, y, X, y)
    loose = ElmanClassifier(H, clip_norm=1e6, **options).fit(X, y, X, y)
    tight = ElmanClassifier(H, clip_norm=1e-9, **options).fit(X, y, X, y)
    for name in free.weights:
        assert_array_equal(free.weights[name], loose.weights[name])
    assert np.abs(free.weights["weight_hh_l0"] - tight.weights["weight_hh_l0"]).max() > 1e-5


def test_statistics_are_numpy_s(ragged):
    X, _ = ragged
    expected = [np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1]]) for x in X.to_list()]
    # Sums of at most 7 numbers in another order.
    assert_allclose(pooled_statistics(X), expected, rtol=0, atol=1e-14)
    picked = X[[4, 4, 0]]
    assert_allclose(pooled_statistics(picked), np.array(expected)[[4, 4, 0]], rtol=0, atol=1e-14)


def test_logistic_regression_on_statistics_learns():
    rng = np.random.default_rng(0)
    X = Sequences.from_list([rng.normal(i % 2, size=(n, 2)) for i, n in enumerate(rng.integers(3, 9, 200))])
    y = np.arange(200) % 2
    assert pooled_logistic_regression().fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.85
