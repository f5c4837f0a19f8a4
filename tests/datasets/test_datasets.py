"""The bundled data: complete, exact, small, and honest about what they are."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from grulearn import Sequences
from grulearn.datasets import (
    load_boston_housing,
    load_california_housing,
    load_japanese_vowels,
    load_surnames,
)

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
    # Six decimals of noise in each of 119,532 numbers: some 290 kB in whatever form.
    assert len((data / "japanese_vowels.csv.gz").read_bytes()) < 460_000
    assert len((data / "surnames.csv.gz").read_bytes()) < 25_000


class TestJapaneseVowels:
    """Sequences of different lengths, with their own split."""

    # sha256 over lengths (int64), speakers (int64) and all steps (float64), stacked, of the 640 cases of the
    # source named in data/japanese_vowels.md, read from its text by hand.
    DIGEST = "54c08e415aa98cd8a13f91f3a23fe1d2ec4d2a03bb059d124a6f23596083f686"
    TEST_COUNTS = (31, 35, 88, 44, 29, 24, 40, 50, 29)

    def test_every_number_is_the_source_s(self):
        X, y = load_japanese_vowels(subset="all", return_X_y=True)
        digest = hashlib.sha256(X.lengths.tobytes() + y.tobytes() + X.rows.tobytes())
        assert digest.hexdigest() == self.DIGEST

    def test_the_split_is_the_data_s(self):
        everything, speakers = load_japanese_vowels(subset="all", return_X_y=True)
        train, y_train = load_japanese_vowels(return_X_y=True)
        test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
        assert [len(part) for part in (train, test, everything)] == [270, 370, 640]
        assert set(Counter(y_train.tolist()).values()) == {30}
        assert tuple(np.bincount(y_test)[1:]) == self.TEST_COUNTS
        np.testing.assert_array_equal(np.concatenate([y_train, y_test]), speakers)
        np.testing.assert_array_equal(np.concatenate([train.rows, test.rows]), everything.rows)
        np.testing.assert_array_equal(np.concatenate([train.ids, test.ids]), np.arange(640))

    def test_what_a_bunch_holds(self):
        bunch = load_japanese_vowels(subset="test")
        assert isinstance(bunch.data, Sequences)
        assert bunch.data.n_steps_summary() == (7, 15.0, 29)
        assert bunch.data.schema.features == tuple(bunch.feature_names)
        assert bunch.data.label(0) == "sequence 0 (utterance 270)"
        assert bunch.target.dtype == np.int64
        assert bunch.frame is None

    @pytest.mark.parametrize("subset", ["train", "test", "all"])
    def test_the_long_frame_is_the_same_data(self, subset):
        X, y = load_japanese_vowels(subset=subset, return_X_y=True)
        bunch = load_japanese_vowels(subset=subset, as_frame=True)
        read, targets = Sequences.from_frame(
            bunch.frame, id_col="utterance", time_col="step", target_col="speaker"
        )
        np.testing.assert_array_equal(read.rows, X.rows)
        np.testing.assert_array_equal(read.lengths, X.lengths)
        np.testing.assert_array_equal(read.ids, X.ids)
        np.testing.assert_array_equal(targets, y)
        pd.testing.assert_frame_equal(bunch.frame.drop(columns="speaker"), bunch.data)
        assert bunch.target.index.tolist() == X.ids.tolist()
        np.testing.assert_array_equal(bunch.target, y)
        assert (bunch.target.name, bunch.target_names) == ("speaker", ["speaker"])

    def test_another_subset_is_refused(self):
        with pytest.raises(ValueError, match="subset='validation'; expected 'train', 'test' or 'all'"):
            load_japanese_vowels(subset="validation")

    def test_description(self):
        for word in ("Kudo", "UCI", "CC BY 4.0", "What was changed", "speaker", "utterance", "lpcc_12"):
            assert word in load_japanese_vowels().DESCR


class TestSurnames:
    """Texts and labels."""

    def test_forms_agree(self):
        bunch, framed = load_surnames(), load_surnames(as_frame=True)
        names, languages = load_surnames(return_X_y=True)
        assert bunch.data == names
        assert framed.data.tolist() == names
        assert languages.tolist() == bunch.target.tolist() == framed.target.tolist()
        assert list(framed.frame.columns) == ["surname", "language"]
        assert framed.frame.shape == (5338, 2)
        assert bunch.frame is None
        series, targets = load_surnames(return_X_y=True, as_frame=True)
        assert (series.name, targets.name) == ("surname", "language")

    def test_names_are_distinct_composed_and_sorted(self):
        names, _ = load_surnames(return_X_y=True)
        assert len({name.casefold() for name in names}) == len(names)
        assert names == sorted(names)
        for name in names:
            assert name == unicodedata.normalize("NFC", name).strip()
            assert all(c.isalpha() or c in " '-" for c in name)

    def test_the_description_counts_them(self):
        bunch = load_surnames()
        for language, n in Counter(bunch.target.tolist()).items():
            assert f"| {language} | {n} |" in bunch.DESCR
        for word in ("Faker", "Daniele Faraglia", "MIT", "How it was made", "76 %"):
            assert word in bunch.DESCR

    def test_languages_can_be_told_by_their_letters(self):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import train_test_split
        from sklearn.pipeline import make_pipeline

        names, languages = load_surnames(return_X_y=True)
        X, X_test, y, y_test = train_test_split(
            names, languages, test_size=0.2, stratify=languages, random_state=0
        )
        runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), lowercase=False)
        model = make_pipeline(runs, LogisticRegression(C=10, max_iter=1000)).fit(X, y)
        # 0.758 with scikit-learn 1.9; chance is 0.09.
        assert model.score(X_test, y_test) > 0.72
