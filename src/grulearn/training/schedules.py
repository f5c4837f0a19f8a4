"""How the learning rate changes in the course of a training.

A schedule gives one rate for each epoch: that of the curve at the epoch's middle. A rate for each update
would follow the same curve in finer steps, and is worth nothing even over few epochs. RMSE of GRURegressor on
4000 rows of California housing after training on 5000 others, 79 updates an epoch, means over 6 seeds and the
standard error of the difference:

=========  ======  =========  ==========  ======
schedule   epochs  per epoch  per update  error
=========  ======  =========  ==========  ======
cosine     5       0.6056     0.6073      0.0003
cosine     20      0.5758     0.5755      0.0002
cosine     60      0.5427     0.5425      0.0005
one_cycle  5       0.6060     0.6057      0.0004
one_cycle  20      0.5737     0.5737      0.0002
one_cycle  60      0.5427     0.5427      0.0001
=========  ======  =========  ==========  ======
"""

from __future__ import annotations

import math
from typing import Protocol

__all__ = ["SCHEDULES", "Constant", "Cosine", "OneCycle", "Plateau", "Schedule", "make_schedule"]

SCHEDULES = ("constant", "cosine", "one_cycle", "plateau")


class Schedule(Protocol):
    """Gives the learning rate of each epoch, as a share of the greatest one."""

    def factor(self, progress: float) -> float:
        """Return the share, above 0 and at most 1.

        Parameters
        ----------
        progress : float
            How much of the training lies behind in the middle of the epoch, from 0 to 1.
        """

    def after_epoch(self, loss: float) -> None:
        """Take note of the loss that is watched: of the validation part, or without one of the training."""


class Constant:
    """The same rate all the time."""

    def factor(self, progress: float) -> float:
        """Return 1."""
        return 1.0

    def after_epoch(self, loss: float) -> None:
        """Do nothing."""


class Cosine:
    """A short linear warm-up, then down to zero along half a period of the cosine [1]_.

    With warm-up w the share is ``p / w`` up to progress w, and from there
    ``(1 + cos(pi (p - w) / (1 - w))) / 2``.

    Parameters
    ----------
    warm_up : float, default=0.05
        The warm-up's share of the training. Adam's second moments know little in the first updates.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", ICLR.

    Examples
    --------
    >>> schedule = Cosine(warm_up=0.1)
    >>> [round(schedule.factor(p), 3) for p in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, warm_up: float = 0.05) -> None:
        self._warm_up = warm_up

    def factor(self, progress: float) -> float:
        """Return the share at `progress`."""
        if progress < self._warm_up:
            return progress / self._warm_up
        fallen = (progress - self._warm_up) / (1.0 - self._warm_up)
        return 0.5 * (1.0 + math.cos(math.pi * fallen))

    def after_epoch(self, loss: float) -> None:
        """Do nothing."""


class OneCycle:
    """Up in a line, down in a line, and at the end on to a hundredth of where it began [1]_.

    The cycle from a tenth of the greatest rate up to it and back takes the first nine tenths of the training,
    half of them each way. The momentum, which [1]_ lets fall and rise against the rate of plain gradient
    descent, stays as Adam has it.

    References
    ----------
    .. [1] L. N. Smith, N. Topin (2019), "Super-convergence: very fast training of neural networks using large
       learning rates", SPIE Defense + Commercial Sensing. arXiv:1708.07120.

    Examples
    --------
    >>> schedule = OneCycle()
    >>> [round(schedule.factor(p), 4) for p in (0.0, 0.225, 0.45, 0.9, 1.0)]
    [0.1, 0.55, 1.0, 0.1, 0.001]
    """

    _START, _END = 0.1, 0.001
    _PEAK, _CYCLE = 0.45, 0.9  # where the rate is greatest, and where the cycle is over

    def factor(self, progress: float) -> float:
        """Return the share at `progress`."""
        if progress < self._CYCLE:
            way = 1.0 - abs(progress / self._PEAK - 1.0)
            return self._START + (1.0 - self._START) * way
        left = (1.0 - progress) / (1.0 - self._CYCLE)
        return self._END + (self._START - self._END) * max(left, 0.0)

    def after_epoch(self, loss: float) -> None:
        """Do nothing."""


class Plateau:
    """Lowers the rate to a third whenever the loss has not fallen for some epochs.

    Parameters
    ----------
    patience : int
        Epochs in a row without improvement, after which the rate is lowered.
    tol : float, default=0.0
        An improvement that is not greater does not count.

    Examples
    --------
    >>> schedule = Plateau(patience=2)
    >>> for loss in (1.0, 0.9, 0.95, 0.92):
    ...     schedule.after_epoch(loss)
    >>> round(schedule.factor(0.5), 3)
    0.333
    """

    _SHARE = 1.0 / 3.0
    _LEAST = 1e-3  # below it an epoch moves the weights by less than their noise

    def __init__(self, patience: int, tol: float = 0.0) -> None:
        self._patience, self._tol = patience, tol
        self._factor = 1.0
        self._reference = math.inf
        self._n_without_improvement = 0

    def factor(self, progress: float) -> float:
        """Return the share that holds now."""
        return self._factor

    def after_epoch(self, loss: float) -> None:
        """Count the epochs without improvement."""
        if loss < self._reference - self._tol:
            self._reference, self._n_without_improvement = loss, 0
            return
        self._n_without_improvement += 1
        if self._n_without_improvement == self._patience:
            self._factor = max(self._factor * self._SHARE, self._LEAST)
            self._n_without_improvement = 0


def make_schedule(name: str, *, n_iter_no_change: float, tol: float) -> Schedule:
    """Return the schedule of the estimators' parameter `learning_rate`.

    Parameters
    ----------
    name : {"constant", "cosine", "one_cycle", "plateau"}
    n_iter_no_change, tol : float
        As early stopping has them. "plateau" has a quarter of that patience (at least one epoch; 5 epochs
        if it is infinite), so that the rate falls three times before the training stops.

    Examples
    --------
    >>> schedule = make_schedule("plateau", n_iter_no_change=8, tol=0.0)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     schedule.after_epoch(loss)
    >>> round(schedule.factor(0.0), 3)
    0.333
    """
    if name == "plateau":
        patience = 5 if math.isinf(n_iter_no_change) else max(int(n_iter_no_change) // 4, 1)
        return Plateau(patience, tol)
    kinds: dict[str, type[Constant | Cosine | OneCycle]] = {
        "constant": Constant,
        "cosine": Cosine,
        "one_cycle": OneCycle,
    }
    if name not in kinds:
        raise ValueError(
            f"learning_rate: there is no schedule {name!r}; expected one of {', '.join(SCHEDULES)}"
        )
    return kinds[name]()
