"""The article's one matrix on [x, h] is W and U side by side. Needs grulearn."""

from __future__ import annotations

import numpy as np

from grulearn.equations import CellWeights, gru_step, sigmoid


def main() -> None:
    n_features, hidden = 13, 32
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(506, n_features)), rng.normal(size=(506, hidden))
    gates = [rng.normal(size=(hidden, n_features + hidden)) / 6 for _ in range(3)]  # the article's matrices

    # The article's equations as they stand there, h the state of the step before.
    r, z = (sigmoid(np.hstack([x, h]) @ matrix.T) for matrix in gates[:2])
    n = np.tanh(np.hstack([x, r * h]) @ gates[2].T)
    article = (1 - z) * h + z * n

    # grulearn: the first columns belong to x, the others to h.
    W = np.vstack([matrix[:, :n_features] for matrix in gates])
    U = np.vstack([matrix[:, n_features:] for matrix in gates])
    ours, _ = gru_step(x, h, CellWeights(W, U), reset_after=False, mixing="article")

    print(f"three matrices {gates[0].shape} = W {W.shape} and U {U.shape}")
    print(f"largest difference of the new states: {np.abs(article - ours).max():.0e}")


if __name__ == "__main__":
    main()
