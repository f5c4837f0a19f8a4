"""Dropout, recurrent dropout and zoneout: gradients with the same masks, and what must not change those."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

OPTIONS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.4},
    "recurrent": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.35},
    "all": {"dropout": 0.2, "recurrent_dropout": 0.4, "zoneout": 0.15},
}
EACH_OPTION = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
CELLS: dict[str, dict[str, Any]] = {
    "one layer": {"hidden_size": 5},
    "three layers, two directions": {"hidden_size": 19, "num_layers": 3, "bidirectional": True},
    "reset before": {"hidden_size": 17, "num_layers": 2, "reset_after": False, "bias": False},
}
EACH_CELL = pytest.mark.parametrize("sizes", CELLS.values(), ids=CELLS)
EACH_TARGET = pytest.mark.parametrize("target", ["value", "sequence"])
INPUTS: dict[str, Any] = {"categorical": ((7, 3),), "decay": True}

# Relative: of sums that the core adds in double, and of gradients to their largest. Masks scale by 1.7 at
# most, which is little beside the rounding of the sums.
LOSS_TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
GRADIENT_TOLERANCE = {"float32": 2e-5, "float64": 5e-14}


def build(make_head_case, options: dict[str, Any], sizes: dict[str, Any], target: str = "value", **case: Any):
    """A case whose cell has the zoneout of the options."""
    rates = {name: rate for name, rate in options.items() if name != "zoneout"}
    cell = CellSpec(**sizes, zoneout=options.get("zoneout", 0.0))
    return make_head_case(HeadSpec(2, target=target), cell, **rates, **case)


def check_gradient(case, loss: float, gradients: np.ndarray, batch: np.ndarray) -> None:
    expected_loss, _, expected = case.reference(batch)
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[case.dtype])
    actual = unflatten(gradients, case.shapes)
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[case.dtype] * scale, name


@EACH_OPTION
@EACH_CELL
@EACH_TARGET
def test_gradients_are_those_of_the_specification_with_the_same_masks(
    make_head_case, isa, dtype, options, sizes, target
):
    case = build(make_head_case, options, sizes, target, isa=isa, dtype=dtype, epoch=3)
    batch = np.random.default_rng(1).permutation(case.n)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(batch)
    check_gradient(case, loss, trainer.gradients(), batch)


@EACH_OPTION
@pytest.mark.parametrize("reset_after", [True, False])
@EACH_TARGET
def test_with_embeddings_and_decay(make_head_case, isa, dtype, options, reset_after, target):
    sizes = {"hidden_size": 9, "num_layers": 2, "reset_after": reset_after}
    case = build(make_head_case, options, sizes, target, isa=isa, dtype=dtype, **INPUTS)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(np.arange(case.n))
    check_gradient(case, loss, trainer.gradients(), np.arange(case.n))


@EACH_OPTION
@EACH_CELL
def test_sequences_of_one_step(make_head_case, isa, options, sizes):
    case = build(make_head_case, options, sizes, isa=isa, dtype="float64", longest=1)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(np.arange(case.n))
    expected_loss, _, expected = case.reference(np.arange(case.n))
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE["float64"])
    for name, gradient in unflatten(trainer.gradients(), case.shapes).items():
        # U meets states of zero: its gradient is exactly that.
        bound = GRADIENT_TOLERANCE["float64"] * np.abs(expected[name]).max()
        assert np.abs(gradient - expected[name]).max() <= bound, name


@pytest.mark.parametrize("pool", ["mean", "max", "attention"])
def test_pooled_states_are_dropped_before_the_head(make_head_case, isa, pool):
    sizes = {"hidden_size": 11, "num_layers": 2, "bidirectional": True}
    case = build(make_head_case, OPTIONS["all"], sizes, isa=isa, dtype="float64", pool=pool)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(np.arange(case.n))
    check_gradient(case, loss, trainer.gradients(), np.arange(case.n))


@EACH_OPTION
@pytest.mark.parametrize("reset_after", [True, False])
def test_finite_differences(make_head_case, options, reset_after):
    sizes = {"hidden_size": 4, "num_layers": 2, "bidirectional": True, "reset_after": reset_after}
    case = build(make_head_case, options, sizes, dtype="float64", n=9)
    gradient, differences = case.gradient(), case.differences()
    # The differences' own error: 6e-6 squared, and rounding of the sum over 6e-6.
    np.testing.assert_allclose(gradient, differences, rtol=0, atol=2e-9 * np.abs(gradient).max() + 1e-9)


@EACH_OPTION
@EACH_CELL
@EACH_TARGET
def test_threads_checkpoints_and_batches_change_no_bit(make_head_case, options, sizes, target):
    results = []
    for n_jobs, checkpoint_steps in ((1, 0), (2, 0), (5, 4), (1, 1)):
        case = build(make_head_case, options, sizes, target, n=600, longest=11)
        trainer = case.trainer(batch_size=300, n_jobs=n_jobs, checkpoint_steps=checkpoint_steps)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((np.concatenate(losses), case.network.parameters()))
    for losses, parameters in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])


@EACH_OPTION
@pytest.mark.parametrize("reset_after", [True, False])
def test_threads_that_share_steps(make_head_case, isa, dtype, options, reset_after):
    # Few sequences and a large cell: the threads share the panels of each step.
    results = []
    for n_jobs in (1, 2, 5):
        sizes = {"hidden_size": 210, "reset_after": reset_after}
        case = build(make_head_case, options, sizes, isa=isa, dtype=dtype, n=11)
        case.start *= 0.2  # so many units with weights of 0.4 would multiply every rounding
        trainer = case.trainer(n_jobs=n_jobs, checkpoint_steps=2 if n_jobs == 2 else 0)
        loss, _ = trainer.accumulate(np.arange(case.n))
        results.append((loss, trainer.gradients()))
    check_gradient(case, *results[0], np.arange(case.n))
    for loss, gradients in results[1:]:
        assert loss == results[0][0]
        np.testing.assert_array_equal(gradients, results[0][1])


@EACH_OPTION
@EACH_CELL
def test_a_mask_belongs_to_its_sequence_whatever_the_batch(make_head_case, options, sizes):
    case = build(make_head_case, options, sizes, dtype="float64")
    alone = []
    for i in range(case.n):
        loss, _ = case.trainer().accumulate(np.array([i]))
        alone.append(loss)
    together, _ = case.trainer().accumulate(np.arange(case.n))
    assert together == pytest.approx(sum(alone), rel=1e-13)  # another order of summation


@EACH_OPTION
@EACH_TARGET
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("given", [{}, INPUTS], ids=["plain", "embeddings and decay"])
def test_segments_have_the_masks_of_whole_sequences(make_head_case, options, target, reset_after, given):
    sizes = {"hidden_size": 7, "num_layers": 2, "reset_after": reset_after}
    case = build(make_head_case, options, sizes, target, dtype="float64", longest=13, **given)
    whole = case.trainer().accumulate(np.arange(case.n))
    for bptt in (1, 3, 6):
        segments = case.trainer(bptt=bptt).accumulate(np.arange(case.n))
        assert segments == pytest.approx(whole, rel=1e-13)
    last = case.trainer(bptt=13)
    assert last.accumulate(np.arange(case.n)) == whole


@EACH_OPTION
def test_an_epoch_is_its_batches_and_the_next_one_has_other_masks(make_head_case, options):
    case = build(make_head_case, options, CELLS["one layer"], n=40)
    order = np.random.default_rng(5).permutation(40)
    trainer = case.trainer()
    assert trainer.epoch == 0
    losses = trainer.run_epoch(order, 0.01)
    fused = case.network.parameters()
    assert trainer.epoch == 1
    apart = case.trainer()
    expected = []
    for begin in range(0, 40, 8):
        loss, weight = apart.accumulate(order[begin : begin + 8])
        expected.append(loss / weight)
        apart.apply(0.01, weight)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(case.network.parameters(), fused)
    assert apart.epoch == 0

    trainer = case.trainer()
    first, second = trainer.run_epoch(order, 0.0), trainer.run_epoch(order, 0.0)
    assert (first != second).all()
    trainer.epoch = 0
    np.testing.assert_array_equal(trainer.run_epoch(order, 0.0), first)
    assert (case.trainer(seed=8).run_epoch(order, 0.0) != first).all()


def test_an_epoch_cut_short_counts(make_head_case):
    case = build(make_head_case, OPTIONS["all"], CELLS["one layer"], n=40)
    trainer = case.trainer()
    assert len(trainer.run_epoch(None, 0.01, seconds=0.0)) == 1
    assert trainer.epoch == 1


def test_training_goes_on_from_another_trainers_state(make_head_case):
    case = build(make_head_case, OPTIONS["all"], CELLS["one layer"])
    trainer = case.trainer()
    for _ in range(4):
        trainer.run_epoch(None, 0.01)
    expected = case.network.parameters()
    first = case.trainer()
    for _ in range(2):
        first.run_epoch(None, 0.01)
    parameters = case.network.parameters()
    second = case.trainer()
    case.network.set_parameters(parameters)
    second.set_optimizer_state(*first.optimizer_state())
    second.epoch = first.epoch
    for _ in range(2):
        second.run_epoch(None, 0.01)
    np.testing.assert_array_equal(case.network.parameters(), expected)


@EACH_CELL
@EACH_TARGET
def test_predictions_take_what_zoneout_is_expected_to_keep(make_head_case, isa, dtype, sizes, target):
    case = build(make_head_case, OPTIONS["all"], sizes, target, isa=isa, dtype=dtype, n=70)
    predicted, expected = case.predict(), case.reference_predict()
    bound = {"float32": 3e-6, "float64": 1e-14}[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(case.predict(n_jobs=3), predicted)


def test_dropout_does_not_reach_predictions(make_head_case):
    plain = build(make_head_case, {}, CELLS["one layer"])
    dropped = build(make_head_case, {"dropout": 0.5, "recurrent_dropout": 0.5}, CELLS["one layer"])
    np.testing.assert_array_equal(plain.predict(), dropped.predict())


@pytest.mark.parametrize("reset_after", [True, False])
def test_steps_with_zoneout_are_those_of_a_whole_sequence(build_network, isa, dtype, reset_after):
    cell = CellSpec(13, num_layers=2, reset_after=reset_after, zoneout=0.3)
    network = build_network(3, cell, isa, dtype=dtype)
    rng = np.random.default_rng(0)
    network.set_parameters(rng.normal(0, 0.4, network.n_parameters).astype(dtype))
    rows = rng.standard_normal((4 * 6, 3)).astype(dtype)
    outputs, h_n = network.forward(rows, np.arange(0, 24, 6), np.full(4, 6), None, 1)
    h = np.zeros((2, 4, 13), dtype)
    for t in range(6):
        network.step(np.ascontiguousarray(rows[t::6]), h, h)
        np.testing.assert_array_equal(h[1], outputs[t::6])
    np.testing.assert_array_equal(h, h_n)


@EACH_CELL
@pytest.mark.parametrize("with_h0", [True, False])
def test_a_tape_takes_the_expected_states(make_case, isa, dtype, sizes, with_h0):
    case = make_case(3, CellSpec(**sizes, zoneout=0.3), [4, 0, 7, 1, 7], with_h0, isa, dtype)
    outputs, h_n = case.forward()
    expected_outputs, expected_h_n = case.reference_forward()
    bound = {"float32": 1e-6, "float64": 2e-15}[dtype]  # a few roundings of states below 3
    np.testing.assert_allclose(outputs, expected_outputs, rtol=0, atol=3 * bound)
    np.testing.assert_allclose(h_n, expected_h_n, rtol=0, atol=3 * bound)
    actual, expected = case.backward(), case.reference_backward()
    for name, gradient in expected[0].items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[0][name] - gradient).max() <= GRADIENT_TOLERANCE[dtype] * scale, name
    for i in (1, 2):
        scale = np.abs(expected[i]).max()
        assert np.abs(actual[i] - expected[i]).max() <= GRADIENT_TOLERANCE[dtype] * scale


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan])
def test_rates_are_checked(make_head_case, name, rate):
    case = make_head_case(HeadSpec(1))
    with pytest.raises(ValueError, match=f"{name} must be at least 0 and below 1, got"):
        case.trainer(**{name: rate})
    with pytest.raises(ValueError, match="zoneout must be at least 0 and below 1, got"):
        _core.Network(2, 3, zoneout=rate)
    with pytest.raises(ValueError, match="epoch must be at least 0, got -1"):
        case.trainer().epoch = -1


# The generator itself.


def mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def plain_masks(kind: int, index: int, sequence: int, step: int | None, n_units: int, below: int, **at: int):
    """The generator, written out."""
    key = np.zeros(1, np.uint64)
    for value in (at["seed"], at["epoch"], kind, index, sequence, *(() if step is None else (step,))):
        key = mix((key ^ np.uint64(value)) + np.uint64(0x9E3779B97F4A7C15))
    low, high = (key & np.uint64(0xFFFFFFFF)).astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)
    x = np.arange(n_units, dtype=np.uint32) * np.uint32(0x9E3779B9) + low
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15)) ^ high) * np.uint32(0xD35A2D97)
    x ^= x >> np.uint32(15)
    return ((x >> np.uint32(8)) < below).astype(np.float32)


@pytest.mark.parametrize("kind", ["layer", "head", "recurrent", "zoneout"])
def test_masks_are_the_generators_on_every_instruction_set(isa, kind):
    sequences, steps = np.array([0, 5, 2**40]), np.array([0, 1, 99])
    number = ["layer", "head", "recurrent", "zoneout"].index(kind)
    for each in (steps, None):
        at = {"seed": 2**64 - 5, "epoch": 12}
        drawn = _core.draw_masks(kind, 3, sequences, each, 37, probability=0.3, isa=isa, **at)
        for i, sequence in enumerate(sequences):
            for j, step in enumerate([None] if each is None else each):
                below = round(0.3 * 2**24)
                expected = plain_masks(number, 3, int(sequence), step, 37, below, **at)
                np.testing.assert_array_equal(drawn[i, j], expected)


def draw(**changed: Any) -> np.ndarray:
    given: dict[str, Any] = {"kind": "layer", "index": 0, "seed": 0, "epoch": 0} | changed
    kind, index = given.pop("kind"), given.pop("index")
    return _core.draw_masks(kind, index, np.arange(200), np.arange(100), 64, probability=0.5, **given)


@pytest.mark.parametrize(
    "changed", [{"kind": "zoneout"}, {"index": 1}, {"seed": 1}, {"epoch": 1}, {"seed": 2**63}], ids=str
)
def test_other_masks_are_independent(changed):
    """Correlations of 1.28 million signs: their standard deviation is 0.0009; and those of any shift."""
    a, b = 2 * draw() - 1, 2 * draw(**changed) - 1
    assert abs(float((a * b).mean())) < 0.005
    for axis in range(3):
        for shift in (1, 2, 16):
            assert abs(float((a * np.roll(b, shift, axis)).mean())) < 0.005


def test_masks_of_one_draw_are_independent():
    signs = 2 * draw() - 1
    n = signs.size
    assert abs(signs.mean()) < 5 / np.sqrt(n)
    for axis in range(3):
        for shift in (1, 2, 3, 4, 8, 16, 32):
            assert abs(float((signs * np.roll(signs, shift, axis)).mean())) < 5 / np.sqrt(n), (axis, shift)
    # Each unit, sequence and step by itself: sums of signs, the largest of 200 within 4.5 deviations.
    for axes in ((0, 1), (1, 2), (0, 2)):
        means = signs.mean(axes)
        deviation = np.sqrt(means.size / n)
        assert np.abs(means).max() < 4.5 * deviation
        assert 0.7 < means.std() / deviation < 1.3


@pytest.mark.parametrize("probability", [0.0, 0.001, 0.25, 0.9, 1.0])
def test_masks_have_their_probability(probability):
    drawn = _core.draw_masks(
        "layer", 0, np.arange(500), np.arange(100), 40, probability=probability, seed=1, epoch=0
    )
    deviation = np.sqrt(probability * (1 - probability) / drawn.size)
    assert abs(drawn.mean(dtype=np.float64) - probability) <= 5 * deviation


def test_what_cannot_be_drawn():
    arguments = (np.arange(3), None, 4)
    options = {"probability": 0.5, "seed": 0, "epoch": 0}
    with pytest.raises(ValueError, match="kind must be 'layer', 'head', 'recurrent' or 'zoneout', got 'x'"):
        _core.draw_masks("x", 0, *arguments, **options)
    with pytest.raises(ValueError, match="probability must be from 0 to 1, got"):
        _core.draw_masks("head", 0, *arguments, **options | {"probability": 1.1})
