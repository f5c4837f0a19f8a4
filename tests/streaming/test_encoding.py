"""What is carried of missing values, times and categories: the bits of a prediction on the steps so far."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grulearn.sequences import Sequences
from grulearn.spec import CellSpec

MODES = ("mean", "forward", "simple", "decay")
CLOCKS = {
    "steps": lambda log: None,
    "datetimes": lambda log: log["at"],
    "seconds": lambda log: log["at"].dt.as_unit("s"),
    "nanoseconds": lambda log: log["at"].dt.as_unit("ns") + pd.Timedelta(1, "ns"),
    "zoned": lambda log: log["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    "durations": lambda log: log["at"] - pd.Timestamp("2024-01-01"),
    "integers": lambda log: log["second"],
    "large integers": lambda log: log["second"] + 2**61,
    "numbers": lambda log: log["seventh"],
}


def same(value: float, expected: float) -> None:
    assert np.float64(value).tobytes() == np.float64(expected).tobytes()


def steps_in_turn(data: Sequences, seed: int = 0):
    """Each sequence's steps in order, the sequences in any: (sequence, step)."""
    order = np.repeat(np.arange(len(data)), data.lengths)
    np.random.default_rng(seed).shuffle(order)
    taken = [0] * len(data)
    for i in order.tolist():
        yield i, taken[i]
        taken[i] += 1


def row_of(data: Sequences, i: int, t: int) -> list:
    """A step as a user has it: numbers, then categories."""
    at = int(data.starts[i]) + t
    codes = data.codes[at]
    return [*data.rows[at], *(data.categories[c][k] if k >= 0 else None for c, k in enumerate(codes))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("missing", MODES)
def test_missing_values_and_categories(make_model, read_log, prefix_of, log, missing, standardize, dtype):
    data = read_log(log)
    model = make_model(data, missing, dtype=dtype, standardize=standardize, pool="mean")
    streams = model.stream(len(data))
    for i, t in steps_in_turn(data):
        value = streams.step(row_of(data, i, t), streams=i)
        same(value, model.predict(prefix_of(data, i, t + 1))[0])


@pytest.mark.parametrize("missing", ["simple", "decay"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_every_kind_of_time(make_model, read_log, prefix_of, log, clock, missing):
    times = CLOCKS[clock](log)
    frame = log if times is None else log.assign(when=times)
    data = read_log(frame, None if times is None else "when")
    # float64 shows what float32 would round away.
    model = make_model(data, missing, dtype="float64")
    streams = model.stream(len(data))
    groups = [group for _, group in frame.groupby("machine")]
    for i, t in steps_in_turn(data):
        time = {} if times is None else {"time": groups[i]["when"].iloc[t]}
        value = streams.step(row_of(data, i, t), streams=i, **time)
        same(value, model.predict(prefix_of(data, i, t + 1))[0])


@pytest.mark.parametrize("missing", MODES)
def test_all_streams_at_once(make_model, read_log, prefix_of, log, missing):
    data = read_log(log, "at")
    timed = missing in ("simple", "decay")
    model = make_model(data, missing, cell=CellSpec(7, num_layers=2))
    streams = model.stream(len(data))
    for t in range(20):
        x = [row_of(data, i, t) for i in range(len(data))]
        times = data.times[data.starts + t].view(data.schema.time_dtype)
        values = streams.step(x, time=times if timed else None)
        for i, value in enumerate(values):
            same(value, model.predict(prefix_of(data, i, t + 1))[0])


@pytest.mark.parametrize("missing", MODES)
def test_numbers_alone_go_the_short_way(make_model, prefix_of, missing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 30, 4))
    X[rng.random(X.shape) < 0.4] = np.nan
    data = Sequences.from_array(X)
    model = make_model(data, missing)
    streams, converted = model.stream(3), model.stream(3)
    for t in range(30):
        x = X[:, t].copy()
        assert streams._native.step(x, None, None) is not None
        values = converted.step(x.tolist())
        for i in range(3):
            same(values[i], model.predict(prefix_of(data, i, t + 1))[0])


@pytest.mark.parametrize("missing", MODES)
def test_a_feature_without_a_value_in_training_is_missing_for_ever(make_model, prefix_of, missing):
    X = np.random.default_rng(0).normal(size=(3, 9, 2))
    X[:, :, 1] = np.nan
    model = make_model(Sequences.from_array(X), missing)
    X[:, ::2, 1] = 5.0
    data = Sequences.from_array(X)
    stream = model.stream()
    for t in range(9):
        same(stream.step(X[1, t]), model.predict(prefix_of(data, 1, t + 1))[0])
    with pytest.raises(ValueError, match=r"x_t contains infinity at feature 1; expected finite numbers"):
        stream.step([0.0, np.inf])


def test_values_that_training_did_not_see(make_model, read_log, prefix_of, log):
    model = make_model(read_log(log), "mean")
    new = log.assign(mode=np.where(log["k"] % 3 == 0, "boost", "run"))
    data = read_log(new)
    stream = model.stream()
    for t in range(12):
        same(stream.step(row_of(data, 2, t)), model.predict(prefix_of(data, 2, t + 1))[0])


@pytest.mark.parametrize(
    "kind",
    [
        lambda codes: codes,
        lambda codes: codes > 1,
        lambda codes: np.array(["a", "b", "c", "d"], dtype=object)[codes],
    ],
    ids=["integers", "booleans", "strings"],
)
def test_every_kind_of_category(make_model, prefix_of, kind):
    values = kind(np.random.default_rng(0).integers(0, 4, 60))
    frame = pd.DataFrame({"id": np.repeat(np.arange(4), 15), "kind": values})
    data, _ = Sequences.from_frame(frame, id_col="id", categorical_cols=["kind"])
    model = make_model(data)
    stream, plain = model.stream(), model.stream()
    for t in range(15):
        value = stream.step([frame["kind"].iloc[15 + t]])
        same(value, model.predict(prefix_of(data, 1, t + 1))[0])
        # Its only feature needs no list, and may be a Python object.
        item = frame["kind"].iloc[15 + t]
        assert plain.step(item.item() if hasattr(item, "item") else item) == value


def test_times_of_one_clock_may_come_in_other_units(make_model, read_log, log):
    model = make_model(read_log(log, "at"), "decay")
    streams, others = model.stream(), model.stream()
    x = [20.0, 0.0, "run"]
    for second in (0, 60, 200):
        time = np.datetime64("2024-03-01", "us") + np.timedelta64(second, "s")
        assert streams.step(x, time=time) == others.step(x, time=time)
    later = np.datetime64("2024-03-02", "s")
    assert streams.step(x, time=later) == others.step(x, time=later.astype("M8[us]"))
    with pytest.raises(ValueError, match=r"the first times of these streams were datetime64\[us\], and"):
        streams.step(x, time=np.datetime64("2024-03-02T00:00:01.000000001", "ns"))
    # Once all begin anew, so may the clock.
    streams.reset()
    streams.step(x, time=np.datetime64("2024-03-02T00:00:01.000000001", "ns"))
    assert streams.state["time"].dtype == "M8[ns]"


def test_a_refused_first_step_fixes_no_clock(make_model, read_log, log):
    stream = make_model(read_log(log, "second"), "simple").stream()
    with pytest.raises(ValueError, match="infinity"):
        stream.step([np.inf, 0.0, "run"], time=3)
    with pytest.raises(TypeError, match="out"):
        stream.step([1.0, 0.0, "run"], time=3, out=[1])
    stream.step([1.0, 0.0, "run"], time=3.5)
    stream.step([1.0, 0.0, "run"], time=4)
    assert stream.state["time"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("missing", "column", "time", "message"),
    [
        ("decay", "at", None, "time is missing: the model was fitted on sequences with times, datetimes or"),
        ("decay", "at", 5, r"fitted on times that are datetimes or durations, got plain numbers \(int64\)"),
        ("decay", "second", np.datetime64("2024-01-01"), "are plain numbers, got datetimes or durations"),
        ("decay", "at", np.datetime64("NaT"), "time: NaT is no time"),
        ("decay", "seventh", np.nan, "time: nan is no time"),
        ("decay", "seventh", np.inf, "time: inf is no time"),
        ("decay", "at", "2024-03-02", "expected datetimes, durations or numbers, got <U10"),
        ("decay", "at", [None], "expected datetimes, durations or numbers, got None"),
        ("decay", "second", True, "expected datetimes, durations or numbers, got bool"),
        ("decay", "second", 2**63, r"time: \d+ is beyond int64"),
        ("decay", "second", [5, 6, 7], r"time: expected shape \(\), got \(3,\)"),
        ("decay", None, 5, "the model was fitted on sequences without times, and counts steps; leave it out"),
        ("forward", "at", 5, r'no time gaps are inputs of this model \(missing="simple" and "decay" have'),
    ],
)
def test_times_that_do_not_fit(make_model, read_log, log, missing, column, time, message):
    stream = make_model(read_log(log, column), missing).stream()
    with pytest.raises(ValueError, match=message):
        stream.step([1.0, 0.0, "run"], time=time)
    assert stream.n_steps.tolist() == [0]


def test_time_never_runs_backwards(make_model, read_log, log):
    streams = make_model(read_log(log, "at"), "simple").stream(3)
    x = [[1.0, 0.0, "run"]] * 3
    noon = np.datetime64("2024-03-01T12:00:00", "us")
    streams.step(x, time=np.array([noon, noon, noon]))
    before = streams.state
    earlier = noon - np.timedelta64(1, "us")
    with pytest.raises(
        ValueError,
        match=r"time runs backwards at stream 2: 2024-03-01T11:59:59\.999999 after 2024-03-01T12:00:00",
    ):
        streams.step(x[:2], streams=[0, 2], time=[noon, earlier])
    for name, values in streams.state.items():
        np.testing.assert_array_equal(values, before[name])
    streams.step(x[0], streams=1, time=noon)  # it may stand still
    streams.reset(2)
    streams.step(x[0], streams=2, time=earlier)


def test_a_gap_beyond_the_dtype_is_refused(make_model, read_log, log):
    stream = make_model(read_log(log, "seventh"), "simple").stream()
    stream.step([1.0, 0.0, "run"], time=-1e300)
    with pytest.raises(ValueError, match="a time gap is outside the range of float32"):
        stream.step([1.0, 0.0, "run"], time=1e300)
    assert stream.n_steps.tolist() == [1]
