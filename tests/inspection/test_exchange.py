"""Exchanged values: what stays, and that every permutation is as likely as the others."""

from __future__ import annotations

from collections import Counter
from math import factorial

import numpy as np
import pytest

from grulearn.inspection.exchange import Steps


@pytest.mark.parametrize("align", ["start", "end"])
@pytest.mark.parametrize("seed", range(30))
def test_each_place_is_permuted_among_those_that_have_it(align, seed):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, draw.choice([2, 4, 30]), size=int(draw.integers(2, 40)))
    steps = Steps(lengths, align)
    places = np.concatenate([np.arange(n) if align == "start" else np.arange(n)[::-1] for n in lengths])
    np.testing.assert_array_equal(steps.places(), places)
    source = steps.exchange(draw)
    np.testing.assert_array_equal(np.sort(source), np.arange(lengths.sum()))
    np.testing.assert_array_equal(places[source], places)


@pytest.mark.parametrize("align", ["start", "end"])
def test_series_stay_whole_until_they_end(align):
    """Steps next to each other come from one sequence, except where the partner has ended."""
    lengths = np.random.default_rng(0).integers(1, 12, size=60)
    sequence = np.repeat(np.arange(60), lengths)
    steps = Steps(lengths, align)
    source, places = steps.exchange(np.random.default_rng(1)), steps.places()
    n_seams = 0
    for i in range(60):
        rows = np.flatnonzero(sequence == i)
        rows = rows[np.argsort(places[rows])]
        partners = sequence[source[rows]]
        for t in np.flatnonzero(np.diff(partners)):
            n_seams += 1
            assert lengths[partners[t]] == t + 1
            assert lengths[partners[t + 1]] > t + 1
    assert n_seams > 10


def test_all_permutations_are_equally_likely():
    """Of four sequences, of which three have a second step and two a third: 24, 6 and 2 permutations.

    Counts of 12,000 draws are binomial; five standard deviations are allowed.
    """
    lengths = np.array([1, 3, 2, 3])
    steps, rng = Steps(lengths, "start"), np.random.default_rng(0)
    places = steps.places()
    drawn = [steps.exchange(rng) for _ in range(12_000)]
    for place, n_sequences in enumerate((4, 3, 2)):
        rows = np.flatnonzero(places == place)
        counts = Counter(tuple(source[rows]) for source in drawn)
        expected = 12_000 / factorial(n_sequences)
        assert len(counts) == factorial(n_sequences)
        assert max(abs(count - expected) for count in counts.values()) < 5 * np.sqrt(expected)


def test_many_sequences_of_different_lengths_take_no_time():
    """200,000 sequences, each put into the permutation in a loop: some 0.3 s."""
    lengths = np.random.default_rng(0).integers(1, 20, size=200_000)
    source = Steps(lengths, "end").exchange(np.random.default_rng(0))
    assert len(np.unique(source)) == lengths.sum()
