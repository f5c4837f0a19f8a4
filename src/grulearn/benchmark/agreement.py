"""Timings of different results mean nothing: everyone must have computed the same numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOSS_TOLERANCE", "OUTPUT_TOLERANCE", "DisagreementError", "check_losses", "check_outputs"]

# States lie between -1 and 1. Sums of H products in float32 in another order differ by about 1e-6 at H = 512.
OUTPUT_TOLERANCE = 1e-5
# Relative. Adam's first step has the size of the learning rate however small a gradient is, so that where
# a gradient is all rounding the weights differ; the loss hardly depends on those.
LOSS_TOLERANCE = 1e-4


class DisagreementError(RuntimeError):
    """Two libraries computed different numbers."""


def check_outputs(where: str, outputs: Mapping[str, NDArray[np.float32]]) -> None:
    """Compare the states that several libraries computed with those of the first.

    Parameters
    ----------
    where : str
        The case, for the message.
    outputs : mapping of str to ndarray
        By library; all of one shape.

    Raises
    ------
    DisagreementError
        If a shape or a number differs; it names the library and by how much.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.benchmark.agreement import check_outputs
    >>> check_outputs("N1", {"grulearn": np.zeros(2), "other": np.full(2, 1e-6)})
    """
    (first, expected), *others = outputs.items()
    for name, given in others:
        if given.shape != expected.shape:
            raise DisagreementError(
                f"{where}: {name} gives states of shape {given.shape}, {first} of {expected.shape}"
            )
        difference = float(np.abs(given - expected).max(initial=0.0))
        if not difference <= OUTPUT_TOLERANCE:
            raise DisagreementError(
                f"{where}: the states of {name} and {first} differ by up to {difference:.1e}, more than "
                f"{OUTPUT_TOLERANCE:.0e}; the times would not be those of the same work"
            )


def check_losses(where: str, losses: Mapping[str, tuple[float, ...]]) -> None:
    """Compare the losses of several libraries, step by step, with those of the first.

    Parameters
    ----------
    where : str
        The case, for the message.
    losses : mapping of str to tuple of float
        By library: the loss before each step.

    Raises
    ------
    DisagreementError
        If two differ by more than the tolerance, relative to the first library's.

    Examples
    --------
    >>> from grulearn.benchmark.agreement import check_losses
    >>> check_losses("N1", {"grulearn": (1.0, 0.5), "other": (1.0, 0.50001)})
    """
    (first, expected), *others = losses.items()
    for name, given in others:
        for step, (theirs, ours) in enumerate(zip(given, expected, strict=True)):
            if not abs(theirs - ours) <= LOSS_TOLERANCE * abs(ours):
                raise DisagreementError(
                    f"{where}: after {step} training steps the loss is {theirs:.7g} in {name} and {ours:.7g} "
                    f"in {first}, which differ by more than {LOSS_TOLERANCE:.0e}; they do not train alike"
                )
