"""grulearn inspect: what is in a model file."""

from __future__ import annotations

import json

import pytest

from grulearn import GRURegressor, load

FIELDS = [
    "file", "bytes", "format_version", "estimator", "options", "network", "n_parameters", "features",
    "n_features", "targets", "classes", "categories", "missing", "table", "data", "seed",
    "history", "versions", "instruction_set",
]  # fmt: skip


@pytest.fixture
def described(grulearn, model):
    outcome = grulearn("inspect", model, "--json")
    assert outcome.code == 0
    assert outcome.stderr == ""
    return json.loads(outcome.stdout)


def test_json_has_these_fields(described):
    assert list(described) == FIELDS
    assert list(described["data"]) == ["reading", "sequence_lengths", "fingerprint"]


def test_json_agrees_with_the_estimator(described, model):
    fitted = load(model)
    assert described["estimator"] == "GRURegressor"
    assert described["options"] == fitted.get_params()
    assert described["network"] == json.loads(json.dumps(fitted.spec_.to_dict()))
    assert described["n_parameters"] == sum(weight.size for weight in fitted.weights_.values())
    assert described["features"] == ["rooms", "age"]
    assert described["targets"] == ["price"]
    assert described["history"]["loss_curve"] == fitted.loss_curve_
    assert described["history"]["validation_scores"] == fitted.validation_scores_
    assert described["seed"] == 0
    assert described["instruction_set"] == fitted.instruction_set_
    assert described["data"]["fingerprint"].startswith("sha256:")
    assert described["bytes"] == model.stat().st_size


def test_json_is_strict_where_numbers_are_infinite(grulearn, csv, houses, tmp_path):
    path = tmp_path / "model.gru"
    arguments = ("--target", "price", "--n-iter-no-change", "inf", "--max-iter", 3, "--hidden-size", 2)
    assert grulearn("fit", csv, *arguments, "--output", path).code == 0
    text = grulearn("inspect", path, "--json").stdout

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse)["options"]["n_iter_no_change"] is None


def test_text_shows_what_a_person_asks_for(grulearn, model):
    text = " ".join(grulearn("inspect", model).stdout.split())
    for part in [
        "GRURegressor",
        "2 features, 1 x 4 hidden units, 1 output; 101 parameters",
        "rooms, age",
        "60 sequences of 1 step",
        "5 epochs, stopped: max_iter; lowest validation loss",
        "hidden_size=4",
        "scikit-learn",
        "sha256:",
    ]:
        assert part in text


def test_model_saved_from_python(grulearn, houses, tmp_path):
    path = tmp_path / "model.gru"
    X = houses[["rooms", "age"]].to_numpy(float)
    GRURegressor(3, num_layers=2, bidirectional=True, max_iter=1, random_state=0).fit(X, X).save(path)
    text = " ".join(grulearn("inspect", path).stdout.split())
    assert "2 x 3 hidden units, both directions, 2 outputs" in text
    assert "2 without names" in text
    assert json.loads(grulearn("inspect", path, "--json").stdout)["targets"] is None
