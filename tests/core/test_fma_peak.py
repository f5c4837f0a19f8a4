"""The measured peak of multiply-adds: a number for every set and type, and errors for nonsense."""

from __future__ import annotations

import math

import pytest

from grulearn import _core


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_a_peak_is_a_positive_number(isa, dtype, n_threads):
    peak = _core.fma_peak(n_threads, 0.01, isa=isa, dtype=dtype)
    assert math.isfinite(peak)
    assert peak > 0


def test_the_default_is_the_set_in_use_in_float32():
    assert _core.fma_peak(1, 0.001) > 0


@pytest.mark.parametrize("n_threads", [0, -1, 1025])
def test_an_impossible_number_of_threads_is_refused(n_threads):
    with pytest.raises(ValueError, match=f"n_threads must be between 1 and 1024, got {n_threads}"):
        _core.fma_peak(n_threads, 0.01)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 61.0])
def test_an_impossible_time_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds must be above 0 and at most 60"):
        _core.fma_peak(1, seconds)


def test_an_unknown_type_or_set_is_refused():
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', got 'float16'"):
        _core.fma_peak(1, 0.01, dtype="float16")
    with pytest.raises(ValueError, match="instruction set 'mmx' is not supported by this machine or unknown"):
        _core.fma_peak(1, 0.01, isa="mmx")
