"""What a user should know about the training part, in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._places import label
from grulearn.encoding.categories import CategoryCodes

__all__ = ["remarks_on_categories", "remarks_on_numbers"]

_MANY = 20  # fewer may be versions or sizes, which are categories
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_NAMED = 5


def remarks_on_numbers(
    constant: NDArray[np.int64], unobserved: NDArray[np.int64], names: Sequence[str] | None
) -> list[str]:
    """Return a sentence on constant features, and one on those without a value."""
    remarks = []
    if len(constant):
        what = "feature is" if len(constant) == 1 else "features are"
        remarks.append(
            f"{len(constant)} {what} constant in the training part and cannot tell samples apart: "
            f"{_listed(constant, names)}. Scaled with 1 instead of a standard deviation of 0; consider "
            "dropping it."
        )
    if len(unobserved):
        what = "feature has" if len(unobserved) == 1 else "features have"
        remarks.append(
            f"{len(unobserved)} {what} no value in the training part: {_listed(unobserved, names)}. It "
            "counts as missing from now on, whatever its values are; consider dropping it."
        )
    return remarks


def remarks_on_categories(categories: tuple[CategoryCodes, ...], names: Sequence[str] | None) -> list[str]:
    """Return a sentence on each categorical feature that cannot tell samples apart, or is none."""
    remarks = []
    for c, codes in enumerate(categories):
        feature = label("Categorical feature", c, names)
        if codes.values:
            if _are_decimals(codes):
                remarks.append(
                    f"{feature} holds texts that look like numbers, such as {codes.values[0]!r}, and is read "
                    f"as {len(codes.values):,} categories; convert the column if they are numbers."
                )
            continue
        if codes.kind is None:
            remarks.append(f"{feature} has no value in the training part; consider dropping it.")
        else:
            remarks.append(
                f"{feature} has no value that two sequences of the training part share, as an id has none: "
                "all count as unseen, and nothing is learned from them; consider dropping it."
            )
    return remarks


def _are_decimals(codes: CategoryCodes) -> bool:
    """Tell whether many values are all decimal numbers in letters, such as a column with decimal commas."""
    if codes.kind != "str" or len(codes.values) < _MANY:
        return False
    texts = [str(value) for value in codes.values[:_MANY]]
    return all(_NUMBER.fullmatch(text) for text in texts) and any("." in t or "," in t for t in texts)


def _listed(columns: NDArray[np.int64], names: Sequence[str] | None) -> str:
    listed = ", ".join(label("column", int(i), names) for i in columns[:_NAMED])
    return listed + (f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else "")
