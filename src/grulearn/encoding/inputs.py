"""The encoding of inputs: numbers scaled, missing values filled in, categories numbered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grulearn.encoding._checks import check_missing, check_values
from grulearn.encoding._places import category_label
from grulearn.encoding._remarks import remarks_on_categories, remarks_on_numbers
from grulearn.encoding._rows import encode_rows
from grulearn.encoding._segments import Segments, block_rows
from grulearn.encoding._weights import counting_weights
from grulearn.encoding.categories import MISSING_CODE, CategoryCodes, fit_categories
from grulearn.encoding.encoded import EncodedSequences
from grulearn.encoding.gaps import GapScale
from grulearn.encoding.scaling import Scaling
from grulearn.encoding.steps import StepTables
from grulearn.sequences import Sequences
from grulearn.spec import InputSpec

__all__ = ["InputEncoding"]


@dataclass(frozen=True, eq=False)
class InputEncoding:
    """What turns a user's sequences into a network's inputs, fitted on the training part.

    Numeric features are scaled, and what is missing among them (NaN) is dealt with as `missing` says:

    ========= ================================================================================================
    "error"   is refused
    "mean"    the training mean
    "forward" the last value observed before in the sequence; before the first one, the training mean
    "simple"  the same, and for each feature a mask (1 where observed) and the time gap as further inputs
    "decay"   the same; the network lets what is filled in decay toward the mean as the gap grows (GRU-D)
    ========= ================================================================================================

    "simple" and "decay" are GRU-simple and GRU-D of Che et al. (2018), "Recurrent neural networks for
    multivariate time series with missing values". Both have rows of 3F columns, ``[value (F), mask (F), gap
    (F)]``, with the gap of :class:`GapScale` and :class:`ForwardFill`: all F features have a mask and a gap,
    whether one of their values was missing in the training part or not, so that what a column means does not
    depend on that. A feature of which the training part has no value is missing for ever.

    A missing category has a code of its own; no mode but "error" makes a difference for it.

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
    gaps : GapScale or None, default=None
        Of "simple" and "decay", unless all features are categorical.

    Raises
    ------
    ValueError
        If the parts do not fit together.

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
    gaps: GapScale | None = None

    def __post_init__(self) -> None:
        check_missing(self.missing)
        shapes = {np.shape(a) for a in (*self.scaling.to_arrays().values(), self.fill)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(
                f"mean, scale, constant and fill have shapes {shapes}; expected one (F,) for all"
            )
        scale = self.scaling.scale
        if not (np.isfinite(self.fill).all() and np.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError("fill and scale must be finite, and scale positive")
        if self.missing == "error" and np.isnan(self.scaling.mean).any():
            raise ValueError("a mean is NaN, which only a feature without a value has, and that is refused")
        if (self.gaps is not None) != _has_gaps(self.missing, self.n_features):
            raise ValueError(f"missing={self.missing!r} with gaps={self.gaps}")

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
            What is done about missing values. With "decay" and without `standardize`, numeric features are
            still centred on their means: GRU-D's decay is toward 0.
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
            `data` (without sequences of weight 0). If times run backwards, with "simple" and "decay". If the
            weights are not N finite numbers of at least 0, or all are 0.
        """
        check_missing(missing)
        kept, shares = counting_weights(len(data), weights)
        if kept is not None:
            data = data[kept]
        if not data.lengths.any():
            raise ValueError("the training part has no step, so that there is nothing to fit the encoding on")
        check_values(data, missing)
        scaling, fill = _fit_numbers(data, standardize, missing, shares)
        gaps = GapScale.fit(data, shares) if _has_gaps(missing, data.n_features) else None
        return cls(scaling, fill, missing, fit_categories(data), gaps)

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
            missing with ``missing="error"``, or is too large for `dtype` after scaling; with "simple" and
            "decay", if times run backwards, or are missing or of another kind than in the training part.
            The message names the place.

        Notes
        -----
        What a sequence becomes depends on nothing but its own steps. With "error" and "mean", sequences that
        share rows (windows) share them after, too. With "forward", "simple" and "decay" they cannot: what
        is filled in at a step depends on where its sequence begins, so that M windows of L steps become M L
        rows; only windows that begin at the same step share theirs.
        """
        self._check_features(data)
        alone = self.missing in ("forward", "simple", "decay") and self.n_features > 0
        read = Segments.private(data) if alone else Segments.shared(data)
        rows = encode_rows(data, read, self.scaling, self.fill, self.missing, self.gaps, dtype)
        return EncodedSequences(rows, self._encode_codes(data, read), read.starts, data.lengths)

    def step_tables(self) -> StepTables:
        """Return all that is needed to encode one step at a time, as plain arrays."""
        return StepTables(
            mean=self.scaling.mean,
            scale=self.scaling.scale,
            fill=self.fill,
            missing=self.missing,
            gap_kind=None if self.gaps is None else self.gaps.kind,
            gap_unit=1.0 if self.gaps is None else self.gaps.unit,
            codes=tuple(codes.table() for codes in self.categories),
        )

    @property
    def n_features(self) -> int:
        """Number of numeric features F that `transform` expects."""
        return len(self.fill)

    @property
    def input_spec(self) -> InputSpec:
        """What the network has to read."""
        tables = tuple((codes.n_codes, codes.size) for codes in self.categories)
        width = 3 * self.n_features if self.missing == "simple" else self.n_features
        return InputSpec(width, categorical=tables, decay=self.missing == "decay" and self.gaps is not None)

    @property
    def constant(self) -> NDArray[np.int64]:
        """Positions of the numeric features that had one value only in the training part; with scaling."""
        return np.flatnonzero(self.scaling.constant)

    @property
    def unobserved(self) -> NDArray[np.int64]:
        """Positions of the numeric features without a value in the training part; they are never used."""
        return np.flatnonzero(np.isnan(self.scaling.mean))

    def remarks(
        self, features: Sequence[str] | None = None, categorical: Sequence[str] | None = None
    ) -> list[str]:
        """Return what a user should know about the training part, in sentences ready to be warnings.

        Parameters
        ----------
        features, categorical : sequence of str, default=None
            The names of the numeric and of the categorical features; without them they are numbered.

        Returns
        -------
        list of str
            On constant features (if they were scaled), on features without a value, and on categorical
            features of which no two sequences share a value.
        """
        return [
            *remarks_on_numbers(self.constant, self.unobserved, features),
            *remarks_on_categories(self.categories, categorical),
        ]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of numbers that, with `state`, `from_parts` rebuilds the encoding from."""
        return {**self.scaling.to_arrays(), "fill": self.fill}

    def state(self) -> dict[str, Any]:
        """Return the rest of what `from_parts` needs, as JSON values."""
        return {
            "missing": self.missing,
            "categories": [codes.state() for codes in self.categories],
            "gaps": None if self.gaps is None else self.gaps.state(),
        }

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
        categories = tuple(CategoryCodes.from_state(codes) for codes in state.get("categories", ()))
        gaps = None if state.get("gaps") is None else GapScale.from_state(state["gaps"])
        return cls(scaling, fill, state.get("missing", "error"), categories, gaps)

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
            raise ValueError(f"X has {_kinds(*found)}, expected {_kinds(*expected)} as in the training part")


def _has_gaps(missing: str, n_features: int) -> bool:
    """Tell whether masks and time gaps are inputs."""
    return missing in ("simple", "decay") and n_features > 0


def _fit_numbers(
    data: Sequences, standardize: bool, missing: str, shares: NDArray[np.float64] | None
) -> tuple[Scaling, NDArray[np.float64]]:
    """Return the scaling, and what stands for missing values, in the network's units."""
    scaling, fill = Scaling.identity(data.n_features), np.zeros(data.n_features)
    if not standardize and missing == "error":
        return scaling, fill
    fitted = Scaling.fit(data, shares)
    if standardize:
        return fitted, fill
    unobserved = np.isnan(fitted.mean)
    if missing == "decay":
        return replace(scaling, mean=fitted.mean), fill
    return replace(scaling, mean=np.where(unobserved, np.nan, 0.0)), np.where(unobserved, 0.0, fitted.mean)


def _kinds(n_features: int, n_categorical: int) -> str:
    if n_categorical == 0:
        return f"{n_features} feature{'s' * (n_features != 1)}"
    return f"{n_features} numeric and {n_categorical} categorical features"
