"""Windows: which there are, that they copy nothing, and the targets ahead of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

from grulearn.sequences import Schema, Sequences


@pytest.fixture
def logs():
    """Logs of 0 to 40 steps whose values say where they are: sequence and step."""
    arrays = [np.column_stack([np.full(n, i), np.arange(n)]) for i, n in enumerate([12, 3, 0, 40, 7])]
    total = sum(map(len, arrays))
    return Sequences.from_list(arrays), Sequences(
        np.concatenate(arrays),
        np.cumsum([0, 12, 3, 0, 40]),
        [12, 3, 0, 40, 7],
        codes=np.arange(total)[:, None] % 3,
        categories=[["a", "b", "c"]],
        times=np.arange(total) * 10,
        ids=[f"m{i}" for i in range(5)],
        schema=Schema(id="machine"),
    )


def by_hand(lengths, length, step, horizon):
    """Say sequence, first step and target step of every window, from the words of the documentation."""
    found = []
    for i, n in enumerate(lengths):
        k = 0
        while k * step + length - 1 + horizon <= n - 1:
            found.append((i, k * step, k * step + length - 1 + horizon))
            k += 1
    return found


@pytest.mark.parametrize("horizon", [0, 1, 5])
@pytest.mark.parametrize("step", [1, 2, 3, 100, 10**30])
@pytest.mark.parametrize("length", [1, 2, 5, 12, 35])
def test_windows_are_those_of_the_definition(logs, length, step, horizon):
    for X in logs:
        expected = by_hand(X.lengths, length, step, horizon)
        windows, y = X.windows(length, step=step, horizon=horizon, y=X[:])
        assert [tuple(window[0]) for window in windows] == [(i, first) for i, first, _ in expected]
        for window, (i, first, _) in zip(windows, expected, strict=True):
            np.testing.assert_array_equal(window, X[i][first : first + length])
        assert [tuple(map(int, row[:2])) for row in y] == [(i, target) for i, _, target in expected]
        assert len(X.windows(length, step=step, horizon=horizon)) == len(expected)


def test_windows_are_views_that_keep_ids_and_times(logs):
    X = logs[1]
    windows = X.windows(5)
    for block in ("rows", "codes", "times", "categories", "schema"):
        assert getattr(windows, block) is getattr(X, block)
    assert windows.ids.tolist() == [f"m{i}" for i, _, _ in by_hand(X.lengths, 5, 1, 0)]
    assert windows.times[windows.span(1)].tolist() == [10, 20, 30, 40, 50]
    again = windows[[3, 3]].windows(2)
    assert again.ids.tolist() == ["m0"] * 8
    assert again.rows is X.rows


def test_windows_know_their_sequence_without_ids(logs):
    windows = logs[0].windows(3)
    assert windows.ids.tolist() == [i for i, _, _ in by_hand(logs[0].lengths, 3, 1, 0)]
    for train, test in GroupKFold(3).split(windows, groups=windows.ids):
        assert not set(windows.ids[train]) & set(windows.ids[test])
        # No row is on both sides.
        assert not set(windows[train].row_index()) & set(windows[test].row_index())


def test_a_long_log_takes_no_memory():
    log = Sequences.from_list([np.zeros((200_000, 4))])
    windows = log.windows(1000)
    assert windows.shape == (199_001, 1000, 4)
    assert windows.rows is log.rows
    assert windows.starts.nbytes + windows.lengths.nbytes == 16 * 199_001


def test_targets_of_sequences_are_repeated(logs):
    X = logs[1]
    origin = [i for i, _, _ in by_hand(X.lengths, 5, 2, 1)]
    for y in (
        np.arange(5) * 1.5,
        ["a", "b", "c", "d", "e"],
        pd.Series(list("abcde")),
        np.arange(10).reshape(5, 2),
    ):
        _, targets = X.windows(5, step=2, horizon=1, y=y)
        assert targets.tolist() == np.asarray(y)[origin].tolist()


def test_targets_by_step_keep_their_kind(logs):
    X = logs[0]
    found = by_hand(X.lengths, 3, 1, 2)
    arrays = [np.arange(n) + 100 * i for i, n in enumerate(X.lengths)]
    _, y = X.windows(3, horizon=2, y=arrays)
    np.testing.assert_array_equal(y, np.array([arrays[i][t] for i, _, t in found]), strict=True)
    labels = Sequences.from_tokens(
        [["good", "bad", None][: min(n, 3)] + ["bad"] * (n - 3) for n in X.lengths]
    )
    _, y = X.windows(3, y=labels)
    assert y.tolist() == [labels.to_tokens()[i][t] for i, _, t in by_hand(X.lengths, 3, 1, 0)]
    _, y = X.windows(3, horizon=2, y=logs[1])
    assert y.shape == (len(found), 3)
    assert y[0].tolist() == [0, 4, "b"]
    booleans = [array % 2 == 0 for array in arrays]
    assert X.windows(3, y=booleans)[1].dtype == bool


def test_targets_may_be_stored_in_another_order(logs):
    X = logs[1]
    rows = np.arange(X.lengths.sum(), dtype=float)[:, None]
    starts = X.lengths.sum() - np.cumsum(X.lengths)
    _, y = X.windows(3, y=Sequences(rows, starts, X.lengths))
    assert y.tolist() == [starts[i] + t for i, _, t in by_hand(X.lengths, 3, 1, 0)]


def test_targets_of_a_frame_lie_ahead():
    frame = pd.DataFrame({"id": [1, 2] * 10, "load": np.arange(20.0), "heat": -np.arange(20.0)})
    X, y = Sequences.from_frame(frame, id_col="id", feature_cols=["load", "heat"], target_col="load")
    windows, ahead = X.windows(4, horizon=3, y=y)
    # Rows of an id are 2 apart in the frame, so is the load.
    np.testing.assert_array_equal(ahead, [window[-1, 0] + 2 * 3 for window in windows])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"length": 0}, ValueError, "length=0; expected at least 1"),
        ({"length": 2, "step": 0}, ValueError, "step=0; expected at least 1"),
        ({"length": 2, "horizon": -1}, ValueError, "horizon=-1; expected at least 0"),
        ({"length": 2.0}, TypeError, "length=2.0; expected an integer"),
        ({"length": True}, TypeError, "length=True; expected an integer"),
        (
            {"length": 40, "horizon": 1},
            ValueError,
            r"no window: one takes 40 steps and 1 more to its target, but the longest, sequence 3 \(machine "
            r"'m3'\), has 40",
        ),
        ({"length": 10**30}, ValueError, "no window: one takes 10+ steps, but the longest"),
        (
            {"length": 2, "y": [1.0]},
            ValueError,
            r"y has shape \(1,\); expected one target for each of 5 sequences",
        ),
        ({"length": 2, "y": 1.0}, ValueError, r"y has shape \(\)"),
        ({"length": 2, "y": Sequences.from_list([[1.0]])}, ValueError, "y has 1 sequences, but there are 5"),
        (
            {"length": 2, "y": [np.zeros(n) for n in (12, 4, 0, 40, 7)]},
            ValueError,
            r"y has 4 steps for sequence 1 \(machine 'm1'\), which has 3",
        ),
    ],
)
def test_windows_that_cannot_be(logs, options, error, message):
    with pytest.raises(error, match=message):
        logs[1].windows(options.pop("length"), **options)
    with pytest.raises(ValueError, match="no window: one takes 1 step, but there is no sequence"):
        logs[1][:0].windows(1)
