"""The article's equations (reset before, no biases) beside nn.GRU's (reset after, biases). Needs grulearn."""

from __future__ import annotations

import numpy as np

from grulearn.equations import gru_sequence


def random_weights(rng: np.random.Generator, n_features: int, hidden: int) -> dict[str, np.ndarray]:
    """Draw weights as nn.GRU does: uniform within 1 / sqrt(hidden)."""
    sizes = {
        "weight_ih_l0": (3 * hidden, n_features),
        "weight_hh_l0": (3 * hidden, hidden),
        "bias_ih_l0": (3 * hidden,),
        "bias_hh_l0": (3 * hidden,),
    }
    return {name: rng.uniform(-1, 1, size) / hidden**0.5 for name, size in sizes.items()}


def main() -> None:
    rng = np.random.default_rng(0)
    full = random_weights(rng, 13, 32)
    bare = {name: value for name, value in full.items() if name.startswith("weight")}
    x = rng.normal(size=(100, 20, 13))

    print("largest difference of the states after T steps, between reset_after=True and False")
    print("   T   with biases   without")
    for n_steps in (1, 2, 5, 20):
        differences = []
        for weights in (full, bare):
            after, _ = gru_sequence(x[:, :n_steps], weights, reset_after=True)
            before, _ = gru_sequence(x[:, :n_steps], weights, reset_after=False)
            differences.append(np.abs(after[:, -1] - before[:, -1]).max())
        print(f"  {n_steps:2d}       {differences[0]:.4f}    {differences[1]:.4f}")

    with_biases, _ = gru_sequence(x, full)
    without, _ = gru_sequence(x, bare)
    print(f"between with and without biases, T = 20, reset after: {np.abs(with_biases - without).max():.4f}")
    counts = [sum(value.size for value in weights.values()) for weights in (full, bare)]
    print(f"numbers in the GRU: {counts[0]:,} with biases, {counts[1]:,} without")


if __name__ == "__main__":
    main()
