"""Which combinations are played: samples are even and different, pairs all occur, both by their seed."""

import itertools
import math
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.loading.designs import paired, pairs_of, sampled

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def met(rows, sizes) -> bool:
    """Whether every value of every factor meets every value of every other one."""
    for a, b in itertools.combinations(range(len(sizes)), 2):
        if len({(row[a], row[b]) for row in rows}) < sizes[a] * sizes[b]:
            return False
    return True


@st.composite
def asked(draw):
    sizes = draw(SIZES)
    return sizes, draw(st.integers(1, min(200, math.prod(sizes)))), draw(st.integers(0, 9))


@given(asked())
def test_a_sample_has_different_rows_in_which_each_value_of_a_factor_occurs_equally_often(what):
    sizes, count, seed = what
    rows = sampled(sizes, count, Random(seed))
    assert len(rows) == len(set(rows)) == count
    for factor, size in enumerate(sizes):
        counts = Counter(row[factor] for row in rows)
        assert set(counts) <= set(range(size))
        held = [counts[value] for value in range(size)]
        assert max(held) - min(held) <= 1


@given(asked())
def test_a_sample_is_that_of_its_seed(what):
    sizes, count, seed = what
    assert sampled(sizes, count, Random(seed)) == sampled(sizes, count, Random(seed))


def test_another_seed_gives_another_sample_and_all_combinations_come_up():
    samples = {tuple(sorted(sampled([3, 3, 3], 9, Random(seed)))) for seed in range(20)}
    assert len(samples) > 15
    assert len({row for sample in samples for row in sample}) == 27


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=6), st.integers(0, 9))
def test_every_pair_of_values_of_two_factors_occurs_and_no_row_is_spent_on_nothing(sizes, seed):
    rows = paired(sizes, Random(seed))
    assert met(rows, sizes)
    assert rows == paired(sizes, Random(seed))
    assert all(0 <= value < size for row in rows for value, size in zip(row, sizes, strict=True))
    seen = set()
    for row in rows:
        fresh = set(itertools.combinations(enumerate(row), 2)) - seen
        assert fresh
        seen |= fresh
    assert len(seen) == pairs_of(sizes)
    largest = sorted(sizes)[-2:]
    assert math.prod(largest) <= len(rows) <= max(math.prod(sizes), 1)


def test_pairs_are_few_beside_the_grid():
    assert len(paired([3] * 4, Random(0))) <= 12  # 9 at best, 81 in the grid
    assert len(paired([4] * 10, Random(0))) <= 36  # of 1,048,576
    assert len(paired([10] * 20, Random(0))) <= 260


def test_one_factor_alone_is_its_values():
    assert paired([3], Random(0)) == [(0,), (1,), (2,)]
