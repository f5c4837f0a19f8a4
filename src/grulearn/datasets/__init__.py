"""Small real data sets that come with the package: nothing is fetched from a network."""

from __future__ import annotations

from grulearn.datasets._boston import load_boston_housing
from grulearn.datasets._california import load_california_housing

__all__ = ["load_boston_housing", "load_california_housing"]
