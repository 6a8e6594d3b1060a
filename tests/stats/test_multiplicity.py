"""Benjamini and Hochberg against statsmodels, and what it promises."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import fdrcorrection  # type: ignore[import-untyped]  # ships no types

from assay.stats.multiplicity import benjamini_hochberg
from assay.stats.paired import holm


def test_the_adjusted_p_values_equal_statsmodels_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        p_values = [stream.random() ** stream.choice((1, 3)) for _ in range(stream.randint(1, 40))]
        if stream.random() < 0.3:
            p_values += p_values[:3]
        assert benjamini_hochberg(p_values) == pytest.approx(fdrcorrection(p_values)[1], abs=1e-9)


def test_no_test_is_no_adjustment():
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.03]) == [0.03]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_it_lies_between_the_raw_p_and_holms_and_keeps_their_order(p_values):
    found = benjamini_hochberg(p_values)
    assert all(p <= q + 1e-12 <= h + 2e-12 for p, q, h in zip(p_values, found, holm(p_values), strict=True))
    pairs = sorted(zip(p_values, found, strict=True))
    assert [q for _, q in pairs] == sorted(q for _, q in pairs)


def test_of_its_discoveries_no_more_than_the_promised_share_is_false():
    stream, shares, runs = random.Random(2), 0.0, 2000
    for _ in range(runs):
        null = [stream.random() for _ in range(16)]
        real = [stream.random() ** 8 for _ in range(4)]
        found = [q <= 0.1 for q in benjamini_hochberg([*null, *real])]
        shares += sum(found[:16]) / max(1, sum(found))
    assert 0.05 < shares / runs <= 0.09  # 0.1 times the share of null ones is 0.08
