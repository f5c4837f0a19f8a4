"""What the network eats: numbers and codes, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EncodedSequences"]


@dataclass(frozen=True, eq=False)
class EncodedSequences:
    """N sequences as an engine reads them; sequence `i` is ``rows[starts[i] : starts[i] + lengths[i]]``.

    Picking sequences by a slice, an index array or a mask shares the rows.

    Parameters
    ----------
    rows : ndarray of float32 or float64, shape (R, W)
        The numeric inputs of each step, C-contiguous; W is ``InputSpec.row_width``.
    codes : ndarray of int32, shape (R, C)
        The code of each categorical feature: 0 to its number of codes - 1.
    starts, lengths : ndarray of int64, shape (N,)
        The first row of each sequence, and its number of steps. The starts are not those of the sequences
        that were encoded: what belongs to the steps of those has to be looked up with theirs.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn.encoding import InputEncoding
    >>> from grulearn.sequences import Sequences
    >>> X = Sequences.from_list([[1.0, 2.0], [3.0]])
    >>> encoded = InputEncoding.fit(X, standardize=False, missing="error").transform(X)
    >>> len(encoded), len(encoded[[1, 1, 0]]), encoded[1:].starts
    (2, 3, array([2]))
    """

    rows: NDArray[Any]
    codes: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, key: slice | NDArray[Any]) -> EncodedSequences:
        """Pick sequences by a slice, an index array or a mask."""
        return EncodedSequences(self.rows, self.codes, self.starts[key], self.lengths[key])
