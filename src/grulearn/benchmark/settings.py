"""How long and with how many threads to measure."""

from __future__ import annotations

from dataclasses import dataclass

from grulearn import _core
from grulearn.threads import resolve_n_jobs

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The benchmark's options.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Threads for every library; None means the cores that this process may use.
    rounds : int, default=9
        How often each library has its turn in each case.
    quick : bool, default=False
        Two rounds, shorter turns, fewer steps and epochs: to see that everything runs.

    Raises
    ------
    ValueError
        If a number is out of range; more threads than cores would measure the scheduler.

    Examples
    --------
    >>> from grulearn.benchmark import Settings
    >>> Settings(n_jobs=1, rounds=3).threads
    1
    """

    n_jobs: int | None = None
    rounds: int = 9
    quick: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds: expected at least 1, got {self.rounds}")
        cores = _core.available_cores()
        if self.threads > cores:
            raise ValueError(
                f"n_jobs: this process may use {cores} core{'s' if cores > 1 else ''}, and {self.threads} "
                "threads would wait for each other; expected at most one thread a core"
            )

    @property
    def threads(self) -> int:
        """Threads that each library gets."""
        return resolve_n_jobs(self.n_jobs)

    @property
    def n_rounds(self) -> int:
        """Rounds of each case."""
        return min(self.rounds, 2) if self.quick else self.rounds

    @property
    def turn_seconds(self) -> float:
        """How long a library's turn in a round lasts, if its call is shorter than that."""
        return 0.002 if self.quick else 0.02

    def count(self, normal: int) -> int:
        """Return a number of repetitions: a hundredth, but at least 10, if `quick`."""
        return max(10, normal // 100) if self.quick else normal
