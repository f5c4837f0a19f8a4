"""The validation part: what is in it, that training knows nothing of it, and that its loss is its own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from grulearn import GRUClassifier, GRURegressor, Sequences
from grulearn.estimators._base import BaseGRU
from grulearn.training import Split

RNG = np.random.default_rng(0)
N = 40
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(2, 9, N)]
TARGET = np.array([x[-1, 0] for x in X])
LABELS = np.array(["low", "mid", "top"])[np.digitize(TARGET, [-0.5, 0.5])]
SUMS = [x[:, 0].cumsum() for x in X]
LOG = RNG.normal(size=(400, 2)).cumsum(axis=0) * 0.1


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(4, **{"max_iter": 2, "random_state": 0, **options})


def classifier(**options: Any) -> GRUClassifier:
    return GRUClassifier(4, **{"max_iter": 2, "random_state": 0, **options})


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Split]:
    """What each fit holds out."""
    seen: list[Split] = []
    hold_out = BaseGRU._hold_out

    def watched(self: Any, *args: Any) -> Split | None:
        seen.append(hold_out(self, *args))
        return seen[-1]

    monkeypatch.setattr(BaseGRU, "_hold_out", watched)
    return seen


def learned(model: Any) -> dict[str, bytes]:
    """All that a training has left, but for what the validation part said of it."""
    found = {name: w.tobytes() for name, w in model.weights_.items()}
    arrays = {**model._encoding.to_arrays(), **model._target_scaling.to_arrays()}
    found |= {f"scaling {name}": values.tobytes() for name, values in arrays.items()}
    return found | {
        "curve": np.array(model.loss_curve_).tobytes(),
        "rest": repr(model._encoding.state()).encode(),
    }


def same(make: Any, first: tuple[Any, ...], second: tuple[Any, ...], **fit: Any) -> bool:
    # One epoch: after it the weights are kept, whatever the validation part says.
    one, other = (make(max_iter=1).fit(*data, **fit) for data in (first, second))
    assert one.validation_scores_ != other.validation_scores_
    return learned(one) == learned(other)


# Training knows nothing of it


@pytest.mark.parametrize(
    "options", [{}, {"missing": "mean"}, {"missing": "decay"}, {"standardize": "inputs"}]
)
def test_numbers_that_are_held_out_change_nothing(options, parts):
    regressor(**options).fit(X, TARGET)
    held_out = parts[0].validation
    data, y = [x.copy() for x in X], TARGET.copy()
    for i in held_out:
        data[i] = data[i] * 3 + 5
        y[i] = y[i] * 2 - 3
        if options.get("missing"):
            data[i][0] = np.nan
    assert same(lambda **more: regressor(**options, **more), (X, TARGET), (data, y))
    # The same for one that is trained on is another matter.
    data = [x.copy() for x in X]
    data[parts[0].training[0]] *= 1.01
    assert not same(lambda **more: regressor(**options, **more), (X, TARGET), (data, TARGET))


def test_categories_that_are_held_out_are_unknown(parts):
    words = ["".join(RNG.choice(list("abc"), len(x))) for x in X]
    regressor(tokens="char").fit(words, TARGET)
    other = list(words)
    for i in parts[0].validation:
        other[i] = "xyz" * 3
    assert same(lambda **more: regressor(tokens="char", **more), (words, TARGET), (other, TARGET))


def test_times_that_are_held_out_set_no_unit(parts):
    data = Sequences.from_list(X)
    times = np.concatenate([np.arange(len(x)) for x in X])

    def timed(slow: Any) -> Sequences:
        own = times * np.where(np.isin(np.repeat(np.arange(N), data.lengths), slow), 50, 1)
        return Sequences(data.rows, data.starts, data.lengths, times=own)

    make = lambda **more: regressor(missing="simple", **more)  # noqa: E731
    make().fit(timed([]), TARGET)
    assert same(make, (timed([]), TARGET), (timed(parts[0].validation), TARGET))


def test_labels_that_are_held_out_weigh_nothing():
    """Given ones, since those drawn from y are drawn class by class."""
    make = lambda **more: classifier(class_weight="balanced", **more)  # noqa: E731
    models = [
        make(max_iter=1).fit(X[8:], LABELS[8:], X_val=X[:8], y_val=y) for y in (LABELS[:8], LABELS[:8][::-1])
    ]
    assert learned(models[0]) == learned(models[1])
    assert models[0].validation_scores_ != models[1].validation_scores_


def test_last_steps_that_are_held_out(parts):
    """One long log with a target for each step: the last tenth of it."""
    y = LOG[:, 0] * 2
    data, goal = LOG.copy(), y.copy()
    data[-40:], goal[-40:] = data[-40:] * 3 + 1, goal[-40:] + 2
    make = lambda **more: regressor(target="sequence", **more)  # noqa: E731
    assert same(make, (LOG[None], y[None]), (data[None], goal[None]))
    assert parts[0].held_out_steps.tolist() == [40]


def test_windows_that_are_held_out(parts):
    """Of one log the last ones, and no step of theirs is trained on."""

    def windows(log: np.ndarray) -> tuple[Sequences, np.ndarray]:
        data = Sequences.from_array(log[None])
        return data.windows(12, step=3, y=Sequences.from_array(log[None, :, :1]))

    data, y = windows(LOG)
    regressor().fit(data, y)
    first = data.starts[parts[0].validation].min()
    assert (data.starts[parts[0].training] + 12).max() <= first
    log = LOG.copy()
    log[first:] = log[first:] * 3 + 1
    assert same(regressor, windows(LOG), windows(log))


# What is in it


def test_groups_stay_together(parts):
    groups = np.repeat(["a", "b", "c", "d", "e", "f", "g", "h"], 5)
    for make, y in ((regressor, TARGET), (classifier, LABELS), (regressor, SUMS)):
        target = "sequence" if y is SUMS else "value"
        make(target=target, validation_fraction=0.25).fit(X, y, groups=groups)
        part = parts.pop()
        assert part.how == "group"
        assert len(part.validation) in (5, 10, 15)
        assert not set(groups[part.validation]) & set(groups[part.training])
    by_index = pd.Series(groups, index=range(N, 0, -1))  # an index is no matter
    regressor(validation_fraction=0.25).fit(X, TARGET, groups=by_index)
    assert not set(groups[parts[0].validation]) & set(groups[parts[0].training])


def test_ids_are_groups(parts):
    """Of windows over several logs; a window never stands apart from the rest of its log."""
    data = Sequences.from_list([LOG[i : i + 40] for i in range(0, 400, 40)]).windows(10, step=2)
    regressor().fit(data, data.rows[data.starts, 0])
    assert parts[0].how == "group"
    assert not set(data.ids[parts[0].validation]) & set(data.ids[parts[0].training])


def test_each_way(parts):
    regressor().fit(X, TARGET)
    regressor(validation="last", validation_fraction=0.25).fit(X, TARGET)
    regressor(target="sequence", validation="last").fit(X, SUMS)
    regressor(early_stopping=False).fit(X, TARGET)
    regressor().fit(X, TARGET, X_val=X[:5], y_val=TARGET[:5])
    random, last, steps, none, given = parts
    assert (random.how, len(random.validation)) == ("random", 4)
    assert last.validation.tolist() == list(range(30, 40))
    assert steps.held_out_steps.tolist() == [int(0.1 * len(x) + 0.5) for x in X]
    assert none is given is None


def test_classes_keep_their_shares(parts):
    y = np.repeat(["a", "b", "c"], [24, 12, 4])
    classifier(validation_fraction=0.25).fit(X, y)
    assert np.unique(y[parts[0].validation], return_counts=True)[1].tolist() == [6, 3, 1]


def test_three_samples(parts):
    assert regressor().fit(X[:3], TARGET[:3]).validation_scores_ is not None
    assert (len(parts[0].training), len(parts[0].validation)) == (2, 1)


# The loss that it says


def test_the_loss_of_sequences(parts):
    model = regressor(max_iter=20, learning_rate_init=0.02).fit(X, TARGET)
    held_out = parts[0].validation
    errors = np.square(model.predict([X[i] for i in held_out]) - TARGET[held_out])
    assert model.best_loss_ * model.target_scale_[0] ** 2 == pytest.approx(errors.mean(), rel=1e-5)
    assert model.best_loss_ == min(model.validation_scores_)


def test_the_loss_of_labels(parts):
    model = classifier(max_iter=20, learning_rate_init=0.02).fit(X, LABELS)
    held_out = parts[0].validation
    expected = log_loss(
        LABELS[held_out], model.predict_proba([X[i] for i in held_out]), labels=model.classes_
    )
    assert model.best_loss_ == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_last_steps():
    """They are predicted from all steps before them, and count alone."""
    y = LOG[:, 0] * 2
    model = regressor(target="sequence", max_iter=10).fit(LOG[None], y[None])
    errors = np.square(model.predict(LOG[None])[0, -40:] - y[-40:]).mean()
    assert model.best_loss_ * model.target_scale_[0] ** 2 == pytest.approx(errors, rel=1e-5)


def test_the_loss_of_a_given_part():
    holes = [np.where(RNG.random(len(y)) < 0.3, np.nan, y) for y in SUMS]
    model = regressor(target="sequence", max_iter=10).fit(X[10:], holes[10:], X_val=X[:10], y_val=holes[:10])
    truth, predicted = np.concatenate(holes[:10]), np.concatenate(model.predict(X[:10]))
    expected = np.nanmean(np.square(predicted - truth)) / model.target_scale_[0] ** 2
    assert model.best_loss_ == pytest.approx(expected, rel=1e-5)


# What does not go


@pytest.mark.parametrize(
    ("options", "fit", "message"),
    [
        ({}, {"X_val": X[:5]}, "X_val comes without y_val"),
        ({}, {"y_val": TARGET[:5]}, "y_val comes without X_val"),
        ({}, {"X_val": X[:5], "y_val": TARGET[:4]}, "in X_val, y_val: y has 4 values.*X has 5 samples"),
        ({}, {"X_val": [x[:, :1] for x in X], "y_val": TARGET}, "in X_val, y_val: X has 1 features"),
        ({}, {"X_val": [x * np.nan for x in X], "y_val": TARGET}, "in X_val, y_val: Input X contains NaN at"),
        ({}, {"X_val": X[:5], "y_val": TARGET[:5] * np.nan}, "in X_val, y_val: Input y contains NaN"),
        ({}, {"X_val": np.zeros((5, 2)), "y_val": TARGET[:5]}, "in X_val, y_val: X is a table"),
        ({}, {"X_val": [], "y_val": []}, "in X_val, y_val: "),
        ({"early_stopping": False}, {"X_val": X, "y_val": TARGET}, "early_stopping=False makes no use of it"),
        ({}, {"groups": np.zeros(5)}, r"groups: expected shape \(40,\), one for each sequence, got \(5,\)"),
        ({"early_stopping": False}, {"groups": np.zeros(5)}, r"groups: expected shape \(40,\)"),
        ({}, {"groups": np.zeros(N)}, "no group can be held out: all sequences are of one group"),
        ({}, {"groups": np.r_[np.nan, np.ones(N - 1)]}, "groups: nan for sequence 0"),
        ({"validation": "random"}, {"groups": np.arange(N)}, "groups are given, but validation='random'"),
        ({"validation": "group"}, {}, "X has no ids; pass groups"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_out(options, fit, message):
    model = regressor().fit(X, TARGET)
    before = copy.deepcopy(vars(model)).keys(), model.predict(X).tobytes()
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(X, TARGET, **fit)
    assert (vars(model).keys(), model.predict(X).tobytes()) == before


def test_steps_that_cannot_be_held_out():
    y = np.full(400, np.nan)
    y[:200] = LOG[:200, 0]
    with pytest.raises(
        ValueError, match=r"last steps.*40 in all, and no step in the last steps has a target"
    ):
        regressor(target="sequence").fit(LOG[None], y[None])
    with pytest.raises(ValueError, match="no step before the last steps has a target"):
        regressor(target="sequence").fit(LOG[None], np.where(np.arange(400) < 399, np.nan, 1.0)[None])
    assert regressor(target="sequence", early_stopping=False).fit(LOG[None], y[None]).n_iter_ == 2


def test_a_label_that_only_the_given_part_has():
    with pytest.raises(ValueError, match="in X_val, y_val: y_val holds the label 'other', which is none of"):
        classifier().fit(X, LABELS, X_val=X[:2], y_val=["low", "other"])
