"""Estimators with scikit-learn's interface."""

from __future__ import annotations

from grulearn.estimators.classifier import GRUClassifier
from grulearn.estimators.persistence import load
from grulearn.estimators.regressor import GRURegressor

__all__ = ["GRUClassifier", "GRURegressor", "load"]
