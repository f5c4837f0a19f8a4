"""What comes in: tables, arrays, dataframes; and every kind of bad input, with the message it ends in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.exceptions import DataConversionWarning

from grulearn.estimators import GRURegressor

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 3))
SERIES = RNG.normal(size=(40, 6, 3))
TARGET = RNG.normal(size=40)
FRAME = pd.DataFrame(TABLE, columns=["rooms", "age", "income"])


def regressor(**options: Any) -> GRURegressor:
    return GRURegressor(4, max_iter=2, random_state=0, **options)


def changed(values: np.ndarray, position: tuple[int, ...], value: Any) -> np.ndarray:
    copy = values.astype(object if isinstance(value, str) else float)
    copy[position] = value
    return copy


# Shapes


def test_a_table_is_sequences_of_one_step() -> None:
    table, cube = regressor().fit(TABLE, TARGET), regressor().fit(TABLE[:, None], TARGET)
    assert table.sequence_lengths_ == cube.sequence_lengths_ == (1, 1.0, 1)
    np.testing.assert_array_equal(table.predict(TABLE), cube.predict(TABLE))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_dtype_and_memory_order(dtype: type, order: str) -> None:
    X = np.round(SERIES * 3).astype(dtype)
    expected = regressor().fit(np.ascontiguousarray(X, dtype=float), TARGET).predict(X)
    np.testing.assert_allclose(
        regressor().fit(np.asarray(X, order=order), TARGET).predict(X), expected, rtol=1e-5, atol=1e-6
    )


def test_lists_of_numbers() -> None:
    np.testing.assert_array_equal(
        regressor().fit(SERIES.tolist(), TARGET.tolist()).predict(SERIES.tolist()),
        regressor().fit(SERIES, TARGET).predict(SERIES),
    )


def test_dataframes_give_names() -> None:
    model = regressor().fit(FRAME, pd.Series(TARGET))
    assert model.feature_names_in_.tolist() == ["rooms", "age", "income"]
    np.testing.assert_array_equal(model.predict(FRAME), regressor().fit(TABLE, TARGET).predict(TABLE))


def test_the_input_is_left_alone() -> None:
    X, y = SERIES.copy(), TARGET.copy()
    regressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(X, SERIES)
    np.testing.assert_array_equal(y, TARGET)


def test_other_lengths_are_predicted() -> None:
    assert regressor().fit(SERIES, TARGET).predict(RNG.normal(size=(5, 11, 3))).shape == (5,)


# Targets


def test_shapes_of_predictions_follow_the_target() -> None:
    assert regressor().fit(TABLE, TARGET).predict(TABLE).shape == (40,)
    two = regressor().fit(TABLE, np.column_stack([TARGET, -TARGET]))
    assert two.predict(TABLE).shape == (40, 2)
    assert two.n_outputs_ == 2
    assert two.target_scale_.shape == (2,)


def test_a_column_vector_is_flattened_with_scikit_learns_warning() -> None:
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = regressor().fit(TABLE, TARGET[:, None])
    assert model.predict(TABLE).shape == (40,)
    np.testing.assert_array_equal(model.predict(TABLE), regressor().fit(TABLE, TARGET).predict(TABLE))


def test_outputs_keep_their_order_and_units() -> None:
    y = np.column_stack([TABLE[:, 0] * 1e4, TABLE[:, 1] + 50])
    model = GRURegressor(16, max_iter=400, early_stopping=False, random_state=0).fit(TABLE, y)
    np.testing.assert_allclose(model.predict(TABLE).mean(axis=0), y.mean(axis=0), rtol=0.05, atol=200)
    assert model.score(TABLE, y) > 0.98


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (TARGET[:39], r"y has 39 values \(shape \(39,\)\), but X has 40 samples \(shape \(40, 3\)\)"),
        (np.tile(TARGET, (2, 1)), r"y has 2 values.*transposed: pass y\.T"),
        (np.ones((40, 2, 2)), r"y has shape \(40, 2, 2\); expected \(samples,\) or \(samples, outputs\)"),
        (np.ones((40, 0)), r"y has shape \(40, 0\)"),
        (changed(TARGET, (7,), np.nan), r"Input y contains NaN at row 7\."),
        (changed(np.ones((40, 2)), (7, 1), np.inf), r"Input y contains infinity at row 7, column 1\."),
        (changed(TARGET, (7,), "high"), r"y holds 'high' at row 7, which is not a number"),
        (TARGET + 1j, "Complex data not supported"),
        (pd.Series(pd.date_range("2020", periods=40)), "y holds datetime64.*days since a date"),
        (np.full(40, "2020-01-01", "M8[D]"), "y holds datetime64"),
        (["high"] * 40, "learn labels with GRUClassifier"),
    ],
)
def test_bad_targets(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor().fit(TABLE, y)


# Bad inputs


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (changed(TABLE, (5, 1), np.nan), r"Input X contains NaN at row 5, column 1\."),
        (changed(TABLE, (5, 1), -np.inf), r"Input X contains infinity at row 5, column 1\."),
        (changed(SERIES, (5, 2, 1), np.nan), r"NaN at sequence 5, step 2, feature 1\. Pass missing="),
        (changed(TABLE, (5, 1), "old"), r"X holds 'old' at row 5, column 1, which is not a number"),
        (changed(SERIES, (5, 2, 1), "x"), r"X holds 'x' at sample 5, step 2, feature 1"),
        (FRAME.mask(FRAME.index.to_series() == 5), r"NaN at row 5, column 'rooms' \(0\) \(2 more"),
        (FRAME.astype(object).replace(TABLE[5, 1], "old"), r"'old' at row 5, column 'age' \(1\)"),
        (FRAME.assign(sold=pd.Timestamp("2020-01-01")), r"column 'sold' \(3\) holds Datetime, .*hour"),
        (TABLE[:, 0], r"got 1 dimension\(s\) with shape \(40,\)\. Reshape your data"),
        (FRAME["age"], r"got one column \(Series\); pass X\.to_frame\(\)"),
        (np.ones((40, 2, 3, 4)), r"got 4 dimension\(s\)"),
        (np.ones((40, 0)), r"0 feature\(s\) \(shape=\(40, 0\)\)"),
        (np.ones((40, 0, 3)), r"0 step\(s\) \(shape=\(40, 0, 3\)\)"),
        (np.ones((40, 2, 0)), r"0 feature\(s\) \(shape=\(40, 2, 0\)\)"),
        (np.ones((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 2"),
        (np.ones((1, 3)), r"1 sample\(s\) \(shape=\(1, 3\)\) while a minimum of 2 .* to fit"),
        ([np.ones((3, 2)), np.ones((4, 2))], r"y has 40 values.*X has 2 samples \(shape \(2, None, 2\)\)"),
        (TABLE.T, r"X looks transposed: its axis 1 has 40; .*np\.moveaxis\(X, 1, 0\)"),
        (SERIES.transpose(1, 0, 2), r"X looks transposed: its axis 1 has 40"),
    ],
)
def test_bad_inputs_of_fit(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor().fit(X, TARGET)


def test_values_beyond_float32_are_placed() -> None:
    X = changed(SERIES, (5, 2, 1), 1e300)
    with pytest.raises(ValueError, match=r"too large for float32 at sequence 5, step 2, feature 1: 1e\+300"):
        regressor(standardize=False).fit(X, TARGET)
    with pytest.raises(ValueError, match=r"at sequence 5, step 2, feature 1"):
        regressor().fit(SERIES, TARGET).predict(X)
    with pytest.raises(ValueError, match=r"at row 5, column 'age' \(1\)"):
        regressor().fit(FRAME, TARGET).predict(FRAME.replace(TABLE[5, 1], 1e300))


@pytest.mark.parametrize(
    ("fitted_on", "X", "message"),
    [
        (TABLE, TABLE[:, :2], r"X has 2 features, but GRURegressor is expecting 3 features"),
        (TABLE, TABLE[:2, [0, 1, 2, 0]].T, r"X has 2 features.*expecting 3"),
        (TABLE, TABLE.T, r"X has 40 features.*It looks transposed: pass X\.T"),
        (SERIES, SERIES.transpose(0, 2, 1), r"X has 6 features.*pass X\.transpose\(0, 2, 1\)"),
        (SERIES, TABLE, r"X is a table of shape \(40, 3\).*sequences of 6 steps.*X\[np\.newaxis\]"),
        (TABLE, SERIES, r"X has sequences of 6 steps, but GRURegressor was fitted on sequences of one step"),
        (FRAME, FRAME[["age", "rooms", "income"]], "in the same order"),
        (FRAME, FRAME.rename(columns={"age": "ages"}), "(?s)unseen at fit time.*ages"),
        (FRAME, FRAME.mask(FRAME.index.to_series() == 5), r"NaN at row 5, column 'rooms' \(0\)"),
        (TABLE, changed(TABLE, (5, 1), "old"), r"'old' at row 5, column 1"),
        (TABLE, np.ones((0, 3)), r"0 sample\(s\)"),
    ],
)
def test_bad_inputs_of_predict(fitted_on: Any, X: Any, message: str) -> None:
    model = regressor().fit(fitted_on, TARGET)
    with pytest.raises(ValueError, match=message):
        model.predict(X)


def test_two_samples_are_too_few_to_hold_one_out() -> None:
    with pytest.raises(ValueError, match="early_stopping=True with n_samples=2.*Set early_stopping=False"):
        regressor().fit(TABLE[:2], TARGET[:2])
    assert regressor(early_stopping=False).fit(TABLE[:2], TARGET[:2]).predict(TABLE).shape == (40,)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"num_layers": 1.5},
        {"init": "he"},
        {"standardize": "target"},
        {"learning_rate_init": 0.0},
        {"batch_size": "full"},
        {"clip_norm": 0.0},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"random_state": "seed"},
        {"n_jobs": 0},
    ],
)
def test_parameters_are_checked_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        GRURegressor(**options).fit(TABLE, TARGET)


# Doubts


@pytest.mark.parametrize("shape", [(40, 3, 96), (40, 1, 84)])
def test_channel_first_series_get_a_warning(shape: tuple[int, ...]) -> None:
    with pytest.warns(UserWarning, match=rf"of {shape[2]} features each.*X\.transpose\(0, 2, 1\)"):
        regressor().fit(RNG.normal(size=shape), TARGET)


@pytest.mark.parametrize("shape", [(40, 7, 24), (40, 2, 30), (40, 50, 128)])
def test_ordinary_sequences_get_none(shape: tuple[int, ...]) -> None:
    regressor().fit(RNG.normal(size=shape), TARGET)


@pytest.mark.parametrize(
    ("X", "place"),
    [
        (FRAME.set_index(pd.date_range("2020", periods=40)), r"an index of times \(DatetimeIndex\)"),
        (FRAME.assign(Time=np.arange(40.0)), "a column 'Time'"),
    ],
)
def test_a_table_in_time_gets_a_warning_at_the_callers_line(X: pd.DataFrame, place: str) -> None:
    with pytest.warns(UserWarning, match=f"X has {place}, but each row.*3-D array") as caught:
        regressor().fit(X, TARGET)
    assert caught[0].filename == __file__


def test_scikit_learns_assume_finite_is_respected() -> None:
    with config_context(assume_finite=True):
        assert np.isnan(regressor().fit(TABLE, TARGET).predict(changed(TABLE, (5, 1), np.nan))[5])
