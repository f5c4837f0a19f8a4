"""Plots of fitted estimators, built as scikit-learn builds its Displays."""

from __future__ import annotations

from grulearn.displays.loss_curve import LossCurveDisplay

__all__ = ["LossCurveDisplay"]
