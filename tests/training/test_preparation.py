"""What comes before the loop: the validation part, initial weights, batches."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from grulearn.formats import parameter_shapes
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training import draw_weights, hold_out
from grulearn.training.batches import auto_batch_size, batch_shares
from grulearn.training.initialisation import CHRONO_STEPS

SPEC = NetworkSpec(InputSpec(7), CellSpec(16, num_layers=2, bidirectional=True), head=HeadSpec(3))
SHAPES = parameter_shapes(SPEC)


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(3, 0.1, 1), (10, 0.1, 1), (11, 0.1, 2), (30, 0.1, 3), (1000, 0.25, 250), (3, 0.99, 1), (10, 0.99, 8)],
)
def test_the_validation_part_has_the_fraction_asked_for(n: int, fraction: float, expected: int) -> None:
    training, validation = hold_out(n, fraction, np.random.default_rng(0))
    assert len(validation) == expected
    assert sorted([*training, *validation]) == list(range(n))
    assert list(training) == sorted(training)


def test_the_validation_part_is_drawn_at_random() -> None:
    parts = [tuple(hold_out(100, 0.1, np.random.default_rng(seed))[1]) for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]
    assert parts[0] not in (tuple(range(10)), tuple(range(90, 100)))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_samples_to_hold_one_out(n: int) -> None:
    with pytest.raises(ValueError, match=rf"n_samples={n}: at least 3 .* early_stopping=False"):
        hold_out(n, 0.1, np.random.default_rng(0))


def test_orthogonal_weights() -> None:
    weights = draw_weights(SHAPES, "auto", np.random.default_rng(0))
    assert list(weights) == list(SHAPES)
    for name, values in weights.items():
        assert values.shape == SHAPES[name]
        if "bias" in name:
            assert not values.any()
        elif name.startswith("weight_hh"):
            for gate in values.reshape(3, 16, 16):
                np.testing.assert_allclose(gate @ gate.T, np.eye(16), atol=1e-12)
    bound = np.sqrt(6 / (7 + 16))  # Glorot's, of one gate, not of the three stacked
    assert 0.9 * bound < np.abs(weights["weight_ih_l0"]).max() <= bound


def test_the_gates_recurrent_matrices_differ() -> None:
    r, z, n = draw_weights(SHAPES, "orthogonal", np.random.default_rng(0))["weight_hh_l0"].reshape(3, 16, 16)
    assert not np.allclose(r, z)
    assert not np.allclose(z, n)


def test_pytorch_weights_are_uniform_within_their_bounds() -> None:
    weights = draw_weights(SHAPES, "pytorch", np.random.default_rng(0))
    for name, values in weights.items():
        bound = 1 / np.sqrt(32 if name.startswith("head") else 16)
        assert np.abs(values).max() <= bound
        if values.size > 100:
            assert np.abs(values).max() > 0.9 * bound
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.15)


def test_attention_begins_as_the_mean() -> None:
    shapes = {"weight_hh_l0": (12, 4), "pool.query": (4,), "head.weight": (1, 4), "head.bias": (1,)}
    assert not draw_weights(shapes, "auto", np.random.default_rng(0))["pool.query"].any()
    query = draw_weights(shapes, "pytorch", np.random.default_rng(0))["pool.query"]
    assert (np.abs(query) <= 0.5).all()
    assert query.any()


INPUT_SHAPES = parameter_shapes(
    NetworkSpec(InputSpec(5, categorical=[(400, 8), (300, 2)], decay=True), CellSpec(200), head=HeadSpec(1))
)


@pytest.mark.parametrize("method", ["auto", "pytorch"])
def test_embeddings_weigh_as_much_as_a_standardised_feature(method: str) -> None:
    weights = draw_weights(INPUT_SHAPES, method, np.random.default_rng(0))
    for name in ("input.embedding_0", "input.embedding_1"):
        assert not weights[name][0].any()
        # Of some 300 squared lengths with a variance of 2 / size.
        assert (weights[name][1:] ** 2).sum(1).mean() == pytest.approx(1.0, abs=0.2)
        assert weights[name].mean() == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("method", ["auto", "pytorch"])
def test_decay_begins_slow_and_with_a_gradient(method: str) -> None:
    weights = draw_weights(INPUT_SHAPES, method, np.random.default_rng(0))
    np.testing.assert_array_equal(weights["decay.input_weight"], np.full(5, 0.1))
    rates = weights["decay.hidden_weight"] @ np.ones(5)
    assert rates.min() == pytest.approx(0.01, rel=0.1)
    assert rates.max() == pytest.approx(0.1, rel=0.1)
    assert not weights["decay.input_bias"].any()
    assert not weights["decay.hidden_bias"].any()


def test_weights_depend_on_the_generator_only() -> None:
    one, same, other = (
        draw_weights(SHAPES, "auto", np.random.default_rng(s))["weight_hh_l1"] for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("hidden_size", [64, 300])
def test_orthogonal_weights_do_not_depend_on_the_threads_of_blas(hidden_size: int) -> None:
    drawn = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            shapes = {"weight_hh_l0": (3 * hidden_size, hidden_size)}
            drawn.append(draw_weights(shapes, "orthogonal", np.random.default_rng(0))["weight_hh_l0"])
    np.testing.assert_array_equal(*drawn)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="no method 'xavier'.*orthogonal"):
        draw_weights(SHAPES, "xavier", np.random.default_rng(0))


def test_auto_batch_sizes_are_powers_of_two_that_grow() -> None:
    sizes = [auto_batch_size(n) for n in (1, 10, 500, 5000, 20_000, 10**7)]
    assert sizes == sorted(sizes)
    assert all(size & (size - 1) == 0 for size in sizes)
    assert sizes[0] == sizes[1] == 16
    assert sizes[-1] == 256


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (5, 5), (5, 64)])
def test_shares_of_the_batches(n: int, size: int) -> None:
    shares = batch_shares(n, size)
    assert len(shares) == -(-n // size)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] == pytest.approx((n % size or min(n, size)) / n)


@pytest.mark.parametrize("n_steps", [3, 10, 1000])
def test_chrono_biases(n_steps: int) -> None:
    """z = sigmoid(bias) is the share of the old state: it is remembered for 1 / (1 - z) = 1 + u steps."""
    spec = NetworkSpec(InputSpec(2), CellSpec(300, num_layers=2, bidirectional=True), head=HeadSpec(1))
    weights = draw_weights(parameter_shapes(spec), "chrono", np.random.default_rng(0), n_steps)
    for name in ("bias_ih_l0", "bias_ih_l1", "bias_ih_l0_reverse"):
        r, z, n = weights[name].reshape(3, 300)
        assert not r.any()
        assert not n.any()
        constants = 1.0 + np.exp(z)
        assert constants.min() >= 2.0
        assert constants.max() <= n_steps
        # Uniform on (2, n_steps): the mean of 300 is within 5 standard errors, 0.29 of the width / sqrt(300).
        assert abs(constants.mean() - (2 + n_steps) / 2) <= 5 * 0.29 * (n_steps - 2) / np.sqrt(300) + 1e-9
        assert not weights[name.replace("ih", "hh")].any()


def test_chrono_is_orthogonal_but_for_the_biases() -> None:
    drawn = draw_weights(SHAPES, "chrono", np.random.default_rng(0), 50)
    plain = draw_weights(SHAPES, "orthogonal", np.random.default_rng(0), 50)
    for name in SHAPES:
        assert np.array_equal(drawn[name], plain[name]) != name.startswith("bias_ih")


@pytest.mark.parametrize("n_steps", [0, 1, 2])
def test_chrono_of_very_short_sequences_has_no_bias(n_steps: int) -> None:
    weights = draw_weights(SHAPES, "chrono", np.random.default_rng(0), n_steps)
    assert not weights["bias_ih_l0"].any()


def test_chrono_keeps_the_state_of_a_network_that_sees_nothing() -> None:
    """After n_steps - 1 zero steps a state of ones is, on average over the units, far from forgotten."""
    shapes = parameter_shapes(NetworkSpec(InputSpec(1), CellSpec(64), head=HeadSpec(1)))
    kept = {}
    for method in ("orthogonal", "chrono"):
        weights = draw_weights(shapes, method, np.random.default_rng(0), 100)
        z = 1.0 / (1.0 + np.exp(-weights["bias_ih_l0"][64:128]))
        kept[method] = float((z**99).mean())
    assert kept["orthogonal"] < 1e-20  # 0.5 ** 99
    # The mean of (u / (1 + u)) ** 99 over u from 1 to 99: about 0.16.
    assert kept["chrono"] > 0.1


def test_auto_takes_chrono_for_long_sequences_with_biases() -> None:
    def is_chrono(shapes: dict, n_steps: int) -> bool:
        weights = draw_weights(shapes, "auto", np.random.default_rng(0), n_steps)
        return any(values.any() for name, values in weights.items() if name.startswith("bias_ih"))

    assert is_chrono(SHAPES, CHRONO_STEPS)
    assert not is_chrono(SHAPES, CHRONO_STEPS - 1)
    unbiased = parameter_shapes(NetworkSpec(InputSpec(7), CellSpec(16, bias=False), head=HeadSpec(1)))
    assert not is_chrono(unbiased, CHRONO_STEPS)
