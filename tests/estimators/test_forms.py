"""Every form of input: where they hold the same data they give the same bits, in fit and in predict."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grulearn import GRUClassifier, GRURegressor, Sequences

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 3))
CUBE = RNG.normal(size=(40, 6, 3))
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, 40)]
VECTORS = [x[:, 0] for x in RAGGED]
TARGET = RNG.normal(size=40)
NAMES = ["rooms", "age", "income"]
FRAME = pd.DataFrame(TABLE, columns=NAMES)


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(4, max_iter=2, random_state=0, **options)


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def bits(fitted_on: Any, X: Any = None, **options: Any) -> bytes:
    return regressor(**options).fit(fitted_on, TARGET).predict(fitted_on if X is None else X).tobytes()


def read_only_map(X: np.ndarray, tmp_path: Any) -> np.ndarray:
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


# Each form


TABLES: dict[str, Callable[[], Any]] = {
    "list": lambda: TABLE.tolist(),
    "frame": lambda: FRAME,
    "Fortran order": lambda: np.asfortranarray(TABLE),
    "every second of twice as many columns": lambda: np.repeat(TABLE, 2, axis=1)[:, ::2],
    "backwards": lambda: TABLE[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda: TABLE.astype(">f8"),
    "objects": lambda: TABLE.astype(object),
    "of one step": lambda: TABLE[:, np.newaxis],
    "Sequences of one step": lambda: Sequences.from_array(TABLE[:, np.newaxis]),
    "list of one step": lambda: list(TABLE[:, np.newaxis]),
    "masked, nothing hidden": lambda: np.ma.masked_array(TABLE, np.zeros_like(TABLE)),
}


@pytest.mark.parametrize("form", TABLES)
def test_tables(form):
    X, expected = TABLES[form](), bits(TABLE)
    assert bits(X) == expected
    if form != "frame":  # whose names predict asks for
        assert bits(X, TABLE[:, np.newaxis] if "one step" in form else TABLE) == expected


def test_tables_of_rows_get_a_hint(recwarn):
    assert bits(list(TABLE)) == bits(objects(list(TABLE))) == bits(TABLE)
    assert "40 arrays of length 3, read as a table" in str(recwarn[0].message)


CUBES: dict[str, Callable[[], Any]] = {
    "list of arrays": lambda: list(CUBE),
    "tuple": lambda: tuple(CUBE),
    "nested lists": lambda: CUBE.tolist(),
    "lists of arrays": lambda: [list(x) for x in CUBE],
    "objects": lambda: objects(list(CUBE)),
    "series": lambda: pd.Series(list(CUBE), index=range(100, 140)),
    "Sequences": lambda: Sequences.from_array(CUBE),
    "shared rows": lambda: Sequences(CUBE.reshape(-1, 3), np.arange(40) * 6, np.full(40, 6)),
    "rows out of order": lambda: Sequences.from_array(CUBE[::-1])[np.arange(39, -1, -1)],
    "frames": lambda: [pd.DataFrame(x) for x in CUBE],
    "Fortran order": lambda: np.asfortranarray(CUBE),
    "of other axes": lambda: np.ascontiguousarray(CUBE.transpose(2, 0, 1)).transpose(1, 2, 0),
}


@pytest.mark.parametrize("form", CUBES)
def test_sequences_of_one_length(form):
    X, expected = CUBES[form](), bits(CUBE)
    assert bits(X) == expected
    assert bits(X, CUBE) == expected
    assert bits(CUBE, X) == expected


RAGGEDS: dict[str, Callable[[], Any]] = {
    "lists of lists": lambda: [x.tolist() for x in RAGGED],
    "objects": lambda: objects(RAGGED),
    "series": lambda: pd.Series(RAGGED),
    "Sequences": lambda: Sequences.from_list(RAGGED),
    "frames": lambda: [pd.DataFrame(x, columns=["a", "b"]).rename(columns=str) for x in RAGGED],
}


@pytest.mark.parametrize("form", RAGGEDS)
def test_sequences_of_different_lengths(form):
    X, expected = RAGGEDS[form](), bits(RAGGED)
    assert bits(X) == expected
    if form != "frames":
        assert bits(X, RAGGED) == bits(RAGGED, X) == expected


def test_vectors_are_sequences_of_one_feature():
    columns = [x[:, np.newaxis] for x in VECTORS]
    expected = bits(columns)
    assert bits(VECTORS) == bits(objects(VECTORS)) == bits(pd.Series(VECTORS)) == expected
    assert bits([pd.Series(x) for x in VECTORS]) == bits(Sequences.from_list(VECTORS)) == expected
    # A part of them may happen to have one length; what was fitted says how to read it.
    model = regressor().fit(VECTORS, TARGET)
    whole = model.predict(VECTORS)
    for n in set(map(len, VECTORS)):
        part = [i for i in range(40) if len(VECTORS[i]) == n]
        np.testing.assert_array_equal(model.predict([VECTORS[i] for i in part]), whole[part])
        np.testing.assert_array_equal(model.predict(objects([VECTORS[i] for i in part])), whole[part])


def test_a_training_part_of_one_length_is_a_table_and_says_so():
    """NumPy and scikit-learn read a list of vectors of one length so; 2-D arrays leave no doubt."""
    two = [x[:2] for x in VECTORS if len(x) >= 2]
    with pytest.warns(UserWarning, match=r"arrays of length 2, read as a table.*Sequences\.from_list\(X\)"):
        model = regressor().fit(two, TARGET[: len(two)])
    with pytest.raises(ValueError, match="X has 1 features, but GRURegressor is expecting 2"):
        model.predict(VECTORS)
    columns = [x[:, np.newaxis] for x in two]
    assert regressor().fit(columns, TARGET[: len(two)]).predict([x[:, np.newaxis] for x in VECTORS]).shape


def test_frames(make, convert):
    assert bits(convert(FRAME)) == bits(TABLE)
    assert bits(convert(FRAME), FRAME) == bits(TABLE)
    assert regressor().fit(convert(FRAME), TARGET).feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="in the same order"):
        bits(FRAME, convert(FRAME[NAMES[::-1]]))
    dated = FRAME.assign(sold=pd.Timestamp("2020-01-01"))
    with pytest.raises(ValueError, match=r"column 'sold' \(3\) holds Datetime.*hour of the day"):
        bits(convert(dated))


def test_long_frames(convert):
    long = pd.concat([pd.DataFrame(x, columns=["a", "b"]).assign(id=f"m{i}") for i, x in enumerate(RAGGED)])
    X, y = Sequences.from_frame(convert(long), id_col="id")
    assert y is None
    assert bits(X) == bits(RAGGED)
    # All first steps, then all second ones: the rows of a sequence stand far apart.
    mixed = long.sort_index(kind="stable").reset_index(drop=True)
    assert bits(Sequences.from_frame(convert(mixed), id_col="id")[0]) == bits(RAGGED)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_memory(dtype, tmp_path):
    X = CUBE.astype(dtype)
    locked = X.copy()
    locked.flags.writeable = False
    expected = bits(X, dtype=dtype)
    for other in (locked, read_only_map(X, tmp_path), np.frombuffer(io.BytesIO(X.tobytes()).read(), dtype)):
        assert bits(other.reshape(X.shape), dtype=dtype) == expected
    assert bits(Sequences.from_array(read_only_map(X, tmp_path)), dtype=dtype) == expected


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "bool"])
def test_whole_numbers_are_what_they_are_as_floats(dtype):
    X = np.round(np.abs(CUBE) * 3).astype(dtype)
    assert bits(X) == bits(X.astype(float)) == bits(list(X)) == bits(X.tolist())


def test_masked_and_nullable_values_are_missing_ones(convert):
    hidden = RNG.random(TABLE.shape) < 0.2
    X = np.where(hidden, np.nan, TABLE)
    expected = bits(X, missing="mean")
    assert bits(np.ma.masked_array(TABLE, hidden), missing="mean") == expected
    assert bits(convert(pd.DataFrame(X).rename(columns=str).convert_dtypes()), missing="mean") == expected
    assert bits([np.ma.masked_array(x, h)[np.newaxis] for x, h in zip(TABLE, hidden, strict=True)],
                missing="mean") == expected  # fmt: skip
    assert bits([[[None if np.isnan(v) else v for v in x]] for x in X], missing="mean") == expected


# Tokens and categories

WORDS = ["".join(RNG.choice(list("abcde"), n)) for n in RNG.integers(1, 9, 40)]


def test_tokens_are_sequences_of_one_category():
    expected = bits(WORDS, tokens="char")
    X = Sequences.from_tokens(WORDS, "char")
    assert bits(X) == bits(WORDS, X, tokens="char") == expected
    for other in (tuple(WORDS), np.array(WORDS), np.array(WORDS, object), pd.Series(WORDS, dtype="str")):
        assert bits(other, tokens="char") == expected
    assert bits([list(word) for word in WORDS], tokens="item") == expected
    assert bits([np.array(list(word)) for word in WORDS], tokens="item") == expected
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(40), [len(word) for word in WORDS]), "letter": list("".join(WORDS))}
    )
    assert bits(Sequences.from_frame(frame, id_col="id")[0]) == expected
    # Numbers in alphabetical order get the same codes.
    numbers = [["abcde".index(letter) for letter in word] for word in WORDS]
    assert bits(numbers, tokens="item") == expected
    column = [np.array(x)[:, np.newaxis] for x in numbers]
    assert bits(column, categorical_features=[0]) == expected


def test_columns_of_text_are_categories(convert):
    city = np.array(["rome", "oslo", "bern"])[np.arange(40) % 3]
    frame = pd.DataFrame({"city": city, "a": TABLE[:, 0], "b": np.arange(40) % 4})
    expected = bits(frame)
    assert bits(convert(frame)) == bits(convert(frame), frame) == expected
    assert bits(frame.astype({"city": "category"})) == bits(frame.astype({"city": object})) == expected
    numbered = frame.assign(city=np.array([2, 1, 0])[np.arange(40) % 3])[["a", "b", "city"]]
    assert (
        bits(numbered, categorical_features=["city"]) == bits(numbered, categorical_features=[2]) == expected
    )


def test_positions_count_a_dataframes_columns(convert):
    """Among them those of text, which are categories anyhow."""
    frame = pd.DataFrame(
        {
            "city": np.array(["rome", "oslo"])[np.arange(40) % 2],
            "a": np.arange(40) % 3,
            "road": np.array(["main", "high"])[np.arange(40) // 2 % 2],
            "b": np.arange(40) % 5,
        }
    )
    for position, name in enumerate(frame.columns):
        assert bits(convert(frame), categorical_features=[position]) == bits(
            frame, categorical_features=[name]
        )
    model = regressor(categorical_features=[3, 0]).fit(convert(frame), TARGET)
    assert [table[0] for table in model.spec_.input.categorical] == [4, 4, 7]
    with pytest.raises(ValueError, match="there is no column 4; they count from 0 to 3"):
        bits(convert(frame), categorical_features=[4])
    with pytest.raises(ValueError, match="there is no numeric feature -1"):
        bits(TABLE, categorical_features=[-1])


def test_a_column_of_another_kind_than_in_training(convert):
    frame = pd.DataFrame(
        {"a": TABLE[:, 0], "city": np.array(["rome", "oslo"])[np.arange(40) % 2], "b": np.arange(40) % 3}
    )
    for options in ({}, {"categorical_features": ["b"]}, {"categorical_features": ["a", "b"]}):
        numbers = frame.assign(a=np.arange(40) % 2)
        model = regressor(**options).fit(convert(numbers), TARGET)
        assert model.predict(convert(numbers[::-1])).shape == (40,)
        with pytest.raises(ValueError, match="column 'city' holds numbers, but in training it held texts"):
            model.predict(convert(numbers.assign(city=1)))
        if not options:
            with pytest.raises(ValueError, match="column 'b' holds texts.*in training it held numbers"):
                model.predict(convert(numbers.assign(b="1")))
            with pytest.raises(ValueError, match="column 'city' holds numbers"), pytest.warns(match="names"):
                model.predict(np.zeros((3, 3)))
    with pytest.raises(
        ValueError, match="X holds 'rome' at row 0, column 'city'.*the whole column one of texts"
    ):
        regressor().fit(frame.assign(city=["rome", 1, None, "oslo"] * 10), TARGET)


def test_columns_of_one_name():
    with pytest.raises(ValueError, match="two columns have the same name, 'rooms'"):
        bits(pd.concat([FRAME, FRAME[["rooms"]]], axis=1))


# What is no input


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (None, ValueError, "X is None"),
        ("a text", ValueError, r'say tokens="char" or tokens="word"'),
        (WORDS, ValueError, r'X holds (texts|a string).*tokens=.char. or tokens=.word.'),
        (pd.Series(WORDS), ValueError, r'X holds (texts|a string).*tokens=.char. or tokens=.word.'),
        ({"a": [1.0]}, TypeError, r"got a dict.*pass list\(X\.values\(\)\)"),
        ((x for x in RAGGED), TypeError, r"got a generator.*pass list\(X\)"),
        (np.full((40, 3), "2020-01-01", "M8[D]"), ValueError, "datetime64.*hour of the day"),
        (sparse.csr_array(TABLE), TypeError, "[Ss]parse.*dense"),
        ([sparse.csr_array(x) for x in RAGGED], TypeError, "sequence 0: a sparse matrix is not supported"),
        ([x.tolist() for x in VECTORS], ValueError, r"row 0 has \d.*Sequences\.from_list\(X\)"),
        ([x.T for x in RAGGED], ValueError, r"sequence \d has \d features.*\[x\.T for x in X\]"),
        ([*RAGGED[:39], np.ones((3, 5))], ValueError, "sequence 39 has 5 features, but sequence 0 has 2"),
        ([*RAGGED[:39], None], ValueError, "sequence 39 is None"),
        ([*RAGGED[:39], np.ones(3)], ValueError, r"sequence 39: expected shape \(steps, features\)"),
        ([*RAGGED[:39], np.ones((3, 2, 1))], ValueError, r"sequence 39: expected shape.*got \(3, 2, 1\)"),
        ([*RAGGED[:39], np.ones((0, 2))], ValueError, "39 has 0 steps.*Leave it out, and its target"),
        (Sequences.from_list([*RAGGED, np.ones((0, 2))]), ValueError, r"40 has 0.*X\[X\.lengths >= 1\]"),
        (RAGGED[:1], ValueError, r"1 sample\(s\).*minimum of 2"),
    ],
)  # fmt: skip
def test_what_is_no_input(X, error, message):
    with pytest.raises(error, match=message):
        regressor().fit(X, TARGET)


def test_an_empty_text():
    with pytest.raises(ValueError, match=r"sequence 3 has 0 steps \(1 more such sequence\).*Leave it out"):
        bits([*WORDS[:3], "", *WORDS[4:39], ""], tokens="char")
    with pytest.raises(ValueError, match="sequence 1 has 0 steps"):
        bits(WORDS, ["abc", ""], tokens="char")


def test_a_lazy_frame(make, convert):
    if make == "polars":
        with pytest.raises(TypeError, match=r"a LazyFrame is lazy; pass X\.collect\(\)"):
            bits(convert(FRAME).lazy())


def test_a_classifier_reads_the_same():
    labels = np.where(TARGET > 0, "up", "down")
    model = GRUClassifier(4, max_iter=2, random_state=0)
    expected = model.fit(RAGGED, labels).predict_proba(RAGGED)
    for form in RAGGEDS:
        X = RAGGEDS[form]()
        np.testing.assert_array_equal(model.fit(X, labels).predict_proba(X), expected)


def test_columns_that_changed_their_kinds_are_named() -> None:
    frame = pd.DataFrame({"mode": ["idle", "run"] * 10, "a": np.arange(20.0)})
    model = GRURegressor(2, max_iter=1, random_state=0).fit(frame, np.arange(20.0))
    with pytest.raises(ValueError, match="column 'mode' holds numbers, but in training it held texts"):
        model.predict(frame.assign(mode=1.0, a="run"))


def test_the_pair_of_from_frame_is_not_taken_for_data() -> None:
    pair = Sequences.from_frame(pd.DataFrame({"a": np.arange(4.0)}))
    with pytest.raises(TypeError, match="X, y = Sequences.from_frame"):
        GRURegressor().fit(pair, [1.0])
