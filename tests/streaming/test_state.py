"""A stream's state as plain arrays: saved, restored, pickled; what does not fit is refused."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

from grulearn.sequences import Sequences
from grulearn.spec import CellSpec

LATER = np.datetime64("2024-04-01", "us")


@pytest.fixture
def carry(make_model, read_log, log):
    """Two streams of everything that can be carried, after some steps."""
    model = make_model(read_log(log, "at"), "decay", pool="mean", cell=CellSpec(5, num_layers=2))
    streams = model.stream(2)
    for t in range(5):
        streams.step([[20.0, np.nan, "run"], [np.nan, 0.0, None]], time=LATER + np.timedelta64(t, "s"))
    return model, streams


def advance(streams, seconds=60):
    times = LATER + np.array([seconds, seconds + 7]).astype("m8[s]")
    return streams.step([[np.nan, 0.001, "idle"], [23.0, np.nan, "off"]], time=times)


def test_what_is_carried(carry, make_model, read_log, log):
    _, streams = carry
    state = streams.state
    assert {name: (str(values.dtype), values.shape) for name, values in state.items()} == {
        "hidden": ("float32", (2, 2, 5)),
        "n_steps": ("int64", (2,)),
        "sum": ("float32", (2, 5)),
        "block_sum": ("float32", (2, 5)),
        "last_values": ("float64", (2, 2)),
        "since": ("datetime64[us]", (2, 2)),
        "time": ("datetime64[us]", (2,)),
    }
    assert state["n_steps"].tolist() == streams.n_steps.tolist() == [5, 5]
    assert (state["time"] == LATER + np.timedelta64(4, "s")).all()
    assert (state["since"][0] == LATER + np.array([4, 0]).astype("m8[s]")).all()
    plain = make_model(read_log(log), "simple", pool="max").stream()
    plain.step([1.0, 2.0, "run"])
    names = {"hidden", "n_steps", "largest", "last_values", "since"}
    assert plain.state.keys() == names
    assert plain.state["since"].dtype == np.int64
    assert make_model(Sequences.from_array(np.ones((3, 4, 1)))).stream().state.keys() == {"hidden", "n_steps"}


def test_a_state_is_a_copy(carry):
    _, streams = carry
    state = streams.state
    for values in state.values():
        values[...] = values.dtype.type(0) if values.dtype.kind not in "mM" else values.dtype.type(0, "us")
    assert (streams.state["n_steps"] == 5).all()


@pytest.mark.parametrize("copier", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_go_on_by_themselves(carry, copier):
    _, streams = carry
    twin = copier(streams)
    assert repr(twin) == repr(streams) == "RegressorStream(n_streams=2, n_features=3)"
    expected = advance(copy.deepcopy(streams))
    assert twin.n_steps.tolist() == [5, 5]
    np.testing.assert_array_equal(advance(twin), expected)
    assert streams.n_steps.tolist() == [5, 5]
    np.testing.assert_array_equal(advance(streams), expected)


def test_a_state_goes_on_in_another_object(carry, tmp_path):
    model, streams = carry
    np.savez(tmp_path / "state.npz", **streams.state)
    other = model.stream(2)
    with np.load(tmp_path / "state.npz") as saved:
        other.state = saved
    np.testing.assert_array_equal(advance(other), advance(streams))


def test_numbers_may_have_another_dtype(carry):
    model, streams = carry
    state = streams.state
    other = model.stream(2)
    other.state = {
        **{name: values.tolist() for name, values in state.items() if values.dtype.kind not in "mM"},
        "hidden": state["hidden"].astype(np.float64),
        "n_steps": state["n_steps"].astype(np.int8),
        "since": state["since"],
        "time": state["time"],
    }
    np.testing.assert_array_equal(advance(other), advance(streams))


def test_a_state_brings_its_clock(carry):
    model, streams = carry
    other = model.stream(2)
    other.step([[1.0, 1.0, "run"]] * 2, time=np.datetime64("2024-01-01T00", "ns"))
    other.state = streams.state
    assert other.state["time"].dtype == "M8[us]"
    np.testing.assert_array_equal(advance(other), advance(streams))


def test_a_state_before_the_first_step(carry):
    model, streams = carry
    fresh = model.stream(2)
    beginning = fresh.state
    assert "time" not in beginning
    streams.state = beginning
    assert streams.n_steps.tolist() == [0, 0]
    np.testing.assert_array_equal(advance(streams), advance(fresh))
    untouched = model.stream(2)
    untouched.state = beginning
    np.testing.assert_array_equal(advance(untouched), advance(model.stream(2)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("sum"), ValueError, "state: 'sum' is missing; expected 'hidden', 'n_steps', 'sum'"),
        (lambda s: s.pop("since"), ValueError, "state: 'since' is missing"),
        (lambda s: s.update(cell=0), ValueError, "state: there is no 'cell'; expected .* same model only"),
        (
            lambda s: s.update(hidden=s["hidden"][:1]),
            ValueError,
            r"'hidden' has shape \(1, 2, 5\), expected \(2, 2, 5\)",
        ),
        (lambda s: s.update(hidden=s["hidden"] * 1j), TypeError, "'hidden' holds complex64, expected real"),
        (lambda s: s.update(hidden=s["hidden"] > 0), TypeError, "'hidden' holds bool, expected real numbers"),
        (lambda s: s["hidden"].__setitem__((0, 1, 2), np.nan), ValueError, "'hidden' of stream 1 holds NaN"),
        (lambda s: s.update(hidden=np.full((2, 2, 5), 1e300)), ValueError, "'hidden' of stream 0 holds NaN"),
        (lambda s: s["sum"].__setitem__((1, 2), np.inf), ValueError, "'sum' of stream 1 holds NaN or inf"),
        (lambda s: s.update(n_steps=[5.0, 5.0]), TypeError, "'n_steps' holds float64, expected integers"),
        (lambda s: s.update(n_steps=[5, -1]), ValueError, "'n_steps' of stream 1 is negative"),
        (lambda s: s.update(n_steps=["5", "5"]), TypeError, "'n_steps' holds <U1, expected integers"),
        (
            lambda s: s.update(since=s["since"].view("i8")),
            TypeError,
            "'since' holds int64, expected datetimes",
        ),
        (
            lambda s: s.update(time=s["time"].astype("M8[ns]")),
            TypeError,
            r"'time' holds datetime64\[ns\], expected datetimes \(datetime64\[us\]\)",
        ),
        (lambda s: s["time"].__setitem__(0, "NaT"), ValueError, "'time' of stream 0 holds NaN"),
        (
            lambda s: s["since"].__setitem__((1, 0), LATER + 9_000_000),
            ValueError,
            "'since' of stream 1 is after",
        ),
        (lambda s: s["last_values"].__setitem__((0, 0), np.nan), ValueError, "'last_values' of stream 0"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(carry, change, error, message):
    _, streams = carry
    before, wrong = streams.state, streams.state
    change(wrong)
    with pytest.raises(error, match=message):
        streams.state = wrong
    for name, values in streams.state.items():
        np.testing.assert_array_equal(values, before[name])


def test_a_state_is_a_dict(carry):
    _, streams = carry
    with pytest.raises(TypeError, match="state: expected a dict of arrays, as `state` gives it, got list"):
        streams.state = [1, 2]


def test_steps_that_were_not_yet_made_cannot_have_been_observed(make_model, read_log, log):
    stream = make_model(read_log(log), "simple").stream()
    stream.step([1.0, 2.0, "run"])
    state = stream.state
    state["since"][:] = 1
    with pytest.raises(ValueError, match="'since' of stream 0 is after its latest step"):
        stream.state = state


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_streams_before_their_first_step_may_stand_among_others(make_model, pool):
    model = make_model(Sequences.from_array(np.random.default_rng(0).normal(size=(3, 4, 2))), pool=pool)
    streams, twin = model.stream(3), model.stream(3)
    streams.step([1.0, 2.0], streams=1)
    twin.state = streams.state
    assert twin.n_steps.tolist() == [0, 1, 0]
    x = np.ones((3, 2))
    np.testing.assert_array_equal(twin.step(x), streams.step(x))


def test_objects_in_several_threads_are_independent(make_model):
    X = np.random.default_rng(0).normal(size=(8, 50, 4))
    data = Sequences.from_array(X)
    model = make_model(data, cell=CellSpec(16))
    expected = model.predict(data)
    results: dict[int, float] = {}

    def run(i: int) -> None:
        stream = model.stream()
        for x_t in X[i]:
            results[i] = stream.step(x_t)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal([results[i] for i in range(8)], expected)


def test_n_streams_and_reset(make_model):
    streams = make_model(Sequences.from_array(np.ones((3, 4, 2)))).stream(4)
    assert streams.n_streams == 4
    streams.step(np.ones((4, 2)))
    streams.step(np.ones((2, 2)), streams=[3, 0])
    assert streams.n_steps.tolist() == [2, 1, 1, 2]
    streams.reset([0, 2])
    assert streams.n_steps.tolist() == [0, 1, 0, 2]
    streams.reset(3)
    assert streams.n_steps.tolist() == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="streams: there is no stream 4; there are 0 to 3"):
        streams.reset([1, 4])
    assert streams.n_steps.tolist() == [0, 1, 0, 0]
    streams.reset()
    assert not streams.n_steps.any()
    assert not streams.state["hidden"].any()
