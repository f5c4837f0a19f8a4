"""Reading a bundled table into the form that scikit-learn's loaders return."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def load_bundled(stem: str, *, return_X_y: bool, as_frame: bool) -> Bunch | tuple[Any, Any]:
    """Return ``data/{stem}.csv.gz``, whose last column is the target, with ``data/{stem}.md`` beside it."""
    folder = files("grulearn.datasets") / "data"
    # numpy's reader is exact; pandas' default parser may miss the last bit of a float.
    with (folder / f"{stem}.csv.gz").open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        names = lines.readline().strip().split(",")
        table = np.loadtxt(lines, delimiter=",", ndmin=2)
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
        DESCR=(folder / f"{stem}.md").read_text(encoding="utf-8"),
    )
