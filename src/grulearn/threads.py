"""How many threads a computation may use."""

from __future__ import annotations

import sys
from multiprocessing import current_process

from grulearn import _core

__all__ = ["MAX_THREADS", "resolve_n_jobs"]

MAX_THREADS = 256  # of the core's pool


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Turn scikit-learn's `n_jobs` into a number of threads.

    Parameters
    ----------
    n_jobs : int or None
        None means all cores that this process may use (by affinity and the container's quota), but 1
        inside a worker of joblib, whatever its backend, or of loky: the workers share the cores already.
        -1 means all cores, -2 all but one, and so on, in a worker too. 1 starts no thread.

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
        return 1 if _is_worker() else min(_core.available_cores(), MAX_THREADS)
    if n_jobs < 0:
        return min(max(1, _core.available_cores() + 1 + n_jobs), MAX_THREADS)
    return min(int(n_jobs), MAX_THREADS)


def _is_worker() -> bool:
    """Tell whether this is a thread or process that joblib or loky has started."""
    # A worker of joblib's has it loaded already; to import it here would take longer than NumPy does.
    active_backend = getattr(sys.modules.get("joblib.parallel"), "get_active_backend", None)
    if active_backend is not None and active_backend()[0].nesting_level:
        return True
    # What was handed to loky itself: joblib marks its own tasks only.
    return any(kind.__name__ == "LokyProcess" for kind in type(current_process()).__mro__)
