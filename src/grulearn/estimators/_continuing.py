"""Going on with a training: what it keeps of the one before, and what it cannot go on with."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from grulearn.engines import Engine
from grulearn.spec import NetworkSpec
from grulearn.training import Outcome, Split

if TYPE_CHECKING:
    from grulearn.estimators._base import BaseGRU
    from grulearn.estimators._fitting import Request

__all__ = ["Curves", "held_out_key", "join_lengths", "random_streams", "resume_engine"]

Lengths = tuple[int, float, int]


class Curves(NamedTuple):
    """The losses of all epochs.

    Parameters
    ----------
    training : list of float
    validation : list of float or None
        NaN for epochs without; None if there was none in any.
    """

    training: list[float]
    validation: list[float] | None

    def then(self, training: list[float], validation: list[float] | None) -> Self:
        """Return these losses and those that followed."""
        held_out = None
        if self.validation is not None or validation is not None:
            blank = [math.nan] * len(self.training)
            held_out = (self.validation or blank) + (validation or [math.nan] * len(training))
        return type(self)(self.training + training, held_out)

    def best(self, outcome: Outcome, best_iter: int) -> tuple[float, int]:
        """Return the lowest loss and its epoch, after a training that went on from `best_iter`.

        With a validation part it is that of the weights which are kept, on the part of this training;
        without one it is the lowest training loss of all epochs.
        """
        n_before = len(self.training)
        if outcome.validation_scores is not None:
            return outcome.best_loss, n_before + outcome.best_iter if outcome.best_iter else best_iter
        finite = [(loss, epoch) for epoch, loss in enumerate(self.training, 1) if math.isfinite(loss)]
        if outcome.best_iter:
            finite.append((outcome.best_loss, n_before + outcome.best_iter))
        return min(finite, default=(math.inf, 0))


def random_streams(seed: int, n_epochs: int) -> tuple[np.random.Generator, ...]:
    """Return generators for the validation part, the initial weights and the order of the samples.

    One for each purpose, so that other initial weights leave the others alone; that of the orders goes on
    after `n_epochs`.
    """
    split, init, _ = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    order = np.random.SeedSequence(seed, spawn_key=(2,), n_children_spawned=n_epochs)
    return split, init, np.random.default_rng(order)


def held_out_key(fingerprint: str, parts: Split | None, request: Request, before: str | None) -> str | None:
    """Return what says which validation part no training of this network has seen; None if there is none.

    A training that goes on and holds out another part than those before, or none, has seen what they held
    out, or will: there is no such part any more. A validation part that is given, `X_val`, is the user's to
    keep away from training.
    """
    if request.X_val is not None:
        return "given"
    if parts is None:
        return None
    digest = hashlib.sha256(fingerprint.encode() + parts.validation.tobytes())
    if parts.held_out_steps is not None:
        digest.update(parts.held_out_steps.tobytes())
    key = digest.hexdigest()
    return key if not request.continuing or key == before else None


def join_lengths(before: Lengths, now: Lengths) -> Lengths:
    """Return the least and greatest number of steps of all samples so far, and the latest median."""
    return min(before[0], now[0]), now[1], max(before[2], now[2])


def resume_engine(estimator: BaseGRU, wanted: NetworkSpec, initial_weights: Any) -> Engine:
    """Return a copy of the fitted network, to be trained further.

    Raises
    ------
    ValueError
        If the parameters ask for another network, or for something else that is fitted already.
    """
    fitted = estimator._engine.spec
    if wanted != fitted:
        raise ValueError(
            "the parameters ask for another network than the fitted one, so that its training cannot go on: "
            f"{_changes(fitted, wanted)}. Set them back, or fit anew with warm_start=False"
        )
    if estimator.missing != estimator._encoding.missing:
        raise ValueError(
            f"missing={estimator.missing!r}, but the training that is to go on began with "
            f"{estimator._encoding.missing!r}. Set it back, or fit anew with warm_start=False"
        )
    if initial_weights is not None:
        raise ValueError("initial_weights: a training that goes on begins with the weights it has")
    return copy.deepcopy(estimator._engine)


def _changes(fitted: NetworkSpec, wanted: NetworkSpec) -> str:
    """Return in words what differs between two networks."""

    def flat(fields: Mapping[str, Any], place: str = "") -> dict[str, Any]:
        items: dict[str, Any] = {}
        for name, value in fields.items():
            items |= flat(value, f"{place}{name}.") if isinstance(value, Mapping) else {place + name: value}
        return items

    now = flat(wanted.to_dict())
    return ", ".join(
        f"{name.removeprefix('cell.')} {value!r} became {now[name]!r}"
        for name, value in flat(fitted.to_dict()).items()
        if value != now[name]
    )
