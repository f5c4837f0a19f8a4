"""Labels in whatever they came: lists, arrays, series of any make; brought to one NumPy type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from grulearn.sequences import is_missing

__all__ = ["check_kind", "join_labels", "raw_labels", "settle_labels"]


def raw_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array, of objects if something may be missing among them.

    Raises
    ------
    TypeError
        If they are sparse.

    Examples
    --------
    >>> raw_labels(["a", float("nan")]), raw_labels([1, 2])
    (array(['a', nan], dtype=object), array([1, 2]))
    """
    if hasattr(y, "toarray") and hasattr(y, "nnz"):
        raise TypeError("y is a sparse matrix, which is not supported; pass y.toarray()")
    array = np.asarray(y)
    if not isinstance(y, list | tuple) or array.dtype.kind in "biu":
        return array.astype(object) if array.dtype.kind == "T" else array
    # NumPy has made "nan" of a NaN among strings, and floats of integers beside one.
    objects = np.array(y, dtype=object)
    kinds = set(map(type, objects.ravel().tolist()))
    return array if kinds <= {str, np.str_} or kinds == {float} and not np.isnan(array).any() else objects


def join_labels(items: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the labels of all items in one array: of their type, or of objects if they have several."""
    kinds = {item.dtype.kind for item in items}
    mixed = "O" in kinds or ("U" in kinds and len(kinds) > 1)
    return np.concatenate([item.astype(object) for item in items] if mixed else items)


def settle_labels(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Turn objects that are all booleans or all numbers into such; tell which are labels at all.

    Returns
    -------
    values : ndarray of the shape of `array`
        Objects still, if they are strings, or of several types.
    known : ndarray of bool, of that shape
        False for None, NaN and the like.

    Examples
    --------
    >>> import numpy as np
    >>> settle_labels(np.array([1, None, 3], dtype=object))
    (array([1, 0, 3]), array([ True, False,  True]))
    """
    if array.dtype.kind != "O":
        return array, ~np.isnan(array) if array.dtype.kind == "f" else np.ones(array.shape, dtype=np.bool_)
    if set(map(type, array.ravel().tolist())) == {str}:
        return array, np.ones(array.shape, dtype=np.bool_)
    items = [item.item() if isinstance(item, np.generic) else item for item in array.ravel().tolist()]
    known = np.array([not is_missing(item) for item in items], dtype=np.bool_)
    kinds = {type(item) for item, there in zip(items, known.tolist(), strict=True) if there}
    values = np.empty(len(items), dtype=object)
    values[:] = items
    for dtype, allowed in ((np.bool_, {bool}), (np.int64, {bool, int}), (np.float64, {bool, int, float})):
        if kinds and kinds <= allowed:
            values = np.where(known, values, False).astype(dtype)
            break
    return values.reshape(array.shape), known.reshape(array.shape)


def check_kind(values: NDArray[Any], what: str = "y") -> None:
    """Refuse labels of several types, and what is no label: dates, numbers that are not whole.

    Raises
    ------
    ValueError, TypeError
        That says what there is, and what was expected.
    """
    if values.dtype.kind in "OmM":
        kinds = {type(value) for value in values.tolist()}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise TypeError(f"{what} holds labels of several types: {names}; expected one type, such as str")
        if kinds and kinds != {str}:
            raise TypeError(
                f"{what} holds a {kinds.pop().__name__}, {values[:1].tolist()[0]!r}; labels are strings, "
                "booleans or whole numbers: convert them, for instance to strings"
            )
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(f"Input {what} contains infinity; labels are strings, booleans or whole numbers")
    try:
        check_classification_targets(values)
    except ValueError as error:
        if "continuous" not in str(error):
            raise
        raise ValueError(
            f"{error} {what} holds numbers such as {float(values[np.trunc(values) != values][0])!r}: to "
            "learn numbers use GRURegressor; labels are strings, booleans or whole numbers"
        ) from None
