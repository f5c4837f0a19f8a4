"""Write the cases of the native tests: random networks and data, with the specification's answers in float64.

``python make_cases.py FILE``. The specification is the only source of the expected numbers; this script
loads it from its folder, so that NumPy is all it needs.

The file is little-endian and has no padding::

    8 bytes    "GRUCASE2"
    int64      how many cases follow
    each case  18 int64, in the order of `Case.header`; then arrays, each an int64 size and as many float64,
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
# In the order of the core's enumerations, which the file holds as numbers.
POOLS = ("last", "mean", "max", "attention")
LOSSES = (
    "squared_error",
    "absolute_error",
    "huber",
    "pinball",
    "poisson",
    "gaussian",
    "cross_entropy",
    "binary_cross_entropy",
)
DELTA, QUANTILES = 0.75, (0.125, 0.5, 0.75)
OUTPUTS_OF_A_TARGET = {"pinball": len(QUANTILES), "gaussian": 2}


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
    pool: str = "last"
    per_step: bool = False
    loss: str = "squared_error"
    weighted: bool = False
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
        if self.pool == "attention":
            shapes["pool.query"] = (self.D * self.H,)
        if self.O:
            shapes["head.weight"], shapes["head.bias"] = (self.O, self.D * self.H), (self.O,)
        return shapes

    @property
    def header(self) -> tuple[int, ...]:
        flags = (self.reset_after, self.bias, self.with_h0, self.quick, self.huge != 0)
        sizes = (self.F, self.H, self.L, self.D, self.O, len(self.lengths), self.batch_size, EPOCHS)
        head = (POOLS.index(self.pool), int(self.per_step), LOSSES.index(self.loss))
        return (*sizes, *map(int, flags), *head, int(self.lengths.sum()), len(self.shapes))

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
            items, _ = self._items(weights)
            a["predicted"] = items @ weights["head.weight"].T + weights["head.bias"]
        if self.batch_size:
            a["losses"], a["trained"] = self._train(weights)
        return self

    def write(self, file) -> None:
        a = self.arrays
        order = ("parameters", "rows", "h0", "d_outputs", "d_h_n", "targets", "weights", "outputs", "h_n")
        expected = ("d_parameters", "d_rows", "d_h0", "predicted", "losses", "trained")
        part_sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        training = (LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM, DELTA, *QUANTILES)
        file.write(struct.pack("<18q", *self.header))
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
            "targets": float32(self._draw_targets(rng, steps if self.per_step else n)),
            "weights": float32(rng.uniform(0.25, 2.0, n)) if self.weighted else np.zeros(0),
        }

    def _draw_targets(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        shape = (rows, self.O // OUTPUTS_OF_A_TARGET.get(self.loss, 1))
        if self.loss == "cross_entropy":
            targets = rng.integers(0, self.O, (rows, 1)).astype(float)
        elif self.loss == "poisson":
            targets = rng.poisson(1.5, shape).astype(float)
        elif self.loss == "binary_cross_entropy":
            targets = rng.integers(0, 2, shape).astype(float)
        else:
            targets = rng.standard_normal(shape)
        if self.per_step:
            targets[rng.random(rows) < 0.3] = -1 if self.loss == "cross_entropy" else np.nan
        return targets

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

    def _items(self, weights: dict[str, np.ndarray], batch: slice = slice(None)) -> tuple:
        """Return what the head reads, and a function from its gradient to that of the weights before it."""
        x, lengths, mask = self._pad(self.arrays["rows"])[batch], self.lengths[batch], self._mask[batch]
        options = {"lengths": lengths, "reset_after": self.reset_after}
        states, _ = equations.gru_sequence(x, weights, **options)
        pooling = {"lengths": lengths, "query": weights.get("pool.query"), "n_directions": self.D}

        def back(d_items: np.ndarray) -> dict[str, np.ndarray]:
            d_query = None
            if self.per_step:
                d_states = np.zeros_like(states)
                d_states[mask] = d_items
            else:
                d_states, d_query = equations.pool_states_backward(d_items, states, self.pool, **pooling)
            gradient, _, _ = equations.gru_sequence_backward(x, weights, d_states, **options)
            return gradient if d_query is None else {**gradient, "pool.query": d_query}

        return states[mask] if self.per_step else equations.pool_states(states, self.pool, **pooling), back

    def _loss_and_gradient(
        self, weights: dict[str, np.ndarray], batch: slice
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the mean loss of a batch and its gradient: 0 and no gradient where nothing counts."""
        items, back = self._items(weights, batch)
        outputs = items @ weights["head.weight"].T + weights["head.bias"]
        ends = np.cumsum(self.lengths)
        first, last = np.r_[0, ends][batch.start], ends[batch][-1]
        targets = self.arrays["targets"][slice(first, last) if self.per_step else batch]
        row_weights = self.arrays["weights"][batch] if self.weighted else np.ones(len(self.lengths[batch]))
        options = {
            "weights": np.repeat(row_weights, self.lengths[batch]) if self.per_step else row_weights,
            "delta": DELTA,
            "quantiles": QUANTILES if self.loss == "pinball" else None,
        }
        if self.loss == "cross_entropy":
            targets = targets[:, 0].astype(int)
        total, weight = equations.loss_sum(outputs, targets, self.loss, **options)
        if weight == 0:
            return 0.0, {}
        d_outputs = equations.loss_gradient(outputs, targets, self.loss, **options) / weight
        gradient = back(d_outputs @ weights["head.weight"])
        gradient |= {"head.weight": d_outputs.T @ items, "head.bias": d_outputs.sum(axis=0)}
        return float(total / weight), gradient

    def _train(self, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Train by AdamW with a clipped gradient; return the loss of each batch and the parameters."""
        p = dict(weights)
        m = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        v = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        losses: list[float] = []
        steps = 0
        for _, begin in product(range(EPOCHS), range(0, len(self.lengths), self.batch_size)):
            loss, g = self._loss_and_gradient(p, slice(begin, begin + self.batch_size))
            losses.append(loss)
            if not g:
                continue
            steps += 1
            norm = np.sqrt(sum((value**2).sum() for value in g.values()))
            scale = CLIP_NORM / (norm + 1e-6) if norm > CLIP_NORM else 1.0
            t = steps
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
    yield from head_cases()
    # Long enough for checkpoints to differ, one step each beyond a block of sums, and a few rows by panels.
    for reset_after in (True, False):
        yield Case(3, 13, [300, 3, 0, 41], L=2, D=2, reset_after=reset_after, with_h0=True, quick=True)
        yield Case(5, 21, [1] * 300, D=2, reset_after=reset_after)
        yield Case(7, 150, [9, 9, 4, 1], reset_after=reset_after, with_h0=True, O=2, batch_size=4)
        for huge in (np.inf, -np.inf, 1e20, -1e20):
            yield Case(1, 5, [3, 3], reset_after=reset_after, huge=huge, quick=True)


def head_cases() -> Iterator[Case]:
    """Yield every loss with every pooling, and with targets of steps."""
    rng = np.random.default_rng(8)
    for i, (loss, pool) in enumerate(product(LOSSES, (*POOLS, "steps"))):
        lengths = rng.integers(0, 9, 13)
        lengths[0] = 8
        yield Case(
            F=3,
            H=(5, 17)[i % 2],
            lengths=lengths,
            L=1 + i % 2,
            D=1 + i // 2 % 2,
            reset_after=i % 3 > 0,
            O=6 if i % 4 else 18,
            pool="last" if pool == "steps" else pool,
            per_step=pool == "steps",
            loss=loss,
            weighted=i % 2 > 0,
            batch_size=5,
            quick=True,
            seed=1000 + i,
        )
    # Shards, and their heads in threads.
    for pool in POOLS:
        lengths = rng.integers(1, 20, 200)
        yield Case(2, 21, lengths, O=2, D=2, pool=pool, loss="cross_entropy", batch_size=200, seed=2000)
    yield Case(2, 21, lengths, O=6, per_step=True, loss="pinball", batch_size=200, weighted=True, seed=2001)


def main(path: str) -> None:
    finished = []
    for case in cases():
        case.lengths = np.asarray(case.lengths, dtype=np.int64)
        finished.append(case.finish())
    with Path(path).open("wb") as file:
        file.write(b"GRUCASE2" + struct.pack("<q", len(finished)))
        for case in finished:
            case.write(file)


if __name__ == "__main__":
    main(sys.argv[1])
