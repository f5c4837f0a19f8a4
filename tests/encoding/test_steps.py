"""One step at a time, by what StepTables says, gives the bits of a whole transformation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grulearn.encoding import InputEncoding, StepTables
from grulearn.sequences import Sequences


def steps(tables: StepTables, features, values, times, unit: float, dtype: str):
    """Encode the steps of one sequence as the docstring of StepTables says."""
    last, since = tables.fill.copy(), None
    for x, given, t in zip(features, values, times, strict=True):
        since = [t] * len(last) if since is None else since
        x = (x - tables.mean) / tables.scale
        mask = ~np.isnan(x)
        gap = np.array([float(int(t) - int(s)) if isinstance(t, np.integer) else t - s for s in since]) / unit
        last = np.where(mask, x, last)
        since = [t if seen else s for seen, s in zip(mask, since, strict=True)]
        row = {
            "error": [x],
            "mean": [np.where(mask, x, tables.fill)],
            "forward": [last],
            "simple": [last, mask, gap],
            "decay": [last, mask, gap],
        }[tables.missing]
        codes = [
            tables.missing_code if value is None else table.get(value, tables.unseen_code)
            for value, table in zip(given, tables.codes, strict=True)
        ]
        yield np.concatenate(row).astype(dtype), codes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("missing", ["error", "mean", "forward", "simple", "decay"])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("clock", ["steps", "numbers", "seconds"])
def test_steps_have_the_bits_of_a_transformation(dtype, missing, standardize, clock) -> None:
    rng = np.random.default_rng(3)
    n, T = 5, 40
    frame = pd.DataFrame(rng.normal(5.0, 2.0, size=(n * T, 2)).astype(np.float32), columns=["a", "b"])
    frame["c"] = np.nan
    frame["mode"] = rng.choice(["x", "y", "z"], n * T)
    if missing == "error":
        frame["c"] = 1.5
    else:
        frame["a"] = frame["a"].mask(rng.random(n * T) < 0.5)
        frame["mode"] = frame["mode"].mask(rng.random(n * T) < 0.2)
    frame["id"] = np.repeat(np.arange(n), T)
    ticks = np.cumsum(rng.integers(1, 10**12, n * T))
    frame["ts"] = {"steps": ticks, "numbers": ticks / 7.0, "seconds": pd.to_datetime(ticks)}[clock]
    X, _ = Sequences.from_frame(
        frame, id_col="id", time_col=None if clock == "steps" else "ts", feature_cols=["a", "b", "c", "mode"]
    )
    known = X[:4]
    encoding = InputEncoding.fit(known, standardize=standardize, missing=missing)
    encoded = encoding.transform(X, dtype)
    tables = encoding.step_tables()
    unit = encoding.gaps.ticks_per_unit(X.schema.time_dtype) if encoding.gaps else 1.0
    for i in range(n):
        times = np.arange(T) if clock == "steps" else X.times[X.span(i)]
        values = [[None if v != v else v] for v in frame["mode"][i * T : (i + 1) * T]]
        for k, (row, codes) in enumerate(steps(tables, X[i], values, times, unit, dtype)):
            at = encoded.starts[i] + k
            np.testing.assert_array_equal(encoded.rows[at], row, strict=True)
            assert encoded.codes[at].tolist() == codes
