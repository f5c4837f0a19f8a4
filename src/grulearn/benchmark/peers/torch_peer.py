"""torch.nn.GRU, eager, as PyTorch's documentation uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.cases import BETAS, CLIP_NORM, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Case
from grulearn.benchmark.peers.protocol import Stream
from grulearn.formats.weights import HEAD_NAMES

__all__ = ["TorchLibrary"]


class TorchLibrary:
    """PyTorch with a number of threads, which it keeps for the whole process."""

    key = "torch"
    label = "PyTorch"

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.version = str(torch.__version__)
        capability = str(torch.backends.cpu.get_cpu_capability()).replace("DEFAULT", "baseline").lower()
        self.details = f"{capability} kernels, {_matrix_library(torch.__config__.show())}"

    def model(self, case: Case) -> TorchModel:
        """Build a case."""
        return TorchModel(case)

    def stream(self, case: Case) -> Stream:
        """Build the network for single steps: a call with T = 1 in inference mode."""
        import torch

        gru, _ = _build(case)

        def step(x: Any, h: Any, _: Any) -> Any:
            with torch.inference_mode():
                return gru(x, h)[1]

        return Stream(
            step=step,
            inputs=[torch.from_numpy(x[np.newaxis, np.newaxis]) for x in case.inputs[0]],
            state=torch.zeros(1, 1, case.hidden),
            as_array=lambda h: np.ravel(h.numpy()),
        )


class TorchModel:
    """A case. AdamW has its default implementation: foreach and fused took as long."""

    def __init__(self, case: Case) -> None:
        import torch

        self._torch = torch
        self._gru, self._head = _build(case)
        self._trained_gru, self._trained_head = _build(case)
        self._inputs, self._targets = torch.from_numpy(case.inputs), torch.from_numpy(case.targets)
        self._parameters = [*self._trained_gru.parameters(), *self._trained_head.parameters()]
        named = [*self._trained_gru.named_parameters(), *self._trained_head.named_parameters()]
        groups = [
            {"params": [p for name, p in named if "bias" not in name], "weight_decay": WEIGHT_DECAY},
            {"params": [p for name, p in named if "bias" in name], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON)

    def inference(self) -> Any:
        """Run the sequences."""
        with self._torch.inference_mode():
            return self._gru(self._inputs)

    def training_step(self) -> float:
        """Take one step; return the loss before it."""
        self._optimizer.zero_grad()
        predicted = self._trained_head(self._trained_gru(self._inputs)[0][:, -1])
        loss = self._torch.nn.functional.mse_loss(predicted, self._targets)
        loss.backward()
        self._torch.nn.utils.clip_grad_norm_(self._parameters, CLIP_NORM)
        self._optimizer.step()
        return float(loss.item())

    def outputs(self) -> NDArray[np.float32]:
        """Return the states after each step, shape (N, T, H)."""
        outputs: NDArray[np.float32] = self.inference()[0].numpy()
        return outputs


def train_full_batches(
    X: NDArray[np.float32], y: NDArray[np.float32], weights: Mapping[str, Any], epochs: int
) -> list[float]:
    """Train GRU and head with Adam on all rows at once, as the article does; return each epoch's loss.

    X (N, T, F), y (N, 1); weights in PyTorch's names, the head's among them.
    """
    import torch

    hidden = weights["weight_hh_l0"].shape[1]
    gru, head = torch.nn.GRU(X.shape[2], hidden, batch_first=True), torch.nn.Linear(hidden, 1)
    _load(gru, head, weights)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    optimizer = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=LEARNING_RATE)
    losses = []
    for _ in range(epochs):
        loss = torch.nn.functional.mse_loss(head(gru(inputs)[0][:, -1]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _build(case: Case) -> tuple[Any, Any]:
    import torch

    gru = torch.nn.GRU(case.features, case.hidden, batch_first=True)
    head = torch.nn.Linear(case.hidden, 1)
    _load(gru, head, case.weights)
    return gru, head


def _load(gru: Any, head: Any, weights: Mapping[str, Any]) -> None:
    import torch

    tensors = {name: torch.tensor(np.asarray(value, np.float32)) for name, value in weights.items()}
    gru.load_state_dict({name: value for name, value in tensors.items() if name not in HEAD_NAMES})
    head.load_state_dict({name.removeprefix("head."): tensors[name] for name in HEAD_NAMES})


def _matrix_library(configuration: str) -> str:
    """Read from torch.__config__.show() what multiplies matrices."""
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", configuration)
    if mkl:
        return f"matrix products by MKL {mkl[1]}"
    named = re.search(r"BLAS_INFO=(\w+)", configuration)
    return f"matrix products by {named[1]}" if named else "matrix products by an unnamed library"
