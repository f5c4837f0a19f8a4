"""Warnings that point to the user's line."""

from __future__ import annotations

import sys
import warnings

from grulearn.encoding import InputEncoding
from grulearn.estimators._places import column_label
from grulearn.sequences import Sequences

__all__ = ["warn", "warn_of_constant_features"]

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


def warn_of_constant_features(encoding: InputEncoding, data: Sequences) -> None:
    """Warn if numeric features had one value only in the training part `data`."""
    constant = encoding.constant
    if len(constant):
        listed = ", ".join(column_label(int(i), data.schema.features) for i in constant[:5])
        listed += ", ..." if len(constant) > 5 else ""
        what = "feature is" if len(constant) == 1 else "features are"
        warn(
            f"{len(constant)} {what} constant in the training part and cannot tell samples apart: "
            f"{listed}. Scaled with 1 instead of a standard deviation of 0; consider dropping it."
        )
