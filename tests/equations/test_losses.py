"""Losses against their formulas, finite differences and scikit-learn's metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from grulearn.equations import (
    apply_link,
    loss_gradient,
    loss_sum,
    quantile_anchor,
    sigmoid,
    softplus,
)

QUANTILES = (0.05, 0.25, 0.6, 0.9)  # the anchor, 0.6, is neither in the middle nor at an end
# Name, outputs, options.
LOSSES = [
    ("squared_error", 2, {}),
    ("absolute_error", 2, {}),
    ("huber", 2, {"delta": 0.7}),
    ("pinball", 8, {"quantiles": QUANTILES}),
    ("poisson", 2, {}),
    ("gaussian", 4, {}),
    ("cross_entropy", 5, {}),
    ("binary_cross_entropy", 2, {}),
]
EACH_LOSS = pytest.mark.parametrize(
    ("loss", "n_outputs", "options"), LOSSES, ids=[name for name, *_ in LOSSES]
)
# As in test_gru.py: a step of 6e-6 leaves 1e-10 of cut-off and rounding; the losses here are below 100.
STEP, DIFFERENCE_TOLERANCE = 6e-6, 1e-8
ROUNDING = 1e-13


def draw(loss, n_outputs, n=7, seed=0):
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 1.5, (n, n_outputs))
    if loss == "cross_entropy":
        targets = rng.integers(0, n_outputs, n)
    elif loss == "poisson":
        targets = rng.poisson(2.0, (n, 2)).astype(float)
    elif loss == "binary_cross_entropy":
        targets = rng.integers(0, 2, (n, 2)).astype(float)
    else:
        targets = rng.normal(0, 1.5, (n, 2))
    return outputs, targets, rng.uniform(0.2, 3.0, n)


@EACH_LOSS
def test_the_gradient_is_the_derivative(loss, n_outputs, options):
    outputs, targets, weights = draw(loss, n_outputs)
    gradient = loss_gradient(outputs, targets, loss, weights=weights, **options)
    for place in np.ndindex(outputs.shape):
        value = outputs[place]
        sums = []
        for moved in (value + STEP, value - STEP):
            outputs[place] = moved
            sums.append(loss_sum(outputs, targets, loss, weights=weights, **options)[0])
        outputs[place] = value
        numeric = (sums[0] - sums[1]) / (2 * STEP)
        assert gradient[place] == pytest.approx(numeric, abs=DIFFERENCE_TOLERANCE), place


@pytest.mark.parametrize("weighted", [False, True])
def test_means_are_scikit_learns_metrics(weighted):
    def mean(loss, n_outputs, **options):
        outputs, targets, weights = draw(loss, n_outputs)
        given = {"sample_weight": weights} if weighted else {}
        total, weight = loss_sum(outputs, targets, loss, weights=weights if weighted else None, **options)
        predicted = apply_link(outputs, loss, quantiles=options.get("quantiles"))
        return total / weight, targets, predicted, given

    value, y, predicted, given = mean("squared_error", 2)
    assert value == pytest.approx(mean_squared_error(y, predicted, **given), rel=ROUNDING)
    value, y, predicted, given = mean("absolute_error", 2)
    assert value == pytest.approx(mean_absolute_error(y, predicted, **given), rel=ROUNDING)
    value, y, predicted, given = mean("poisson", 2)
    deviances = [mean_poisson_deviance(y[:, k], predicted[:, k], **given) for k in range(2)]
    assert value == pytest.approx(np.mean(deviances) / 2, rel=ROUNDING)
    value, y, predicted, given = mean("pinball", 8, quantiles=QUANTILES)
    by_level = [
        mean_pinball_loss(y, predicted.reshape(-1, 2, 4)[:, :, k], alpha=level, **given)
        for k, level in enumerate(QUANTILES)
    ]
    assert value == pytest.approx(np.mean(by_level), rel=ROUNDING)
    value, y, predicted, given = mean("cross_entropy", 5)
    assert value == pytest.approx(log_loss(y, predicted, labels=range(5), **given), rel=ROUNDING)
    value, y, predicted, given = mean("binary_cross_entropy", 2)
    columns = [log_loss(y[:, k], predicted[:, k], labels=[0, 1], **given) for k in range(2)]
    assert value == pytest.approx(np.mean(columns), rel=ROUNDING)


def test_one_gaussian_and_one_huber_by_hand():
    mean, raw, y = 0.3, -1.2, 2.0
    scale = math.log1p(math.exp(raw)) + 1e-3
    density = math.exp(-0.5 * ((y - mean) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    total, weight = loss_sum(np.array([[mean, raw]]), np.array([[y]]), "gaussian")
    assert total == pytest.approx(-math.log(density), rel=1e-12)
    assert weight == 1
    assert apply_link(np.array([[mean, raw]]), "gaussian")[0] == pytest.approx([mean, scale])
    for error, expected in [(0.5, 0.125), (-2.0, 0.7 * (2.0 - 0.35))]:
        total, _ = loss_sum(np.array([[error]]), np.array([[0.0]]), "huber", delta=0.7)
        assert total == pytest.approx(expected)


def test_quantiles_never_cross():
    rng = np.random.default_rng(1)
    outputs = rng.normal(0, 50, (200, 8))
    quantiles = apply_link(outputs, "pinball", quantiles=QUANTILES).reshape(-1, 2, 4)
    assert (np.diff(quantiles, axis=2) >= 0).all()
    anchor = quantile_anchor(QUANTILES)
    assert anchor == 2
    np.testing.assert_array_equal(quantiles[:, :, anchor], outputs.reshape(-1, 2, 4)[:, :, anchor])


def test_links_are_probabilities_and_rates():
    logits = np.array([[1.0, -2.0, 0.5], [1000.0, -1000.0, 0.0]])
    probabilities = apply_link(logits, "cross_entropy")
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(probabilities[1], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(apply_link(logits[:1], "binary_cross_entropy"), sigmoid(logits[:1]))
    np.testing.assert_array_equal(apply_link(logits[:1], "poisson"), np.exp(logits[:1]))
    assert apply_link(logits, "huber") is logits


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_are_safe(loss, dtype):
    outputs = np.array([[1e4, -1e4], [-1e4, 1e4], [1e30, 0]], dtype)
    targets = np.array([0, 0, 0]) if loss == "cross_entropy" else np.array([[1, 0], [1, 0], [1, 0]], dtype)
    with np.errstate(over="raise", invalid="raise"):
        total, _ = loss_sum(outputs, targets, loss)
        gradient = loss_gradient(outputs, targets, loss)
    assert total == pytest.approx(2e4, rel=1e-4)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[0], 0.0)


@EACH_LOSS
def test_what_is_not_known_or_weighs_nothing_does_not_count(loss, n_outputs, options):
    outputs, targets, weights = draw(loss, n_outputs)
    unknown = targets.copy()
    unknown[2] = -1 if loss == "cross_entropy" else np.nan
    weights[4] = 0.0
    rest = np.array([0, 1, 3, 5, 6])
    total, weight = loss_sum(outputs, unknown, loss, weights=weights, **options)
    alone, alone_weight = loss_sum(outputs[rest], targets[rest], loss, weights=weights[rest], **options)
    assert total == pytest.approx(alone, rel=ROUNDING)
    assert weight == pytest.approx(alone_weight, rel=ROUNDING)
    gradient = loss_gradient(outputs, unknown, loss, weights=weights, **options)
    assert not gradient[[2, 4]].any()
    whole = loss_gradient(outputs[rest], targets[rest], loss, weights=weights[rest], **options)
    np.testing.assert_allclose(gradient[rest], whole, rtol=ROUNDING)


def test_one_unknown_target_of_two():
    outputs, targets, _ = draw("pinball", 8)
    targets[3, 1] = np.nan
    total, weight = loss_sum(outputs, targets, "pinball", quantiles=QUANTILES)
    assert np.isfinite(total)
    assert weight == (7 * 2 - 1) * 4
    gradient = loss_gradient(outputs, targets, "pinball", quantiles=QUANTILES)[3]
    assert gradient[:4].any()
    assert not gradient[4:].any()


@EACH_LOSS
def test_float32_stays_float32(loss, n_outputs, options):
    outputs, targets, _ = draw(loss, n_outputs)
    targets = targets if loss == "cross_entropy" else targets.astype(np.float32)
    gradient = loss_gradient(outputs.astype(np.float32), targets, loss, **options)
    assert gradient.dtype == np.float32
    assert (
        apply_link(outputs.astype(np.float32), loss, quantiles=options.get("quantiles")).dtype == np.float32
    )


@EACH_LOSS
def test_nothing_at_all(loss, n_outputs, options):
    outputs, targets, _ = draw(loss, n_outputs, n=0)
    total, weight = loss_sum(outputs, targets, loss, **options)
    assert (total, weight) == (0.0, 0.0)
    assert loss_gradient(outputs, targets, loss, **options).shape == (0, n_outputs)


def test_an_unknown_loss_is_refused():
    for call in (loss_sum, loss_gradient):
        with pytest.raises(ValueError, match="loss must be one of squared_error, .*, got 'hinge'"):
            call(np.zeros((1, 1)), np.zeros((1, 1)), "hinge")
    with pytest.raises(ValueError, match="got 'hinge'"):
        apply_link(np.zeros((1, 1)), "hinge")


def test_softplus_has_no_overflow():
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(softplus(np.array([-1e300, 0.0, 1e300])), [0.0, math.log(2), 1e300])
