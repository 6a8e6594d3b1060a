"""Sockets are looked at between wake-ups, however many wait."""

import asyncio
import socket
from contextlib import contextmanager

import pytest

from assay.turnstile import WIDTH, Turnstile


@contextmanager
def listening(told):
    """A socket on which something has arrived; `told` is called each time the event loop looks at it."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    try:
        theirs.send(b"x")
        loop.add_reader(ours.fileno(), told)
        yield
    finally:
        loop.remove_reader(ours.fileno())
        ours.close()
        theirs.close()


async def waiting(count, woken):
    """Futures, and tasks that note the number of each one that is woken."""
    loop = asyncio.get_running_loop()
    waiters = [loop.create_future() for _ in range(count)]

    async def wait(n):
        woken.append(await waiters[n])

    tasks = [asyncio.create_task(wait(n)) for n in range(count)]
    await asyncio.sleep(0)
    return waiters, tasks


async def test_what_has_arrived_is_read_between_wake_ups():
    turns, woken, seen = Turnstile(), [], []
    waiters, tasks = await waiting(100, woken)
    with listening(lambda: seen.append(len(woken))):
        for n, waiter in enumerate(waiters):
            turns.wake(waiter, n)
        await asyncio.gather(*tasks)
    assert woken == list(range(100))
    steps = [b - a for a, b in zip([0, *seen], [*seen, 100], strict=True)]
    assert max(steps) <= WIDTH


async def test_a_few_are_woken_at_once():
    turns = Turnstile()
    loop = asyncio.get_running_loop()
    waiters = [loop.create_future() for _ in range(WIDTH + 1)]
    for waiter in waiters:
        turns.wake(waiter, None)
    assert [waiter.done() for waiter in waiters] == [True] * WIDTH + [False]
    await waiters[-1]
    await asyncio.sleep(0)
    late = loop.create_future()
    turns.wake(late, None)
    assert late.done()


async def test_those_behind_let_all_others_go_first():
    turns, woken = Turnstile(width=1), []
    waiters, tasks = await waiting(5, woken)
    for n in (0, 1, 2):
        turns.wake(waiters[n], n, behind=True)
    for n in (3, 4):
        turns.wake(waiters[n], n)
    await asyncio.gather(*tasks)
    assert woken == [0, 3, 4, 1, 2]


async def test_who_has_stopped_waiting_is_passed_over_and_an_error_reaches_its_waiter():
    turns, woken = Turnstile(width=1), []
    waiters, tasks = await waiting(4, woken)
    for n in (0, 1, 2):
        turns.wake(waiters[n], n)
    turns.fail(waiters[3], KeyError("three"))
    tasks[1].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert woken == [0, 2]
    assert isinstance(done[1], asyncio.CancelledError)
    assert isinstance(done[3], KeyError)


async def test_a_task_that_asks_for_its_turn_waits_when_many_have_gone():
    turns, gone, seen = Turnstile(), 0, []
    with listening(lambda: seen.append(gone)):
        for _ in range(40):
            await turns.turn()
            gone += 1
    # the one that was woken, and those that need not wait
    assert max(b - a for a, b in zip([0, *seen], [*seen, gone], strict=True)) <= WIDTH + 1


async def test_a_turn_that_is_cancelled_lets_the_next_one_go():
    turns = Turnstile(width=1)
    _, second, third = (asyncio.create_task(turns.turn()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    await third
    with pytest.raises(asyncio.CancelledError):
        await second
