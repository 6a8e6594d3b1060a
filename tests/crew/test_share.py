"""How a plan is split among workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from assay.crew.share import crew_size, share_of
from assay.plan import EndpointChoice, ModelChoice, Plan
from assay.schedule import Closed, Constant
from assay.seat.limits import Limits

PLAN = Plan(task="qa", models=(ModelChoice("emulated/skill-1"),), workers=4)


@given(
    slots=st.integers(1, 300),
    calls=st.integers(1, 300) | st.none(),
    rate=st.floats(0.1, 1e6) | st.none(),
    workers=st.integers(1, 16),
)
def test_the_parts_of_slots_and_limits_sum_to_the_whole_and_none_is_empty(slots, calls, rate, workers):
    limits = Limits(requests_per_minute=rate, tokens_per_minute=rate, concurrency=calls)
    plan = structs.replace(
        PLAN,
        workers=workers,
        schedule=Closed(slots),
        limits=limits,
        models=(ModelChoice("emulated/skill-1", limits=limits),),
        cast={"judge": ModelChoice("emulated/judge", limits=limits)},
        endpoints={"lab": EndpointChoice("http://127.0.0.1:9/v1", limits=limits)},
    )
    size = crew_size(plan)
    shares = [share_of(plan, n, size) for n in range(size)]
    assert 1 <= size <= workers
    assert sum(share.schedule.slots for share in shares) == slots
    assert min(share.schedule.slots for share in shares) > 0
    every = [[s.limits for s in shares], [s.models[0].limits for s in shares]]
    for parts in [
        *every,
        [s.cast["judge"].limits for s in shares],
        [s.endpoints["lab"].limits for s in shares],
    ]:
        if calls is not None:
            assert sum(part.concurrency for part in parts) == calls
            assert min(part.concurrency for part in parts) > 0
        if rate is not None:
            assert sum(part.requests_per_minute for part in parts) == pytest.approx(rate)
            assert sum(part.tokens_per_minute for part in parts) == pytest.approx(rate)


def test_no_more_workers_play_than_there_are_slots_or_calls_in_flight():
    assert crew_size(PLAN) == 4
    assert crew_size(structs.replace(PLAN, schedule=Closed(3))) == 3
    assert crew_size(structs.replace(PLAN, limits=Limits(concurrency=2))) == 2


def test_an_open_schedule_keeps_its_rate():
    share = share_of(structs.replace(PLAN, schedule=Constant(50.0, slots=10)), 3, 4)
    assert share.schedule == Constant(50.0, slots=2)
