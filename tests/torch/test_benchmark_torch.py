"""The benchmark's PyTorch side does the same work as grulearn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grulearn.benchmark.agreement import check_losses, check_outputs
from grulearn.benchmark.cases import Case
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary
from grulearn.benchmark.peers.torch_peer import TorchLibrary, _matrix_library, train_full_batches
from grulearn.benchmark.sections import streaming


@pytest.fixture
def libraries():
    before = torch.get_num_threads()
    yield GrulearnLibrary(1), TorchLibrary(1)
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", [Case(5, 7, 3, 6), Case(9, 1, 4, 5)], ids=str)
def test_the_same_states_and_losses(libraries, case):
    models = {library.key: library.model(case) for library in libraries}
    check_outputs("", {key: model.outputs() for key, model in models.items()})
    # Several steps: clipping, decay and both moments show only from the second or third on.
    losses = {key: tuple(model.training_step() for _ in range(6)) for key, model in models.items()}
    check_losses("", losses)
    assert losses["torch"][0] != losses["torch"][5]


def test_the_gradient_is_clipped(libraries):
    """Adam hides a constant factor, so losses alone would not show it."""
    case = Case(5, 7, 3, 6)
    case.targets[:] *= 100
    model = libraries[1].model(case)
    model.training_step()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model._parameters))
    assert float(norm) == pytest.approx(1.0, rel=1e-4)


def test_the_same_stream(libraries):
    case = Case(1, 8, 3, 6)
    check_outputs("", {lib.key: streaming._last_state(lib.stream(case)) for lib in libraries})


def test_the_article_s_training_is_adam_without_decay():
    case = Case(20, 1, 3, 4)
    losses = train_full_batches(case.inputs, case.targets, case.weights, 5)
    from grulearn import _core
    from grulearn.formats.weights import flatten, parameter_shapes

    network = _core.Network(3, 4, output_size=1)
    network.set_parameters(flatten(case.weights, parameter_shapes(case.spec)))
    starts, lengths = np.arange(20), np.ones(20, np.int64)
    trainer = _core.Trainer(
        network, case.inputs.reshape(20, 3), starts, lengths, case.targets, batch_size=20, n_jobs=1
    )
    check_losses(
        "", {"core": tuple(trainer.run_epoch(None, 1e-3)[0] for _ in range(5)), "torch": tuple(losses)}
    )


def test_threads_and_matrix_library(libraries):
    assert torch.get_num_threads() == 1
    assert libraries[1].details.split(",")[0].endswith(" kernels")
    assert (
        _matrix_library("... Math Kernel Library Version 2024.2-Product") == "matrix products by MKL 2024.2"
    )
    assert _matrix_library("BLAS_INFO=open, x") == "matrix products by open"
    assert _matrix_library("nothing") == "matrix products by an unnamed library"
