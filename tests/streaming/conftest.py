"""Streams of random networks over fitted encodings, and what `predict` makes of the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from grulearn.encoding import InputEncoding, TargetScaling
from grulearn.engines import Engine, get_engine
from grulearn.sequences import Sequences
from grulearn.spec import CellSpec, HeadSpec, NetworkSpec, PoolSpec
from grulearn.streaming import RegressorStream, StepColumns


class Model:
    """A network of random weights over an encoding: what an estimator would have after a fit."""

    def __init__(
        self,
        data: Sequences,
        missing: str = "error",
        *,
        dtype: str = "float32",
        pool: str = "last",
        cell: CellSpec | None = None,
        standardize: bool = True,
        names: tuple[str, ...] | None = None,
    ) -> None:
        self.encoding = InputEncoding.fit(data, standardize=standardize, missing=missing)
        spec = NetworkSpec(
            self.encoding.input_spec, cell or CellSpec(6), PoolSpec(pool), head=HeadSpec(1), dtype=dtype
        )
        self.engine: Engine = get_engine("native")(spec)
        rng = np.random.default_rng(0)
        self.engine.set_parameters(rng.normal(0, 0.5, self.engine.parameters().shape).astype(dtype))
        self.scaling = TargetScaling(np.array([3.0]), np.array([0.7]))
        n_numeric, n_categorical = data.n_features, data.n_categorical
        self.columns = StepColumns(
            tuple(range(n_numeric)), tuple(range(n_numeric, n_numeric + n_categorical)), names
        )

    def stream(self, n_streams: int = 1) -> RegressorStream:
        """Streams before their first step."""
        return RegressorStream(
            self.engine, self.encoding, self.columns, n_streams, target_scaling=self.scaling
        )

    def predict(self, data: Sequences) -> np.ndarray:
        """Predictions on whole sequences."""
        encoded = self.encoding.transform(data, self.engine.spec.dtype)
        outputs = self.engine.predict(encoded)
        return self.engine.decode(outputs, self.scaling.mean, self.scaling.scale)[:, 0]


def prefix(data: Sequences, i: int, n_steps: int) -> Sequences:
    """The first steps of sequence `i`."""
    return Sequences(
        data.rows,
        data.starts[[i]],
        [n_steps],
        codes=data.codes,
        categories=data.categories,
        times=data.times,
        schema=data.schema,
    )


@pytest.fixture
def make_model() -> type[Model]:
    """Build models."""
    return Model


@pytest.fixture
def log() -> pd.DataFrame:
    """Four machines' logs of different lengths: numbers and modes with gaps, at irregular times."""
    rng = np.random.default_rng(5)
    rows = []
    for machine in range(4):
        seconds = np.cumsum(rng.integers(1, 4000, 25 + machine))
        for k, second in enumerate(seconds):
            load = 20.0 + 5.0 * rng.normal() if rng.random() > 0.4 else np.nan
            speed = 1e-3 * rng.normal() if rng.random() > 0.4 else np.nan
            mode = ["idle", "run", "off", None][rng.integers(4)]
            time = pd.Timestamp("2024-03-01") + pd.Timedelta(int(second), "s")
            rows.append((machine, time, int(second), second / 7.0, k, load, speed, mode))
    names = ["machine", "at", "second", "seventh", "k", "load", "speed", "mode"]
    frame = pd.DataFrame(rows, columns=names)
    frame["mode"] = frame["mode"].astype("category")
    return frame


@pytest.fixture
def read_log() -> Any:
    """Read logs into sequences."""

    def read(frame: pd.DataFrame, time: str | None = None, *features: str) -> Sequences:
        columns = list(features or ("load", "speed", "mode"))
        return Sequences.from_frame(frame, id_col="machine", time_col=time, feature_cols=columns)[0]

    return read


@pytest.fixture
def prefix_of() -> Any:
    """Cut sequences."""
    return prefix
