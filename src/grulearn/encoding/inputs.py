"""The encoding of inputs: numbers scaled, missing values filled in, categories numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from grulearn.encoding._checks import check_missing, check_values, has_finite_sum
from grulearn.encoding._places import category_label, feature_label, find, more
from grulearn.encoding._segments import Segments, block_rows
from grulearn.encoding._weights import counting_weights
from grulearn.encoding.categories import MISSING_CODE, CategoryCodes, fit_categories
from grulearn.encoding.encoded import EncodedSequences
from grulearn.encoding.scaling import Scaling
from grulearn.sequences import Sequences
from grulearn.spec import InputSpec

__all__ = ["InputEncoding"]


@dataclass(frozen=True, eq=False)
class InputEncoding:
    """What turns a user's sequences into a network's inputs, fitted on the training part.

    Parameters
    ----------
    scaling : Scaling
        Of the F numeric features.
    fill : ndarray of float64, shape (F,)
        What stands for a missing value where nothing better is known: the training mean, in the network's
        units.
    missing : {"error", "mean", "forward", "simple", "decay"}
        What is done about missing values.
    categories : tuple of C CategoryCodes

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from grulearn.encoding import InputEncoding
    >>> from grulearn.sequences import Sequences
    >>> log = pd.DataFrame({"load": [2.0, 4.0, 6.0], "mode": ["idle", "run", "run"]})
    >>> encoding = InputEncoding.fit(Sequences.from_array(log), standardize=True, missing="error")
    >>> encoding.input_spec
    InputSpec(n_features=1, categorical=((4, 3),), decay=False)
    >>> new = pd.DataFrame({"load": [8.0, 4.0], "mode": ["boost", "run"]})
    >>> encoded = encoding.transform(Sequences.from_array(new))
    >>> encoded.rows
    array([[2.4494898],
           [0.       ]], dtype=float32)
    >>> encoded.codes.ravel().tolist()
    [0, 3]
    """

    scaling: Scaling
    fill: NDArray[np.float64]
    missing: str
    categories: tuple[CategoryCodes, ...]

    @classmethod
    def fit(
        cls,
        data: Sequences,
        *,
        standardize: bool,
        missing: str,
        weights: NDArray[np.float64] | None = None,
    ) -> Self:
        """Learn means, deviations and categories.

        Parameters
        ----------
        data : Sequences
            The training part only.
        standardize : bool
            Whether numeric features are scaled to mean 0 and standard deviation 1.
        missing : {"error", "mean", "forward", "simple", "decay"}
            What is done about missing values.
        weights : array-like of shape (N,), default=None
            How often each sequence counts for means and deviations. One of weight 0 does not count at all:
            its categories stay unknown too.

        Returns
        -------
        InputEncoding

        Raises
        ------
        ValueError
            If a value is infinite, or missing with ``missing="error"``; the message names its place in
            `data`. If the weights are not N finite numbers of at least 0, or all are 0.
        """
        check_missing(missing)
        kept, shares = counting_weights(len(data), weights)
        if kept is not None:
            data = data[kept]
        check_values(data, missing)
        n_features = data.n_features
        scaling, fill = Scaling.identity(n_features), np.zeros(n_features)
        if standardize:
            scaling = Scaling.fit(data, shares)
        elif missing != "error":
            fill = np.nan_to_num(Scaling.fit(data, shares).mean, nan=0.0)
        return cls(scaling, fill, missing, fit_categories(data))

    def transform(self, data: Sequences, dtype: str = "float32") -> EncodedSequences:
        """Encode sequences.

        Parameters
        ----------
        data : Sequences
            With the features of the training part, in their order.
        dtype : {"float32", "float64"}, default="float32"
            What the network computes in.

        Returns
        -------
        EncodedSequences

        Raises
        ------
        ValueError
            If the number or the kind of features differs from the training part's, a value is infinite, is
            missing with ``missing="error"``, or is too large for `dtype` after scaling. The message names
            the place.
        """
        self._check_features(data)
        read = Segments.shared(data)
        return EncodedSequences(
            self._encode_rows(data, read, dtype), self._encode_codes(data, read), read.starts, data.lengths
        )

    @property
    def n_features(self) -> int:
        """Number of numeric features F that `transform` expects."""
        return len(self.fill)

    @property
    def input_spec(self) -> InputSpec:
        """What the network has to read."""
        tables = tuple((codes.n_codes, codes.size) for codes in self.categories)
        return InputSpec(self.n_features, categorical=tables)

    @property
    def constant(self) -> NDArray[np.int64]:
        """Positions of the numeric features that had one value only in the training part; with scaling."""
        return np.flatnonzero(self.scaling.constant)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of numbers that, with `state`, `from_parts` rebuilds the encoding from."""
        return {**self.scaling.to_arrays(), "fill": self.fill}

    def state(self) -> dict[str, Any]:
        """Return the rest of what `from_parts` needs, as JSON values."""
        return {"missing": self.missing, "categories": [codes.state() for codes in self.categories]}

    @classmethod
    def from_parts(cls, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> Self:
        """Rebuild an encoding from what `to_arrays` and `state` returned, now or in an older version.

        Parameters
        ----------
        arrays : mapping
            Without "fill" it is zeros.
        state : mapping
            Empty for files of before there were missing values and categories: a missing entry means
            ``missing="error"``, and no categorical features.

        Raises
        ------
        KeyError, ValueError, TypeError
            If something is missing or does not fit.
        """
        scaling = Scaling.from_arrays(arrays)
        fill = arrays.get("fill", np.zeros(len(scaling.mean)))
        missing = state.get("missing", "error")
        check_missing(missing)
        categories = tuple(CategoryCodes.from_state(codes) for codes in state.get("categories", ()))
        return cls(scaling, fill, missing, categories)

    def _encode_rows(self, data: Sequences, read: Segments, dtype: str) -> NDArray[Any]:
        rows = np.empty((read.n_rows, self.n_features), dtype=dtype)
        checked = not get_config()["assume_finite"]
        for block in read.blocks(block_rows(self.n_features)):
            scaled = self.scaling.apply(data.rows[block.source])
            if self.missing != "error":
                scaled = np.where(np.isnan(scaled), self.fill, scaled)
            with np.errstate(over="ignore"):
                rows[block.rows] = scaled
            if checked and not has_finite_sum(rows[block.rows]):
                self._check_encoded(data, read, rows[block.rows])
        return rows

    def _encode_codes(self, data: Sequences, read: Segments) -> NDArray[np.int32]:
        codes = np.empty((read.n_rows, len(self.categories)), dtype=np.int32)
        for c, known in enumerate(self.categories):
            table = known.lookup(data.categories[c], category_label(data, c))
            for block in read.blocks(block_rows(1)):
                codes[block.rows, c] = table[data.codes[block.source, c]]
        if self.missing == "error" and (codes == MISSING_CODE).any():
            check_values(data, self.missing)
        return codes

    def _check_features(self, data: Sequences) -> None:
        found, expected = (
            (data.n_features, data.n_categorical),
            (self.n_features, len(self.categories)),
        )
        if found != expected:
            raise ValueError(
                f"X has {_kinds(*found)}, but {_kinds(*expected)} were expected, as in the training part"
            )

    def _check_encoded(self, data: Sequences, read: Segments, encoded: NDArray[Any]) -> None:
        """Raise an error that names what is not finite, if anything is."""
        if np.isfinite(encoded).all():
            return
        check_values(data, self.missing)
        dtype = encoded.dtype

        def wrong(values: NDArray[Any]) -> NDArray[np.bool_]:
            with np.errstate(over="ignore"):
                outside: NDArray[np.bool_] = np.isinf(self.scaling.apply(values).astype(dtype))
            return outside

        place = find(data, read, data.rows, wrong)
        if place is not None:
            where = place.words(data, feature_label(data, place.column))
            raise ValueError(
                f"Input X contains a value too large for {dtype} at {where}"
                f"{more(place.count, 'such value')}: {data.rows[place.row, place.column]!s}, which scaling "
                "leaves outside its range"
            )


def _kinds(n_features: int, n_categorical: int) -> str:
    if n_categorical == 0:
        return f"{n_features} features"
    return f"{n_features} numeric and {n_categorical} categorical features"
