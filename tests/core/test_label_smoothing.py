"""Label smoothing of the core's losses: against the specification, and no smoothing as before."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.formats.weights import unflatten
from grulearn.spec import HeadSpec

HEADS = {
    "two classes": HeadSpec(2, loss="cross_entropy"),
    "21 classes of each step": HeadSpec(21, loss="cross_entropy", target="sequence"),
    "three labels": HeadSpec(3, loss="binary_cross_entropy"),
    "a label of each step": HeadSpec(1, loss="binary_cross_entropy", target="sequence"),
}
EACH_HEAD = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)


@EACH_HEAD
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_loss_and_gradient_are_the_specifications(make_head_case, isa, dtype, head, weighted, smoothing):
    case = make_head_case(head, isa=isa, dtype=dtype, weighted=weighted, label_smoothing=smoothing)
    trainer = case.trainer()
    loss, weight = trainer.accumulate(np.arange(case.n))
    expected_loss, expected_weight, expected = case.reference(np.arange(case.n))
    # Sums of the logarithms' roundings, and gradients by their largest.
    assert loss == pytest.approx(expected_loss, rel={"float32": 1e-6, "float64": 2e-14}[dtype])
    assert weight == pytest.approx(expected_weight, rel=1e-6)
    actual = unflatten(trainer.gradients(), case.shapes)
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= {"float32": 1e-5, "float64": 5e-14}[dtype] * scale, (
            name
        )


@EACH_HEAD
def test_finite_differences(make_head_case, head):
    case = make_head_case(head, dtype="float64", n=9, label_smoothing=0.2)
    gradient = case.gradient()
    # The differences' own error: 6e-6 squared, and rounding of the sum over 6e-6.
    bound = 2e-9 * np.abs(gradient).max() + 1e-9
    np.testing.assert_allclose(gradient, case.differences(), rtol=0, atol=bound)


def test_large_logits_stay_finite(make_head_case):
    case = make_head_case(HeadSpec(3, loss="cross_entropy"), label_smoothing=0.1)
    case.start *= 1000
    loss, weight = case.trainer().accumulate(np.arange(case.n))
    expected, _, _ = case.reference(np.arange(case.n))
    assert np.isfinite(loss)
    assert loss == pytest.approx(expected, rel=1e-3)  # of saturated gates that float32 rounds


def test_what_cannot_be_smoothed(make_head_case):
    with pytest.raises(ValueError, match="label_smoothing is for the losses cross_entropy and binary"):
        make_head_case(HeadSpec(2)).trainer(label_smoothing=0.1)
    for smoothing in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="label_smoothing must be at least 0 and below 1, got"):
            make_head_case(HeadSpec(2, loss="cross_entropy")).trainer(label_smoothing=smoothing)
