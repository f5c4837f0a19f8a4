"""Truncated backpropagation: gradients of segments, carried states, updates, memory, and the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from grulearn.equations import gru_sequence, gru_sequence_backward, network_inputs, network_inputs_backward
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

INPUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "embeddings and decay": {"categorical": ((7, 3),), "decay": True},
}
EACH_INPUT = pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
CELLS = [CellSpec(5), CellSpec(19, num_layers=2), CellSpec(17, reset_after=False, bias=False)]
EACH_CELL = pytest.mark.parametrize("cell", CELLS, ids=str)
EACH_TARGET = pytest.mark.parametrize("target", ["value", "sequence"])
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 5e-14}


def segment_gradient(case, i: int, begin: int, end: int, h0: np.ndarray) -> tuple[float, dict, np.ndarray]:
    """Loss sum, gradient and last states of some steps of sequence i, by the specification in float64."""
    weights = unflatten(case.network.parameters().astype(np.float64), case.shapes)
    steps = slice(case.starts[i] + begin, case.starts[i] + end)
    rows = case.rows[np.newaxis, steps].astype(np.float64)
    codes = None if case.codes is None else case.codes[np.newaxis, steps]
    x, hidden_scale = network_inputs(rows, weights, codes)
    options = {"h0": h0, "hidden_scale": hidden_scale, "reset_after": case.cell.reset_after}
    states, h_n = gru_sequence(x, weights, **options)
    targets = (case.targets[steps] if case.per_step else case.targets[i : i + 1]).astype(np.float64)
    items = states[0] if case.per_step else states[0, -1:]
    known = ~np.isnan(targets)
    errors = items @ weights["head.weight"].T + weights["head.bias"] - np.where(known, targets, 0)
    errors = np.where(known, errors, 0)
    d_states = np.zeros_like(states)
    d_states[0, -len(items) :] = 2 * errors @ weights["head.weight"]
    gradients, dx, _ = gru_sequence_backward(x, weights, d_states, **options)
    d_scale = gradients.pop("hidden_scale", None)
    gradients |= network_inputs_backward(dx, d_scale, rows, weights, codes)
    gradients |= {"head.weight": 2 * errors.T @ items, "head.bias": 2 * errors.sum(0)}
    return float((errors**2).sum()), gradients, h_n


def truncated_gradient(case, bptt: int) -> tuple[float, dict[str, np.ndarray]]:
    """Loss sum and gradient of all sequences, each taken in segments."""
    loss, total = 0.0, {name: np.zeros(shape) for name, shape in case.shapes.items()}
    for i, length in enumerate(case.lengths):
        h = np.zeros((case.cell.num_layers, 1, case.cell.hidden_size))
        last = max(0, length - bptt)
        cuts = [*range(0, length, bptt), length] if case.per_step else [*range(0, last, bptt), last, length]
        for begin, end in zip(cuts, cuts[1:], strict=False):
            if begin == end:
                continue
            own_loss, gradients, h = segment_gradient(case, i, begin, end, h)
            if case.per_step or end == length:
                loss += own_loss
                total = {name: total[name] + gradients[name] for name in total}
    return loss, total


@EACH_INPUT
@EACH_CELL
@EACH_TARGET
@pytest.mark.parametrize("bptt", [1, 3, 6])
def test_gradients_end_where_their_segment_begins(make_head_case, isa, dtype, given, cell, target, bptt):
    case = make_head_case(HeadSpec(2, target=target), cell, isa, dtype, n=9, longest=13, **given)
    case.lengths = np.maximum(case.lengths, 1)
    case.starts = np.minimum(case.starts, len(case.rows) - 13)
    case.start *= np.float32(0.75)
    trainer = case.trainer(bptt=bptt)
    loss, _ = trainer.accumulate(np.arange(9))
    expected_loss, expected = truncated_gradient(case, bptt)
    assert loss == pytest.approx(expected_loss, rel={"float32": 3e-6, "float64": 1e-14}[dtype])
    for name, actual in unflatten(trainer.gradients(), case.shapes).items():
        scale = max(float(np.abs(expected[name]).max()), 1e-6)
        assert np.abs(actual - expected[name]).max() <= GRADIENT_TOLERANCE[dtype] * scale, name


@EACH_INPUT
@EACH_TARGET
@pytest.mark.parametrize("bptt", [20, 21, 2**62])
def test_as_many_steps_as_there_are_change_no_bit(make_head_case, isa, dtype, given, target, bptt):
    results = []
    for options in ({}, {"bptt": bptt}):
        case = make_head_case(HeadSpec(2, target=target), CELLS[1], isa, dtype, longest=20, **given)
        trainer = case.trainer(10, clip_norm=1.0, **options)
        order = np.random.default_rng(0).permutation(case.n)
        losses = [trainer.run_epoch(o, 0.01) for o in (None, order)]
        results.append((*losses, trainer.batch_weights, case.network.parameters()))
    for with_bptt, without in zip(*results, strict=True):
        np.testing.assert_array_equal(with_bptt, without)


@EACH_INPUT
@EACH_CELL
@EACH_TARGET
def test_threads_and_checkpoints_do_not_change_a_bit(make_head_case, isa, dtype, given, cell, target):
    results = []
    for n_jobs, checkpoint_steps in [(1, 0), (2, 0), (5, 2)]:
        head = HeadSpec(2, target=target)
        case = make_head_case(head, cell, isa, dtype, n=200, longest=20, weighted=True, **given)
        trainer = case.trainer(100, n_jobs, checkpoint_steps=checkpoint_steps, clip_norm=1.0, bptt=6)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((losses, trainer.batch_weights, case.network.parameters()))
    for result in results[1:]:
        for actual, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(actual, expected)


@EACH_TARGET
def test_large_cells_with_few_rows_too(make_head_case, target):
    """Threads share the steps of one shard."""
    results = []
    for n_jobs in (1, 2, 5):
        case = make_head_case(HeadSpec(2, target=target), CellSpec(210), n=7, longest=40)
        case.start *= np.float32(0.2)
        trainer = case.trainer(7, n_jobs, bptt=16)
        results.append((trainer.run_epoch(None, 0.01), case.network.parameters()))
    for losses, parameters in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])


def test_one_update_for_each_segment_and_their_weights(make_head_case, dtype):
    case = make_head_case(HeadSpec(1, target="sequence"), dtype=dtype, n=3, longest=12)
    case.lengths = np.array([12, 7, 0])
    case.starts = np.array([0, 0, 0])
    case.rows = np.random.default_rng(0).standard_normal((12, 3)).astype(dtype)
    case.targets = np.zeros((12, 1), dtype)
    case.targets[5:10] = np.nan  # no label in the second segment
    trainer = case.trainer(3, bptt=5)
    losses = trainer.run_epoch(None, 0.01)
    np.testing.assert_array_equal(trainer.batch_weights, [10, 0, 2])
    assert losses[1] == 0
    assert (losses[[0, 2]] > 0).all()
    assert trainer.optimizer_state()[2] == 2
    # In batches of one: three segments, two, and one of a sequence without steps.
    trainer = case.trainer(1, bptt=5)
    assert len(trainer.run_epoch(None, 0.01)) == 6
    np.testing.assert_array_equal(trainer.batch_weights, [5, 0, 2, 5, 0, 0])
    # Of a sequence it is one, whatever the segments.
    case = make_head_case(HeadSpec(1), dtype=dtype, n=3, longest=12)
    trainer = case.trainer(3, bptt=5)
    assert trainer.run_epoch(None, 0.01).shape == (1,)
    assert trainer.optimizer_state()[2] == 1


def test_classes_and_weights_of_steps_in_segments(make_head_case, isa, dtype):
    """With a learning rate of 0 the epoch's mean loss is that of whole sequences."""
    for loss in ("cross_entropy", "gaussian"):
        head = HeadSpec(4, loss, "sequence")
        case = make_head_case(head, isa=isa, dtype=dtype, longest=20, weighted=True)
        trainer = case.trainer(bptt=6)
        losses = trainer.run_epoch(None, 0.0)
        assert len(losses) > 4
        expected_loss, expected_weight, _ = case.reference(np.arange(case.n))
        rel = {"float32": 3e-6, "float64": 1e-13}[dtype]
        assert trainer.batch_weights.sum() == pytest.approx(expected_weight, rel=rel)
        assert losses @ trainer.batch_weights == pytest.approx(expected_loss, rel=rel)


def test_sequences_that_do_not_count_are_left_out(make_head_case, dtype):
    for target in ("value", "sequence"):
        case = make_head_case(HeadSpec(1, target=target), dtype=dtype, n=2, longest=12)
        case.lengths, case.starts = np.array([12, 9]), np.array([0, 12])
        case.rows = np.random.default_rng(0).standard_normal((21, 3)).astype(dtype)
        case.rows[12:] = np.nan
        case.targets = np.ones((21 if target == "sequence" else 2, 1), dtype)
        trainer = case.trainer(2, bptt=5, sample_weight=np.array([1, 0], dtype))
        assert np.isfinite(trainer.run_epoch(None, 0.01)).all()
        assert np.isfinite(case.network.parameters()).all()


def test_it_learns_what_reaches_over_segments(make_head_case):
    """The state of an earlier segment is known: the sign of the first step is asked for at the last."""
    case = make_head_case(HeadSpec(1), CellSpec(16), n=200, longest=12)
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], 200).astype(np.float32)
    case.lengths, case.starts = np.full(200, 12), np.arange(200) * 12
    case.rows = rng.standard_normal((2400, 3)).astype(np.float32)
    case.rows[::12] = 2 * signs[:, np.newaxis]
    case.targets = signs[:, np.newaxis]
    trainer = case.trainer(50, bptt=8)
    losses = [trainer.run_epoch(rng.permutation(200), 0.01).mean() for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]


@EACH_TARGET
def test_memory_is_that_of_a_segment(target):
    """Gates and states of 400,000 steps would take 130 MB, those of a segment 300 kB."""
    n_targets = 400_000 if target == "sequence" else 1
    code = f"""
import re
import numpy as np
from grulearn import _core
n = 400_000
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
rows, targets = np.ones((n, 1), np.float32), np.ones(({n_targets}, 1), np.float32)
network = _core.Network(1, 16, output_size=1, target={target!r})
arrays = (rows, np.array([0]), np.array([n]), targets)
before = peak()
_core.Trainer(network, *arrays, batch_size=1, n_jobs=1, bptt=1000).run_epoch(None, 1e-4)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The plan of the batch has two numbers for each step, 6.4 MB, and the one without the ends again.
    assert int(run.stdout) < 30e6


def test_ctrl_c_stops_between_segments(make_head_case):
    """One batch of one sequence: seconds, but for the interrupt."""
    for target in ("value", "sequence"):
        case = make_head_case(HeadSpec(1, target=target), CellSpec(64), n=1)
        case.lengths, case.starts = np.array([1_000_000]), np.array([0])
        case.rows = np.ones((1_000_000, 3), np.float32)
        case.targets = np.ones((1_000_000 if target == "sequence" else 1, 1), np.float32)
        trainer = case.trainer(bptt=50)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            trainer.run_epoch(None, 1e-4)
        timer.join()
        signal.signal(signal.SIGINT, before)
        assert np.isfinite(case.network.parameters()).all()


def test_an_interrupted_trainer_goes_on(make_head_case):
    """What was left undone leaves nothing behind."""
    case = make_head_case(HeadSpec(1), CellSpec(64), n=2)
    case.lengths, case.starts = np.array([1_000_000, 120]), np.array([0, 0])
    case.rows = np.ones((1_000_000, 3), np.float32)
    case.targets = np.ones((2, 1), np.float32)
    trainer = case.trainer(bptt=50)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.run_epoch(None, 0.01)
    timer.join()
    signal.signal(signal.SIGINT, before)
    other = case.trainer(bptt=50)
    for each in (trainer, other):
        each.accumulate(np.array([1]))
    assert trainer.gradients().any()
    np.testing.assert_array_equal(trainer.gradients(), other.gradients())


def test_what_it_cannot_be_used_with_is_refused(make_head_case):
    both_ways = make_head_case(HeadSpec(1), CellSpec(4, bidirectional=True))
    with pytest.raises(
        ValueError, match="bptt needs bidirectional=False: the reverse direction begins at the end"
    ):
        both_ways.trainer(bptt=3)
    for pool in ("mean", "max", "attention"):
        with pytest.raises(ValueError, match="bptt needs pool 'last', or a target for each step"):
            make_head_case(HeadSpec(1), pool=pool).trainer(bptt=3)
    case = make_head_case(HeadSpec(1, target="sequence"))
    with pytest.raises(ValueError, match="bptt must be at least 1, or 0 for whole sequences, got -1"):
        case.trainer(bptt=-1)
    for order in ([0, case.n], [-1]):
        with pytest.raises(ValueError, match=rf"sequence {order[-1]} asked for, but there are {case.n}"):
            case.trainer(bptt=3).run_epoch(np.array(order), 0.01)
