"""The columns to predict: numbers or labels, one for each sequence or one for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from grulearn.cli._errors import BadInput
from grulearn.cli._grouping import Grouping
from grulearn.cli._tables import Table
from grulearn.cli._values import NO_GAPS, Gaps, as_text, numbers
from grulearn.sequences import Schema, Sequences

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Task = Literal["regression", "classification"]
Form = Literal["auto", "value", "step"]

# So many different whole numbers may be classes, and the user is told.
_FEW_NUMBERS = 20


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as they stand in the rows of a table.

    Parameters
    ----------
    table : Table
    names : tuple of str
    values : ndarray, shape (rows, K)
        Numbers as float64; labels as objects: str, bool or int.
    known : ndarray of bool, shape (rows, K)
        Which of them are there.
    task : {"regression", "classification"}
    """

    table: Table
    names: tuple[str, ...]
    values: NDArray[Any]
    known: NDArray[np.bool_]
    task: Task

    def require_all(self) -> None:
        """Raise BadInput if a row lacks a target."""
        for name in self.names:
            NO_GAPS.check(self.table, name)

    def of_rows(self, rows: NDArray[np.int64]) -> Any:
        """Return the targets of some rows as estimators take them, with names."""
        import pandas as pd

        values = self.values[rows]
        if len(self.names) > 1:
            several = values if self.task == "regression" else values.astype(np.int64)
            return pd.DataFrame(several, columns=list(self.names))
        one = values[:, 0] if self.task == "regression" else np.array(values[:, 0].tolist())
        return pd.Series(one, name=self.names[0])

    def by_step(self, grouping: Grouping) -> Sequences:
        """Return a target for each step; those that are not known do not count."""
        values, known = self.values[grouping.order], self.known[grouping.order]
        starts, lengths = grouping.starts, grouping.lengths
        if self.task == "regression" or len(self.names) > 1:
            rows = np.where(known, values, np.nan).astype(np.float64)
            return Sequences(rows, starts, lengths, schema=Schema(features=self.names))
        there = known[:, 0]
        classes, numbers_ = np.unique(np.array(values[there, 0].tolist()), return_inverse=True)
        codes = np.full((len(values), 1), -1, dtype=np.int32)
        codes[there, 0] = numbers_
        empty = np.empty((len(values), 0), dtype=np.float32)
        schema = Schema(categorical=self.names)
        return Sequences(empty, starts, lengths, codes=codes, categories=[classes], schema=schema)


def find_task(table: Table, names: Sequence[str]) -> tuple[Task, str | None]:
    """Find out the task; return it, and a sentence where there is a choice.

    Texts, true and false, and exactly two whole numbers are labels; everything else is numbers.

    Raises
    ------
    BadInput
        If some targets are labels and others are not.
    """
    found = {name: _labels_in(table.frame[name].dropna()) for name in names}
    labels = [name for name in names if found[name]]
    if not labels:
        return "regression", _about_whole_numbers(table, names)
    others = [name for name in names if name not in labels]
    if others:
        raise BadInput(
            f'the target "{labels[0]}" holds {found[labels[0]]}, but "{others[0]}" holds numbers; one model '
            "learns one or the other"
        )
    return "classification", f'Classification: "{labels[0]}" holds {found[labels[0]]}.'


def read_targets(
    table: Table, names: Sequence[str], task: Task, classes: NDArray[Any] | None = None
) -> Targets:
    """Read the targets of all rows.

    Parameters
    ----------
    table : Table
    names : sequence of str
    task : {"regression", "classification"}
    classes : ndarray, optional
        Labels that a model knows: others are read as the same kind.

    Raises
    ------
    BadInput
        If one is no number, or no label.
    """
    import pandas as pd

    if task == "regression":
        values: NDArray[Any] = numbers(table, names, Gaps(allowed=True)).to_numpy()
        return Targets(table, tuple(names), values, ~np.isnan(values), task)
    values = np.column_stack([_labels(table, name, classes) for name in names])
    known = ~pd.isna(values)
    if len(names) > 1:
        _check_indicators(table, names, values, known)
    return Targets(table, tuple(names), values, known, task)


def is_by_step(targets: Targets, grouping: Grouping, asked: str) -> tuple[bool, str | None]:
    """Tell whether each row has a target rather than each sequence; with a sentence if it was found out.

    Raises
    ------
    BadInput
        If `asked` is no form, or is "value" and a target changes within a sequence or is missing.
    """
    if asked not in get_args(Form):
        raise BadInput(f"--target-kind must be auto, value or step; it is {asked}")
    if asked == "step":
        return True, None
    change = _first_change(targets, grouping)
    if change is None:
        return False, None if asked == "value" else f"One target for each {grouping.id or 'table'}."
    row, name, what = change
    place = targets.table.place(row, name)
    if asked == "value":
        raise BadInput(f"{place}: the target {what}; --target-kind value takes one for each sequence")
    number = int(targets.table.frame.index[row]) + 1
    return True, f'One target for each row: "{name}" {what} in data row {number}.'


def _labels_in(column: pd.Series[Any]) -> str | None:
    """Say what labels a column holds; None if they are numbers."""
    import pandas as pd

    if _is_true_or_false(column):
        return "true and false"
    if not pd.api.types.is_numeric_dtype(column):
        # A text among numbers that are at least as many is a slip, and found when they are read.
        text = pd.to_numeric(column.astype(str), errors="coerce").isna()
        return "texts" if 2 * text.sum() > len(text) else None
    values = np.unique(column.to_numpy(dtype=np.float64))
    if len(values) == 2 and (np.trunc(values) == values).all():
        return f"{values[0]:.0f} and {values[1]:.0f} only"
    return None


def _is_true_or_false(column: pd.Series[Any]) -> bool:
    import pandas as pd

    if len(column) == 0:
        return False
    # With gaps among them pandas keeps true and false as objects.
    return pd.api.types.is_bool_dtype(column) or all(isinstance(value, bool | np.bool_) for value in column)


def _about_whole_numbers(table: Table, names: Sequence[str]) -> str | None:
    """Say so where a target might be meant as classes."""
    import pandas as pd

    for name in names:
        values = pd.to_numeric(table.frame[name], errors="coerce").dropna().unique()
        if 2 < len(values) <= _FEW_NUMBERS and (np.trunc(values) == values).all():
            return (
                f'Regression: "{name}" holds numbers, {len(values)} different ones; '
                "--task classification takes them as classes."
            )
    return None


def _labels(table: Table, name: str, classes: NDArray[Any] | None) -> NDArray[Any]:
    """Return a column's labels as objects, None where there is none."""
    import pandas as pd

    column = table.frame[name]
    gaps = column.isna().to_numpy()
    wanted = None if classes is None else classes.dtype.kind
    if wanted in ("O", "U"):
        return as_text(column)
    if _is_true_or_false(column[~gaps]):
        labels = np.array(column.astype(object), dtype=object)
    elif pd.api.types.is_numeric_dtype(column):
        labels = _whole_numbers(table, name, gaps)
    else:
        labels = as_text(column)
    labels[gaps] = None
    if wanted is not None:
        _check_kind(table, name, labels, gaps, wanted, classes)
    return labels


def _whole_numbers(table: Table, name: str, gaps: NDArray[np.bool_]) -> NDArray[Any]:
    values = table.frame[name].to_numpy(dtype=np.float64, na_value=0.0)
    broken = (np.trunc(values) != values) & ~gaps
    if broken.any():
        row = int(broken.argmax())
        raise BadInput(
            f"{table.place(row, name)}: {values[row]:g} is no label, which would be a text, true or false, "
            "or a whole number; --task regression learns numbers"
        )
    return values.astype(np.int64).astype(object)


def _check_kind(
    table: Table,
    name: str,
    labels: NDArray[Any],
    gaps: NDArray[np.bool_],
    wanted: str,
    classes: NDArray[Any] | None,
) -> None:
    kinds = {"b": bool, "i": int, "u": int, "f": int}
    wrong = np.array([not isinstance(value, kinds[wanted] | np.bool_) for value in labels.tolist()]) & ~gaps
    if wrong.any() and classes is not None:
        row = int(wrong.argmax())
        listed = ", ".join(str(value) for value in classes[:6].tolist())
        raise BadInput(
            f'{table.place(row, name)}: "{labels[row]}" is none of the labels that the model knows, which '
            f"are {listed}{', ...' if len(classes) > 6 else ''}"
        )


def _check_indicators(
    table: Table, names: Sequence[str], values: NDArray[Any], known: NDArray[np.bool_]
) -> None:
    """Raise BadInput unless several targets are all 0 and 1, or false and true."""
    for k, name in enumerate(names):
        for row in np.flatnonzero(known[:, k]).tolist():
            if values[row, k] not in (0, 1):
                raise BadInput(
                    f'{table.place(row, name)}: "{values[row, k]}"; several targets at once are labels that '
                    "are there or not, 1 or 0"
                )


def _first_change(targets: Targets, grouping: Grouping) -> tuple[int, str, str] | None:
    """Find a target that is missing or differs from the one before it in its sequence.

    Returns
    -------
    row, name, what : int, str, str
        The row of the table, the column, and the words for what it is; None if there is none.
    """
    gaps = ~targets.known.all(axis=1)
    if gaps.any():
        row = int(gaps.argmax())
        name = targets.names[int((~targets.known[row]).argmax())]
        return row, name, "is empty"
    rows, before = grouping.neighbours()
    differ = targets.values[rows] != targets.values[before]
    changed = differ.any(axis=1)
    if not changed.any():
        return None
    k = int(changed.argmax())
    row, name = int(rows[k]), targets.names[int(differ[k].argmax())]
    return row, name, f"changes within {grouping.label(row)}"
