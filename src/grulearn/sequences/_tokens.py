"""Texts and lists of items as sequences of one categorical feature."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from grulearn.sequences._categories import encode_values
from grulearn.sequences._values import is_missing

__all__ = ["Tokens", "read_tokens"]

Tokens = Literal["char", "word", "item"]

# A run of letters, digits and underscores of any script is a word; every other character that is no white
# space is a token of its own.
_WORD = re.compile(r"\w+|[^\w\s]")


def read_tokens(texts: Any, tokens: Tokens) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[np.int64]]:
    """Split texts and number their tokens.

    Parameters
    ----------
    texts : sequence
        Strings for "char" and "word"; lists or one-dimensional arrays for "item".
    tokens : {"char", "word", "item"}

    Returns
    -------
    codes : ndarray of int32, shape (n_tokens, 1)
    categories : ndarray
        The tokens that occur, sorted.
    lengths : ndarray of int64, shape (N,)

    Raises
    ------
    ValueError, TypeError
        If a text or token is something else; the message names it.
    """
    if tokens not in get_args(Tokens):
        raise ValueError(f"tokens={tokens!r}; expected 'char', 'word' or 'item'")
    if isinstance(texts, str | bytes):
        raise TypeError(f"one {type(texts).__name__} alone: pass a list of texts, as in [text]")
    texts = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)
    lengths: list[int] = []

    def chunks() -> Iterator[list[Any]]:
        split = _SPLITTERS[tokens]
        for i, text in enumerate(texts):
            steps = split(i, text)
            lengths.append(len(steps))
            yield steps

    def place(position: int) -> str:
        ends = np.cumsum(lengths)
        i = int(np.searchsorted(ends, position, side="right"))
        return f"sequence {i}, step {position - int(ends[i]) + lengths[i]}"

    codes, categories = encode_values(chunks(), -1, place)
    return codes[:, np.newaxis], categories, np.array(lengths, dtype=np.int64)


def _text(i: int, text: Any) -> str:
    if not isinstance(text, str):
        if np.ndim(text) == 0 and is_missing(text):
            raise TypeError(f"sequence {i} is missing ({text}); expected a string, which may be empty")
        hint = "; for lists of tokens say tokens='item'" if isinstance(text, Sequence | np.ndarray) else ""
        raise TypeError(f"sequence {i}: expected a string, got {type(text).__name__}{hint}")
    return text


def _items(i: int, items: Any) -> list[Any]:
    if isinstance(items, str | bytes):
        raise TypeError(
            f"sequence {i} is a {type(items).__name__}, expected a list of tokens; say tokens='char' or "
            "tokens='word' to have strings split"
        )
    if hasattr(items, "tolist"):
        shape = np.shape(items)
        if len(shape) != 1:
            raise ValueError(f"sequence {i}: expected tokens of shape (steps,), got {shape}")
        items = items.tolist()
    if not isinstance(items, list | tuple):
        raise TypeError(f"sequence {i}: expected a list of tokens, got {type(items).__name__}")
    nested = [step for step, item in enumerate(items) if isinstance(item, list | tuple | np.ndarray)]
    if nested:
        raise ValueError(f"sequence {i}, step {nested[0]}: expected one token, got {items[nested[0]]!r}")
    return list(items)


_SPLITTERS: dict[str, Callable[[int, Any], list[Any]]] = {
    "char": lambda i, text: list(_text(i, text)),
    "word": lambda i, text: _WORD.findall(_text(i, text)),
    "item": _items,
}
