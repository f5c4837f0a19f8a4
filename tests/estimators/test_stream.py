"""`stream` of the estimators: every loss, pooling, kind of label and of target, against `predict`."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from grulearn import GRUClassifier, GRURegressor, Sequences, load

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(40, 9, 3))
RAGGED = [x[: 3 + i % 7] for i, x in enumerate(X)]
Y = X[:, 0, 0] * 10.0 + 500.0
QUICK = {"max_iter": 2, "random_state": 0, "early_stopping": False}

REGRESSORS = {
    "plain": {},
    "float64": {"dtype": "float64"},
    "unscaled": {"standardize": False},
    "inputs": {"standardize": "inputs"},
    "layers": {"num_layers": 3},
    "reset before": {"reset_after": False, "bias": False},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max"},
    "absolute": {"loss": "absolute_error"},
    "huber": {"loss": "huber"},
    "poisson": {"loss": "poisson"},
    "gaussian": {"loss": "gaussian"},
    "quantiles": {"quantiles": [0.1, 0.5, 0.9]},
    "quantiles without the median": {"quantiles": [0.2, 0.7]},
}


def same(value, expected) -> None:
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype
    assert value.tobytes() == expected.tobytes()


@pytest.mark.parametrize("options", REGRESSORS.values(), ids=REGRESSORS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_step_is_the_prediction_so_far(options, outputs):
    y = Y if outputs == 1 else np.column_stack([Y, 1000.0 - Y])
    model = GRURegressor(7, **options, **QUICK).fit(RAGGED, y)
    stream, streams = model.stream(), model.stream(40)
    for t in range(9):
        expected = model.predict(X[:, : t + 1])
        same(stream.step(X[5, t]), expected[5])
        same(streams.step(X[:, t]), expected)


@pytest.mark.parametrize("outputs", [1, 2])
def test_quantiles_and_deviations(outputs):
    y = Y if outputs == 1 else np.column_stack([Y, 1000.0 - Y])
    quantiles = GRURegressor(5, quantiles=[0.1, 0.4, 0.9], **QUICK).fit(X, y)
    gaussian = GRURegressor(5, loss="gaussian", **QUICK).fit(X, y)
    one, many, pair, pairs = (m.stream(n) for m in (quantiles, gaussian) for n in (1, 40))
    for t in range(9):
        expected = quantiles.predict_quantiles(X[:, : t + 1])
        same(one.step_quantiles(X[5, t]), expected[5])
        same(many.step_quantiles(X[:, t]), expected)
        mean, std = gaussian.predict(X[:, : t + 1], return_std=True)
        for value, wanted in zip(pair.step(X[5, t], return_std=True), (mean[5], std[5]), strict=True):
            same(value, wanted)
        for value, wanted in zip(pairs.step(X[:, t], return_std=True), (mean, std), strict=True):
            same(value, wanted)


def test_what_a_loss_does_not_predict_is_refused():
    stream = GRURegressor(4, **QUICK).fit(X, Y).stream()
    with pytest.raises(ValueError, match="return_std: the model was fitted with loss='squared_error', which"):
        stream.step(X[0, 0], return_std=True)
    with pytest.raises(
        ValueError, match="step_quantiles: .* loss='squared_error', which predicts no quantil"
    ):
        stream.step_quantiles(X[0, 0])
    gaussian = GRURegressor(4, loss="gaussian", **QUICK).fit(X, Y).stream()
    with pytest.raises(ValueError, match="out: with return_std there are two results; leave it out"):
        gaussian.step(X[0, 0], out=np.empty(()), return_std=True)
    assert not stream.n_steps.any()
    assert not gaussian.n_steps.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_target_for_each_step(dtype):
    y = X.cumsum(axis=1)[:, :, :2]
    numbers = GRURegressor(6, target="sequence", dtype=dtype, **QUICK).fit(X, y)
    labels = GRUClassifier(6, target="sequence", dtype=dtype, **QUICK).fit(X, y[:, :, 0] > 9)
    stream, tags = numbers.stream(40), labels.stream(40)
    values, probabilities = numbers.predict(X), labels.predict_proba(X)
    for t in range(9):
        same(stream.step(X[:, t]), values[:, t])
        same(tags.step_proba(X[:, t]), probabilities[:, t])


LABELS = {
    "two strings": np.where(Y > 530, "high", "low"),
    "three strings": np.array(["a", "b", "c"], dtype=object)[np.arange(40) % 3],
    "two integers": (Y > 530) * 7,
    "ten integers": np.arange(40) % 10,
    "booleans": Y > 530,
    "floats": np.arange(40) % 3 * 1.0,
}


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_labels_and_probabilities(y, pooling):
    model = GRUClassifier(6, pooling=pooling, **QUICK).fit(RAGGED, y)
    stream, streams, chances = model.stream(), model.stream(40), model.stream(40)
    for t in range(9):
        expected = model.predict(X[:, : t + 1])
        label = stream.step(X[5, t])
        assert label == expected[5]
        assert type(label) is type(expected[5])
        labels = streams.step(X[:, t])
        assert labels.dtype == expected.dtype
        np.testing.assert_array_equal(labels, expected)
        same(chances.step_proba(X[:, t]), model.predict_proba(X[:, : t + 1]))
    out = np.empty((2, len(model.classes_)))
    assert chances.step_proba(X[:2, 0], [3, 1], out) is out
    assert chances.step_proba(X[0, 0].tolist(), 7).shape == (len(model.classes_),)


def test_several_labels_at_once():
    y = (X[:, 0] > 3).astype(int)
    model = GRUClassifier(6, **QUICK).fit(X, y)
    stream, streams, chances = model.stream(), model.stream(40), model.stream()
    for t in range(9):
        same(stream.step(X[5, t]), model.predict(X[5:6, : t + 1])[0])
        same(streams.step(X[:, t]), model.predict(X[:, : t + 1]))
        same(chances.step_proba(X[5, t]), model.predict_proba(X[5:6, : t + 1])[0])


@pytest.mark.parametrize("tokens", ["char", "word", "item"])
def test_tokens(tokens):
    texts = ["the cat sat on the mat", "a dog ate a log", "no cat, no dog", "on and on"] * 10
    split = {"char": list, "word": lambda text: text.replace(",", " ,").split()}.get(tokens, str.split)
    data = [split(text) for text in texts] if tokens == "item" else texts
    model = GRUClassifier(6, tokens=tokens, **QUICK).fit(data, ["c", "d", "b", "n"] * 10)
    stream, streams = model.stream(), model.stream(2)
    new = "the owl sat"
    pieces = split(new)
    for t, token in enumerate(pieces):
        so_far = pieces[: t + 1]
        text = so_far if tokens == "item" else ("" if tokens == "char" else " ").join(so_far)
        expected = model.predict_proba([text])
        same(stream.step_proba(token), expected[0])
        same(streams.step_proba([token, token]), np.repeat(expected, 2, axis=0))
    assert stream.step(pieces[0]) in model.classes_


@pytest.mark.parametrize(
    ("tokens", "text", "message"),
    [
        ("char", "cab", "'cab' has 3 tokens, and a step is one character; take one step for each"),
        ("char", "", "'' has 0 tokens"),
        ("word", "a cab", "'a cab' has 2 tokens, and a step is one word"),
        ("word", "cab,", "'cab,' has 2 tokens"),
    ],
)
def test_a_text_is_not_a_token(tokens, text, message, tmp_path):
    model = GRUClassifier(4, tokens=tokens, **QUICK).fit(["a b", "b a a", "ab b"] * 3, ["x", "y", "z"] * 3)
    model.save(tmp_path / "model.gru")
    for stream in (model.stream(), load(tmp_path / "model.gru").stream()):
        with pytest.raises(ValueError, match=message):
            stream.step(text)
        stream.step("z" if tokens == "char" else "zebra")  # one that was never seen
        assert stream.n_steps.tolist() == [1]


@pytest.fixture
def log():
    rows = [
        (unit, pd.Timestamp("2024-01-01") + pd.Timedelta(int(RNG.integers(1, 90)) + 100 * t, "min"), *x)
        for unit in range(8)
        for t, x in enumerate(RNG.normal(size=(12, 2)))
    ]
    frame = pd.DataFrame(rows, columns=["unit", "at", "load", "speed"])
    frame["gear"] = RNG.integers(1, 5, len(frame))
    frame["mode"] = RNG.choice(["idle", "run"], len(frame))
    frame.loc[RNG.random(len(frame)) < 0.3, "load"] = np.nan
    return frame


def read(frame):
    columns = ["mode", "gear", "load", "speed"]
    return Sequences.from_frame(frame, id_col="unit", time_col="at", feature_cols=columns)[0]


@pytest.mark.parametrize("missing", ["mean", "forward", "simple", "decay"])
def test_a_log_with_gaps_and_categories(log, missing, tmp_path):
    data = read(log)
    options = {"missing": missing, "categorical_features": ["gear"]}
    model = GRURegressor(6, **options, **QUICK).fit(data, RNG.normal(size=8))
    model.save(tmp_path / "model.gru")
    timed = missing in ("simple", "decay")
    # In the order of feature_names_in_: numbers first, then categories, whatever they were called later.
    assert model.feature_names_in_.tolist() == ["gear", "load", "speed", "mode"]
    for stream in (model.stream(2), load(tmp_path / "model.gru").stream(2)):
        unit = log[log["unit"] == 3]
        for t in range(12):
            row = unit.iloc[t]
            expected = model.predict(read(unit.iloc[: t + 1]))
            time = {"time": row["at"]} if timed else {}
            same(stream.step(row[["mode", "gear", "load", "speed"]], streams=0, **time), expected[0])
            ordered = [row["gear"], row["load"], row["speed"], row["mode"]]
            same(stream.step(ordered, streams=1, **time), expected[0])


def test_categories_of_an_array(tmp_path):
    codes = np.round(X)
    codes[:, :, 0] = X[:, :, 0]
    model = GRURegressor(5, categorical_features=[2, 1], **QUICK).fit(codes, Y)
    model.save(tmp_path / "model.gru")
    streams = model.stream(40), load(tmp_path / "model.gru").stream(40)
    for t in range(9):
        for stream in streams:
            same(stream.step(codes[:, t]), model.predict(codes[:, : t + 1]))


def test_a_saved_model_streams_the_same(tmp_path):
    for model in (
        GRURegressor(5, **QUICK).fit(X, Y),
        GRUClassifier(5, **QUICK).fit(X, LABELS["two strings"]),
    ):
        model.save(tmp_path / "model.gru")
        stream = load(tmp_path / "model.gru").stream()
        for t in range(9):
            assert stream.step(X[0, t]) == model.predict(X[:1, : t + 1])[0]


def test_a_constant_target():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GRURegressor(4, **QUICK).fit(X, np.full(40, 7.5))
    assert model.stream().step(X[0, 0]) == 7.5


@pytest.mark.parametrize(
    "refit",
    [
        lambda model: model.fit(X * 2, Y - 1000),
        lambda model: model.partial_fit(X, Y - 1000),
        lambda model: model.set_params(warm_start=True).fit(X, Y - 1000),
        lambda model: model.set_params(hidden_size=9).fit(X[:, :, :2], Y),
    ],
    ids=["fit", "partial_fit", "warm_start", "another network"],
)
def test_a_later_fit_changes_no_stream(refit):
    model = GRURegressor(5, **QUICK).fit(X, Y)
    expected = model.predict(X[:1])[0]
    stream = model.stream()
    for t in range(4):
        stream.step(X[0, t])
    refit(model)
    for t in range(4, 9):
        value = stream.step(X[0, t])
    assert value == expected


def test_threads_of_the_estimator_change_no_bit():
    # 300 streams of this size are enough work for several threads.
    wide = np.random.default_rng(1).normal(size=(300, 3, 20))
    model = GRURegressor(40, n_jobs=3, **QUICK).fit(wide, wide[:, 0, 0])
    streams = model.stream(300)
    for t in range(3):
        same(streams.step(wide[:, t]), model.predict(wide[:, : t + 1]))


@pytest.mark.parametrize("estimator", [GRURegressor, GRUClassifier])
def test_what_cannot_stream_says_why(estimator):
    y = (Y > 530).astype(int)
    with pytest.raises(NotFittedError):
        estimator().stream()
    both = estimator(4, bidirectional=True, **QUICK).fit(X, y)
    with pytest.raises(
        ValueError, match="this network is bidirectional.*Fit with bidirectional=False to str"
    ):
        both.stream()
    attention = estimator(4, pooling="attention", **QUICK).fit(X, y)
    with pytest.raises(
        ValueError, match='pooling="attention" weighs all steps.*Fit with pooling="last", "me'
    ):
        attention.stream()
    table = estimator(4, **QUICK).fit(X[:, 0], y)
    with pytest.raises(
        ValueError, match="fitted on sequences of one step.*Call predict, or fit on sequences"
    ):
        table.stream()
    model = estimator(4, **QUICK).fit(X, y)
    for wrong in (True, 2.0, "2", None):
        with pytest.raises(TypeError, match="n_streams must be an integer, got"):
            model.stream(wrong)
    for wrong in (0, -1, 2**70):
        with pytest.raises(ValueError, match=rf"n_streams must be at least 1 and below 2\*\*31, got {wrong}"):
            model.stream(wrong)
    assert model.stream(np.int8(3)).n_streams == 3


def test_a_copy_keeps_its_own_time() -> None:
    """What times count is found out at the first one, and each copy finds out for itself."""
    rng = np.random.default_rng(0)
    times = np.arange(240).astype("M8[s]")
    log = Sequences(rng.normal(size=(240, 1)), np.arange(0, 240, 8), [8] * 30, times=times)
    model = GRURegressor(4, missing="decay", max_iter=2, random_state=0).fit(log, np.arange(30.0))
    alone, one = model.stream(), model.stream()
    other = copy.copy(one)
    start = np.datetime64("2026-01-01T00:00:00")
    for stream in (alone, one):
        stream.step([1.0], time=start)
    other.step([1.0], time=start.astype("M8[ms]"))
    later = start + np.timedelta64(1, "s")
    assert one.step([np.nan], time=later) == alone.step([np.nan], time=later)
