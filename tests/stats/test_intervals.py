"""Intervals: against scipy, by hand, and by what they cover."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.distributions import binomial_cdf, t_quantile
from assay.stats.intervals import (
    EXACT_BELOW,
    Estimate,
    all_equal,
    bounded_mean,
    clopper_pearson,
    clustered,
    clustered_rate,
    mean,
    rate,
    wilson,
)


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


unit_values = st.floats(0, 1)


def coverage(n: int, p: float) -> float:
    """The exact coverage of `rate` at one rate: the x whose interval holds p are neighbours."""
    held = [x for x in range(n + 1) if within(rate(x, n), p)]
    return binomial_cdf(held[-1], n, p) - binomial_cdf(held[0] - 1, n, p)


def ends_of(x: int, n: int) -> tuple[float, float]:
    estimate = sure(rate(x, n))
    return estimate.low, estimate.high


def within(estimate: Estimate, value: float) -> bool:
    return bool(sure(estimate).low <= value <= sure(estimate).high)


def test_wilson_and_clopper_pearson_equal_scipys_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        n = stream.randint(1, 3000)
        x, confidence = stream.randint(0, n), stream.choice([0.8, 0.95, 0.99])
        test = stats.binomtest(x, n)
        for method, ours in (("wilson", wilson), ("exact", clopper_pearson)):
            theirs = test.proportion_ci(confidence, method)
            assert ours(x, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_the_t_interval_equals_scipys_on_1000_inputs():
    stream = random.Random(2)
    for _ in range(1000):
        values = [stream.gauss(0, 3) for _ in range(stream.randint(2, 40))]
        centre, se = stats.tmean(values), stats.sem(values)
        theirs = stats.t.interval(0.95, len(values) - 1, centre, se)
        ours = bounded_mean(values, None)
        assert (ours.value, ours.se) == pytest.approx((centre, se), abs=1e-9)
        assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-9)


def test_a_known_wilson_interval_by_hand():
    assert wilson(104, 120) == pytest.approx((0.79435, 0.91623), abs=1e-5)
    assert rate(104, 120).method == "Wilson"
    assert rate(30, 30).low == pytest.approx(0.025 ** (1 / 30))


@pytest.mark.parametrize("n", [10, 12, 20, 31, 32, 36, 44, 51, 89, 102, 142])
def test_a_rates_interval_never_covers_less_than_93_percent(n):
    ends = [end for x in range(n + 1) for end in ends_of(x, n) if 0.5 <= end <= 0.99]
    rates = [0.5, 0.99, *(end + step for end in ends for step in (-1e-9, 1e-9))]
    covered = [coverage(n, p) for p in rates]
    assert min(covered) >= 0.93
    assert sum(covered) / len(covered) >= 0.94


@pytest.mark.parametrize("n", [200, 500, 735, 1000])
def test_a_rates_interval_covers_93_percent_at_large_n(n):
    assert min(coverage(n, 0.5 + step / 200) for step in range(99)) >= 0.93


def test_wilson_alone_would_cover_too_little():
    held = [x for x in range(11) if wilson(x, 10)[0] <= 0.9822 <= wilson(x, 10)[1]]
    assert sum(stats.binom.pmf(x, 10, 0.9822) for x in held) < 0.9


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rates_interval_holds_the_rate_stays_within_0_and_1_and_has_width(hits):
    x, n = hits
    estimate = sure(rate(x, n))
    assert 0 <= estimate.low <= x / n <= estimate.high <= 1
    assert estimate.high - estimate.low > 0
    assert estimate.method == ("Wilson" if min(x, n - x) >= EXACT_BELOW else "Clopper-Pearson")


@given(st.integers(2, 120))
def test_a_higher_rate_never_has_a_lower_interval(n):
    ends = [ends_of(x, n) for x in range(n + 1)]
    assert ends == sorted(ends)
    assert [high for _, high in ends] == sorted(high for _, high in ends)


@given(st.lists(unit_values, min_size=1, max_size=40))
def test_a_bounded_mean_lies_in_its_interval_and_never_has_none(values):
    estimate = sure(bounded_mean(values))
    assert 0 <= estimate.low <= estimate.high <= 1
    assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12
    assert estimate.high > estimate.low
    assert estimate.n == len(values)


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5), min_size=1, max_size=30))
def test_a_clustered_rate_lies_in_its_interval_and_never_has_none(cases):
    rates = [sum(case) / len(case) for case in cases]
    estimate = sure(clustered_rate(rates, sum(map(len, cases))))
    assert 0 <= estimate.low < estimate.high <= 1
    assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12


def test_equal_values_get_the_width_of_what_was_not_seen():
    assert all_equal(1.0, 30, (0, 1)).low == pytest.approx(clopper_pearson(30, 30)[0])
    middle = sure(all_equal(0.5, 30, (0, 1)))
    assert (middle.low, middle.high) == pytest.approx((0.5 - 0.0578, 0.5 + 0.0578), abs=1e-4)
    assert all_equal(3.0, 30, None).low is None


def test_a_clustered_error_equals_the_t_interval_over_case_means_when_repeats_are_balanced():
    stream = random.Random(3)
    cases = [[stream.random() for _ in range(4)] for _ in range(25)]
    ours, plain = clustered(cases), bounded_mean([sum(case) / 4 for case in cases], None)
    assert (ours.value, ours.se, ours.low, ours.high) == pytest.approx(
        (plain.value, plain.se, plain.low, plain.high), abs=1e-12
    )


def test_a_clustered_error_by_hand_with_uneven_clusters():
    # mean 0.5; sums of deviations -0.5, +1, -0.5; squares 1.5; times 3/2; root / 6
    estimate = sure(clustered([[0.0], [1.0, 1.0], [1.0, 0.0, 0.0]]))
    assert estimate.value == 0.5
    assert estimate.se == pytest.approx(math.sqrt(1.5 * 1.5) / 6)
    assert estimate.high == pytest.approx(0.5 + t_quantile(0.975, 2) * 0.25)
    assert clustered([[1.0, 0.0]]).low is None


def test_repeats_are_never_n():
    once = clustered_rate([1.0, 0.0] * 30, 60)
    ten_times = clustered_rate([1.0, 0.0] * 30, 600)
    assert (once.low, once.high) == pytest.approx((ten_times.low, ten_times.high))
    assert ten_times.n == 60


@pytest.mark.parametrize(("p", "alike"), [(0.95, 0.0), (0.95, 0.5), (0.8, 0.5), (0.5, 0.0)])
def test_a_clustered_rate_covers_93_percent_where_repeats_agree_in_part(p, alike):
    stream, held, runs = random.Random(7), 0, 2000
    for _ in range(runs):
        rates = []
        for _ in range(30):
            first = stream.random() < p
            draws = [first if stream.random() < alike else stream.random() < p for _ in range(3)]
            rates.append(sum(draws) / 3)
        held += within(clustered_rate(rates, 90), p)
    assert held / runs >= 0.93


def test_one_value_has_no_standard_error():
    assert mean([2.0]) == (2.0, None)
