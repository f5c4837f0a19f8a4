"""Missing values: means, forward fills, masks and gaps, judged by pandas, scikit-learn and plain loops."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from grulearn.encoding import InputEncoding
from grulearn.sequences import Schema, Sequences
from grulearn.spec import InputSpec

NAN = np.nan
FORWARD = ["forward", "simple", "decay"]
ALL = ["mean", *FORWARD]


def log(seed: int = 0, n: int = 30, longest: int = 20, share: float = 0.4, **dtype) -> pd.DataFrame:
    """A long frame of `n` ids with datetimes at random distances; a share of the values is missing."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, n)
    steps = int(lengths.sum())
    frame = pd.DataFrame(
        rng.normal([3.0, -1e3, 1e6], [1.0, 50.0, 0.1], size=(steps, 3)), columns=["a", "b", "c"]
    ).mask(rng.random((steps, 3)) < share)
    frame["id"] = np.repeat([f"m{i}" for i in range(n)], lengths)
    seconds = np.cumsum(rng.integers(1, 5000, steps))
    frame["ts"] = pd.Timestamp("2024-05-01") + pd.to_timedelta(seconds, unit="s")
    return frame.astype(dtype)


def read(frame: pd.DataFrame) -> Sequences:
    """Sequences of such a frame."""
    X, _ = Sequences.from_frame(frame, id_col="id", time_col="ts", feature_cols=["a", "b", "c"])
    return X


def fit(data: Sequences, missing: str, *, standardize: bool = True, **options) -> InputEncoding:
    """Fit an encoding."""
    return InputEncoding.fit(data, standardize=standardize, missing=missing, **options)


def paper_gaps(times: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The interval of Che et al. (2018), added up step by step, for one sequence."""
    gaps = np.zeros(observed.shape)
    for t in range(1, len(times)):
        for d in range(observed.shape[1]):
            gaps[t, d] = times[t] - times[t - 1]
            if not observed[t - 1, d]:
                gaps[t, d] += gaps[t - 1, d]
    return gaps


@pytest.mark.parametrize("standardize", [True, False])
def test_mean_is_scikit_learns_imputer(standardize: bool) -> None:
    data = read(log())
    encoded = fit(data, "mean", standardize=standardize).transform(data, "float64")
    filled = SimpleImputer().fit_transform(data.rows)
    scaler = StandardScaler().fit(data.rows)
    expected = scaler.transform(filled) if standardize else filled
    np.testing.assert_allclose(encoded.rows, expected, rtol=1e-12, atol=1e-6 if standardize else 0)
    assert encoded.rows.shape == data.rows.shape


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("missing", ["forward", "simple"])
def test_forward_is_pandas_ffill(standardize: bool, missing: str) -> None:
    frame = log()
    data = read(frame)
    encoding = fit(data, missing, standardize=standardize)
    encoded = encoding.transform(data, "float64")
    filled = frame.groupby("id", sort=False)[["a", "b", "c"]].ffill()
    expected = filled.fillna(frame[["a", "b", "c"]].mean()).to_numpy()
    if standardize:
        expected = (expected - encoding.scaling.mean) / encoding.scaling.scale
    # Absolute: the feature of mean 1e6 and deviation 0.1 is known to 1e6 * 2e-16 / 0.1 = 2e-9.
    np.testing.assert_allclose(encoded.rows[:, :3], expected, rtol=1e-12, atol=1e-8)


@pytest.mark.parametrize("missing", ["simple", "decay"])
def test_masks_and_gaps_are_the_papers(missing: str) -> None:
    data = read(log())
    encoded = fit(data, missing).transform(data, "float64")
    ticks = [data.times[data.span(i)] for i in range(len(data))]
    unit = np.concatenate([np.diff(t) for t in ticks]).mean()
    for i, sequence in enumerate(data):
        rows = encoded.rows[encoded.starts[i] : encoded.starts[i] + encoded.lengths[i]]
        observed = ~np.isnan(sequence)
        np.testing.assert_array_equal(rows[:, 3:6], observed)
        # Sums of a few steps, in another order than the difference.
        np.testing.assert_allclose(rows[:, 6:], paper_gaps(ticks[i] / unit, observed), rtol=1e-6, atol=1e-9)


def test_widths_that_the_network_reads() -> None:
    data = read(log())
    for missing, spec in [
        ("mean", InputSpec(3)),
        ("forward", InputSpec(3)),
        ("simple", InputSpec(9)),
        ("decay", InputSpec(3, decay=True)),
    ]:
        encoding = fit(data, missing)
        assert encoding.input_spec == spec
        assert encoding.transform(data).rows.shape == (len(data.rows), spec.row_width)


def test_every_feature_has_a_mask_even_if_nothing_is_missing() -> None:
    """What a column means must not depend on where the training part has gaps."""
    data = read(log(share=0.0))
    encoded = fit(data, "simple").transform(data)
    assert encoded.rows.shape[1] == 9
    assert (encoded.rows[:, 3:6] == 1.0).all()
    later = fit(data, "simple").transform(read(log(share=0.5)))
    assert (later.rows[:, 3:6] == 0.0).any()


def test_without_times_steps_are_counted() -> None:
    rows = np.array([[1.0], [NAN], [NAN], [2.0], [NAN], [3.0], [4.0]])
    data = Sequences(rows, [0, 4], [4, 3])
    encoded = fit(data, "simple", standardize=False).transform(data)
    mean = np.float32(2.5)
    assert encoded.rows.tolist() == [
        [1, 1, 0], [1, 0, 1], [1, 0, 2], [2, 1, 3],
        [mean, 0, 0], [3, 1, 1], [4, 1, 1],
    ]  # fmt: skip


def test_decay_centres_without_standardize() -> None:
    """What decays, decays toward 0: the mean has to be there."""
    data = Sequences(np.array([[NAN], [4.0], [NAN], [8.0]]), [0], [4])
    encoded = fit(data, "decay", standardize=False).transform(data)
    assert encoded.rows[:, 0].tolist() == [0.0, -2.0, -2.0, 2.0]


@pytest.mark.parametrize("missing", ALL)
def test_the_same_bits_in_any_company(missing: str) -> None:
    """Alone, shuffled, repeated, sliced from a longer log, in blocks of any size."""
    data = read(log(n=200, longest=100))
    encoding = fit(data, missing)
    whole = encoding.transform(data)

    def of(encoded, i):
        return encoded.rows[encoded.starts[i] : encoded.starts[i] + encoded.lengths[i]]

    order = np.random.default_rng(1).permutation(200)
    shuffled = encoding.transform(data[np.append(order, order[:50])])
    for k, i in enumerate(np.append(order, order[:50])):
        np.testing.assert_array_equal(of(shuffled, k), of(whole, i), strict=True)
    for i in (0, 57, 199):
        np.testing.assert_array_equal(of(encoding.transform(data[[i]]), 0), of(whole, i))
        alone = Sequences(
            data[i].copy(), [0], [len(data[i])], times=data.times[data.span(i)], schema=data.schema
        )
        np.testing.assert_array_equal(of(encoding.transform(alone), 0), of(whole, i))


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("missing", ALL)
def test_blocks_change_nothing(missing: str, size: int, monkeypatch) -> None:
    data = read(log())
    encoding = fit(data, missing)
    whole = encoding.transform(data).rows
    monkeypatch.setattr("grulearn.encoding._rows.block_rows", lambda n_features: size)
    np.testing.assert_array_equal(encoding.transform(data).rows, whole)


@pytest.mark.parametrize("missing", ALL)
def test_windows_are_filled_from_their_own_first_step(missing: str) -> None:
    data = read(log(n=4, longest=60))
    windows = data.windows(7, step=3)
    encoding = fit(data, missing)
    encoded = encoding.transform(windows)
    assert len(encoded.rows) == (int(windows.lengths.sum()) if missing != "mean" else len(encoded.rows))
    for i in range(len(windows)):
        span = windows.span(i)
        alone = Sequences(windows.rows[span], [0], [7], times=windows.times[span], schema=windows.schema)
        rows = encoded.rows[encoded.starts[i] : encoded.starts[i] + 7]
        np.testing.assert_array_equal(rows, encoding.transform(alone).rows)


def test_sequences_that_begin_together_share_rows() -> None:
    rows = np.arange(10.0)[:, None]
    prefixes = Sequences(rows, [2, 2, 2, 5], [1, 8, 3, 2])
    encoded = fit(prefixes, "forward").transform(prefixes)
    assert len(encoded.rows) == 10
    assert encoded.starts.tolist() == [0, 0, 0, 8]


@pytest.mark.parametrize("missing", ALL)
@pytest.mark.parametrize("standardize", [True, False])
def test_a_feature_without_a_value_is_missing_for_ever(missing: str, standardize: bool) -> None:
    data = Sequences(np.array([[1.0, NAN], [3.0, NAN], [2.0, NAN]]), [0, 1], [1, 2])
    encoding = fit(data, missing, standardize=standardize)
    assert encoding.unobserved.tolist() == [1]
    assert encoding.constant.tolist() == []
    new = Sequences(np.array([[1.0, 5000.0], [3.0, -1.0]]), [0], [2])
    for given in (data, new):
        rows = encoding.transform(given).rows
        assert np.isfinite(rows).all()
        assert not rows[:, 1].any()
        if missing in ("simple", "decay"):
            assert not rows[:, 3].any()
    assert encoding.remarks(["load", "speed"]) == [
        "1 feature has no value in the training part: column 'speed' (1). It counts as missing from now on, "
        "whatever its values are; consider dropping it."
    ]
    infinite = Sequences(np.array([[1.0, np.inf]]), [0], [1])
    with pytest.raises(ValueError, match="infinity at row 0, column 1"):
        encoding.transform(infinite)


def test_a_feature_without_a_value_is_an_error_with_error() -> None:
    data = Sequences(np.array([[1.0, NAN], [3.0, NAN]]), [0], [2])
    with pytest.raises(
        ValueError, match=r"contains NaN at sequence 0, step 0, feature 1 \(1 more such value\)"
    ):
        fit(data, "error")


def test_constant_features_are_named() -> None:
    data = Sequences(np.array([[1.0, 7.0, 0.0], [NAN, NAN, 1.0], [1.0, 7.0, 2.0]]), [0], [3])
    encoding = fit(data, "mean")
    assert encoding.constant.tolist() == [0, 1]
    assert encoding.remarks() == [
        "2 features are constant in the training part and cannot tell samples apart: column 0, column 1. "
        "Scaled with 1 instead of a standard deviation of 0; consider dropping it."
    ]
    many = Sequences.from_array(np.zeros((3, 7)))
    assert "column 4 and 2 more. Scaled" in fit(many, "error").remarks()[0]


@pytest.mark.parametrize("missing", ALL)
def test_everything_missing(missing: str) -> None:
    data = Sequences(np.full((4, 2), NAN), [0, 2], [2, 2])
    rows = fit(data, missing).transform(data).rows
    assert np.isfinite(rows).all()
    assert not rows[:, :4].any()


def test_infinity_is_refused_in_every_mode() -> None:
    fine = Sequences(np.array([[1.0], [2.0], [NAN]]), [0], [3])
    bad = Sequences(np.array([[NAN], [2.0], [-np.inf]]), [0, 1], [1, 2])
    for missing in ALL:
        with pytest.raises(ValueError, match="infinity at sequence 1, step 1, feature 0"):
            fit(bad, missing)
        with pytest.raises(ValueError, match="infinity at sequence 1, step 1, feature 0"):
            fit(fine, missing).transform(bad)
        with pytest.raises(ValueError, match="too large for float32 at sequence 0, step 1, feature 0: 1e"):
            fit(fine, missing).transform(Sequences(np.array([[NAN], [1e200], [NAN]]), [0], [3]))


# Times and their units.


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_gaps_do_not_depend_on_the_unit_of_datetimes(unit: str) -> None:
    frame = log()
    fitted = fit(read(frame), "decay")
    other = frame.assign(ts=frame["ts"].astype(f"datetime64[{unit}]"))
    rows = fitted.transform(read(other), "float64").rows
    np.testing.assert_allclose(rows, fitted.transform(read(frame), "float64").rows, rtol=1e-15)
    assert fit(read(other), "decay").gaps.unit == pytest.approx(fitted.gaps.unit, rel=1e-15)


def test_durations_and_time_zones_are_datetimes() -> None:
    frame = log()
    expected = fit(read(frame), "simple").transform(read(frame)).rows
    zoned = frame.assign(ts=frame["ts"].dt.tz_localize("Asia/Kathmandu"))
    since = frame.assign(ts=frame["ts"] - pd.Timestamp("2020-01-01"))
    for other in (zoned, since):
        np.testing.assert_array_equal(fit(read(frame), "simple").transform(read(other)).rows, expected)


def test_nanoseconds_are_not_rounded() -> None:
    """As float64, times of today in nanoseconds are 256 apart."""
    times = np.int64(1_714_521_600_000_000_000) + np.array([0, 1, 3, 4, 1004])
    data = Sequences(np.array([[1.0], [NAN], [2.0], [NAN], [3.0]]), [0], [5], times=times)
    encoded = fit(data, "simple").transform(data, "float64")
    np.testing.assert_allclose(encoded.rows[:, 2] * 251.0, [0, 1, 3, 1, 1001], rtol=1e-15)


def test_times_at_both_ends_of_int64() -> None:
    ends = [np.iinfo(np.int64).min, np.iinfo(np.int64).max]
    data = Sequences(np.array([[1.0], [2.0]]), [0], [2], times=ends)
    assert fit(data, "simple").transform(data).rows[:, 2].tolist() == [0.0, 1.0]


def test_months_of_the_calendar_have_their_lengths() -> None:
    months = np.array(["2024-01", "2024-02", "2024-03"], dtype="datetime64[M]")
    data = Sequences(np.zeros((3, 1)), [0], [3], times=months)
    encoding = fit(data, "simple")
    assert encoding.gaps.unit == 30 * 86_400
    np.testing.assert_allclose(encoding.transform(data).rows[:, 2], [0.0, 31 / 30, 29 / 30], rtol=1e-7)
    tens = np.array([0, 1], dtype="timedelta64[10ms]")
    assert fit(Sequences(np.zeros((2, 1)), [0], [2], times=tens), "decay").gaps.unit == 0.01
    years = np.array([0, 1], dtype="timedelta64[Y]")
    assert fit(Sequences(np.zeros((2, 1)), [0], [2], times=years), "decay").gaps.unit == 365.2425 * 86_400


@pytest.mark.parametrize("times", [[5.0, 5.5, 9.5], [5, 6, 14]])
def test_numbers_are_in_the_users_unit(times: list) -> None:
    data = Sequences(np.zeros((3, 1)), [0], [3], times=times)
    assert fit(data, "decay").gaps.state() == {"kind": "numbers", "unit": (times[-1] - times[0]) / 2}


def test_a_gap_is_one_on_average_weighted() -> None:
    times = [0, 1, 2, 100, 110]
    data = Sequences(np.zeros((5, 1)), [0, 3], [3, 2], times=times)
    assert fit(data, "simple").gaps.unit == 4.0
    assert fit(data, "simple", weights=[1, 2]).gaps.unit == fit(data[[0, 1, 1]], "simple").gaps.unit == 5.5
    assert fit(data, "simple", weights=[1, 0]).gaps.unit == 1.0


def test_no_gap_at_all() -> None:
    for times in ([3, 4], [7, 7], None):
        data = Sequences(np.zeros((2, 1)), [0, 1], [1, 1], times=times)
        assert fit(data, "simple").gaps.unit == 1.0
    same = Sequences(np.zeros((2, 1)), [0], [2], times=[7, 7])
    assert fit(same, "simple").transform(same).rows[:, 2].tolist() == [0.0, 0.0]


def test_times_are_asked_for() -> None:
    frame = log()
    fitted = fit(read(frame), "decay")
    without, _ = Sequences.from_frame(frame, id_col="id", feature_cols=["a", "b", "c"])
    with pytest.raises(
        ValueError, match=r"X has no times, but .* \(datetimes or durations\): pass sequences"
    ):
        fitted.transform(without)
    numbered = frame.assign(ts=np.arange(len(frame)))
    with pytest.raises(ValueError, match="the times of X, 'ts', are plain numbers, but .* were datetimes or"):
        fitted.transform(read(numbered))
    # The other way round there is something to go by: steps were counted, and are again.
    assert fit(without, "decay").transform(read(frame)).rows.shape == (len(frame), 9)
    # Only gaps need times.
    assert fit(read(frame), "forward").transform(without).rows.shape == (len(frame), 3)


def test_times_that_run_backwards_are_named() -> None:
    times = np.array(["2024-05-03", "2024-05-01", "2024-05-02", "2024-05-01"], dtype="datetime64[D]")
    schema = Schema(id="machine")
    good = Sequences(np.zeros((4, 1)), [0, 1], [1, 2], times=times, ids=["a", "b"], schema=schema)
    fitted = fit(good, "simple")  # rows 0 and 1 are two sequences
    bad = Sequences(np.zeros((4, 1)), [0, 1], [1, 3], times=times, ids=["a", "b"], schema=schema)
    message = r"run backwards at sequence 1 \(machine 'b'\), step 2: 2024-05-01 after 2024-05-02\. Sort"
    with pytest.raises(ValueError, match=message):
        fit(bad, "decay")
    with pytest.raises(ValueError, match=message):
        fitted.transform(bad)
    assert fit(bad, "forward").transform(bad).rows.shape == (4, 1)
    empty = Sequences(np.zeros((4, 1)), [4, 0], [0, 1], times=times)
    assert len(fitted.transform(empty)) == 2


def test_gaps_outside_float32_are_named() -> None:
    fitted = fit(Sequences(np.zeros((2, 1)), [0], [2], times=[0.0, 1e-30]), "simple")
    far = Sequences(np.zeros((3, 1)), [0, 1], [1, 2], times=[0.0, 0.0, 1e30])
    with pytest.raises(
        ValueError, match="the time gap at sequence 1, step 1 is outside the range of float32"
    ):
        fitted.transform(far)
    assert fitted.transform(far, "float64").rows[2, 2] == pytest.approx(1e60)


# Weights, storage, memory.


@pytest.mark.parametrize("missing", ALL)
def test_a_weight_of_two_is_the_sequence_twice(missing: str) -> None:
    data = read(log(n=9))
    weights = np.array([1, 2, 0, 1, 3, 1, 0, 2, 1])
    weighted = fit(data, missing, weights=weights)
    repeated = fit(data[np.repeat(np.arange(9), weights)], missing)
    for name, expected in repeated.to_arrays().items():
        np.testing.assert_allclose(weighted.to_arrays()[name], expected, rtol=1e-12)
    assert (weighted.gaps and weighted.gaps.unit) == (
        repeated.gaps and pytest.approx(repeated.gaps.unit, rel=1e-12)
    )


@pytest.mark.parametrize("missing", ALL)
@pytest.mark.parametrize("standardize", [True, False])
def test_through_arrays_and_json(missing: str, standardize: bool) -> None:
    data = read(log())
    encoding = fit(data, missing, standardize=standardize)
    again = InputEncoding.from_parts(encoding.to_arrays(), json.loads(json.dumps(encoding.state())))
    assert again.input_spec == encoding.input_spec
    assert again.gaps == encoding.gaps
    np.testing.assert_array_equal(again.transform(data).rows, encoding.transform(data).rows)


def test_damaged_parts_are_refused() -> None:
    encoding = fit(read(log()), "decay")
    arrays, state = encoding.to_arrays(), encoding.state()
    for change, words in [
        ({"missing": "drop"}, "missing='drop'; expected one of"),
        ({"missing": "mean"}, "missing='mean' with gaps=GapScale"),
        ({"gaps": None}, "missing='decay' with gaps=None"),
        ({"gaps": {"kind": "weeks", "unit": 1.0}}, "gaps: kind 'weeks'"),
        ({"gaps": {"kind": "steps", "unit": 0.0}}, "gaps: unit 0.0; expected a positive"),
        ({"gaps": {"kind": "steps", "unit": "1"}}, "gaps: unit '1'; expected a number"),
    ]:
        with pytest.raises(ValueError, match=words):
            InputEncoding.from_parts(arrays, {**state, **change})
    for name, value in [("fill", np.zeros(2)), ("scale", np.zeros(3)), ("fill", np.full(3, NAN))]:
        with pytest.raises(ValueError, match="expected one|must be finite"):
            InputEncoding.from_parts({**arrays, name: value}, state)
    with pytest.raises(ValueError, match="a mean is NaN"):
        InputEncoding.from_parts({**arrays, "mean": np.full(3, NAN)}, {})
    with pytest.raises(KeyError):
        InputEncoding.from_parts({}, state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("picked", [None, 0.9])
def test_a_long_log_takes_little_memory(dtype: str, picked: float | None) -> None:
    """400,000 rows of 8 features; what is taken beyond the output is bounded for each row."""
    n_rows = 400_000
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, 8)).astype(dtype)
    rows[rng.random(n_rows) < 0.3, 2] = NAN
    lengths = np.full(100, n_rows // 100)
    times = np.arange(n_rows).astype("datetime64[s]")
    data = Sequences(rows, np.cumsum(lengths) - lengths, lengths, times=times)
    if picked:
        data = data[rng.permutation(100)[:90]]
    for missing, width in [("mean", 8), ("forward", 8), ("decay", 24)]:
        tracemalloc.start()
        encoding = fit(data, missing)
        encoded = encoding.transform(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert encoded.rows.nbytes == 4 * width * int(data.lengths.sum())
        # 40 MB for the blocks, whatever the log's length, and less than 32 bytes for each row.
        assert peak - encoded.rows.nbytes < 40e6 + 32 * n_rows
