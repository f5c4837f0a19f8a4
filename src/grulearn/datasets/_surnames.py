"""Surnames and the languages they come from."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

from grulearn.datasets._bundled import description, open_lines

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_STEM = "surnames"


def load_surnames(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load surnames and their languages (classification of texts, letter by letter).

    5,338 surnames of 12 languages that are written in the Latin alphabet, in the order of their letters:
    split them at random. The letters are as they are written, accents and capitals included.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of a list and an array.

    Returns
    -------
    Bunch
        ``data``, a list of 5,338 strings of 2 to 28 characters; ``target``, an array of their languages, such
        as "Croatian"; with `as_frame` two series and, in ``frame``, the two together, else None.
        ``target_names``, and ``DESCR``, the description: how the list was made, origin and licence.

    Examples
    --------
    >>> from grulearn.datasets import load_surnames
    >>> names, languages = load_surnames(return_X_y=True)
    >>> names[8], str(languages[8])
    ('Aavik', 'Estonian')
    >>> len(set(languages))
    12
    """
    with open_lines(_STEM) as lines:
        columns, *rows = csv.reader(lines)
    data: Any = [name for name, _ in rows]
    target: Any = np.array([language for _, language in rows])
    frame = None
    if as_frame:
        import pandas as pd

        frame = pd.DataFrame(rows, columns=columns)
        data, target = (frame[column] for column in columns)
    if return_X_y:
        return data, target

    from sklearn.utils import Bunch

    return Bunch(data=data, target=target, frame=frame, target_names=columns[1:], DESCR=description(_STEM))
