"""What is computed: sizes, data and weights, and the arithmetic that cannot be avoided."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grulearn.formats.weights import parameter_shapes
from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
from grulearn.training.initialisation import draw_weights

__all__ = ["BETAS", "CLIP_NORM", "EPSILON", "LEARNING_RATE", "WEIGHT_DECAY", "Case"]

# The training step of every library: AdamW with these, after clipping the norm of the whole gradient.
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8
WEIGHT_DECAY = 1e-2  # of weights; biases do not decay
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Case:
    """A network with one output and a batch of random sequences for it.

    Parameters
    ----------
    n, steps, features, hidden : int
        Sequences N, steps T of the longest, input features F, hidden units H.
    num_layers : int, default=1
    bidirectional : bool, default=False
    reset_after : bool, default=True
    ragged : bool, default=False
        Whether lengths are drawn uniformly from 1 to T; otherwise all are T.

    Examples
    --------
    >>> from grulearn.benchmark.cases import Case
    >>> case = Case(32, 100, 32, 64)
    >>> case.label, case.inputs.shape, case.weights["weight_ih_l0"].shape
    ('N32 T100 F32 H64', (32, 100, 32), (192, 32))
    """

    n: int
    steps: int
    features: int
    hidden: int
    num_layers: int = 1
    bidirectional: bool = False
    reset_after: bool = True
    ragged: bool = False

    @property
    def label(self) -> str:
        """The sizes as they stand in the tables."""
        return f"N{self.n} T{self.steps} F{self.features} H{self.hidden}"

    @cached_property
    def spec(self) -> NetworkSpec:
        """The network with its head."""
        cell = CellSpec(self.hidden, self.num_layers, self.bidirectional, self.reset_after)
        return NetworkSpec(InputSpec(self.features), cell, head=HeadSpec(1))

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each sequence, shape (N,)."""
        if self.ragged:
            return self._rng(0).integers(1, self.steps, self.n, endpoint=True)
        return np.full(self.n, self.steps, dtype=np.int64)

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """Standard normal numbers, shape (N, T, F)."""
        return self._rng(1).standard_normal((self.n, self.steps, self.features), dtype=np.float32)

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Standard normal numbers, shape (N, 1)."""
        return self._rng(2).standard_normal((self.n, 1), dtype=np.float32)

    @cached_property
    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Initial weights in PyTorch's names, drawn as PyTorch draws them, the head's among them."""
        drawn = draw_weights(parameter_shapes(self.spec), "pytorch", self._rng(3))
        return {name: value.astype(np.float32) for name, value in drawn.items()}

    def inference_flops(self) -> int:
        """Floating-point operations of the forward pass, a multiplication and an addition counted as two.

        Only products with the input and the recurrent weights count. A sequence begins with a state of
        zeros, so its first step has no recurrent product.

        Examples
        --------
        >>> from grulearn.benchmark.cases import Case
        >>> Case(1, 2, 3, 4).inference_flops()  # 2 * 3 * 4 * 3 for each of two steps, 2 * 3 * 4 * 4 for one
        240
        """
        return sum(input_flops + recurrent_flops for _, input_flops, recurrent_flops in self._cells())

    def training_flops(self) -> int:
        """Floating-point operations of the forward and the backward pass, without head and optimiser.

        The backward pass has, for each product of the forward pass, one for the gradient of the weights and
        one for the gradient of what they were multiplied with; the gradient of the data itself is not
        needed, so the first layer lacks the second one of its input product.

        Examples
        --------
        >>> from grulearn.benchmark.cases import Case
        >>> Case(1, 2, 3, 4).training_flops()  # 2 * (144) for W and dW, 3 * 96 for U, dU and dh
        576
        """
        return sum(
            (2 if layer == 0 else 3) * input_flops + 3 * recurrent_flops
            for layer, input_flops, recurrent_flops in self._cells()
        )

    def _cells(self) -> list[tuple[int, int, int]]:
        """Give the layer of each cell, and the operations of its input and of its recurrent products."""
        directions = self.spec.cell.n_directions
        rows, later_rows = int(self.lengths.sum()), int(np.maximum(self.lengths - 1, 0).sum())
        cells = []
        for layer in range(self.num_layers):
            inputs = self.features if layer == 0 else directions * self.hidden
            cell = (layer, 6 * self.hidden * inputs * rows, 6 * self.hidden**2 * later_rows)
            cells += [cell] * directions
        return cells

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.n, self.steps, self.features, self.hidden, stream])
