"""Fisher's exact test against scipy."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.proportions import fisher_exact


def test_fisher_equals_scipys_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        n_a, n_b = stream.randint(1, 400), stream.randint(1, 400)
        a, b = stream.randint(0, n_a), stream.randint(0, n_b)
        expected = stats.fisher_exact([[a, n_a - a], [b, n_b - b]]).pvalue
        assert fisher_exact(a, n_a, b, n_b) == pytest.approx(expected, abs=1e-9)


def test_nothing_but_misses_or_hits_tells_nothing():
    assert fisher_exact(0, 10, 0, 20) == pytest.approx(1)
    assert fisher_exact(10, 10, 20, 20) == pytest.approx(1)
    assert fisher_exact(0, 120, 12, 120) < 0.001


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_arms_and_hits_may_be_swapped(a, more_a, b, more_b):
    n_a, n_b = a + more_a, b + more_b
    p = fisher_exact(a, n_a, b, n_b)
    assert 0 < p <= 1
    assert p == pytest.approx(fisher_exact(b, n_b, a, n_a))
    assert p == pytest.approx(fisher_exact(more_a, n_a, more_b, n_b))
