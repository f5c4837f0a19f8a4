"""Warnings that point to the user's line."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

_INSIDE = ("grulearn", "sklearn", "joblib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the nearest caller outside grulearn and scikit-learn.

    The number of frames between differs: scikit-learn wraps `fit`, and meta-estimators call it.
    """
    level = 1
    while True:
        try:
            module = sys._getframe(level).f_globals.get("__name__", "")
        except ValueError:  # everything is inside, as in a test of scikit-learn's
            break
        if module.partition(".")[0] not in _INSIDE:
            break
        level += 1
    warnings.warn(message, category, stacklevel=level + 1)
