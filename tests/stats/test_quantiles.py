"""Percentiles against NumPy, and their order-statistic intervals by enumeration."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.quantiles import needed, order_ranks, quantile, type7


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def test_type_7_equals_numpys_on_1000_samples():
    stream = random.Random(1)
    for _ in range(1000):
        sample = sorted(stream.expovariate(1) for _ in range(stream.randint(1, 200)))
        q = stream.random()
        assert type7(sample, q) == pytest.approx(float(np.quantile(sample, q)), abs=1e-9)


@pytest.mark.parametrize(("q", "n"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_an_interval_exists_from_the_known_n_on_and_not_before(q, n):
    assert needed(q) == n
    assert quantile(range(n), q).low is not None
    before = quantile(range(n - 1), q)
    assert (before.low, before.high, before.needed) == (None, None, n)


@given(st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.integers(6, 3000))
def test_the_ranks_cover_at_least_95_percent_and_are_tight(q, n):
    ranks = order_ranks(n, q)
    if ranks is None:
        assert n < needed(q)
        return
    low, high = ranks
    below = stats.binom(n, q)
    assert 1 <= low < high <= n
    assert below.cdf(high - 1) - below.cdf(low - 1) >= 0.95 - 1e-12
    assert below.cdf(low) > 0.025 - 1e-12
    assert below.sf(high - 2) > 0.025 - 1e-12


@given(st.lists(st.floats(0, 100), min_size=6, max_size=200).map(sorted))
def test_the_median_lies_in_its_interval(sample):
    median = sure(quantile(sample, 0.5))
    assert median.low <= median.value <= median.high
