from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CallError, ErrorClass
from assay.seat.retry import Retry


@given(st.integers(1, 8), st.integers(0, 2**32))
def test_full_jitter_lies_between_nothing_and_the_doubling_ceiling(tried, seed):
    retry = Retry(retries=8, base=1.0, cap=20.0)
    wait = retry.wait(CallError(ErrorClass.TRANSPORT, ""), tried, Random(seed))
    assert 0 <= wait <= min(20.0, 2.0 ** (tried - 1))


@given(st.floats(0, 300), st.integers(0, 2**32))
def test_what_the_server_asks_for_is_kept_and_not_much_more(asked, seed):
    failure = CallError(ErrorClass.RATE_LIMITED, "", retry_after=asked)
    assert asked <= Retry().wait(failure, 1, Random(seed)) <= asked * 1.1


def test_a_wait_beyond_the_cap_gives_up():
    assert Retry(cap=60).wait(CallError(ErrorClass.RATE_LIMITED, "", retry_after=61), 1, Random(0)) is None


@pytest.mark.parametrize("error", list(ErrorClass))
def test_only_what_may_succeed_is_tried_again(error):
    assert (Retry().wait(CallError(error, ""), 1, Random(0)) is not None) == error.retryable


def test_the_retries_are_counted():
    failure = CallError(ErrorClass.TRANSPORT, "")
    assert Retry(retries=2).wait(failure, 2, Random(0)) is not None
    assert Retry(retries=2).wait(failure, 3, Random(0)) is None
