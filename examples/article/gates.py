"""Which gate resets and which updates, and which state they read. Needs grulearn."""

from __future__ import annotations

import numpy as np

from grulearn.equations import CellWeights, gru_step

HIDDEN = 4
R, Z = slice(0, HIDDEN), slice(HIDDEN, 2 * HIDDEN)
ARTICLE = {"reset_after": False, "mixing": "article"}


def with_gate(weights: CellWeights, gate: slice, bias: float) -> CellWeights:
    """Hold one gate open (large bias) or shut (large negative bias)."""
    b = np.zeros(3 * HIDDEN)
    b[gate] = bias
    return weights._replace(b=b, c=np.zeros(3 * HIDDEN))


def main() -> None:
    rng = np.random.default_rng(0)
    weights = CellWeights(W=rng.normal(size=(3 * HIDDEN, 3)), U=rng.normal(size=(3 * HIDDEN, HIDDEN)))
    x, h, other = rng.normal(size=(1, 3)), rng.normal(size=(1, HIDDEN)), rng.normal(size=(1, HIDDEN))

    print("What each gate does, shut (in the article's mixing)")
    shut, _ = gru_step(x, h, with_gate(weights, Z, -1e3), **ARTICLE)
    print(f"  z = 0: the state is not updated, h_t = h_(t-1)        {np.array_equal(shut, h)}")
    _, of_h = gru_step(x, h, with_gate(weights, R, -1e3), **ARTICLE)
    _, of_other = gru_step(x, other, with_gate(weights, R, -1e3), **ARTICLE)
    print(f"  r = 0: the candidate is the same for any h_(t-1)      {np.array_equal(of_h.n, of_other.n)}")
    forgetful, _ = gru_step(x, h, with_gate(weights, R, -1e3), **ARTICLE)
    print(f"  r = 0: the state is updated all the same              {not np.array_equal(forgetful, h)}")

    print("With h_t for h_(t-1) in the update gate, h_t = ... is an equation to solve, not a step to do")
    meant, meant_gates = gru_step(x, h, weights, **ARTICLE)
    literal = meant
    for _ in range(1_000):  # half a step at a time, so that it settles
        z = gru_step(x, literal, weights, **ARTICLE)[1].z
        literal = 0.5 * literal + 0.5 * ((1 - z) * h + z * meant_gates.n)
    print(f"  meant      {np.round(meant[0], 3)}")
    print(f"  literal    {np.round(literal[0], 3)}")


if __name__ == "__main__":
    main()
