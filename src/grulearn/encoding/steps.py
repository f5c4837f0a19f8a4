"""What encodes one step at a time, for streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding.categories import MISSING_CODE, UNSEEN_CODE, Value

__all__ = ["StepTables"]


@dataclass(frozen=True, eq=False)
class StepTables:
    """The numbers of an :class:`InputEncoding`, for who encodes step by step.

    A stream keeps for each feature the last value ``v`` that was observed and the time ``s`` that its next
    gap counts from. At the first step, ``v = fill`` and ``s = t``. Then at each step, with features ``x``
    (NaN where missing) at time ``t``, for each feature, in float64:

    ::

        x = (x - mean) / scale          # NaN stays NaN; the mean of a feature that was never observed is NaN
        gap = (t - s) / unit            # t - s without rounding, if times are integers
        mask = 0 if isnan(x) else 1
        if mask: v, s = x, t

    and the row is, each number rounded to the network's dtype:

    ========= ======================================================================
    "error"   ``[x]``; a missing value is refused
    "mean"    ``[x, or fill where the mask is 0]``
    "forward" ``[v]``
    "simple"  ``[v, mask, gap]``: all v first, then all masks, then all gaps
    "decay"   the same
    ========= ======================================================================

    These are the bits of :meth:`InputEncoding.transform`. Whatever is not finite then is refused. A category
    has the code ``codes[c].get(value, unseen_code)``, a missing one `missing_code`, which "error" refuses.

    Parameters
    ----------
    mean, scale, fill : ndarray of float64, shape (F,)
    missing : {"error", "mean", "forward", "simple", "decay"}
    gap_kind : {"steps", "seconds", "numbers"} or None
        What `t` is: the number of the step; datetimes or durations; the user's numbers. None where there
        are no gaps.
    gap_unit : float
        Steps, seconds, or of the user's numbers. The unit of times of another tick is
        ``GapScale.ticks_per_unit(dtype)``.
    codes : tuple of C dict
        The code of each known value of each categorical feature.
    unseen_code, missing_code : int

    Examples
    --------
    >>> import pandas as pd
    >>> from grulearn.encoding import InputEncoding
    >>> from grulearn.sequences import Sequences
    >>> table = Sequences.from_array(pd.DataFrame({"load": [1.0, 3.0], "mode": ["idle", "run"]}))
    >>> tables = InputEncoding.fit(table, standardize=True, missing="forward").step_tables()
    >>> tables.mean, tables.scale, tables.codes
    (array([2.]), array([1.]), ({'idle': 2, 'run': 3},))
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    fill: NDArray[np.float64]
    missing: str
    gap_kind: str | None
    gap_unit: float
    codes: tuple[dict[Value, int], ...]
    unseen_code: int = UNSEEN_CODE
    missing_code: int = MISSING_CODE
