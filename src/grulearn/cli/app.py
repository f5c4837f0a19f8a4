"""The ``grulearn`` command: the list of its commands."""

from __future__ import annotations

from grulearn.cli._group import make_app

# A command is the function `command` in the module of its name, which is imported only when it is asked for.
app = make_app(
    {
        "demo": "Train on real house prices and predict one.",
        "fit": "Train a model on a table.",
        "predict": "Predict the target for the rows of a table.",
        "evaluate": "Measure the error of a model on a table that has the target.",
        "inspect": "Show what is in a model file.",
        "bench": "Measure how fast grulearn is on this machine.",
    }
)
