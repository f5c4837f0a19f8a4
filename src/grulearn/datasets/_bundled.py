"""Reading a bundled table into the form that scikit-learn's loaders return."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.utils import Bunch


def load_bundled(stem: str, *, return_X_y: bool, as_frame: bool) -> Bunch | tuple[Any, Any]:
    """Return ``data/{stem}.csv.gz``, whose last column is the target, with ``data/{stem}.md`` beside it."""
    names, table = read_numbers(stem)
    *feature_names, target_name = names
    data: Any = np.ascontiguousarray(table[:, :-1])
    target: Any = np.ascontiguousarray(table[:, -1])
    frame = None
    if as_frame:
        import pandas as pd

        frame = pd.DataFrame(table, columns=names)
        data, target = frame[feature_names], frame[target_name]
    if return_X_y:
        return data, target

    from sklearn.utils import Bunch

    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        target_names=[target_name],
        DESCR=description(stem),
    )


def read_numbers(stem: str) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of the columns of ``data/{stem}.csv.gz``, and its rows, which are all numbers."""
    with open_lines(stem) as lines:
        names = lines.readline().strip().split(",")
        # numpy's reader is exact; pandas' default parser may miss the last bit of a float.
        return names, np.loadtxt(lines, delimiter=",", ndmin=2)


@contextmanager
def open_lines(stem: str) -> Iterator[IO[str]]:
    """Open the text of ``data/{stem}.csv.gz``."""
    path = files("grulearn.datasets") / "data" / f"{stem}.csv.gz"
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        yield lines


def description(stem: str) -> str:
    """Return ``data/{stem}.md``: what the data are, where they come from, and their licence."""
    return (files("grulearn.datasets") / "data" / f"{stem}.md").read_text(encoding="utf-8")
