"""What a specification says of loss, target and pooling reaches the native engine."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.engines import Engine, OptimizerOptions, get_engine
from grulearn.equations import apply_link, loss_sum
from grulearn.formats import flatten, parameter_shapes
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec, PoolSpec
from grulearn.training import draw_weights

HEADS = [
    HeadSpec(2),
    HeadSpec(2, "absolute_error"),
    HeadSpec(2, "huber", delta=0.3),
    HeadSpec(6, "pinball", quantiles=(0.1, 0.5, 0.9)),
    HeadSpec(2, "poisson"),
    HeadSpec(4, "gaussian"),
    HeadSpec(3, "cross_entropy"),
    HeadSpec(2, "binary_cross_entropy"),
]
PLACES = [
    ("last", "sequence"),
    ("last", "value"),
    ("mean", "value"),
    ("max", "value"),
    ("attention", "value"),
]
LENGTHS = [6, 1, 4, 3]


def build(head: HeadSpec, pool: str, target: str, dtype: str) -> Engine:
    head = HeadSpec(head.n_outputs, head.loss, target, head.delta, head.quantiles)
    spec = NetworkSpec(InputSpec(3), CellSpec(5), PoolSpec(pool), head=head, dtype=dtype)
    shapes = parameter_shapes(spec)
    engine = get_engine("native")(spec)
    engine.set_parameters(flatten(draw_weights(shapes, "pytorch", np.random.default_rng(0)), shapes, dtype))
    return engine


def draw_data(dtype: str) -> Sequences:
    starts = np.cumsum(LENGTHS) - LENGTHS
    rows = np.random.default_rng(1).normal(size=(sum(LENGTHS), 3)).astype(dtype)
    return Sequences(rows, starts, LENGTHS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("pool", "target"), PLACES)
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.loss)
def test_the_loss_is_the_one_of_the_outputs_before_the_update(
    head: HeadSpec, pool: str, target: str, dtype: str
) -> None:
    engine, data = build(head, pool, target, dtype), draw_data(dtype)
    m = sum(LENGTHS) if target == "sequence" else len(LENGTHS)
    targets = np.random.default_rng(2).integers(0, 2, (m, head.n_targets)).astype(dtype)
    if head.loss == "cross_entropy":
        targets = targets[:, 0].astype(np.int64)
    outputs = engine.predict(data)
    assert outputs.shape == (m, head.n_outputs)
    assert apply_link(outputs, head.loss, quantiles=head.quantiles).shape == outputs.shape
    total, weight = loss_sum(
        outputs.astype(np.float64),
        targets.astype(np.float64),
        head.loss,
        delta=head.delta or 1.0,
        quantiles=head.quantiles,
    )
    trainer = engine.trainer(data, targets, OptimizerOptions(batch_size=4))
    # Sums of some 30 losses.
    np.testing.assert_allclose(trainer.run_epoch(None, 0.1), [total / weight], rtol=1e-5)
    assert trainer.batch_weights == pytest.approx([weight])


def test_weights_and_starts_reach_the_core() -> None:
    engine, data = build(HEADS[0], "last", "sequence", "float64"), draw_data("float64")
    targets = np.random.default_rng(2).normal(size=(20, 2))
    options = OptimizerOptions(batch_size=4)
    starts = data.starts + 6
    sample_weight, step_weight = np.array([1.0, 0.0, 2.0, 0.5]), np.linspace(0, 1, 20)
    trainer = engine.trainer(
        data,
        targets,
        options,
        target_starts=starts,
        sample_weight=sample_weight,
        step_weight=step_weight,
    )
    rows = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, LENGTHS, strict=True)])
    weights = np.repeat(sample_weight, LENGTHS) * step_weight[rows]
    total, weight = loss_sum(engine.predict(data), targets[rows], weights=weights)
    assert trainer.accumulate(np.arange(4)) == pytest.approx((total, weight))


@pytest.mark.parametrize(("pool", "target"), PLACES)
def test_a_copy_has_the_same_head(pool: str, target: str) -> None:
    import pickle

    engine, data = build(HEADS[3], pool, target, "float32"), draw_data("float32")
    twin = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(twin.predict(data), engine.predict(data))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.loss)
def test_outputs_are_decoded_as_the_loss_and_the_targets_scale_say(head: HeadSpec, dtype: str) -> None:
    engine = build(head, "last", "value", dtype)
    outputs = engine.predict(draw_data(dtype))
    values = engine.decode(outputs)
    expected = apply_link(outputs.astype(np.float64), head.loss, quantiles=head.quantiles)
    # Both in float64: a few units in the last place of values around 1.
    np.testing.assert_allclose(values, expected, rtol=0, atol=4e-15, strict=True)
    if "cross" not in head.loss:
        mean, scale = np.full(head.n_targets, 3.0), np.full(head.n_targets, 0.25)
        scaled = engine.decode(outputs, mean, scale)
        shift = np.where(np.arange(head.n_outputs) % 2 == 1, 0.0, 3.0) if head.loss == "gaussian" else 3.0
        np.testing.assert_array_equal(scaled, values * 0.25 + shift)
