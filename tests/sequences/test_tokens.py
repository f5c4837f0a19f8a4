"""Texts and lists of items as sequences of one categorical feature."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Sequences, as_sequences

TEXTS = ["Don't panic!", "", "Ça va, 学校?", "x_1 + 2.5\n", "e\u0301", "Привет"]


def test_characters_are_code_points():
    sequences = as_sequences(TEXTS, tokens="char")
    assert sequences.to_tokens() == [list(text) for text in TEXTS]
    assert sequences.lengths.tolist() == [len(text) for text in TEXTS]
    assert sequences.categories[0].tolist() == sorted(set("".join(TEXTS)))
    assert (sequences.n_features, sequences.n_categorical) == (0, 1)
    assert sequences.codes.dtype == np.int32
    assert sequences.rows.shape == (len(sequences.codes), 0)


def by_hand(text):
    """Split into words without a regular expression."""
    words, run = [], ""
    for character in [*text, " "]:
        if character.isalnum() or character == "_":
            run += character
            continue
        words += [run] * bool(run) + [character] * (not character.isspace())
        run = ""
    return words


def test_words_are_runs_of_letters_and_what_stands_between_them():
    expected = [
        ["Don", "'", "t", "panic", "!"],
        [],
        ["Ça", "va", ",", "学校", "?"],
        ["x_1", "+", "2", ".", "5"],
        ["e", "\u0301"],
        ["Привет"],
    ]
    assert as_sequences(TEXTS, tokens="word").to_tokens() == expected
    assert [by_hand(text) for text in TEXTS] == expected


@pytest.mark.parametrize(
    "wrap", [list, tuple, np.array, pd.Series, lambda texts: np.array(texts, dtype=object)], ids=str
)
def test_texts_come_in_any_container(wrap):
    assert as_sequences(wrap(["ab", "c"]), tokens="char").to_tokens() == [["a", "b"], ["c"]]


def test_items():
    for X in ([[17, 4], [4, 4, 99]], [np.array([17, 4]), np.array([4, 4, 99])], [(17, 4), (4, 4, 99)]):
        sequences = as_sequences(X, tokens="item")
        assert sequences.to_tokens() == [[17, 4], [4, 4, 99]]
        assert sequences.categories[0].tolist() == [4, 17, 99]
    equal = [["b", "a"], ["a", None]]
    assert Sequences.from_tokens(equal).to_tokens() == equal
    assert Sequences.from_tokens(equal).codes.tolist() == [[1], [0], [0], [-1]]
    assert Sequences.from_tokens([[True, False]]).categories[0].tolist() == [False, True]
    assert Sequences.from_tokens([[2**70, 1]]).to_tokens() == [[2**70, 1]]


def test_nothing_to_number():
    assert as_sequences([], tokens="char").shape == (0, None, 0)
    assert as_sequences(["", ""], tokens="word").lengths.tolist() == [0, 0]
    assert Sequences.from_tokens([[None], [np.nan]]).codes.tolist() == [[-1], [-1]]


def test_codes_do_not_depend_on_the_order():
    texts = ["gru", "rnn", "lstm"]
    one, other = (as_sequences(x, tokens="char") for x in (texts, texts[::-1]))
    assert one.categories[0].tolist() == other.categories[0].tolist()
    np.testing.assert_array_equal(one.codes[one.span(0)], other.codes[other.span(2)])


def test_picking_keeps_tokens_together():
    sequences = as_sequences(["ab", "cde", ""], tokens="char")
    assert sequences[[2, 1, 1]].to_tokens() == [[], ["c", "d", "e"], ["c", "d", "e"]]


@pytest.mark.parametrize(
    ("X", "tokens", "error", "message"),
    [
        ("text", "char", TypeError, "one str alone: pass a list of texts"),
        (["a", 3], "char", TypeError, "sequence 1: expected a string, got int"),
        (["a", None], "word", TypeError, r"sequence 1 is missing \(None\); expected a string"),
        (pd.Series(["a", None]), "word", TypeError, "sequence 1 is missing"),
        ([b"a"], "char", TypeError, "sequence 0: expected a string, got bytes"),
        ([["a"]], "char", TypeError, "sequence 0: expected a string, got list; .*tokens='item'"),
        (
            [["a"], "b"],
            "item",
            TypeError,
            "sequence 1 is a str, expected a list of tokens; say tokens='char'",
        ),
        ([["a"], 3], "item", TypeError, "sequence 1: expected a list of tokens, got int"),
        (
            [np.zeros((2, 2), int)],
            "item",
            ValueError,
            r"sequence 0: expected tokens of shape \(steps,\), got \(2, 2\)",
        ),
        ([["a", ["b"]]], "item", ValueError, r"sequence 0, step 1: expected one token, got \['b'\]"),
        ([[], [1, 2.5]], "item", ValueError, "sequence 1, step 1: 2.5 is a float"),
        (
            [["a", "b"], ["c", 3]],
            "item",
            ValueError,
            "sequence 1, step 1 holds one of integers, but sequence 0, step 0",
        ),
        ([[1], [0, True]], "item", ValueError, "sequence 1, step 1 holds one of booleans"),
        (["a"], "bpe", ValueError, "tokens='bpe'; expected 'char', 'word' or 'item'"),
        (pd.DataFrame({"text": ["a"]}), "char", TypeError, "X is a dataframe; pass its column of texts"),
    ],
)
def test_what_is_no_token(X, tokens, error, message):
    with pytest.raises(error, match=message):
        as_sequences(X, tokens=tokens)


def test_tokens_are_read_once():
    sequences = as_sequences(["ab"], tokens="char")
    assert as_sequences(sequences) is sequences
    with pytest.raises(ValueError, match="X is a Sequences already"):
        as_sequences(sequences, tokens="char")


def test_the_documented_expression_is_the_one_in_use():
    assert r"\w+|[^\w\s]" in (Sequences.from_tokens.__doc__ or "")
    assert re.findall(r"\w+|[^\w\s]", TEXTS[0]) == by_hand(TEXTS[0])
