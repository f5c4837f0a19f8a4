"""The article's (1 - z) h + z n and PyTorch's (1 - z) n + z h are one network. Needs grulearn."""

from __future__ import annotations

import numpy as np
from reset_forms import random_weights

from grulearn.equations import gru_sequence, swap_mixing


def main() -> None:
    rng = np.random.default_rng(0)
    weights = random_weights(rng, 13, 32)
    x = rng.normal(size=(100, 20, 13))

    pytorch, _ = gru_sequence(x, weights, mixing="pytorch")
    unchanged, _ = gru_sequence(x, weights, mixing="article")
    swapped, _ = gru_sequence(x, swap_mixing(weights), mixing="article")
    back = swap_mixing(swap_mixing(weights))

    print("largest difference of the outputs between the two mixings")
    print(f"  with the same weights              {np.abs(pytorch - unchanged).max():.2f}")
    print(f"  with W_z, U_z, b_z, c_z negated    {np.abs(pytorch - swapped).max():.0e}")
    print(f"negated twice: the same bits         {all(np.array_equal(back[k], weights[k]) for k in weights)}")


if __name__ == "__main__":
    main()
