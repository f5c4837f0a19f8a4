"""What can be wrong with a long table: one sentence each, with file, row and column."""

from __future__ import annotations

import pandas as pd
import pytest

QUICK = ("--max-iter", "2", "--hidden-size", "2", "--random-state", "0")
KEYS = ("--id", "machine", "--time", "ts")
ROW = "(the first below the header is 1)"


@pytest.fixture
def log() -> pd.DataFrame:
    """Four machines of three steps."""
    return pd.DataFrame(
        {
            "machine": [m for m in "abcd" for _ in range(3)],
            "ts": ["2024-05-01", "2024-05-02", "2024-05-04"] * 4,
            "load": [1.5, 2.0, 2.5, 3.0, 1.0, 0.5, 4.0, 4.5, 5.0, 2.0, 1.0, 0.0],
            "mode": ["run", "idle", "run"] * 4,
            "failed": ["no"] * 6 + ["yes"] * 6,
        }
    )


@pytest.fixture
def refusal(grulearn, tmp_path):
    """Run fit, which must refuse; return the sentence without the folder."""

    def run(frame, *arguments, target=("--target", "failed"), keys=KEYS):
        frame.to_csv(tmp_path / "log.csv", index=False)
        outcome = grulearn(
            "fit",
            tmp_path / "log.csv",
            "--output",
            tmp_path / "model.gru",
            *keys,
            *target,
            *arguments,
            *QUICK,
        )
        assert outcome.code == 2, outcome.stderr
        assert not (tmp_path / "model.gru").exists()
        return outcome.error.replace(str(tmp_path) + "/", "")

    return run


def spoiled(log, row, column, value):
    changed = log.astype(object)
    changed.loc[row, column] = value
    return changed


def test_times_that_are_not_in_order(refusal, log):
    assert refusal(log.iloc[[0, 2, 1, *range(3, 12)]]) == (
        f'log.csv, data row 3 {ROW}, column "ts": 2024-05-02 comes after 2024-05-04 in row 2, both of '
        'machine "a"; rows must be in the order of time: sort the file, or add --sort'
    )


def test_rows_of_others_between_count_too(refusal, log):
    message = refusal(log.iloc[[2, 3, 0, 4, 1, *range(5, 12)]])
    assert message.startswith(
        f'log.csv, data row 3 {ROW}, column "ts": 2024-05-01 comes after 2024-05-04 in row 1'
    )


def test_a_time_that_comes_twice(refusal, log):
    expected = (
        f'log.csv, data row 5 {ROW}, column "ts": machine "b" has the time 2024-05-01 in row 4 already; keep '
        "one row for each time"
    )
    assert refusal(spoiled(log, 4, "ts", "2024-05-01")) == expected
    assert refusal(spoiled(log, 4, "ts", "2024-05-01"), "--sort") == expected


def test_several_places_are_counted(refusal, log):
    assert refusal(log[::-1]).endswith("(7 more such places)")


@pytest.mark.parametrize("column", ["machine", "ts"])
def test_missing_id_or_time(refusal, log, column):
    assert refusal(spoiled(log, 7, column, None)).startswith(
        f'log.csv, data row 8 {ROW}, column "{column}": the value is missing (NaN or an empty cell)'
    )


@pytest.mark.parametrize("value", ["03/05/2024", "yesterday", "2024-13-01"])
def test_a_time_that_is_none(refusal, log, value):
    assert refusal(spoiled(log, 7, "ts", value)) == (
        f'log.csv, data row 8 {ROW}, column "ts": "{value}" is no time; expected numbers, or dates such as '
        "2024-05-31 or 2024-05-31T13:45:00"
    )


def test_an_infinite_time(refusal, log):
    numbered = log.assign(ts=[1.0, 2.0, 3.0] * 4)
    assert f'data row 3 {ROW}, column "ts": the value is infinite' in refusal(
        spoiled(numbered, 2, "ts", "inf")
    )


@pytest.mark.parametrize(
    ("keys", "asked", "nearest"),
    [
        (("--id", "machin", "--time", "ts"), "the column of --id", '"machin", the nearest name is "machine"'),
        (("--id", "machine", "--time", "t"), "the column of --time", '"t", the nearest name is "ts"'),
    ],
)
def test_misspelt_column(refusal, log, keys, asked, nearest):
    assert refusal(log, keys=keys) == (
        f"log.csv lacks {asked}: {nearest} (its columns are machine, ts, load, mode, failed)"
    )


def test_misspelt_categorical_column(refusal, log):
    assert 'log.csv lacks a column of --categorical: "Mode", the nearest name is "mode"' in refusal(
        log, "--categorical", "Mode"
    )


def test_a_column_with_two_roles(refusal, log):
    assert refusal(log, keys=("--id", "machine", "--time", "machine")) == (
        'the column "machine" is named by --id and --time; a column has one role'
    )
    assert "is named by --target and --id" in refusal(log, target=("--target", "machine"))


def test_a_gap_is_named_with_what_can_be_done(refusal, log):
    message = refusal(spoiled(log, 4, "load", None))
    assert message.startswith(f'log.csv, data row 5 {ROW}, column "load": the value is missing')
    assert "--missing says how to go on with gaps" in message
    assert f'data row 6 {ROW}, column "mode": the value is missing' in refusal(spoiled(log, 5, "mode", None))


def test_text_among_numbers(refusal, log):
    assert f'data row 2 {ROW}, column "load": "high" is not a number, as the others' in refusal(
        spoiled(log, 1, "load", "high")
    )


def test_dates_among_features(refusal, log):
    message = refusal(log.assign(built=["2001-05-01"] * 12))
    assert message == (
        f'log.csv, data row 1 {ROW}, column "built": "2001-05-01" is not a number, but a date; make it the '
        '--time of long tables, or leave it out with --ignore "built"'
    )


def test_a_target_that_changes_where_one_was_asked_for(refusal, log):
    assert refusal(log, "--target-kind", "value", target=("--target", "load")) == (
        f'log.csv, data row 2 {ROW}, column "load": the target changes within machine "a"; --target-kind '
        "value takes one for each sequence"
    )


def test_a_missing_target_where_one_was_asked_for(refusal, log):
    message = refusal(spoiled(log, 3, "failed", None), "--target-kind", "value")
    assert f'data row 4 {ROW}, column "failed": the target is empty' in message


def test_one_label_only(refusal, log):
    assert refusal(log.assign(failed="no")) == (
        'the target column "failed" of log.csv is no in every row; there is nothing to learn'
    )


def test_no_target_at_all(refusal, log):
    assert refusal(log.assign(failed=None)) == 'the target column "failed" of log.csv is empty in every row'


def test_fractions_are_no_labels(refusal, log):
    message = refusal(log, "--task", "classification", target=("--target", "load"))
    assert f'data row 1 {ROW}, column "load": 1.5 is no label' in message


def test_numbers_and_labels_at_once(refusal, log):
    assert 'the target "failed" holds texts, but "load" holds numbers' in refusal(
        log, target=("--target", "failed", "--target", "load")
    )


def test_one_sequence_has_nothing_to_compare(refusal, log):
    assert "there is nothing to learn" in refusal(log.assign(machine="a", ts=range(12), failed="no"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--task", "ranking"), "--task must be auto, regression or classification; it is ranking"),
        (("--target-kind", "both"), "--target-kind must be auto, value or step; it is both"),
        (("--missing", "drop"), "--missing must be a str among"),
        (("--loss", "huber"), "--loss is for regression; the task here is classification (--task)"),
    ],
)
def test_options_out_of_range(refusal, log, arguments, expected):
    assert expected in refusal(log, *arguments)


def test_options_of_long_tables_on_others(refusal, log):
    table = log[["load", "mode", "failed"]]
    assert refusal(table, "--sort", keys=()) == "--sort goes with --time"
    assert refusal(table, "--target-kind", "step", keys=()) == (
        "--target-kind step goes with long tables, which have --id or --time"
    )


class TestOtherTable:
    """A table that does not fit the model of a long one."""

    @pytest.fixture
    def fitted(self, grulearn, log, tmp_path):
        log.to_csv(tmp_path / "log.csv", index=False)
        path = tmp_path / "model.gru"
        arguments = ("--target", "failed", "--output", path, "--no-early-stopping", *QUICK)
        assert grulearn("fit", tmp_path / "log.csv", *KEYS, *arguments).code == 0
        return path

    def test_id_that_is_missing(self, grulearn, log, fitted, tmp_path):
        log.drop(columns="machine").to_csv(tmp_path / "new.csv", index=False)
        error = grulearn("predict", fitted, tmp_path / "new.csv").error
        assert error.startswith(f'{tmp_path / "new.csv"} lacks the column of --id: "machine"')

    def test_gap(self, grulearn, log, fitted, tmp_path):
        spoiled(log, 4, "load", None).to_csv(tmp_path / "new.csv", index=False)
        error = grulearn("predict", fitted, tmp_path / "new.csv").error
        assert f'data row 5 {ROW}, column "load": the value is missing' in error
        assert "was fitted without --missing, and takes no gaps" in error

    def test_probabilities_of_numbers(self, grulearn, log, tmp_path):
        log.to_csv(tmp_path / "log.csv", index=False)
        path = tmp_path / "model.gru"
        arguments = (
            "--target",
            "load",
            "--ignore",
            "failed",
            "--output",
            path,
            "--no-early-stopping",
            *QUICK,
        )
        assert grulearn("fit", tmp_path / "log.csv", *KEYS, *arguments).code == 0
        outcome = grulearn("predict", path, tmp_path / "log.csv", "--proba")
        assert outcome.error == f"--proba: {path} predicts numbers, which have no probabilities"

    @pytest.mark.parametrize("coverage", ["0", "1", "90"])
    def test_coverage_out_of_range(self, grulearn, fitted, tmp_path, coverage):
        error = grulearn("predict", fitted, tmp_path / "log.csv", "--coverage", coverage).error
        assert error == f"--coverage must lie between 0 and 1, such as 0.9; it is {coverage}"

    def test_sets_without_held_out_data(self, grulearn, fitted, tmp_path):
        error = grulearn("predict", fitted, tmp_path / "log.csv", "--coverage", "0.9").error
        assert "predict_set" in error

    def test_labels_of_another_kind(self, grulearn, log, tmp_path):
        numbered = log.assign(failed=[3] * 6 + [7] * 6)
        numbered.to_csv(tmp_path / "log.csv", index=False)
        path = tmp_path / "model.gru"
        arguments = ("--target", "failed", "--output", path, "--no-early-stopping", *QUICK)
        assert grulearn("fit", tmp_path / "log.csv", *KEYS, *arguments).code == 0
        log.to_csv(tmp_path / "log.csv", index=False)
        error = grulearn("evaluate", path, tmp_path / "log.csv").error
        assert error.endswith('"no" is none of the labels that the model knows, which are 3, 7')

    def test_a_model_of_tables_takes_no_ids(self, grulearn, log, tmp_path):
        log[["load", "failed"]].to_csv(tmp_path / "table.csv", index=False)
        path = tmp_path / "model.gru"
        arguments = ("--target", "failed", "--output", path, *QUICK)
        assert grulearn("fit", tmp_path / "table.csv", *arguments).code == 0
        log.to_csv(tmp_path / "log.csv", index=False)
        error = grulearn("predict", path, tmp_path / "log.csv", *KEYS).error
        assert error.endswith("was fitted on a table without --id and --time; leave them out")
