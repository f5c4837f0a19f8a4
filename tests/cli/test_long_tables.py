"""Long tables, one row a step: fit, predict, evaluate and inspect as the estimators would from Python."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from grulearn import GRUClassifier, GRURegressor, Sequences, load
from grulearn.cli._tables import _exact_floats

SETTINGS = {"max_iter": 5, "hidden_size": 4, "random_state": 0}
QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")
KEYS = ("--id", "machine", "--time", "ts")


def make_log(n_machines: int = 20, seed: int = 0) -> pd.DataFrame:
    """Machines with numbers like 007, clock times with gaps, a mode, and failures of the heavily loaded."""
    rng = np.random.default_rng(seed)
    parts = []
    for machine in range(n_machines):
        n = int(rng.integers(3, 9))
        minutes = np.cumsum(rng.integers(1, 90, n))
        load = rng.normal(50.0, 10.0, n).round(2)
        parts.append(
            pd.DataFrame(
                {
                    "machine": f"{machine:03d}",
                    "ts": pd.Timestamp("2024-05-01") + pd.to_timedelta(minutes, "min"),
                    "load": load,
                    "mode": rng.choice(["idle", "run"], n),
                    "heat": np.cumsum(load > 50).astype(float),
                    "failed": "yes" if load.mean() > 50 else "no",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def read(stdout: str, **options) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(stdout), dtype={"machine": str}, **_exact_floats(), **options)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return make_log()


@pytest.fixture
def csv(tmp_path, log):
    log.to_csv(tmp_path / "log.csv", index=False)
    return tmp_path / "log.csv"


@pytest.fixture
def fit(grulearn, csv):
    """Run fit on the log, or on another frame; return the model's path and what was printed."""

    def run(*arguments, frame=None):
        if frame is not None:
            frame.to_csv(csv, index=False)
        path = csv.with_name("model.gru")
        outcome = grulearn("fit", csv, "--output", path, *arguments, *QUICK)
        assert outcome.code == 0, outcome.stderr
        return path, outcome

    return run


class TestOneTargetForEachSequence:
    """Whether a machine failed."""

    ARGUMENTS = (*KEYS, "--target", "failed", "--ignore", "heat")

    @pytest.fixture
    def fitted(self, fit):
        return fit(*self.ARGUMENTS)

    @pytest.fixture
    def by_hand(self, log):
        X, y = Sequences.from_frame(
            log.drop(columns="heat"), id_col="machine", time_col="ts", target_col="failed"
        )
        return GRUClassifier(**SETTINGS).fit(X, y), X, y

    def test_learns_what_the_estimator_learns(self, fitted, by_hand):
        path, outcome = fitted
        estimator, X, _ = by_hand
        np.testing.assert_array_equal(load(path).predict_proba(X), estimator.predict_proba(X))
        lines = outcome.stdout.splitlines()
        assert lines[:3] == [
            'Classification: "failed" holds texts.',
            "One target for each machine.",
            'Categories: "mode" (2 values).',
        ]
        assert lines[3].startswith("20 sequences of 3 to 8 steps")

    def test_predicts_a_row_for_each_id_with_the_id_as_it_was_written(self, grulearn, csv, fitted, by_hand):
        estimator, X, _ = by_hand
        outcome = grulearn("predict", fitted[0], csv, "--proba")
        assert outcome.stderr == ""
        predicted = read(outcome.stdout)
        assert list(predicted.columns) == ["machine", "predicted_failed", "probability_no", "probability_yes"]
        assert predicted.machine.tolist() == [f"{i:03d}" for i in range(20)]
        assert predicted.predicted_failed.tolist() == estimator.predict(X).tolist()
        np.testing.assert_array_equal(predicted.iloc[:, 2:], estimator.predict_proba(X))

    def test_needs_no_target_to_predict(self, grulearn, csv, fitted, log):
        with_target = grulearn("predict", fitted[0], csv).stdout
        log.drop(columns=["failed", "heat"]).to_csv(csv, index=False)
        outcome = grulearn("predict", fitted[0], csv)
        assert (outcome.stdout, outcome.stderr) == (with_target, "")

    def test_evaluates_beside_the_most_frequent_label(self, grulearn, csv, fitted, by_hand):
        estimator, X, y = by_hand
        outcome = grulearn("evaluate", fitted[0], csv)
        assert outcome.stdout.splitlines()[0] == f"{fitted[0]} on {csv}, 20 sequences"
        proba = estimator.predict_proba(X)
        row = next(line.split() for line in outcome.stdout.splitlines() if line.startswith(" the model"))
        printed = [float(word) for word in row[2:]]
        assert printed[0] == round(accuracy_score(y, estimator.predict(X)), 3)
        assert printed[3] == round(log_loss(y, proba), 3)
        assert printed[4] == round(roc_auc_score(y == "yes", proba[:, 1]), 3)
        most = pd.Series(y).mode()[0]
        assert f"always {most} " in outcome.stdout
        assert "true, and taken for   no   yes" in outcome.stdout

    def test_a_set_of_labels_holds_the_prediction(self, grulearn, csv, fitted):
        # Two machines are held out: their labels can vouch for coverages up to 2/3.
        predicted = read(grulearn("predict", fitted[0], csv, "--coverage", "0.6").stdout)
        for label, possible in zip(predicted.predicted_failed, predicted.set_failed, strict=True):
            assert label in possible.split("|")
        error = grulearn("predict", fitted[0], csv, "--coverage", "0.9").error
        assert "takes 9 held-out sequences" in error

    def test_inspect_shows_classes_categories_and_what_a_row_is(self, grulearn, fitted):
        text = " ".join(grulearn("inspect", fitted[0]).stdout.split())
        for part in [
            "mode: idle, run; and one for all others",
            "missing values not taken",
            "the rows of one machine are a sequence, in the order of ts; predicts once for each sequence",
            "target failed",
            "classes no, yes",
        ]:
            assert part in text
        described = json.loads(grulearn("inspect", fitted[0], "--json").stdout)
        assert described["classes"] == ["no", "yes"]
        assert described["categories"] == {"mode": ["idle", "run"]}
        assert described["table"]["id"] == "machine"
        assert described["table"]["ignored"] == ["heat"]

    def test_rows_of_several_ids_may_be_mixed(self, grulearn, fit, csv, log, fitted):
        before = grulearn("predict", fitted[0], csv).stdout
        log.sort_values("ts", kind="stable").to_csv(csv, index=False)
        assert sorted(grulearn("predict", fitted[0], csv).stdout.split()) == sorted(before.split())

    def test_sort_brings_rows_into_the_order_of_time(self, grulearn, csv, log, fitted):
        before = grulearn("predict", fitted[0], csv, "--proba").stdout
        log.sample(frac=1.0, random_state=0).to_csv(csv, index=False)
        assert "add --sort" in grulearn("predict", fitted[0], csv).error
        after = grulearn("predict", fitted[0], csv, "--proba", "--sort").stdout
        assert sorted(after.split()) == sorted(before.split())

    def test_columns_may_have_other_names_later(self, grulearn, csv, log, fitted):
        before = grulearn("predict", fitted[0], csv).stdout
        log.rename(columns={"machine": "pump", "ts": "when"}).to_csv(csv, index=False)
        error = grulearn("predict", fitted[0], csv).error
        assert 'log.csv lacks the column of --id: "machine"' in error
        renamed = grulearn("predict", fitted[0], csv, "--id", "pump", "--time", "when").stdout
        assert renamed == before.replace("machine", "pump")

    def test_a_category_that_training_did_not_see_is_noted(self, grulearn, csv, log, fitted):
        log.assign(mode=["turbo", *log["mode"][1:]]).to_csv(csv, index=False)
        assert grulearn("predict", fitted[0], csv).said("note") == [
            f'{fitted[0]} has not seen turbo, in 1 row of column "mode", and takes it for something unknown'
        ]

    def test_labels_that_the_model_does_not_know_count_as_wrong(self, grulearn, csv, log, fitted):
        log.assign(failed=log.failed.where(log.machine != "000", "perhaps")).to_csv(csv, index=False)
        outcome = grulearn("evaluate", fitted[0], csv)
        assert outcome.code == 0
        assert outcome.said("warning") == [
            f"1 of 20 labels are none that {fitted[0]} knows (perhaps); they count as wrong, and log loss "
            "and AUC leave them out"
        ]
        assert " perhaps " in outcome.stdout


class TestOneTargetForEachRow:
    """Numbers and labels that change from row to row."""

    def test_numbers(self, grulearn, csv, fit, log):
        path, outcome = fit(*KEYS, "--target", "heat", "--ignore", "failed")
        assert 'One target for each row: "heat" changes within machine "000" in data row 2.' in outcome.stdout
        X, y = Sequences.from_frame(
            log.drop(columns="failed"), id_col="machine", time_col="ts", target_col="heat", target="step"
        )
        estimator = GRURegressor(target="sequence", **SETTINGS).fit(X, y)
        predicted = read(grulearn("predict", path, csv).stdout, parse_dates=["ts"])
        assert list(predicted.columns) == ["machine", "ts", "predicted_heat"]
        assert predicted.ts.tolist() == log.ts.tolist()
        np.testing.assert_array_equal(predicted.predicted_heat, np.concatenate(estimator.predict(X)))
        evaluated = grulearn("evaluate", path, csv).stdout
        assert evaluated.splitlines()[0].endswith(f"{len(log)} steps of 20 sequences")
        assert f"{r2_score(log.heat, predicted.predicted_heat):.3f}" in evaluated

    def test_predictions_are_in_the_order_of_the_file(self, grulearn, csv, fit, log):
        path, _ = fit(*KEYS, "--target", "heat", "--ignore", "failed")
        before = read(grulearn("predict", path, csv).stdout)
        shuffled = log.sample(frac=1.0, random_state=0)
        shuffled.to_csv(csv, index=False)
        after = read(grulearn("predict", path, csv, "--sort").stdout)
        assert after.machine.tolist() == shuffled.machine.tolist()
        np.testing.assert_array_equal(after.predicted_heat, before.predicted_heat[shuffled.index])

    @pytest.mark.parametrize(
        ("kind", "labels"),
        [("texts", ["low", "high"]), ("true and false", [False, True]), ("3 and 7 only", [3, 7])],
    )
    def test_labels_with_gaps(self, grulearn, csv, fit, log, kind, labels):
        known = np.arange(len(log)) % 3 > 0
        wanted = pd.Series(np.where(log.load > 50, *labels[::-1]), dtype=object).where(known, None)
        path, outcome = fit(*KEYS, "--target", "state", frame=log.drop(columns="failed").assign(state=wanted))
        assert f'Classification: "state" holds {kind}.' in outcome.stdout
        assert '"state" is empty in data row 1.' in outcome.stdout
        assert load(path).classes_.tolist() == sorted(labels)
        predicted = read(grulearn("predict", path, csv).stdout)
        assert len(predicted) == len(log)
        evaluated = grulearn("evaluate", path, csv).stdout
        assert evaluated.splitlines()[0].endswith(f"{known.sum()} steps of 20 sequences")
        right = predicted.predicted_state.astype(str)[known] == wanted.astype(str)[known]
        assert f"{right.mean():.3f}" in evaluated

    def test_several_labels_at_once(self, grulearn, csv, fit, log):
        frame = log.assign(hot=(log.heat > 2) * 1, busy=(log["mode"] == "run") * 1).drop(columns="failed")
        path, _ = fit(*KEYS, "--target", "hot", "--target", "busy", frame=frame)
        predicted = read(grulearn("predict", path, csv, "--proba").stdout)
        assert list(predicted.columns) == [
            "machine", "ts", "predicted_hot", "predicted_busy", "probability_hot", "probability_busy",
        ]  # fmt: skip
        np.testing.assert_array_equal(predicted.predicted_hot, predicted.probability_hot > 0.5)
        evaluated = grulearn("evaluate", path, csv).stdout
        assert "the model for hot" in evaluated
        assert f"{np.mean(predicted.predicted_busy == frame.busy):.3f}" in evaluated

    def test_one_target_for_each_row_can_be_asked_for(self, fit):
        path, _ = fit(*KEYS, "--target", "failed", "--target-kind", "step")
        assert load(path).target == "sequence"

    def test_a_table_without_ids_is_one_sequence(self, grulearn, fit, csv, log):
        one = log[log.machine == "001"].drop(columns=["machine", "failed"])
        path, outcome = fit("--time", "ts", "--target", "heat", "--no-early-stopping", frame=one)
        assert f"1 sequence of {len(one)} steps" in outcome.stdout
        assert list(read(grulearn("predict", path, csv).stdout).columns) == ["ts", "predicted_heat"]


class TestWhatAModelCanSayMore:
    """Quantiles, standard deviations and intervals."""

    def test_quantiles(self, grulearn, csv, fit):
        path, _ = fit(*KEYS, "--target", "heat", "--ignore", "failed", "--quantiles", "0.1,0.5,0.9")
        predicted = read(grulearn("predict", path, csv).stdout)
        columns = ["quantile_0.1_heat", "quantile_0.5_heat", "quantile_0.9_heat"]
        assert list(predicted.columns[2:]) == ["predicted_heat", *columns]
        assert (predicted[columns].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
        np.testing.assert_array_equal(predicted.predicted_heat, predicted["quantile_0.5_heat"])

    def test_standard_deviations_and_intervals(self, grulearn, csv, fit):
        path, _ = fit(*KEYS, "--target", "heat", "--ignore", "failed", "--loss", "gaussian")
        predicted = read(grulearn("predict", path, csv, "--coverage", "0.5").stdout)
        assert list(predicted.columns[2:]) == ["predicted_heat", "std_heat", "lower_heat", "upper_heat"]
        assert (predicted.std_heat > 0).all()
        middle = (predicted.lower_heat + predicted.upper_heat) / 2
        np.testing.assert_allclose(middle, predicted.predicted_heat, rtol=1e-6)


@pytest.mark.parametrize("missing", ["mean", "forward", "simple", "decay"])
def test_gaps(grulearn, csv, fit, log, missing):
    gaps = log.assign(
        load=log.load.where(np.arange(len(log)) % 5 > 0), mode=log["mode"].where(np.arange(len(log)) % 7 > 0)
    )
    path, _ = fit(*KEYS, "--target", "failed", "--missing", missing, frame=gaps)
    X, y = Sequences.from_frame(
        gaps[["machine", "ts", "load", "heat", "mode", "failed"]], id_col="machine", time_col="ts",
        target_col="failed",
    )  # fmt: skip
    estimator = GRUClassifier(missing=missing, **SETTINGS).fit(X, y)
    predicted = read(grulearn("predict", path, csv, "--proba").stdout)
    np.testing.assert_array_equal(predicted.probability_yes, estimator.predict_proba(X)[:, 1])


def test_a_category_whose_first_hundred_values_are_missing(grulearn, fit):
    log = make_log(40)
    assert len(log) > 150
    rare = pd.Series(["a", "b"] * len(log), dtype=object)[: len(log)].where(np.arange(len(log)) >= 120)
    path, outcome = fit(*KEYS, "--target", "failed", "--missing", "forward", frame=log.assign(rare=rare))
    assert '"rare" (2 values)' in outcome.stdout


class TestNumbersAsCategories:
    """--categorical reads to the letter, in every file."""

    def test_codes_keep_their_zeros(self, fit, log):
        frame = log.assign(code=np.where(log.load > 50, "01", "1"))
        path, outcome = fit(*KEYS, "--target", "failed", "--categorical", "code", frame=frame)
        assert 'Categories: "mode" (2 values), "code" (2 values).' in outcome.stdout

    def test_a_file_with_numbers_only_is_read_like_the_one_with_texts(self, grulearn, csv, fit, log):
        frame = log.assign(code=np.where(log.load > 50, "x", np.where(log.load > 45, "1", "2")))
        path, _ = fit(*KEYS, "--target", "failed", frame=frame)
        frame.assign(code=np.where(frame.code == "x", "1", frame.code)).to_csv(csv, index=False)
        assert grulearn("predict", path, csv).stderr == ""


class TestTables:
    """Tables whose rows are sequences of one step learn labels, and take categories and gaps, as well."""

    def test_labels_and_categories(self, grulearn, csv, fit, log):
        frame = log[["load", "heat", "mode", "failed"]]
        path, outcome = fit("--target", "failed", frame=frame)
        assert "--id and --time make rows into sequences" in outcome.stdout
        estimator = GRUClassifier(**SETTINGS).fit(frame[["load", "heat", "mode"]], frame.failed)
        predicted = read(grulearn("predict", path, csv, "--proba").stdout)
        np.testing.assert_array_equal(
            predicted.probability_yes, estimator.predict_proba(frame[["load", "heat", "mode"]])[:, 1]
        )
        assert grulearn("evaluate", path, csv).stdout.splitlines()[0].endswith(f"{len(frame)} rows")

    def test_gaps(self, grulearn, csv, fit, log):
        frame = log[["load", "mode", "heat"]].copy()
        frame.loc[3, "load"], frame.loc[4, "mode"] = np.nan, None
        path, _ = fit("--target", "heat", "--missing", "mean", frame=frame)
        assert len(read(grulearn("predict", path, csv).stdout)) == len(frame)

    def test_whole_numbers_as_classes(self, grulearn, csv, fit, log):
        frame = log[["load"]].assign(grade=(log.load // 10).astype(int))
        path, _ = fit("--target", "grade", "--task", "classification", frame=frame)
        assert load(path).classes_.dtype == np.int64
        assert "true, and taken for" in grulearn("evaluate", path, csv).stdout


def test_model_saved_from_python_needs_the_columns_named(grulearn, csv, log):
    X, y = Sequences.from_frame(log, id_col="machine", time_col="ts", target_col="failed")
    path = csv.with_name("python.gru")
    estimator = GRUClassifier(**SETTINGS).fit(X, y)
    estimator.save(path)
    assert "say with --id which column tells whose row it is" in grulearn("predict", path, csv).error
    predicted = read(grulearn("predict", path, csv, *KEYS, "--proba").stdout)
    np.testing.assert_array_equal(predicted.probability_yes, estimator.predict_proba(X)[:, 1])
    assert "add --target COLUMN" in grulearn("evaluate", path, csv, *KEYS).error
    assert grulearn("evaluate", path, csv, *KEYS, "--target", "failed").code == 0


def test_class_weights(fit, log):
    path, _ = fit(*KEYS, "--target", "failed", "--class-weight", "yes=5,no=1")
    assert load(path).class_weight == {"yes": 5, "no": 1}
