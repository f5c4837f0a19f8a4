"""What a user should know about the training part, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._places import label
from grulearn.encoding.categories import CategoryCodes

__all__ = ["remarks_on_categories", "remarks_on_numbers"]

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
    """Return a sentence on each categorical feature that cannot tell samples apart."""
    remarks = []
    for c, codes in enumerate(categories):
        if codes.values:
            continue
        feature = label("Categorical feature", c, names)
        if codes.kind is None:
            remarks.append(f"{feature} has no value in the training part; consider dropping it.")
        else:
            remarks.append(
                f"{feature} has no value that two sequences of the training part share, as an id has none: "
                "all count as unseen, and nothing is learned from them; consider dropping it."
            )
    return remarks


def _listed(columns: NDArray[np.int64], names: Sequence[str] | None) -> str:
    listed = ", ".join(label("column", int(i), names) for i in columns[:_NAMED])
    return listed + (f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else "")
