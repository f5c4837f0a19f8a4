"""Random masks in training: dropout between layers, recurrent dropout, zoneout.

All three are made of masks ``m`` of zeros and ones, drawn anew for each epoch of training.

- Dropout [1]_, with probability p: what a layer's states hand to the next layer, or to the head, is
  ``m * h / (1 - p)`` with m = 0 with probability p, drawn for each unit and step. Not on the way from one
  step to the next [2]_. A prediction uses h.
- Recurrent dropout [3]_: in the products with U the state is ``m * h / (1 - p)``, with one mask for all gates
  and all steps of a sequence. What z keeps is h. A prediction uses h.
- Zoneout [4]_: a step leaves a unit's state as it was with probability p::

      h' = m * h + (1 - m) * ((1 - z) * n + z * h)        m = 1 with probability p, for each unit and step

  A prediction takes the expectation, p instead of m: it is thus a part of what the network computes.

References
----------
.. [1] N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting",
   Journal of Machine Learning Research 15:1929-1958. https://jmlr.org/papers/v15/srivastava14a.html
.. [2] W. Zaremba, I. Sutskever, O. Vinyals (2014), "Recurrent neural network regularization",
   https://arxiv.org/abs/1409.2329
.. [3] Y. Gal, Z. Ghahramani (2016), "A theoretically grounded application of dropout in recurrent neural
   networks", NeurIPS. https://arxiv.org/abs/1512.05287
.. [4] D. Krueger et al. (2017), "Zoneout: regularizing RNNs by randomly preserving hidden activations", ICLR.
   https://arxiv.org/abs/1606.01305
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .arrays import Array

__all__ = ["Masks", "dropout_factors"]


class Masks(NamedTuple):
    """What :func:`gru_sequence` multiplies states with; a part that is not given leaves them alone."""

    layers: Sequence[Array] | None = None
    """Factors of the states of each layer but the last, as the next one reads them, (N, T, D*H) each."""
    recurrent: Array | None = None
    """Factors of the states that U multiplies, shape (L*D, N, H)."""
    zoneout: Array | float | None = None
    """The part of each state that a step leaves as it was: shape (L*D, N, T, H), or one number for all."""


def dropout_factors(mask: Array, rate: float) -> Array:
    """Return what dropout multiplies with: ``mask / (1 - rate)``, whose expectation is 1.

    Parameters
    ----------
    mask : array
        Zeros, with probability `rate`, and ones.
    rate : float
        At least 0 and below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.equations import dropout_factors
    >>> dropout_factors(np.array([1.0, 0.0, 1.0]), 0.5)
    array([2., 0., 2.])
    """
    return mask / (1.0 - rate)
