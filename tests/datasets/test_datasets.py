"""The bundled data: complete, exact, small, and honest about what they are."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from grulearn.datasets import load_boston_housing, load_california_housing

# sha256 over the float64 bytes of the whole table in C order, taken from the sources named in data/README.md.
TABLES = {
    load_california_housing: (
        (20640, 8), "MedHouseVal", "dfc7196b549ceb93965f28d3f7ccebe691dd64f824df83055fad5dd58e1c15cd",
    ),
    load_boston_housing: (
        (506, 13), "MEDV", "832e894115c56dd24ec63848d4a3d9bd921d268d0be1bee2a8f4ee5ea318f5f7",
    ),
}  # fmt: skip
LOADERS = list(TABLES)


@pytest.mark.parametrize("load", LOADERS)
def test_every_number_is_the_source_s(load):
    shape, _, digest = TABLES[load]
    bunch = load()
    assert bunch.data.shape == shape
    assert bunch.target.shape == shape[:1]
    table = np.column_stack([bunch.data, bunch.target])
    assert hashlib.sha256(table.tobytes()).hexdigest() == digest


@pytest.mark.parametrize("load", LOADERS)
def test_the_forms_agree(load):
    _, target_name, _ = TABLES[load]
    bunch = load()
    X, y = load(return_X_y=True)
    frame_X, frame_y = load(return_X_y=True, as_frame=True)
    framed = load(as_frame=True)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)
    np.testing.assert_array_equal(frame_X.to_numpy(), bunch.data)
    np.testing.assert_array_equal(frame_y.to_numpy(), bunch.target)
    assert X.flags.c_contiguous
    assert X.dtype == y.dtype == np.float64
    assert list(frame_X.columns) == bunch.feature_names
    assert frame_y.name == target_name
    assert bunch.target_names == [target_name]
    assert bunch.frame is None
    pd.testing.assert_frame_equal(framed.frame, framed.data.join(framed.target))


def test_columns_are_in_scikit_learn_s_order():
    assert load_california_housing().feature_names == [
        "MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude",
    ]  # fmt: skip
    assert load_boston_housing().feature_names == [
        "CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT",
    ]  # fmt: skip


@pytest.mark.parametrize("load", LOADERS)
def test_description_names_origin_licence_and_every_column(load):
    bunch = load()
    for word in ["Origin", "StatLib", "public", *bunch.feature_names, *bunch.target_names]:
        assert word in bunch.DESCR


def test_boston_says_why_it_was_removed():
    for text in (load_boston_housing().DESCR, load_boston_housing.__doc__):
        assert "encodes race" in text
        assert "segregation" in text
        assert "1.2" in text
        assert "reproducing older work" in text


def test_the_files_are_small():
    data = files("grulearn.datasets") / "data"
    assert len((data / "california_housing.csv.gz").read_bytes()) < 800_000
    assert len((data / "boston_housing.csv.gz").read_bytes()) < 20_000
