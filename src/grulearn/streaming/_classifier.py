"""Streams of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.streaming._stream import Stream

__all__ = ["ClassifierStream"]


class ClassifierStream(Stream):
    """Streams of a classifier, which its method `stream` makes.

    Parameters
    ----------
    classes : ndarray, shape (C,)
        The labels.
    multilabel : bool, default=False
        Whether each of the C labels is there or not, rather than one of them; C is at least 2.
    engine, encoding, columns, n_streams, **options
        As for :class:`Stream`.
    """

    def __init__(
        self, classes: NDArray[Any], *arguments: Any, multilabel: bool = False, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._classes, self._multilabel = classes, multilabel
        self._labels = list(classes)

    def step(self, x_t: ArrayLike, streams: int | ArrayLike | None = None, *, time: Any = None) -> Any:
        """Advance streams by one step, and predict labels.

        Parameters
        ----------
        x_t : array-like, shape (F,) or (n, F), or mapping, Series or DataFrame
            The features of this step as `fit` saw them, before any encoding: of one stream, or a row for
            each. Where some are categorical, lists of numbers and strings; a token, or one for each stream,
            if the model reads tokens. A mapping or a pandas Series of one stream, or a DataFrame with a row
            for each, has the features by name. With a single feature its axis may be left out.
        streams : int, array-like of int, shape (n,), or mask of shape (n_streams,), default=None
            Which streams advance: one, with `x_t` of shape (F,), or several different ones, with (n, F).
            None means all, and the only one where there is one.
        time : number, datetime or duration, or array-like of these, shape (n,), default=None
            When it is: one time for all streams, or one for each, which never runs backwards. For
            ``missing="simple"`` and "decay" if `fit` had times; otherwise steps are counted, and it is left
            out.

        Returns
        -------
        label, or ndarray, shape (n,), (C,) or (n, C)
            What `predict` gives for the steps so far: a label, or an array of labels if `x_t` has an axis for
            the streams. Of a multilabel classifier 0 or 1 for each of the C labels.

        Raises
        ------
        ValueError, TypeError
            If something does not fit or is not finite; the message names the stream and the feature. No
            stream has changed then.
        """
        step = self._native.step_decisions
        decisions = None if time is not None else step(x_t, streams, None)
        if decisions is None:
            decisions = self._run(step, x_t, streams, None, time)
        if self._multilabel:
            return decisions
        # Of a list an item is there ten times as fast as of an array.
        return self._labels[decisions] if type(decisions) is int else self._classes[decisions]

    def step_proba(
        self,
        x_t: ArrayLike,
        streams: int | ArrayLike | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        time: Any = None,
    ) -> NDArray[np.float64]:
        """Advance streams by one step, and predict probabilities.

        Parameters
        ----------
        x_t, streams, time
            As for `step`.
        out : ndarray of float64, shape as the result, default=None
            Where to write, C-contiguous. None makes a new array.

        Returns
        -------
        ndarray of float64, shape (C,) or (n, C)
            What `predict_proba` gives for the steps so far, in the order of `classes_`; `out` if given.

        Raises
        ------
        ValueError, TypeError
            As `step`, and if `out` does not fit.
        """
        step = self._native.step_probabilities
        probabilities: NDArray[np.float64] | None = None if time is not None else step(x_t, streams, out)
        if probabilities is None:
            probabilities = self._run(step, x_t, streams, out, time, len(self._classes))
        return probabilities
