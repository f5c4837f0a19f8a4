"""Training: the loop over epochs, and what comes before it."""

from __future__ import annotations

from grulearn.training.cross_stopping import CrossStopping, halves
from grulearn.training.initialisation import draw_weights
from grulearn.training.loop import EpochReport, LoopOptions, Outcome, train
from grulearn.training.losses import HeldOutLoss, loss_floor, mean_loss, naive_loss
from grulearn.training.validation import Split, hold_out, split

__all__ = [
    "CrossStopping",
    "EpochReport",
    "HeldOutLoss",
    "LoopOptions",
    "Outcome",
    "Split",
    "draw_weights",
    "halves",
    "hold_out",
    "loss_floor",
    "mean_loss",
    "naive_loss",
    "split",
    "train",
]
