"""From the user's units to what the network eats, and back."""

from __future__ import annotations

from grulearn.encoding._checks import check_values
from grulearn.encoding.categories import CategoryCodes
from grulearn.encoding.encoded import EncodedSequences
from grulearn.encoding.inputs import InputEncoding
from grulearn.encoding.scaling import Scaling, TargetScaling

__all__ = [
    "CategoryCodes",
    "EncodedSequences",
    "InputEncoding",
    "Scaling",
    "TargetScaling",
    "check_values",
]
