"""From the user's units to what the network eats, and back."""

from __future__ import annotations

from grulearn.encoding._checks import check_values
from grulearn.encoding._segments import Segments
from grulearn.encoding.categories import CategoryCodes
from grulearn.encoding.encoded import EncodedSequences
from grulearn.encoding.filling import ForwardFill
from grulearn.encoding.gaps import GapScale
from grulearn.encoding.inputs import InputEncoding
from grulearn.encoding.scaling import Scaling, TargetScaling
from grulearn.encoding.steps import StepTables

__all__ = [
    "CategoryCodes",
    "EncodedSequences",
    "ForwardFill",
    "GapScale",
    "InputEncoding",
    "Scaling",
    "Segments",
    "StepTables",
    "TargetScaling",
    "check_values",
]
