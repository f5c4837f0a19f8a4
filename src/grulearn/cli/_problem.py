"""A table as something to learn: features and targets as estimators take them, and how they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from grulearn.cli._errors import BadInput
from grulearn.cli._grouping import Grouping, group
from grulearn.cli._layout import Layout, Roles, find_features
from grulearn.cli._models import read_features
from grulearn.cli._tables import Table
from grulearn.cli._targets import Targets, Task, find_task, is_by_step, read_targets
from grulearn.cli._values import Gaps


@dataclass(frozen=True, eq=False)
class Problem:
    """What to fit.

    Parameters
    ----------
    task : {"regression", "classification"}
    X, y
        As an estimator's `fit` takes them.
    layout : Layout
        For the model file.
    sentences : tuple of str
        What was found out rather than said, for the user to see.
    """

    task: Task
    X: Any
    y: Any
    layout: Layout
    sentences: tuple[str, ...]


def read_problem(table: Table, roles: Roles, *, task: str, form: str, gaps: Gaps, sort: bool) -> Problem:
    """Find out what the columns of a table are, and read them.

    Parameters
    ----------
    table : Table
    roles : Roles
    task : {"auto", "regression", "classification"}
    form : {"auto", "value", "step"}
        Whether each sequence has a target, or each row.
    gaps : Gaps
        Whether features may be missing.
    sort : bool
        Whether to take rows in the order of time.

    Raises
    ------
    BadInput
        If a column is missing, or holds what it should not.
    """
    roles.check(table)
    if len(table.frame) < 2:
        raise BadInput(f"{table.source} has one row; expected at least two to train on, and rather hundreds")
    numeric, categorical = find_features(table, roles)
    grouping = group(table, roles.id, roles.time, sort=sort) if roles.long else None
    found, about_task = find_task(table, roles.targets) if task == "auto" else (task, None)
    targets = read_targets(table, roles.targets, found)  # type: ignore[arg-type]
    by_step, about_form = _find_form(targets, grouping, form)
    if not by_step:
        targets.require_all()
    _check_varies(targets)
    layout = Layout(roles.targets, numeric, categorical, roles.id, roles.time, by_step, roles.ignored)
    X = read_features(layout, table, grouping, gaps)
    about = (about_task, about_form, _about_categories(table, layout))
    sentences = tuple(sentence for sentence in about if sentence)
    return Problem(targets.task, X, _take_targets(targets, grouping, by_step), layout, sentences)


def check_task(task: str) -> None:
    """Raise BadInput unless it is one."""
    if task not in ("auto", *get_args(Task)):
        raise BadInput(f"--task must be auto, regression or classification; it is {task}")


def _find_form(targets: Targets, grouping: Grouping | None, form: str) -> tuple[bool, str | None]:
    if grouping is not None:
        return is_by_step(targets, grouping, form)
    if form != "auto":
        raise BadInput(f"--target-kind {form} goes with long tables, which have --id or --time")
    return False, None


def _take_targets(targets: Targets, grouping: Grouping | None, by_step: bool) -> Any:
    if grouping is None:
        return targets.of_rows(np.arange(len(targets.values)))
    return targets.by_step(grouping) if by_step else targets.of_rows(grouping.firsts)


def _check_varies(targets: Targets) -> None:
    source = targets.table.source
    for k, name in enumerate(targets.names):
        values = set(targets.values[targets.known[:, k], k].tolist())
        if not values:
            raise BadInput(f'the target column "{name}" of {source} is empty in every row')
        if len(values) == 1:
            value = values.pop()
            written = f"{value:g}" if isinstance(value, float) else str(value)
            raise BadInput(
                f'the target column "{name}" of {source} is {written} in every row; there is nothing to learn'
            )


def _about_categories(table: Table, layout: Layout) -> str | None:
    if not layout.categorical:
        return None
    counts = [f'"{name}" ({table.frame[name].nunique():,} values)' for name in layout.categorical]
    return f"Categories: {', '.join(counts)}."
