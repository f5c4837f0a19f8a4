"""A long dataframe, many rows for each id, as sequences and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._categories import decode
from grulearn.sequences._forms import Blocks
from grulearn.sequences._frames import FrameReader, stack_codes, stack_numbers, string_names
from grulearn.sequences._schema import Schema
from grulearn.sequences._times import check_times_ahead, read_times

__all__ = ["Roles", "Target", "read_long"]

Target = Literal["auto", "value", "step"]


@dataclass(frozen=True)
class Roles:
    """Which column is what, as the user said it."""

    id: Any
    time: Any
    features: Any
    target: Any
    categorical: Any


@dataclass(frozen=True)
class Grouping:
    """Which rows of the frame are whose.

    Row ``order[k]`` of the frame is row k of the blocks; None if they are the same. Sequence `i` has the rows
    from ``starts[i]`` of the blocks on.
    """

    ids: NDArray[Any] | None
    order: NDArray[np.int64] | None
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    name: Any

    def source(self, row: int) -> int:
        """Return which row of the frame a row of the blocks was."""
        return row if self.order is None else int(self.order[row])

    def ordered(self, column: NDArray[Any]) -> NDArray[Any]:
        """Return a column in the blocks' order."""
        return column if self.order is None else column[self.order]

    def label(self, row: int) -> str:
        """Return what messages call the sequence that a row of the blocks belongs to."""
        if self.ids is None:
            return "the frame"
        i = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.name} {self.ids[i : i + 1].tolist()[0]!r}"

    def within(self) -> NDArray[np.bool_]:
        """Return for each row of the blocks but the first whether the one before is of its sequence."""
        inside = np.ones(int(self.lengths.sum()), dtype=np.bool_)
        inside[self.starts] = False
        return inside[1:]


def read_long(frame: Any, roles: Roles, target: Target) -> tuple[Blocks, Any]:
    """Read sequences, and their targets, from a long dataframe.

    Returns
    -------
    X : dict
        The arguments of Sequences.
    y : None, ndarray (one target for each sequence), or dict (as for `X`: one for each step)
    """
    if target not in get_args(Target):
        raise ValueError(f"target={target!r}; expected 'auto', 'value' or 'step'")
    reader = FrameReader(frame, "df")
    if len(reader) == 0:
        raise ValueError("df has no rows")
    numeric, categorical, targets = _resolve(reader, roles)
    grouping = _group(reader, roles.id)
    shared: Blocks = {"starts": grouping.starts, "lengths": grouping.lengths, "ids": grouping.ids}
    named: dict[str, Any] = {} if roles.id is None else {"id": str(roles.id)}
    if roles.time is not None:
        times, dtype, zone = read_times(reader, roles.time)
        shared["times"] = grouping.ordered(times)
        named |= {"time": str(roles.time), "time_dtype": dtype, "time_zone": zone}
        check_times_ahead(reader, roles.id, roles.time, shared["times"], grouping)
    X = shared | _blocks(reader, numeric, categorical, grouping, named)
    if roles.target is None:
        return X, None
    one_only = isinstance(roles.target, str) or not isinstance(roles.target, Sequence)
    return X, _targets(reader, targets, one_only, target, grouping, shared, named)


def _resolve(reader: FrameReader, roles: Roles) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the numeric features, the categorical features and the targets."""
    targets = _as_names(roles.target)
    asked = _as_names(roles.categorical)
    keys = [name for name in (roles.id, roles.time) if name is not None]
    reader.require(_as_names(roles.id), "id_col")
    reader.require(_as_names(roles.time), "time_col")
    reader.require(targets, "target_col")
    reader.require(asked, "categorical_cols")
    if roles.features is None:
        features = [name for name in reader.names if name not in {*keys, *targets}]
    else:
        features = _as_names(roles.features)
        reader.require(features, "feature_cols")
        features += [name for name in asked if name not in features]
    if len(keys) == 2 and keys[0] == keys[1]:
        raise ValueError(f"id_col and time_col are both {keys[0]!r}; expected two columns")
    for role, names in (("a feature", [*features, *asked]), ("a target", targets)):
        for name in names:
            if name in keys:
                raise ValueError(f"column {name!r} cannot be {role}: it is the id_col or the time_col")
            if names is not targets and name in targets and roles.features is None:
                raise ValueError(f"column {name!r} is in categorical_cols, but it is the target")
    for names, role in ((features, "feature_cols"), (targets, "target_col")):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"{role}: {twice[0]!r} is named twice")
    if not features:
        raise ValueError(f"df has no features: its columns {reader.names} are all id, time or target")
    categorical = [name for name in features if name in asked or reader.is_categorical(name)]
    return [name for name in features if name not in categorical], categorical, targets


def _as_names(given: Any) -> list[Any]:
    if given is None:
        return []
    return (
        [given] if isinstance(given, str) or not isinstance(given, list | tuple | np.ndarray) else list(given)
    )


def _group(reader: FrameReader, name: Any) -> Grouping:
    """Find the rows of each id; ids come in the order in which they first appear."""
    n = len(reader)
    if name is None:
        return Grouping(None, None, np.zeros(1, dtype=np.int64), np.array([n], dtype=np.int64), None)
    missing = reader.missing(name)
    if missing.any():
        more = int(missing.sum()) - 1
        others = f" ({more:,} more such row{'s' * (more != 1)})" if more else ""
        raise ValueError(
            f"row {int(missing.argmax())} has no id: column {name!r} is missing there{others}. Fill it in "
            "or leave the rows out"
        )
    found, labels = _number(reader, name)
    first = np.empty(len(labels), dtype=np.int64)
    first[found[::-1]] = np.arange(n - 1, -1, -1)  # of several values for one place the last is kept
    appearance = np.argsort(first)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[appearance] = np.arange(len(labels))
    number = rank[found]
    order = None
    if (number[1:] < number[:-1]).any():
        # NumPy sorts 16-bit integers in linear time.
        order = np.argsort(number.astype(np.uint16) if len(labels) <= 2**16 else number, kind="stable")
    lengths = np.bincount(number, minlength=len(labels)).astype(np.int64)
    return Grouping(labels[appearance], order, np.cumsum(lengths) - lengths, lengths, name)


def _number(reader: FrameReader, name: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    kind = str(reader.column(name).dtype)
    if kind.startswith(("Float", "Date")):
        labels, numbers = np.unique(reader.column(name).to_numpy(), return_inverse=True)
        return numbers, labels
    return reader.codes(name)


def _blocks(
    reader: FrameReader, numeric: list[Any], categorical: list[Any], grouping: Grouping, named: dict[str, Any]
) -> Blocks:
    n, order = len(reader), grouping.order
    rows, dtypes = stack_numbers([reader.numbers(name) for name in numeric], n, order)
    codes, categories = stack_codes([reader.codes(name) for name in categorical], n, order)
    schema = Schema(
        features=string_names(numeric),
        feature_dtypes=dtypes,
        categorical=string_names(categorical),
        **named,
    )
    return {"rows": rows, "codes": codes, "categories": categories, "schema": schema}


def _targets(
    reader: FrameReader,
    names: list[Any],
    one_only: bool,
    target: Target,
    grouping: Grouping,
    shared: Blocks,
    named: dict[str, Any],
) -> Any:
    """Return one target for each sequence as an array, or the blocks of one for each step."""
    categorical = [name for name in names if reader.is_categorical(name)]
    changing = None
    if target != "step":
        for name in names:
            changing = changing or _change(reader, name, name in categorical, grouping)
    if target == "value" and changing:
        raise ValueError(
            f"{changing}; target='value' takes one target for each sequence. Pass "
            "target='step' for one at each step"
        )
    if target == "step" or changing:
        numeric = [name for name in names if name not in categorical]
        return shared | _blocks(reader, numeric, categorical, grouping, named)
    firsts = grouping.starts if grouping.order is None else grouping.order[grouping.starts]
    columns = []
    for name in names:
        if name in categorical:
            codes, categories = reader.codes(name)
            columns.append(decode(codes[firsts], categories))
        else:
            columns.append(reader.numbers(name)[firsts])
    return columns[0] if one_only else np.column_stack(columns)


def _change(reader: FrameReader, name: Any, categorical: bool, grouping: Grouping) -> str | None:
    """Say where a target differs from the one before it in its sequence; None if it never does."""
    values = grouping.ordered(reader.codes(name)[0] if categorical else reader.numbers(name))
    changes = (values[1:] != values[:-1]) & grouping.within()
    if values.dtype.kind == "f":
        changes &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    if not changes.any():
        return None
    row = int(changes.argmax())
    before, after = grouping.source(row), grouping.source(row + 1)
    old, new = (_plain(reader.column(name)[i]) for i in (before, after))
    return (
        f"column {name!r} changes within {grouping.label(row)}: {old!r} in row {before}, "
        f"{new!r} in row {after}"
    )


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's, whose repr is the value alone."""
    return value.item() if isinstance(value, np.generic) else value
