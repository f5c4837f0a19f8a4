"""Specifications: what they accept, and how they survive storage."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec, PoolSpec

SPEC = NetworkSpec(
    InputSpec(8),
    CellSpec(32, num_layers=2, bidirectional=True, reset_after=False, bias=False),
    PoolSpec("last"),
    head=HeadSpec(3),
    dtype="float64",
)


def test_defaults_are_pytorchs():
    assert CellSpec(4) == CellSpec(4, num_layers=1, bidirectional=False, reset_after=True, bias=True)
    assert NetworkSpec(InputSpec(1), CellSpec(4), head=HeadSpec(1)).pool == PoolSpec("last")
    assert HeadSpec(1).loss == "squared_error"
    assert NetworkSpec(InputSpec(1), CellSpec(4), head=HeadSpec(1)).dtype == "float32"


def test_sizes_that_follow():
    assert (CellSpec(4).n_directions, CellSpec(4).output_size) == (1, 4)
    assert (SPEC.cell.n_directions, SPEC.cell.output_size) == (2, 64)


def test_frozen_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPEC.cell.hidden_size = 5
    assert len({SPEC, pickle.loads(pickle.dumps(SPEC))}) == 1


def test_through_json_and_back():
    assert NetworkSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_numpy_scalars_become_plain_values():
    spec = CellSpec(np.int64(4), bidirectional=np.bool_(True))
    assert type(spec.hidden_size) is int
    assert type(spec.bidirectional) is bool
    json.dumps(dataclasses.asdict(spec))


def test_a_missing_field_has_the_old_meaning():
    data = {"input": {"n_features": 8}, "cell": {"hidden_size": 4}, "head": {"n_outputs": 1}}
    assert NetworkSpec.from_dict(data) == NetworkSpec(InputSpec(8), CellSpec(4), head=HeadSpec(1))


@pytest.mark.parametrize("place", [None, "input", "cell", "pool", "head"])
def test_an_unknown_field_is_from_a_newer_version(place):
    data = SPEC.to_dict()
    (data if place is None else data[place])["peephole"] = True
    with pytest.raises(
        ValueError, match=f"part '{place or 'network'}': unknown field peephole.*newer grulearn"
    ):
        NetworkSpec.from_dict(data)


@pytest.mark.parametrize(
    ("place", "name"), [(None, "input"), (None, "cell"), (None, "head"), ("cell", "hidden_size")]
)
def test_a_field_without_a_default_must_be_there(place, name):
    data = SPEC.to_dict()
    del (data if place is None else data[place])[name]
    with pytest.raises(ValueError, match=f"part '{place or 'network'}': field {name} is missing"):
        NetworkSpec.from_dict(data)


@pytest.mark.parametrize("part", [None, 3, [["hidden_size", 4]]])
def test_a_part_must_be_a_mapping(part):
    with pytest.raises(TypeError, match="part 'cell': expected a mapping, got"):
        NetworkSpec.from_dict({**SPEC.to_dict(), "cell": part})
    with pytest.raises(TypeError, match="part 'network': expected a mapping, got"):
        NetworkSpec.from_dict(part)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (InputSpec, "n_features"),
        (CellSpec, "hidden_size"),
        (lambda value: CellSpec(4, num_layers=value), "num_layers"),
        (HeadSpec, "n_outputs"),
    ],
)
def test_sizes_are_integers_of_at_least_one(make, name):
    for value in (0, -1, np.int64(0)):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
            make(value)
    for value in (1.0, "4", None, True, np.bool_(True)):
        with pytest.raises(TypeError, match=f"{name} must be an integer, got"):
            make(value)


@pytest.mark.parametrize("name", ["bidirectional", "reset_after", "bias"])
def test_options_are_bools(name):
    for value in (1, 0, "True", None):
        with pytest.raises(TypeError, match=f"CellSpec: {name} must be True or False, got {value!r}"):
            CellSpec(4, **{name: value})


def test_choices():
    with pytest.raises(ValueError, match="PoolSpec: kind must be one of 'last', .*; got 'sum'"):
        PoolSpec("sum")
    with pytest.raises(ValueError, match="HeadSpec: loss must be one of 'squared_error', .*; got 'hinge'"):
        HeadSpec(1, loss="hinge")
    with pytest.raises(ValueError, match="HeadSpec: target must be one of 'value', 'sequence'; got 'step'"):
        HeadSpec(1, target="step")
    with pytest.raises(ValueError, match="loss must be one of"):
        HeadSpec(1, loss=["squared_error"])
    for dtype in ("float16", "double", np.float64, np.dtype("float64"), None):
        with pytest.raises(ValueError, match="NetworkSpec: dtype must be one of 'float32', 'float64'; got"):
            NetworkSpec(InputSpec(1), CellSpec(4), head=HeadSpec(1), dtype=dtype)


def test_outputs_of_a_target():
    for head, per_target, n_targets in [
        (HeadSpec(3), 1, 3),
        (HeadSpec(6, "pinball", quantiles=[0.1, 0.5, 0.9]), 3, 2),
        (HeadSpec(4, "gaussian"), 2, 2),
        (HeadSpec(5, "cross_entropy"), 5, 1),
        (HeadSpec(5, "binary_cross_entropy", "sequence"), 1, 5),
    ]:
        assert (head.outputs_per_target, head.n_targets) == (per_target, n_targets)
    with pytest.raises(ValueError, match="n_outputs must be a multiple of 2, .* gaussian has .*; got 3"):
        HeadSpec(3, "gaussian")
    with pytest.raises(ValueError, match="n_outputs must be a multiple of 3, .* pinball has"):
        HeadSpec(4, "pinball", quantiles=[0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="n_outputs must be at least 2 classes"):
        HeadSpec(1, "cross_entropy")


def test_delta_and_quantiles_belong_to_their_losses():
    assert HeadSpec(1, "huber").delta == 1.0
    assert HeadSpec(1, "huber", delta=np.float32(0.5)).delta == 0.5
    assert HeadSpec(2, "pinball", quantiles=np.array([0.25, 0.75])).quantiles == (0.25, 0.75)
    with pytest.raises(ValueError, match="delta belongs to the loss huber; this is squared_error"):
        HeadSpec(1, delta=1.0)
    with pytest.raises(ValueError, match="quantiles belong to the loss pinball; this is gaussian"):
        HeadSpec(2, "gaussian", quantiles=[0.5])
    with pytest.raises(ValueError, match=r"needs quantiles, such as \[0.1, 0.5, 0.9\]"):
        HeadSpec(1, "pinball")
    for delta in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="delta must be positive and finite, got"):
            HeadSpec(1, "huber", delta=delta)
    for levels in ([], [0.5, 0.5], [0.9, 0.1], [0.0, 0.5], [0.5, 1.0], [np.nan]):
        with pytest.raises(ValueError, match="quantiles must rise and lie between 0 and 1, got"):
            HeadSpec(max(len(levels), 1), "pinball", quantiles=levels)
    for wrong in (0.5, ["a"], [True]):
        with pytest.raises(TypeError, match="quantiles must be a"):
            HeadSpec(1, "pinball", quantiles=wrong)
    with pytest.raises(TypeError, match="delta must be a number, got '1'"):
        HeadSpec(1, "huber", delta="1")


def test_a_target_for_each_step_has_no_pooling():
    with pytest.raises(ValueError, match="pool.kind must be 'last', its default; got 'mean'"):
        NetworkSpec(InputSpec(1), CellSpec(4), PoolSpec("mean"), head=HeadSpec(1, target="sequence"))


def test_heads_through_json_and_back():
    for head in (
        HeadSpec(6, "pinball", "sequence", quantiles=(0.1, 0.5, 0.9)),
        HeadSpec(1, "huber", delta=2),
    ):
        spec = NetworkSpec(InputSpec(1), CellSpec(4), head=head)
        again = NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
        assert again == spec
        assert hash(again) == hash(spec)


def test_widths_of_the_input():
    for spec, width, inputs in [
        (InputSpec(4), 4, 4),
        (InputSpec(4, decay=True), 12, 8),
        (InputSpec(0, categorical=[(50, 16)]), 0, 16),
        (InputSpec(2, categorical=((7, 3), (2, 1)), decay=True), 6, 8),
    ]:
        assert (spec.row_width, spec.cell_inputs) == (width, inputs)


def test_inputs_without_a_feature_are_refused():
    with pytest.raises(ValueError, match="InputSpec: n_features must be at least 1, got 0"):
        InputSpec(0)
    with pytest.raises(ValueError, match="InputSpec: n_features must be at least 1, got 0"):
        InputSpec(0, categorical=[(3, 2)], decay=True)
    with pytest.raises(ValueError, match="InputSpec: n_features must be at least 0, got -1"):
        InputSpec(-1, categorical=[(3, 2)])


def test_categorical_features_are_pairs_of_sizes():
    for wrong in (3, [3], [(1, 2, 3)], [(1,)], [None]):
        with pytest.raises(
            TypeError, match=r"categorical must be a sequence of pairs \(n_codes, size\), got"
        ):
            InputSpec(1, categorical=wrong)
    with pytest.raises(ValueError, match="n_codes of categorical feature 1 must be at least 1, got 0"):
        InputSpec(1, categorical=[(3, 2), (0, 2)])
    with pytest.raises(TypeError, match="size of categorical feature 0 must be an integer, got 2.0"):
        InputSpec(1, categorical=[(3, 2.0)])
    with pytest.raises(TypeError, match="InputSpec: decay must be True or False, got 1"):
        InputSpec(1, decay=1)


def test_inputs_through_json_and_back():
    given = InputSpec(2, categorical=np.array([[50, 16], [3, 1]]), decay=True)
    spec = NetworkSpec(given, CellSpec(4), head=HeadSpec(1))
    again = NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert hash(again) == hash(spec)
    assert spec.input.categorical == ((50, 16), (3, 1))


def test_decay_needs_one_direction():
    with pytest.raises(ValueError, match="decay needs bidirectional=False: a gap is the time since"):
        NetworkSpec(InputSpec(1, decay=True), CellSpec(4, bidirectional=True), head=HeadSpec(1))


def test_parts_are_of_their_classes():
    with pytest.raises(TypeError, match="NetworkSpec: cell must be CellSpec, got dict"):
        NetworkSpec(InputSpec(1), {"hidden_size": 4}, head=HeadSpec(1))


@pytest.mark.parametrize("zoneout", [-0.1, 1.0, float("nan")])
def test_zoneout_is_a_probability_below_one(zoneout):
    with pytest.raises(ValueError, match="CellSpec: zoneout must be at least 0 and below 1, got"):
        CellSpec(3, zoneout=zoneout)


def test_zoneout_is_a_number():
    with pytest.raises(TypeError, match="CellSpec: zoneout must be a number, got '0.1'"):
        CellSpec(3, zoneout="0.1")
    assert CellSpec(3, zoneout=0) == CellSpec(3)
    assert CellSpec(3, zoneout=np.float32(0.5)).zoneout == 0.5
