"""The training step: loss, gradient, clipping, Adam, and the epoch in one call."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time

import numpy as np
import pytest

from grulearn import _core
from grulearn.equations import gru_sequence, gru_sequence_backward
from grulearn.formats.weights import parameter_shapes, unflatten
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec

N_FEATURES, N_OUTPUTS = 3, 2

TRAINERS = {"float32": _core.Trainer, "float64": _core.Trainer64}
# Relative: of sums of squared errors, whose terms the core adds in double, and of gradients to their largest.
LOSS_TOLERANCE = {"float32": 1e-6, "float64": 1e-14}
GRADIENT_TOLERANCE = {"float32": 1e-5, "float64": 2e-14}


class Problem:
    """A small regression on ragged sequences."""

    def __init__(
        self,
        build_network,
        cell: CellSpec,
        isa: str = "",
        dtype: str = "float32",
        n: int = 23,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.spec = NetworkSpec(InputSpec(N_FEATURES), cell, head=HeadSpec(N_OUTPUTS))
        self.network = build_network(N_FEATURES, cell, isa, N_OUTPUTS, dtype)
        self.start = rng.normal(0, 0.4, self.network.n_parameters).astype(dtype)
        self.network.set_parameters(self.start)
        self.lengths = rng.integers(1, 8, n)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.rows = rng.standard_normal((int(self.lengths.sum()), N_FEATURES)).astype(dtype)
        self.targets = rng.standard_normal((n, N_OUTPUTS)).astype(dtype)

    def trainer(self, batch_size: int = 8, n_jobs: int = 1, **options) -> _core.Trainer | _core.Trainer64:
        self.network.set_parameters(self.start)
        arrays = (self.rows, self.starts, self.lengths, self.targets)
        return TRAINERS[self.dtype](self.network, *arrays, batch_size=batch_size, n_jobs=n_jobs, **options)

    def reference(self, batch: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Sum of squared errors and its gradient in float64, through the specification."""
        cell = self.spec.cell
        shapes = parameter_shapes(self.spec)
        weights = unflatten(self.network.parameters().astype(np.float64), shapes)
        lengths = self.lengths[batch]
        x = np.zeros((len(batch), lengths.max(), N_FEATURES))
        for i, sequence in enumerate(batch):
            x[i, : lengths[i]] = self.rows[self.starts[sequence] :][: lengths[i]]
        options = {"lengths": lengths, "reset_after": cell.reset_after}
        _, h_n = gru_sequence(x, weights, **options)
        directions = cell.n_directions
        final = np.concatenate(list(h_n[-directions:]), axis=1)
        errors = final @ weights["head.weight"].T + weights["head.bias"] - self.targets[batch]
        d_final = 2 * errors @ weights["head.weight"]
        d_h_n = np.zeros_like(h_n)
        d_h_n[-directions:] = np.stack(np.split(d_final, directions, axis=1))
        gradients, _, _ = gru_sequence_backward(x, weights, None, d_h_n, **options)
        gradients["head.weight"] = 2 * errors.T @ final
        gradients["head.bias"] = 2 * errors.sum(axis=0)
        return float((errors**2).sum()), gradients


CELLS = [
    CellSpec(5),
    CellSpec(19, num_layers=2, bidirectional=True),
    CellSpec(17, reset_after=False, bias=False),
]


@pytest.fixture(params=CELLS, ids=str)
def problem(request, build_network, isa, dtype) -> Problem:
    return Problem(build_network, request.param, isa, dtype)


def test_accumulate_gives_the_loss_and_its_gradient(problem):
    trainer = problem.trainer()
    batch = np.array([4, 20, 0, 7, 7])
    loss, weight = trainer.accumulate(batch)
    expected_loss, expected = problem.reference(batch)
    assert weight == 5 * N_OUTPUTS
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[problem.dtype])
    actual = unflatten(trainer.gradients(), parameter_shapes(problem.spec))
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[problem.dtype] * scale, name


def test_a_batch_of_many_sequences_is_summed_in_shards(build_network, isa, dtype):
    problem = Problem(build_network, CellSpec(9, bidirectional=True), isa, dtype, n=700)
    trainer = problem.trainer(batch_size=700, n_jobs=2)
    batch = np.random.default_rng(1).permutation(700)
    loss, weight = trainer.accumulate(batch)
    expected_loss, expected = problem.reference(batch)
    assert weight == 700 * N_OUTPUTS
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype])
    actual = unflatten(trainer.gradients(), parameter_shapes(problem.spec))
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[dtype] * scale, name


def test_accumulated_batches_add_up(problem):
    trainer = problem.trainer()
    trainer.accumulate(np.arange(10))
    first = trainer.gradients()
    trainer.accumulate(np.arange(10, 23))
    both = trainer.gradients()
    whole = problem.trainer()
    whole.accumulate(np.arange(23))
    scale = np.abs(both).max()
    # Another order of summation.
    assert np.abs(both - whole.gradients()).max() < GRADIENT_TOLERANCE[problem.dtype] / 10 * scale
    assert np.abs(both - first).max() > 1e-3 * scale


@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_adam(problem, weight_decay, clip_norm):
    """Against Adam written out in float64 on the reference's gradients."""
    trainer = problem.trainer(weight_decay=weight_decay, clip_norm=clip_norm)
    shapes = parameter_shapes(problem.spec)
    p = unflatten(problem.start.astype(np.float64), shapes)
    m = {name: np.zeros(shape) for name, shape in shapes.items()}
    v = {name: np.zeros(shape) for name, shape in shapes.items()}
    rate = 0.01
    batches = [np.arange(8), np.arange(8, 16), np.arange(16, 23)]
    for t, batch in enumerate(batches, start=1):
        _, g = problem.reference(batch)
        g = {name: value / (len(batch) * N_OUTPUTS) for name, value in g.items()}
        norm = np.sqrt(sum((value**2).sum() for value in g.values()))
        if clip_norm and norm > clip_norm:
            g = {name: value * clip_norm / (norm + 1e-6) for name, value in g.items()}  # as torch clips
        trainer.accumulate(batch)
        trainer.apply(rate, len(batch) * N_OUTPUTS)
        for name in shapes:
            m[name] = 0.9 * m[name] + 0.1 * g[name]
            v[name] = 0.999 * v[name] + 0.001 * g[name] ** 2
            if weight_decay and "bias" not in name:
                p[name] = p[name] * (1 - rate * weight_decay)
            step = m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8)
            p[name] = p[name] - rate * step
        actual = unflatten(problem.network.parameters(), shapes)
        for name in shapes:
            # A step is at most about rate; where a gradient is nearly zero its sign is rounding, so most
            # of a step may differ there: bound the typical and the largest difference apart. In float64 such
            # a gradient is far below epsilon, and so is its step.
            difference = np.abs(actual[name] - p[name])
            assert np.median(difference) < {"float32": 1e-6, "float64": 1e-14}[problem.dtype], name
            assert difference.max() < {"float32": 0.1, "float64": 1e-9}[problem.dtype] * rate, name


def test_an_epoch_is_its_batches(problem):
    order = np.random.default_rng(5).permutation(23)
    trainer = problem.trainer(clip_norm=1.0, weight_decay=0.01)
    losses = trainer.run_epoch(order, 0.01)
    fused = problem.network.parameters()
    taken_apart = problem.trainer(clip_norm=1.0, weight_decay=0.01)
    expected = []
    for begin in range(0, 23, 8):
        loss, weight = taken_apart.accumulate(order[begin : begin + 8])
        expected.append(loss / weight)
        taken_apart.apply(0.01, weight, taken_apart.gradients() if begin else None)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(problem.network.parameters(), fused)


def test_order_none_is_the_order_of_the_data(problem):
    a = problem.trainer(batch_size=23)
    losses = [a.run_epoch(None, 0.01)[0] for _ in range(3)]
    b = problem.trainer(batch_size=23)
    assert losses == [b.run_epoch(np.arange(23), 0.01)[0] for _ in range(3)]


def test_threads_do_not_change_a_bit(build_network, isa, dtype):
    results = []
    for n_jobs in (1, 2, 5):
        problem = Problem(build_network, CellSpec(40, num_layers=2), isa, dtype, n=600)
        trainer = problem.trainer(batch_size=300, n_jobs=n_jobs)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(3)]
        results.append((np.concatenate(losses), problem.network.parameters()))
    for losses, parameters in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])


@pytest.mark.parametrize("reset_after", [True, False])
def test_large_cells_are_trained_in_shards_too(build_network, isa, dtype, reset_after):
    # 75 sequences are three shards of 32: two threads share the shards, five share the steps of each.
    cell = CellSpec(210, reset_after=reset_after)
    results = []
    for n_jobs in (1, 2, 5):
        problem = Problem(build_network, cell, isa, dtype, n=75)
        problem.start *= 0.2  # so many units with weights of 0.4 would multiply every rounding
        trainer = problem.trainer(batch_size=75, n_jobs=n_jobs, checkpoint_steps=2 if n_jobs == 2 else 0)
        loss, _ = trainer.accumulate(np.arange(75))
        results.append((loss, trainer.gradients()))
    for loss, gradients in results[1:]:
        assert loss == results[0][0]
        np.testing.assert_array_equal(gradients, results[0][1])
    expected_loss, expected = problem.reference(np.arange(75))
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype])
    actual = unflatten(gradients, parameter_shapes(problem.spec))
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[dtype] * scale, name


def test_an_empty_order_does_nothing(build_network):
    problem = Problem(build_network, CellSpec(5))
    trainer = problem.trainer()
    assert trainer.run_epoch(np.zeros(0, np.int64), 0.1).shape == (0,)
    np.testing.assert_array_equal(problem.network.parameters(), problem.start)


def test_training_goes_on_while_python_runs(build_network):
    """The GIL is released: another thread counts while an epoch computes."""
    problem = Problem(build_network, CellSpec(64), n=4000)
    trainer = problem.trainer(batch_size=50)
    ticks, done = [], threading.Event()

    def count() -> None:
        while not done.is_set():
            ticks.append(0)
            time.sleep(0)

    counter = threading.Thread(target=count)
    counter.start()
    before = len(ticks)
    trainer.run_epoch(None, 0.01)
    during = len(ticks) - before
    done.set()
    counter.join()
    assert during > 10


def test_ctrl_c_stops_between_batches(build_network):
    problem = Problem(build_network, CellSpec(128), n=20_000)
    trainer = problem.trainer(batch_size=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.run_epoch(None, 1e-4)  # 20,000 steps: seconds
    timer.join()
    signal.signal(signal.SIGINT, before)
    assert np.isfinite(problem.network.parameters()).all()
    problem.trainer().run_epoch(None, 1e-4)


def test_works_after_fork():
    """A forked child has none of the pool's threads and must start its own."""
    network = _core.Network(8, 64, output_size=1)
    network.set_parameters(np.full(network.n_parameters, 0.01, np.float32))
    rows, starts, lengths = np.ones((6400, 8), np.float32), np.arange(0, 6400, 50), np.full(128, 50)
    expected = network.predict(rows, starts, lengths, 2)
    child = os.fork()
    if child == 0:
        same = (network.predict(rows, starts, lengths, 2) == expected).all()
        os._exit(0 if same else 1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked child did not finish")


def test_several_python_threads_at_once(make_case):
    case = make_case(8, CellSpec(48), [40] * 64)
    expected, _ = case.forward()
    results: list[np.ndarray] = []

    def work() -> None:
        results.extend(case.forward(2)[0] for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_changed_positions_lead_nowhere(build_network):
    problem = Problem(build_network, CellSpec(5))
    trainer = problem.trainer()
    expected = trainer.run_epoch(None, 0.0)
    problem.starts[:] = 10**12
    problem.lengths[:] = 10**12
    np.testing.assert_array_equal(trainer.run_epoch(None, 0.0), expected)


def test_one_trainer_serves_one_thread(build_network):
    problem = Problem(build_network, CellSpec(64), n=4000)
    trainer = problem.trainer(batch_size=10)
    refused: list[str] = []

    def work() -> None:
        try:
            trainer.run_epoch(None, 1e-4)
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    assert set(refused) == {"this Trainer is at work in another thread"}


def test_a_batch_size_beyond_everything_is_a_full_batch(build_network):
    problem = Problem(build_network, CellSpec(5))
    whole = problem.trainer(batch_size=23).run_epoch(None, 0.01)
    np.testing.assert_array_equal(problem.trainer(batch_size=2**63 - 1).run_epoch(None, 0.01), whole)


def test_an_impossible_network_is_refused():
    with pytest.raises(ValueError, match="has more weights than any memory holds"):
        _core.Network(2**31, 2**31)


def test_a_trainer_keeps_its_network_alive(build_network, dtype):
    problem = Problem(build_network, CellSpec(5), dtype=dtype)
    expected = problem.trainer().run_epoch(None, 0.01)
    trainer = problem.trainer()
    del problem.network
    gc.collect()
    np.testing.assert_array_equal(trainer.run_epoch(None, 0.01), expected)


def test_a_network_of_the_other_type_is_refused(build_network):
    problem = Problem(build_network, CellSpec(5))
    problem.dtype = "float64"
    with pytest.raises(TypeError, match="incompatible function arguments"):
        problem.trainer()
