"""Write the cases of the native tests: random networks and data, with the specification's answers in float64.

``python make_cases.py FILE``. The specification is the only source of the expected numbers; this script
loads it from its folder, so that NumPy is all it needs.

The file is little-endian and has no padding::

    8 bytes    "GRUCASE1"
    int64      how many cases follow
    each case  15 int64, in the order of `Case.header`; then arrays, each an int64 size and as many float64,
               in the order of `Case.arrays`. One that does not apply has size 0.

All inputs are float32 numbers, so that one case serves both scalar types.
"""

from __future__ import annotations

import importlib.util
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

SPECIFICATION = Path(__file__).resolve().parents[2] / "src" / "grulearn" / "equations" / "__init__.py"
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 0.01, 0.05, 0.5
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
EPOCHS = 2
# Below, at and beyond a vector (2 to 16) and a tile of rows (1 to 8); 150 units can be shared by panels.
SIZES = (1, 3, 5, 16, 17, 33, 64, 150)
COUNTS = (0, 1, 2, 3, 5, 9, 17, 70)


def load_specification():
    folder = [str(SPECIFICATION.parent)]
    spec = importlib.util.spec_from_file_location(
        "equations", SPECIFICATION, submodule_search_locations=folder
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["equations"] = module
    spec.loader.exec_module(module)
    return module


equations = load_specification()


@dataclass
class Case:
    """A network and ragged data for it; `finish` computes what is expected."""

    F: int
    H: int
    lengths: np.ndarray
    L: int = 1
    D: int = 1
    reset_after: bool = True
    bias: bool = True
    O: int = 0  # noqa: E741  (the letter of the design)
    with_h0: bool = False
    batch_size: int = 0  # 0: no training
    quick: bool = False  # also run under an emulator
    huge: float = 0.0  # the value of a row in the middle, for saturation; no gradients then
    seed: int = 0
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all parameters in the order of PyTorch's state_dict."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, suffix in product(range(self.L), ("", "_reverse")[: self.D]):
            place = f"l{layer}{suffix}"
            shapes[f"weight_ih_{place}"] = (3 * self.H, self.D * self.H if layer else self.F)
            shapes[f"weight_hh_{place}"] = (3 * self.H, self.H)
            if self.bias:
                shapes[f"bias_ih_{place}"] = shapes[f"bias_hh_{place}"] = (3 * self.H,)
        if self.O:
            shapes["head.weight"], shapes["head.bias"] = (self.O, self.D * self.H), (self.O,)
        return shapes

    @property
    def header(self) -> tuple[int, ...]:
        flags = (self.reset_after, self.bias, self.with_h0, self.quick, self.huge != 0)
        sizes = (self.F, self.H, self.L, self.D, self.O, len(self.lengths), self.batch_size, EPOCHS)
        return (*sizes, *map(int, flags), int(self.lengths.sum()), len(self.shapes))

    def finish(self) -> Case:
        """Draw the inputs and compute the expected outputs, gradients and training."""
        self._draw()
        a = self.arrays
        weights = self._unflatten(a["parameters"])
        h0 = a["h0"] if self.with_h0 else None
        options = {"h0": h0, "lengths": self.lengths, "reset_after": self.reset_after}
        outputs, h_n = equations.gru_sequence(self._pad(a["rows"]), weights, **options)
        a["outputs"], a["h_n"] = outputs[self._mask], h_n
        empty = np.zeros(0)
        a |= dict.fromkeys(("d_parameters", "d_rows", "d_h0", "predicted", "losses", "trained"), empty)
        if not self.huge:
            arguments = (self._pad(a["rows"]), weights, self._pad(a["d_outputs"]), a["d_h_n"])
            d_weights, dx, a["d_h0"] = equations.gru_sequence_backward(*arguments, **options)
            a["d_rows"] = dx[self._mask]
            a["d_parameters"] = self._flatten(d_weights)
        if self.O:
            final = self._final(weights)
            a["predicted"] = final @ weights["head.weight"].T + weights["head.bias"]
        if self.batch_size:
            a["losses"], a["trained"] = self._train(weights)
        return self

    def write(self, file) -> None:
        a = self.arrays
        order = ("parameters", "rows", "h0", "d_outputs", "d_h_n", "targets", "outputs", "h_n")
        expected = ("d_parameters", "d_rows", "d_h0", "predicted", "losses", "trained")
        part_sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        training = (LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM)
        file.write(struct.pack("<15q", *self.header))
        for values in (self.lengths, part_sizes, training, *(a[name] for name in order + expected)):
            flat = np.asarray(values, dtype="<f8").ravel()
            file.write(struct.pack("<q", flat.size) + flat.tobytes())

    def _draw(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.lengths = np.asarray(self.lengths, dtype=np.int64)
        n, steps = len(self.lengths), int(self.lengths.sum())
        state = (self.L * self.D, n, self.H)

        def float32(values: np.ndarray) -> np.ndarray:
            return values.astype(np.float32).astype(np.float64)

        count = sum(int(np.prod(shape)) for shape in self.shapes.values())
        scale = 1.0 / np.sqrt(max(self.F, self.H))  # keeps the sums, which the tolerances assume, near 1
        rows = float32(rng.standard_normal((steps, self.F)))
        if self.huge:
            rows[1] = self.huge
        self.arrays = {
            "parameters": float32(rng.uniform(-scale, scale, count)),
            "rows": rows,
            "h0": float32(rng.standard_normal(state)) if self.with_h0 else np.zeros(0),
            "d_outputs": float32(rng.standard_normal((steps, self.D * self.H))),
            "d_h_n": float32(rng.standard_normal(state)),
            "targets": float32(rng.standard_normal((n, self.O))),
        }

    @property
    def _mask(self) -> np.ndarray:
        return np.arange(max(self.lengths, default=0)) < self.lengths[:, np.newaxis]

    def _pad(self, rows: np.ndarray) -> np.ndarray:
        padded = np.zeros((*self._mask.shape, rows.shape[1]))
        padded[self._mask] = rows
        return padded

    def _unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        parts = np.split(flat, ends[:-1])
        return {
            name: part.reshape(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)
        }

    def _flatten(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([arrays.get(name, np.zeros(s)).ravel() for name, s in self.shapes.items()])

    def _final(self, weights: dict[str, np.ndarray], batch: slice = slice(None)) -> np.ndarray:
        """Return the last layer's final states, the two directions beside each other."""
        x, lengths = self._pad(self.arrays["rows"])[batch], self.lengths[batch]
        _, h_n = equations.gru_sequence(x, weights, lengths=lengths, reset_after=self.reset_after)
        return np.concatenate(list(h_n[-self.D :]), axis=1)

    def _loss_and_gradient(
        self, weights: dict[str, np.ndarray], batch: slice
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the mean squared error of a batch and its gradient."""
        final, targets = self._final(weights, batch), self.arrays["targets"][batch]
        errors = final @ weights["head.weight"].T + weights["head.bias"] - targets
        d_errors = 2 * errors / errors.size
        d_h_n = np.zeros((self.L * self.D, len(final), self.H))
        d_h_n[-self.D :] = np.stack(np.split(d_errors @ weights["head.weight"], self.D, axis=1))
        x, options = self._pad(self.arrays["rows"])[batch], {"reset_after": self.reset_after}
        options["lengths"] = self.lengths[batch]
        gradient, _, _ = equations.gru_sequence_backward(x, weights, None, d_h_n, **options)
        gradient |= {"head.weight": d_errors.T @ final, "head.bias": d_errors.sum(axis=0)}
        return float((errors**2).mean()), gradient

    def _train(self, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Train by AdamW with a clipped gradient; return the loss of each batch and the parameters."""
        p = dict(weights)
        m = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        v = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        losses: list[float] = []
        for _, begin in product(range(EPOCHS), range(0, len(self.lengths), self.batch_size)):
            loss, g = self._loss_and_gradient(p, slice(begin, begin + self.batch_size))
            losses.append(loss)
            norm = np.sqrt(sum((value**2).sum() for value in g.values()))
            scale = CLIP_NORM / (norm + 1e-6) if norm > CLIP_NORM else 1.0
            t = len(losses)
            for name in p:
                m[name] = BETA1 * m[name] + (1 - BETA1) * scale * g[name]
                v[name] = BETA2 * v[name] + (1 - BETA2) * (scale * g[name]) ** 2
                step = m[name] / (1 - BETA1**t) / (np.sqrt(v[name] / (1 - BETA2**t)) + EPSILON)
                decay = 1.0 if "bias" in name else 1 - LEARNING_RATE * WEIGHT_DECAY
                p[name] = p[name] * decay - LEARNING_RATE * step
        return np.array(losses), self._flatten(p)


def cases() -> Iterator[Case]:
    """Yield all cases: every hidden size with every number of sequences, the rest in turn."""
    rng = np.random.default_rng(7)
    for i, (H, n) in enumerate(product(SIZES, COUNTS)):
        F = SIZES[(i * 3 + i // 8) % 8]
        lengths = rng.integers(0, 8, n) if i % 3 else np.full(n, 1 + i % 4)
        if n:
            lengths[0] = max(lengths[0], 1)
        L, D = (1, 1) if H == 150 else (1 + i % 2, 1 + i // 2 % 2)
        sizes = {"F": F, "H": H, "lengths": lengths, "L": L, "D": D, "O": (0, 1, 3)[i % 3]}
        for reset_after in (True, False):
            yield Case(
                **sizes,
                reset_after=reset_after,
                bias=i % 5 != 0,
                with_h0=i % 4 < 2,
                batch_size=max(1, n // 2) if sizes["O"] and n else 0,
                quick=H in (5, 17, 33) and n < 70 and F < 64,
                seed=i,
            )
    # Long enough for checkpoints to differ, one step each beyond a block of sums, and a few rows by panels.
    for reset_after in (True, False):
        yield Case(3, 13, [300, 3, 0, 41], L=2, D=2, reset_after=reset_after, with_h0=True, quick=True)
        yield Case(5, 21, [1] * 300, D=2, reset_after=reset_after)
        yield Case(7, 150, [9, 9, 4, 1], reset_after=reset_after, with_h0=True, O=2, batch_size=4)
        for huge in (np.inf, -np.inf, 1e20, -1e20):
            yield Case(1, 5, [3, 3], reset_after=reset_after, huge=huge, quick=True)


def main(path: str) -> None:
    finished = []
    for case in cases():
        case.lengths = np.asarray(case.lengths, dtype=np.int64)
        finished.append(case.finish())
    with Path(path).open("wb") as file:
        file.write(b"GRUCASE1" + struct.pack("<q", len(finished)))
        for case in finished:
            case.write(file)


if __name__ == "__main__":
    main(sys.argv[1])
