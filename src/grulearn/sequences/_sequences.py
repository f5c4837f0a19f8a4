"""The class that users see: every form in, and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.sequences._back import GivenBack
from grulearn.sequences._forms import is_frame, read_array, read_list
from grulearn.sequences._recast import recast
from grulearn.sequences._tokens import Tokens, read_tokens
from grulearn.sequences._windows import targets_ahead, window_positions

__all__ = ["Sequences"]


class Sequences(GivenBack):
    """N sequences, each a number of steps, as views into stacked rows.

    A step has F numeric features, in `rows`, and C categorical ones, in `codes`. Sequence `i` is
    ``rows[starts[i] : starts[i] + lengths[i]]``, and so for `codes` and `times`. Picking sequences (an int, a
    slice, an index array, a mask) shares the rows and copies only starts, lengths and ids, so scikit-learn's
    splitters and searches take a Sequences as `X`. Most users make one with :meth:`from_frame`,
    :meth:`from_list`, :meth:`from_array` or :meth:`from_tokens`.

    Parameters
    ----------
    rows : array-like, shape (n_rows, F)
        The steps, one a row. float32 and float64 are kept as they are, other numbers become float64
        (float16 becomes float32). A C-contiguous array is not copied. NaN stands for a missing value.
    starts : array-like of int, shape (N,)
        The first row of each sequence.
    lengths : array-like of int, shape (N,)
        The number of steps of each sequence; 0 is allowed.
    codes : array-like of int, shape (n_rows, C), default=None
        Categorical features and tokens as positions in `categories`; -1 stands for a missing value. Kept as
        int32.
    categories : sequence of C array-likes, default=None
        The values that the codes of each column stand for.
    times : array-like, shape (n_rows,), default=None
        The time of each step: numbers, datetimes or durations; none missing. Kept as int64 (datetimes in
        their own unit, which `schema` knows) or float64.
    ids : array-like, shape (N,), default=None
        What each sequence is called.
    schema : Schema, default=None
        What the columns are called, and what they held.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not a real number, or a sequence leaves the rows; the
        message names the place.

    Examples
    --------
    Two windows over one log, which share two of its rows:

    >>> import numpy as np
    >>> from grulearn.sequences import Sequences
    >>> windows = Sequences(np.arange(8.0).reshape(4, 2), starts=[0, 1], lengths=[3, 3])
    >>> windows
    Sequences(2 sequences of 3 steps, 2 features, float64)
    >>> windows[1]
    array([[2., 3.],
           [4., 5.],
           [6., 7.]])
    >>> windows[[1, 1, 0]].shape
    (3, 3, 2)
    """

    __slots__ = ()

    @classmethod
    def from_array(cls, X: Any) -> Self:
        """Take a table, a dataframe or a rectangular array.

        Parameters
        ----------
        X : array-like of shape (N, F) or (N, T, F), or dataframe
            A table gives N sequences of one step. A C-contiguous float32 or float64 array is not copied. Of a
            dataframe (pandas, polars, pyarrow) the columns of strings and categories become categorical
            features.

        Returns
        -------
        Sequences

        Raises
        ------
        ValueError
            If `X` has another number of dimensions or holds something that is not a real number.
        TypeError
            If `X` is a sparse matrix.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences.from_array(np.zeros((5, 7, 2)))
        Sequences(5 sequences of 7 steps, 2 features, float64)
        """
        if is_frame(X):
            from grulearn.sequences._frames import read_wide

            return cls(**read_wide(X))
        return cls(**read_array(X))

    @classmethod
    def from_list(cls, sequences: Sequence[ArrayLike]) -> Self:
        """Stack sequences of different lengths.

        Parameters
        ----------
        sequences : sequence of array-like, each of shape (T_i, F), or each of shape (T_i,)
            At least one; T_i may be 0. Those of one dimension have one feature, also where their lengths are
            all equal.

        Returns
        -------
        Sequences
            The values are copied into one block, float32 if every sequence was.

        Raises
        ------
        ValueError
            If there is no sequence, or one does not have the others' dimensions or number of
            features; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> Sequences.from_list([np.zeros((2, 3)), np.zeros((4, 3))])
        Sequences(2 sequences of 2 to 4 steps, 3 features, float64)
        >>> Sequences.from_list([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        Sequences(2 sequences of 3 steps, 1 feature, float64)
        """
        return cls(**read_list(sequences))

    @classmethod
    def from_tokens(cls, texts: Sequence[Any], tokens: Tokens = "item") -> Self:
        r"""Read texts, or lists of items, as sequences of one categorical feature.

        Parameters
        ----------
        texts : sequence of N strings, or of N lists or arrays of strings or integers
        tokens : {"char", "word", "item"}, default="item"
            "char": every Unicode code point of a string is a token, white space too. "word": the matches of
            the regular expression ``\w+|[^\w\s]``: runs of letters, digits and underscores of any script, and
            every other character that is not white space by itself. "item": the items of the lists as they
            are; None is a missing one. Nothing is normalised: case and accents stay. Scripts that write no
            spaces between words are better read by "char", and marks that combine with the letter before
            (decomposed accents, vowel signs) are tokens of their own unless ``unicodedata.normalize("NFC",
            text)`` joins them.

        Returns
        -------
        Sequences
            With the tokens that occur, sorted, in ``categories[0]``. An empty text has 0 steps.

        Raises
        ------
        TypeError, ValueError
            If a text is no string, or a token neither string nor integer; the message names it.

        Examples
        --------
        >>> from grulearn.sequences import Sequences
        >>> words = Sequences.from_tokens(["Don't panic!", "Keep calm."], "word")
        >>> words
        Sequences(2 sequences of 3 to 5 steps, 1 categorical feature)
        >>> words.to_tokens()[0]
        ['Don', "'", 't', 'panic', '!']
        >>> Sequences.from_tokens([[17, 4], [4, 4, 99]]).categories[0]
        array([ 4, 17, 99])
        """
        codes, categories, lengths = read_tokens(texts, tokens)
        empty = np.empty((len(codes), 0), dtype=np.float32)
        return cls(empty, np.cumsum(lengths) - lengths, lengths, codes=codes, categories=[categories])

    @classmethod
    def from_frame(
        cls,
        df: Any,
        *,
        id_col: Any = None,
        time_col: Any = None,
        feature_cols: Any = None,
        target_col: Any = None,
        categorical_cols: Any = None,
        target: Any = "auto",
    ) -> tuple[Self, Any]:
        """Take a long dataframe, in which many rows belong to one sequence.

        Parameters
        ----------
        df : dataframe of pandas, polars, pyarrow or another eager make that narwhals knows
            One row for each step. The rows of an id keep their order; those of other ids may stand between
            them. Nothing is sorted: rows that are not in the order of time are an error.
        id_col : str, default=None
            Whose row it is. Sequences come in the order in which their ids first appear. None: all rows are
            one sequence.
        time_col : str, default=None
            When it was: datetimes, durations or numbers, growing within each id. None: the rows' order is the
            only time there is.
        feature_cols : list of str, default=None
            The features. None takes all columns that are neither id nor time nor target. A column that is
            named here may be a target as well, as in forecasting.
        target_col : str or list of str, default=None
            The targets.
        categorical_cols : list of str, default=None
            Features that are categories although they hold integers or booleans. Columns of strings and
            categories are so without being named.
        target : {"auto", "value", "step"}, default="auto"
            "value": one target for each sequence; each id must have one value in all its rows. "step": one
            for each row. "auto": "value" if no target changes within an id, else "step".

        Returns
        -------
        X : Sequences
            With `ids`, and `times` if there is a `time_col`.
        y : None, ndarray of shape (N,) or (N, O), or Sequences
            None without `target_col`. One target for each sequence in the column's dtype; of shape (N, O) if
            `target_col` is a list of O. One for each step as a Sequences that shares starts and lengths with
            X: numbers in its `rows`, NaN where a step has none; strings and categories in its `codes`.

        Raises
        ------
        ValueError
            If rows are not in the order of time, an id has one time twice, an id or a time is missing, a
            column is missing or holds something else than it should. The message names column, id, time and
            row; rows count from 0, as ``df.iloc`` does.
        TypeError
            If `df` is no dataframe.

        Examples
        --------
        >>> import pandas as pd
        >>> from grulearn.sequences import Sequences
        >>> log = pd.DataFrame({
        ...     "machine": ["a", "b", "a", "a", "b"],
        ...     "ts": pd.to_datetime(["2024-05-01", "2024-05-01", "2024-05-02", "2024-05-04", "2024-05-09"]),
        ...     "pressure": [1.0, 7.0, 2.0, 3.0, 8.0],
        ...     "mode": ["idle", "run", "run", "run", "idle"],
        ...     "failed": [False, True, False, False, True],
        ... })
        >>> X, y = Sequences.from_frame(log, id_col="machine", time_col="ts", target_col="failed")
        >>> X
        Sequences(2 sequences of 2 to 3 steps, 1 feature, 1 categorical feature, float64)
        >>> X.ids, y
        (array(['a', 'b'], dtype=object), array([False,  True]))
        >>> X[0]
        array([[1.],
               [2.],
               [3.]])
        """
        from grulearn.sequences._long import Roles, read_long

        roles = Roles(id_col, time_col, feature_cols, target_col, categorical_cols)
        blocks, y = read_long(df, roles, target)
        return cls(**blocks), cls(**y) if isinstance(y, dict) else y

    @overload
    def windows(self, length: int, *, step: int = 1, horizon: int = 0) -> Self: ...

    @overload
    def windows(
        self, length: int, *, step: int = 1, horizon: int = 0, y: Any
    ) -> tuple[Self, NDArray[Any]]: ...

    def windows(self, length: int, *, step: int = 1, horizon: int = 0, y: Any = None) -> Any:
        """Cut windows, as views: no step is copied, however much they overlap.

        Window `k` of a sequence of T steps has its steps ``k * step`` to ``k * step + length - 1``, counted
        from 0, and its target belongs to step ``k * step + length - 1 + horizon``. There are as many as have
        all of that inside the sequence: ``(T - length - horizon) // step + 1``, none if T is less than length
        + horizon. The steps behind the last window are left over. A window never goes from one sequence into
        the next.

        Parameters
        ----------
        length : int
            Steps of a window, at least 1.
        step : int, default=1
            From the beginning of one window to that of the next, at least 1.
        horizon : int, default=0
            How many steps the target lies after the window's last step; 0 is that step itself.
        y : Sequences of N sequences as long as these, or array-like of shape (N,) or (N, O), default=None
            Targets by step, as ``from_frame(..., target="step")`` gives them; or one for each sequence, which
            all its windows get. A list of arrays is taken through :meth:`from_list`.

        Returns
        -------
        windows : Sequences
            M windows, sequence after sequence, with the times of their steps. `ids` are those of their
            sequences, or the sequences' numbers if they had none, so that a split by group keeps what
            overlaps together.
        targets : ndarray, shape (M,) or (M, O)
            Only if `y` is given.

        Raises
        ------
        ValueError, TypeError
            If there is not one window (the message names the longest sequence), a parameter is out of
            range, or `y` does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> load = Sequences.from_list([np.arange(6.0), np.arange(10.0, 14.0)])
        >>> X, y = load.windows(3, horizon=1, y=load)
        >>> [window.ravel().tolist() for window in X]
        [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [10.0, 11.0, 12.0]]
        >>> y
        array([ 3.,  4.,  5., 13.])
        >>> X.ids
        array([0, 0, 0, 1])
        >>> np.shares_memory(X.rows, load.rows)
        True
        """
        origin, offset = window_positions(self, length, step, horizon)
        view = self._view(
            self.starts[origin] + offset,
            np.full(len(origin), length, dtype=np.int64),
            origin if self.ids is None else self.ids[origin],
        )
        if y is None:
            return view
        if isinstance(y, list | tuple) and any(np.ndim(item) for item in y):
            y = type(self).from_list(y)
        return view, targets_ahead(self, y, origin, offset + length - 1 + horizon)

    def with_categorical(self, features: Sequence[int | str]) -> Self:
        """Turn numeric features that hold whole numbers into categorical ones.

        Parameters
        ----------
        features : sequence of int or str
            Positions among the numeric features, or names.

        Returns
        -------
        Sequences
            These features stand behind the categorical ones that there are; the numeric rows lack them.

        Raises
        ------
        ValueError
            If there is no such feature, or it holds a number that is not whole.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn.sequences import Sequences
        >>> X = Sequences.from_array(np.array([[0.5, 7.0], [0.25, 3.0]])).with_categorical([1])
        >>> X
        Sequences(2 sequences of 1 step, 1 feature, 1 categorical feature, float64)
        >>> X.categories
        (array([3, 7]),)
        """
        return type(self)(**recast(self, features))

    def with_rows(self, rows: ArrayLike) -> Self:
        """Return the same sequences with other numeric rows, shape (n_rows, any F)."""
        schema = self.schema
        values = np.asarray(rows)
        if values.ndim != 2 or len(values) != len(self.rows):
            raise ValueError(f"rows: expected shape ({len(self.rows)}, features), got {values.shape}")
        same = schema.features is None or len(schema.features) == values.shape[1]
        return type(self)(
            values,
            self.starts,
            self.lengths,
            codes=self.codes,
            categories=self.categories,
            times=self.times,
            ids=self.ids,
            schema=replace(schema, features=schema.features if same else None, feature_dtypes=None),
        )
