"""How a fit read its data: the one line that says so, the fingerprint, and doubts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding import Segments
from grulearn.estimators._warnings import warn
from grulearn.sequences import Sequences, are_vectors, is_frame, listed
from grulearn.training import Split

__all__ = ["describe", "fingerprint", "warn_if_doubtful", "warn_if_little_is_left"]

_TIME_NAMES = frozenset({"time", "date", "datetime", "timestamp", "ds"})
_HASHED_ROWS = 65536


def describe(sequences: Sequences) -> str:
    """Say in one line how the data was read.

    Examples
    --------
    >>> import numpy as np
    >>> describe(Sequences.from_array(np.zeros((1500, 24, 3))))
    '1,500 sequences of 24 steps, 3 features'
    """
    low, _, high = sequences.n_steps_summary()
    steps = f"{low} to {high} steps" if low != high else _count(low, "step")
    kinds = [_count(sequences.n_features, "feature")] if sequences.n_features else []
    if sequences.n_categorical:
        kinds.append(_count(sequences.n_categorical, "categorical feature"))
    line = f"{_count(len(sequences), 'sequence')} of {steps}, {', '.join(kinds)}"
    if high == 1:
        line += ": the recurrent weights are not used; pass a 3-D array (sample, step, feature) for sequences"
    return line


def fingerprint(sequences: Sequences, targets: NDArray[Any]) -> str:
    """Return "sha256:..." over lengths, steps and targets, as they were seen.

    Two fits have the same fingerprint if they saw the same numbers in the same order and precision,
    whatever they came in. Rows that several windows share are looked at once.
    """
    kind = f"{sequences.n_features} {sequences.dtype} {targets.shape}"
    if sequences.n_categorical:
        kind += f" {[values.tolist() for values in sequences.categories]}"
    digest = hashlib.sha256(kind.encode())
    digest.update(sequences.lengths.tobytes())
    for data in _distinct_rows(sequences, digest):
        index = data.row_index()
        digest.update(data.rows[index].tobytes())
        digest.update(data.codes[index].tobytes())
    digest.update(np.ascontiguousarray(targets).tobytes())
    return f"sha256:{digest.hexdigest()}"


def _distinct_rows(sequences: Sequences, digest: Any) -> Iterator[Sequences]:
    """Return sequences, some at a time, that read each row once; of windows hash where they are too."""
    read = Segments.shared(sequences)
    if read.n_rows == sequences.lengths.sum():
        ends = np.cumsum(sequences.lengths)
        cuts = np.searchsorted(ends, np.arange(0, read.n_rows, _HASHED_ROWS), side="right")
        for begin, end in pairwise([*np.unique(cuts).tolist(), len(sequences)]):
            yield sequences[begin:end]
        return
    digest.update(read.starts.tobytes())
    for block in read.blocks(_HASHED_ROWS):
        rows = (
            np.arange(block.source.start, block.source.stop)
            if isinstance(block.source, slice)
            else block.source
        )
        yield Sequences(
            sequences.rows[rows],
            [0],
            [len(rows)],
            codes=sequences.codes[rows],
            categories=sequences.categories,
        )


def warn_if_doubtful(X: Any, shape: tuple[int | None, ...]) -> None:
    """Warn where `X`, of `shape`, was probably meant in another way than it was read."""
    if len(shape) == 3:
        _, steps, features = shape
        if steps is None or features is None:
            return
        # Few data have tens of features and a fraction as many steps; series stored channel first do.
        if features >= max(32, 4 * steps):
            warn(
                f"X has shape {shape}, read as (sample, step, feature): {_count(steps, 'step')} of "
                f"{features} features each. If it is {features} steps of {_count(steps, 'feature')}, pass "
                "X.transpose(0, 2, 1)."
            )
        return
    items = None if is_frame(X) else listed(X)
    if items and shape[1] != 1 and are_vectors(items):
        warn(
            f"X is a list of {len(items)} arrays of length {shape[1]}, read as a table: sequences of one "
            f"step with {shape[1]} features. If each is a sequence of one feature, as in a fold of "
            "sequences of different lengths, pass Sequences.from_list(X)."
        )
    place = _time_place(X)
    if place is not None:
        warn(
            f"X has {place}, but each row of a table is read as a sequence of one step, in no order. "
            "For sequences pass a 3-D array (sample, step, feature)."
        )


def warn_if_little_is_left(parts: Split) -> None:
    """Warn where more sequences overlap the validation part than are left to train on."""
    if parts.n_left_out > len(parts.training):
        warn(
            f"{_count(parts.n_left_out, 'sequence')} share steps with the {len(parts.validation):,} that are "
            f"held out, and are not trained on; {len(parts.training):,} are left. Cut shorter windows, pass "
            "a validation part of your own (X_val, y_val), or set early_stopping=False."
        )


def _time_place(X: Any) -> str | None:
    index = getattr(X, "index", None)
    kind = type(index).__name__
    if kind in ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex"):
        return f"an index of times ({kind})"
    for column in getattr(X, "columns", ()):
        if str(column).lower() in _TIME_NAMES:
            return f"a column {column!r}"
    return None


def _count(n: int, unit: str) -> str:
    return f"{n:,} {unit}{'s' * (n != 1)}"
