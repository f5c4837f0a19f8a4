"""Streams of the core: after each step the bits of a prediction on all steps so far."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.spec import CellSpec, HeadSpec

STREAMS = {"float32": _core.Stream, "float64": _core.Stream64}
HEADS = [
    HeadSpec(2),
    HeadSpec(2, "absolute_error"),
    HeadSpec(1, "huber"),
    HeadSpec(6, "pinball", quantiles=(0.1, 0.4, 0.9)),
    HeadSpec(1, "poisson"),
    HeadSpec(4, "gaussian"),
    HeadSpec(3, "cross_entropy"),
    HeadSpec(1, "binary_cross_entropy"),
    HeadSpec(3, "binary_cross_entropy"),
]
PLACES = [("last", "value"), ("mean", "value"), ("max", "value"), ("last", "sequence")]
CELLS = [
    CellSpec(5),
    CellSpec(19, num_layers=2),
    CellSpec(19, reset_after=False),
    CellSpec(8, num_layers=3, reset_after=False, bias=False),
    CellSpec(33, bias=False),
]


@dataclass
class Streaming:
    """A network, n sequences of T steps in the user's units, and what their streams are made of."""

    head: HeadSpec = field(default_factory=lambda: HeadSpec(1))
    cell: CellSpec = field(default_factory=lambda: CellSpec(5))
    pool: str = "last"
    target: str = "value"
    dtype: str = "float32"
    isa: str = ""
    n: int = 3
    steps: int = 7
    features: int = 3
    make_network: Any = None

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        options = {"pool": self.pool, "target": self.target}
        self.network = self.make_network(
            self.features, self.cell, self.isa, self.head.n_outputs, self.dtype, **options
        )
        self.network.set_parameters(rng.normal(0, 0.4, self.network.n_parameters).astype(self.dtype))
        self.X = np.random.default_rng(1).normal(50, 20, (self.n, self.steps, self.features))
        self.mean, self.scale = self.X.mean((0, 1)), self.X.std((0, 1))
        self.loss = {"loss": self.head.loss, "quantiles": self.head.quantiles or ()}
        self.target_mean, self.target_scale = [], []
        if "cross" not in self.head.loss:
            self.target_mean = rng.normal(0, 10, self.head.n_targets).tolist()
            self.target_scale = rng.uniform(0.1, 10, self.head.n_targets).tolist()

    def open(self, n_streams: int | None = None, n_jobs: int = 1) -> Any:
        """Streams before their first step."""
        return STREAMS[self.dtype](
            self.network,
            self.n if n_streams is None else n_streams,
            mean=self.mean.tolist(),
            fill=[0.0] * len(self.mean),
            scale=self.scale.tolist(),
            target_mean=self.target_mean,
            target_scale=self.target_scale,
            n_jobs=n_jobs,
            **self.loss,
        )

    def outputs(self, which: Any, steps: int) -> np.ndarray:
        """What the network answers to the first steps of some sequences: the last row of each."""
        rows = ((self.X[which, :steps] - self.mean) / self.scale).astype(self.dtype)
        n = len(rows)
        lengths = np.full(n, steps)
        outputs = self.network.predict(
            np.ascontiguousarray(rows.reshape(-1, self.features)), np.arange(n) * steps, lengths, 1
        )
        return outputs[steps - 1 :: steps] if self.target == "sequence" else outputs

    def expected(self, which: Any, steps: int) -> np.ndarray:
        """The same decoded."""
        return _core.decode(
            np.ascontiguousarray(self.outputs(which, steps)),
            mean=self.target_mean,
            scale=self.target_scale,
            isa=self.isa,
            **self.loss,
        )


@pytest.fixture
def streaming(build_network: Any) -> Any:
    """Build cases."""

    def build(*arguments: Any, **options: Any) -> Streaming:
        return Streaming(*arguments, make_network=build_network, **options)

    return build


def same(values: Any, expected: Any) -> None:
    """To the bit, and with the shape."""
    values, expected = np.asarray(values), np.asarray(expected)
    assert values.shape == expected.shape
    assert values.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("pool", "target"), PLACES)
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.loss}-{head.n_outputs}")
def test_every_prefix_has_the_bits_of_a_prediction(streaming, head, pool, target, isa, dtype):
    head = HeadSpec(head.n_outputs, head.loss, target, head.delta, head.quantiles)
    case = streaming(head, CellSpec(5, num_layers=2), pool, target, dtype, isa)
    streams = case.open()
    for t in range(case.steps):
        values = streams.step_values(case.X[:, t].copy(), None, None)
        expected = case.expected(slice(None), t + 1)
        same(values, expected[:, 0] if head.n_outputs == 1 else expected)


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell(streaming, cell, pool, isa, dtype):
    case = streaming(HeadSpec(2), cell, pool, dtype=dtype, isa=isa, n=70)
    streams = case.open()
    for t in range(case.steps):
        same(streams.step_values(case.X[:, t].copy(), None, None), case.expected(slice(None), t + 1))


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_pooling_over_more_than_a_block_of_steps(streaming, pool, isa, dtype):
    # A sum over steps is taken in blocks of 256.
    case = streaming(HeadSpec(1), pool=pool, dtype=dtype, isa=isa, n=2, steps=600)
    streams = case.open()
    for t in range(case.steps):
        values = streams.step(case.X[:, t].copy(), None, None)
        if t % 64 in (0, 1, 63):
            same(values, case.expected(slice(None), t + 1)[:, 0])


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_a_sequence_so_long_that_predict_takes_it_in_pieces(streaming, pool):
    case = streaming(HeadSpec(1), CellSpec(3), pool, n=1, steps=140_000, features=1)
    streams = case.open()
    for x in case.X[0]:
        value = streams.step(x, None, None)
    same(value, case.expected(slice(None), case.steps)[0, 0])


@pytest.mark.parametrize("n_streams", [1, 3, 64, 65, 200])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_any_number_of_streams_and_of_threads(streaming, n_streams, num_layers):
    # 200 streams of this size are enough work for several threads.
    cell = CellSpec(40, num_layers=num_layers)
    case = streaming(HeadSpec(3, "cross_entropy"), cell, "mean", n=n_streams, steps=4, features=30)
    one, many = case.open(), case.open(n_jobs=3)
    for t in range(case.steps):
        x = case.X[:, t].copy()
        values = one.step_values(x, None, None)
        same(values, case.expected(slice(None), t + 1))
        same(many.step_values(x, None, None), values)


def test_streams_advance_one_by_one_and_in_any_order(streaming, dtype):
    case = streaming(HeadSpec(2), CellSpec(6, num_layers=2), "mean", dtype=dtype, n=5, steps=80)
    streams, taken = case.open(), np.zeros(5, int)
    rng = np.random.default_rng(1)
    for _ in range(60):
        which = rng.permutation(5)[: rng.integers(0, 6)]
        values = streams.step_values(case.X[which, taken[which]].copy(), which, None)
        taken[which] += 1
        assert values.shape == (len(which), 2)
        for stream, value in zip(which, values, strict=True):
            same(value, case.expected([stream], taken[stream])[0])
        alone = int(rng.integers(5))
        value = streams.step_values(case.X[alone, taken[alone]].copy(), alone, None)
        taken[alone] += 1
        same(value, case.expected([alone], taken[alone])[0])
    np.testing.assert_array_equal(streams.state()["n_steps"], taken)


def test_features_of_either_precision_are_scaled_in_float64(streaming, dtype):
    case = streaming(HeadSpec(1), dtype=dtype, n=1)
    case.X = case.X.astype(np.float32)
    single, double = case.open(), case.open()
    for t in range(case.steps):
        value = single.step(case.X[0, t].copy(), None, None)
        assert type(value) is float
        same(value, case.expected([0], t + 1)[0, 0])
        assert double.step(case.X[0, t].astype(np.float64), None, None) == value


def test_what_a_step_returns(streaming):
    quantiles = streaming(HeadSpec(6, "pinball", quantiles=(0.1, 0.4, 0.9)))
    x = quantiles.X[:, 0].copy()
    # The quantile nearest to 1/2.
    same(quantiles.open().step(x, None, None), quantiles.open().step_values(x, None, None)[:, [1, 4]])
    deviations = streaming(HeadSpec(4, "gaussian"))
    same(deviations.open().step(x, None, None), deviations.open().step_values(x, None, None)[:, [0, 2]])

    classes = streaming(HeadSpec(3, "cross_entropy"))
    outputs = classes.outputs(slice(None), 1)
    decisions = classes.open().step_decisions(x, None, None)
    np.testing.assert_array_equal(decisions, outputs.argmax(axis=1), strict=True)
    assert type(classes.open().step_decisions(x[0].copy(), 0, None)) is int
    same(classes.open().step_probabilities(x, None, None), classes.expected(slice(None), 1))

    both = streaming(HeadSpec(1, "binary_cross_entropy"))
    p = both.expected(slice(None), 1)
    same(both.open().step_probabilities(x, None, None), np.hstack([1.0 - p, p]))
    np.testing.assert_array_equal(both.open().step_decisions(x, None, None), (p[:, 0] > 0.5).astype(int))

    labels = streaming(HeadSpec(3, "binary_cross_entropy"))
    outputs = labels.outputs(slice(None), 1)
    decisions = labels.open().step_decisions(x, None, None)
    np.testing.assert_array_equal(decisions, (outputs > 0).astype(np.int64), strict=True)
    same(labels.open().step_probabilities(x, None, None), labels.expected(slice(None), 1))


def test_results_go_where_they_are_wanted(streaming):
    case = streaming(HeadSpec(2))
    x = case.X[:, 0].copy()
    expected = case.open().step(x, None, None)
    out = np.empty((3, 2))
    assert case.open().step(x, None, out) is out
    same(out, expected)
    streams, place = streaming(HeadSpec(1), n=1).open(), np.empty(())
    assert streams.step(x[0].copy(), None, place) is place
    assert place == streaming(HeadSpec(1), n=1).open().step(x[0].copy(), None, None)
    # Over what was read.
    wide = np.empty((3, 3))
    wide[:] = x
    view = wide.reshape(-1)[:6].reshape(3, 2)
    same(case.open().step(wide, None, view), expected)


def test_a_step_leaves_nothing_allocated_but_its_result(streaming):
    case = streaming(HeadSpec(4, "gaussian"), pool="mean", n=4)
    streams, x, out = case.open(), case.X[:, 0].copy(), np.empty((4, 2))
    which, some, part = np.array([2, 0]), x[:2].copy(), np.empty((2, 2))

    counts = np.zeros(2, np.int64)  # not a list, whose numbers would be counted too
    for _ in range(2):
        counts[0] = sys.getallocatedblocks()
        for _ in range(1000):
            streams.step(x, None, out)
            streams.step(some, which, part)
        counts[1] = sys.getallocatedblocks()
    # What the loop itself holds; a block a step would be 1000.
    assert counts[1] - counts[0] <= 3


@pytest.mark.parametrize(
    ("x", "which", "out"),
    [
        (np.zeros(4), None, None),  # features
        (np.zeros((3, 4)), None, None),
        (np.zeros((2, 3)), None, None),  # streams
        (np.zeros(3), None, None),
        (np.zeros((1, 3, 3)), None, None),
        (np.zeros(()), None, None),
        (np.zeros((3, 3), int), None, None),
        (np.zeros((3, 3), ">f8"), None, None),
        (np.zeros((3, 3), order="F"), None, None),
        (np.zeros((3, 6))[:, ::2], None, None),
        ([[0.0] * 3] * 3, None, None),
        (None, None, None),
        (np.full((3, 3), np.nan), None, None),
        (np.full((3, 3), np.inf), None, None),
        (np.full((3, 3), 1e300), None, None),  # outside float32
        (np.zeros(3), 3, None),
        (np.zeros(3), -1, None),
        (np.zeros(3), 2**70, None),
        (np.zeros(3), True, None),
        (np.zeros((1, 3)), 0, None),
        (np.zeros(3), np.array([0]), None),
        (np.zeros((2, 3)), np.array([0, 3]), None),
        (np.zeros((2, 3)), np.array([0, -1]), None),
        (np.zeros((2, 3)), np.array([1, 1]), None),
        (np.zeros((2, 3)), np.array([0, 1, 2]), None),
        (np.zeros((2, 3)), np.array([0, 1], np.int32), None),
        (np.zeros((2, 3)), [0, 1], None),
        (np.zeros((3, 3)), None, np.empty((3, 2))),
        (np.zeros((3, 3)), None, np.empty(3, np.float32)),
        (np.zeros((3, 3)), None, np.empty(6)[::2]),
        (np.zeros((3, 3)), None, np.empty(())),
        (np.zeros((3, 3)), None, [0.0] * 3),
    ],
)
def test_what_does_not_fit_changes_nothing(streaming, x, which, out):
    streams = streaming(HeadSpec(1), pool="mean").open()
    streams.step(np.ones((3, 3)), None, None)
    before = streams.state()
    assert streams.step(x, which, out) is None
    for name, values in streams.state().items():
        same(values, before[name])


def test_a_locked_result_is_not_written(streaming):
    out = np.full(3, 7.0)
    out.flags.writeable = False
    assert streaming(HeadSpec(1)).open().step(np.zeros((3, 3)), None, out) is None
    assert (out == 7.0).all()


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_a_state_goes_on_elsewhere(streaming, pool, dtype):
    case = streaming(HeadSpec(2), CellSpec(6, num_layers=2), pool, dtype=dtype, steps=300)
    first, second = case.open(), case.open()
    for t in range(290):
        first.step(case.X[:, t].copy(), None, None)
    carried = first.state()
    second.set_state(carried)
    for t in range(290, 300):
        x = case.X[:, t].copy()
        same(second.step(x, None, None), first.step(x, None, None))
    first.set_state(carried)
    for name, values in first.state().items():
        same(values, carried[name])


def test_a_state_that_does_not_fit_changes_nothing(streaming):
    streams = streaming(HeadSpec(1), pool="mean").open()
    streams.step(np.ones((3, 3)), None, None)
    before = streams.state()
    assert list(before) == ["hidden", "n_steps", "sum", "block_sum"]
    for name, values in before.items():
        other = "float64" if values.dtype != np.float64 else "float32"
        for wrong in (None, values[..., :1], values.astype(other), values[..., np.newaxis]):
            with pytest.raises(ValueError, match=f"'{name}' is missing, or has not the dtype and shape"):
                streams.set_state({**before, name: wrong})
        with pytest.raises(ValueError, match=f"'{name}' is missing"):
            streams.set_state({key: value for key, value in before.items() if key != name})
    for name, values in streams.state().items():
        same(values, before[name])


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_reset_begins_anew(streaming, pool):
    case = streaming(HeadSpec(2), CellSpec(6, num_layers=2), pool)
    streams, fresh = case.open(), case.open()
    beginning = fresh.state()
    for t in range(3):
        streams.step(case.X[:, t].copy(), None, None)
    streams.reset([0, 2])
    np.testing.assert_array_equal(streams.state()["n_steps"], [0, 3, 0])
    same(streams.step(case.X[0, 0].copy(), 0, None), fresh.step(case.X[0, 0].copy(), 0, None))
    same(streams.step(case.X[1, 3].copy(), 1, None), case.expected([1], 4)[0])
    with pytest.raises(IndexError, match="no such stream"):
        streams.reset([0, 3])
    streams.reset()
    for name, values in streams.state().items():
        same(values, beginning[name])


def test_calls_from_several_threads_take_turns(streaming):
    # Work enough that the interpreter is given away within a step.
    case = streaming(HeadSpec(1), CellSpec(64), n=64, steps=1, features=32)
    streams, x = case.open(), case.X[:, 0].copy()
    assert 64 * 3 * 64 * (32 + 64) > 1_000_000
    alone = case.open()
    expected = [alone.step(x, None, None) for _ in range(40)]
    seen: list[np.ndarray] = []

    def run() -> None:
        for _ in range(10):
            seen.append(streams.step(x, None, None))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever took a step, all of them were taken one after the other.
    assert sorted(value.tobytes() for value in seen) == sorted(value.tobytes() for value in expected)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (CellSpec(5, bidirectional=True), {}, "its reverse direction begins at the end"),
        (CellSpec(5), {"pool": "attention"}, "pool 'attention' has no stream"),
    ],
)
def test_networks_that_need_the_end_are_refused(streaming, cell, options, message):
    with pytest.raises(ValueError, match=message):
        streaming(HeadSpec(1), cell, **options).open()


def test_streams_that_cannot_be_are_refused(streaming, build_network):
    case = streaming(HeadSpec(1))
    with pytest.raises(ValueError, match="n_streams must be from 1 to"):
        case.open(0)
    with pytest.raises(ValueError, match="n_jobs must be at least 1, got 0"):
        case.open(n_jobs=0)
    case.mean = case.mean[:2]
    with pytest.raises(ValueError, match="one value for each feature, got 2, 3 and 2"):
        case.open()
    options: dict[str, Any] = {"mean": [0.0] * 3, "scale": [1.0] * 3, "fill": [0.0] * 3}
    options["loss"] = "squared_error"
    with pytest.raises(ValueError, match="the network's output_size is 0"):
        _core.Stream(build_network(3, CellSpec(5)), 1, **options)
    with pytest.raises(ValueError, match="mean must have 1 value"):
        _core.Stream(case.network, 1, target_mean=[0.0, 0.0], target_scale=[1.0], **options)


def test_streams_keep_their_network(build_network):
    network = build_network(3, CellSpec(5), output_size=1)
    streams = _core.Stream(network, 1, mean=[0.0] * 3, scale=[1.0] * 3, fill=[0.0] * 3, loss="squared_error")
    del network
    assert streams.step(np.ones(3), None, None) == 0.0
