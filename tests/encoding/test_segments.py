"""Which rows are read, and where sequences begin among them: judged by picking row by row."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.encoding._segments import Segments
from grulearn.sequences import Sequences


def views(seed: int) -> Sequences:
    """Sequences that overlap, touch, repeat, lie apart, and have no step, in any order."""
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(1, 60))
    n = int(rng.integers(0, 20))
    starts = rng.integers(0, n_rows + 1, n)
    lengths = np.array([rng.integers(0, min(n_rows - s, 12) + 1) for s in starts], dtype=np.int64)
    return Sequences(np.arange(n_rows, dtype=float)[:, None], starts, lengths)


def read_rows(data: Sequences, read: Segments, size: int) -> np.ndarray:
    """Put the rows together as the blocks say."""
    out = np.full(read.n_rows, -1.0)
    for block in read.blocks(size):
        out[block.rows] = data.rows[block.source, 0]
    return out


@pytest.mark.parametrize("kind", ["shared", "private"])
@pytest.mark.parametrize("seed", range(60))
def test_every_sequence_finds_its_rows(kind: str, seed: int) -> None:
    data = views(seed)
    read = getattr(Segments, kind)(data)
    for size in (1, 3, 1000):
        rows = read_rows(data, read, size)
        for i, sequence in enumerate(data):
            start = read.starts[i]
            assert 0 <= start <= start + len(sequence) <= read.n_rows
            np.testing.assert_array_equal(rows[start : start + len(sequence)], sequence[:, 0])


@pytest.mark.parametrize("seed", range(60))
def test_shared_rows_are_those_in_use_once_each(seed: int) -> None:
    data = views(seed)
    rows = read_rows(data, Segments.shared(data), 7)
    assert rows.tolist() == np.unique(data.row_index()).tolist()


@pytest.mark.parametrize("seed", range(60))
def test_private_segments_begin_where_sequences_do(seed: int) -> None:
    data = views(seed)
    read = Segments.private(data)
    opens = [block.rows.start + k for block in read.blocks(5) for k in block.opens.tolist()]
    assert opens == read.offsets[:-1].tolist()
    assert {int(s) for s, n in zip(read.starts, data.lengths, strict=True) if n} == set(opens)


@pytest.mark.parametrize("kind", ["shared", "private"])
@pytest.mark.parametrize("seed", range(60))
def test_counts_weights_and_owners(kind: str, seed: int) -> None:
    data = views(seed)
    read = getattr(Segments, kind)(data)
    weights = np.random.default_rng(seed).integers(1, 9, len(data)).astype(float)
    counts, sums = np.zeros(read.n_rows, dtype=int), np.zeros(read.n_rows)
    owners = np.full(read.n_rows, -1)
    for i, (start, n) in enumerate(zip(read.starts, data.lengths, strict=True)):
        counts[start : start + n] += 1
        sums[start : start + n] += weights[i]
        owners[start : start + n] = i
    owners[counts > 1] = -1
    found = read.counts(data.lengths)
    np.testing.assert_array_equal(np.ones(read.n_rows) if found is None else found, counts)
    np.testing.assert_array_equal(read.weights(data.lengths, weights), sums)
    np.testing.assert_array_equal(read.owners(data.lengths), owners)


def test_a_whole_log_is_read_as_slices() -> None:
    log = Sequences(np.zeros((1000, 1)), [0, 400], [400, 600])
    for read in (Segments.shared(log), Segments.private(log)):
        assert all(isinstance(block.source, slice) for block in read.blocks(64))
    table = Sequences.from_array(np.zeros((1000, 1)))
    assert Segments.shared(table).begins.tolist() == [0]
