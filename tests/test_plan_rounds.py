"""In which repeat each trial of a plan stands where cases have repeats of their own."""

from hypothesis import given
from hypothesis import strategies as st

from assay.plan import rounds


@given(st.lists(st.integers(1, 7), min_size=1, max_size=12), st.integers(1, 4))
def test_each_repeat_holds_the_cases_that_are_played_more_often(own, repeats):
    every = range(max(own) * repeats)
    assert rounds(own, repeats) == [sum(repeat < times * repeats for times in own) for repeat in every]
    assert sum(rounds(own, repeats)) == sum(own) * repeats


def test_a_case_that_is_played_a_thousand_times_among_very_many_is_counted_at_once():
    counts = rounds([1000, *[1] * 99_000], 100)
    assert (len(counts), counts[99], counts[100]) == (100_000, 99_001, 1)
