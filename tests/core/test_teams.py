"""The same bits however many threads share a step, and whatever rows they are dealt."""

import numpy as np
import pytest

from grulearn import _core

# (lengths, features, hidden): few rows of cells that a team shares, and ragged batches, dealt to and fro.
# The last cell is beyond the L2, where a ragged batch is trained in other shards than a rectangular one.
PROBLEMS = [
    ([100], 32, 64),
    ([60, 60, 60], 17, 70),
    ([40] * 8, 32, 64),
    ([1 + 37 * i % 60 for i in range(45)], 8, 40),
    ([1 + 11 * i % 24 for i in range(70)], 64, 170),
]


@pytest.mark.parametrize(("lengths", "features", "hidden"), PROBLEMS)
@pytest.mark.parametrize("reset_after", [True, False])
def test_the_same_bits_for_any_number_of_threads(lengths, features, hidden, reset_after):
    rng = np.random.default_rng(0)
    counts = np.array(lengths, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    rows = rng.normal(size=(int(counts.sum()), features)).astype(np.float32)
    targets = rng.normal(size=(len(counts), 1)).astype(np.float32)

    def run(n_jobs):
        network = _core.Network(features, hidden, output_size=1, reset_after=reset_after)
        weights = np.random.default_rng(1).normal(scale=hidden**-0.5, size=network.n_parameters)
        network.set_parameters(weights.astype(np.float32))
        outputs, h_n = network.forward(rows, starts, counts, None, n_jobs)
        trainer = _core.Trainer(network, rows, starts, counts, targets, batch_size=len(counts), n_jobs=n_jobs)
        losses = np.concatenate([trainer.run_epoch(None, 1e-3) for _ in range(3)])
        return outputs, h_n, losses, network.parameters()

    alone = run(1)
    assert np.isfinite(alone[3]).all()
    for n_jobs in (2, 3, 5, 16):
        for expected, found in zip(alone, run(n_jobs), strict=True):
            np.testing.assert_array_equal(found, expected)
