"""What is held out, judged by brute force: rows, groups and classes compared one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from grulearn.sequences import Sequences
from grulearn.training import Split, hold_out, split
from grulearn.training.overlap import as_labels, logs, sharing_rows


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def layout(seed: int, n_rows: int = 60) -> Sequences:
    """Draw sequences that overlap more or less, some with ids that repeat, some with times, in any order."""
    draw = rng(seed)
    n = int(draw.integers(3, 40))
    lengths = draw.integers(1, int(draw.choice([2, 4, 12])), size=n)
    starts = draw.integers(0, n_rows - lengths)
    ids = draw.integers(0, draw.choice([2, 6, 30]), size=n) if draw.random() < 0.5 else None
    times = np.cumsum(draw.integers(0, 3, size=n_rows)) if draw.random() < 0.5 else None
    return Sequences(draw.normal(size=(n_rows, 1)), starts, lengths, ids=ids, times=times)


def rows_of(data: Sequences, index: np.ndarray) -> set[int]:
    return {row for i in index for row in range(data.starts[i], data.starts[i] + data.lengths[i])}


def windows(n_steps: int, length: int, n_logs: int = 1, **options: int) -> Sequences:
    return Sequences.from_array(np.zeros((n_logs, n_steps, 1))).windows(length, **options)


def assert_whole(part: Split, n: int) -> None:
    """Nothing twice, nothing lost, the order kept, enough to train on."""
    together = np.concatenate([part.training, part.validation])
    assert len(np.unique(together)) == len(together) == n - part.n_left_out
    for index in (part.training, part.validation):
        assert index.dtype == np.int64
        np.testing.assert_array_equal(index, np.sort(index))
    assert len(part.training) >= 2
    assert len(part.validation) >= 1


def _try(data: Sequences, seed: int, **options: object) -> Split | None:
    try:
        return split(data, fraction=0.15, rng=rng(seed), **options)
    except ValueError:  # too many overlap
        return None


# Any layout


@pytest.mark.parametrize("how", ["auto", "group", "last"])
def test_no_row_and_no_log_is_on_both_sides_of_any_layout(how):
    n_split = 0
    for seed in range(300):
        data, classes = layout(seed), None
        if seed % 3 == 0:
            classes = rng(seed).integers(0, 3, size=len(data))
        if how == "group" and data.ids is None:
            continue
        part = _try(data, seed, how=how, classes=classes)
        if part is None:
            continue
        n_split += 1
        assert_whole(part, len(data))
        assert not rows_of(data, part.training) & rows_of(data, part.validation)
        if part.how == "group" and data.ids is not None:
            assert not set(data.ids[part.training]) & set(data.ids[part.validation])
        if classes is not None:
            assert set(classes[part.training]) == set(classes)
        if part.n_left_out:
            left_out = set(range(len(data))) - {*part.training, *part.validation}
            held_out = rows_of(data, part.validation)
            trained = rows_of(data, part.training)
            for i in left_out:  # never more than necessary; but a class may keep others from being held out
                assert rows_of(data, [i]) & held_out or (classes is not None and rows_of(data, [i]) & trained)
    assert n_split > 60  # the others overlap too much to be split at all


def test_the_same_seed_splits_alike():
    for seed in range(40):
        data = layout(seed)
        one, same = (_try(data, seed) for _ in range(2))
        assert (one is None) == (same is None)
        if one is not None:
            np.testing.assert_array_equal(one.validation, same.validation)
            np.testing.assert_array_equal(one.training, same.training)


def test_logs_are_the_connected_components():
    for seed in range(200):
        data = layout(seed)
        if seed % 2:  # empty ones share nothing
            data = Sequences(data.rows, data.starts, data.lengths - 1, ids=data.ids)
        linked = np.eye(len(data), dtype=bool)
        for i, j in combinations(range(len(data)), 2):
            shared = rows_of(data, [i]) & rows_of(data, [j])
            linked[i, j] = linked[j, i] = bool(shared) or (
                data.ids is not None and data.ids[i] == data.ids[j]
            )
        reachable = np.linalg.matrix_power(linked.astype(float), len(data)) > 0
        found = logs(data)
        np.testing.assert_array_equal(found[:, None] == found, reachable)
        assert set(found) == set(range(found.max() + 1))


def test_shared_rows_are_found_one_by_one():
    for seed in range(200):
        data = layout(seed)
        data = Sequences(data.rows, data.starts, data.lengths - seed % 2)
        these, others = np.split(rng(seed).permutation(len(data)), [len(data) // 2])
        expected = [bool(rows_of(data, [i]) & rows_of(data, others)) for i in these]
        assert sharing_rows(data, these, others).tolist() == expected


# At random


def test_a_table_is_split_as_hold_out_does():
    """Earlier versions drew it so: the same seed keeps its bits."""
    part = split(Sequences.from_array(np.zeros((50, 3))), fraction=0.1, rng=rng(7))
    training, validation = hold_out(50, 0.1, rng(7))
    np.testing.assert_array_equal(part.training, training)
    np.testing.assert_array_equal(part.validation, validation)
    assert part.how == "random"
    np.testing.assert_array_equal(validation, np.sort(rng(7).permutation(50)[:5]))


def test_distinct_ids_are_no_groups():
    data = Sequences.from_array(np.zeros((30, 4, 1)))
    named = Sequences(data.rows, data.starts, data.lengths, ids=[f"machine {i}" for i in range(30)])
    one, other = (split(d, fraction=0.1, rng=rng()) for d in (data, named))
    assert one.how == other.how == "random"
    np.testing.assert_array_equal(one.validation, other.validation)


@pytest.mark.parametrize("counts", [(60, 30, 10), (50, 50), (97, 2, 1), (1, 1, 1, 47), (500, 3)])
def test_classes_keep_their_shares(counts):
    """StratifiedShuffleSplit gives each class the same number, up to how it breaks ties."""
    classes = rng().permutation(np.repeat(np.arange(len(counts)), counts))
    data = Sequences.from_array(np.zeros((len(classes), 2)))
    part = split(data, fraction=0.2, rng=rng(), classes=[f"class {c}" for c in classes])
    assert_whole(part, len(classes))
    found = np.bincount(classes[part.validation], minlength=len(counts))
    assert len(part.validation) == -(-len(classes) // 5)
    for c, count in enumerate(counts):
        assert abs(found[c] - 0.2 * count) < 1 or found[c] == count - 1
        assert found[c] < count
    if min(counts) > 1:
        shuffle = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
        _, theirs = next(shuffle.split(np.zeros(len(classes)), classes))
        assert np.abs(np.bincount(classes[theirs], minlength=len(counts)) - found).max() <= 1


def test_members_of_a_class_are_equally_likely():
    classes = np.repeat([0, 1], [40, 10])
    data = Sequences.from_array(np.zeros((50, 2)))
    drawn = np.zeros(50)
    for seed in range(400):
        drawn[split(data, fraction=0.2, rng=rng(seed), classes=classes).validation] += 1
    # Each has probability 0.2: 80 of 400, standard deviation 8; six of them for 50 counts.
    assert np.abs(drawn - 80).max() < 48


def test_every_class_once_leaves_nothing_to_hold_out():
    data = Sequences.from_array(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="each of the 4 classes has one sample"):
        split(data, fraction=0.1, rng=rng(), classes=list("abcd"))


def test_asked_to_be_random_it_does_not_look_at_rows():
    data = windows(200, 50)
    part = split(data, fraction=0.1, rng=rng(), how="random")
    assert (part.how, part.n_left_out, len(part.validation)) == ("random", 0, 16)


# By groups


def test_groups_come_as_near_the_fraction_as_half_a_group():
    for seed in range(200):
        draw = rng(seed)
        groups = draw.integers(0, draw.integers(2, 15), size=draw.integers(5, 80))
        if len(np.unique(groups)) < 2:
            continue
        data = Sequences.from_array(np.zeros((len(groups), 2)))
        part = split(data, fraction=0.2, rng=rng(seed), groups=groups)
        assert_whole(part, len(groups))
        assert part.how == "group"
        assert not set(groups[part.training]) & set(groups[part.validation])
        sizes = np.unique(groups, return_counts=True)[1]
        wanted = int(np.ceil(0.2 * len(groups)))
        assert abs(len(part.validation) - wanted) <= max(sizes.max() / 2, sizes.min() - wanted)


def test_every_group_has_its_turn():
    groups = np.repeat(np.arange(10), 5)
    data = Sequences.from_array(np.zeros((50, 2)))
    chosen = {
        int(groups[split(data, fraction=0.1, rng=rng(s), groups=groups).validation[0]]) for s in range(200)
    }
    assert chosen == set(range(10))


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", "c"] * 10,
        np.array(["a", 7, ("b", 2)] * 10, dtype=object),
        np.tile([0.5, 1.5, 2.5], 10),
        np.tile(np.array(["2024-01-01", "2024-01-02", "2025-01-01"], dtype="M8[D]"), 10),
        np.array([("a", 1), ("b", 2), ("c", 3)] * 10, dtype=[("x", "U1"), ("y", int)]),
        [True, False, True] * 10,
    ],
)
def test_groups_of_any_kind(groups):
    part = split(Sequences.from_array(np.zeros((30, 2))), fraction=0.3, rng=rng(), groups=groups)
    labels = as_labels(groups)
    assert not set(labels[part.training]) & set(labels[part.validation])


def test_groups_leave_every_class_to_train_on():
    """The only machine that failed is never held out."""
    groups = np.repeat(np.arange(6), 5)
    classes = (groups == 3).astype(int)
    data = Sequences.from_array(np.zeros((30, 2)))
    for seed in range(50):
        part = split(data, fraction=0.3, rng=rng(seed), groups=groups, classes=classes)
        assert 3 not in groups[part.validation]


def test_a_group_that_is_nearly_all_stays_in_training():
    groups = [0] * 97 + [1, 1, 2]
    data = Sequences.from_array(np.zeros((100, 2)))
    for seed in range(20):
        part = split(data, fraction=0.1, rng=rng(seed), groups=groups)
        assert part.training[0] == 0
        assert len(part.validation) == 3


def test_groups_that_cut_through_windows():
    data = windows(300, 10)
    part = split(data, fraction=0.2, rng=rng(), groups=np.arange(len(data)) // 50)
    assert_whole(part, len(data))
    assert part.n_left_out in (9, 18)  # 9 windows share steps with a group on one side
    assert not rows_of(data, part.training) & rows_of(data, part.validation)
    with pytest.raises(ValueError, match=r"cut through sequences that overlap.*leaves 0 to train on"):
        split(data, fraction=0.2, rng=rng(), groups=np.arange(len(data)) % 7)


def test_groups_that_cannot_be_held_out():
    data = Sequences.from_array(np.zeros((6, 2)))
    with pytest.raises(ValueError, match="all sequences are of one group.*early_stopping=False"):
        split(data, fraction=0.1, rng=rng(), groups=[1] * 6)
    with pytest.raises(ValueError, match="each of the 3 groups has a class that no other has"):
        split(data, fraction=0.1, rng=rng(), groups=[0, 0, 1, 1, 2, 2], classes=[0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], r"groups: expected shape \(6,\), one for each sequence, got \(2,\)"),
        ([1.0, 2.0, np.nan, 1.0, 2.0, 3.0], "groups: nan for sequence 2; expected none missing"),
        (["a", "b", "a", None, "b", "c"], "groups: None for sequence 3; expected none missing"),
        (np.array(["2024", "NaT"] * 3, dtype="M8[Y]"), "groups: NaT for sequence 1"),
    ],
)
def test_groups_that_do_not_fit(groups, message):
    with pytest.raises(ValueError, match=message):
        split(Sequences.from_array(np.zeros((6, 2))), fraction=0.1, rng=rng(), groups=groups)


@pytest.mark.parametrize("how", ["random", "last"])
def test_groups_are_not_given_in_vain(how):
    with pytest.raises(ValueError, match=f"validation='{how}' makes no use of them"):
        split(Sequences.from_array(np.zeros((6, 2))), fraction=0.1, rng=rng(), how=how, groups=[0, 1] * 3)


def test_by_group_without_groups():
    data = Sequences.from_array(np.zeros((6, 2)))
    with pytest.raises(ValueError, match="X has no ids; pass groups"):
        split(data, fraction=0.1, rng=rng(), how="group")
    with pytest.raises(ValueError, match="'auto', 'random', 'group' or 'last'"):
        split(data, fraction=0.1, rng=rng(), how="grouped")


# Windows over logs


@pytest.mark.parametrize(
    ("n_logs", "how"), [(1, "last"), (2, "last"), (4, "last"), (5, "group"), (40, "group")]
)
def test_windows_over_many_logs_are_held_out_by_log(n_logs, how):
    data = windows(100, 10, n_logs)
    part = split(data, fraction=0.1, rng=rng())
    assert part.how == how
    if how == "group":
        assert len(set(data.ids[part.validation])) == max(n_logs // 10, 1)
        assert part.n_left_out == 0


@pytest.mark.parametrize("shuffled", [False, True])
def test_windows_over_one_log_end_with_the_validation_part(shuffled):
    """91 windows: the last ten begin at 81, so the last to train on ends at 80, beginning at 71."""
    data = windows(100, 10)
    if shuffled:
        data = data[rng().permutation(len(data))]
    part = split(data, fraction=0.1, rng=rng())
    assert sorted(data.starts[part.validation]) == list(range(81, 91))
    assert sorted(data.starts[part.training]) == list(range(72))
    assert part.n_left_out == 9


def test_windows_over_few_logs_give_the_end_of_each():
    data = windows(100, 10, 3)
    part = split(data, fraction=0.1, rng=rng())
    held_out = np.bincount(data.ids[part.validation])
    assert set(held_out) <= {9, 10}
    for log in range(3):
        mine = data.starts[part.validation][data.ids[part.validation] == log] - 100 * log
        assert mine.tolist() == list(range(91 - held_out[log], 91))


def test_times_decide_which_are_last():
    """Machine 0 ran later than machine 1, though it stands first."""
    times = np.r_[1000:1100, 0:100].astype("M8[s]")
    log = Sequences(np.zeros((200, 1)), [0, 100], [100, 100], times=times, ids=["a", "b"])
    data = log.windows(10)
    part = split(data, fraction=0.1, rng=rng())
    assert set(data.ids[part.validation]) == {"a"}
    ends = data.times[data.starts + 9]
    assert ends[part.training].max() < ends[part.validation].min()


def test_a_bootstrap_is_split_by_what_it_drew():
    drawn = Sequences.from_array(np.zeros((40, 3, 1)))[rng().integers(0, 40, size=40)]
    part = split(drawn, fraction=0.2, rng=rng())
    assert part.how == "group"
    assert not set(drawn.starts[part.training]) & set(drawn.starts[part.validation])


def test_a_failure_at_the_end_of_the_log_is_trained_on():
    data = windows(400, 10)
    failing = (data.starts >= 360).astype(int)  # 31 of 391 windows
    part = split(data, fraction=0.1, rng=rng(), classes=failing)
    assert_whole(part, len(data))
    assert np.bincount(failing[part.validation]).tolist() == [37, 3]
    # Those before share steps with the last normal ones, those behind with the last failing ones.
    assert data.starts[part.training][failing[part.training] == 1].tolist() == list(range(369, 379))
    assert not rows_of(data, part.training) & rows_of(data, part.validation)


def test_a_failure_too_short_to_be_divided_is_trained_on_whole():
    data = windows(400, 10)
    failing = (data.starts >= 385).astype(int)  # 6 windows, which all overlap
    part = split(data, fraction=0.2, rng=rng(), classes=failing)
    assert failing[part.training].sum() == 6
    assert failing[part.validation].sum() == 0
    assert len(part.validation) > 40
    assert not rows_of(data, part.training) & rows_of(data, part.validation)


def test_windows_that_all_overlap_cannot_be_split():
    with pytest.raises(ValueError, match=r"the last 6 of 51 sequences.*100 steps.*early_stopping=False"):
        split(windows(150, 100), fraction=0.1, rng=rng())


def test_the_last_of_independent_sequences_are_the_last_given():
    data = Sequences.from_array(np.zeros((20, 4, 1)))[::-1]
    part = split(data, fraction=0.1, rng=rng(), how="last")
    assert part.validation.tolist() == [18, 19]
    empty = Sequences(np.zeros((4, 1)), [0, 1, 2, 3], [1, 1, 0, 1])
    with pytest.raises(ValueError, match="sequence 2 has 0 steps"):
        split(empty, fraction=0.1, rng=rng(), how="last")


# Steps


def test_one_long_log_with_a_target_for_each_step():
    log = Sequences.from_array(np.zeros((1, 1000, 2)))
    part = split(log, fraction=0.1, rng=rng(), per_step=True)
    assert part.held_out_steps.tolist() == [100]
    assert part.training.tolist() == part.validation.tolist() == [0]
    assert part.training_part(log).lengths.tolist() == [900]
    assert np.shares_memory(part.training_part(log).rows, log.rows)
    assert part.summary() == "held out: the last steps of each sequence, 100 in all"


def test_steps_of_unequal_logs():
    lengths = np.array([1, 2, 7, 100, 33])
    log = Sequences(np.zeros((143, 1)), np.cumsum(lengths) - lengths, lengths)
    part = split(log, fraction=0.1, rng=rng(), how="last", per_step=True)
    assert part.held_out_steps.tolist() == [0, 0, 1, 10, 3]
    assert (part.training_part(log).lengths >= 1).all()
    short = split(log[[1, 2]], fraction=0.05, rng=rng(), how="last", per_step=True)
    assert short.held_out_steps.tolist() == [0, 1]  # the longest gives one
    most = split(log, fraction=0.99, rng=rng(), how="last", per_step=True)
    assert most.held_out_steps.tolist() == [0, 1, 6, 99, 32]


@pytest.mark.parametrize(("n", "how"), [(1, "last"), (4, "last"), (5, "random"), (50, "random")])
def test_many_logs_with_targets_by_step_are_held_out_whole(n, how):
    part = split(Sequences.from_array(np.zeros((n, 30, 2))), fraction=0.1, rng=rng(), per_step=True)
    assert part.how == how
    assert (part.held_out_steps is None) == (how == "random")


def test_windows_that_overlap_are_held_out_whole_although_targets_are_by_step():
    data = windows(200, 10)
    part = split(data, fraction=0.1, rng=rng(), per_step=True)
    assert part.held_out_steps is None
    assert not rows_of(data, part.training) & rows_of(data, part.validation)


def test_too_few_steps():
    for n, length, least in ((1, 2, 3), (3, 1, 2)):
        data = Sequences.from_array(np.zeros((n, length, 1)))
        message = rf"longest of {n} sequence\(s\) has {length} step\(s\), at least {least}"
        with pytest.raises(ValueError, match=message):
            split(data, fraction=0.1, rng=rng(), per_step=True)
    part = split(Sequences.from_array(np.zeros((1, 3, 1))), fraction=0.9, rng=rng(), per_step=True)
    assert part.held_out_steps.tolist() == [1]


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"how": "last"}, {"classes": True}, {"groups": True}])
def test_too_few_sequences(n, options):
    options = {key: list(range(n)) if value is True else value for key, value in options.items()}
    data = Sequences(np.zeros((n, 1)), np.arange(n), np.ones(n, dtype=int))
    with pytest.raises(ValueError, match=rf"n_samples={n}: at least 3 .* early_stopping=False"):
        split(data, fraction=0.1, rng=rng(), **options)


def test_the_summary_says_what_is_left_out():
    part = split(windows(100, 10), fraction=0.1, rng=rng())
    assert part.summary() == (
        "held out: 10 of 91 sequences, the last ones; 9 that share steps with them are not trained on"
    )


def test_two_million_windows_take_no_loop_over_them():
    """A loop in Python over the windows takes more than ten seconds, sorting them about one."""
    data = windows(2_000_100, 101)
    part = split(data, fraction=0.1, rng=rng())
    assert len(part.validation) == 200_000
    assert part.n_left_out == 100
