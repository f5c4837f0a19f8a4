"""What an estimator's streams are made of, or why there can be none."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from grulearn.threads import resolve_n_jobs

if TYPE_CHECKING:
    from grulearn.estimators._base import BaseGRU

__all__ = ["stream_parts"]


def stream_parts(estimator: BaseGRU, n_streams: int) -> dict[str, Any]:
    """Return the arguments of :class:`~grulearn.streaming.Stream` for a fitted estimator.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    TypeError, ValueError
        If `n_streams` is no integer of at least 1, or the network needs a sequence's end.
    """
    check_is_fitted(estimator)
    _check_network(estimator)
    return {
        # It is never changed: a training that goes on trains a copy.
        "engine": estimator._engine,
        "encoding": estimator._encoding,
        "n_streams": _check_number(n_streams),
        "columns": estimator._step_columns,
        "n_jobs": resolve_n_jobs(estimator.n_jobs),
    }


def _check_network(estimator: BaseGRU) -> None:
    spec = estimator._engine.spec
    if spec.cell.bidirectional:
        raise ValueError(
            "stream: this network is bidirectional, and its reverse direction begins at a sequence's last "
            "step, which a stream has not seen. Fit with bidirectional=False to stream"
        )
    if spec.pool.kind == "attention":
        raise ValueError(
            'stream: pooling="attention" weighs all steps of a sequence against each other, so that each new '
            'step would need all those before it again. Fit with pooling="last", "mean" or "max" to stream'
        )
    if estimator.sequence_lengths_[2] == 1:
        raise ValueError(
            f"stream: this {type(estimator).__name__} was fitted on sequences of one step, which train no "
            "recurrent weights, so that there is nothing to carry from step to step. Call predict, or fit on "
            "sequences"
        )


def _check_number(n_streams: Any) -> int:
    try:
        number = operator.index(n_streams) if not isinstance(n_streams, bool) else None
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"n_streams must be an integer, got {n_streams!r}")
    if not 1 <= number < 2**31:  # beyond, a state alone takes gigabytes
        raise ValueError(f"n_streams must be at least 1 and below 2**31, got {number}")
    return number
