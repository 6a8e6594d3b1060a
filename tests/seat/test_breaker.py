"""Open while the model cannot answer; one call at a time finds out whether it can again."""

import math

import pytest

from assay.errors import CallError, ErrorClass, Stopped
from assay.seat.breaker import Breaker

DOWN = CallError(ErrorClass.OVERLOADED, "busy", status=503)


def opened(breaker, now=0.0):
    for _ in range(10):
        breaker.failed(DOWN, now, probe=False)
    return breaker


def test_failures_in_a_row_open_it_and_say_why():
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(DOWN, 0.0, probe=False)
    assert breaker.open is None
    breaker.failed(DOWN, 0.0, probe=False)
    assert breaker.open == "10 failures in a row, the last: overloaded: busy"


@pytest.mark.parametrize("between", ["success", ErrorClass.RATE_LIMITED, ErrorClass.MALFORMED])
def test_any_answer_between_them_begins_the_count_anew(between):
    breaker = Breaker()
    for _ in range(3):
        for _ in range(9):
            breaker.failed(DOWN, 0.0, probe=False)
        if between == "success":
            breaker.succeeded(probe=False)
        else:
            breaker.failed(CallError(between, ""), 0.0, probe=False)
    assert breaker.open is None


def test_after_the_pause_one_call_probes_and_the_others_wait_for_it():
    breaker = opened(Breaker())
    assert breaker.wait(0.25) == 0.75
    assert breaker.wait(1.0) == 0.0
    assert breaker.admit() is True
    assert breaker.wait(1.0) == math.inf
    assert breaker.succeeded(probe=True) is True
    assert (breaker.open, breaker.wait(1.0), breaker.admit()) == (None, 0.0, False)


def test_each_failed_probe_doubles_the_pause_up_to_half_a_minute():
    breaker, now, pauses = opened(Breaker(hold=1000)), 0.0, []
    breaker.succeeded(probe=False)
    for _ in range(8):
        pauses.append(breaker.wait(now))
        now += pauses[-1]
        breaker.admit()
        breaker.failed(DOWN, now, probe=True)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_probe_that_is_answered_in_any_way_ends_the_outage():
    breaker = opened(Breaker())
    breaker.admit()
    assert breaker.failed(CallError(ErrorClass.REJECTED, ""), 1.0, probe=True) is True
    assert breaker.open is None


@pytest.mark.parametrize("error", [ErrorClass.TIMEOUT, ErrorClass.TRANSPORT, ErrorClass.CONNECT])
def test_a_probe_that_is_not_answered_leaves_it_open(error):
    breaker = opened(Breaker())
    breaker.admit()
    assert breaker.failed(CallError(error, ""), 1.0, probe=True) is False
    assert breaker.wait(1.0) == 2.0


def test_a_probe_that_was_cancelled_gives_its_place_to_another():
    breaker = opened(Breaker())
    breaker.admit()
    breaker.dropped(probe=False)
    assert breaker.wait(1.0) == math.inf
    breaker.dropped(probe=True)
    assert breaker.wait(1.0) == 0.0


def test_what_was_under_way_when_it_opened_neither_closes_it_nor_prolongs_it():
    breaker = opened(Breaker())
    breaker.failed(DOWN, 0.9, probe=False)
    breaker.succeeded(probe=False)
    assert breaker.wait(0.5) == 0.5


def test_a_refused_account_opens_it_for_good():
    breaker = Breaker()
    breaker.failed(CallError(ErrorClass.DENIED, "no quota"), 0.0, probe=False)
    assert breaker.open == "no quota"
    with pytest.raises(Stopped, match="circuit"):
        breaker.wait(1e12)


def test_no_call_is_held_longer_than_the_outage_may_last_but_probes_go_on():
    breaker, now = opened(Breaker(hold=10)), 0.0
    breaker.succeeded(probe=False)
    while True:
        now += breaker.wait(now)
        breaker.admit()
        breaker.failed(DOWN, now, probe=True)
        if now > 10:
            break
    with pytest.raises(Stopped, match="circuit"):
        breaker.wait(now + 0.1)
    assert breaker.wait(now + 30) == 0.0


def test_a_model_that_never_answered_is_waited_for_half_a_minute():
    for answered, held in ((True, True), (False, False)):
        breaker, now = Breaker(), 0.0
        if answered:
            breaker.succeeded(probe=False)
        opened(breaker)
        while now <= 30:
            now += breaker.wait(now)
            breaker.admit()
            breaker.failed(DOWN, now, probe=True)
        if held:
            assert breaker.wait(now) > 0
        else:
            with pytest.raises(Stopped):
                breaker.wait(now)


def test_an_error_that_may_be_the_requests_doing_does_not_open_it():
    breaker = Breaker()
    for _ in range(50):
        breaker.failed(CallError(ErrorClass.OVERLOADED, "", status=500), 0.0, probe=False)
    assert breaker.open is None


def test_parked_it_stops_calls_until_the_server_wants_them_again():
    breaker = Breaker(hold=300)
    breaker.park(CallError(ErrorClass.RATE_LIMITED, "later", retry_after=3600), 3600.0, 0.0)
    with pytest.raises(Stopped, match="circuit"):
        breaker.wait(0.0)
    assert "asks to wait 3600 s" in breaker.open
    assert breaker.wait(3600.0) == 0.0


def test_without_patience_only_a_refused_account_opens_it():
    breaker = Breaker(None)
    for _ in range(1000):
        breaker.failed(DOWN, 0.0, probe=False)
    assert breaker.open is None
    breaker.failed(CallError(ErrorClass.DENIED, "key"), 0.0, probe=False)
    assert breaker.open == "key"
