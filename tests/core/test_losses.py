"""Every loss of the core: against the specification, finite differences, and with weights and bad targets."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.equations import loss_sum
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

HEADS = {
    "squared_error": HeadSpec(3),
    "absolute_error": HeadSpec(1, "absolute_error"),
    "huber": HeadSpec(2, "huber", delta=0.6),
    "pinball": HeadSpec(8, "pinball", quantiles=(0.05, 0.25, 0.6, 0.9)),
    "one quantile": HeadSpec(1, "pinball", quantiles=(0.3,)),
    "poisson": HeadSpec(2, "poisson"),
    "gaussian": HeadSpec(4, "gaussian"),
    "two classes": HeadSpec(2, "cross_entropy"),
    "many classes": HeadSpec(37, "cross_entropy"),
    "binary": HeadSpec(1, "binary_cross_entropy"),
    "multilabel": HeadSpec(19, "binary_cross_entropy"),
}
EACH_HEAD = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
TARGETS = pytest.mark.parametrize("target", ["value", "sequence"])
# Relative: of sums of losses, each of which has its own rounding, and of gradients to their largest. Losses
# that subtract (pinball's quantiles, poisson) lose a few bits.
LOSS_TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 5e-14}


def of(head: HeadSpec, target: str) -> HeadSpec:
    return HeadSpec(head.n_outputs, head.loss, target, head.delta, head.quantiles)


def assert_gradients(case, actual: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    named = unflatten(actual, case.shapes)
    assert set(named) == set(expected)
    for name, gradient in expected.items():
        scale = max(float(np.abs(gradient).max()), 1e-6)
        assert np.abs(named[name] - gradient).max() <= GRADIENT_TOLERANCE[case.dtype] * scale, name


@EACH_HEAD
@TARGETS
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_are_the_specifications(make_head_case, isa, dtype, head, target, weighted):
    cell = CellSpec(9, num_layers=2, bidirectional=True) if weighted else CellSpec(19, reset_after=False)
    case = make_head_case(of(head, target), cell, isa, dtype, weighted=weighted)
    batch = np.array([4, 20, 0, 7, 7, 13])
    trainer = case.trainer()
    loss, weight = trainer.accumulate(batch)
    expected_loss, expected_weight, expected = case.reference(batch)
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype])
    assert weight == pytest.approx(expected_weight, rel=1e-6 if dtype == "float32" else 1e-14)
    assert_gradients(case, trainer.gradients(), expected)


@EACH_HEAD
@TARGETS
def test_the_gradient_is_the_derivative(make_head_case, head, target):
    """Central differences of the core's own loss in float64: cut-off and rounding leave some 1e-9 of it."""
    case = make_head_case(of(head, target), CellSpec(3), dtype="float64", n=5, longest=4, weighted=True)
    assert case.gradient() == pytest.approx(case.differences(), abs=2e-8)


@EACH_HEAD
@TARGETS
def test_threads_and_checkpoints_do_not_change_a_bit(make_head_case, isa, dtype, head, target):
    results = []
    for n_jobs, checkpoint_steps in [(1, 0), (2, 0), (5, 3)]:
        case = make_head_case(of(head, target), CellSpec(24), isa, dtype, n=300, weighted=True)
        trainer = case.trainer(300, n_jobs, checkpoint_steps=checkpoint_steps)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((losses, case.network.parameters(), case.predict(n_jobs)))
    for losses, parameters, predicted in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])
        np.testing.assert_array_equal(predicted, results[0][2])


@EACH_HEAD
@TARGETS
def test_training_lowers_the_loss(make_head_case, dtype, head, target):
    case = make_head_case(of(head, target), CellSpec(16), dtype=dtype, weighted=True)
    trainer = case.trainer(case.n)
    losses = [trainer.run_epoch(None, 0.01)[0] for _ in range(150)]
    outputs = case.predict()
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.2 * abs(losses[0])
    # What is reported is the loss of what is predicted.
    rows = np.concatenate([np.arange(s, s + n) for s, n in zip(case.starts, case.lengths, strict=True)])
    weights = case.weights
    if case.per_step:
        weights = np.repeat(case.weights, case.lengths) * case.step_weights[rows]
    total, weight = loss_sum(
        outputs.astype(np.float64),
        case.targets if head.loss == "cross_entropy" else case.targets.astype(np.float64),
        head.loss,
        weights=weights.astype(np.float64),
        delta=head.delta or 1.0,
        quantiles=head.quantiles,
    )
    reported = trainer.run_epoch(None, 0.0)[0]
    assert reported == pytest.approx(total / weight, rel=1e-5 if dtype == "float32" else 1e-13)


# Weights


@EACH_HEAD
@TARGETS
@pytest.mark.parametrize("weight", [1.0, 0.3, 7.0])
def test_equal_weights_give_the_bits_of_none(make_head_case, dtype, head, target, weight):
    case = make_head_case(of(head, target), dtype=dtype)
    runs = []
    for given in (None, np.full(case.n, weight, dtype)):
        case.weights = given
        trainer = case.trainer(5, clip_norm=0.1, weight_decay=0.1)
        runs.append([trainer.run_epoch(None, 0.05) for _ in range(3)] + [case.network.parameters()])
        if given is None:
            weights = trainer.batch_weights
        else:
            np.testing.assert_allclose(trainer.batch_weights, weights * given[0], rtol=1e-7)
    for none, equal in zip(*runs, strict=True):
        np.testing.assert_array_equal(none, equal)


@EACH_HEAD
@TARGETS
def test_a_weight_of_zero_leaves_the_sequence_out(make_head_case, isa, dtype, head, target):
    case = make_head_case(of(head, target), isa=isa, dtype=dtype, weighted=True)
    out = np.array([2, 3, 11])
    case.weights[out] = 0.0
    for i in out:  # nothing that it holds may matter
        case.rows[case.starts[i] : case.starts[i] + case.lengths[i]] = np.nan
        steps = slice(case.starts[i], case.starts[i] + case.lengths[i]) if case.per_step else slice(i, i + 1)
        case.targets[steps] = 10**6 if head.loss == "cross_entropy" else np.nan
    everything = case.trainer(case.n)
    with_zeros = everything.accumulate(np.arange(case.n))
    gradient = everything.gradients()
    rest = case.trainer(case.n)
    without = rest.accumulate(np.setdiff1d(np.arange(case.n), out))
    assert with_zeros == without
    np.testing.assert_array_equal(gradient, rest.gradients())
    assert np.isfinite(gradient).all()


def test_weights_count_as_often_as_a_sequence_is_repeated(make_head_case, dtype):
    case = make_head_case(HeadSpec(2, "huber"), dtype=dtype)
    case.weights = np.ones(case.n, dtype)
    case.weights[[3, 5]] = 2, 3
    weighted = case.trainer()
    loss, weight = weighted.accumulate(np.arange(case.n))
    gradient = weighted.gradients()
    case.weights = None
    repeated = case.trainer()
    expected = repeated.accumulate(np.r_[np.arange(case.n), 3, 5, 5])
    assert (loss, weight) == pytest.approx(expected, rel=LOSS_TOLERANCE[dtype])
    scale = np.abs(gradient).max()
    assert np.abs(gradient - repeated.gradients()).max() < GRADIENT_TOLERANCE[dtype] * scale


def test_batches_in_which_nothing_counts_are_passed_over(make_head_case, dtype):
    case = make_head_case(HeadSpec(1), dtype=dtype, n=9)
    case.weights = np.array([0, 0, 0, 1, 2, 0, 1, 1, 1], dtype)
    trainer = case.trainer(3)
    losses = trainer.run_epoch(None, 0.01)
    assert losses[0] == 0.0
    assert (losses[1:] > 0).all()
    np.testing.assert_array_equal(trainer.batch_weights, [0, 3, 3])
    parameters = case.network.parameters()
    twin = case.trainer(3)
    twin.run_epoch(np.arange(3, 9), 0.01)
    np.testing.assert_array_equal(case.network.parameters(), parameters)
    assert trainer.accumulate(np.arange(3)) == (0.0, 0.0)
    with pytest.raises(ValueError, match="apply needs a positive weight, got 0"):
        trainer.apply(0.1, 0.0)
    case.weights[:] = 0
    assert case.trainer(9).run_epoch(None, 0.01).tolist() == [0.0]


def test_sums_of_two_machines_are_those_of_one(make_head_case):
    """Gradients and weight sums of parts, whose largest weights differ, add up."""
    case = make_head_case(HeadSpec(1), dtype="float64", weighted=True)
    whole = case.trainer()
    _, weight = whole.accumulate(np.arange(case.n))
    gradient = whole.gradients()
    whole.apply(0.1, weight)
    expected = case.network.parameters()
    all_of_it = (case.starts, case.lengths, case.targets, case.weights)
    sums, weights = np.zeros_like(gradient), 0.0
    for part in (slice(0, 4), slice(4, None)):
        case.starts, case.lengths, case.targets, case.weights = (array[part] for array in all_of_it)
        trainer = case.trainer()
        weights += trainer.accumulate(np.arange(len(case.starts)))[1]
        sums += trainer.gradients()
    np.testing.assert_allclose(sums, gradient, rtol=0, atol=1e-13 * np.abs(gradient).max())
    trainer.apply(0.1, weights, sums)
    np.testing.assert_allclose(case.network.parameters(), expected, atol=1e-9)


# Numbers


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_large_logits_are_safe(make_head_case, isa, dtype, loss):
    case = make_head_case(HeadSpec(2, loss), isa=isa, dtype=dtype)
    for scale in (1e2, 1e4, 1e6):
        case.start = np.zeros_like(case.start)
        case.start[-2:] = scale, -scale  # the head's biases
        trainer = case.trainer(case.n)
        loss_sum, _ = trainer.accumulate(np.arange(case.n))
        _, _, expected = case.reference(np.arange(case.n))
        assert np.isfinite(loss_sum)
        assert_gradients(case, trainer.gradients(), expected)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "gaussian", "pinball"])
def test_a_diverged_network_says_so(make_head_case, isa, dtype, loss):
    options = {"quantiles": (0.2, 0.8)} if loss == "pinball" else {}
    case = make_head_case(HeadSpec(2, loss, **options), isa=isa, dtype=dtype)
    case.start[-1] = np.nan
    assert np.isnan(case.trainer(case.n).run_epoch(None, 0.01)).all()


def test_logarithms_and_exponentials_are_accurate(make_head_case, isa, dtype):
    """Read off the losses of single outputs, over the whole range, against NumPy in extended precision."""
    a = np.concatenate([np.linspace(-80, 80, 801), np.geomspace(1e-6, 1, 50), -np.geomspace(1e-6, 1, 50)])
    tolerance = 3e-7 if dtype == "float32" else 5e-16
    for loss, n_outputs in [("binary_cross_entropy", 1), ("poisson", 1), ("gaussian", 2)]:
        case = make_head_case(HeadSpec(n_outputs, loss), isa=isa, dtype=dtype, n=1, longest=1)
        case.targets[:] = 1.0
        case.start[:] = 0
        trainer = case.trainer()
        for value in a[np.abs(a) < 20] if loss == "poisson" else a:
            parameters = case.start.copy()
            parameters[-1] = value
            case.network.set_parameters(parameters)
            actual, _ = trainer.accumulate(np.array([0]))
            x = np.longdouble(parameters[-1])
            plus = np.logaddexp(x, 0)
            if loss == "binary_cross_entropy":
                expected, largest = np.logaddexp(-x, 0), 0
            elif loss == "poisson":
                expected, largest = np.exp(x) - x - 1, np.exp(x) + abs(x) + 1
            else:
                scale = plus + np.longdouble(1e-3)
                half_log = np.log(2 * np.longdouble(np.pi)) / 2
                expected = half_log + np.log(scale) + 1 / (2 * scale**2)
                largest = half_log + abs(np.log(scale)) + 1 / scale**2
            assert abs(actual - expected) <= tolerance * max(abs(expected), largest), (loss, value)


# Wrong arguments


def refused(case, message: str, **options) -> None:
    with pytest.raises(ValueError, match=message):
        case.trainer(**options)


def test_targets_of_the_wrong_shape_or_kind_are_refused(make_head_case):
    case = make_head_case(HeadSpec(4, "gaussian"))
    case.targets = np.zeros((23, 4), np.float32)
    refused(case, "targets must have 2 columns, got 4; the network has 4 outputs")
    case.targets = np.zeros((22, 2), np.float32)
    refused(case, "targets must have one row for each of the 23 sequences, got 22 rows")
    case.targets = np.zeros(23, np.int64)
    refused(case, "targets are class numbers, which only the loss cross_entropy takes")
    case.targets = np.zeros((23, 2), np.float32)
    refused(case, "class numbers, int64 of one dimension", loss="cross_entropy")
    refused(case, "the loss needs 3 outputs for each target", loss="pinball", quantiles=[0.1, 0.5, 0.9])
    refused(case, "there is none called 'hinge'", loss="hinge")
    refused(case, "loss 'pinball' needs quantiles", loss="pinball")
    for levels in ([0.5, 0.5], [0.9, 0.1], [0.0, 0.5], [0.5, 1.0]):
        refused(case, "quantiles must rise and lie between 0 and 1", loss="pinball", quantiles=levels)
    refused(case, "delta must be positive, got 0", loss="huber", delta=0.0)
    case.targets = np.zeros((23, 2))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        case.trainer()


def test_bad_targets_are_named(make_head_case):
    case = make_head_case(HeadSpec(3, "cross_entropy"))
    case.targets[5] = 3
    refused(case, "targets: that of sequence 5 is 3; expected a class number from 0 to 2$")
    case.targets[5] = -1
    refused(case, "targets: that of sequence 5 is -1; expected a class number from 0 to 2$")
    case = make_head_case(HeadSpec(2))
    for value, shown in [(np.nan, "nan"), (np.inf, "inf")]:
        case.targets[7, 1] = value
        refused(case, f"that of sequence 7 is {shown} in column 1; expected a finite number")
    case = make_head_case(HeadSpec(1, "poisson"))
    case.targets[2] = -0.5
    refused(case, r"that of sequence 2 is -0\.5\d* *; expected a count or rate of at least 0")
    case = make_head_case(HeadSpec(1, "binary_cross_entropy"))
    case.targets[2] = 1.5
    refused(case, r"that of sequence 2 is 1\.5\d*; expected 0, 1 or between")


@pytest.mark.parametrize(("value", "shown"), [(-1.0, "-1"), (np.nan, "nan"), (np.inf, "inf")])
def test_bad_weights_are_named(make_head_case, value, shown):
    case = make_head_case(HeadSpec(1), weighted=True)
    case.weights[4] = value
    refused(case, f"weights: that of sequence 4 is {shown}.*; expected a finite number of at least 0")
    case.weights = np.ones(22, np.float32)
    refused(case, r"sample_weight must have shape \(23\), got \(22\)")


def test_changed_classes_lead_nowhere(make_head_case):
    case = make_head_case(HeadSpec(3, "cross_entropy"))
    trainer = case.trainer(case.n)
    expected = trainer.run_epoch(None, 0.0)
    case.targets[:] = 10**12
    np.testing.assert_array_equal(trainer.run_epoch(None, 0.0), expected)
