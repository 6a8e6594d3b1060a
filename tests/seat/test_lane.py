"""First come, first served, within every limit; whoever leaves the queue leaves no trace."""

import asyncio

import pytest

from assay.errors import CallError, ErrorClass, StaleConnection, Stopped
from assay.message import Request, Usage, say
from assay.ports import Stop
from assay.seat.endpoint import Endpoint
from assay.seat.lane import Lane, RetryBudget
from assay.seat.limits import Limits

ASK = Request((say("user", "hello"),))
BUSY = CallError(ErrorClass.RATE_LIMITED, "slow down", status=429)


def lane(limits=Limits(), *, shared=Limits(), **settings):
    return Lane(Endpoint("e", shared), limits, **settings)


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def entering(lane, count, order, stop):
    async def enter(number):
        admission = await lane.enter(ASK, stop)
        order.append(number)
        return admission

    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(enter(number)))
        await settled()
    return tasks


async def test_no_more_are_in_flight_than_the_concurrency_allows_and_they_go_in_order():
    narrow, order = lane(Limits(concurrency=2)), []
    tasks = await entering(narrow, 5, order, Stop())
    assert order == [0, 1]
    for number in range(3):
        narrow.answered(await tasks[number], None)
        await settled()
    assert order == [0, 1, 2, 3, 4]


async def test_a_cancelled_call_that_waited_holds_nobody_up():
    narrow, order = lane(Limits(concurrency=1)), []
    tasks = await entering(narrow, 3, order, Stop())
    tasks[1].cancel()
    await settled()
    narrow.answered(await tasks[0], None)
    await settled()
    assert order == [0, 2]


async def test_a_call_cancelled_in_the_moment_of_its_turn_gives_the_turn_on():
    narrow, order = lane(Limits(concurrency=1)), []
    tasks = await entering(narrow, 3, order, Stop())
    narrow.answered(await tasks[0], None)
    tasks[1].cancel()
    await settled()
    assert order == [0, 2]


async def test_a_stopped_run_ends_all_waiting():
    narrow, order, stop = lane(Limits(concurrency=1)), [], Stop()
    tasks = await entering(narrow, 3, order, stop)
    stop.now("cancelled")
    for waiting in tasks[1:]:
        with pytest.raises(Stopped, match="cancelled"):
            await waiting
    narrow.answered(await tasks[0], None)
    assert (await narrow.enter(ASK, Stop())).probe is False


async def test_models_on_one_endpoint_share_its_slots_and_a_slow_queue_does_not_starve_another():
    endpoint, stop = Endpoint("e", Limits(concurrency=2)), Stop()
    first, second = Lane(endpoint), Lane(endpoint)
    order: list[str] = []

    async def calls(lane, name):
        for _ in range(20):
            admission = await lane.enter(ASK, stop)
            order.append(name)
            await asyncio.sleep(0)
            lane.answered(admission, None)

    await asyncio.gather(*(calls(first, "a") for _ in range(4)), *(calls(second, "b") for _ in range(4)))
    assert abs(order[:80].count("a") - 40) <= 8


def test_requests_a_minute_are_kept_and_used(virtually):
    async def play():
        limited, stop, loop = lane(Limits(requests_per_minute=600)), Stop(), asyncio.get_running_loop()
        instants = []

        async def call():
            admission = await limited.enter(ASK, stop)
            instants.append(loop.time())
            limited.answered(admission, None)

        await asyncio.gather(*(call() for _ in range(1800)))
        return instants

    instants = virtually(play)
    assert instants == sorted(instants)
    in_three_minutes = sum(at < 180 for at in instants)
    assert 0.95 * 1800 <= in_three_minutes <= 1800
    assert all(sum(second <= at < second + 60 for at in instants) <= 603 for second in range(120))


def test_tokens_a_minute_are_counted_as_they_were_used(virtually):
    async def play():
        limited, stop, loop = (
            lane(shared=Limits(tokens_per_minute=60_000)),
            Stop(),
            asyncio.get_running_loop(),
        )

        async def call():
            admission = await limited.enter(ASK, stop)
            limited.answered(admission, Usage(input=400, output=100))

        await asyncio.gather(*(call() for _ in range(360)))
        return loop.time()

    assert virtually(play) == pytest.approx(360 * 500 / 1000, rel=0.05)


def test_while_the_server_asks_to_wait_nobody_goes(virtually):
    async def play():
        held, stop, loop = lane(), Stop(), asyncio.get_running_loop()
        admission = await held.enter(ASK, stop)
        held.failed(admission, CallError(ErrorClass.RATE_LIMITED, "", retry_after=20.0))
        await held.enter(ASK, stop)
        return loop.time()

    assert virtually(play) == pytest.approx(20.0)


def test_the_calls_in_flight_grow_by_answers_and_not_by_waiting(virtually):
    async def play():
        held, stop, order = lane(Limits(adaptive=True)), Stop(), []
        nine = [await held.enter(ASK, stop) for _ in range(9)]
        busy = CallError(ErrorClass.RATE_LIMITED, "", status=429, retry_after=60.0)
        held.failed(nine[8], busy)
        for admission in nine[:8]:
            held.answered(admission, None)
        tasks = await entering(held, 30, order, stop)
        await asyncio.sleep(60.01)
        fit = len(order)
        for task in tasks[:fit]:
            held.answered(await task, None)
        await settled()
        for task in tasks:
            task.cancel()
        return fit, len(order) - fit

    assert virtually(play) == (6, 6)


def test_after_an_outage_the_calls_in_flight_begin_at_one_and_double(virtually):
    async def play():
        down, stop, order = lane(Limits(adaptive=False)), Stop(), []
        for admission in [await down.enter(ASK, stop) for _ in range(20)]:
            down.failed(admission, CallError(ErrorClass.CONNECT, "refused"))
        tasks = await entering(down, 40, order, stop)
        await asyncio.sleep(1.01)
        seen, ended = [], 0
        while len(order) < 40:
            seen.append(len(order) - ended)
            answered, ended = tasks[ended : len(order)], len(order)
            for task in answered:
                down.answered(await task, None)
            await settled()
        return seen

    assert virtually(play) == [1, 1, 2, 4, 8, 16]  # the probe first


def test_in_a_load_run_refusals_hold_nothing_back(virtually):
    async def play():
        loaded, stop, loop = lane(load=True), Stop(), asyncio.get_running_loop()
        for _ in range(200):
            admission = await loaded.enter(ASK, stop)
            loaded.failed(admission, CallError(ErrorClass.OVERLOADED, "", retry_after=3600.0))
        return loop.time()

    assert virtually(play) == 0.0


async def test_refusals_thin_the_calls_in_flight_unless_that_is_switched_off():
    for adaptive, fit in ((True, 6), (None, 9)):
        refused, order = lane(Limits(adaptive=adaptive, concurrency=9)), []
        tasks = await entering(refused, 20, order, Stop())
        refused.failed(await tasks[8], BUSY)
        for task in tasks[:8]:
            refused.answered(await task, None)
        await settled()
        assert len(order) - 9 == fit
        for task in tasks:
            task.cancel()


def test_a_stale_connection_says_nothing_of_the_server(virtually):
    """As after an outage: the probe meets one, and the next call probes without a longer pause."""

    async def play():
        down, stop, loop = lane(), Stop(), asyncio.get_running_loop()
        for _ in range(10):
            down.failed(await down.enter(ASK, stop), CallError(ErrorClass.OVERLOADED, "", status=503))
        probe = await down.enter(ASK, stop)
        down.failed(probe, StaleConnection(ErrorClass.TRANSPORT, "stale"))
        again = await down.enter(ASK, stop)
        assert (probe.probe, again.probe) == (True, True)
        return loop.time()

    assert virtually(play) == pytest.approx(1.0)


def test_retries_are_a_fifth_of_the_requests_but_some_even_of_a_few():
    budget, failure = RetryBudget(), CallError(ErrorClass.OVERLOADED, "")
    budget.request()
    assert sum(budget.allows(failure) for _ in range(1000)) == 64
    for _ in range(999):
        budget.request()
    assert sum(budget.allows(failure) for _ in range(1000)) == 200 - 64


def test_what_strains_no_server_is_not_counted():
    budget = RetryBudget()
    assert all(budget.allows(CallError(ErrorClass.MALFORMED, "")) for _ in range(1000))
