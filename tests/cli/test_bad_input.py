"""Every bad input ends in one sentence that says what is wrong, where, and what was expected."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from grulearn import load

QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")
ROW = "(the first below the header is 1)"


def spoil(houses, column, row, value):
    """Return the table with one value replaced."""
    spoiled = houses.astype(object).copy()
    spoiled.loc[row, column] = value
    return spoiled


@pytest.fixture
def fit(grulearn, csv, tmp_path):
    """Run fit on a table, and check that a failure leaves nothing behind."""

    def run(frame, *arguments, target="price"):
        frame.to_csv(csv, index=False)
        outcome = grulearn(
            "fit", csv, "--target", target, "--output", tmp_path / "model.gru", *arguments, *QUICK
        )
        assert outcome.code == 2
        assert [file.name for file in tmp_path.iterdir()] == ["houses.csv"]
        return outcome.error.replace(str(tmp_path) + "/", "")

    return run


def test_misspelt_target(fit, houses):
    assert fit(houses, target="prize") == (
        'houses.csv lacks the target column: "prize", the nearest name is "price" '
        "(its columns are rooms, age, price)"
    )


def test_missing_target_without_a_near_name(fit, houses):
    assert fit(houses, target="zzz") == (
        'houses.csv lacks the target column: "zzz" (its columns are rooms, age, price)'
    )


def test_misspelt_column_to_ignore(fit, houses):
    assert 'a column to ignore: "Rooms", the nearest name is "rooms"' in fit(houses, "--ignore", "Rooms")


def test_text_in_a_number_column(fit, houses):
    assert fit(spoil(houses, "age", 3, "old")) == (
        f'houses.csv, data row 4 {ROW}, column "age": "old" is not a number, as the others in this column '
        'are; correct it, take the column as categories with --categorical "age", or leave it out with '
        "--ignore"
    )


def test_several_texts_are_counted(fit, houses):
    frame = spoil(spoil(houses, "age", 3, "old"), "age", 9, "new")
    assert '"old" is not a number, as the others in this column are (1 more such in this column)' in fit(
        frame
    )


def test_dates_are_text(fit, houses):
    message = fit(houses.assign(sold="2020-01-31"))
    assert f'data row 1 {ROW}, column "sold": "2020-01-31" is not a number' in message


def test_text_in_the_target(fit, houses):
    assert fit(spoil(houses, "price", 0, "dear")).startswith(
        f'houses.csv, data row 1 {ROW}, column "price": "dear" is not a number'
    )


@pytest.mark.parametrize("value", [np.nan, "", "NA"])
def test_missing_value(fit, houses, value):
    assert fit(spoil(houses, "rooms", 59, value)).startswith(
        f'houses.csv, data row 60 {ROW}, column "rooms": the value is missing (NaN or an empty cell)'
    )


@pytest.mark.parametrize("value", ["inf", "-inf", "1e999"])
def test_infinity(fit, houses, value):
    assert f'data row 8 {ROW}, column "age": the value is infinite; expected a finite number' in fit(
        spoil(houses, "age", 7, value)
    )


def test_constant_target(fit, houses):
    assert fit(houses.assign(price=5)) == (
        'the target column "price" of houses.csv is 5 in every row; there is nothing to learn'
    )


def test_one_row(fit, houses):
    assert fit(houses.head(1)) == (
        "houses.csv has one row; expected at least two to train on, and rather hundreds"
    )


def test_header_only(fit, houses):
    assert fit(houses.head(0)) == (
        "houses.csv has a header and no rows; expected at least one row of numbers below it"
    )


def test_no_column_left(fit, houses):
    assert "has no column left to learn from" in fit(houses[["price"]])


def test_column_that_comes_twice(fit, houses):
    message = fit(houses.set_axis(["rooms", "rooms", "price"], axis=1))
    assert message == "houses.csv has more than one column of the same name: rooms"


def test_target_given_twice(fit, houses):
    assert fit(houses, "--target", "price") == (
        'the column "price" is named by --target twice; a column has one role'
    )
    assert '"age" is named by --categorical and --ignore' in fit(
        houses, "--ignore", "age", "--categorical", "age"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; expected a table"),
        (b"\n\n", "has no text in it; expected a header"),
        (b"rooms;age;price\n1;2;3\n", 'seems to have ";" between its columns; add --separator ";"'),
        (b"rooms\tage\tprice\n1\t2\t3\n", 'seems to have "tab" between its columns; add --separator "tab"'),
        (b"rooms,age,price\n1,2,3,4\n1,2,3,4\n", "more cells than its header"),
        (
            b"rooms,age,price\n1,2,3\n1,2,3,4\n",
            "is not a well-formed CSV file: Expected 3 fields in line 3, saw 4",
        ),
        (b"\x89PNG\xff\xfe,\x00", "is not text in UTF-8; expected a CSV file"),
    ],
)
def test_malformed_file(grulearn, csv, content, expected):
    csv.write_bytes(content)
    assert expected in grulearn("fit", csv, "--target", "price").error


def test_missing_file_with_a_near_name(grulearn, csv):
    error = grulearn("fit", csv.with_name("house.csv"), "--target", "price").error
    assert error == f"there is no file {csv.with_name('house.csv')}; the nearest name there is houses.csv"


def test_missing_folder(grulearn, tmp_path):
    error = grulearn("fit", tmp_path / "no" / "houses.csv", "--target", "price").error
    assert error.endswith(f"there is no folder {tmp_path / 'no'}")


def test_folder_instead_of_file(grulearn, tmp_path):
    assert "is a folder" in grulearn("fit", tmp_path, "--target", "price").error


def test_parquet_without_pyarrow_says_how_to_install_it(grulearn, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "houses.parquet"
    path.write_bytes(b"PAR1")
    error = grulearn("fit", path, "--target", "price").error
    assert 'needs pyarrow, which is not installed: pip install "grulearn[parquet]"' in error


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_output_that_cannot_be_written_is_found_before_training(grulearn, csv, tmp_path, option):
    for place, reason in [
        (tmp_path / "no" / "out.png", "there is no folder"),
        (tmp_path, "is a folder; expected the name of a file"),
        (csv / "out.png", "there is no folder"),
    ]:
        outcome = grulearn("fit", csv, "--target", "price", option, place, *QUICK)
        assert reason in outcome.error
        assert outcome.stdout == ""


def test_folder_that_refuses_files(grulearn, csv, tmp_path, monkeypatch):
    # Permissions do not stop root, who may run the tests.
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    outcome = grulearn("fit", csv, "--target", "price", "--output", tmp_path / "model.gru", *QUICK)
    assert outcome.error == f"{tmp_path / 'model.gru'} cannot be written: Permission denied"
    assert outcome.stdout == ""


def test_picture_of_an_unknown_kind_is_found_before_training(grulearn, csv, tmp_path):
    outcome = grulearn("fit", csv, "--target", "price", "--plot", tmp_path / "loss.doc", *QUICK)
    assert "loss.doc is not the name of a picture; expected it to end in" in outcome.error
    assert outcome.stdout == ""


def test_input_is_never_overwritten(grulearn, csv, model):
    before = csv.read_bytes()
    assert "same file" in grulearn("fit", csv, "--target", "price", "--output", csv, *QUICK).error
    assert "same file" in grulearn("predict", model, csv, "--output", csv).error
    assert csv.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--hidden-size", "0", "--hidden-size must be an int in the range [1, inf). Got 0 instead."),
        ("--hidden-size", "big", "--hidden-size must be an int in the range [1, inf). Got 'big' instead."),
        ("--init", "zeros", "--init must be a str among"),
        ("--learning-rate-init", "-1", "--learning-rate-init must be a float in the range (0.0, inf)"),
        ("--standardize", "maybe", "--standardize must be"),
    ],
)
def test_option_out_of_range(grulearn, csv, option, value, expected):
    outcome = grulearn("fit", csv, "--target", "price", option, value)
    assert expected in outcome.error
    assert outcome.code == 2
    assert outcome.stdout == ""


def test_unknown_option_and_command(grulearn, csv):
    # The words are typer's, and differ between its versions.
    assert (
        "No such option: --hiden-size" in grulearn("fit", csv, "--target", "price", "--hiden-size", 3).error
    )
    error = grulearn("inspct").error
    assert error.startswith("No such command 'inspct'")
    assert error.endswith("(see grulearn --help)")


def test_missing_option_and_argument(grulearn, csv):
    error = grulearn("fit", csv).error
    assert error.startswith("Missing option '--target'")
    assert error.endswith("(see grulearn fit --help)")
    assert "Missing argument" in grulearn("predict").error


def test_loss_that_diverges_keeps_the_best_weights(grulearn, csv, tmp_path):
    path = tmp_path / "model.gru"
    outcome = grulearn(
        "fit", csv, "--target", "price", "--output", path, "--max-iter", 50, "--random-state", 0,
        "--learning-rate-init", 1e6, "--clip-norm", "none", "--batch-size", 60,
    )  # fmt: skip
    assert outcome.code == 1
    assert "the loss diverged in epoch" in outcome.error
    assert "try a --learning-rate-init smaller than 1e+06, or --clip-norm 1" in outcome.error


def test_loss_that_diverges_late_keeps_the_best_weights(grulearn, csv, houses, tmp_path):
    path = tmp_path / "model.gru"
    outcome = grulearn(
        "fit", csv, "--target", "price", "--output", path, "--max-iter", 60, "--random-state", 0,
        "--no-early-stopping", "--learning-rate-init", 1e3, "--clip-norm", "none", "--batch-size", 60,
    )  # fmt: skip
    assert outcome.code == 1
    assert f"the best weights before that are kept in {path}" in outcome.error
    kept = load(path)
    assert kept.stop_reason_ == "diverged"
    errors = kept.predict(houses[["rooms", "age"]]) - houses["price"]
    assert (errors**2).mean() == pytest.approx(kept.best_loss_ * kept.target_scale_[0] ** 2, rel=1e-4)
    assert grulearn("predict", path, csv).said("warning") == [
        f"the training of {path} diverged; its predictions may be useless"
    ]


def test_loss_that_diverges_leaves_an_earlier_model_alone(grulearn, csv, model, tmp_path):
    path = tmp_path / "model.gru"
    path.write_bytes(model.read_bytes())
    error = grulearn(
        "fit", csv, "--target", "price", "--output", path, "--learning-rate-init", 1e10, "--random-state", 0
    ).error
    assert "and nothing was written" in error
    assert path.read_bytes() == model.read_bytes()


def test_a_device_is_not_replaced(grulearn, csv, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = grulearn("fit", csv, "--target", "price", "--output", pipe).error
    assert error.endswith("is a device or a pipe; expected the name of a file to write")
    assert pipe.is_fifo()


class TestModelFile:
    """A model file that is missing, foreign or damaged."""

    def test_missing(self, grulearn, csv):
        for command in ("predict", "evaluate"):
            assert grulearn(command, csv.with_name("no.gru"), csv).error.startswith("there is no model file")
        assert grulearn("inspect", csv.with_name("no.gru")).error.startswith("there is no model file")

    def test_foreign(self, grulearn, csv):
        assert "houses.csv is not a model file of grulearn" in grulearn("predict", csv, csv).error
        assert "houses.csv is not a model file of grulearn" in grulearn("inspect", csv).error

    def test_truncated(self, grulearn, csv, model, tmp_path):
        path = tmp_path / "cut.gru"
        path.write_bytes(model.read_bytes()[:-10])
        assert "cut.gru is cut short" in grulearn("predict", path, csv).error

    def test_altered(self, grulearn, csv, model, tmp_path):
        path = tmp_path / "altered.gru"
        content = bytearray(model.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        assert "altered.gru is damaged" in grulearn("evaluate", path, csv).error


class TestOtherTable:
    """A table that does not fit the model."""

    def test_misspelt_feature(self, grulearn, csv, houses, model):
        houses.rename(columns={"rooms": "room"}).to_csv(csv, index=False)
        error = grulearn("predict", model, csv).error
        assert f'houses.csv lacks what {model} was fitted on: "rooms", the nearest name is "room"' in error

    def test_all_missing_features_are_named(self, grulearn, csv, houses, model):
        houses[["price"]].to_csv(csv, index=False)
        error = grulearn("predict", model, csv).error
        assert '"rooms"' in error
        assert '"age"' in error

    def test_bad_value(self, grulearn, csv, houses, model):
        spoil(houses, "age", 1, "?").to_csv(csv, index=False)
        outcome = grulearn("predict", model, csv)
        assert f'data row 2 {ROW}, column "age": "?" is not a number' in outcome.error
        assert outcome.stdout == ""

    def test_no_target_to_evaluate(self, grulearn, csv, houses, model):
        houses.drop(columns="price").to_csv(csv, index=False)
        assert 'lacks the target column: "price"' in grulearn("evaluate", model, csv).error

    def test_wrong_number_of_targets(self, grulearn, csv, model):
        error = grulearn("evaluate", model, csv, "--target", "price", "--target", "age").error
        assert error == f"{model} predicts 1 column, and --target names 2"

    def test_predictions_go_to_csv_only(self, grulearn, csv, model, tmp_path):
        outcome = grulearn("predict", model, csv, "--output", tmp_path / "out.parquet")
        assert "written as CSV" in outcome.error


def test_unexpected_errors_are_one_sentence_too(grulearn, csv, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the moon\nis full")

    monkeypatch.setattr("grulearn.cli.fit.read_table", fail)
    outcome = grulearn("fit", csv, "--target", "price")
    assert outcome.code == 1
    assert outcome.error == (
        "unexpected RuntimeError: the moon is full; set GRULEARN_DEBUG=1 to see where it came from"
    )


def test_debugging_shows_the_traceback(grulearn, csv, monkeypatch):
    from typer.testing import CliRunner

    from grulearn.cli.app import app

    monkeypatch.setenv("GRULEARN_DEBUG", "1")
    result = CliRunner().invoke(app, ["fit", str(csv), "--target", "prize"])
    assert type(result.exception).__name__ == "BadInput"
