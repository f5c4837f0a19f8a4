"""The door: whatever a user may hand in becomes Sequences."""

from __future__ import annotations

from typing import Any

from grulearn.sequences._forms import is_frame, is_list_of_sequences, listed, refuse_unequal_rows
from grulearn.sequences._sequences import Sequences
from grulearn.sequences._tokens import Tokens

__all__ = ["as_sequences", "listed_sequences"]


def as_sequences(X: Any, *, tokens: Tokens | None = None) -> Sequences:
    """Take whatever a user may hand in as data.

    Parameters
    ----------
    X : Sequences, array-like of shape (N, F) or (N, T, F), dataframe, list or object array of sequences, or
    list of \
texts
        A Sequences is returned as it is. A table or a dataframe gives sequences of one step. A list gives the
        sequences in it if they are arrays of shape (T_i, F), lists of steps, or arrays of shape (T_i,) of
        which at least two differ in length: these have one feature. Arrays of shape (T,) that are all of one
        length form a table, as they do for NumPy and scikit-learn; :meth:`Sequences.from_list` reads them as
        sequences of one feature.
    tokens : {"char", "word", "item"}, default=None
        Read `X` as texts or as lists of items, see :meth:`Sequences.from_tokens`.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError, TypeError
        As :class:`Sequences` and its methods do.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.sequences import as_sequences
    >>> as_sequences([[1.0, 2.0], [3.0, 4.0]])
    Sequences(2 sequences of 1 step, 2 features, float64)
    >>> as_sequences([np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])])
    Sequences(2 sequences of 2 to 3 steps, 1 feature, float64)
    >>> as_sequences(["Müller", "Li"], tokens="char")
    Sequences(2 sequences of 2 to 6 steps, 1 categorical feature)
    """
    if isinstance(X, Sequences):
        if tokens is not None:
            raise ValueError(f"tokens={tokens!r}: X is a Sequences already, whose tokens are read")
        return X
    if tokens is not None:
        if is_frame(X):
            raise TypeError(f"tokens={tokens!r}: X is a dataframe; pass its column of texts")
        return Sequences.from_tokens(X, tokens)
    items = listed_sequences(X)
    if items is not None:
        return Sequences.from_list(items)
    return Sequences.from_array(X if is_frame(X) else listed(X) or X)


def listed_sequences(X: Any) -> list[Any] | None:
    """Return the items of a list, object array or series of sequences; None if `X` is something else.

    Raises
    ------
    ValueError
        If it is a list of strings, or of rows of different lengths.

    Examples
    --------
    >>> listed_sequences([[1.0, 2.0], [3.0, 4.0]]) is None
    True
    >>> len(listed_sequences([[[1.0], [2.0]], [[3.0]]]))
    2
    """
    items = None if is_frame(X) else listed(X)
    if not items:
        return None
    if any(isinstance(item, str) for item in items):
        i = next(i for i, item in enumerate(items) if isinstance(item, str))
        raise ValueError(
            f"X holds a string at {i}; say tokens='char' or tokens='word' to read each as a "
            "sequence of tokens"
        )
    if is_list_of_sequences(items):
        return items
    refuse_unequal_rows(items)
    return None
