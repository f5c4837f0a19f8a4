"""Numeric features that are categories in truth, moved from one block to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._categories import encode_integers
from grulearn.sequences._forms import Blocks
from grulearn.sequences._view import ListView

__all__ = ["recast"]


def recast(X: ListView, features: Sequence[int | str]) -> Blocks:
    """Return the blocks of `X` with numeric `features` behind the categorical ones, and out of the rows."""
    positions = [_position(X, feature) for feature in features]
    if len(set(positions)) != len(positions):
        raise ValueError(f"features: one is named twice in {list(features)}")
    columns = [_codes(X, j) for j in positions]
    kept = [j for j in range(X.n_features) if j not in set(positions)]
    names, dtypes, categorical = X.schema.features, X.schema.feature_dtypes, X.schema.categorical
    if X.n_categorical == 0:
        categorical = ()
    if names is None or categorical is None:
        categorical = None
    else:
        categorical = (*categorical, *(names[j] for j in positions))
    return {
        "rows": X.rows[:, kept],
        "starts": X.starts,
        "lengths": X.lengths,
        "codes": np.column_stack([X.codes, *(codes for codes, _ in columns)]),
        "categories": [*X.categories, *(categories for _, categories in columns)],
        "times": X.times,
        "ids": X.ids,
        "schema": replace(
            X.schema,
            features=names and tuple(names[j] for j in kept),
            feature_dtypes=dtypes and tuple(dtypes[j] for j in kept),
            categorical=categorical,
        ),
    }


def _position(X: ListView, feature: Any) -> int:
    names = X.schema.features or ()
    if isinstance(feature, str):
        if feature not in names:
            raise ValueError(f"there is no numeric feature {feature!r}; there are {list(names)}")
        return names.index(feature)
    if X.n_features == 0:
        raise ValueError(f"there is no numeric feature {feature}: all features are categorical")
    if not 0 <= int(feature) < X.n_features:
        raise ValueError(f"there is no numeric feature {feature}; they count from 0 to {X.n_features - 1}")
    return int(feature)


def _codes(X: ListView, j: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
    values = X.rows[:, j]
    try:
        return encode_integers(values, np.isnan(values))
    except ValueError as error:
        name = f"feature {j}" if X.schema.features is None else f"feature {X.schema.features[j]!r}"
        raise ValueError(f"{name}, {error}") from None
