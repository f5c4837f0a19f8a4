"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import grulearn

MODULES = sorted(module.name for module in pkgutil.walk_packages(grulearn.__path__, "grulearn."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_public_classes_and_functions_have_examples():
    for name in ("GRU", "GRURegressor", "LossCurveDisplay", "Sequences", "load"):
        assert ">>> " in (getattr(grulearn, name).__doc__ or ""), name
