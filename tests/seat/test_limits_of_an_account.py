"""Limits by the minute: a bucket that flows evenly, whatever is asked of it."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.message import Request, Sampling, say
from assay.seat.limits import Bucket, Guess, Limits


@given(
    st.floats(1, 100_000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 20)), min_size=1, max_size=60),
)
def test_no_stretch_of_time_lets_pass_more_than_flows_in_it_and_waits_in_the_bucket(rate, asked):
    bucket, now, passed = Bucket(rate), 0.0, 0.0
    for pause, units in asked:
        now += pause
        now += bucket.wait(units, now)
        bucket.take(units, now)
        passed += units
    room = max(rate / 60 / 4, 1.0)
    debt = max(units for _, units in asked)
    assert passed <= room + now * rate / 60 + debt + 1e-6


def test_what_is_taken_steadily_comes_at_the_rate():
    bucket, now = Bucket(600), 0.0
    for _ in range(1000):
        now += bucket.wait(1, now)
        bucket.take(1, now)
    assert now == pytest.approx((1000 - 2.5) / 10)  # those of a quarter of a second stand ready


def test_more_than_it_ever_holds_passes_and_leaves_a_debt():
    bucket = Bucket(60_000)
    assert bucket.wait(5000, 0.0) == 0.0
    bucket.take(5000, 0.0)
    assert bucket.wait(1000, 0.0) == pytest.approx(5.0)


def test_a_return_never_fills_it_beyond_its_room():
    bucket = Bucket(60)
    bucket.take(-100, 0.0)
    bucket.take(1, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute", "concurrency"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_limit_is_a_number_above_nothing(field, value):
    with pytest.raises(ValueError, match=field):
        Limits(**{field: value})


def test_the_guess_counts_max_tokens_or_what_replies_have_been():
    guess, asked = Guess(), (say("user", "x" * 400),)
    assert guess.tokens(Request(asked, sampling=Sampling(max_tokens=50))) == 100 + 4 + 50
    for _ in range(200):
        guess.learn(10)
    assert guess.tokens(Request(asked)) == pytest.approx(114, abs=1)


def test_four_parts_of_two_limits_at_once_use_nearly_all_of_both_and_never_more():
    """A call costs 50 to 150 tokens, 100 on average, so that now one limit binds, now the other."""
    draw, seconds = Random(1), 180.0
    requests = tokens = 0
    for _ in range(4):
        quotas = Bucket(600 / 4, 4), Bucket(60_000 / 4, 4)
        now = 0.0
        while True:
            cost = draw.randint(50, 150)
            now += max(quotas[0].wait(1, now), quotas[1].wait(cost, now)) + 1e-9
            if now >= seconds:
                break
            quotas[0].take(1, now)
            quotas[1].take(cost, now)
            requests += 1
            tokens += cost
    saved_at_first = 4 * 0.25 / seconds
    for used in (requests / 1800, tokens / 180_000):
        assert 0.95 <= used <= 1 + saved_at_first
