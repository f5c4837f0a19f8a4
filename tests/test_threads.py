"""How n_jobs becomes a number of threads, and what the threads live through: forks and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import ProcessPoolExecutor

from grulearn import GRU, _core
from grulearn.threads import MAX_THREADS, resolve_n_jobs

FITS = """
import os
import numpy as np
from grulearn import GRU, GRURegressor

rng = np.random.default_rng(0)
X, y = rng.normal(size=(300, 6, 3)), rng.normal(size=300)

def fit(n_jobs):
    return GRURegressor(24, max_iter=3, batch_size=128, n_jobs=n_jobs, random_state=0).fit(X, y)

def bits(n_jobs):
    model = fit(n_jobs)
    weights = [weight.ravel() for weight in model.weights_.values()]
    return np.concatenate([model.predict(X), model.loss_curve_, *weights]).tobytes()

def n_threads():
    return len(os.listdir("/proc/self/task"))
"""


def run(code: str) -> list[str]:
    """Run `code` in a process of its own and return the words that it prints."""
    # A hang has to fail the test: SIGALRM ends a process even while it waits in native code.
    code = f"import signal; signal.alarm(60)\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_numbers_stand_for_themselves() -> None:
    assert [resolve_n_jobs(n) for n in (1, 2, 7)] == [1, 2, 7]
    assert resolve_n_jobs(10**9) == MAX_THREADS


def test_negative_numbers_count_back_from_all_cores() -> None:
    cores = _core.available_cores()
    assert resolve_n_jobs(None) == resolve_n_jobs(-1) == cores
    assert resolve_n_jobs(-2) == max(1, cores - 1)
    assert resolve_n_jobs(-1000) == 1


def test_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="n_jobs is 0"):
        resolve_n_jobs(0)


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= _core.available_cores() <= len(os.sched_getaffinity(0))
    code = """
import os
from grulearn import _core
from grulearn.threads import resolve_n_jobs
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
print(_core.available_cores(), resolve_n_jobs(None), resolve_n_jobs(-1), resolve_n_jobs(3))
"""
    assert run(code) == ["1", "1", "1", "3"]


# Workers


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_use_one_thread(backend: str) -> None:
    tasks = [delayed(resolve_n_jobs)(n) for n in (None, None, 3, -1)]
    assert Parallel(n_jobs=2, backend=backend)(tasks) == [1, 1, 3, _core.available_cores()]


def test_workers_of_joblib_that_are_forked_use_one_thread() -> None:
    # In a process of its own: Python 3.12 warns of a fork where there are threads.
    code = """
from joblib import Parallel, delayed
from grulearn.threads import resolve_n_jobs
print(*Parallel(n_jobs=2, backend="multiprocessing")(delayed(resolve_n_jobs)(n) for n in (None, None, 3)))
"""
    assert run(code) == ["1", "1", "3"]


def test_workers_of_loky_use_one_thread() -> None:
    with ProcessPoolExecutor(max_workers=1) as executor:
        assert [executor.submit(resolve_n_jobs, n).result(60) for n in (None, 3)] == [1, 3]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_choice_of_a_backend_alone_makes_no_worker(backend: str) -> None:
    with parallel_config(backend=backend, n_jobs=2):
        assert resolve_n_jobs(None) == _core.available_cores()


def test_arrays_do_not_need_joblib() -> None:
    code = """
import sys
from grulearn import GRU
GRU({"weight_ih_l0": [[0.0]] * 3, "weight_hh_l0": [[0.0]] * 3})([[1.0]])
print("joblib" in sys.modules)
"""
    assert run(code) == ["False"]


# Threads and forks


def test_one_job_starts_no_thread_and_two_start_one() -> None:
    code = """
before = n_threads()  # NumPy's BLAS starts its own when it is loaded
model = fit(1)
model.predict(X)
GRU({name: w for name, w in model.weights_.items()}, n_jobs=1)(X)
alone = n_threads()
fit(2)
print(alone - before, n_threads() - alone)
"""
    assert run(FITS + code) == ["0", "1"]


def test_training_goes_on_after_a_fork() -> None:
    """In the child and in the parent; also if another of its threads is computing when it forks."""
    code = """
import multiprocessing, threading
model = fit(2)
expected = bits(2)

def check():
    signal.alarm(30)
    assert bits(2) == bits(1) == expected

def fork_and_check():
    children = [multiprocessing.get_context("fork").Process(target=check) for _ in range(2)]
    for child in children:
        child.start()
    print(bits(2) == expected)
    for child in children:
        child.join()
        print(child.exitcode)

def compute():
    while not done.is_set():
        model.predict(X)

child = os.fork()
if child == 0:
    check()
    os._exit(0)
print(os.waitpid(child, 0)[1])
fork_and_check()
done = threading.Event()
others = [threading.Thread(target=compute) for _ in range(2)]
for thread in others:
    thread.start()
fork_and_check()
done.set()
"""
    assert run(FITS + code) == ["0", *["True", "0", "0"] * 2]


def test_threads_keep_their_cores() -> None:
    """A worker leaves its waker's core to wake up, and has to take it back."""
    code = """
import time
import numpy as np
from grulearn import GRU
rng = np.random.default_rng(0)
gru = GRU({"weight_ih_l0": rng.normal(size=(96, 3)), "weight_hh_l0": rng.normal(size=(96, 32))}, n_jobs=2)
x = rng.normal(size=(64, 20, 3)).astype(np.float32)
for _ in range(50):
    gru(x)
    time.sleep(0.002)  # longer than workers poll
time.sleep(0.1)
masks = [os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")]
print(len(masks) > 1 or len(masks[0]) == 1, all(mask == masks[0] for mask in masks))
"""
    assert run("import os\n" + code) == ["True", "True"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_python_threads_may_call_one_network_at_once(dtype: str) -> None:
    rng = np.random.default_rng(0)
    weights = {"weight_ih_l0": rng.normal(size=(96, 3)), "weight_hh_l0": rng.normal(size=(96, 32))}
    gru = GRU(weights, n_jobs=2, dtype=dtype)
    inputs = [rng.normal(size=(n, 20, 3)) for n in (1, 3, 40, 70)]
    alone = [gru(x)[0].tobytes() for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            assert [out[0].tobytes() for out in pool.map(gru, inputs)] == alone
