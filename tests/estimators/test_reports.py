"""What a fit tells: its hooks, and what it prints."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from grulearn.estimators import GRURegressor
from grulearn.estimators._reading import fingerprint
from grulearn.sequences import Sequences
from grulearn.training import EpochReport

TABLE, TARGET = make_friedman1(300, n_features=6, noise=0.3, random_state=0)


def test_hooks_and_printing(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    epochs: list[EpochReport] = []
    model = GRURegressor(4, max_iter=3, random_state=0)
    model._fit(TABLE, TARGET, on_start=lines.append, on_epoch=epochs.append)
    assert capsys.readouterr() == ("", "")
    assert lines == [model.reading_]
    assert [e.training_loss for e in epochs] == model.loss_curve_
    assert [e.validation_loss for e in epochs] == model.validation_scores_

    GRURegressor(4, max_iter=3, verbose=1, random_state=0).fit(TABLE, TARGET)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        "300 sequences of 1 step, 6 features: the recurrent weights are not used; "
        "pass a 3-D array (sample, step, feature) for sequences"
    )
    assert printed[1] == "held out: 30 of 300 sequences, drawn at random"
    assert printed[2].startswith(f"epoch 1/3  training loss {model.loss_curve_[0]:.6g}  validation loss")
    assert len(printed) == 6
    assert printed[-1].startswith("stopped after epoch 3: max_iter; the weights of epoch")


@pytest.mark.parametrize(("verbose", "expected"), [(1, 101), (2, 1000)])
def test_long_trainings_print_about_a_hundred_lines(
    verbose: int, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    model = GRURegressor(2, max_iter=1000, batch_size=300, early_stopping=False, verbose=verbose)
    model.fit(TABLE[:, :2], TARGET)
    assert sum(line.startswith("epoch") for line in capsys.readouterr().out.splitlines()) == expected


def test_a_log_with_windows_that_nearly_all_overlap_gets_a_warning() -> None:
    """131 windows: those from 117 on are held out, and the first 18 share no step with them."""
    windows = Sequences.from_array(np.random.default_rng(0).normal(size=(1, 230, 1))).windows(100)
    with pytest.warns(UserWarning, match=r"99 sequences share steps with the 14 .*; 18 are left"):
        GRURegressor(4, max_iter=1).fit(windows, np.arange(131.0))


def test_the_fingerprint_looks_at_shared_rows_once() -> None:
    """Windows over a log overlap; spread out, these would take 500 times the log's memory."""
    log = Sequences.from_array(np.random.default_rng(0).normal(size=(1, 20_000, 2)))
    windows = log.windows(512, step=1)
    tracemalloc.start()
    of_windows = fingerprint(windows, np.zeros(len(windows)))
    assert tracemalloc.get_traced_memory()[1] < 10 * log.rows.nbytes
    tracemalloc.stop()
    assert of_windows != fingerprint(log.windows(512, step=2), np.zeros(len(windows)))


def test_the_fingerprint_is_that_of_the_numbers_in_their_order() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, 2)) for n in (3, 1, 4)]
    X, y = Sequences.from_list(arrays), np.zeros(3)
    turned = Sequences.from_list(arrays[::-1])
    assert fingerprint(X[[2, 1, 0]], y) == fingerprint(turned, y) != fingerprint(X, y)
