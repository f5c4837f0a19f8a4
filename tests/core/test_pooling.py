"""Every pooling of the core: against the specification, finite differences, and to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

KINDS = ["last", "mean", "max", "attention"]
EACH_KIND = pytest.mark.parametrize("pool", KINDS)
CELLS = [
    CellSpec(5),
    CellSpec(19, num_layers=2, bidirectional=True),
    CellSpec(17, reset_after=False, bias=False),
]
EACH_CELL = pytest.mark.parametrize("cell", CELLS, ids=str)
LOSS_TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 5e-14}


def assert_gradients(case, actual: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    named = unflatten(actual, case.shapes)
    assert set(named) == set(expected)
    for name, gradient in expected.items():
        scale = max(float(np.abs(gradient).max()), 1e-6)
        assert np.abs(named[name] - gradient).max() <= GRADIENT_TOLERANCE[case.dtype] * scale, name


@EACH_CELL
@EACH_KIND
def test_predictions_and_gradients_are_the_specifications(make_head_case, isa, dtype, pool, cell):
    case = make_head_case(HeadSpec(3), cell, isa, dtype, pool=pool)
    predicted, expected = case.predict(), case.reference_predict()
    # A weighted sum of some 20 states with weights of 0.4.
    np.testing.assert_allclose(predicted, expected, rtol=0, atol={"float32": 5e-6, "float64": 2e-14}[dtype])
    trainer = case.trainer()
    assert 0 in case.lengths
    for batch in (np.array([4, 20, 0, 7, 7, 13]), np.arange(case.n)):
        loss, weight = trainer.accumulate(batch)
        expected_loss, expected_weight, expected = case.reference(batch)
        assert weight == expected_weight
        assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype])
        assert_gradients(case, trainer.gradients(), expected)
        trainer = case.trainer()


@EACH_KIND
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "gaussian"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gradient_is_the_derivative(make_head_case, pool, loss, bidirectional):
    """Central differences of the core's own loss in float64: cut-off and rounding leave some 1e-9 of it."""
    head, cell = HeadSpec(2, loss), CellSpec(3, bidirectional=bidirectional)
    case = make_head_case(head, cell, dtype="float64", n=5, longest=4, weighted=True, pool=pool)
    assert case.gradient() == pytest.approx(case.differences(), abs=2e-8)


@EACH_CELL
@EACH_KIND
def test_threads_and_checkpoints_do_not_change_a_bit(make_head_case, isa, dtype, pool, cell):
    results = []
    for n_jobs, checkpoint_steps in [(1, 0), (2, 0), (5, 3)]:
        case = make_head_case(HeadSpec(2), cell, isa, dtype, n=300, longest=20, pool=pool)
        trainer = case.trainer(150, n_jobs, checkpoint_steps=checkpoint_steps)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((losses, case.network.parameters(), case.predict(n_jobs)))
    for losses, parameters, predicted in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])
        np.testing.assert_array_equal(predicted, results[0][2])


@EACH_KIND
def test_large_cells_with_few_rows_too(make_head_case, pool):
    """Threads share the steps of one shard, and the rows of its head."""
    results = []
    for n_jobs in (1, 2, 5):
        case = make_head_case(HeadSpec(2), CellSpec(210), n=75, longest=30, pool=pool)
        case.start *= 0.2
        trainer = case.trainer(75, n_jobs)
        results.append((trainer.accumulate(np.arange(75)), trainer.gradients()))
    for sums, gradients in results[1:]:
        assert sums == results[0][0]
        np.testing.assert_array_equal(gradients, results[0][1])
    _, _, expected = case.reference(np.arange(75))
    assert_gradients(case, gradients, expected)


@EACH_CELL
@EACH_KIND
def test_batch_mates_do_not_change_a_bit(make_head_case, isa, dtype, pool, cell):
    case = make_head_case(HeadSpec(2), cell, isa, dtype, longest=30, pool=pool)
    predicted = case.predict()
    order = np.random.default_rng(1).permutation(case.n)
    mixed = case.network.predict(case.rows, case.starts[order], case.lengths[order], 2)
    np.testing.assert_array_equal(mixed, predicted[order])
    for i in range(case.n):
        alone = case.network.predict(case.rows, case.starts[i : i + 1], case.lengths[i : i + 1], 1)
        np.testing.assert_array_equal(alone[0], predicted[i])


@EACH_KIND
def test_a_sequence_of_no_step_has_zeros(make_head_case, isa, dtype, pool):
    case = make_head_case(HeadSpec(2), isa=isa, dtype=dtype, pool=pool)
    predicted = case.network.predict(case.rows, np.zeros(3, np.int64), np.zeros(3, np.int64), 1)
    np.testing.assert_array_equal(predicted, np.tile(case.start[-2:], (3, 1)))
    case.lengths[:] = 0
    trainer = case.trainer(case.n)
    trainer.accumulate(np.arange(case.n))
    named = unflatten(trainer.gradients(), case.shapes)
    assert named.pop("head.bias").any()
    assert not any(gradient.any() for gradient in named.values())


@EACH_KIND
def test_training_reports_the_loss_of_what_is_predicted(make_head_case, isa, dtype, pool):
    """The forward pass of training and the one of prediction pool alike."""
    case = make_head_case(HeadSpec(1), CellSpec(9, bidirectional=True), isa, dtype, longest=40, pool=pool)
    trainer = case.trainer(case.n)
    losses = [trainer.run_epoch(None, 0.01)[0] for _ in range(60)]
    assert losses[-1] < 0.9 * losses[0]
    squares = (case.predict().astype(np.float64) - case.targets) ** 2
    reported = trainer.run_epoch(None, 0.0)[0]
    assert reported == pytest.approx(squares.mean(), rel=1e-6 if dtype == "float32" else 1e-14)


def test_max_takes_the_first_of_equals(make_head_case, isa, dtype):
    case = make_head_case(HeadSpec(1), CellSpec(3), isa, dtype, n=1, pool="max")
    case.rows[:] = 0
    case.start[:-4] = 0  # all states are 0
    trainer = case.trainer()
    trainer.accumulate(np.array([0]))
    gradient = trainer.gradients()
    # z is 1/2 and n is 0. From a later step all candidates before it would get a part as well.
    named = unflatten(gradient, case.shapes)
    d_state = named["head.bias"] * case.start[-4:-1]
    np.testing.assert_allclose(named["bias_ih_l0"][6:], d_state / 2, rtol=1e-6)


@EACH_KIND
def test_nan_stays_in_its_sequence(make_head_case, isa, dtype, pool):
    case = make_head_case(HeadSpec(2), CellSpec(17), isa, dtype, pool=pool)
    clean = case.predict()
    case.rows[2] = np.nan  # of sequence 0
    predicted = case.predict()
    assert np.isnan(predicted[0]).all()
    np.testing.assert_array_equal(predicted[1:], clean[1:])


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_huge_scores_are_safe(make_head_case, isa, dtype, scale):
    case = make_head_case(HeadSpec(1), CellSpec(7), isa, dtype, pool="attention")
    case.start[-15:-8] *= scale
    case.network.set_parameters(case.start)
    # Scores of 1e6 are rounded to 0.06 in float32, which is all of a share that is not 0 or 1.
    if scale < 1e6 or dtype == "float64":
        tolerance = {"float32": 1e-3, "float64": 1e-8}[dtype]
        np.testing.assert_allclose(case.predict(), case.reference_predict(), rtol=0, atol=tolerance)
    assert np.isfinite(case.predict()).all()
    trainer = case.trainer(case.n)
    trainer.accumulate(np.arange(case.n))
    assert np.isfinite(trainer.gradients()).all()


# Beyond 2^17 row-steps, where states are not kept.


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_long_sequences_beside_short_ones(make_head_case, isa, dtype, pool, bidirectional):
    lengths = np.array([140_001, 3, 300, 0, 40_000])
    rng = np.random.default_rng(0)
    cell = CellSpec(3, bidirectional=bidirectional)
    case = make_head_case(HeadSpec(2), cell, isa, dtype, pool=pool)
    rows = rng.standard_normal((int(lengths.sum()), 3)).astype(dtype)
    starts = np.cumsum(lengths) - lengths
    together = case.network.predict(rows, starts, lengths, 2)
    outputs, _ = case.network.forward(rows, starts, lengths, None, 1)
    weights = unflatten(case.start.astype(np.float64), case.shapes)
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        alone = case.network.predict(rows, starts[i : i + 1], lengths[i : i + 1], 1)
        np.testing.assert_array_equal(alone[0], together[i])
        states = outputs[start : start + length].astype(np.float64)
        pooled = np.zeros(cell.output_size)
        if length:
            ends = np.concatenate([states[-1, :3], states[0, 3:]])
            pooled = {"last": ends, "mean": states.mean(0), "max": states.max(0)}[pool]
        expected = weights["head.weight"] @ pooled + weights["head.bias"]
        # Means are summed in blocks: 140,000 terms round as 256 and 550 do.
        tolerance = {"float32": 2e-6, "float64": 1e-14}[dtype]
        np.testing.assert_allclose(together[i], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_running_and_kept_states_pool_to_the_same_bits(make_head_case, isa, dtype, pool):
    """Training keeps the states of sequences whose prediction does not."""
    case = make_head_case(HeadSpec(1), CellSpec(3, bidirectional=True), isa, dtype, n=2, pool=pool)
    case.lengths = np.array([140_001, 700])
    case.starts = np.array([0, 140_001])
    case.rows = np.random.default_rng(0).standard_normal((140_701, 3)).astype(dtype)
    case.targets[:] = 0
    loss, _ = case.trainer().accumulate(np.array([0]))
    predicted = case.predict()[0, 0]
    assert loss == float(predicted * predicted)


def test_long_sequences_with_a_target_for_each_step(make_head_case, isa, dtype):
    lengths = np.array([140_001, 3, 300, 0, 40_000])
    rows = np.random.default_rng(0).standard_normal((int(lengths.sum()), 3)).astype(dtype)
    starts = np.cumsum(lengths) - lengths
    case = make_head_case(HeadSpec(2, target="sequence"), CellSpec(3), isa, dtype)
    together = case.network.predict(rows, starts, lengths, 2)
    outputs, _ = case.network.forward(rows, starts, lengths, None, 1)
    weights = unflatten(case.start.astype(np.float64), case.shapes)
    expected = outputs @ weights["head.weight"].T + weights["head.bias"]
    np.testing.assert_allclose(together, expected, rtol=0, atol={"float32": 1e-6, "float64": 1e-15}[dtype])
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        alone = case.network.predict(rows, starts[i : i + 1], lengths[i : i + 1], 1)
        np.testing.assert_array_equal(alone, together[start : start + length])


@pytest.mark.parametrize("options", ["pool='mean'", "pool='max'", "pool='last'", "target='sequence'"])
def test_memory_of_a_long_sequence_is_bounded(options):
    """The states of a million steps would take 256 MB."""
    code = f"""
import re
import numpy as np
from grulearn import _core
n = 1_000_000
# Not getrusage, whose peak a process takes over from the one that started it.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
rows = np.ones((n, 1), np.float32)
network = _core.Network(1, 64, output_size=1, {options})
network.predict(rows, np.array([0]), np.array([200_000]), 1)
before = peak()
network.predict(rows, np.array([0]), np.array([n]), 1)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Outputs of 4 MB, and lists of an entry for each step.
    assert int(run.stdout) < 64e6


def test_wrong_poolings_are_refused(build_network):
    with pytest.raises(ValueError, match="pool must be 'last', 'mean', 'max' or 'attention', got 'sum'"):
        build_network(3, CellSpec(4), output_size=1, pool="sum")
    with pytest.raises(ValueError, match="a head on every step reads no pooled state"):
        build_network(3, CellSpec(4), output_size=1, pool="mean", target="sequence")
    for options in ({"pool": "mean"}, {"target": "sequence"}):
        with pytest.raises(ValueError, match="they need an output_size of at least 1"):
            build_network(3, CellSpec(4), **options)
