"""What outputs stand for, against the specification in float64, and NumPy's way back to the user's units."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn import _core
from grulearn.encoding import TargetScaling
from grulearn.equations import apply_link

QUANTILES = (0.05, 0.25, 0.6, 0.9)  # the anchor, 0.6, is neither in the middle nor at an end
# Name, outputs of a target, quantiles. 19 classes fill no whole number of vectors.
LOSSES = [
    ("squared_error", 1, ()),
    ("absolute_error", 1, ()),
    ("huber", 1, ()),
    ("pinball", 4, QUANTILES),
    ("poisson", 1, ()),
    ("gaussian", 2, ()),
    ("cross_entropy", 2, ()),
    ("cross_entropy", 19, ()),
    ("binary_cross_entropy", 1, ()),
]
EACH_LOSS = pytest.mark.parametrize(
    ("loss", "each", "quantiles"), LOSSES, ids=[f"{loss}-{each}" for loss, each, _ in LOSSES]
)
# Relative to the largest value of a row. Exponential, logarithm and sums of up to 19 terms are good to a few
# units in the last place (2.2e-16); 4e-15 is 18 of them.
TOLERANCE = 4e-15


def n_targets(loss, n):
    return 1 if loss == "cross_entropy" else n


def draw(loss, each, rows=9, targets=3, spread=5.0):
    columns = each * n_targets(loss, targets)
    return np.random.default_rng(0).normal(0, spread, (rows, columns))


@EACH_LOSS
@pytest.mark.parametrize("targets", [1, 3])
def test_values_are_those_of_the_specification(loss, each, quantiles, targets, isa, dtype):
    outputs = draw(loss, each, targets=targets).astype(dtype)
    values = _core.decode(outputs, loss=loss, quantiles=quantiles, isa=isa)
    expected = apply_link(outputs.astype(np.float64), loss, quantiles=quantiles or None)
    assert values.dtype == np.float64
    scale = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(values / scale, expected / scale, rtol=0, atol=TOLERANCE, strict=True)


@EACH_LOSS
def test_a_row_alone_has_the_bits_it_has_among_others(loss, each, quantiles, isa):
    outputs = draw(loss, each)
    options = {"loss": loss, "quantiles": quantiles, "isa": isa}
    if "cross" not in loss:
        options |= {"mean": [1.5, -3.0, 0.1], "scale": [0.3, 7.0, 1e3]}
    values = _core.decode(outputs, **options)
    for row in range(len(outputs)):
        alone = _core.decode(outputs[row : row + 1], **options)
        assert alone.tobytes() == values[row].tobytes()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_scaling_back_has_the_bits_of_numpy(loss, dtype):
    outputs = draw(loss, 1, rows=200).astype(dtype)
    scaling = TargetScaling(np.array([1.1, -3e5, 0.0]), np.array([0.3, 7e4, 0.0]))
    values = _core.decode(outputs, loss=loss, mean=scaling.mean, scale=scaling.scale)
    np.testing.assert_array_equal(values, scaling.inverse(outputs), strict=True)
    assert not values[:, 2].any()  # a constant target is its constant, 0 here


def test_every_quantile_and_deviation_is_scaled_by_its_target():
    mean, scale = np.array([10.0, -4.0]), np.array([2.0, 0.5])
    outputs = draw("pinball", 4, targets=2)
    values = _core.decode(outputs, loss="pinball", quantiles=QUANTILES, mean=mean, scale=scale)
    plain = apply_link(outputs, "pinball", quantiles=QUANTILES).reshape(-1, 2, 4)
    expected = (plain * scale[:, None] + mean[:, None]).reshape(-1, 8)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)
    outputs = draw("gaussian", 2, targets=2)
    values = _core.decode(outputs, loss="gaussian", mean=mean, scale=scale)
    plain = apply_link(outputs, "gaussian")
    np.testing.assert_allclose(values[:, ::2], plain[:, ::2] * scale + mean, rtol=0, atol=1e-13)
    np.testing.assert_allclose(values[:, 1::2], plain[:, 1::2] * scale, rtol=0, atol=1e-13)


def test_quantiles_never_cross(isa, dtype):
    # Outputs so far below zero that a quantile is the one before to the last bit, and large anchors.
    rng = np.random.default_rng(0)
    outputs = (rng.normal(0, 300, (500, 4)) - 200).astype(dtype)
    values = _core.decode(outputs, loss="pinball", quantiles=QUANTILES, mean=[1e6], scale=[1e-3], isa=isa)
    assert (np.diff(values, axis=1) >= 0).all()


def test_probabilities_sum_to_one_and_never_overflow(isa, dtype):
    outputs = draw("cross_entropy", 7, rows=300, spread=1e3).astype(dtype)
    values = _core.decode(outputs, loss="cross_entropy", isa=isa)
    np.testing.assert_allclose(values.sum(axis=1), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(values.argmax(axis=1), outputs.argmax(axis=1))
    single = _core.decode(np.array([[-1e5], [0.0], [1e5]], dtype), loss="binary_cross_entropy", isa=isa)
    np.testing.assert_allclose(single[:, 0], [0.0, 0.5, 1.0], rtol=0, atol=1e-300)


@EACH_LOSS
def test_a_value_that_is_not_a_number_stays_in_its_row(loss, each, quantiles, isa):
    outputs = draw(loss, each, rows=3)
    clean = _core.decode(outputs, loss=loss, quantiles=quantiles, isa=isa)
    outputs[1] = np.nan
    values = _core.decode(outputs, loss=loss, quantiles=quantiles, isa=isa)
    assert np.isnan(values[1]).all()
    np.testing.assert_array_equal(values[[0, 2]], clean[[0, 2]])


def test_no_rows():
    assert _core.decode(np.zeros((0, 3)), loss="cross_entropy").shape == (0, 3)


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        (3, {"loss": "nothing"}, "there is none called 'nothing'"),
        (3, {"loss": "gaussian"}, r"at least one target, with 2 output\(s\) each, and there are 3 outputs"),
        (0, {"loss": "huber"}, r"at least one target, with 1 output\(s\) each, and there are 0 outputs"),
        (1, {"loss": "cross_entropy"}, "an output for each of at least 2 classes, and there are 1 outputs"),
        (3, {"loss": "pinball"}, "needs quantiles, and none are given"),
        (3, {"loss": "pinball", "quantiles": [0.5, 0.5, 0.7]}, "quantiles must rise"),
        (2, {"loss": "pinball", "quantiles": [0.1, 0.5, 0.7]}, r"with 3 output\(s\) each"),
        (2, {"loss": "huber", "mean": [0.0], "scale": [1.0, 1.0]}, r"mean must have 2 value\(s\)"),
        (
            2,
            {"loss": "huber", "scale": [1.0, 1.0]},
            r"mean must have 2 value\(s\), one for each target, got 0",
        ),
        (4, {"loss": "gaussian", "mean": [0.0] * 2, "scale": [1.0]}, r"scale must have 2 value\(s\)"),
        (2, {"loss": "cross_entropy", "mean": [0.0], "scale": [1.0]}, "probabilities have no scale"),
        (2, {"loss": "binary_cross_entropy", "mean": [0.0] * 2}, "probabilities have no scale"),
    ],
)
def test_what_does_not_fit_is_refused(outputs, options, message):
    with pytest.raises(ValueError, match=message):
        _core.decode(np.zeros((2, outputs)), **options)
