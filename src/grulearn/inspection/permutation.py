"""Permutation importance of features and of steps."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.parallel import Parallel, delayed

from grulearn.inspection.exchange import Align, Steps
from grulearn.inspection.forms import Given, read
from grulearn.sequences import Sequences

__all__ = ["permutation_importance"]

By = Literal["feature", "step"]


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: str | Callable[..., float] | None = None,
    n_repeats: int = 5,
    by: By = "feature",
    align: Align = "start",
    width: int = 1,
    tokens: Literal["char", "word", "item"] | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    sample_weight: ArrayLike | None = None,
) -> Any:
    """Measure how much worse the score gets when a feature, or a step, tells nothing any more.

    :func:`sklearn.inspection.permutation_importance` [1]_ for sequences: values are exchanged between the
    sequences, which keeps how they are distributed and breaks what they have to do with the target and with
    everything else. With tables it does the same as that function.

    A feature is exchanged as a whole series, so that its course over the steps stays what it was. With
    equal lengths every sequence gets the series of another one drawn at random. With unequal lengths the
    partner has fewer steps now and then; its partner goes on then where it ends, at the same step, and so
    forth. So a value never leaves its step (counted as `align` says), all values of a step are used exactly
    once, and each step is permuted uniformly among the sequences that have it. A seam is only where a
    partner ends.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `score`, or what `scoring` needs. A Pipeline is one too.
    X : Sequences, array-like of shape (N, F) or (N, T, F), dataframe, list of arrays, or list of texts
        At least two samples, preferably of a test set. It is not changed. The estimator gets a copy with
        values exchanged: an array for an array, a dataframe for a dataframe, otherwise a Sequences.
        Overlapping windows are spelt out in it.
    y : array-like, or what else the estimator scores against
    scoring : str or callable, default=None
        One of scikit-learn's scores, or ``scoring(estimator, X, y)``; None: the estimator's `score`.
    n_repeats : int, default=5
        How often each feature or step is permuted.
    by : {"feature", "step"}, default="feature"
        "feature": one feature at a time, over all steps. "step": one step at a time, with all its features; a
        step that only one sequence has is left as it is.
    align : {"start", "end"}, default="start"
        Whether the steps of sequences of different lengths are counted from the first one, or backwards from
        the last. The end suits predictions of what comes after it.
    width : int, default=1
        With ``by="step"``: how many neighbouring steps are exchanged together. Neighbours resemble each
        other, and what one step says the next may say too, so that neither seems to matter alone.
    tokens : {"char", "word", "item"}, default=None
        How to read texts, if `X` is a list of them; None means as the estimator does.
    random_state : int, RandomState instance or None, default=None
        Determines the permutations.
    n_jobs : int or None, default=None
        In how many processes to score, one feature or step each; the results do not depend on it. The
        estimators of this library use all cores by themselves.
    sample_weight : array-like of shape (N,), default=None
        Passed on to the score.

    Returns
    -------
    sklearn.utils.Bunch
        importances : ndarray of float64, shape (n_names, n_repeats)
            The score on `X` minus that with values exchanged.
        importances_mean, importances_std : ndarray of float64, shape (n_names,)
            Over the repeats.
        names : ndarray of str, shape (n_names,)
            Of the features as they are named in `X`, the numeric ones of a Sequences first, else "x0", "x1",
            ..., of categorical ones "c0", "c1", ...; or "step 0", "step 1", ..., with ``align="end"`` up to
            "step -1", the last.

    Raises
    ------
    ValueError, TypeError
        If a parameter or `X` is not usable.

    Notes
    -----
    Two features that say the same do not seem to matter, because the model has the other one. The times of a
    Sequences stay where they are; a missing value counts as a value.

    References
    ----------
    .. [1] L. Breiman (2001), "Random forests", Machine Learning 45; scikit-learn's user guide, "Permutation
       feature importance".

    Examples
    --------
    The target is the last value of the first feature:

    >>> import numpy as np
    >>> from grulearn import GRURegressor
    >>> from grulearn.inspection import permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 300)]
    >>> y = np.array([x[-1, 0] for x in X])
    >>> model = GRURegressor(16, random_state=0).fit(X, y)
    >>> by_feature = permutation_importance(model, X, y, random_state=0)
    >>> by_feature.names[by_feature.importances_mean > 0.1]
    array(['x0'], dtype='<U2')
    >>> by_step = permutation_importance(model, X, y, by="step", align="end", random_state=0)
    >>> by_step.names[by_step.importances_mean > 0.1]
    array(['step -1'], dtype='<U7')
    """
    _check(by=(by, ("feature", "step")), align=(align, ("start", "end")))
    _check_counts(n_repeats=n_repeats, width=width)
    if tokens is None and not isinstance(X, Sequences):
        tokens = getattr(estimator, "tokens", None)
    given = read(X, tokens)
    if len(given.lengths) < 2:
        raise ValueError(f"X has {len(given.lengths)} sample(s); expected at least 2 to exchange values")
    steps = Steps(given.lengths, align)
    parts = _features(given) if by == "feature" else _steps(int(given.lengths.max()), align, width)
    scorer = check_scoring(estimator, scoring=scoring)
    extra = {} if sample_weight is None else {"sample_weight": sample_weight}

    def score(data: Any) -> float:
        return float(scorer(estimator, data, y, **extra))

    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    seeds = np.random.SeedSequence(seed).spawn(len(parts))
    permuted = Parallel(n_jobs=n_jobs)(
        delayed(_scores)(score, given, steps, part, n_repeats, own)
        for part, own in zip(parts, seeds, strict=True)
    )
    importances = score(given.data) - np.array(permuted)
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        names=np.array([part.name for part in parts]),
    )


class _Part(NamedTuple):
    """What is permuted at a time: one feature or all, at the places from `begin` to before `end`."""

    name: str
    feature: int | None = None
    begin: int = 0
    end: int | None = None


def _features(given: Given) -> list[_Part]:
    return [_Part(name, feature) for feature, name in enumerate(given.names)]


def _steps(longest: int, align: Align, width: int) -> list[_Part]:
    parts = []
    for begin in range(0, longest, width):
        end = min(begin + width, longest)
        first, last = (begin, end - 1) if align == "start" else (-end, -begin - 1)
        name = f"step {first}" if first == last else f"steps {first} to {last}"
        parts.append(_Part(name, None, begin, end))
    return parts if align == "start" else parts[::-1]


def _scores(
    score: Callable[[Any], float],
    given: Given,
    steps: Steps,
    part: _Part,
    n_repeats: int,
    seed: np.random.SeedSequence,
) -> list[float]:
    """Permute one part again and again."""
    rng = np.random.default_rng(seed)
    places = steps.places()
    elsewhere = np.flatnonzero((places < part.begin) | (places >= (part.end or len(places))))
    found = []
    for _ in range(n_repeats):
        source = steps.exchange(rng)
        source[elsewhere] = elsewhere
        found.append(score(given.exchanged(part.feature, source)))
    return found


def _check(**choices: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"{name}={value!r}; expected one of {', '.join(map(repr, allowed))}")


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name}={value!r}; expected an integer of at least 1")
        if value < 1:
            raise ValueError(f"{name}={value}; expected at least 1")
