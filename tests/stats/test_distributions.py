"""The distributions against scipy, on 1,000 random inputs each."""

from __future__ import annotations

import math
import random

import pytest
from scipy import special, stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.distributions import (
    beta_quantile,
    binomial_cdf,
    binomial_pmf,
    binomial_quantile,
    incomplete_beta,
    normal_quantile,
    t_cdf,
    t_quantile,
)

DRAWS = 1000
TOLERANCE = 1e-9


def counts(stream: random.Random) -> tuple[int, int, float]:
    n = stream.randint(1, 5000)
    k = stream.randint(0, n)
    near = min(1.0, max(0.0, k / n + stream.gauss(0, 0.02)))
    return k, n, stream.choice([near, stream.random()])


def test_the_incomplete_beta_equals_scipys():
    stream = random.Random(1)
    for _ in range(DRAWS):
        a, b = math.exp(stream.uniform(-2, 8.5)), math.exp(stream.uniform(-2, 8.5))
        x = stream.choice([stream.random(), stream.betavariate(a, b)])
        assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), abs=TOLERANCE)


def test_the_beta_quantile_equals_scipys():
    stream = random.Random(2)
    for _ in range(DRAWS):
        a, b, q = stream.uniform(0.5, 2000), stream.uniform(0.5, 2000), stream.random()
        assert beta_quantile(q, a, b) == pytest.approx(special.betaincinv(a, b, q), abs=TOLERANCE)


def test_the_binomial_equals_scipys():
    stream = random.Random(3)
    for _ in range(DRAWS):
        k, n, p = counts(stream)
        assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), abs=TOLERANCE)
        assert binomial_pmf(k, n, p) == pytest.approx(stats.binom.pmf(k, n, p), abs=TOLERANCE)


def test_the_binomial_quantile_equals_scipys():
    stream = random.Random(4)
    for _ in range(DRAWS):
        n, p, q = stream.randint(1, 5000), stream.uniform(0.01, 0.99), stream.uniform(0.001, 0.999)
        assert binomial_quantile(q, n, p) == stats.binom.ppf(q, n, p)


def test_students_t_equals_scipys():
    stream = random.Random(5)
    for _ in range(DRAWS):
        df = stream.choice([1, 2, 3, 29.5, 119, 999, 1e5, stream.uniform(1, 50)])
        q = stream.choice([stream.uniform(0.0005, 0.9995), 0.025, 0.975, 0.995, 0.5001])
        expected = stats.t.ppf(q, df)
        assert t_quantile(q, df) == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)
        assert t_cdf(expected, df) == pytest.approx(q, abs=TOLERANCE)


def test_the_normal_quantile_equals_scipys():
    assert normal_quantile(0.975) == pytest.approx(stats.norm.ppf(0.975), abs=TOLERANCE)


def test_the_edges_are_exact():
    assert incomplete_beta(2, 3, 0) == 0
    assert incomplete_beta(2, 3, 1) == 1
    assert (beta_quantile(0, 2, 3), beta_quantile(1, 2, 3)) == (0, 1)
    assert (binomial_cdf(-1, 5, 0.5), binomial_cdf(5, 5, 0.5)) == (0, 1)
    assert (binomial_pmf(0, 5, 0), binomial_pmf(5, 5, 1), binomial_pmf(2, 5, 1)) == (1, 1, 0)
    assert binomial_pmf(6, 5, 0.5) == 0
    assert t_quantile(0.5, 3) == 0
