"""The window of calls in flight: full until a refusal, back to what fitted, doubling after an outage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.seat.cubic import Cubic


def test_it_stands_at_the_ceiling_until_the_first_refusal():
    window = Cubic(64)
    window.accepted(1.0)
    assert window.limit == 64
    window.refused(0, 64, 1.0)
    assert window.limit == round(0.7 * 63)


def test_a_refusal_counts_once_for_all_that_were_in_flight_with_it():
    window = Cubic(64)
    for nth in (64, 63, 20, 5):
        window.refused(0, nth, 0.0)
    assert window.limit == round(0.7 * 63)
    window.refused(window.generation, 40, 0.0)
    assert window.limit == round(0.7 * 39)


def test_what_was_in_flight_counts_rather_than_an_unused_ceiling():
    window = Cubic(1024)
    window.refused(0, 9, 0.0)
    assert window.limit == round(0.7 * 8)


def test_it_comes_back_to_what_fitted_stays_around_it_and_then_goes_beyond():
    window = Cubic(1024)
    window.refused(0, 9, 0.0)
    seen = []
    for tick in range(600):
        window.accepted(tick / 100)
        seen.append(window.limit)
    assert seen[0] == 6
    assert seen.count(8) > 200  # of 600: the plateau
    assert seen[-1] > 25
    assert seen == sorted(seen)


def test_a_success_adds_one_at_most():
    window = Cubic(1024)
    window.refused(0, 9, 0.0)
    window.accepted(3600.0)
    assert window.limit == 7


def test_beyond_what_fitted_the_distance_grows_e_fold_in_the_time_of_a_call():
    window = Cubic(1024)
    window.refused(0, 101, 0.0)
    while window._window < 100:
        window.accepted(3600.0)
    rounds = []
    for _ in range(5):
        rounds.append(window._window - 100)
        for _ in range(window.limit):
            window.accepted(3600.0)
    assert rounds == pytest.approx([0, 1, 2.7, 7.1, 18.5], rel=0.05)


def test_waiting_while_nothing_is_admitted_makes_it_no_larger():
    window = Cubic(1024)
    window.refused(0, 9, 0.0)
    window.held(60.0)
    for _ in range(100):
        window.accepted(60.1)
    assert window.limit <= 8


def test_after_an_outage_it_begins_at_one_and_doubles_to_where_it_was():
    window = Cubic(64)
    window.restart()
    rounds = []
    while window.limit < 64:
        rounds.append(window.limit)
        for _ in range(window.limit):
            window.accepted(0.0)
    assert rounds == [1, 2, 4, 8, 16, 32]


def test_one_outage_after_another_does_not_lose_where_it_was():
    window = Cubic(64)
    window.restart()
    window.restart()
    for _ in range(100):
        window.accepted(0.0)
    assert window.limit == 64


def test_without_cuts_refusals_change_nothing():
    window = Cubic(64, cuts=False)
    window.refused(0, 64, 0.0)
    assert window.limit == 64


@given(
    st.integers(1, 2000),
    st.lists(st.tuples(st.sampled_from(["accepted", "refused", "restart"]), st.integers(1, 3000))),
)
def test_it_lies_between_one_and_the_ceiling_whatever_happens(ceiling, happenings):
    window, now = Cubic(ceiling), 0.0
    for what, number in happenings:
        now += number / 100
        if what == "accepted":
            window.accepted(now)
        elif what == "refused":
            window.refused(window.generation, number, now)
        else:
            window.restart()
        assert 1 <= window.limit <= ceiling


def test_the_times_follow_the_formula():
    window = Cubic(1024)
    window.refused(0, 101, 10.0)  # peak 100, window 70, K = cbrt(30 / 0.4) = 4.217
    for _ in range(1000):
        window.accepted(12.0)
    assert window._window == pytest.approx(100 + 0.4 * (2 - 75 ** (1 / 3)) ** 3)
