"""Adam's state, out of one trainer and into another."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.spec import CellSpec, HeadSpec

EACH_POOL = pytest.mark.parametrize("pool", ["last", "attention"])


@EACH_POOL
def test_going_on_from_a_saved_state_is_not_having_stopped(make_head_case, isa, dtype, pool):
    case = make_head_case(HeadSpec(2), CellSpec(19, bidirectional=True), isa, dtype, pool=pool)
    order = np.random.default_rng(5).permutation(23)
    options = {"clip_norm": 0.5, "weight_decay": 0.01}
    trainer = case.trainer(**options)
    for _ in range(3):
        trainer.run_epoch(order, 0.01)
    parameters, state = case.network.parameters(), trainer.optimizer_state()
    assert state[2] == 9
    expected = [trainer.run_epoch(order, 0.01) for _ in range(2)]
    after = case.network.parameters()

    other = case.trainer(n_jobs=2, **options)
    case.network.set_parameters(parameters)
    other.set_optimizer_state(*state)
    for kept, given in zip(other.optimizer_state(), state, strict=True):
        np.testing.assert_array_equal(kept, given)
    np.testing.assert_array_equal([other.run_epoch(order, 0.01) for _ in range(2)], expected)
    np.testing.assert_array_equal(case.network.parameters(), after)


@EACH_POOL
def test_the_state_is_adams(make_head_case, isa, dtype, pool):
    case = make_head_case(HeadSpec(2), isa=isa, dtype=dtype, pool=pool)
    trainer = case.trainer()
    first, second, n_steps = trainer.optimizer_state()
    assert n_steps == 0
    assert not first.any()
    assert not second.any()
    weight = trainer.accumulate(np.arange(8))[1]
    gradient = trainer.gradients() / weight
    trainer.apply(0.01, weight)
    first, second, n_steps = trainer.optimizer_state()
    assert n_steps == 1
    assert first.dtype == second.dtype == dtype
    np.testing.assert_allclose(first, 0.1 * gradient, rtol=1e-6)
    np.testing.assert_allclose(
        second, 0.001 * gradient**2, rtol=1e-5, atol=1e-38
    )  # below, float32 is flushed
    first[:] = 5  # a copy
    assert not (trainer.optimizer_state()[0] == 5).any()


def test_wrong_states_are_refused(make_head_case):
    case = make_head_case(HeadSpec(1))
    trainer = case.trainer()
    n = case.network.n_parameters
    good = np.zeros(n, np.float32)
    with pytest.raises(ValueError, match=rf"first_moment must have shape \({n}\), got \({n - 1}\)"):
        trainer.set_optimizer_state(good[1:].copy(), good, 1)
    with pytest.raises(ValueError, match="second_moment must have shape"):
        trainer.set_optimizer_state(good, good[1:].copy(), 1)
    with pytest.raises(ValueError, match="n_steps must be at least 0, got -1"):
        trainer.set_optimizer_state(good, good, -1)
    bad = good.copy()
    for value in (np.nan, np.inf):
        bad[3] = value
        with pytest.raises(
            ValueError, match="moments must be finite and the second ones at least 0, .* at 3"
        ):
            trainer.set_optimizer_state(bad, good, 1)
    bad[3] = -1.0
    trainer.set_optimizer_state(bad, good, 1)
    with pytest.raises(ValueError, match=r"got 0\.0* and -1\.0* at 3"):
        trainer.set_optimizer_state(good, bad, 1)
