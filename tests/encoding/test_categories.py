"""Categories: codes by value, the bucket for unseen ones, and that of the missing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from grulearn.encoding import CategoryCodes, InputEncoding
from grulearn.sequences import Sequences


def coded(column: list, lengths: list[int] | None = None) -> Sequences:
    """Sequences of one categorical feature; one step each if there are no lengths."""
    data = Sequences.from_array(pd.DataFrame({"mode": pd.Series(column, dtype=object)}))
    if lengths is None:
        return data
    starts = np.cumsum(lengths) - lengths
    return Sequences(data.rows, starts, lengths, codes=data.codes, categories=data.categories)


def fit(data: Sequences, missing: str = "error", **options) -> InputEncoding:
    """Fit an encoding."""
    return InputEncoding.fit(data, standardize=True, missing=missing, **options)


def codes_of(encoding: InputEncoding, column: list) -> list[int]:
    """Encode a table of one column."""
    return encoding.transform(coded(column)).codes.ravel().tolist()


def test_codes_are_matched_by_value() -> None:
    fitted = fit(coded(["run", "idle", "run", "idle"]))
    assert fitted.categories == (CategoryCodes("str", ("idle", "run")),)
    assert codes_of(fitted, ["run", "idle"]) == [3, 2]
    assert codes_of(fitted, ["boost", "run", "zzz", "aaa"]) == [0, 3, 0, 0]
    turned = Sequences(np.empty((3, 0)), [0], [3], codes=[[0], [1], [2]], categories=[["run", "new", "idle"]])
    assert fitted.transform(turned).codes.ravel().tolist() == [3, 0, 2]


def test_missing_values_have_a_code_of_their_own() -> None:
    fitted = fit(coded(["run", None, "run", "idle"]), "mean")
    assert codes_of(fitted, ["run", None, "idle"]) == [3, 1, 2]


def test_missing_values_are_refused_with_error() -> None:
    message = r"missing value at row 1, categorical feature 'mode' \(0\)( \(1 more such value\))?\. Pass"
    with pytest.raises(ValueError, match=message):
        fit(coded(["run", None, "run", None]))
    with pytest.raises(ValueError, match=message):
        fit(coded(["run", "idle"])).transform(coded(["run", None]))


def test_values_of_one_sequence_share_the_bucket_from_ten_sequences_on() -> None:
    """Nine rare names keep their codes, ten become the unknown."""
    common = ["a", "b"] * 20
    for n_rare, known in ((9, 11), (10, 2)):
        rare = [f"rare {i}" for i in range(n_rare)]
        fitted = fit(coded(common + rare))
        assert len(fitted.categories[0].values) == known
        assert codes_of(fitted, ["a", "rare 3", "new"])[2] == 0
        assert (codes_of(fitted, ["rare 3"]) == [0]) == (n_rare == 10)


def test_one_long_log_keeps_its_values() -> None:
    """All of them occur in one sequence only: that says nothing about how rare they are."""
    log = coded([f"{i % 40}" for i in range(400)], [400])
    assert len(fit(log).categories[0].values) == 40
    assert len(fit(log.windows(30)).categories[0].values) == 40


def test_many_rare_values_of_few_sequences_keep_their_codes() -> None:
    three = coded([f"{i}" for i in range(30)], [10, 10, 10])
    assert len(fit(three).categories[0].values) == 30


def test_a_value_twice_in_one_sequence_is_one_sequence() -> None:
    rare = [f"rare {i // 2}" for i in range(20)]
    fitted = fit(coded(["a"] * 20 + rare, [2] * 20))
    assert fitted.categories[0].values == ("a",)


def test_only_values_in_use_are_known() -> None:
    data = coded(["a", "a", "b", "b", "c", "c"])
    assert fit(data[:4]).categories[0].values == ("a", "b")
    assert fit(data, weights=[0, 0, 1, 1, 2, 2]).categories[0].values == ("b", "c")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([3, -7, 2**62], "int"),
        ([2**70, 1, -(2**80)], "int"),
        ([True, False], "bool"),
        (["é", "", "\ud800", 'a"\n'], "str"),
        ([0.1, 1e-310, -5.5e300], "float"),
    ],
)
def test_values_of_every_kind_survive_json(values: list, kind: str) -> None:
    array = np.array(values, dtype=object if kind == "str" or max(values) > 2**63 else None)
    n = len(values)
    data = Sequences(
        np.empty((2 * n, 0)),
        range(2 * n),
        [1] * 2 * n,
        codes=[[k % n] for k in range(2 * n)],
        categories=[array],
    )
    fitted = fit(data)
    again = InputEncoding.from_parts(fitted.to_arrays(), json.loads(json.dumps(fitted.state())))
    assert again.categories == fitted.categories
    assert again.categories[0].kind == kind
    assert [type(v) for v in again.categories[0].values] == [type(v) for v in sorted(values)]
    expected = [2 + sorted(values).index(v) for v in values]
    assert again.transform(data).codes[:n, 0].tolist() == expected


@pytest.mark.parametrize(
    ("fitted", "given", "words"),
    [
        (["1", "2"], [1, 2], "holds integers, such as 1; it was fitted on strings, such as '1'"),
        ([1, 2], ["1", "2"], "holds strings, such as '1'; it was fitted on integers, such as 1"),
        ([True, False], [1, 0], "holds integers, such as 0; it was fitted on booleans, such as False"),
    ],
)
def test_other_kinds_are_refused(fitted: list, given: list, words: str) -> None:
    def one(values: list) -> Sequences:
        series = pd.Series(values, dtype=object)
        X, _ = Sequences.from_frame(pd.DataFrame({"mode": series}), categorical_cols=["mode"])
        return X

    with pytest.raises(ValueError, match=rf"categorical feature 'mode' \(0\) {words}\. Convert it"):
        fit(one(fitted)).transform(one(given))


def test_floats_match_integers() -> None:
    whole = Sequences(np.empty((2, 0)), [0], [2], codes=[[0], [1]], categories=[[3, 5]])
    floats = Sequences(np.empty((2, 0)), [0], [2], codes=[[0], [1]], categories=[[5.0, 5.5]])
    assert fit(whole).transform(floats).codes.ravel().tolist() == [3, 0]


def test_nothing_but_missing_values() -> None:
    nothing = coded([None, None])
    fitted = fit(nothing, "forward")
    assert fitted.categories == (CategoryCodes(None, ()),)
    assert codes_of(fitted, ["a", None]) == [0, 1]
    assert fit(coded(["a", "b"]), "forward").transform(nothing).codes.ravel().tolist() == [1, 1]


def test_mixed_kinds_are_refused() -> None:
    data = Sequences(np.empty((1, 0)), [0], [1], codes=[[0]], categories=[np.array(["a", 1], dtype=object)])
    with pytest.raises(ValueError, match="categorical feature 0: categories of type int, str; expected all"):
        fit(data)
    with pytest.raises(ValueError, match="NaN or infinity among the categories"):
        fit(Sequences(np.empty((1, 0)), [0], [1], codes=[[0]], categories=[[1.0, np.inf]]))


def test_sizes_follow_the_documented_rule() -> None:
    for n_codes, size in ((2, 2), (3, 3), (4, 3), (12, 6), (30, 11), (100, 21), (727, 64), (10**6, 64)):
        assert CategoryCodes("int", tuple(range(n_codes - 2))).size == size
    assert fit(coded(["a", "b"])).input_spec.categorical == ((4, 3),)


def test_damaged_states_are_refused() -> None:
    for kind, values, words in (
        ("str", ["a", 1], "1 among values of kind str"),
        ("int", [1, True], "True among values of kind int"),
        ("int", [1, 1], "some come twice"),
        ("date", [], "kind 'date'; expected one of str"),
        (None, ["a"], "'a' among values of kind None"),
    ):
        with pytest.raises(ValueError, match=words):
            CategoryCodes.from_state({"kind": kind, "values": values})


def test_remarks_on_categories_that_teach_nothing() -> None:
    ids = coded([f"{i}" for i in range(30)])
    fitted = fit(ids)
    assert fitted.categories == (CategoryCodes("str", ()),)
    assert codes_of(fitted, ["3", "new"]) == [0, 0]
    assert fitted.remarks(categorical=["name"]) == [
        "Categorical feature 'name' (0) has no value that two sequences of the training part share, as an id "
        "has none: all count as unseen, and nothing is learned from them; consider dropping it."
    ]
    with pytest.raises(
        ValueError, match="fitted on strings, such as values that each occurred in one sequence"
    ):
        fitted.transform(Sequences(np.empty((1, 0)), [0], [1], codes=[[0]], categories=[[3]]))
    nothing = fit(coded([None, None]), "mean")
    assert nothing.remarks() == [
        "Categorical feature 0 has no value in the training part; consider dropping it."
    ]


def test_tokens_are_one_categorical_feature() -> None:
    names = Sequences.from_tokens(["anna", "ann", "nan"], "char")
    encoding = fit(names)
    encoded = encoding.transform(Sequences.from_tokens(["nina", ""], "char"))
    assert encoded.rows.shape == (4, 0)
    assert encoded.codes.ravel().tolist() == [3, 0, 3, 2]
    assert encoding.input_spec.categorical == ((4, 3),)
    assert encoding.input_spec.n_features == 0


@pytest.mark.parametrize("missing", ["mean", "forward", "simple", "decay"])
def test_tokens_have_nothing_to_fill_in(missing: str) -> None:
    names = Sequences.from_tokens([["a", None], ["b", "a"]], "item")
    encoding = fit(names, missing)
    assert (encoding.input_spec.n_features, encoding.input_spec.decay) == (0, False)
    assert encoding.transform(names).codes.ravel().tolist() == [2, 1, 3, 2]


@pytest.mark.parametrize("missing", ["mean", "decay"])
def test_codes_go_with_their_rows(missing: str) -> None:
    """Windows, shuffled, of a log with numbers and categories: each step keeps its code."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 3, size=(60, 2))
    categories = [["c", "a", "b"], [30, 10, 20]]
    rows = codes.astype(float)
    log = Sequences(rows, [0, 25], [25, 35], codes=codes, categories=categories)
    windows = log.windows(4)[rng.permutation(54)]
    encoding = InputEncoding.fit(windows, standardize=False, missing=missing)
    encoded = encoding.transform(windows)
    tables = [{0: 4, 1: 2, 2: 3, -1: 1}, {0: 4, 1: 2, 2: 3, -1: 1}]
    for i in range(54):
        given = windows.codes[windows.span(i)]
        found = encoded.codes[encoded.starts[i] : encoded.starts[i] + 4]
        expected = [[tables[c][int(code)] for c, code in enumerate(step)] for step in given]
        assert found.tolist() == expected


def test_numbers_with_decimal_commas_are_remarked_on() -> None:
    """A column of them, read from a table, has become thousands of categories."""
    texts = [f"{k // 100},{k % 100:02d}" for k in range(50)] * 2
    frame = pd.DataFrame({"vib": texts})
    encoding = InputEncoding.fit(Sequences.from_array(frame), standardize=True, missing="error")
    (remark,) = encoding.remarks(None, ("vib",))
    assert "'vib'" in remark
    assert "look like numbers, such as '0,00'" in remark
    words = pd.DataFrame({"vib": [f"sensor {text}" for text in texts]})
    assert not InputEncoding.fit(Sequences.from_array(words), standardize=True, missing="error").remarks()
