"""A target, or a label, for each step: what counts, what comes back, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score

from grulearn import GRUClassifier, GRURegressor, Sequences, load

RNG = np.random.default_rng(0)
N = 40
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, N)]
CUBE = RNG.normal(size=(N, 6, 2))
SUMS = [x[:, 0].cumsum() for x in X]
CUBE_SUMS = CUBE[:, :, 0].cumsum(axis=1)
NAMES = np.array(["low", "mid", "top"])
TAGS = [NAMES[np.digitize(y, [-0.5, 0.5])] for y in SUMS]
CUBE_TAGS = NAMES[np.digitize(CUBE_SUMS, [-0.5, 0.5])]


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(4, **{"target": "sequence", "max_iter": 3, "random_state": 0, **options})


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(4, **{"target": "sequence", "max_iter": 3, "random_state": 0, **options})


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def holed(items: list[np.ndarray], hole: Any, share: float = 0.3) -> list[Any]:
    rng = np.random.default_rng(1)
    found = [item.astype(object) for item in items]
    for item in found:
        item[rng.random(len(item)) < share] = hole
    return found


def shapes(found: Any) -> Any:
    return [item.shape for item in found] if isinstance(found, list) else found.shape


# Numbers


@pytest.mark.parametrize(
    "y",
    [
        [y.tolist() for y in SUMS],
        tuple(SUMS),
        objects(SUMS),
        pd.Series(SUMS),
        [pd.Series(y) for y in SUMS],
        [y[:, np.newaxis] for y in SUMS],
        Sequences.from_list(SUMS),
    ],
    ids=["lists", "tuple", "objects", "series", "list of series", "columns", "Sequences"],
)
def test_every_form_of_ragged_targets(y):
    expected = regressor().fit(X, SUMS).predict(X)
    found = regressor().fit(X, y).predict(X)
    assert shapes(found) == [(len(x),) for x in X]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


def test_every_form_of_rectangular_targets(convert):
    expected = regressor().fit(CUBE, CUBE_SUMS).predict(CUBE)
    assert expected.shape == (N, 6)
    frame = convert(pd.DataFrame(CUBE_SUMS).rename(columns=str))
    for y in (CUBE_SUMS.tolist(), list(CUBE_SUMS), CUBE_SUMS[:, :, np.newaxis], frame):
        np.testing.assert_array_equal(regressor().fit(CUBE, y).predict(CUBE), expected)
    ragged = regressor().fit(list(CUBE), CUBE_SUMS).predict(list(CUBE))
    assert isinstance(ragged, list)
    np.testing.assert_array_equal(np.stack(ragged), expected)


def test_several_targets():
    both = [np.column_stack([y, -y]) for y in SUMS]
    model = regressor(max_iter=20, dtype="float64").fit(X, both)
    assert shapes(model.predict(X)) == [(len(x), 2) for x in X]
    assert model.n_outputs_ == 2
    truth, predicted = np.concatenate(both), np.concatenate(model.predict(X))
    assert model.score(X, both) == pytest.approx(r2_score(truth, predicted), rel=1e-12)
    found = regressor().fit(CUBE, np.stack([CUBE_SUMS, CUBE_SUMS], axis=2)).predict(CUBE)
    assert found.shape == (N, 6, 2)


@pytest.mark.parametrize(
    ("options", "call", "last"),
    [
        ({"quantiles": [0.1, 0.5, 0.9]}, "predict_quantiles", (3,)),
        ({"loss": "gaussian"}, "predict", ()),
        ({"loss": "poisson"}, "predict", ()),
    ],
)
def test_shapes_of_other_losses(options, call, last):
    y = [np.abs(t) for t in SUMS]
    found = getattr(regressor(**options).fit(X, y), call)(X)
    assert shapes(found) == [(len(x), *last) for x in X]
    found = getattr(regressor(**options).fit(CUBE, np.abs(CUBE_SUMS)), call)(CUBE)
    assert found.shape == (N, 6, *last)
    if options.get("loss") == "gaussian":
        model = regressor(**options).fit(X, y)
        mean, std = model.predict(X, return_std=True)
        assert shapes(mean) == shapes(std) == shapes(y)
        assert np.concatenate(std).min() > 0


def test_a_step_without_a_target_teaches_nothing():
    """In a network that reads forward, steps behind the last target are as good as cut off."""
    holes = [np.where(np.arange(len(y)) < 2, y, np.nan) for y in SUMS]
    options = {"early_stopping": False, "standardize": False, "dtype": "float64"}
    long = regressor(**options).fit(X, holes).predict(X)
    short = regressor(**options).fit([x[:2] for x in X], [y[:2] for y in SUMS]).predict(X)
    # The same sums in other chunks.
    np.testing.assert_allclose(np.concatenate(long), np.concatenate(short), rtol=1e-12)
    lists = [[None if np.isnan(v) else v for v in y] for y in holes]
    again = regressor(**options).fit(X, lists).predict(X)
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(long))


def test_the_scaling_of_targets_knows_only_targets():
    holes = [np.where(RNG.random(len(y)) < 0.4, np.nan, y) for y in SUMS]
    model = regressor(early_stopping=False).fit(X, holes)
    known = np.concatenate(holes)
    known = known[~np.isnan(known)]
    np.testing.assert_allclose(model._target_scaling.mean, known.mean(), rtol=1e-12)
    np.testing.assert_allclose(model.target_scale_, known.std(), rtol=1e-12)


def test_scores_are_those_of_the_steps_that_have_a_target():
    holes = [np.column_stack([y, y**2]) for y in SUMS]
    for i, y in enumerate(holes):  # no step has both
        y[np.arange(len(y)) % 2 == i % 2, 0] = np.nan
        y[np.arange(len(y)) % 2 != i % 2, 1] = np.nan
    model = regressor().fit(X, holes)
    truth, predicted = np.concatenate(holes), np.concatenate(model.predict(X))
    each = [r2_score(t[~np.isnan(t)], p[~np.isnan(t)]) for t, p in zip(truth.T, predicted.T, strict=True)]
    assert model.score(X, holes) == pytest.approx(np.mean(each), rel=1e-12)
    # A target that no step has is not scored.
    never = [np.column_stack([y, np.full(len(y), np.nan)]) for y in SUMS]
    model = regressor().fit(X, never)
    truth, predicted = np.concatenate(SUMS), np.concatenate(model.predict(X))[:, 0]
    assert model.score(X, never) == pytest.approx(r2_score(truth, predicted), rel=1e-12)


def test_a_part_of_a_whole_knows_its_own_rows():
    """Infinities and classes elsewhere in the rows are no matter."""
    rows, tags = np.concatenate(SUMS).copy(), np.concatenate(TAGS).astype(object)
    starts = np.cumsum([0, *map(len, SUMS)])[:-1]
    lengths = [len(y) for y in SUMS]
    rows[starts[30] :], tags[starts[30] :] = np.inf, "other"
    y = Sequences(rows[:, np.newaxis], starts, lengths)
    expected = regressor().fit(X[:30], SUMS[:30]).predict(X[:30])
    found = regressor().fit(X[:30], y[:30]).predict(X[:30])
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    with pytest.raises(ValueError, match=r"infinity at sequence 30, step 0"):
        regressor().fit(X, y)
    categories = np.unique(tags.astype(str))
    codes = np.searchsorted(categories, tags.astype(str))[:, np.newaxis]
    y = Sequences(np.empty((len(rows), 0)), starts, lengths, codes=codes, categories=[categories])
    assert classifier().fit(X[:30], y[:30]).classes_.tolist() == NAMES.tolist()


def test_categorical_features_by_position_are_read_once():
    """The score's own reading would take what is left of them for the features."""
    data = [np.column_stack([RNG.integers(0, 3, len(x)), x[:, 0]]) for x in X]
    model = regressor(categorical_features=[0]).fit(data, SUMS)
    expected = r2_score(np.concatenate(SUMS), np.concatenate(model.predict(data)))
    assert model.score(data, SUMS) == pytest.approx(expected, rel=1e-12)
    model = classifier(categorical_features=[0]).fit(data, TAGS)
    assert model.score(data, TAGS) == accuracy_score(
        np.concatenate(TAGS), np.concatenate(model.predict(data))
    )


# Labels


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (TAGS, "U"),
        ([y.tolist() for y in TAGS], "U"),
        (objects(TAGS), "U"),
        ([y[:, np.newaxis] for y in TAGS], "U"),
        ([y.astype(object) for y in TAGS], "O"),
        ([pd.Series(y) for y in TAGS], "O"),
        ([pd.Categorical(y) for y in TAGS], "O"),
    ],
    ids=["arrays", "lists", "objects", "columns", "arrays of objects", "series", "categoricals"],
)
def test_every_form_of_ragged_labels(y, kind, tmp_path):
    expected = classifier().fit(X, TAGS).predict_proba(X)
    model = classifier().fit(X, y)
    assert model.classes_.tolist() == NAMES.tolist()
    assert model.classes_.dtype.kind == kind
    found = model.predict_proba(X)
    assert shapes(found) == [(len(x), 3) for x in X]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    assert shapes(model.predict(X)) == shapes(TAGS)
    assert model.score(X, y) == accuracy_score(np.concatenate(TAGS), np.concatenate(model.predict(X)))
    model.save(tmp_path / "model.gru")
    again = load(tmp_path / "model.gru")
    assert again.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(np.concatenate(again.predict(X)), np.concatenate(model.predict(X)))


def test_every_form_of_rectangular_labels(convert):
    expected = classifier().fit(CUBE, CUBE_TAGS).predict(CUBE)
    assert expected.shape == (N, 6)
    frame = convert(pd.DataFrame(CUBE_TAGS).rename(columns=str))
    for y in (CUBE_TAGS.tolist(), list(CUBE_TAGS), CUBE_TAGS[:, :, np.newaxis], frame):
        model = classifier().fit(CUBE, y)
        np.testing.assert_array_equal(model.predict(CUBE), expected)
        assert model.decision_function(CUBE).shape == (N, 6, 3)
    numbers = np.searchsorted(NAMES, CUBE_TAGS)
    for y in (numbers, numbers[:, :, np.newaxis], convert(pd.DataFrame(numbers).rename(columns=str))):
        np.testing.assert_array_equal(
            classifier().fit(CUBE, y).predict(CUBE), np.searchsorted(NAMES, expected)
        )
    two = classifier().fit(CUBE, CUBE_TAGS == "low")
    assert two.decision_function(CUBE).shape == (N, 6)
    assert two.predict_proba(CUBE).shape == (N, 6, 2)


@pytest.mark.parametrize("hole", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("kind", ["strings", "integers", "booleans"])
def test_steps_without_a_label(kind, hole):
    """Integers and booleans stay what they are, though NumPy has no place for a hole among them."""
    whole = {
        "strings": TAGS,
        "integers": [np.searchsorted(NAMES, y) * 10 for y in TAGS],
        "booleans": [y == "low" for y in TAGS],
    }[kind]
    holes = holed(whole, hole)
    known = np.concatenate([[v is not hole for v in y] for y in holes])
    models = [classifier().fit(X, y) for y in (holes, [y.tolist() for y in holes], objects(holes))]
    for model in models:
        assert model.classes_.tolist() == np.unique(np.concatenate(whole)).tolist()
        assert model.classes_.dtype.kind == {"strings": "O", "integers": "i", "booleans": "b"}[kind]
        found = np.concatenate(model.predict_proba(X))
        np.testing.assert_array_equal(found, np.concatenate(models[0].predict_proba(X)))
        expected = accuracy_score(
            np.concatenate(whole)[known].tolist(), np.concatenate(model.predict(X))[known].tolist()
        )
        assert model.score(X, holes) == expected


def test_floats_with_nan():
    holes = [np.where(np.arange(len(y)) % 3 == 1, np.nan, np.searchsorted(NAMES, y)) for y in TAGS]
    assert classifier().fit(X, holes).classes_.tolist() == [0.0, 1.0, 2.0]


def test_labels_of_long_frames(convert):
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(N), list(map(len, X))), "tag": np.concatenate(TAGS)}
    ).assign(a=np.concatenate(X)[:, 0], b=np.concatenate(X)[:, 1])
    data, y = Sequences.from_frame(convert(frame), id_col="id", target_col="tag", target="step")
    expected = classifier().fit(X, TAGS).predict_proba(X)
    found = classifier().fit(data, y).predict_proba(data)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    frame.loc[::3, "tag"] = None
    holes = [y.tolist() for y in np.split(frame["tag"].to_numpy(object), np.cumsum(list(map(len, X)))[:-1])]
    expected = classifier().fit(X, holes).predict_proba(X)
    data, y = Sequences.from_frame(convert(frame), id_col="id", target_col="tag", target="step")
    found = classifier().fit(data, y).predict_proba(data)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    none = Sequences(y.rows, y.starts, y.lengths, codes=np.full_like(y.codes, -1), categories=[[]])
    with pytest.raises(ValueError, match="y has no label"):
        classifier().fit(data, none)


def test_several_labels_for_each_step():
    y = [(x > 0).astype(int) for x in X]
    model = classifier().fit(X, y)
    assert shapes(model.predict(X)) == shapes(model.predict_proba(X)) == shapes(y)
    exact = (np.concatenate(model.predict(X)) == np.concatenate(y)).all(axis=1).mean()
    assert model.score(X, y) == pytest.approx(exact)
    # A step with a hole in one of its labels has none.
    holes = [np.where((np.arange(len(t)) == 1)[:, np.newaxis] & [True, False], np.nan, t) for t in y]
    rows = [np.where((np.arange(len(t)) == 1)[:, np.newaxis], np.nan, t) for t in y]
    one, other = (np.concatenate(classifier().fit(X, t).predict_proba(X)) for t in (holes, rows))
    np.testing.assert_array_equal(one, other)
    assert classifier().fit(CUBE, (CUBE > 0).astype(int)).predict(CUBE).shape == (N, 6, 2)


# What does not fit


def changed(items: list[np.ndarray], i: int, item: Any) -> list[Any]:
    return [*items[:i], item, *items[i + 1 :]]


NUMBERS_AND_LABELS = [(regressor, SUMS), (classifier, TAGS)]


@pytest.mark.parametrize(("make", "y"), NUMBERS_AND_LABELS, ids=["numbers", "labels"])
def test_wrong_lengths_name_the_sequence(make, y):
    n = [len(t) for t in y]
    with pytest.raises(ValueError, match=f"y has {n[7] - 1} targets for sequence 7, which has {n[7]} steps"):
        make().fit(X, changed(y, 7, y[7][:-1]))
    with pytest.raises(ValueError, match=r"y has \d targets for sequence \d, which has \d steps"):
        make().fit(X, y[1:] + y[:1])
    with pytest.raises(ValueError, match="y has 39 sequences, but X has 40"):
        make().fit(X, y[:39])
    with pytest.raises(ValueError, match="requires y"):
        make().fit(X, None)
    with pytest.raises(
        ValueError, match=f'y has one (target|label) for each of {N} sequences.*target="value"'
    ):
        make().fit(X, [t[0] for t in y])
    with pytest.raises(ValueError, match=r"y has one (target|label) for each.*y\[np\.newaxis\]"):
        make().fit(CUBE[:1], np.asarray(y[0]))
    data = Sequences.from_list(X)
    named = Sequences(data.rows, data.starts, data.lengths, ids=[f"m{i}" for i in range(N)])
    with pytest.raises(ValueError, match=r"targets for sequence 7 \(id 'm7'\)"):
        make().fit(named, changed(y, 7, y[7][:-1]))
    model = make().fit(X, y)
    with pytest.raises(ValueError, match="targets for sequence 7"):
        model.score(X, changed(y, 7, y[7][:-1]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (changed(SUMS, 4, np.full(len(SUMS[4]), np.inf)), r"infinity at sequence 4, step 0; expected finite"),
        (changed(SUMS, 4, np.array(["a"] * len(SUMS[4]))), "y, sequence 4: expected numbers, got.*<U1$"),
        (changed(SUMS, 4, np.array(["a"] * len(SUMS[4]), object)), r"y, sequence 4: 'a' at \[0\] is no"),
        ([np.full(len(y), np.nan) for y in SUMS], "y has no target: all its steps hold NaN"),
        (changed(SUMS, 4, np.zeros((len(SUMS[4]), 2))), "y, sequence"),
        (Sequences.from_tokens([y.tolist() for y in TAGS]), "y holds categories.*learns numbers"),
        (np.zeros((N, 2, 2, 2)), r"y has shape \(40, 2, 2, 2\)"),
    ],
)  # fmt: skip
def test_what_are_no_targets(y, message):
    with pytest.raises(ValueError, match=message):
        regressor().fit(X, y)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([[None] * len(y) for y in TAGS], ValueError, "y has no label: all its steps hold None or NaN"),
        ([["low"] * len(y) for y in TAGS], ValueError, "y has one class only, 'low'"),
        (SUMS, ValueError, "continuous.*to learn numbers use GRURegressor"),
        (changed(TAGS, 4, [1] * len(TAGS[4])), TypeError, "labels of several types: int, str"),
        (["".join(t[0] for t in y) for y in TAGS], ValueError, "y has one label for each of 40 sequences"),
        ([np.array(["2020-01-01"] * len(y), "M8[D]") for y in TAGS], TypeError, "y holds a date"),
        ([np.eye(3)[np.searchsorted(NAMES, y)] * 2 for y in TAGS], ValueError, "matrix of 0 and 1"),
    ],
)
def test_what_are_no_labels(y, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(X, y)


def test_targets_for_each_step_without_saying_so():
    for model, y in ((GRURegressor(4), SUMS), (GRUClassifier(4), TAGS)):
        with pytest.raises(ValueError, match='target="sequence"'):
            model.fit(X, y)


def test_long_sequences_with_a_target_for_each_step_begin_with_fast_units():
    """What lies three steps back is learned in few updates, however long the sequences are."""
    X = RNG.normal(size=(40, 400, 1))
    y = X[:, :, 0] + 0.5 * np.roll(X[:, :, 0], 1, axis=1)
    model = GRURegressor(8, target="sequence", max_iter=15, learning_rate_init=0.01, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.7


def test_targets_that_look_like_steps_get_a_warning() -> None:
    X = np.random.default_rng(0).normal(size=(20, 6, 2))
    with pytest.warns(UserWarning, match='6 columns, as many as X has steps.*set target="sequence"'):
        GRURegressor(2, max_iter=1, random_state=0).fit(X, X[:, :, 0])
