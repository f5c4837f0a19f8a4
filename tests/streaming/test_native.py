"""The core's streams take codes and times that are just as they should be, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

X = np.array([[20.0, 0.0], [21.0, np.nan], [np.nan, 0.001]])
CODES = np.array([[0], [1], [4]], np.int32)
TIMES = np.array([5, 6, 7])


@pytest.fixture
def native(make_model, read_log, log):
    """Three streams of a model of two numeric features and one of five codes, with times of whole numbers."""
    native = make_model(read_log(log, "second"), "simple").stream(3)._native
    native.set_clock(True, 60.0)
    return native


def test_what_fits_is_taken(native):
    assert native.step(X, None, None, CODES, TIMES).shape == (3,)
    assert native.step(X[:2], np.array([2, 1]), None, CODES[:2], TIMES[:2] + 2).shape == (2,)
    assert type(native.step(X[0].copy(), 0, None, CODES[0], np.array(5))) is float


@pytest.mark.parametrize(
    ("x", "streams", "codes", "times"),
    [
        (X, None, None, TIMES),
        (X, None, CODES, None),
        (X, None, CODES.astype(np.int64), TIMES),
        (X, None, CODES[:2], TIMES),
        (X, None, CODES[:, 0], TIMES),
        (X, None, np.hstack([CODES, CODES]), TIMES),
        (X, None, CODES + 1, TIMES),  # there are 0 to 4
        (X, None, CODES - 1, TIMES),
        (X, None, CODES, TIMES.astype(np.float64)),
        (X, None, CODES, TIMES.astype(np.int32)),
        (X, None, CODES, TIMES[:2]),
        (X, None, CODES, TIMES[:, np.newaxis]),
        (X, None, CODES, TIMES.tolist()),
        (X, None, CODES, TIMES - 3),  # before the steps before
        (X[0].copy(), 0, CODES[:1], np.array(9)),
        (X[0].copy(), 0, CODES[0], np.array([9])),
        (np.full((3, 2), -np.inf), None, CODES, TIMES),
    ],
)
def test_what_does_not_fit_changes_nothing(native, x, streams, codes, times):
    native.step(X, None, None, CODES, TIMES)
    before = native.state()
    assert native.step(x, streams, None, codes, times) is None
    for name, values in native.state().items():
        np.testing.assert_array_equal(values, before[name])


def test_codes_and_times_that_nobody_reads(make_model, read_log, log):
    numbers = log[["machine", "k"]].rename(columns={"k": "load"})
    native = make_model(read_log(numbers, None, "load")).stream()._native
    assert native.step(np.zeros(1), None, None) is not None
    assert native.step(np.zeros(1), None, None, np.zeros(1, np.int32)) is None
    assert native.step(np.zeros(1), None, None, None, np.array(1)) is None
    with pytest.raises(ValueError, match="these streams are given no times"):
        native.set_clock(True, 1.0)


def test_clocks_and_encodings_that_cannot_be(native, make_model, read_log, log):
    for unit in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="the unit must be positive, got"):
            native.set_clock(True, unit)
    engine = make_model(read_log(log), "simple").engine
    options = {"mean": [0.0] * 2, "scale": [1.0] * 2, "fill": [0.0] * 2, "loss": "squared_error"}
    kind = type(native)
    for wrong, message in (
        ({"missing": "mean"}, "rows of 2 columns, and the network reads 6"),
        ({"missing": "mean", "gap_time": "steps"}, "gap_time belongs to missing 'simple' and 'decay'"),
        ({"missing": "simple"}, "gap_time belongs to missing 'simple' and 'decay'"),
        ({"missing": "never"}, "missing: expected 'error', .*, got 'never'"),
        (
            {"missing": "simple", "gap_time": "now"},
            "gap_time: expected 'none', 'steps' or 'given', got 'now'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            kind(engine._network, 1, **options, **wrong)
    assert kind(engine._network, 1, **options, missing="simple", gap_time="steps") is not None
