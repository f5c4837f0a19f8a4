"""Targets of steps: the head on every state, labels that are missing, weights of steps."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

# Relative: as in test_losses.py, where every loss has targets of steps as well.
LOSS_TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 5e-14}


def refused(case, message: str, **options) -> None:
    with pytest.raises(ValueError, match=message):
        case.trainer(**options)


def test_predict_gives_a_row_for_each_step(make_head_case, isa, dtype):
    cell = CellSpec(9, num_layers=2, bidirectional=True)
    case = make_head_case(HeadSpec(3, target="sequence"), cell, isa, dtype)
    predicted = case.predict()
    expected = case.reference_predict()
    assert predicted.shape == expected.shape == (len(case.rows), 3)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol={"float32": 5e-6, "float64": 2e-14}[dtype])
    # To the bit whatever the batch mates, and in the order that is asked for.
    order = np.random.default_rng(1).permutation(case.n)
    mixed = case.network.predict(case.rows, case.starts[order], case.lengths[order], 2)
    ends = np.cumsum(case.lengths[order])
    for i, end in zip(order, ends, strict=True):
        own = slice(case.starts[i], case.starts[i] + case.lengths[i])
        np.testing.assert_array_equal(mixed[end - case.lengths[i] : end], predicted[own])
        alone = case.network.predict(case.rows, case.starts[i : i + 1], case.lengths[i : i + 1], 1)
        np.testing.assert_array_equal(alone, predicted[own])


def test_targets_of_steps_may_start_elsewhere(make_head_case):
    case = make_head_case(HeadSpec(2, target="sequence"), dtype="float64", weighted=True)
    expected = case.trainer()
    result = expected.accumulate(np.arange(case.n))
    starts = case.starts[::-1].copy()
    moved = np.full((len(case.rows) + 50, 2), np.nan)
    weights = np.zeros(len(moved))
    moved[50:], weights[50:] = case.targets, case.step_weights
    case.targets, case.step_weights = moved, weights
    shifted = case.trainer(target_starts=case.starts + 50)
    assert shifted.accumulate(np.arange(case.n)) == result
    np.testing.assert_array_equal(shifted.gradients(), expected.gradients())
    refused(case, "targets must have one start for each of the 23 sequences", target_starts=starts[:3])
    outside = case.starts.copy()
    outside[0] = len(moved) - 3
    refused(case, r"targets of sequence 0 \(start \d+, length 7\) do not lie within", target_starts=outside)
    outside[0] = -1
    refused(case, r"targets of sequence 0 \(start -1, length 7\) do not lie within", target_starts=outside)


def test_bad_targets_of_steps_are_named(make_head_case):
    case = make_head_case(HeadSpec(3, "cross_entropy", "sequence"))
    case.targets[2] = 3
    refused(case, "that of sequence 0, step 2 is 3; expected a class number from 0 to 2, or -1 where")
    case = make_head_case(HeadSpec(1, target="sequence"), weighted=True)
    case.targets[3] = np.inf
    refused(case, "that of sequence 0, step 3 is inf; expected a finite number")
    case.targets[3] = 0.0
    case.step_weights[6] = -2
    refused(case, r"step weights: that of row 6 of the targets is -2\.0*; expected a finite number")
    case = make_head_case(HeadSpec(1))
    refused(case, "belong to targets for each step", step_weight=np.ones(23, np.float32))
    refused(case, "belong to targets for each step", target_starts=np.arange(23))


def test_steps_without_a_label_may_be_all_there_is(make_head_case, dtype):
    case = make_head_case(HeadSpec(2, target="sequence"), dtype=dtype)
    case.targets[:] = np.nan
    trainer = case.trainer(case.n)
    assert trainer.run_epoch(None, 0.1).tolist() == [0.0]
    np.testing.assert_array_equal(case.network.parameters(), case.start)


def test_one_target_of_a_step_may_be_known(make_head_case, isa, dtype):
    case = make_head_case(HeadSpec(2, target="sequence"), isa=isa, dtype=dtype)
    case.targets[::2, 0] = np.nan
    trainer = case.trainer()
    loss, weight = trainer.accumulate(np.arange(case.n))
    expected_loss, expected_weight, expected = case.reference(np.arange(case.n))
    assert weight == expected_weight == np.isfinite(case.targets).sum()
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype])
    actual = unflatten(trainer.gradients(), case.shapes)
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[dtype] * scale, name


def test_a_target_is_value_or_sequence(build_network):
    with pytest.raises(ValueError, match="target must be 'value' or 'sequence', got 'step'"):
        build_network(3, CellSpec(4), target="step")
