"""Training with checkpoints: the same bits in less memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from grulearn.estimators import GRURegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5, 3))
Y = X[:, :, 0].sum(axis=1) + X[:, -1, 1]


def regressor(**options: object) -> GRURegressor:
    return GRURegressor(**{"hidden_size": 8, "max_iter": 5, "random_state": 0, **options})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "reset_after": False}])
def test_they_do_not_change_a_bit(dtype: str, options: dict[str, object]) -> None:
    whole = regressor(dtype=dtype, **options).fit(X, Y)
    for steps in (1, 2, np.int64(4), 5, 10**30):
        model = regressor(dtype=dtype, checkpoint_steps=steps, **options).fit(X, Y)
        assert model.loss_curve_ == whole.loss_curve_
        np.testing.assert_array_equal(model.predict(X), whole.predict(X))


@pytest.mark.parametrize("steps", [0, -1, 2.0, "all"])
def test_they_are_counted_in_whole_steps(steps: object) -> None:
    message = r"'checkpoint_steps' parameter of GRURegressor must be an int in the range \[1, inf\) or None"
    with pytest.raises(ValueError, match=message):
        regressor(checkpoint_steps=steps).fit(X, Y)


def test_they_save_memory() -> None:
    code = """
import re
import numpy as np
from grulearn import GRURegressor

def peak(n_steps, **options):
    model = GRURegressor(64, max_iter=1, batch_size=1, early_stopping=False, **options)
    model.fit(np.zeros((2, n_steps, 1)) + [[[1.0]], [[2.0]]], [0.0, 1.0])
    # Of the process so far, in MiB; getrusage begins with what the parent had.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

peaks = [peak(10), peak(30_000, checkpoint_steps=100), peak(30_000)]
print(peaks[1] - peaks[0], peaks[2] - peaks[1])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    with_checkpoints, more_without = map(float, done.stdout.split())
    # 30,000 steps of 64 units: 7.3 MiB for each float, 1 of them with checkpoints and 4 more without; the
    # inputs, in the three forms that they pass through, take 1.2.
    assert 7 < with_checkpoints < 15
    assert more_without > 25
