"""Pooling against plain loops, finite differences, and what must hold of any pooling."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.equations import gru_sequence, pool_states, pool_states_backward

KINDS = ["last", "mean", "max", "attention"]
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
LENGTHS = [4, 0, 1, 3]
STEP, DIFFERENCE_TOLERANCE = 6e-6, 1e-8  # as in test_gru.py
ROUNDING = 1e-14


def draw(kind, seed=0):
    rng = np.random.default_rng(seed)
    states = rng.uniform(-1, 1, (4, 4, 6))
    query = rng.normal(0, 2, 6) if kind == "attention" else None
    return states, {"lengths": LENGTHS, "query": query, "n_directions": 2}


def plainly(states, kind, length, query):
    """One sequence, from the formula."""
    h = states[:length]
    if length == 0:
        return np.zeros(6)
    if kind == "last":
        return np.concatenate([h[-1, :3], h[0, 3:]])
    if kind == "attention":
        powers = np.exp([h_t @ query / np.sqrt(6) for h_t in h])
        return sum(p * h_t for p, h_t in zip(powers / powers.sum(), h, strict=True))
    return h.mean(0) if kind == "mean" else h.max(0)


@EACH_KIND
def test_each_sequence_by_its_formula(kind):
    states, options = draw(kind)
    pooled = pool_states(states, kind, **options)
    for i, length in enumerate(LENGTHS):
        expected = plainly(states[i], kind, length, options["query"])
        np.testing.assert_allclose(pooled[i], expected, rtol=0, atol=ROUNDING)


def test_last_is_the_final_states():
    rng = np.random.default_rng(1)
    weights = {}
    for suffix in ("", "_reverse"):
        weights[f"weight_ih_l0{suffix}"] = rng.normal(size=(9, 2))
        weights[f"weight_hh_l0{suffix}"] = rng.normal(size=(9, 3))
    outputs, h_n = gru_sequence(rng.normal(size=(4, 4, 2)), weights, lengths=LENGTHS)
    pooled = pool_states(outputs, lengths=LENGTHS, n_directions=2)
    np.testing.assert_array_equal(pooled, np.concatenate(list(h_n), axis=1))


@EACH_KIND
def test_backward_is_the_derivative(kind):
    states, options = draw(kind)
    d_pooled = np.random.default_rng(2).normal(size=(4, 6))
    d_states, d_query = pool_states_backward(d_pooled, states, kind, **options)
    for array, gradient in [(states, d_states), (options["query"], d_query)]:
        if array is None:
            assert gradient is None
            continue
        for place in np.ndindex(array.shape):
            value = array[place]
            sums = []
            for moved in (value + STEP, value - STEP):
                array[place] = moved
                sums.append((pool_states(states, kind, **options) * d_pooled).sum())
            array[place] = value
            numeric = (sums[0] - sums[1]) / (2 * STEP)
            assert gradient[place] == pytest.approx(numeric, abs=DIFFERENCE_TOLERANCE), place


@EACH_KIND
def test_padding_changes_nothing(kind):
    states, options = draw(kind)
    dirty = states.copy()
    for i, length in enumerate(LENGTHS):
        dirty[i, length:] = np.nan
    np.testing.assert_array_equal(pool_states(dirty, kind, **options), pool_states(states, kind, **options))
    d_pooled = np.ones((4, 6))
    for clean, other in zip(
        pool_states_backward(d_pooled, states, kind, **options),
        pool_states_backward(d_pooled, dirty, kind, **options),
        strict=True,
    ):
        np.testing.assert_array_equal(clean, other)


def test_max_sends_the_gradient_to_the_first_of_equals():
    states = np.array([[[0.5, -1.0], [0.7, -1.0], [0.7, -1.0]]])
    d_states, _ = pool_states_backward(np.array([[2.0, 3.0]]), states, "max")
    np.testing.assert_array_equal(d_states[0], [[0, 3], [2, 0], [0, 0]])


def test_a_query_of_zero_is_the_mean():
    states, options = draw("attention")
    options["query"] = np.zeros(6)
    expected = pool_states(states, "mean", **options)
    np.testing.assert_allclose(pool_states(states, "attention", **options), expected, atol=ROUNDING)


def test_huge_scores_are_safe():
    states, options = draw("attention")
    options["query"] = np.full(6, 1e5)
    with np.errstate(over="raise", invalid="raise"):
        pooled = pool_states(states, "attention", **options)
    sums = states[0].sum(1)
    np.testing.assert_allclose(pooled[0], states[0, sums.argmax()], atol=ROUNDING)


@EACH_KIND
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_no_sequence_and_no_step(kind, shape):
    query = np.ones(4)
    pooled = pool_states(np.zeros(shape), kind, query=query)
    assert pooled.shape == (shape[0], 4)
    assert not pooled.any()
    d_states, _ = pool_states_backward(pooled, np.zeros(shape), kind, query=query)
    assert d_states.shape == shape


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of last, mean, max, attention, got 'sum'"):
        pool_states(np.zeros((1, 1, 2)), "sum")
