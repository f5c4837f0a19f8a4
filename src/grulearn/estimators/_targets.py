"""Numbers to learn: what a user hands in as `y`, checked and turned into rows of targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, column_or_1d

from grulearn.estimators._places import explain_text, first_infinite, refuse_non_finite
from grulearn.estimators._warnings import warn
from grulearn.sequences import Sequences, as_sequences, is_frame, listed

__all__ = [
    "Targets",
    "check_step_lengths",
    "length_message",
    "read_step_targets",
    "read_targets",
    "refuse_negative",
    "refuse_one_for_each",
    "require_y",
    "step_values",
    "target_names",
    "used_rows",
]


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of N sequences.

    Parameters
    ----------
    values : ndarray of float64, shape (M, K), or of int64, shape (M,)
        Numbers, or class numbers. A row for each sequence, M = N; or with `starts` rows for steps, where NaN
        and -1 stand for no target.
    starts : ndarray of int64, shape (N,), optional
        With a target for each step: the row of each sequence's first one.
    lengths : ndarray of int64, shape (N,), optional
        With `starts`: the number of steps of each sequence.
    """

    values: NDArray[Any]
    starts: NDArray[np.int64] | None = None
    lengths: NDArray[np.int64] | None = None

    @property
    def per_step(self) -> bool:
        """Whether there is a target for each step."""
        return self.starts is not None

    def __len__(self) -> int:
        return len(self.values) if self.starts is None else len(self.starts)

    def __getitem__(self, index: NDArray[np.int64]) -> Self:
        if self.starts is None or self.lengths is None:
            return replace(self, values=self.values[index])
        return replace(self, starts=self.starts[index], lengths=self.lengths[index])

    def with_values(self, values: NDArray[Any]) -> Self:
        """Return the same targets in other numbers."""
        return replace(self, values=values)

    def truncate(self, lengths: NDArray[np.int64]) -> Self:
        """Return the targets of the first `lengths` steps of each sequence."""
        return replace(self, lengths=lengths)

    def n_known(self) -> NDArray[np.int64]:
        """Return how many steps of each sequence have a target, shape (N,); 1 with one for each sequence."""
        if self.starts is None or self.lengths is None:
            return np.ones(len(self.values), dtype=np.int64)
        rows = self.stacked()
        known = rows >= 0 if rows.ndim == 1 else ~np.isnan(rows).all(axis=1)
        before = np.append(0, np.cumsum(known))
        ends = np.cumsum(self.lengths)
        counts: NDArray[np.int64] = before[ends] - before[ends - self.lengths]
        return counts

    def row_index(self) -> NDArray[np.int64]:
        """Return the rows of `values` that the sequences use, sequence after sequence."""
        if self.starts is None or self.lengths is None:
            return np.arange(len(self.values), dtype=np.int64)
        begins = np.cumsum(self.lengths) - self.lengths
        steps = np.arange(self.lengths.sum(), dtype=np.int64)
        return np.repeat(self.starts - begins, self.lengths) + steps

    def stacked(self) -> NDArray[Any]:
        """Return the rows of `values` that the sequences use, sequence after sequence."""
        return self.values if self.starts is None else self.values[self.row_index()]

    def by_row(self, weights: NDArray[Any] | None) -> NDArray[Any] | None:
        """Repeat weights of sequences, shape (N,), for each row of `stacked`."""
        if weights is None or self.lengths is None:
            return weights
        return np.repeat(weights, self.lengths)


def target_names(y: Any) -> list[str] | None:
    """Return the names of a dataframe's columns, or of a series; None unless all are strings."""
    if isinstance(y, Sequences):
        names = [*(y.schema.features or ()), *(y.schema.categorical or ())]
        return names if len(names) == y.n_features + y.n_categorical else None
    columns = getattr(y, "columns", None)
    found = [getattr(y, "name", None)] if columns is None else list(columns)
    return [str(name) for name in found] if all(isinstance(name, str) for name in found) else None


def read_targets(estimator: Any, y: Any, X_shape: tuple[int | None, ...]) -> tuple[Targets, bool]:
    """Check a `y` of one target, or several, for each sequence.

    Parameters
    ----------
    estimator : estimator
    y : array-like of shape (N,), (N, 1) or (N, K)
    X_shape : tuple of int
        (N, F) or (N, T, F).

    Returns
    -------
    targets : Targets
        float64, shape (N, K).
    one_dimensional : bool
        Whether predictions have shape (N,); also for `y` of shape (N, 1), with scikit-learn's
        DataConversionWarning.

    Raises
    ------
    ValueError, TypeError
        With the place of what is wrong.
    """
    name = type(estimator).__name__
    require_y(y, name)
    if isinstance(y, Sequences):
        raise ValueError(
            f"y is a {y!r}, which has a target for each step; expected one for each sequence. Set "
            'target="sequence" to learn one for each step'
        )
    _refuse_dates(y)
    try:
        values = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="y",
            estimator=estimator,
        )
    except ValueError as error:
        explain_text(y, "y", error, name, None)
        _explain_ragged(y, error)
        raise
    if values.ndim not in (1, 2) or values.size == 0 < len(values):
        raise ValueError(
            f"y has shape {values.shape}; expected (samples,) or (samples, outputs)."
            + (' Set target="sequence" for a target for each step.' if values.ndim == 3 else "")
        )
    if len(values) != X_shape[0]:
        raise ValueError(length_message(values.shape, X_shape))
    refuse_non_finite(values, "y", name, None)
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    # Few steps are as many as the targets by chance.
    if values.ndim == 2 and len(X_shape) == 3 and 4 < values.shape[1] == X_shape[1]:
        warn(
            f"y has {values.shape[1]} columns, as many as X has steps, and is read as {values.shape[1]} "
            'targets of each sequence. For a target of each step set target="sequence".'
        )
    return Targets(values.reshape(len(values), -1)), values.ndim == 1


def read_step_targets(estimator: Any, y: Any, data: Sequences) -> tuple[Targets, bool]:
    """Check a `y` of one target, or several, for each step; NaN stands for none.

    Parameters
    ----------
    estimator : estimator
    y : Sequences, array-like of shape (N, T) or (N, T, K), or list of N arrays of shape (T_i,) or (T_i, K)
    data : Sequences
        What they belong to.

    Returns
    -------
    targets : Targets
        float64, shape (M, K).
    one_dimensional : bool
        Whether each sequence's predictions have shape (T_i,).

    Raises
    ------
    ValueError, TypeError
        With the sequence and step of what is wrong.
    """
    require_y(y, type(estimator).__name__)
    one_dimensional = not isinstance(y, Sequences)
    if not isinstance(y, Sequences):
        y, one_dimensional = step_values(y)
    if y.n_categorical:
        raise ValueError(f"y holds categories, {y!r}; {type(estimator).__name__} learns numbers")
    check_step_lengths(y.lengths, data)
    used = used_rows(y)
    position = first_infinite(y.rows) if used.all() else first_infinite(np.where(used[:, None], y.rows, 0.0))
    if position is not None:
        i = int(np.flatnonzero((y.starts <= position[0]) & (position[0] < y.starts + y.lengths))[0])
        raise ValueError(
            f"Input y contains infinity at {data.label(i)}, step {position[0] - y.starts[i]}; expected "
            "finite numbers, or NaN where a step has no target."
        )
    if np.isnan(y.rows[used]).all():
        raise ValueError("y has no target: all its steps hold NaN")
    targets = Targets(y.rows.astype(np.float64, copy=False), y.starts, y.lengths)
    return targets, one_dimensional or y.n_features == 1


def step_values(y: Any) -> tuple[Sequences, bool]:
    """Read arrays of numbers for each step; return them, and whether they have one dimension for each."""
    items = None if is_frame(y) else listed(y)
    if items:
        refuse_one_for_each(items, "target")
        flat = all(np.ndim(item) <= 1 for item in items)
        try:
            return (Sequences.from_list(items) if flat else as_sequences(items)), flat
        except ValueError as error:
            raise ValueError(f"y, {str(error).partition('; if each text')[0]}") from None
    array = np.asarray(y)
    if array.ndim == 2:
        return Sequences.from_array(array[:, :, np.newaxis]), True
    if array.ndim != 3:
        refuse_one_for_each(array if array.ndim == 1 else [], "target")
        raise ValueError(
            f'y has shape {array.shape}; with target="sequence" expected (samples, steps), (samples, steps, '
            "outputs), a list with an array for each sequence, or a Sequences"
        )
    return Sequences.from_array(array), False


def refuse_one_for_each(items: Any, what: str) -> None:
    """Raise an error if `items` are targets, or labels, of sequences rather than of their steps."""
    if len(items) and np.ndim(items[0]) == 0:
        raise ValueError(
            f"y has one {what} for each of {len(items)} sequences, such as {np.asarray(items[0]).item()!r}; "
            f'with target="sequence" expected an array of {what}s for each, one a step (of a single '
            'sequence: y[np.newaxis]). For one a sequence leave target="value"'
        )


def used_rows(y: Sequences) -> NDArray[np.bool_]:
    """Return which rows belong to a sequence: a part of a Sequences has the rows of the whole."""
    change = np.zeros(len(y.rows) + 1, dtype=np.int64)
    np.add.at(change, y.starts, 1)
    np.subtract.at(change, y.starts + y.lengths, 1)
    used: NDArray[np.bool_] = np.cumsum(change[:-1]) > 0
    return used


def check_step_lengths(lengths: NDArray[np.int64], data: Sequences) -> None:
    """Raise an error that names the first sequence whose targets are more or fewer than its steps."""
    if len(lengths) != len(data):
        raise ValueError(
            f"y has {len(lengths)} sequences, but X has {len(data)}; expected a target for each step of each"
        )
    wrong = np.flatnonzero(lengths != data.lengths)
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            f"y has {lengths[i]} targets for {data.label(i)}, which has {data.lengths[i]} steps; expected "
            "one for each step, NaN where there is none"
        )


def require_y(y: Any, name: str) -> None:
    """Raise scikit-learn's error where there is no `y`."""
    if y is None:
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")


def length_message(y_shape: tuple[int, ...], X_shape: tuple[int | None, ...]) -> str:
    """Say that there are more or fewer targets than samples, and what was probably meant."""
    message = (
        f"y has {y_shape[0]} values (shape {y_shape}), but X has {X_shape[0]} samples (shape {X_shape}); "
        "expected one for each sample."
    )
    if len(y_shape) == 2 and y_shape[1] == X_shape[0]:
        return message + " y looks transposed: pass y.T."
    if y_shape[0] in X_shape[1:]:
        axis = X_shape.index(y_shape[0], 1)
        order = "(sample, step, feature)" if len(X_shape) == 3 else "(sample, feature)"
        message += (
            f" X looks transposed: its axis {axis} has {y_shape[0]}; the axes are {order}, "
            f"so pass np.moveaxis(X, {axis}, 0)."
        )
    return message


def _refuse_dates(y: Any) -> None:
    """Raise an error for what scikit-learn would take as nanoseconds."""
    for dtype in [y.dtype] if hasattr(y, "dtype") else getattr(y, "dtypes", ()):
        if str(dtype).lower().startswith(("date", "time", "period", "duration")):
            raise ValueError(
                f"y holds {dtype}, expected numbers: turn it into such, for instance into days since a date"
            )


def _explain_ragged(y: Any, error: ValueError) -> None:
    if isinstance(y, list | tuple) and len({np.shape(item) for item in y}) > 1:
        raise ValueError(
            f"y holds {len(y)} items of different shapes; expected one target for each sequence. Set "
            'target="sequence" to learn one for each step'
        ) from error


def refuse_negative(targets: Targets, data: Sequences, what: str) -> None:
    """Raise an error that names the first negative target."""
    negative = np.argwhere(targets.stacked() < 0)
    if not len(negative):
        return
    row, column = (int(i) for i in negative[0])
    value = targets.stacked()[row, column]
    if targets.lengths is None:
        place = f"row {row}"
    else:
        ends = np.cumsum(targets.lengths)
        i = int(np.searchsorted(ends, row, side="right"))
        place = f"{data.label(i)}, step {row - int(ends[i] - targets.lengths[i])}"
    raise ValueError(f'{what} holds {value:g} at {place}; loss="poisson" takes numbers of at least 0')
