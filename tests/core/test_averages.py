"""The moving average of the parameters: against plain NumPy, and as state that can be carried on."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.spec import CellSpec, HeadSpec

DECAY = 0.9


@pytest.mark.parametrize("categorical", [(), ((7, 3),)], ids=["plain", "embeddings"])
def test_it_is_the_mean_with_falling_weights(make_head_case, isa, dtype, categorical):
    case = make_head_case(HeadSpec(2), CellSpec(19), isa, dtype, categorical=categorical)
    trainer = case.trainer(average_decay=DECAY)
    np.testing.assert_array_equal(trainer.averaged_parameters(), case.start)
    after: list[np.ndarray] = []
    for begin in (0, 8, 16, 3):
        _, weight = trainer.accumulate(np.arange(begin, begin + 7))
        trainer.apply(0.05, weight)
        after.append(case.network.parameters().astype(np.float64))
        weights = DECAY ** np.arange(len(after) - 1, -1, -1)
        expected = np.tensordot(weights, np.stack(after), 1) / weights.sum()
        # Three roundings a step, of terms no larger than the parameters.
        bound = {"float32": 1e-6, "float64": 2e-15}[dtype] * np.abs(expected).max()
        np.testing.assert_allclose(trainer.averaged_parameters(), expected, rtol=0, atol=bound)


def test_it_changes_nothing_else_and_no_thread_changes_it(make_head_case):
    case = make_head_case(HeadSpec(1), CellSpec(40), n=300)
    case.trainer().run_epoch(None, 0.01)
    expected = case.network.parameters()
    averages = []
    for n_jobs in (1, 2, 5):
        trainer = case.trainer(average_decay=DECAY, n_jobs=n_jobs)
        trainer.run_epoch(None, 0.01)
        np.testing.assert_array_equal(case.network.parameters(), expected)
        averages.append(trainer.averaged_parameters())
    np.testing.assert_array_equal(averages[1], averages[0])
    np.testing.assert_array_equal(averages[2], averages[0])


def test_another_trainer_goes_on(make_head_case):
    case = make_head_case(HeadSpec(1))
    trainer = case.trainer(average_decay=DECAY)
    for _ in range(4):
        trainer.run_epoch(None, 0.01)
    expected, state = trainer.averaged_parameters(), trainer.average_state()
    assert state[1] == 12  # 23 sequences in batches of 8
    first = case.trainer(average_decay=DECAY)
    for _ in range(2):
        first.run_epoch(None, 0.01)
    parameters = case.network.parameters()
    second = case.trainer(average_decay=DECAY)
    case.network.set_parameters(parameters)
    second.set_optimizer_state(*first.optimizer_state())
    second.set_average_state(*first.average_state())
    for _ in range(2):
        second.run_epoch(None, 0.01)
    np.testing.assert_array_equal(second.averaged_parameters(), expected)
    np.testing.assert_array_equal(second.average_state()[0], state[0])


def test_what_is_refused(make_head_case):
    case = make_head_case(HeadSpec(1))
    trainer = case.trainer()
    message = "no average of the parameters is kept: average_decay is 0"
    with pytest.raises(ValueError, match=message):
        trainer.averaged_parameters()
    with pytest.raises(ValueError, match=message):
        trainer.average_state()
    with pytest.raises(ValueError, match=message):
        trainer.set_average_state(case.start, 1)
    for decay in (1.0, -0.5, np.nan):
        with pytest.raises(ValueError, match="average_decay must be at least 0 and below 1, got"):
            case.trainer(average_decay=decay)
    trainer = case.trainer(average_decay=DECAY)
    with pytest.raises(ValueError, match="n_steps must be at least 0, got -1"):
        trainer.set_average_state(case.start, -1)
    with pytest.raises(ValueError, match="the average must be finite"):
        trainer.set_average_state(np.full_like(case.start, np.inf), 1)
    with pytest.raises(ValueError, match="average must have shape"):
        trainer.set_average_state(case.start[:-1], 1)
