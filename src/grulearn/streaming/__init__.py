"""Fitted networks step by step: a prediction after each step, for the work of one."""

from __future__ import annotations

from grulearn.streaming._classifier import ClassifierStream
from grulearn.streaming._columns import StepColumns
from grulearn.streaming._regressor import RegressorStream
from grulearn.streaming._stream import Stream

__all__ = ["ClassifierStream", "RegressorStream", "StepColumns", "Stream"]
