"""How n_jobs becomes a number of threads."""

from __future__ import annotations

import pytest
from joblib import Parallel, delayed

from grulearn import _core
from grulearn.threads import resolve_n_jobs


def test_numbers_stand_for_themselves() -> None:
    assert [resolve_n_jobs(n) for n in (1, 2, 7)] == [1, 2, 7]


def test_negative_numbers_count_back_from_all_cores() -> None:
    cores = _core.available_cores()
    assert resolve_n_jobs(None) == resolve_n_jobs(-1) == cores
    assert resolve_n_jobs(-2) == max(1, cores - 1)
    assert resolve_n_jobs(-1000) == 1


def test_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="n_jobs is 0"):
        resolve_n_jobs(0)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_use_one_thread(backend: str) -> None:
    tasks = [delayed(resolve_n_jobs)(None), delayed(resolve_n_jobs)(None), delayed(resolve_n_jobs)(3)]
    assert Parallel(n_jobs=2, backend=backend)(tasks) == [1, 1, 3]
