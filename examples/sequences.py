"""Sequences of many steps, and the trained network fed one step at a time."""

from __future__ import annotations

import numpy as np

from grulearn import GRU, GRURegressor

# 2,000 sequences of 30 steps. The second feature is a flag; the target is the sum
# of the first feature over the steps where the flag is up: there is something to
# remember.
rng = np.random.default_rng(0)
values = rng.normal(size=(2_000, 30))
flags = rng.random((2_000, 30)) < 0.1
X = np.stack([values, flags], axis=2)  # (sample, step, feature)
y = (values * flags).sum(axis=1)

model = GRURegressor(hidden_size=32, random_state=0).fit(X[:1_500], y[:1_500])
print(model.reading_)
print(f"R2 on sequences it has not seen: {model.score(X[1_500:], y[1_500:]):.3f}")

# The weights as a function on arrays: whole sequences, or one step when it arrives.
# It takes what the network sees, which for this model are scaled inputs.
gru = GRU(model.weights_)
x = rng.normal(size=(30, 2)).astype(np.float32)
outputs, _ = gru(x)
h = np.zeros((1, 32), dtype=np.float32)
for x_t in x:
    gru.step(x_t, h, out=h)
print(f"thirty steps end in the same bits: {np.array_equal(h[0], outputs[-1])}")
