"""Layer normalisation inside the gates: against the specification, alone and with everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grulearn import _core
from grulearn.formats.weights import unflatten
from grulearn.spec import CellSpec, HeadSpec

CELLS: dict[str, dict[str, Any]] = {
    "one layer": {"hidden_size": 5},
    "three layers, two directions": {"hidden_size": 19, "num_layers": 3, "bidirectional": True},
    "no biases": {"hidden_size": 33, "bias": False},
    "one unit": {"hidden_size": 1},
}
EACH_CELL = pytest.mark.parametrize("sizes", CELLS.values(), ids=CELLS)
EACH_TARGET = pytest.mark.parametrize("target", ["value", "sequence"])
MASKS: dict[str, Any] = {"dropout": 0.2, "recurrent_dropout": 0.3}
INPUTS: dict[str, Any] = {"categorical": ((7, 3),), "decay": True}

# Relative: of loss sums, and of gradients to their largest. A product of close units is divided by
# their deviation, which enlarges its rounding: ten times what networks without it are allowed.
LOSS_TOLERANCE = {"float32": 1e-5, "float64": 2e-14}
GRADIENT_TOLERANCE = {"float32": 2e-4, "float64": 5e-13}


def check(case, loss: float, gradients: np.ndarray) -> None:
    expected_loss, _, expected = case.reference(np.arange(case.n))
    assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[case.dtype])
    actual = unflatten(gradients, case.shapes)
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        # Of W and U of a unit alone nothing is left but rounding: its product is its own mean.
        scale = max(np.abs(gradient).max(), 1e-6 * largest)
        assert np.abs(actual[name] - gradient).max() <= GRADIENT_TOLERANCE[case.dtype] * scale, name


@EACH_CELL
@EACH_TARGET
def test_gradients_are_the_specifications(make_head_case, isa, dtype, sizes, target):
    case = make_head_case(HeadSpec(2, target=target), CellSpec(**sizes, layer_norm=True), isa, dtype)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(np.arange(case.n))
    check(case, loss, trainer.gradients())


@EACH_TARGET
@pytest.mark.parametrize("given", [{}, INPUTS], ids=["plain", "embeddings and decay"])
def test_with_masks_embeddings_and_decay(make_head_case, isa, dtype, target, given):
    cell = CellSpec(13, num_layers=2, zoneout=0.2, layer_norm=True)
    case = make_head_case(HeadSpec(2, target=target), cell, isa, dtype, **MASKS, **given)
    trainer = case.trainer()
    loss, _ = trainer.accumulate(np.arange(case.n))
    check(case, loss, trainer.gradients())


@pytest.mark.parametrize("masks", [{}, MASKS], ids=["plain", "masks"])
def test_finite_differences(make_head_case, masks):
    cell = CellSpec(4, num_layers=2, bidirectional=True, layer_norm=True)
    case = make_head_case(HeadSpec(2), cell, dtype="float64", n=9, **masks)
    gradient, differences = case.gradient(), case.differences()
    # The differences' own error: 6e-6 squared times a third derivative that a small deviation enlarges.
    np.testing.assert_allclose(gradient, differences, rtol=0, atol=1e-7 * np.abs(gradient).max())


@EACH_CELL
@EACH_TARGET
def test_threads_checkpoints_and_segments(make_head_case, sizes, target):
    results = []
    for n_jobs, checkpoint_steps in ((1, 0), (2, 0), (5, 4), (1, 1)):
        case = make_head_case(
            HeadSpec(2, target=target), CellSpec(**sizes, layer_norm=True), n=300, longest=11, **MASKS
        )
        trainer = case.trainer(batch_size=150, n_jobs=n_jobs, checkpoint_steps=checkpoint_steps)
        losses = [trainer.run_epoch(None, 0.01) for _ in range(2)]
        results.append((np.concatenate(losses), case.network.parameters()))
    for losses, parameters in results[1:]:
        np.testing.assert_array_equal(losses, results[0][0])
        np.testing.assert_array_equal(parameters, results[0][1])
    if not case.cell.bidirectional:
        whole = case.trainer().accumulate(np.arange(case.n))
        assert case.trainer(bptt=3).accumulate(np.arange(case.n)) == pytest.approx(whole, rel=1e-6)


@EACH_CELL
@EACH_TARGET
def test_predictions(make_head_case, isa, dtype, sizes, target):
    case = make_head_case(HeadSpec(2, target=target), CellSpec(**sizes, layer_norm=True), isa, dtype, n=70)
    predicted, expected = case.predict(), case.reference_predict()
    bound = {"float32": 2e-5, "float64": 5e-14}[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(case.predict(n_jobs=3), predicted)
    one = case.network.predict(case.rows, case.starts[:1], case.lengths[:1], 1)
    np.testing.assert_array_equal(predicted[: len(one)], one)


@pytest.mark.parametrize("with_h0", [True, False])
@pytest.mark.parametrize("zoneout", [0.0, 0.3])
def test_a_tape(make_case, isa, dtype, with_h0, zoneout):
    cell = CellSpec(19, num_layers=2, bidirectional=True, zoneout=zoneout, layer_norm=True)
    case = make_case(3, cell, [4, 0, 7, 1, 7], with_h0, isa, dtype)
    outputs, h_n = case.forward()
    expected_outputs, expected_h_n = case.reference_forward()
    bound = {"float32": 1e-5, "float64": 2e-14}[dtype]
    np.testing.assert_allclose(outputs, expected_outputs, rtol=0, atol=bound)
    np.testing.assert_allclose(h_n, expected_h_n, rtol=0, atol=bound)
    actual, expected = case.backward(), case.reference_backward()
    for name, gradient in expected[0].items():
        scale = np.abs(gradient).max()
        assert np.abs(actual[0][name] - gradient).max() <= GRADIENT_TOLERANCE[dtype] * scale, name
    for i in (1, 2):
        scale = np.abs(expected[i]).max()
        assert np.abs(actual[i] - expected[i]).max() <= GRADIENT_TOLERANCE[dtype] * scale


def test_steps_are_those_of_a_whole_sequence(build_network, isa, dtype):
    network = build_network(3, CellSpec(13, num_layers=2, zoneout=0.3, layer_norm=True), isa, dtype=dtype)
    rng = np.random.default_rng(0)
    network.set_parameters(rng.normal(0, 0.4, network.n_parameters).astype(dtype))
    rows = rng.standard_normal((4 * 6, 3)).astype(dtype)
    outputs, h_n = network.forward(rows, np.arange(0, 24, 6), np.full(4, 6), None, 1)
    h = np.zeros((2, 4, 13), dtype)
    for t in range(6):
        network.step(np.ascontiguousarray(rows[t::6]), h, h)
        np.testing.assert_array_equal(h[1], outputs[t::6])
    np.testing.assert_array_equal(h, h_n)


def test_weight_decay_leaves_gains_alone(make_head_case):
    case = make_head_case(HeadSpec(1), CellSpec(5, layer_norm=True))
    trainer = case.trainer(weight_decay=0.5)
    trainer.accumulate(np.arange(case.n))
    trainer.apply(0.1, 1.0, np.zeros_like(case.start))  # a gradient of zero: nothing but decay
    before, after = unflatten(case.start, case.shapes), unflatten(case.network.parameters(), case.shapes)
    for name, w in before.items():
        kept = 1.0 if name.startswith(("gain", "bias")) or name == "head.bias" else 0.95
        np.testing.assert_allclose(after[name], kept * w, rtol=1e-6, err_msg=name)


def test_the_other_reset_form_is_refused():
    with pytest.raises(ValueError, match="layer_norm needs reset_after=True"):
        _core.Network(2, 3, reset_after=False, layer_norm=True)
    with pytest.raises(ValueError, match="CellSpec: layer_norm needs reset_after=True"):
        CellSpec(3, reset_after=False, layer_norm=True)
