"""Spent and set aside never pass the limit together; nobody is refused while others may free enough."""

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import Stopped
from assay.ports import Stop
from assay.seat.budget import Budget


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_call_that_does_not_fit_beside_others_waits_until_they_are_booked():
    budget, stop = Budget(Decimal(25)), Stop()
    first = await budget.set_aside(Decimal(20), stop)
    second = asyncio.create_task(budget.set_aside(Decimal(20), stop))
    await settled()
    assert not second.done()
    budget.book(first, Decimal(5))
    assert await second == Decimal(20)
    assert (stop.reason, budget.spent) == (None, Decimal(5))


async def test_a_call_that_would_not_fit_even_alone_stops_the_run():
    budget, stop = Budget(Decimal(25)), Stop()
    first = await budget.set_aside(Decimal(20), stop)
    second = asyncio.create_task(budget.set_aside(Decimal(20), stop))
    await settled()
    budget.book(first, Decimal(6))
    with pytest.raises(Stopped, match="budget"):
        await second
    assert stop.reason == "budget"


async def test_a_call_without_a_known_worst_case_is_not_admitted():
    with pytest.raises(Stopped, match="budget"):
        await Budget(Decimal(25)).set_aside(None, Stop())


async def test_those_who_wait_are_served_in_their_order():
    budget, stop, order = Budget(Decimal(10)), Stop(), []

    async def ask(name, worst):
        await budget.set_aside(Decimal(worst), stop)
        order.append(name)

    await budget.set_aside(Decimal(10), stop)
    asking = [asyncio.create_task(ask(name, worst)) for name, worst in (("large", 9), ("small", 1))]
    await settled()
    assert order == []
    budget.book(Decimal(10), Decimal(0))
    await asyncio.gather(*asking)
    assert order == ["large", "small"]


async def test_nobody_passes_those_who_wait_even_if_there_is_room_for_a_small_one():
    budget, stop = Budget(Decimal(10)), Stop()
    first = await budget.set_aside(Decimal(5), stop)
    large = asyncio.create_task(budget.set_aside(Decimal(9), stop))
    await settled()
    small = asyncio.create_task(budget.set_aside(Decimal(1), stop))
    await settled()
    assert not small.done()
    budget.book(first, Decimal(0))
    assert (await large, await small) == (Decimal(9), Decimal(1))


@pytest.mark.parametrize("granted_first", [False, True])
async def test_a_cancelled_call_leaves_nothing_set_aside(granted_first):
    budget, stop = Budget(Decimal(10)), Stop()
    await budget.set_aside(Decimal(10), stop)
    cancelled = asyncio.create_task(budget.set_aside(Decimal(10), stop))
    after = asyncio.create_task(budget.set_aside(Decimal(10), stop))
    await settled()
    if granted_first:
        budget.book(Decimal(10), Decimal(0))
        cancelled.cancel()
    else:
        cancelled.cancel()
        await settled()
        budget.book(Decimal(10), Decimal(0))
    assert await after == Decimal(10)
    budget.book(Decimal(10), Decimal(0))
    assert await budget.set_aside(Decimal(10), stop) == Decimal(10)


async def test_a_stopped_run_ends_the_waiting():
    budget, stop = Budget(Decimal(10)), Stop()
    await budget.set_aside(Decimal(10), stop)
    waiting = asyncio.create_task(budget.set_aside(Decimal(10), stop))
    await settled()
    stop.now("cancelled")
    with pytest.raises(Stopped, match="cancelled"):
        await waiting


async def test_what_a_resumed_run_has_spent_counts():
    with pytest.raises(Stopped):
        await Budget(Decimal(10), spent=Decimal(9)).set_aside(Decimal(2), Stop())


@settings(max_examples=60)
@given(
    st.integers(10, 400),
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 100), st.integers(0, 3)), max_size=80),
)
def test_no_order_of_calls_passes_the_limit_or_leaves_more_than_one_worst_case_unused(limit, calls):
    async def play():
        budget, stop, stopped = Budget(Decimal(limit)), Stop(), []
        slots = asyncio.Semaphore(8)

        async def call(worst, share, turns):
            async with slots:
                try:
                    aside = await budget.set_aside(Decimal(worst), stop)
                except Stopped:
                    stopped.append(worst)
                    return
                assert budget.spent + budget._set_aside <= limit
                for _ in range(turns):
                    await asyncio.sleep(0)
                budget.book(aside, Decimal(worst) * share / 100)

        await asyncio.gather(*(call(*each) for each in calls))
        assert budget.spent <= limit
        assert budget._set_aside == 0
        if stopped:
            assert budget.spent + max(worst for worst, _, _ in calls) > limit

    asyncio.run(play())
