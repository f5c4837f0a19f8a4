"""Small real data sets that come with the package: nothing is fetched from a network."""

from __future__ import annotations

from grulearn.datasets._boston import load_boston_housing
from grulearn.datasets._california import load_california_housing
from grulearn.datasets._surnames import load_surnames
from grulearn.datasets._vowels import load_japanese_vowels

__all__ = ["load_boston_housing", "load_california_housing", "load_japanese_vowels", "load_surnames"]
