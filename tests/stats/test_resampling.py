"""Sign flips and the BCa bootstrap against scipy, by hand, and where nothing can be resampled."""

from __future__ import annotations

import random
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.paired import mcnemar
from assay.stats.resampling import (
    EXACT_UP_TO,
    Bootstrap,
    bootstrap,
    bootstrap_difference,
    bootstrap_mean,
    sign_flip,
)


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def test_sign_flips_equal_scipys_exact_permutation_test_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        n = stream.randint(2, 9)
        coarse = stream.random() < 0.5
        gaps = [stream.choice((-1, -0.5, 0, 0.5, 1)) if coarse else stream.gauss(0.3, 1) for _ in range(n)]
        theirs = stats.permutation_test(
            (np.array(gaps, float),),
            lambda x, axis: x.sum(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        )
        ours = sign_flip(gaps)
        assert ours.exact
        assert ours.p == pytest.approx(theirs.pvalue, abs=1e-9), gaps


@given(st.integers(0, 15), st.integers(0, 15), st.integers(0, 100))
def test_sign_flips_of_0_1_scores_are_mcnemars_exact_test(gained, lost, same):
    gaps = [1.0] * gained + [-1.0] * lost + [0.0] * same
    assert sign_flip(gaps).p == pytest.approx(mcnemar(gained, lost), abs=1e-12)


def test_beyond_the_exact_the_drawn_p_lies_within_its_monte_carlo_error_of_the_truth():
    stream = random.Random(2)
    for _ in range(40):
        gained, lost = stream.randint(15, 40), stream.randint(16, 40)
        gaps = [1.0] * gained + [-1.0] * lost
        found, truth = sign_flip(gaps, seed=3), mcnemar(gained, lost)
        assert not found.exact
        assert abs(found.p - truth) <= 4.5 * (truth * (1 - truth) / found.draws) ** 0.5 + 2 / found.draws


def test_drawn_signs_of_differences_that_all_differ_agree_with_the_exact_ones():
    stream = random.Random(4)
    for _ in range(20):
        gaps = [stream.gauss(0.25, 1) for _ in range(EXACT_UP_TO)]
        exact = sign_flip(gaps)
        tiny = [*gaps, 1e-9]  # one more, too small to matter
        drawn = sign_flip(tiny, seed=5)
        assert exact.exact
        assert not drawn.exact
        assert abs(drawn.p - exact.p) <= 4.5 * (exact.p / drawn.draws) ** 0.5 + 2 / drawn.draws


def test_a_seed_gives_the_same_p_again_and_another_seed_another():
    stream = random.Random(6)
    gaps = [stream.gauss(0.2, 1) for _ in range(40)]
    found = {sign_flip(gaps, draws=500, seed=seed).p for seed in (1, 1, 2, 3, 4)}
    assert len(found) > 1
    assert sign_flip(gaps, draws=500, seed=1) == sign_flip(gaps, draws=500, seed=1)


@pytest.mark.parametrize("gaps", [[], [0.0], [0.0, 0.0, 0.0], [1.0, -1.0]])
def test_no_difference_has_a_p_of_1(gaps):
    assert sign_flip(gaps).p == 1


def test_a_p_by_draws_is_never_0():
    assert sign_flip([1.0 + n / 100 for n in range(100)], draws=100).p == pytest.approx(1 / 101)


def test_bca_ends_equal_scipys_on_1000_inputs_within_monte_carlo_error():
    stream, draws = random.Random(7), 1000
    errors: list[float] = []
    for number in range(1000):
        n = stream.randint(8, 16)
        values = [stream.expovariate(1) if number % 2 else stream.gauss(0, 1) for _ in range(n)]
        ours = bootstrap_mean([[v] for v in values], draws=draws, seed=number)
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=draws, method="BCa", rng=np.random.default_rng(number)
        )
        ends, se = theirs.confidence_interval, ours.se
        low, high = sure(ours.interval())
        assert theirs.standard_error == pytest.approx(se, rel=0.2)
        errors += [(low - ends.low) / se, (high - ends.high) / se]
    # An end's Monte-Carlo error is about 0.2 se at 1,000 draws on each side: z0 and the quantile.
    assert max(map(abs, errors)) < 1.6
    assert abs(fmean(errors)) < 0.03
    assert abs(fmean(errors[::2])) < 0.04
    assert fmean(map(abs, errors)) < 0.25


def test_bca_ends_are_those_of_the_ideal_bootstrap_with_every_resample():
    values = [0.1, 0.4, 0.5, 1.9, 0.2]
    every = sorted(fmean(drawn) for drawn in product(values, repeat=5))
    ideal = bootstrap(values, fmean, draws=1)
    found = bootstrap(values, fmean, draws=40_000, seed=1)
    middle = fmean(values)
    share = (sum(m < middle - 1e-12 for m in every) + sum(m <= middle + 1e-12 for m in every)) / 2 / 5**5
    normal = stats.norm
    left_out = [fmean(values[:i] + values[i + 1 :]) for i in range(5)]
    gaps = np.mean(left_out) - np.array(left_out)
    a = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    assert ideal.acceleration == found.acceleration == pytest.approx(a)
    z0 = normal.ppf(share)
    assert found.bias == pytest.approx(z0, abs=0.03)
    for z, end in zip((-1.959964, 1.959964), sure(found.interval()), strict=True):
        level = normal.cdf(z0 + (z0 + z) / (1 - a * (z0 + z)))
        assert end == pytest.approx(np.quantile(every, level), abs=0.04)


def test_a_cluster_is_drawn_whole_so_repeats_are_no_n():
    stream = random.Random(8)
    rates = [stream.random() for _ in range(40)]
    once = bootstrap_mean([[rate] for rate in rates], draws=2000).se
    ten_times = bootstrap_mean([[rate] * 10 for rate in rates], draws=2000).se
    assert ten_times == pytest.approx(once, rel=0.1)


def test_clusters_of_different_sizes_weigh_by_their_observations():
    found = bootstrap_mean([[1.0], [0.0, 0.0, 0.0], [0.5, 0.5]], draws=200)
    assert found.value == pytest.approx(2 / 6)
    assert found.n == 3


def test_the_difference_is_paired_what_both_arms_share_has_no_part_in_it():
    stream = random.Random(9)
    cases = [100 * stream.random() for _ in range(30)]
    a = [[case] for case in cases]
    b = [[case + 1 + 0.01 * stream.random()] for case in cases]
    found = bootstrap_difference(a, b, draws=1000)
    low, high = sure(found.interval())
    assert 1 < low < found.value < high < 1.01
    repeats = bootstrap_difference([x * 2 for x in a], [x * 3 for x in b], draws=1000)
    assert repeats.value == pytest.approx(found.value)
    assert sure(repeats.interval()) == pytest.approx((low, high), abs=0.002)
    assert bootstrap_difference(b, a, draws=10).value == pytest.approx(-found.value)


def test_where_all_resamples_are_alike_there_is_no_interval():
    for clusters in ([[0.5]], [[0.5]] * 9, [[0.5, 0.5], [0.5]]):
        found = bootstrap_mean(clusters, draws=50)
        assert found.degenerate
        assert found.interval() is None
        assert found.percentiles() is None
        assert found.estimate().method == "all resamples are equal"
        assert found.estimate().value == 0.5
    with pytest.raises(ValueError, match="nothing"):
        bootstrap_mean([])
    with pytest.raises(ValueError, match="zip"):
        bootstrap_difference([[1.0]], [])


def test_the_bootstrap_is_seeded():
    clusters = [[float(n % 7)] for n in range(30)]
    assert bootstrap_mean(clusters, draws=99, seed=4) == bootstrap_mean(clusters, draws=99, seed=4)
    assert bootstrap_mean(clusters, draws=99, seed=4) != bootstrap_mean(clusters, draws=99, seed=5)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_interval_grows_with_the_confidence_and_stays_among_what_was_seen(values):
    found = bootstrap_mean([[v] for v in values], draws=200)
    if not found.degenerate:
        narrow, wide = sure(found.interval(0.8)), sure(found.interval(0.99))
        assert min(values) - 1e-9 <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= max(values) + 1e-9


def test_the_corrections_shift_the_ends_as_efron_says():
    grid = tuple(n / 100_000 for n in range(100_001))
    normal = stats.norm
    for bias, a in ((0.3, 0.0), (-0.2, 0.1), (0.25, -0.15)):
        low, high = sure(Bootstrap(0.5, grid, bias, a, 10).interval(0.9))
        for z, end in ((normal.ppf(0.05), low), (normal.ppf(0.95), high)):
            assert end == pytest.approx(normal.cdf(bias + (bias + z) / (1 - a * (bias + z))), abs=1e-9)
    assert Bootstrap(0.5, grid, 0.0, 0.0, 10).interval(0.9) == pytest.approx((0.05, 0.95))
    assert Bootstrap(0.5, grid, 0.3, 0.1, 10).percentiles(0.9) == pytest.approx((0.05, 0.95))
