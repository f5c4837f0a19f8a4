"""Labels of every make and type: what classes_ are, what comes back, and what is no label."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import MultiLabelBinarizer

from grulearn import GRUClassifier, Sequences, load

RNG = np.random.default_rng(0)
N = 60
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, N)]
CODES = np.digitize([x[-1, 0] for x in X], [-0.5, 0.5])
NAMES = np.array(["low", "mid", "top"])


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(4, **{"max_iter": 3, "random_state": 0, **options})


EXPECTED = classifier().fit(X, CODES).predict_proba(X)


def objects(items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = list(items)
    return array


MAKES: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda y: y,
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    "list of NumPy scalars": list,
    "objects": lambda y: y.astype(object),
    "objects that are NumPy scalars": objects,
    "series": lambda y: pd.Series(y, index=range(N, 0, -1)),
    "objects in a series": lambda y: pd.Series(y).astype(object),
    "categorical": lambda y: pd.Categorical(y),
    "categories in a series": lambda y: pd.Series(y).astype("category"),
    "nullable series": lambda y: pd.Series(y).convert_dtypes(),
    "index": lambda y: pd.Index(y),
}
for library, make in (
    ("polars", lambda m, y: m.Series(y.tolist())),
    ("pyarrow", lambda m, y: m.array(y.tolist())),
    ("pyarrow in chunks", lambda m, y: m.chunked_array([y[:9].tolist(), y[9:].tolist()])),
):
    try:
        module = import_module(library.split()[0])
    except ImportError:
        continue
    MAKES[library] = lambda y, module=module, make=make: make(module, y)

VALUES = {
    "strings": NAMES[CODES],
    "integers": CODES * 10 - 10,
    "small integers": CODES.astype(np.uint8),
    "floats": CODES.astype(float) - 1,
    "booleans": CODES > 0,
}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("kind", VALUES)
def test_labels_of_every_make(kind, make, tmp_path):
    values = VALUES[kind]
    model = classifier().fit(X, MAKES[make](values))
    distinct = np.unique(values)
    assert model.classes_.tolist() == distinct.tolist()
    assert model.classes_.dtype.kind in (values.dtype.kind, "O" if kind == "strings" else "i")
    if len(distinct) == 3:
        np.testing.assert_array_equal(model.predict_proba(X), EXPECTED)
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert model.score(X, values) == np.mean(predicted == values)
    model.save(tmp_path / "model.gru")
    again = load(tmp_path / "model.gru")
    assert again.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(again.classes_, model.classes_)
    np.testing.assert_array_equal(again.predict(X), predicted)


def test_strings_of_two_kinds_are_strings():
    mixed = [NAMES[code] if i % 2 else str(NAMES[code]) for i, code in enumerate(CODES)]
    assert classifier().fit(X, mixed).classes_.tolist() == NAMES.tolist()
    assert classifier().fit(X, objects(mixed)).classes_.tolist() == NAMES.tolist()


def test_a_column_is_flattened_with_scikit_learns_warning():
    for column in (CODES[:, np.newaxis], pd.DataFrame({"level": NAMES[CODES]})):
        with pytest.warns(UserWarning, match="column-vector"):
            assert classifier().fit(X, column).predict(X).shape == (N,)


# How the answers hang together


def softmax(a: np.ndarray) -> np.ndarray:
    powers = np.exp(a - a.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_many_classes():
    model = classifier(max_iter=20).fit(X, NAMES[CODES])
    logits, shares = model.decision_function(X), model.predict_proba(X)
    assert logits.shape == shares.shape == (N, 3)
    assert shares.dtype == logits.dtype == np.float64
    np.testing.assert_allclose(shares, softmax(logits), rtol=1e-14)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(shares), rtol=1e-15)
    assert model.predict(X).tolist() == model.classes_[shares.argmax(axis=1)].tolist()
    assert (model.n_outputs_, model.spec_.head.loss) == (3, "cross_entropy")


@pytest.mark.parametrize("y", [CODES > 0, np.where(CODES > 0, 1, -1), NAMES[np.minimum(CODES, 1)]])
def test_two_classes(y):
    """One logit, that of the second; the same network whatever they are called."""
    model = classifier(max_iter=20).fit(X, y)
    logit, shares = model.decision_function(X), model.predict_proba(X)
    assert logit.shape == (N,)
    np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-logit)), rtol=1e-14)
    np.testing.assert_array_equal(shares[:, 0], 1 - shares[:, 1])
    np.testing.assert_array_equal(model.predict(X), model.classes_[(logit > 0).astype(int)])
    np.testing.assert_array_equal(
        logit, classifier(max_iter=20).fit(X, (CODES > 0).astype(int)).decision_function(X)
    )
    assert (model.n_outputs_, model.spec_.head.loss) == (1, "binary_cross_entropy")


def test_several_labels_at_once(convert, tmp_path):
    sets = [
        [name for name, there in zip("abc", bits, strict=True) if there] for bits in RNG.random((N, 3)) < 0.4
    ]
    binarizer = MultiLabelBinarizer()
    y = binarizer.fit_transform(sets)
    model = classifier(max_iter=20).fit(X, y)
    logits, shares = model.decision_function(X), model.predict_proba(X)
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-logits)), rtol=1e-14)
    np.testing.assert_array_equal(model.predict(X), (logits > 0).astype(int))
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    assert len(binarizer.inverse_transform(model.predict(X))) == N
    assert model.classes_.tolist() == [0, 1, 2]
    for other in (y.tolist(), y > 0, y.astype(float), convert(pd.DataFrame(y, columns=list("abc")))):
        np.testing.assert_array_equal(classifier(max_iter=20).fit(X, other).predict_proba(X), shares)
    model.save(tmp_path / "model.gru")
    np.testing.assert_array_equal(load(tmp_path / "model.gru").predict_proba(X), shares)
    # One of them may never occur, or always.
    odd = np.column_stack([y[:, 0], np.zeros(N), np.ones(N)])
    assert classifier().fit(X, odd).predict(X).shape == (N, 3)
    # Two columns of which exactly one is set are two labels still, not two classes.
    assert classifier().fit(X, np.eye(2, dtype=int)[CODES // 2]).decision_function(X).shape == (N, 2)


# Scores


def test_labels_that_training_has_not_seen_are_wrong_ones():
    model = classifier(max_iter=20).fit(X, NAMES[CODES])
    y = np.where(CODES == 2, "other", NAMES[CODES])
    assert model.score(X, y) == np.mean(model.predict(X) == y) < model.score(X, NAMES[CODES])
    with pytest.raises(ValueError, match=r"[Mm]ix of .*types"):
        model.score(X, CODES)


# Rare classes


def test_a_class_with_one_sample_is_trained_on():
    y = np.where(np.arange(N) == 7, "once", NAMES[CODES])
    for seed in range(5):
        model = classifier(max_iter=1, random_state=seed).fit(X, y)
        assert "once" in model.classes_
        # Never in the validation part, so that its probability was learned from.
        assert model.predict_proba(X).shape == (N, 4)
    few = classifier(max_iter=1).fit(X[:3], ["a", "b", "a"])
    assert few.predict(X).shape == (N,)
    with pytest.raises(ValueError, match="each of the 3 classes has one sample.*early_stopping=False"):
        classifier().fit(X[:3], ["a", "b", "c"])
    assert classifier(early_stopping=False).fit(X[:3], ["a", "b", "c"]).predict(X).shape == (N,)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros(N), ValueError, "y has one class only, 0.0; a classifier needs at least two classes"),
        (["a"] * N, ValueError, "y has one class only, 'a'"),
        (None, ValueError, "requires y to be passed"),
        (CODES[:59], ValueError, r"y has 59 values.*X has 60 samples"),
        (np.zeros((N, 2, 2)), ValueError, r"y has shape \(60, 2, 2\); expected \(samples,\) or"),
        (CODES + 0.5, ValueError, "continuous.*numbers such as [012].5: to learn numbers use GRURegressor"),
        (np.where(CODES > 1, np.nan, CODES), ValueError, r"NaN at row \d+, which is no label.*drop those"),
        ([None, *NAMES[CODES][1:]], ValueError, "NaN at row 0, which is no label"),
        (pd.Series(CODES).astype("Int64").where(CODES > 0), ValueError, r"NaN at row \d+"),
        ([1, *NAMES[CODES][1:]], TypeError, "labels of several types: int, str; expected one type"),
        ([b"a", b"b"] * 30, TypeError, "bytes"),
        (pd.Series(pd.date_range("2020", periods=N)), TypeError, "y holds a datetime.*convert them"),
        (np.array(["2020-01-01", "2020-01-02"], "M8[D]")[CODES // 2], TypeError, "y holds a date"),
        (objects([(1, 2), (3,)] * 30), ValueError, "labels for each step.*target=\"sequence\""),
        (np.where(CODES > 1, np.inf, CODES), ValueError, "infinity"),
        (np.eye(3)[CODES] * 2, ValueError, "several columns.*matrix of 0 and 1.*MultiLabelBinarizer"),
        (np.eye(3)[CODES] * 0.5, ValueError, "continuous|matrix of 0 and 1"),
        (NAMES[np.column_stack([CODES, CODES])], ValueError, "several columns.*matrix of 0 and 1"),
        (sparse.csr_array(np.eye(3, dtype=int)[CODES]), TypeError, r"sparse.*y\.toarray\(\)"),
        (np.where(np.eye(3)[CODES] > 0, np.nan, 0), ValueError, "NaN at row 0"),
        ([np.zeros(len(x), int) for x in X], ValueError, 'labels for each step.*target="sequence"'),
        (Sequences.from_list([x[:, 0] for x in X]), ValueError, 'labels for each step.*target="sequence"'),
    ],
)  # fmt: skip
def test_what_is_no_label(y, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(X, y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({"low": -1.0}, "class_weight: -1.0 for 'low'; expected a finite number of at least 0"),
        ({"low": np.nan}, "class_weight: nan for 'low'"),
        ({"low": "heavy"}, "class_weight: 'heavy' for 'low'"),
        ({"low": 0, "mid": 0, "top": 0}, "class_weight: all classes that there are have weight 0"),
        ({"none": 1.0}, "class_weight: 'none' is none of the classes"),
        ("equal", "class_weight"),
    ],
)
def test_bad_weights_of_classes(weight, message):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=weight).fit(X, NAMES[CODES])


@pytest.mark.parametrize(
    ("y", "weight"),
    [
        (CODES, {0: 1.0, 2: 5.0}),
        (CODES, {np.int64(0): np.float32(2.0)}),
        (CODES > 0, {False: 1.0, True: 2.0}),
        (NAMES[CODES], {"low": 3}),
        (NAMES[CODES], "balanced"),
        (NAMES[CODES], None),
        (NAMES[CODES], {}),
    ],
)
def test_weights_of_classes_survive_a_file(y, weight, tmp_path: Path):
    model = classifier(class_weight=weight).fit(X, y)
    model.save(tmp_path / "model.gru")
    again = load(tmp_path / "model.gru")
    assert again.class_weight == weight
    np.testing.assert_array_equal(again.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_a_validation_part_in_which_nothing_counts():
    y = np.where(np.arange(N) == 7, "once", NAMES[CODES])
    with pytest.raises(ValueError, match="nothing in the validation part counts: class_weight is 0"):
        classifier(class_weight={"low": 0, "mid": 0, "top": 0}).fit(X, y)
