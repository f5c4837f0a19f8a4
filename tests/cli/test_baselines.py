"""What the demo compares the GRU with: a tanh network and pooled statistics, both written for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.metrics import log_loss

from grulearn.cli._elman import ElmanClassifier, forward, loss_and_gradients, new_weights
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
    logits = np.array([logits_by_the_formula(weights, x) for x in X])
    # Of numbers near 1: a few roundings of 1e-16.
    assert loss == pytest.approx(log_loss(y, softmax(logits, axis=1), labels=range(K)), rel=1e-13)
    step = 1e-5  # error about step^2 = 1e-10 of the formula, 1e-16 / step = 1e-11 of rounding
    expected = np.empty_like(weights[name])
    for place in np.ndindex(expected.shape):
        losses = []
        for sign in (1.0, -1.0):
            moved = weights[name].copy()
            moved[place] += sign * step
            losses.append(loss_and_gradients(weights | {name: moved}, X, y)[0])
        expected[place] = (losses[0] - losses[1]) / (2 * step)
    assert_allclose(gradients[name], expected, rtol=1e-7, atol=1e-9)


def test_updates_are_adam_s_with_decoupled_decay(ragged):
    """One batch, two epochs, against the formulas of the two papers."""
    X, y = ragged
    one = ElmanClassifier(
        H, weight_decay=0.5, batch_size=len(X), max_iter=2, clip_norm=np.inf, random_state=3
    )
    fitted = one.fit(X, y).weights
    weights = new_weights(F, H, int(y.max()) + 1, np.random.default_rng(3))
    m = {name: 0.0 for name in weights}
    v = dict(m)
    losses = []
    for t in (1, 2):
        loss, gradients = loss_and_gradients(weights, X, y)
        losses.append(loss)
        for name, g in gradients.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            decay = 0.0 if "bias" in name else 0.5
            weights[name] = weights[name] - 3e-3 * (
                (m[name] / (1 - 0.9**t)) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8) + decay * weights[name]
            )
    for name in weights:
        # The order of the sequences, which sums depend on, is drawn in fit.
        assert_allclose(fitted[name], weights[name], rtol=0, atol=1e-9)
    assert_allclose(one.loss_curve, losses, rtol=1e-12)


def test_batches_cover_all_sequences(ragged):
    X, y = ragged
    model = ElmanClassifier(H, learning_rate_init=1e-300, batch_size=4, max_iter=3).fit(X, y)
    # Of batches of 4 and 2, whatever is in them, with weights that do not move.
    assert_allclose(model.loss_curve, loss_and_gradients(model.weights, X, y)[0], rtol=1e-12)
    assert model.n_parameters == H * F + H * H + H + (y.max() + 1) * (H + 1)


def test_it_learns_what_it_must_remember():
    """The class is the sign of the first step, noise follows."""
    rng = np.random.default_rng(0)
    X = Sequences.from_list([rng.normal(size=(n, 1)) for n in rng.integers(3, 7, 600)])
    y = (X.rows[X.starts, 0] > 0).astype(np.int64)
    model = ElmanClassifier(16, max_iter=50, random_state=0).fit(X[:500], y[:500])
    assert np.mean(model.predict(X[500:]) == y[500:]) > 0.9


def test_a_gradient_is_clipped():
    rng = np.random.default_rng(0)
    X, y = Sequences.from_array(rng.normal(size=(4, 2, F))), np.arange(4)
    # Adam's first step has the size of the learning rate whatever the gradient; its second tells.
    options = {"batch_size": 4, "max_iter": 2, "random_state": 0}
    free, loose, tight = (
        ElmanClassifier(H, clip_norm=bound, **options).fit(X, y).weights for bound in (np.inf, 1e6, 1e-9)
    )
    for name in free:
        assert_array_equal(free[name], loose[name])
    assert np.abs(free["weight_hh_l0"] - tight["weight_hh_l0"]).max() > 1e-5


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
