"""Japanese vowels: short utterances of different lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from grulearn.datasets._bundled import description, read_numbers

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.utils import Bunch

Subset = Literal["train", "test", "all"]

_STEM = "japanese_vowels"
_ID, _STEP, _TARGET = "utterance", "step", "speaker"
# The data's own split: 30 utterances of each speaker to train on, the others to test.
_N_TRAIN = 270


def load_japanese_vowels(
    *, subset: Subset = "train", return_X_y: bool = False, as_frame: bool = False
) -> Bunch | tuple[Any, Any]:
    """Load the Japanese vowels data (classification of sequences of different lengths).

    Nine men say the Japanese vowels "ae" one after the other, and the task is to tell who it was. Each of 640
    utterances is a sequence of 7 to 29 steps, and each step has 12 cepstrum coefficients from a linear
    prediction of the sound, without a unit.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The split is the data's own: 270 utterances, 30 of each speaker, to train on, and 370, 24 to 88 of
        each, from other occasions. "all" has the training part first.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects: `data` as a long dataframe of one row a step.

    Returns
    -------
    Bunch
        ``data``, a :class:`grulearn.Sequences` of N utterances of 12 features, float64, whose ids are the
        utterances' numbers, 0 to 639; ``target``, the speakers 1 to 9, int64, shape (N,). With `as_frame`,
        ``data`` has the columns utterance, step (counted from 0) and lpcc_1 to lpcc_12, ``target`` is a
        series with the utterance as its index, and ``frame`` is ``data`` with the speaker in each row, else
        None.
        ``feature_names``, ``target_names``, and ``DESCR``, the description with origin and licence.

    Raises
    ------
    ValueError
        If `subset` is something else.

    References
    ----------
    M. Kudo, J. Toyama and M. Shimbo, "Multidimensional curve classification using passing-through regions",
    Pattern Recognition Letters 20 (1999) 1103-1111.

    Examples
    --------
    >>> from grulearn.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(return_X_y=True)
    >>> X
    Sequences(270 sequences of 7 to 26 steps, 12 features, float64)
    >>> y[:3]
    array([1, 1, 1])
    >>> frame = load_japanese_vowels(subset="test", as_frame=True).frame
    >>> frame.shape
    (5687, 15)
    """
    if subset not in get_args(Subset):
        raise ValueError(f"subset={subset!r}; expected 'train', 'test' or 'all'")
    names, table = _read(subset)
    features = names[2:]
    ids, starts, lengths = np.unique(table[:, 0].astype(np.int64), return_index=True, return_counts=True)
    frame: pd.DataFrame | None = None
    data: Any
    target: Any = table[starts, 1].astype(np.int64)
    if as_frame:
        frame = _long_frame(names, table, starts, lengths)
        data = frame.drop(columns=_TARGET)
        target = frame.groupby(_ID)[_TARGET].first()
    else:
        from grulearn.sequences import Schema, Sequences

        schema = Schema(features=tuple(features), id=_ID)
        data = Sequences(np.ascontiguousarray(table[:, 2:]), starts, lengths, ids=ids, schema=schema)
    if return_X_y:
        return data, target

    from sklearn.utils import Bunch

    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=features,
        target_names=[_TARGET],
        DESCR=description(_STEM),
    )


def _read(subset: Subset) -> tuple[list[str], NDArray[np.float64]]:
    """Return columns and rows of the part: utterance, speaker, and the features of one step."""
    names, table = read_numbers(_STEM)
    if subset != "all":
        table = table[(table[:, 0] < _N_TRAIN) == (subset == "train")]
    return names, table


def _long_frame(
    names: list[str], table: NDArray[np.float64], starts: NDArray[Any], lengths: NDArray[Any]
) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(table, columns=names).astype({_ID: np.int64, _TARGET: np.int64})
    frame.insert(1, _STEP, np.arange(len(table)) - np.repeat(starts, lengths))
    return frame[[*frame.columns.drop(_TARGET), _TARGET]]
