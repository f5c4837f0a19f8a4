"""Values that no encoding can take: what is refused, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from grulearn.encoding._places import category_label, feature_label, find, more
from grulearn.encoding._segments import Segments, block_rows
from grulearn.sequences import Sequences

__all__ = ["MISSING", "check_missing", "check_values", "has_finite_sum"]

MISSING = ("error", "mean", "forward", "simple", "decay")

_REMEDY = (
    'Pass missing="simple" (a mask and the time since the last observation become inputs), "decay" (GRU-D), '
    '"forward" or "mean" to use data with missing values; or fill them in, or leave them out'
)


def check_missing(missing: str) -> None:
    """Raise a ValueError if `missing` is none of the ways to deal with missing values."""
    if not isinstance(missing, str) or missing not in MISSING:
        raise ValueError(f"missing={missing!r}; expected one of {', '.join(map(repr, MISSING))}")


def check_values(data: Sequences, missing: str) -> None:
    """Raise an error if a step of a sequence holds infinity, or something missing that may not be.

    Sequences are numbered as they are here: to name the user's, check before the training part is taken.
    With scikit-learn's ``assume_finite=True`` nothing is checked.

    Parameters
    ----------
    data : Sequences
    missing : {"error", "mean", "forward", "simple", "decay"}
        With "error", NaN and missing categories are refused too.

    Raises
    ------
    ValueError
        Names the first place and counts the others.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.encoding import check_values
    >>> from grulearn.sequences import Schema, Sequences
    >>> schema = Schema(("load",), id="machine")
    >>> log = Sequences(np.array([[1.0], [np.nan]]), [0], [2], ids=["m7"], schema=schema)
    >>> check_values(log, "error")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Input X contains NaN at sequence 0 (machine 'm7'), step 1, feature 'load' (0). Pass ...
    >>> check_values(log, "forward")
    """
    check_missing(missing)
    if get_config()["assume_finite"]:
        return
    read = Segments.shared(data)
    wrong: Callable[[NDArray[Any]], NDArray[np.bool_]] = np.isinf
    if missing == "error":
        wrong = _is_not_finite
    if not _all_finite(data, read):
        _refuse_number(data, read, wrong)
    if missing == "error":
        _refuse_missing_category(data, read)


def has_finite_sum(values: NDArray[Any]) -> bool:
    """Tell whether all values are certainly finite: without a temporary array; False may be overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


def _all_finite(data: Sequences, read: Segments) -> bool:
    size = block_rows(data.n_features)
    return all(has_finite_sum(data.rows[block.source]) for block in read.blocks(size))


def _refuse_number(
    data: Sequences, read: Segments, wrong: Callable[[NDArray[Any]], NDArray[np.bool_]]
) -> None:
    place = find(data, read, data.rows, wrong)
    if place is None:
        return
    where = place.words(data, feature_label(data, place.column))
    if np.isnan(data.rows[place.row, place.column]):
        raise ValueError(f"Input X contains NaN at {where}{more(place.count, 'such value')}. {_REMEDY}.")
    others = more(place.count, "such value")
    raise ValueError(
        f"Input X contains infinity at {where}{others}. Expected finite numbers; a missing value is NaN."
    )


def _refuse_missing_category(data: Sequences, read: Segments) -> None:
    place = find(data, read, data.codes, lambda codes: codes < 0)
    if place is not None:
        where = place.words(data, category_label(data, place.column))
        others = more(place.count, "such value")
        raise ValueError(f"Input X has a missing value at {where}{others}. {_REMEDY}.")


def _is_not_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.isfinite(values)
    return ~finite
