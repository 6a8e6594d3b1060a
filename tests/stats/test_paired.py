"""Paired tests against scipy and by hand, and the errors they promise."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.paired import (
    cases_needed,
    detectable_paired,
    detectable_rate,
    difference,
    holm,
    mcnemar,
    sd_of_differences,
)


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def test_the_paired_t_equals_scipys_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        n = stream.randint(2, 60)
        a = [stream.random() for _ in range(n)]
        b = [stream.random() for _ in range(n)]
        ours, theirs = difference(a, b, None), stats.ttest_rel(b, a)
        ends = theirs.confidence_interval(0.95)
        assert ours.p == pytest.approx(theirs.pvalue, abs=1e-9)
        assert (ours.estimate.low, ours.estimate.high) == pytest.approx((ends.low, ends.high), abs=1e-9)


def test_mcnemar_equals_scipys_binomial_test_on_1000_inputs():
    stream = random.Random(2)
    for _ in range(1000):
        gained, lost = stream.randint(0, 80), stream.randint(1, 80)
        expected = stats.binomtest(gained, gained + lost).pvalue
        assert mcnemar(gained, lost) == pytest.approx(expected, abs=1e-9)
    assert mcnemar(0, 0) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_equals_its_definition(p_values):
    adjusted, m = holm(p_values), len(p_values)
    order = sorted(range(m), key=lambda i: p_values[i])
    for rank, index in enumerate(order):
        expected = max(min(1.0, (m - r) * p_values[order[r]]) for r in range(rank + 1))
        assert adjusted[index] == pytest.approx(expected)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_equal_differences_have_a_width_and_a_sign_test():
    nothing = sure(difference([1.0, 0.0] * 60, [1.0, 0.0] * 60))
    assert nothing.p == 1
    assert nothing.estimate.low < 0 < nothing.estimate.high
    all_better = sure(difference([0.0] * 10, [1.0] * 10))
    assert all_better.p == pytest.approx(2 * 0.5**10)
    assert all_better.estimate.low > 0


def test_arms_must_have_the_same_cases():
    with pytest.raises(ValueError, match="zip"):
        difference([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="no case"):
        difference([], [])


def test_clustered_arms_without_a_difference_alarm_in_4_to_6_percent_of_runs():
    stream, alarms, runs = random.Random(3), 0, 2000
    for _ in range(runs):
        a, b = [], []
        for _ in range(50):
            shift = stream.gauss(0, 0.2)  # of the case, common to its repeats
            gap = stream.gauss(0, 0.1)  # of the case and arm: what makes repeats alike
            a.append(sum(shift + stream.gauss(0, 0.3) for _ in range(10)) / 10)
            b.append(sum(shift + gap + stream.gauss(0, 0.3) for _ in range(10)) / 10)
        alarms += difference(a, b, None).p < 0.05
    assert 0.04 <= alarms / runs <= 0.06


def test_a_planned_power_of_80_percent_is_realised():
    stream, seen, runs, n = random.Random(4), 0, 2000, 200
    effect = detectable_paired(n, 0.5)
    for _ in range(runs):
        gaps = [stream.gauss(effect, 0.5) for _ in range(n)]
        seen += difference([0.0] * n, gaps, None).p < 0.05
    assert 0.77 <= seen / runs <= 0.83


def test_what_can_be_detected_by_hand():
    assert detectable_rate(100) == pytest.approx(2.8016 * 0.05, abs=1e-4)
    assert detectable_paired(120, 0.356) == pytest.approx(0.091, abs=5e-4)
    assert sd_of_differences(0.8, 0.8) == pytest.approx(0.32**0.5)
    assert sd_of_differences(0.8, 0.8, 1.0) == 0
    assert cases_needed(0.091, 0.356) == pytest.approx(120, abs=1)
    assert cases_needed(0.0, 0.5) is None
