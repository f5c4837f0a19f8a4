"""Sizes, data, and the arithmetic that cannot be avoided."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.benchmark.cases import Case

CASES = [
    Case(1, 1, 3, 4),
    Case(3, 5, 2, 4),
    Case(2, 4, 3, 5, num_layers=3),
    Case(2, 4, 3, 5, bidirectional=True),
    Case(4, 6, 3, 5, num_layers=2, bidirectional=True),
    Case(5, 7, 3, 5, num_layers=2, ragged=True),
    Case(3, 5, 2, 4, reset_after=False),
]


def products(case):
    """List the products of a plain loop: (rows, columns, whether the gradient of the vector is wanted)."""
    gates = 3 * case.hidden
    directions = 2 if case.bidirectional else 1
    for length in case.lengths:
        for layer in range(case.num_layers):
            for _ in range(directions):
                for step in range(length):
                    inputs = case.features if layer == 0 else directions * case.hidden
                    yield gates, inputs, layer > 0
                    if step > 0:  # the state before the first step is zero
                        yield gates, case.hidden, True


@pytest.mark.parametrize("case", CASES, ids=str)
def test_flops_are_those_of_a_plain_loop(case):
    forward = sum(2 * rows * columns for rows, columns, _ in products(case))
    weights = sum(2 * rows * columns for rows, columns, _ in products(case))
    vectors = sum(2 * rows * columns for rows, columns, wanted in products(case) if wanted)
    assert case.inference_flops() == forward
    assert case.training_flops() == forward + weights + vectors


def test_one_step_has_no_recurrent_product():
    case = Case(10, 1, 3, 4)
    assert case.inference_flops() == 10 * 6 * 4 * 3
    assert case.training_flops() == 2 * case.inference_flops()


def test_data_are_the_same_every_time():
    first, second = Case(3, 5, 2, 4, ragged=True), Case(3, 5, 2, 4, ragged=True)
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.lengths, second.lengths)
    for name, value in first.weights.items():
        np.testing.assert_array_equal(value, second.weights[name])


def test_data_have_the_sizes_of_the_case():
    case = Case(200, 5, 2, 4, ragged=True)
    assert case.inputs.shape == (200, 5, 2)
    assert case.targets.shape == (200, 1)
    assert {case.inputs.dtype, case.targets.dtype, case.weights["head.weight"].dtype} == {np.dtype("float32")}
    assert (case.lengths.min(), case.lengths.max()) == (1, 5)
    assert (Case(3, 5, 2, 4).lengths == 5).all()


def test_both_forms_have_the_same_data():
    after, before = CASES[1], CASES[-1]
    np.testing.assert_array_equal(after.weights["weight_hh_l0"], before.weights["weight_hh_l0"])
