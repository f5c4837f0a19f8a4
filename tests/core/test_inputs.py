"""Embeddings and GRU-D's decay in the core: the specification, finite differences, and the same bits."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

TABLES = ((300, 3), (2, 1), (40, 17))
INPUTS: dict[str, dict[str, Any]] = {
    "embeddings": {"categorical": TABLES},
    "embeddings alone": {"categorical": ((9, 5),), "n_features": 0},
    "decay": {"decay": True},
    "decay of many features": {"decay": True, "n_features": 19},
    "both": {"categorical": TABLES, "decay": True},
}
EACH_INPUT = pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
CELLS = [
    CellSpec(5),
    CellSpec(19, num_layers=2),
    CellSpec(17, reset_after=False, bias=False),
    CellSpec(33, num_layers=2, bidirectional=True),
]
HEADS = [("last", "value"), ("mean", "value"), ("max", "value"), ("attention", "value"), ("last", "sequence")]
EACH_HEAD = pytest.mark.parametrize(("pool", "target"), HEADS)
# Of the largest gradient of an array, or the largest output: as without these inputs.
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 5e-14}


@pytest.fixture
def make(make_head_case):
    """Build cases; one of both directions loses its decay, which it cannot have."""

    def build(given: dict[str, Any], cell: CellSpec = CELLS[0], target: str = "value", **options: Any):
        given = {**given, "decay": given.get("decay", False) and not cell.bidirectional}
        case = make_head_case(HeadSpec(2, target=target), cell, **{**given, **options})
        case.start *= np.float32(0.75)  # so many inputs of weight 0.4 would saturate the gates
        case.network.set_parameters(case.start)
        return case

    return build


def assert_gradients(case, actual: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    named = unflatten(actual, case.shapes)
    assert set(named) == set(expected)
    for name, gradient in expected.items():
        scale = max(float(np.abs(gradient).max()), 1e-6)
        assert np.abs(named[name] - gradient).max() <= GRADIENT_TOLERANCE[case.dtype] * scale, name


@EACH_INPUT
@EACH_HEAD
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_predictions_and_gradients_are_the_specifications(make, isa, dtype, given, cell, pool, target):
    case = make(given, cell, target, isa=isa, dtype=dtype, pool=pool)
    tolerance = {"float32": 5e-6, "float64": 2e-14}[dtype]
    np.testing.assert_allclose(case.predict(), case.reference_predict(), rtol=0, atol=tolerance)
    trainer = case.trainer()
    for batch in (np.array([4, 20, 0, 7, 7, 13]), np.arange(case.n)):
        loss, weight = trainer.accumulate(batch)
        expected_loss, expected_weight, expected = case.reference(batch)
        assert weight == expected_weight
        assert loss == pytest.approx(expected_loss, rel={"float32": 3e-6, "float64": 5e-15}[dtype])
        assert_gradients(case, trainer.gradients(), expected)
        trainer = case.trainer()


@EACH_INPUT
@EACH_HEAD
@pytest.mark.parametrize("reset_after", [True, False])
def test_the_gradient_is_the_derivative(make, given, pool, target, reset_after):
    """Central differences of the core's own loss in float64: cut-off and rounding leave some 1e-9 of it."""
    given = {**given, "n_features": min(given.get("n_features", 2), 2)}
    if len(given.get("categorical", ())) > 1:
        given["categorical"] = ((6, 3), (2, 1))
    cell = CellSpec(3, num_layers=2, reset_after=reset_after)
    case = make(given, cell, target, dtype="float64", n=5, longest=4, weighted=True, pool=pool)
    assert case.gradient() == pytest.approx(case.differences(), abs=2e-8)


@EACH_INPUT
@EACH_HEAD
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_threads_and_checkpoints_do_not_change_a_bit(make, isa, dtype, given, cell, pool, target):
    results = []
    for n_jobs, checkpoint_steps in [(1, 0), (2, 0), (5, 3)]:
        case = make(given, cell, target, isa=isa, dtype=dtype, n=300, longest=20, pool=pool)
        trainer = case.trainer(150, n_jobs, checkpoint_steps=checkpoint_steps, clip_norm=1.0)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((losses, case.network.parameters(), case.predict(n_jobs)))
    for losses, parameters, predicted in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])
        np.testing.assert_array_equal(predicted, results[0][2])


@EACH_INPUT
@pytest.mark.parametrize("reset_after", [True, False])
def test_large_cells_with_few_rows_too(make, given, reset_after):
    """Threads share the steps of one shard, which they may do by panels."""
    results = []
    for n_jobs in (1, 2, 5):
        cell = CellSpec(210, num_layers=2, reset_after=reset_after)
        case = make(given, cell, n=7, longest=30, dtype="float64")
        case.start *= 0.1  # so many units would multiply every rounding
        trainer = case.trainer(75, n_jobs, checkpoint_steps=4 if n_jobs == 2 else 0)
        results.append((trainer.accumulate(np.arange(7)), trainer.gradients()))
    for sums, gradients in results[1:]:
        assert sums == results[0][0]
        np.testing.assert_array_equal(gradients, results[0][1])
    assert_gradients(case, gradients, case.reference(np.arange(7))[2])


@EACH_INPUT
@EACH_HEAD
def test_batch_mates_do_not_change_a_bit(make, isa, dtype, given, pool, target):
    case = make(given, CellSpec(17, num_layers=2), target, isa=isa, dtype=dtype, longest=30, pool=pool)
    predicted = case.predict()
    ends = np.cumsum(case.lengths if case.per_step else np.ones(case.n, int))
    for i in range(case.n):
        own = slice(i, i + 1)
        alone = case.network.predict(case.rows, case.starts[own], case.lengths[own], 1, case.codes)
        np.testing.assert_array_equal(alone, predicted[ends[i] - len(alone) : ends[i]])


@EACH_INPUT
@pytest.mark.parametrize("reset_after", [True, False])
def test_steps_and_sequences_have_the_same_bits(make, isa, dtype, given, reset_after):
    cell = CellSpec(19, num_layers=2, reset_after=reset_after)
    case = make(given, cell, isa=isa, dtype=dtype, n=70, longest=6)
    case.lengths[:] = 6
    case.starts = np.zeros(70, np.int64)
    case.starts[:] = np.arange(70) % (len(case.rows) - 6)
    outputs, h_n = case.network.forward(case.rows, case.starts, case.lengths, None, 1, case.codes)
    h = np.zeros_like(h_n)
    for t in range(6):
        codes = None if case.codes is None else case.codes[case.starts + t]
        case.network.step(case.rows[case.starts + t], h, h, codes)
        np.testing.assert_array_equal(h[-1], outputs.reshape(70, 6, 19)[:, t])
    np.testing.assert_array_equal(h, h_n)


def test_a_step_takes_up_where_a_sequence_ended(make, dtype):
    """The state that it was given fades at the first step as well."""
    case = make(INPUTS["both"], CellSpec(19), dtype=dtype, n=1, longest=6)
    everything = case.network.forward(case.rows, case.starts, case.lengths, None, 1, case.codes)[1]
    halves = None
    for begin in (0, 3):
        at = np.array([begin])
        halves = case.network.forward(case.rows, at, np.array([3]), halves, 1, case.codes)[1]
    np.testing.assert_array_equal(halves, everything)


def test_codes_that_do_not_occur_have_no_gradient(make, dtype):
    case = make({"categorical": ((50_000, 16),)}, dtype=dtype)
    table = unflatten(case.gradient(), case.shapes)["input.embedding_0"]
    untouched = np.setdiff1d(np.arange(50_000), case.codes)
    assert not table[untouched].any()
    assert table[np.unique(case.codes[: case.lengths[0]])].any(1).all()


@pytest.mark.parametrize("n_codes", [1, 2, 255, 256, 257, 65_536, 65_537])
def test_tables_of_any_size(make, n_codes):
    """Codes are sorted by bytes: sizes on both sides of a byte's end, and codes that are the last."""
    case = make({"categorical": ((n_codes, 2),)}, dtype="float64", longest=40)
    case.codes[::3] = n_codes - 1
    _, _, expected = case.reference(np.arange(case.n))
    assert_gradients(case, case.gradient(), expected)


def test_sums_of_many_steps_are_accurate(make):
    """Two codes of 40,000 steps each: blocks keep a sum's rounding in float32 at that of some 300 terms."""
    case = make({"categorical": ((2, 3),)}, target="sequence", n=2, longest=40_000)
    case.lengths[:] = 40_000
    case.starts[:] = 0
    case.rows = np.random.default_rng(0).standard_normal((40_000, 3)).astype(np.float32)
    case.codes = np.random.default_rng(1).integers(0, 2, (40_000, 1), np.int32)
    case.targets = np.full((40_000, 2), 0.3, np.float32)
    double = make({"categorical": ((2, 3),)}, target="sequence", n=2, longest=40_000, dtype="float64")
    double.start[:] = case.start
    for name in ("lengths", "starts", "codes"):
        setattr(double, name, getattr(case, name))
    double.rows, double.targets = case.rows.astype(float), case.targets.astype(float)
    expected = unflatten(double.gradient(), case.shapes)
    assert_gradients(case, case.gradient(), expected)


def test_weight_decay_leaves_the_inputs_weights_alone(make, dtype):
    moved = []
    for weight_decay in (0.0, 0.5):
        case = make(INPUTS["both"], dtype=dtype)
        case.trainer(case.n, weight_decay=weight_decay).run_epoch(None, 0.1)
        moved.append(unflatten(case.network.parameters(), case.shapes))
    start = unflatten(case.start, case.shapes)
    for name, without in moved[0].items():
        stays = "bias" in name or name.startswith(("input.", "decay."))
        shrunk = 0.0 if stays else 0.05 * start[name]
        np.testing.assert_allclose(without - moved[1][name], shrunk, atol=1e-6)


def test_nan_stays_in_its_sequence(make, isa, dtype):
    """In a value, a mask or a gap."""
    for column in range(9):
        case = make({"decay": True}, CellSpec(17), isa=isa, dtype=dtype)
        clean = case.predict()
        case.rows[2, column] = np.nan  # of sequence 0
        predicted = case.predict()
        assert np.isnan(predicted[0]).all()
        np.testing.assert_array_equal(predicted[1:], clean[1:])


def test_huge_gaps_are_safe(make, isa, dtype):
    case = make({"decay": True}, CellSpec(7), isa=isa, dtype=dtype)
    case.rows[:, 6:] *= 1e30
    np.testing.assert_allclose(case.predict(), case.reference_predict(), rtol=0, atol=5e-6)
    assert np.isfinite(case.gradient()).all()


# Beyond 2^17 row-steps, where neither states nor inputs are kept.


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", [CellSpec(3), CellSpec(3, bidirectional=True)], ids=["one way", "both ways"])
def test_long_sequences_beside_short_ones(make, dtype, pool, cell):
    case = make(INPUTS["both"], cell, dtype=dtype, n=5, longest=140_001, pool=pool)
    together = case.predict(2)
    outputs, _ = case.network.forward(case.rows, case.starts, case.lengths, None, 1, case.codes)
    weights = unflatten(case.start.astype(np.float64), case.shapes)
    for i, (start, length) in enumerate(zip(case.starts, case.lengths, strict=True)):
        states = outputs[start : start + length].astype(np.float64)
        ends = np.concatenate([states[-1, :3], states[0, 3:]])
        pooled = {"last": ends, "mean": states.mean(0), "max": states.max(0)}[pool]
        expected = weights["head.weight"] @ pooled + weights["head.bias"]
        np.testing.assert_allclose(
            together[i], expected, rtol=0, atol={"float32": 2e-6, "float64": 1e-14}[dtype]
        )
        own = slice(i, i + 1)
        alone = case.network.predict(case.rows, case.starts[own], case.lengths[own], 1, case.codes)
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("options", ["pool='mean'", "pool='last'", "target='sequence'"])
def test_memory_of_a_long_sequence_is_bounded(options):
    """The inputs of a million steps would take 128 MB, their states 64 MB."""
    code = f"""
import re
import numpy as np
from grulearn import _core
n = 1_000_000
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
rows, codes = np.ones((n, 3), np.float32), np.ones((n, 1), np.int32)
network = _core.Network(1, 16, output_size=1, decay=True, categorical=[(5, 30)], {options})
network.predict(rows, np.array([0]), np.array([200_000]), 1, codes)
before = peak()
network.predict(rows, np.array([0]), np.array([n]), 1, codes)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Outputs of 4 MB, and lists of an entry for each step.
    assert int(run.stdout) < 48e6


def test_a_large_table_costs_no_buffer_for_each_thread():
    """Beside the table of 205 MB its gradient and two moments, but no copy for each of the 8 sums."""
    code = """
import resource
import numpy as np
from grulearn import _core
rng = np.random.default_rng(0)
network = _core.Network(0, 32, output_size=1, categorical=[(800_000, 64)])
rows, codes = np.zeros((20_000, 0), np.float32), rng.integers(0, 800_000, (20_000, 1), np.int32)
starts, lengths = np.arange(0, 20_000, 20), np.full(1000, 20)
targets = np.ones((1000, 1), np.float32)
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = resident()
trainer = _core.Trainer(network, rows, starts, lengths, targets, batch_size=1000, n_jobs=8, codes=codes)
trainer.run_epoch(None, 0.01)
print(resident() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The states, inputs and gradients of 20,000 row-steps take some 30 MB.
    assert int(run.stdout) < 3 * 205e6 + 60e6


def test_wrong_codes_are_refused(make, dtype):
    case = make(INPUTS["embeddings"], dtype=dtype)
    arrays = (case.rows, case.starts, case.lengths)
    with pytest.raises(ValueError, match="codes must have a column for each of the network's 3 .*, got 0"):
        case.network.predict(*arrays, 1)
    with pytest.raises(ValueError, match="categorical features, got 2"):
        case.network.predict(*arrays, 1, np.ascontiguousarray(case.codes[:, :2]))
    with pytest.raises(ValueError, match=f"one row for each of the {len(case.rows)} rows, got 4"):
        case.network.predict(*arrays, 1, case.codes[:4])
    with pytest.raises(TypeError, match="incompatible function arguments"):
        case.network.predict(*arrays, 1, case.codes.astype(np.int64))
    for code in (-1, 40):
        case.codes[3, 2] = code
        refused = f"codes: that of sequence 0, step 3, categorical feature 2 is {code}; expected 0 to 39"
        with pytest.raises(ValueError, match=refused):
            case.predict()
        with pytest.raises(ValueError, match=refused):
            case.trainer()
    plain = make({}, dtype=dtype)
    with pytest.raises(ValueError, match="the network's 0 categorical features, got 3"):
        plain.network.predict(
            plain.rows, plain.starts, plain.lengths, 1, np.zeros((len(plain.rows), 3), np.int32)
        )


def test_codes_that_change_behind_our_back_lead_nowhere(make):
    case = make(INPUTS["embeddings"])
    trainer = case.trainer()
    case.codes[:] = 2**31 - 1
    assert np.isfinite(trainer.run_epoch(None, 0.01)).all()
    case.codes[:] = -(2**31)
    assert np.isfinite(trainer.run_epoch(None, 0.01)).all()


def test_a_trainer_keeps_the_codes_alive(make):
    case = make(INPUTS["embeddings"])
    expected = case.trainer().run_epoch(None, 0.01)
    trainer = case.trainer(codes=case.codes.copy())
    np.testing.assert_array_equal(trainer.run_epoch(None, 0.01), expected)


def test_wrong_rows_and_networks_are_refused(make, build_network):
    case = make({"decay": True})
    narrow = np.ascontiguousarray(case.rows[:, :3])
    with pytest.raises(
        ValueError, match="the rows have 3 columns, .* values, mask and gaps of its 3 features"
    ):
        case.network.predict(narrow, case.starts, case.lengths, 1)
    with pytest.raises(ValueError, match="a tape gives gradients by the rows"):
        _core.record(case.network, case.rows, case.starts, case.lengths, None, 1)
    with pytest.raises(ValueError, match="decay needs bidirectional=False"):
        build_network(3, CellSpec(4, bidirectional=True), decay=True)
    with pytest.raises(ValueError, match="input_size must be at least 1, got 0"):
        build_network(0, CellSpec(4))
    with pytest.raises(ValueError, match="codes of a table must be at least 1, got 0"):
        build_network(1, CellSpec(4), categorical=[(0, 3)])
    with pytest.raises(ValueError, match="more weights than any memory holds"):
        build_network(1, CellSpec(4), categorical=[(2**40, 2**40)])


def test_wrong_codes_of_a_step_are_refused(make):
    network = make({"categorical": ((4, 2),)}).network
    x, h = np.zeros((2, 3), np.float32), np.zeros((1, 2, 5), np.float32)
    with pytest.raises(ValueError, match="codes are missing: the network has categorical features"):
        network.step(x, h, h)
    with pytest.raises(ValueError, match=r"codes must have shape \(2, 1\), got \(1, 1\)"):
        network.step(x, h, h, np.zeros((1, 1), np.int32))
    with pytest.raises(ValueError, match="row 1, categorical feature 0 is 4; expected 0 to 3"):
        network.step(x, h, h, np.array([[0], [4]], np.int32))
    assert network.plain_step(x, h, h) is None
