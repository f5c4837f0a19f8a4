"""What is written to disk or taken from other frameworks: weight layouts and the model file."""

from __future__ import annotations

from grulearn.formats.model_file import FORMAT_VERSION, ModelFileError, read_model, write_model
from grulearn.formats.weights import (
    cell_parameter_shapes,
    flatten,
    infer_cell,
    parameter_shapes,
    unflatten,
)

__all__ = [
    "FORMAT_VERSION",
    "ModelFileError",
    "cell_parameter_shapes",
    "flatten",
    "infer_cell",
    "parameter_shapes",
    "read_model",
    "unflatten",
    "write_model",
]
