"""Sequences back in the forms in which they came: lists, arrays, tables, tokens, dataframes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from grulearn.sequences._view import ListView
from grulearn.sequences._windows import category_values

__all__ = ["GivenBack"]


class GivenBack(ListView):
    """The list view with every form back. The public class is :class:`Sequences`."""

    __slots__ = ()

    def to_list(self) -> list[NDArray[Any]]:
        """Return the sequences as a list of N views of shape (T_i, F).

        Raises
        ------
        ValueError
            If there are categorical features, which an array of numbers has no place for.
        """
        self._refuse_categorical()
        return list(self)

    def to_array(self) -> NDArray[Any]:
        """Return sequences of one length as an array of shape (N, T, F).

        Raises
        ------
        ValueError
            If the lengths differ (the message names them), or there are categorical features.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences(np.arange(4.0)[:, None], [0, 1, 2], [2, 2, 2]).to_array()[:, :, 0]
        array([[0., 1.],
               [1., 2.],
               [2., 3.]])
        """
        self._refuse_categorical()
        low, _, high = self.n_steps_summary()
        if low != high:
            i, j = int(self.lengths.argmin()), int(self.lengths.argmax())
            raise ValueError(
                f"the sequences have {low} to {high} steps ({self.label(i)} has {low}, {self.label(j)} has "
                f"{high}) and fit into no rectangular array; to_list() gives a list of arrays"
            )
        array: NDArray[Any] = self.rows[self.row_index()].reshape(len(self), high, self.n_features)
        return array

    def to_table(self) -> NDArray[Any]:
        """Return sequences of one step as a table of shape (N, F).

        Raises
        ------
        ValueError
            If one has another number of steps, or there are categorical features.
        """
        self._refuse_categorical()
        other = np.flatnonzero(self.lengths != 1)
        if len(other):
            i = int(other[0])
            raise ValueError(f"{self.label(i)} has {self.lengths[i]} steps; a row of a table has one")
        table: NDArray[Any] = self.rows[self.starts]
        return table

    def to_tokens(self) -> list[list[Any]]:
        """Return sequences of tokens as a list of N lists; None stands for a missing token.

        Raises
        ------
        ValueError
            If the steps hold more than one categorical feature.
        """
        if self.n_categorical != 1 or self.n_features:
            raise ValueError(
                f"tokens are steps of one categorical feature and nothing else; here are "
                f"{self.n_categorical} categorical and {self.n_features} numeric features"
            )
        values = category_values(self, 0, self.row_index()).tolist()
        ends = np.cumsum(self.lengths)
        return [values[a:b] for a, b in zip((ends - self.lengths).tolist(), ends.tolist(), strict=True)]

    def to_frame(self, backend: str = "pandas", *, with_ids: bool = True) -> Any:
        """Return a dataframe of one row for each step, sequence after sequence.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, default="pandas"
            The make; it must be installed.
        with_ids : bool, default=True
            Whether the first column says which sequence a row belongs to: the ids, or 0 to N - 1 if there are
            none. Without it, sequences of one step give back the table that they came from.

        Returns
        -------
        dataframe
            The id, the time if there is one, the numeric features and the categorical ones, under the names
            they came with, otherwise "id", "time", "x0", "x1", ... and "c0", "c1", .... Integers, booleans,
            datetimes and time zones come back as such; categories as their values.

        Raises
        ------
        ValueError
            If `backend` is another, or two columns would have one name.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences.from_list([np.arange(2), np.arange(1)]).to_frame()
           id  x0
        0   0   0
        1   0   1
        2   1   0
        """
        from grulearn.sequences._to_frame import to_frame

        return to_frame(self, backend, with_ids)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array of sequences cannot be made without a copy; see Sequences.rows")
        return self.to_array().astype(dtype or self.dtype, copy=False)

    def _refuse_categorical(self) -> None:
        if self.n_categorical:
            raise ValueError(
                f"{self.n_categorical} categorical feature{'s have' if self.n_categorical > 1 else ' has'} "
                "no place in an array of numbers; to_frame() gives all, to_tokens() gives tokens"
            )
