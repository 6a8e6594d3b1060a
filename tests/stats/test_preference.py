"""Correlation and the win rate at equal length against scipy and statsmodels."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]  # ships no types
from scipy import stats  # type: ignore[import-untyped]  # ships no types

from assay.stats.preference import association, at_zero

Z = stats.norm.ppf(0.975)


def drawn(stream: random.Random) -> tuple[list[float], list[float]]:
    """Length differences, and verdicts that go by them now and then."""
    n = stream.randint(20, 60)
    x = [stream.gauss(stream.uniform(-1, 1), 1) for _ in range(n)]
    y = [float(v > 0) if stream.random() < 0.4 else stream.choice([0.0, 0.5, 1.0]) for v in x]
    return x, y


def sure(value: object) -> Any:
    """A value read without its "or None"."""
    assert value is not None
    return value


def test_the_win_rate_at_equal_length_equals_statsmodels_on_1000_inputs():
    stream = random.Random(3)
    for _ in range(1000):
        x, y = drawn(stream)
        ours = sure(at_zero(x, y))
        x_and_1 = sm.add_constant(np.array(x))
        fit = sm.GLM(y, x_and_1, family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-14, maxiter=100)
        log_odds, se = fit.params[0], fit.bse[0] * math.sqrt(len(x) / (len(x) - 2))  # HC1 by hand
        ends = (log_odds, log_odds - Z * se, log_odds + Z * se)
        for mine, theirs in zip((ours.value, ours.low, ours.high), ends, strict=True):
            assert mine == pytest.approx(1 / (1 + math.exp(-theirs)), abs=1e-9)


def test_a_correlation_is_scipys_and_its_p_that_of_many_pairs():
    stream = random.Random(4)
    for _ in range(200):
        x, y = drawn(stream)
        assert sure(association(x, y)).r == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    x = [stream.gauss(0, 1) for _ in range(1500)]
    y = [0.05 * v + stream.gauss(0, 1) for v in x]
    theirs = stats.pearsonr(x, y)
    assert sure(association(x, y)).p == pytest.approx(theirs.pvalue, abs=1e-9)


def test_the_permutations_p_is_near_that_of_t_and_keeps_its_level():
    stream, alarms = random.Random(5), 0
    for n in range(100):
        x, y = [stream.random() for _ in range(40)], [stream.random() for _ in range(40)]
        found = sure(association(x, y, seed=n))
        assert found.p == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.06)
        alarms += found.p < 0.05
    assert alarms <= 11  # Binomial(100, 0.05) is beyond 11 once in 200


@pytest.mark.parametrize("x", [[1.0, 2.0], [1.0, 1.0, 1.0]])
def test_what_never_differs_has_no_correlation_and_no_fit(x):
    y = [0.0, 1.0, 0.5][: len(x)]
    assert association(x, y) is None
    assert at_zero(x, y) is None


def test_a_side_that_always_wins_has_no_fit():
    assert at_zero([1.0, 2.0, 3.0, -1.0], [1.0] * 4) is None
    assert at_zero([1.0, 2.0, -3.0, -1.0] * 5, [1.0, 1.0, 0.0, 0.0] * 5) is None


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 and 1"):
        association([1.0, 2.0], [1.0])
