"""Streams of a regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.streaming._stream import Stream

__all__ = ["RegressorStream"]


class RegressorStream(Stream):
    """Streams of a :class:`~grulearn.GRURegressor`, which its method `stream` makes.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn import GRURegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 6, 2))
    >>> model = GRURegressor(4, max_iter=2, random_state=0).fit(X, X.sum((1, 2)))
    >>> stream = model.stream()
    >>> so_far = [stream.step(x_t) for x_t in X[0]]
    >>> so_far[-1] == float(model.predict(X[:1])[0])
    True
    >>> stream.n_steps
    array([6])
    """

    def step(
        self,
        x_t: ArrayLike,
        streams: int | ArrayLike | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        time: Any = None,
        return_std: bool = False,
    ) -> Any:
        """Advance streams by one step, and predict.

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
        out : ndarray of float64, shape as the result, default=None
            Where to write, C-contiguous. None makes a new array.
        time : number, datetime or duration, or array-like of these, shape (n,), default=None
            When it is: one time for all streams, or one for each, which never runs backwards. For
            ``missing="simple"`` and "decay" if `fit` had times; otherwise steps are counted, and it is left
            out.
        return_std : bool, default=False
            For ``loss="gaussian"``: return the standard deviation as well.

        Returns
        -------
        y : float, or ndarray of float64, shape (n,), (K,) or (n, K)
            What `predict` gives for the steps so far. It has an axis for the streams if `x_t` has, and one
            for the K targets if there are several. `out` if given.
        std : the same
            With `return_std` only.

        Raises
        ------
        ValueError, TypeError
            If something does not fit or is not finite; the message names the stream and the feature. No
            stream has changed then.
        """
        if return_std:
            return self._mean_and_std(x_t, streams, out, time)
        y = None if time is not None else self._native.step(x_t, streams, out)
        return self._run(self._native.step, x_t, streams, out, time, self._n_targets) if y is None else y

    def step_quantiles(
        self, x_t: ArrayLike, streams: int | ArrayLike | None = None, *, time: Any = None
    ) -> NDArray[np.float64]:
        """Advance streams by one step, and predict all quantiles; for ``loss="pinball"``.

        Parameters
        ----------
        x_t, streams, time
            As for `step`.

        Returns
        -------
        ndarray of float64, shape (Q,), (n, Q), (K, Q) or (n, K, Q)
            What `predict_quantiles` gives for the steps so far, in the order of `quantiles`.

        Raises
        ------
        ValueError, TypeError
            As `step`, and if the loss is another.
        """
        head = self._engine.spec.head
        if head.quantiles is None:
            raise ValueError(
                f"step_quantiles: the model was fitted with loss={head.loss!r}, which predicts no quantiles; "
                "expected 'pinball'"
            )
        values = self._values(x_t, streams, time)
        streams_axis = np.shape(values)[: np.ndim(values) - (head.n_outputs > 1)]
        targets_axis = () if head.n_targets == 1 else (head.n_targets,)
        return np.reshape(values, (*streams_axis, *targets_axis, len(head.quantiles)))

    @property
    def _n_targets(self) -> int:
        return self._engine.spec.head.n_targets

    def _values(self, x_t: Any, streams: Any, time: Any) -> Any:
        step = self._native.step_values
        values = None if time is not None else step(x_t, streams, None)
        return self._run(step, x_t, streams, None, time) if values is None else values

    def _mean_and_std(self, x_t: Any, streams: Any, out: Any, time: Any) -> tuple[Any, Any]:
        head = self._engine.spec.head
        if head.loss != "gaussian":
            raise ValueError(
                f"return_std: the model was fitted with loss={head.loss!r}, which predicts no standard "
                "deviation; expected 'gaussian'"
            )
        if out is not None:
            raise ValueError("out: with return_std there are two results; leave it out")
        values = self._values(x_t, streams, time)
        if head.n_targets > 1:
            return values[..., ::2], values[..., 1::2]
        return (values[:, 0], values[:, 1]) if values.ndim == 2 else (float(values[0]), float(values[1]))
