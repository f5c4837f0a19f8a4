"""The native engine keeps the protocol's promises on top of the core."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from grulearn import _core
from grulearn.engines import Engine, OptimizerOptions, get_engine
from grulearn.formats import flatten, parameter_shapes, unflatten
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training import draw_weights

SPEC = NetworkSpec(
    InputSpec(3),
    CellSpec(5, num_layers=2, bidirectional=True, reset_after=False, bias=False),
    head=HeadSpec(2),
)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def engine(dtype: str) -> Engine:
    engine = get_engine("native")(replace(SPEC, dtype=dtype))
    shapes = parameter_shapes(SPEC)
    engine.set_parameters(flatten(draw_weights(shapes, "pytorch", np.random.default_rng(0)), shapes, dtype))
    return engine


@pytest.fixture
def data(dtype: str) -> Sequences:
    return Sequences(np.random.default_rng(1).normal(size=(60, 3)).astype(dtype), [0, 10, 5], [8, 8, 8])


@pytest.fixture
def targets(dtype: str) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(3, 2)).astype(dtype)


def test_unknown_engines_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="none called 'nativ'.*native"):
        get_engine("nativ")


def test_options_of_the_specification_reach_the_core(engine: Engine, dtype: str) -> None:
    assert engine.spec == replace(SPEC, dtype=dtype)
    assert len(engine.parameters()) == sum(int(np.prod(s)) for s in parameter_shapes(SPEC).values())
    assert engine.instruction_set == _core.instruction_set()


def test_everything_has_the_dtype_of_the_specification(
    engine: Engine, data: Sequences, targets: np.ndarray, dtype: str
) -> None:
    trainer = engine.trainer(data, targets, OptimizerOptions(batch_size=3))
    trainer.accumulate(np.arange(3))
    for values in (engine.parameters(), engine.predict(data), trainer.gradients()):
        assert values.dtype == dtype
    losses = trainer.run_epoch(None, 0.01)
    assert losses.dtype == np.float64


def test_each_option_of_the_cell_changes_the_answer(data: Sequences, dtype: str) -> None:
    answers = set()
    for reset_after in (True, False):
        for bias in (True, False):
            spec = NetworkSpec(
                InputSpec(3), CellSpec(4, reset_after=reset_after, bias=bias), head=HeadSpec(1), dtype=dtype
            )
            shapes = parameter_shapes(spec)
            engine = get_engine("native")(spec)
            weights = {n: np.resize([0.3, -0.5, 0.8, 0.1, -0.2], s) for n, s in shapes.items()}
            engine.set_parameters(flatten(weights, shapes, dtype))
            answers.add(float(engine.predict(data)[0, 0]))
    assert len(answers) == 4


def test_weights_go_in_and_out_unchanged(engine: Engine, dtype: str) -> None:
    values = np.arange(len(engine.parameters()), dtype=dtype)
    engine.set_parameters(values)
    values[:] = 0
    np.testing.assert_array_equal(engine.parameters(), np.arange(len(values)))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_predict_the_same_and_are_independent(engine: Engine, data: Sequences, duplicate) -> None:
    before = engine.predict(data)
    twin = duplicate(engine)
    np.testing.assert_array_equal(twin.predict(data), before)
    twin.set_parameters(np.zeros_like(engine.parameters()))
    np.testing.assert_array_equal(engine.predict(data), before)


def test_an_epoch_is_its_parts(engine: Engine, data: Sequences, targets: np.ndarray) -> None:
    """run_epoch does what accumulate, gradients and apply do, batch by batch."""
    options = OptimizerOptions(batch_size=2, weight_decay=0.1, clip_norm=0.01)
    twin = copy.deepcopy(engine)
    order = np.array([2, 0, 1])
    losses = engine.trainer(data, targets, options).run_epoch(order, 0.01)
    trainer = twin.trainer(data, targets, options)
    parts = []
    for batch in (order[:2], order[2:]):
        loss_sum, weight_sum = trainer.accumulate(batch)
        assert weight_sum == 2 * len(batch)  # two outputs
        parts.append(loss_sum / weight_sum)
        trainer.apply(0.01, weight_sum)
    np.testing.assert_allclose(losses, parts, rtol=1e-6)
    np.testing.assert_allclose(engine.parameters(), twin.parameters(), rtol=1e-5, atol=1e-7)


def test_the_loss_is_the_mean_squared_error_before_the_update(
    engine: Engine, data: Sequences, targets: np.ndarray
) -> None:
    expected = np.square(engine.predict(data) - targets).mean()
    losses = engine.trainer(data, targets, OptimizerOptions(batch_size=3)).run_epoch(None, 0.01)
    np.testing.assert_allclose(losses, [expected], rtol=1e-5)


def test_adams_first_step_has_the_learning_rate(engine: Engine, data: Sequences, targets: np.ndarray) -> None:
    before = engine.parameters()
    trainer = engine.trainer(data, targets, OptimizerOptions(batch_size=3))
    trainer.accumulate(np.arange(3))
    gradients = trainer.gradients() / 6
    trainer.apply(0.01, 6.0)
    clear = np.abs(gradients) > 1e-4  # where epsilon, 1e-8, does not matter
    assert clear.sum() > 100
    np.testing.assert_allclose(
        (engine.parameters() - before)[clear], -0.01 * np.sign(gradients[clear]), rtol=1e-3
    )


def test_weight_decay_leaves_biases_alone(data: Sequences, dtype: str) -> None:
    spec = NetworkSpec(InputSpec(3), CellSpec(4), head=HeadSpec(1), dtype=dtype)
    shapes = parameter_shapes(spec)
    ones = flatten({name: np.ones(shape) for name, shape in shapes.items()}, shapes, dtype)
    moved = {}
    for decay in (0.0, 0.5):
        engine = get_engine("native")(spec)
        engine.set_parameters(ones)
        trainer = engine.trainer(
            data, np.zeros((3, 1), dtype), OptimizerOptions(batch_size=3, weight_decay=decay)
        )
        trainer.run_epoch(None, 0.1)
        moved[decay] = unflatten(engine.parameters(), shapes)
    for name in shapes:
        shrunk = 0.0 if "bias" in name else 0.1 * 0.5
        np.testing.assert_allclose(moved[0.0][name] - moved[0.5][name], shrunk, atol=1e-6)


@pytest.mark.parametrize("checkpoint_steps", [1, 3, 7, 8, 100])
def test_checkpoints_do_not_change_a_bit(
    engine: Engine, data: Sequences, targets: np.ndarray, checkpoint_steps: int
) -> None:
    twin = copy.deepcopy(engine)
    losses = []
    for e, kept in ((engine, None), (twin, checkpoint_steps)):
        options = OptimizerOptions(batch_size=2, clip_norm=1.0, checkpoint_steps=kept)
        trainer = e.trainer(data, targets, options)
        losses.append([trainer.run_epoch(None, 0.01) for _ in range(3)])
    np.testing.assert_array_equal(*losses)
    np.testing.assert_array_equal(engine.parameters(), twin.parameters())


def test_inputs_of_the_specification_reach_the_core(dtype: str) -> None:
    """Codes are read beside the rows, where there are categorical features, and only there."""
    given = InputSpec(1, categorical=[(5, 2)], decay=True)  # the first two rows of a table begin at 0
    spec = NetworkSpec(given, CellSpec(4), head=HeadSpec(1), dtype=dtype)
    shapes = parameter_shapes(spec)
    engine = get_engine("native")(spec)
    start = flatten(draw_weights(shapes, "auto", np.random.default_rng(0)), shapes, dtype)
    engine.set_parameters(start)
    assert len(engine.parameters()) == sum(int(np.prod(shape)) for shape in shapes.values())
    rows = np.random.default_rng(1).random((20, 3)).astype(dtype)
    codes = np.arange(20, dtype=np.int32)[:, np.newaxis] % 5
    words = [np.array(["a", "b", "c", "d", "e"])]
    data = Sequences(rows, [0, 5], [5, 15], codes=codes, categories=words)
    other = Sequences(rows, [0, 5], [5, 15], codes=codes[::-1].copy(), categories=words)
    assert (engine.predict(data) != engine.predict(other)).all()
    before = engine.predict(data)
    targets = np.ones((2, 1), dtype)
    losses = [engine.trainer(data, targets, OptimizerOptions(batch_size=2)).run_epoch(None, 0.01)[0]]
    assert losses[0] == pytest.approx(np.square(before - 1).mean(), rel=1e-6)
    twin = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(twin.predict(data), engine.predict(data))
    moved = unflatten(engine.parameters() != start, shapes)
    assert all(moved[name].any() for name in shapes)


def test_threads_do_not_change_a_bit(engine: Engine, dtype: str) -> None:
    rng = np.random.default_rng(3)
    data = Sequences.from_array(rng.normal(size=(200, 4, 3)).astype(dtype))
    targets = rng.normal(size=(200, 2)).astype(dtype)
    twin = copy.deepcopy(engine)
    np.testing.assert_array_equal(engine.predict(data, 1), engine.predict(data, 2))
    for e, n_jobs in ((engine, 1), (twin, 2)):
        e.trainer(data, targets, OptimizerOptions(batch_size=64, n_jobs=n_jobs)).run_epoch(None, 0.01)
    np.testing.assert_array_equal(engine.parameters(), twin.parameters())
