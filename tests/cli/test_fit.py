"""grulearn fit: training, saving, drawing, and every option of the estimator."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pandas as pd
import pytest

from grulearn import GRURegressor, load
from grulearn.cli._estimator_options import describe_parameters, parse, spell
from grulearn.cli.fit import _NOT_OFFERED, ESTIMATORS

QUICK = ("--max-iter", "5", "--hidden-size", "4", "--random-state", "0")
PARAMETERS = {
    name: (estimator, parameter)
    for estimator in reversed(ESTIMATORS.values())
    for name, parameter in inspect.signature(estimator).parameters.items()
    if name not in _NOT_OFFERED
}


def test_saves_what_the_estimator_would_have_learned(grulearn, csv, houses, tmp_path):
    path = tmp_path / "model.gru"
    outcome = grulearn("fit", csv, "--target", "price", "--output", path, *QUICK)
    assert outcome.code == 0
    assert outcome.stderr == ""
    X, y = houses[["rooms", "age"]].astype(float), houses.price
    by_hand = GRURegressor(4, max_iter=5, random_state=0).fit(X, y)
    saved = load(path)
    np.testing.assert_array_equal(saved.predict(X), by_hand.predict(X))
    assert list(saved.feature_names_in_) == ["rooms", "age"]


def test_says_how_it_read_the_data_how_it_ended_and_what_it_wrote(grulearn, csv, tmp_path):
    outcome = grulearn("fit", csv, "--target", "price", "--output", tmp_path / "model.gru", *QUICK)
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("60 sequences of 1 step, 2 features")
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 5
    assert re.fullmatch(r"epoch 5/5: training loss \S+, validation \S+", epochs[-1])
    assert re.search(
        r"Trained 5 epochs in .* s; stopped: .*--max-iter.*; lowest validation loss", outcome.stdout
    )
    assert f"The model is in {tmp_path / 'model.gru'}." in lines


def test_long_training_prints_few_lines(grulearn, csv):
    outcome = grulearn("fit", csv, "--target", "price", "--max-iter", 300, "--no-early-stopping")
    epochs = [line for line in outcome.stdout.splitlines() if line.startswith("epoch")]
    assert [line.split(":")[0] for line in epochs[:2]] == ["epoch   1/300", "epoch  30/300"]
    assert len(epochs) == 11
    assert "validation" not in epochs[0]


def test_without_output_says_that_nothing_was_saved(grulearn, csv, tmp_path):
    outcome = grulearn("fit", csv, "--target", "price", *QUICK)
    assert outcome.code == 0
    assert outcome.said("note") == ["the model was not saved, as there was no --output"]
    assert [file.name for file in tmp_path.iterdir()] == ["houses.csv"]


@pytest.mark.parametrize(
    ("name", "magic"), [("loss.png", b"\x89PNG"), ("loss.svg", b"<?xml"), ("loss", b"\x89PNG")]
)
def test_draws_the_loss_curve(grulearn, csv, tmp_path, name, magic):
    outcome = grulearn("fit", csv, "--target", "price", "--plot", tmp_path / name, *QUICK)
    assert outcome.code == 0
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_drawing_leaves_pyplot_alone(grulearn, csv, tmp_path):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    grulearn("fit", csv, "--target", "price", "--plot", tmp_path / "loss.png", *QUICK)
    assert plt.get_fignums() == before


def test_ignored_columns_are_no_features(grulearn, csv, houses, tmp_path):
    houses.assign(street="Elm Street", number=7.0).to_csv(csv, index=False)
    path = tmp_path / "model.gru"
    arguments = ("--target", "price", "--ignore", "street", "--ignore", "number", "--output", path)
    assert grulearn("fit", csv, *arguments, *QUICK).code == 0
    assert list(load(path).feature_names_in_) == ["rooms", "age"]


def test_predicts_several_columns(grulearn, csv, tmp_path):
    path = tmp_path / "model.gru"
    outcome = grulearn("fit", csv, "--target", "price", "--target", "age", "--output", path, *QUICK)
    assert outcome.code == 0
    assert load(path).n_outputs_ == 2
    predicted = grulearn("predict", path, csv)
    assert predicted.stdout.splitlines()[0] == "predicted_price,predicted_age"


def test_constant_feature_is_a_warning_that_names_it(grulearn, csv, houses):
    houses.assign(floors=2).to_csv(csv, index=False)
    outcome = grulearn("fit", csv, "--target", "price", *QUICK)
    assert outcome.code == 0
    assert len(outcome.said("warning")) == 1
    assert "constant" in outcome.said("warning")[0]
    assert "floors" in outcome.said("warning")[0]


def test_saved_row_numbers_are_a_warning(grulearn, csv, houses):
    houses.to_csv(csv, index=True)
    outcome = grulearn("fit", csv, "--target", "price", *QUICK)
    assert outcome.code == 0
    assert any('--ignore "Unnamed: 0"' in warning for warning in outcome.said("warning"))


def test_other_separators(grulearn, csv, houses):
    houses.to_csv(csv, index=False, sep="\t")
    assert grulearn("fit", csv, "--target", "price", "--separator", "tab", *QUICK).code == 0


def test_true_and_false_count_as_numbers(grulearn, csv, houses):
    houses.assign(garden=houses.rooms > 3).to_csv(csv, index=False)
    assert grulearn("fit", csv, "--target", "price", *QUICK).code == 0


def test_verbose_leaves_the_printing_to_the_estimator(grulearn, csv):
    outcome = grulearn("fit", csv, "--target", "price", "--verbose", 1, *QUICK)
    assert outcome.stdout.count("60 sequences of 1 step") == 1
    assert "epoch 5/5  training loss" in outcome.stdout


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_an_option_with_its_default_and_a_description(grulearn, name):
    text = re.sub(r"\s+", " ", grulearn("fit", "--help").stdout)
    flag = "--" + name.replace("_", "-")
    assert flag in text
    estimator, parameter = PARAMETERS[name]
    default = parameter.default
    shown = (flag if default else f"--no-{flag[2:]}") if isinstance(default, bool) else spell(default)
    after = text.split(f" {flag} ", 1)[1].split(" --", 1)[0] if not isinstance(default, bool) else text
    if not isinstance(default, bool):
        assert f"[default: {shown}]" in after
    kind, description = describe_parameters(estimator)[name]
    assert kind
    assert "]_" not in description
    assert len(description.split()) >= 2


@pytest.mark.parametrize("name", PARAMETERS)
def test_defaults_survive_the_way_through_text(name):
    default = PARAMETERS[name][1].default
    parsed = parse(spell(default))
    assert parsed == default
    assert type(parsed) is type(default)


def test_options_reach_the_estimator(grulearn, csv, tmp_path):
    path = tmp_path / "model.gru"
    options = {
        "hidden_size": 3, "num_layers": 2, "bidirectional": True, "reset_after": False, "bias": False,
        "standardize": "inputs", "init": "pytorch", "learning_rate_init": 0.01, "weight_decay": 0.1,
        "batch_size": 16, "max_iter": 2, "clip_norm": None, "early_stopping": False,
        "validation_fraction": 0.2, "n_iter_no_change": 3, "tol": 0.0, "n_jobs": 1,
        "checkpoint_steps": 100, "dtype": "float64", "verbose": 0, "random_state": 5, "pooling": "mean",
        "loss": "huber", "quantiles": None, "delta": 0.5, "missing": "mean", "bptt": None, "max_seconds": 60,
        "validation": "random", "learning_rate": "cosine",
    }  # fmt: skip
    assert set(options) == set(PARAMETERS) - {"class_weight"}
    words: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(PARAMETERS[name][1].default, bool) and isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, spell(value)]
    assert grulearn("fit", csv, "--target", "price", "--output", path, *words).code == 0
    taken = load(path).get_params()
    assert {name: taken[name] for name in options} == options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1,0.5,0.9", [0.1, 0.5, 0.9]),
        ("yes=10,no=1", {"yes": 10, "no": 1}),
        ("0=1,1=2.5", {0: 1, 1: 2.5}),
        ("balanced", "balanced"),
    ],
)
def test_lists_and_weights_of_classes(text, value):
    assert parse(text) == value


def test_an_option_of_the_other_task_is_refused(grulearn, csv):
    error = grulearn("fit", csv, "--target", "price", "--class-weight", "balanced", *QUICK).error
    assert error == "--class-weight is for classification; the task here is regression (--task)"
    error = grulearn("fit", csv, "--target", "price", "--task", "regressin").error
    assert error == "--task must be auto, regression or classification; it is regressin"


def test_a_file_that_is_there_is_replaced(grulearn, csv, tmp_path):
    path = tmp_path / "model.gru"
    path.write_text("old")
    assert grulearn("fit", csv, "--target", "price", "--output", path, *QUICK).code == 0
    assert isinstance(load(path), GRURegressor)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["houses.csv", "model.gru"]


def test_names_with_brackets_are_printed_as_they_are(grulearn, csv, houses, tmp_path):
    houses.rename(columns={"price": "price [USD]"}).to_csv(csv, index=False)
    path = tmp_path / "model.gru"
    assert grulearn("fit", csv, "--target", "price [USD]", "--output", path, *QUICK).code == 0
    assert "price [USD]" in grulearn("inspect", path).stdout


def test_numbers_are_read_exactly(grulearn, csv, tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=50) * 1e-7, "y": rng.normal(size=50) * 1e9})
    frame.to_csv(csv, index=False)
    path = tmp_path / "model.gru"
    grulearn("fit", csv, "--target", "y", "--output", path, *QUICK)
    by_hand = GRURegressor(4, max_iter=5, random_state=0).fit(frame[["a"]], frame.y)
    np.testing.assert_array_equal(load(path).predict(frame[["a"]]), by_hand.predict(frame[["a"]]))
