"""A library that is grulearn under another name, and settings that take little time."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.benchmark import Settings
from grulearn.benchmark.core_model import CoreModel
from grulearn.benchmark.peers import Stream
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary
from grulearn.benchmark.sections import Context


class FakeModel:
    def __init__(self, case, library):
        self._core, self._case, self._library = CoreModel(case, 1), case, library
        if not library.trains:
            self.training_step = None

    def inference(self):
        return self._core.inference()

    def training_step(self):
        return self._core.training_step() + self._library.loss_error

    def outputs(self):
        outputs = self.inference()[0].reshape(self._case.n, self._case.steps, -1)
        return outputs + np.float32(self._library.output_error)


class FakeLibrary:
    """Computes with the core; its results can be made wrong."""

    key, label, version, details = "fake", "Fake", "1.2", "fake kernels"

    def __init__(self, *, trains=True, output_error=0.0, loss_error=0.0):
        self.trains, self.output_error, self.loss_error = trains, output_error, loss_error

    def model(self, case):
        return FakeModel(case, self)

    def stream(self, case):
        own = GrulearnLibrary(1).stream(case)
        return Stream(own.step, own.inputs, own.state, lambda h: np.ravel(h) + np.float32(self.output_error))


@pytest.fixture
def fake_library():
    return FakeLibrary


@pytest.fixture(scope="session")
def settings():
    return Settings(n_jobs=1, quick=True)


@pytest.fixture
def context(settings):
    return Context(settings)
