from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from assay.schedule import Closed, Constant, Poisson


def test_a_closed_loop_is_always_due():
    assert list(islice(Closed(4).dues(), 3)) == [0.0, 0.0, 0.0]
    assert not Closed().open


@given(st.floats(0.1, 1000))
def test_a_constant_rate_does_not_drift(rate):
    dues = list(islice(Constant(rate).dues(), 1001))
    assert dues[1000] == 1000 / rate


@given(st.floats(0.1, 1000), st.integers(0, 2**32))
def test_poisson_arrivals_rise_and_are_the_same_for_the_same_seed(rate, seed):
    dues = list(islice(Poisson(rate, seed=seed).dues(), 200))
    assert all(a <= b for a, b in pairwise(dues))
    assert dues == list(islice(Poisson(rate, seed=seed).dues(), 200))
    assert dues != list(islice(Poisson(rate, seed=seed + 1).dues(), 200))


def test_poisson_gaps_have_their_mean_and_their_spread():
    # 20,000 exponential gaps: the mean is within 4 standard errors of 1 / rate, and so is the spread.
    dues = list(islice(Poisson(50.0, seed=3).dues(), 20_000))
    gaps = [b - a for a, b in pairwise([0.0, *dues])]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert abs(mean - 0.02) < 4 * 0.02 / 20_000**0.5
    assert abs(spread - 0.02) < 4 * 0.02 * (2 / 20_000) ** 0.5
