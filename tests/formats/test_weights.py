"""Names, shapes and order of the weights."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.formats.weights import (
    cell_parameter_shapes,
    flatten,
    infer_cell,
    parameter_shapes,
    unflatten,
)
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec, PoolSpec

SPEC = NetworkSpec(InputSpec(5), CellSpec(4, num_layers=2, bidirectional=True), head=HeadSpec(3))

CELLS = [
    CellSpec(hidden_size, num_layers, bidirectional, reset_after, bias)
    for hidden_size, num_layers in [(1, 1), (4, 3)]
    for bidirectional in (False, True)
    for reset_after in (False, True)
    for bias in (False, True)
]


def random_weights(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_the_canonical_order_and_shapes():
    assert list(parameter_shapes(SPEC).items()) == [
        ("weight_ih_l0", (12, 5)),
        ("weight_hh_l0", (12, 4)),
        ("bias_ih_l0", (12,)),
        ("bias_hh_l0", (12,)),
        ("weight_ih_l0_reverse", (12, 5)),
        ("weight_hh_l0_reverse", (12, 4)),
        ("bias_ih_l0_reverse", (12,)),
        ("bias_hh_l0_reverse", (12,)),
        ("weight_ih_l1", (12, 8)),
        ("weight_hh_l1", (12, 4)),
        ("bias_ih_l1", (12,)),
        ("bias_hh_l1", (12,)),
        ("weight_ih_l1_reverse", (12, 8)),
        ("weight_hh_l1_reverse", (12, 4)),
        ("bias_ih_l1_reverse", (12,)),
        ("bias_hh_l1_reverse", (12,)),
        ("head.weight", (3, 8)),
        ("head.bias", (3,)),
    ]


def test_without_biases_the_head_keeps_its_own():
    spec = NetworkSpec(InputSpec(5), CellSpec(4, bias=False), head=HeadSpec(1))
    assert list(parameter_shapes(spec)) == ["weight_ih_l0", "weight_hh_l0", "head.weight", "head.bias"]


def test_attention_has_a_query():
    cell = CellSpec(4, bidirectional=True, bias=False)
    for kind in ("last", "mean", "max", "attention"):
        spec = NetworkSpec(InputSpec(5), cell, PoolSpec(kind), head=HeadSpec(1))
        query = {"pool.query": (8,)} if kind == "attention" else {}
        expected = {**cell_parameter_shapes(5, cell), **query, "head.weight": (1, 8), "head.bias": (1,)}
        assert list(parameter_shapes(spec).items()) == list(expected.items())
        assert infer_cell(random_weights(parameter_shapes(spec))) == (5, cell)


def test_weights_of_the_input_stand_between_the_cells_and_the_query():
    cell = CellSpec(4, bias=False)
    given = InputSpec(3, categorical=[(50, 5), (2, 1)], decay=True)
    spec = NetworkSpec(given, cell, PoolSpec("attention"), head=HeadSpec(1))
    assert list(parameter_shapes(spec).items()) == [
        ("weight_ih_l0", (12, 12)),
        ("weight_hh_l0", (12, 4)),
        ("input.embedding_0", (50, 5)),
        ("input.embedding_1", (2, 1)),
        ("decay.input_weight", (3,)),
        ("decay.input_bias", (3,)),
        ("decay.hidden_weight", (4, 3)),
        ("decay.hidden_bias", (4,)),
        ("pool.query", (4,)),
        ("head.weight", (1, 4)),
        ("head.bias", (1,)),
    ]
    assert infer_cell(random_weights(parameter_shapes(spec))) == (12, cell)


def test_flatten_joins_in_canonical_order_whatever_the_order_given():
    shapes = parameter_shapes(SPEC)
    weights = random_weights(shapes)
    flat = flatten(dict(reversed(weights.items())), shapes)
    assert flat.dtype == np.float32
    np.testing.assert_array_equal(flat, np.concatenate([weights[name].ravel() for name in shapes]))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_unflatten_is_the_inverse(cell):
    shapes = cell_parameter_shapes(3, cell)
    weights = random_weights(shapes)
    flat = flatten(weights, shapes)
    back = unflatten(flat, shapes)
    assert list(back) == list(shapes)
    for name, weight in weights.items():
        np.testing.assert_array_equal(back[name], weight, strict=True)
        assert not np.shares_memory(back[name], flat)


def test_flatten_keeps_float64_where_it_is_asked_for():
    flat = flatten({"a": [[0.1, 0.2]], "b": np.float32([0.3])}, {"a": (1, 2), "b": (1,)}, "float64")
    np.testing.assert_array_equal(flat, np.array([0.1, 0.2, np.float32(0.3)]), strict=True)


def test_flatten_takes_any_real_array_in_any_layout():
    shapes = {"a": (2, 3), "b": (2,)}
    expected = np.array([0, 1, 2, 3, 4, 5, 1, 0], dtype=np.float32)
    for a in (
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        [[0, 1, 2], [3, 4, 5]],
    ):
        np.testing.assert_array_equal(flatten({"a": a, "b": np.array([True, False])}, shapes), expected)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_infer_cell_reads_names_and_shapes(cell):
    weights = random_weights(cell_parameter_shapes(3, cell))
    assert infer_cell(weights, reset_after=cell.reset_after) == (3, cell)


def test_infer_cell_reads_past_a_head():
    assert infer_cell(random_weights(parameter_shapes(SPEC))) == (5, SPEC.cell)


# Wrong weights


def test_a_missing_and_an_unknown_weight_are_named():
    shapes = parameter_shapes(SPEC)
    weights = random_weights(shapes)
    weights["bias_ih_l7"] = weights.pop("bias_ih_l1")
    with pytest.raises(ValueError, match="missing bias_ih_l1; unknown bias_ih_l7"):
        flatten(weights, shapes)


def test_a_wrong_shape_is_named():
    shapes = parameter_shapes(SPEC)
    weights = random_weights(shapes)
    weights["weight_hh_l1"] = weights["weight_hh_l1"].T
    with pytest.raises(ValueError, match=r"weight_hh_l1 has shape \(4, 12\), expected \(12, 4\)"):
        flatten(weights, shapes)
    with pytest.raises(ValueError, match=r"weight_hh_l1 has shape \(4, 12\), expected \(12, 4\)"):
        infer_cell(weights)


@pytest.mark.parametrize("value", [np.array(["1", "2"]), np.array([1j, 2]), np.array([None, 1])])
def test_weights_that_are_not_numbers(value):
    with pytest.raises(TypeError, match="a must hold real numbers"):
        flatten({"a": value}, {"a": (2,)})


@pytest.mark.parametrize("flat", [np.zeros(5), np.zeros(7), np.zeros((1, 6)), 0.0])
def test_a_flat_vector_of_the_wrong_length(flat):
    with pytest.raises(ValueError, match=r"the flat vector has shape .*, expected \(6,\)"):
        unflatten(flat, {"a": (2, 3)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_ih_l0": None}, "weight_ih_l0 is missing; expected the state dict of one torch.nn.GRU"),
        ({"weight_hh_l0": None}, "weight_hh_l0 is missing"),
        ({"weight_ih_l0": np.zeros(12)}, r"weight_ih_l0 has shape \(12,\), expected a matrix"),
        ({"weight_hh_l0": np.zeros((12, 0))}, r"weight_hh_l0 has shape \(12, 0\), expected a matrix"),
        ({"weight_ih_l0": np.zeros((16, 5))}, r"has 16 rows .* 12 rows \(an LSTM has four"),
        ({"bias_hh_l0": None}, "missing bias_hh_l0"),
        ({"weight_hh_l0_reverse": None}, "missing weight_hh_l0_reverse"),
        ({"weight_ih_l1": np.zeros((12, 4))}, r"weight_ih_l1 has shape \(12, 4\), expected \(12, 8\)"),
        ({"weight_ih_l3": np.zeros((12, 8))}, "missing weight_ih_l2, .*weight_hh_l3"),
        ({"fc.weight": np.zeros((1, 8))}, "unknown fc.weight"),
    ],
)
def test_weights_that_are_not_one_gru(change, message):
    weights = random_weights(cell_parameter_shapes(SPEC.input.n_features, SPEC.cell)) | change
    with pytest.raises(ValueError, match=message):
        infer_cell({name: value for name, value in weights.items() if value is not None})


def test_no_weights_at_all():
    with pytest.raises(ValueError, match="the names given begin with nothing"):
        infer_cell({})
