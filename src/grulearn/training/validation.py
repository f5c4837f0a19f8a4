"""Which sequences, or which steps of them, are held out to watch the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences import Sequences
from grulearn.training.holding_out import (
    LEAST_TRAINING,
    at_random,
    last_sequences,
    last_steps,
    n_held_out,
    whole_groups,
)
from grulearn.training.overlap import as_labels, logs, sharing_rows

__all__ = ["Split", "hold_out", "label_each", "split"]

# One of 5 logs of a size is a fifth of the data, twice the usual fraction. With fewer, a whole log costs the
# training still more, and which log it is decides what the validation loss says.
ENOUGH_LOGS = 5

How = Literal["auto", "random", "group", "last"]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """What is trained on, and what is held out.

    Parameters
    ----------
    training, validation : ndarray of int64
        Indices of sequences, sorted. Disjoint, except where steps are held out: then both are all
        sequences.
    how : {"random", "group", "last"}
        In which way they were chosen.
    held_out_steps : ndarray of int64, shape (N,), or None, default=None
        How many steps at the end of each sequence are held out, where it is steps: training ends before
        them; validation runs over whole sequences and counts these steps only. 0 for a sequence that is too
        short to give any. None where whole sequences are held out.
    n_left_out : int, default=0
        Sequences that are in neither part: they share rows with the validation part.
    """

    training: Indices
    validation: Indices
    how: Literal["random", "group", "last"]
    held_out_steps: Indices | None = None
    n_left_out: int = 0

    def training_part(self, data: Sequences) -> Sequences:
        """Return the sequences to train on, as views, without the steps that are held out.

        Examples
        --------
        >>> import numpy as np
        >>> everything = np.arange(2)
        >>> part = Split(everything, everything, "last", held_out_steps=np.array([3, 1]))
        >>> part.training_part(Sequences.from_array(np.zeros((2, 24, 1)))).lengths
        array([21, 23])
        """
        if self.held_out_steps is None:
            return data[self.training]
        return Sequences(
            data.rows,
            data.starts,
            data.lengths - self.held_out_steps,
            codes=data.codes,
            categories=data.categories,
            times=data.times,
            ids=data.ids,
            schema=data.schema,
        )

    def summary(self) -> str:
        """Say in one line what is held out.

        Examples
        --------
        >>> import numpy as np
        >>> Split(np.arange(90), np.arange(90, 100), "random").summary()
        'held out: 10 of 100 sequences, drawn at random'
        """
        if self.held_out_steps is not None:
            return f"held out: the last steps of each sequence, {int(self.held_out_steps.sum()):,} in all"
        total = len(self.training) + len(self.validation) + self.n_left_out
        manner = {"random": "drawn at random", "group": "whole groups", "last": "the last ones"}[self.how]
        line = f"held out: {len(self.validation):,} of {total:,} sequences, {manner}"
        if self.n_left_out:
            line += f"; {self.n_left_out:,} that share steps with them are not trained on"
        return line


def split(
    data: Sequences,
    *,
    fraction: float,
    rng: np.random.Generator,
    how: How = "auto",
    groups: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    per_step: bool = False,
) -> Split:
    """Choose what is held out.

    A validation loss foretells the loss on new data as far as the held-out part is new in the same way. So
    "auto" asks how the sequences hang together: those with one id, and those that share rows, come from one
    log.

    =====================================================  ===========================
    data                                                   what "auto" holds out
    =====================================================  ===========================
    `groups` are given                                     whole groups
    5 logs or more, some with several sequences            whole logs, as "group" does
    fewer logs, such as windows over a single one          the last sequences
    each sequence a log of its own                         sequences drawn at random
    the same, fewer than 5 of them, and `per_step`         the last steps of each
    =====================================================  ===========================

    Where whole logs cannot be held out because each has a class that no other has, "auto" takes the last
    sequences.

    Parameters
    ----------
    data : Sequences
        N sequences, as the user gave them: the rows that they share say which overlap.
    fraction : float
        Share of the sequences (or steps) to hold out, between 0 and 1: rounded up, at least one, at least two
        sequences left to train on; met as nearly as groups and classes allow.
    rng : numpy.random.Generator
        Draws for "random" and "group".
    how : {"auto", "random", "group", "last"}, default="auto"
        - "random": sequences drawn at random, from each class its share. Windows that overlap are not kept
          apart.
        - "group": whole groups, or whole ids if there are no groups, drawn at random.
        - "last": the sequences that end last: by the time of their last step if there are times, else by row
          within their log (of each log its last part), else in the order given. With `per_step`, and if no
          sequences share rows, the last steps of each sequence.
    groups : array-like, shape (N,), default=None
        What each sequence belongs to: strings or numbers, none missing.
    classes : array-like, shape (N,), default=None
        The class of each sequence. Every class stays in the training part, because a network never predicts
        what it was not shown; one with a single sample is not held out. "last" takes the last sequences of
        each class: a failure that comes only at the end of a log would be in no training otherwise.
    per_step : bool, default=False
        Whether there is a target for each step.

    Returns
    -------
    Split
        No sequence of the training part shares a row with the validation part, except with "random": those
        that would are left out.

    Raises
    ------
    ValueError
        If there is too little to hold any out, `groups` or `classes` do not fit, or `groups` are given to a
        way that does not use them.

    Examples
    --------
    Of 96 windows over one log the last ten are held out; the four before them share steps with them:

    >>> import numpy as np
    >>> windows = Sequences.from_array(np.zeros((1, 1000, 2))).windows(50, step=10)
    >>> part = split(windows, fraction=0.1, rng=np.random.default_rng(0))
    >>> part.summary()
    'held out: 10 of 96 sequences, the last ones; 4 that share steps with them are not trained on'
    >>> part.training[-1], part.validation[0]
    (np.int64(81), np.int64(86))
    """
    if how not in ("auto", "random", "group", "last"):
        raise ValueError(f"validation={how!r}; expected 'auto', 'random', 'group' or 'last'")
    if groups is not None and how in ("random", "last"):
        raise ValueError(f"groups are given, but validation={how!r} makes no use of them; use 'group'")
    n = len(data)
    labels = label_each(classes, n, "classes")
    known_groups = label_each(groups, n, "groups")
    if known_groups is not None:
        return _by_group(data, known_groups, labels, fraction, rng)
    if how == "group":
        if data.ids is None:
            raise ValueError("validation='group': X has no ids; pass groups, one for each sequence")
        return _by_group(data, as_labels(data.ids), labels, fraction, rng)
    if how == "auto":
        chosen = _choose(data, labels, fraction, rng, per_step)
        if isinstance(chosen, Split):
            return chosen
        how = chosen
    if how == "random":
        if labels is None:
            return Split(*hold_out(n, fraction, rng), "random")
        return Split(*at_random(labels, n_held_out(n, fraction), rng), "random")
    return _last(data, labels, fraction, per_step)


def hold_out(n_sequences: int, fraction: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Draw a validation part at random.

    It has ``ceil(fraction * n_sequences)`` sequences, at least 1, and leaves at least 2 to train on. With
    fewer than some 50 sequences a part of a tenth is a handful: the epoch that it picks is then partly a
    matter of luck, and a fit without early stopping is worth a try.

    Parameters
    ----------
    n_sequences : int
        At least 3.
    fraction : float
        Between 0 and 1.
    rng : numpy.random.Generator

    Returns
    -------
    training, validation : ndarray of int64
        Sorted, disjoint, together 0 to ``n_sequences - 1``.

    Raises
    ------
    ValueError
        If there are fewer than 3 sequences.

    Examples
    --------
    >>> import numpy as np
    >>> training, validation = hold_out(10, 0.2, np.random.default_rng(0))
    >>> len(training), len(validation)
    (8, 2)
    """
    wanted = n_held_out(n_sequences, fraction)
    shuffled = rng.permutation(n_sequences)
    return np.sort(shuffled[wanted:]), np.sort(shuffled[:wanted])


def _choose(
    data: Sequences, classes: Indices | None, fraction: float, rng: np.random.Generator, per_step: bool
) -> Split | Literal["random", "last"]:
    """Say what "auto" stands for, or hold out whole logs at once."""
    log = logs(data)
    n_logs = int(log.max(initial=-1)) + 1
    if n_logs == len(data):
        return "last" if per_step and n_logs < ENOUGH_LOGS else "random"
    if n_logs >= ENOUGH_LOGS:
        parts = whole_groups(log, _or_one_class(classes, log), n_held_out(len(data), fraction), rng)
        if parts is not None:
            return Split(*parts, "group")
    return "last"


def _by_group(
    data: Sequences, groups: Indices, classes: Indices | None, fraction: float, rng: np.random.Generator
) -> Split:
    known = _or_one_class(classes, groups)
    parts = whole_groups(groups, known, n_held_out(len(data), fraction), rng)
    if parts is None:
        n_groups = int(groups.max()) + 1
        reason = "all sequences are of one group"
        if n_groups > 1:
            reason = f"each of the {n_groups} groups has a class that no other has"
        raise ValueError(
            f"no group can be held out: {reason}. Use validation='last' or 'random', without groups, or set "
            "early_stopping=False"
        )
    return _without_shared_rows(data, parts, known)


def _without_shared_rows(data: Sequences, parts: tuple[Indices, Indices], classes: Indices) -> Split:
    training, validation = parts
    apart = training[~sharing_rows(data, training, validation)]
    n_left_out = len(training) - len(apart)
    lacking = len(np.unique(classes[apart])) < len(np.unique(classes))
    if len(apart) < LEAST_TRAINING or lacking:
        left = f"{len(apart)} to train on" if len(apart) < LEAST_TRAINING else "a class without any"
        raise ValueError(
            f"the groups cut through sequences that overlap: {n_left_out} of {len(training)} share steps "
            f"with those of another group that are held out, which leaves {left}. Choose groups that keep "
            "together what overlaps, or use validation='last' without groups"
        )
    return Split(apart, validation, "group", n_left_out=n_left_out)


def _last(data: Sequences, classes: Indices | None, fraction: float, per_step: bool) -> Split:
    everything = np.arange(len(data), dtype=np.int64)
    # Where sequences overlap, the last steps of one are in the midst of the next.
    if per_step and not _any_shared_row(data):
        return Split(everything, everything, "last", held_out_steps=last_steps(data.lengths, fraction))
    wanted = n_held_out(len(data), fraction)
    training, validation = last_sequences(data, _or_one_class(classes, everything), wanted)
    return Split(training, validation, "last", n_left_out=len(data) - len(training) - len(validation))


def _any_shared_row(data: Sequences) -> bool:
    order = np.argsort(data.starts[data.lengths > 0], kind="stable")
    starts = data.starts[data.lengths > 0][order]
    ends = starts + data.lengths[data.lengths > 0][order]
    return bool((starts[1:] < ends[:-1]).any())


def _or_one_class(classes: Indices | None, like: Indices) -> Indices:
    return np.zeros_like(like) if classes is None else classes


def label_each(values: ArrayLike | None, n: int, what: str) -> Indices | None:
    """Check `groups` or `classes`, one for each of `n` sequences, and give equal values the same number.

    Raises
    ------
    ValueError
        If there is not one for each, or one is missing.
    """
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{what}: expected shape ({n},), one for each sequence, got {array.shape}")
    missing = np.flatnonzero(_missing(array))
    if len(missing):
        raise ValueError(f"{what}: {array[missing[0]]} for sequence {missing[0]}; expected none missing")
    return as_labels(array)


def _missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    if array.dtype.kind != "O":
        return np.asarray(array != array, dtype=bool)
    # None, NaN, NaT; and pandas' NA, whose comparison is neither true nor false.
    return np.array([value is None or _differs_from_itself(value) for value in array.tolist()])


def _differs_from_itself(value: Any) -> bool:
    try:
        return bool(value != value)
    except TypeError:
        return True
