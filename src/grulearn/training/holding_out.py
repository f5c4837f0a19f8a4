"""The ways to choose what is held out; :func:`grulearn.training.split` chooses among them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences import Sequences
from grulearn.training.overlap import logs, sharing_rows

__all__ = ["LEAST_TRAINING", "at_random", "last_sequences", "last_steps", "n_held_out", "whole_groups"]

Indices = NDArray[np.int64]
Parts = tuple[Indices, Indices]

LEAST_TRAINING = 2  # one sequence has no spread: every feature and the target would be constant


def n_held_out(n_sequences: int, fraction: float) -> int:
    """Return how many sequences to hold out: the fraction rounded up, 1 to all but two.

    Raises
    ------
    ValueError
        If there are fewer than 3 sequences.
    """
    if n_sequences <= LEAST_TRAINING:
        raise ValueError(
            f"early_stopping=True with n_samples={n_sequences}: at least {LEAST_TRAINING + 1} are needed, "
            f"one to hold out and {LEAST_TRAINING} to train on. Set early_stopping=False"
        )
    # Rounding to 12 digits first: 0.1 * 30 is 3.0000000000000004.
    wanted = math.ceil(round(fraction * n_sequences, 12))
    return min(max(wanted, 1), n_sequences - LEAST_TRAINING)


def at_random(classes: Indices, wanted: int, rng: np.random.Generator) -> Parts:
    """Draw from each class as nearly its share of `wanted` as whole numbers allow."""
    counts = np.bincount(classes)
    shares = _share_out(counts, wanted, rng.permutation(len(counts)))
    held_out = np.zeros(len(classes), dtype=bool)
    for c, share in enumerate(shares):
        held_out[rng.permutation(np.flatnonzero(classes == c))[:share]] = True
    if not held_out.any():
        raise ValueError(
            f"early_stopping=True: each of the {len(counts)} classes has one sample, which is needed for "
            "training. Set early_stopping=False"
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def whole_groups(groups: Indices, classes: Indices, wanted: int, rng: np.random.Generator) -> Parts | None:
    """Draw groups until they have about `wanted` sequences.

    They are gone through in random order, and one is taken if that brings the number nearer to `wanted` and
    leaves two sequences and a member of every class. Where nothing has to be left for that reason, the number
    misses `wanted` by no more than half of the largest group. If each group has twice `wanted` or more, the
    smallest is taken.

    Returns
    -------
    training, validation : ndarray of int64
        Or None if no group can be held out.
    """
    order = rng.permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    left = np.bincount(classes)
    taken: list[int] = []
    missing = wanted

    def can_go(group: int) -> bool:
        in_group = np.bincount(classes[members[group]], minlength=len(left))
        return left.sum() - sizes[group] >= LEAST_TRAINING and bool((left > in_group)[in_group > 0].all())

    def take(group: int) -> None:
        nonlocal missing
        left[:] -= np.bincount(classes[members[group]], minlength=len(left))
        taken.append(group)
        missing -= int(sizes[group])

    for group in order:
        if missing > 0 and sizes[group] < 2 * missing and can_go(group):
            take(group)
    if not taken:
        smallest = next((g for g in order[np.argsort(sizes[order], kind="stable")] if can_go(g)), None)
        if smallest is None:
            return None
        take(smallest)
    held_out = np.isin(groups, taken)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def last_sequences(data: Sequences, classes: Indices, wanted: int) -> Parts:
    """Hold out the last sequences of each class, and keep those that share rows with them from training.

    A class of which nothing would be left to train on is trained on whole, and what shares rows with it is
    not held out.
    """
    order = _by_time(data)
    shares = _share_out(np.bincount(classes), wanted, np.arange(classes.max() + 1))
    latest = np.concatenate([order[classes[order] == c][::-1][:n] for c, n in enumerate(shares)])
    everything = np.arange(len(data), dtype=np.int64)
    spared = np.zeros(len(data), dtype=bool)
    lost = np.empty(0, dtype=np.int64)
    while True:
        spared |= np.isin(classes, lost)
        validation = latest[~spared[latest]]
        validation = np.sort(validation[~sharing_rows(data, validation, np.flatnonzero(spared))])
        training = np.setdiff1d(everything, validation, assume_unique=True)
        training = training[~sharing_rows(data, training, validation)]
        lost = np.setdiff1d(classes, classes[training])
        if len(lost) == 0:
            break
    if len(validation) == 0 or len(training) < LEAST_TRAINING:
        raise ValueError(
            f"early_stopping=True: the last {len(latest)} of {len(data)} sequences cannot be held out, as "
            "too few of the others share no step with them. Cut windows that are shorter (they have up to "
            f"{data.lengths.max()} steps), or set early_stopping=False"
        )
    return training, validation


def last_steps(lengths: Indices, fraction: float) -> Indices:
    """Return how many steps to hold out at the end of each sequence.

    That is the fraction, rounded, and at least one step of the longest sequence; each sequence keeps a step
    to train on, and a single one keeps two.

    Raises
    ------
    ValueError
        If there are not enough steps.
    """
    keep = 1 if len(lengths) > 1 else LEAST_TRAINING
    if lengths.max(initial=0) <= keep:
        raise ValueError(
            f"early_stopping=True with a target for each step: the longest of {len(lengths)} sequence(s) has "
            f"{lengths.max(initial=0)} step(s), at least {keep + 1} are needed to hold out its last one. Set "
            "early_stopping=False"
        )
    held_out: Indices = np.floor(fraction * lengths + 0.5).astype(np.int64)
    if not held_out.any():
        held_out[lengths.argmax()] = 1
    return np.minimum(held_out, np.maximum(lengths - keep, 0))


def _by_time(data: Sequences) -> Indices:
    """Return the sequences from the earliest to the latest.

    By the time of the last step; without times those of one log by its rows, beside other logs by the share
    of the log that lies before; and sequences without a log as they are given.
    """
    data.require_steps()
    last = data.starts + data.lengths - 1
    if data.times is not None:
        return np.argsort(data.times[last], kind="stable")
    log = logs(data)
    sizes = np.bincount(log)
    if len(sizes) == len(data):
        return np.arange(len(data), dtype=np.int64)
    order = np.lexsort((last, log))
    place = np.empty(len(data))
    place[order] = np.arange(len(data)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.argsort((place + 1) / sizes[log], kind="stable")


def _share_out(counts: Indices, wanted: int, order: Indices) -> Indices:
    """Share `wanted` out in proportion to `counts`, but leave one of each; ties go by `order`."""
    exact = wanted * counts / counts.sum()
    shares: Indices = np.minimum(np.floor(exact).astype(np.int64), np.maximum(counts - 1, 0))
    while (missing := wanted - int(shares.sum())) > 0:
        open_ = order[shares[order] < counts[order] - 1]
        if len(open_) == 0:
            break
        shares[open_[np.argsort((shares - exact)[open_], kind="stable")[:missing]]] += 1
    return shares
