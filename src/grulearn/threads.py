"""How many threads a computation may use."""

from __future__ import annotations

from joblib.parallel import get_active_backend

from grulearn import _core

__all__ = ["MAX_THREADS", "resolve_n_jobs"]

MAX_THREADS = 256  # of the core's pool


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Turn scikit-learn's `n_jobs` into a number of threads.

    Parameters
    ----------
    n_jobs : int or None
        None means all cores that this process may use (by affinity and the container's quota), but 1
        inside a worker of joblib, whose workers share the cores already. -1 means all cores, -2 all but
        one, and so on.

    Returns
    -------
    int
        From 1 to 256.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.

    Examples
    --------
    >>> resolve_n_jobs(3)
    3
    """
    if n_jobs == 0:
        raise ValueError("n_jobs is 0; expected a number of threads of at least 1, -1 for all cores, or None")
    if n_jobs is None:
        backend, _ = get_active_backend()
        return 1 if backend.nesting_level else _core.available_cores()
    if n_jobs < 0:
        return max(1, _core.available_cores() + 1 + n_jobs)
    return min(int(n_jobs), MAX_THREADS)
