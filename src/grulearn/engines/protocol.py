"""What an engine offers to the training loop and to the estimators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grulearn.engines.streams import EngineStream, StepEncoding
from grulearn.spec import NetworkSpec

__all__ = [
    "ClassArray",
    "Engine",
    "EngineFactory",
    "FloatArray",
    "OptimizerOptions",
    "SequenceData",
    "Trainer",
]

# Weights, rows, targets and outputs have the dtype of the network's specification: float32 or float64.
FloatArray = NDArray[Any]
ClassArray = NDArray[np.int64]


class SequenceData(Protocol):
    """Sequences as an engine reads them; sequence `i` is ``rows[starts[i] : starts[i] + lengths[i]]``."""

    @property
    def rows(self) -> FloatArray:
        """The steps, shape (R, W), of the network's dtype, C-contiguous; W is `InputSpec.row_width`."""

    @property
    def codes(self) -> NDArray[np.int32]:
        """Codes of the categorical features of each step, shape (R, C), C-contiguous, aligned with `rows`.

        From 0 to n_codes - 1 of the feature. Not looked at if the network has none, C = 0.
        """

    @property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each sequence, shape (N,)."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of steps of each sequence, shape (N,)."""


@dataclass(frozen=True)
class OptimizerOptions:
    """Adam's options, and how the work is cut.

    Parameters
    ----------
    batch_size : int
        Sequences in a batch; the last batch of an epoch may be smaller.
    n_jobs : int, default=1
        Number of threads, at least 1. The results do not depend on it.
    weight_decay : float, default=0.0
        Decoupled (AdamW): each step shrinks the weights, not the biases, by learning rate * weight_decay.
    clip_norm : float or None, default=None
        Bound of the norm of the whole gradient; None leaves it as it is.
    checkpoint_steps : int or None, default=None
        Keep the gates of at most this many steps for the backward pass, and recompute the others there;
        None keeps all. It changes memory and time, and no bit of the results.
    bptt : int or None, default=None
        Truncated backpropagation through time: gradients pass through at most this many steps, and only
        those are kept. A batch with longer sequences is taken in segments of so many steps, one after
        another, each from the states that the one before left. With ``target="sequence"`` every segment in
        which something is labelled makes a step of the optimiser; with ``target="value"`` only the last
        `bptt` steps of each sequence have a gradient, and a batch makes one step. None, or a number that no
        sequence exceeds: gradients of whole sequences. For networks in one direction, with pooling "last" or
        a target for each step.
    dropout : float, default=0.0
        The rate of dropout between layers and before the head; at least 0 and below 1. It and the options
        below belong to training, not to the specification: the network that predicts is the same.
    recurrent_dropout : float, default=0.0
        The rate of dropout of the states that U multiplies, one mask for all steps of a sequence.
        :class:`grulearn.equations.Masks` states both.
    seed : int, default=0
        Of all random masks, from 0 to 2**64 - 1. A mask depends on it, the trainer's epoch, the number of the
        sequence, the layer, the unit and the step, and on nothing else: not on batches, threads,
        `checkpoint_steps`, `bptt` or the instruction set.
    label_smoothing : float, default=0.0
        The part of each label that is spread over all classes, for the losses "cross_entropy" and
        "binary_cross_entropy"; at least 0 and below 1. :func:`grulearn.equations.loss_sum` states it. The
        losses that training returns are those that it minimises: with smoothed labels.
    average_decay : float or None, default=None
        Of an exponential moving average of the parameters, taken after each step: after n steps
        ``(1 - d) / (1 - d**n) * sum_i d**(n - i) p_i``, where d is this (Kingma & Ba 2015, section 7.2).
        At least 0 and below 1; None or 0 keeps no average.
    """

    batch_size: int
    n_jobs: int = 1
    weight_decay: float = 0.0
    clip_norm: float | None = None
    checkpoint_steps: int | None = None
    bptt: int | None = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int = 0
    label_smoothing: float = 0.0
    average_decay: float | None = None


class Trainer(Protocol):
    """Training of one network on one set of sequences; changes the network in place.

    `run_epoch` does all of it in one call. `accumulate`, `gradients` and `apply` are the same taken apart,
    so that gradients can be summed over machines before they are clipped. Gradients are always in the
    canonical order of :mod:`grulearn.formats.weights`.
    """

    def run_epoch(
        self, order: NDArray[np.int64] | None, learning_rate: float, seconds: float = math.inf
    ) -> NDArray[np.float64]:
        """Train on every batch once.

        Parameters
        ----------
        order : ndarray of int64, shape (M,), or None
            The sequences, in the order in which they fill the batches; None for 0, 1, ..., N - 1.
        learning_rate : float
        seconds : float, default=inf
            No update but the first begins after so long.

        Returns
        -------
        ndarray of float64, shape (n_updates,)
            The mean loss of each batch before its update: the weighted mean over its sequences (or steps) and
            targets. A batch in which nothing counts is passed over, and has loss 0. With `bptt` and
            ``target="sequence"`` the same of each segment of a batch, as many as its longest sequence has.

        Raises
        ------
        KeyboardInterrupt
            Between two batches or segments; the network is usable.
        """

    @property
    def batch_weights(self) -> NDArray[np.float64]:
        """The weights that the losses of the latest `run_epoch` are means over, shape (n_updates,).

        The mean loss of the epoch is ``losses @ batch_weights / batch_weights.sum()``.
        """

    @property
    def epoch(self) -> int:
        """The number of the epoch, from 0 on, that random masks belong to.

        `run_epoch` counts it up when it is done; it can be set, to go on where another trainer ended.
        """

    @epoch.setter
    def epoch(self, value: int) -> None: ...

    def accumulate(self, batch: NDArray[np.int64]) -> tuple[float, float]:
        """Add the gradient of the weighted sum of the loss over `batch`.

        Returns
        -------
        loss_sum, weight_sum : float
            The sum, and the sum of the weights; without weights that is the number of summands.
        """

    def gradients(self) -> FloatArray:
        """Return the gradient accumulated so far, shape (n_parameters,)."""

    def apply(self, learning_rate: float, weight_sum: float, gradients: FloatArray | None = None) -> None:
        """Divide by `weight_sum`, clip, take Adam's step, and forget the gradient.

        `gradients`, if given, is used instead of what was accumulated here.
        """

    def optimizer_state(self) -> tuple[FloatArray, FloatArray, int]:
        """Return what Adam has learned of the gradients so far.

        Returns
        -------
        first_moment, second_moment : ndarray of the network's dtype, shape (n_parameters,)
            In the canonical order; copies. Zeros before the first step.
        n_steps : int
            How many steps were taken.
        """

    def set_optimizer_state(self, first_moment: FloatArray, second_moment: FloatArray, n_steps: int) -> None:
        """Go on from what `optimizer_state` returned, here or of another trainer of such a network.

        With the same parameters, data and `epoch`, the training has the bits of one that never stopped.

        Raises
        ------
        ValueError
            If a moment has another shape or is not finite, a second one is negative, or `n_steps` is.
        """

    def averaged_parameters(self) -> FloatArray:
        """Return the moving average of the parameters, shape (n_parameters,), in the canonical order.

        Before the first step, the parameters.

        Raises
        ------
        ValueError
            Without `average_decay`.
        """

    def average_state(self) -> tuple[FloatArray, int]:
        """Return the average as it is kept, before its correction, and its number of steps: copies."""

    def set_average_state(self, average: FloatArray, n_steps: int) -> None:
        """Go on from what `average_state` returned, here or of another trainer of such a network.

        Raises
        ------
        ValueError
            If the average has another shape or is not finite, `n_steps` is negative, or none is kept.
        """


class Engine(Protocol):
    """A network of a :class:`~grulearn.spec.NetworkSpec` that predicts and can be trained.

    It can be pickled and copied.
    """

    @property
    def spec(self) -> NetworkSpec:
        """What network it is."""

    @property
    def instruction_set(self) -> str:
        """The processor's instruction set (or the device) that it computes with."""

    def parameters(self) -> FloatArray:
        """Return a copy of all weights, shape (n_parameters,), in the canonical order."""

    def set_parameters(self, values: FloatArray) -> None:
        """Replace all weights by `values`, shape (n_parameters,)."""

    def predict(self, data: SequenceData, n_jobs: int = 1) -> FloatArray:
        """Run the network on N sequences.

        Returns
        -------
        ndarray of the network's dtype, shape (N, O) or (sum of lengths, O)
            The head's outputs for each sequence, or with ``target="sequence"`` for each step, sequence after
            sequence. `decode` turns them into what they stand for.
        """

    def decode(
        self,
        outputs: FloatArray,
        mean: NDArray[np.float64] | None = None,
        scale: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Turn outputs of `predict` into what they stand for, in the user's units.

        It is the one place where that is done: a prediction and a step of a stream have the same bits.

        Parameters
        ----------
        outputs : ndarray of the network's dtype, shape (n, O)
        mean, scale : ndarray of float64, shape (K,), optional
            What the targets were scaled with, ``(y - mean) / scale``; not for probabilities. Values come back
            as ``value * scale + mean``, standard deviations as ``deviation * scale``.

        Returns
        -------
        ndarray of float64, shape (n, O)
            What :func:`grulearn.equations.apply_link` states, in the same columns, computed in float64:
            means, quantiles, rates, mean and standard deviation in turn, or probabilities.

        Raises
        ------
        ValueError
            If mean or scale have another length, or the outputs stand for probabilities.
        """

    def stream(
        self,
        n_streams: int,
        encoding: StepEncoding,
        *,
        target_mean: NDArray[np.float64] | None = None,
        target_scale: NDArray[np.float64] | None = None,
        n_jobs: int = 1,
    ) -> EngineStream:
        """Return streams, each with a state of its own, all before their first step.

        After each step a stream gives what `predict` and `decode` give for the steps that it has had so far,
        encoded, to the bit. The network must not change as long as they are used.

        Parameters
        ----------
        n_streams : int
            At least 1.
        encoding : StepEncoding
            What is made of features before the network reads them.
        target_mean, target_scale : ndarray of float64, shape (K,), optional
            As `mean` and `scale` of `decode`.
        n_jobs : int, default=1
            Number of threads for steps of many streams. The results do not depend on it.

        Raises
        ------
        ValueError
            If the network needs the end of a sequence: it is bidirectional, or pools with "attention".
        """

    def trainer(
        self,
        data: SequenceData,
        targets: FloatArray | ClassArray,
        options: OptimizerOptions,
        *,
        target_starts: NDArray[np.int64] | None = None,
        sample_weight: FloatArray | None = None,
        step_weight: FloatArray | None = None,
    ) -> Trainer:
        """Return a trainer of this network on N sequences and their targets.

        Parameters
        ----------
        data : SequenceData
        targets : ndarray
            With ``target="value"`` a row for each sequence, M = N. With ``target="sequence"`` any number M of
            rows, of which sequence `i` has ``targets[target_starts[i] : target_starts[i] + lengths[i]]``.

            - "cross_entropy": int64 class numbers from 0 to O - 1, shape (M,); with ``target="sequence"``
              a step of class -1 has no label and does not count.
            - "binary_cross_entropy": from 0 to 1, "poisson": at least 0, else any finite numbers, of the
              network's dtype, shape (M, K) with ``K = spec.head.n_targets``; with ``target="sequence"``
              NaN is no target and does not count.

            It is kept as a view.
        options : OptimizerOptions
        target_starts : ndarray of int64, shape (N,), optional
            The starts of `data` if not given: targets aligned with its rows.
        sample_weight : ndarray of the network's dtype, shape (N,), optional
            At least 0. A sequence of weight 0 is left out, whatever its steps and target are. Equal weights
            give the same bits as none.
        step_weight : ndarray of the network's dtype, shape (M,), optional
            With ``target="sequence"``: a factor for each step.

        Raises
        ------
        ValueError
            If a shape, a target or a weight does not fit; the message names the sequence and the step.
            If `bptt` does not fit the network.
        """


class EngineFactory(Protocol):
    """Builds an engine; an engine's class is one."""

    def __call__(self, spec: NetworkSpec) -> Engine:
        """Build the network of `spec`, with all weights zero or undefined."""
