"""Fits and predictions side by side, in threads and in processes, give the bits they give alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed

from grulearn.estimators import GRURegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6, 3))
Y = X[:, :, 0].sum(axis=1)


def regressors(n_jobs: int | None) -> list[GRURegressor]:
    """Four that differ in seed and size."""
    return [GRURegressor(8 * (1 + i), max_iter=4, n_jobs=n_jobs, random_state=i) for i in range(4)]


def bits(model: GRURegressor) -> tuple[bytes, ...]:
    return (
        model.predict(X).tobytes(),
        np.array(model.loss_curve_).tobytes(),
        *(weight.tobytes() for weight in model.weights_.values()),
    )


@pytest.fixture(scope="module")
def alone() -> list[tuple[bytes, ...]]:
    """The bits of each regressor, fitted one after the other in one thread."""
    return [bits(model.fit(X, Y)) for model in regressors(1)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fits_at_once_in_python_threads(n_jobs: int, alone: list[tuple[bytes, ...]]) -> None:
    with ThreadPoolExecutor(4) as pool:
        fitted = list(pool.map(lambda model: model.fit(X, Y), regressors(n_jobs)))
    assert [bits(model) for model in fitted] == alone


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_fits_at_once_in_joblib(backend: str, n_jobs: int | None, alone: list[tuple[bytes, ...]]) -> None:
    fitted = Parallel(n_jobs=2, backend=backend)(delayed(m.fit)(X, Y) for m in regressors(n_jobs))
    assert [bits(model) for model in fitted] == alone


def test_predictions_of_one_model_at_once() -> None:
    model = regressors(2)[2].fit(X, Y)
    parts = [X[:1], X[:7], X[:90], X]
    expected = [model.predict(part).tobytes() for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            assert [p.tobytes() for p in pool.map(model.predict, parts)] == expected
