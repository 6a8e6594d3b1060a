import asyncio
import time

import pytest

from assay.emulator.pace import Pace, Timing, _LoopTimer


@pytest.fixture(params=["timer file descriptor", "loop timer"])
async def pace(request):
    made = Pace(asyncio.get_running_loop())
    if request.param == "loop timer":
        made._alarm.close()
        made._alarm = _LoopTimer(asyncio.get_running_loop(), made._fire)
    yield made
    made.close()


async def test_calls_come_in_the_order_of_their_instants_and_never_early(pace):
    start, seen, done = time.monotonic_ns(), [], asyncio.Event()
    for ms in (30, 10, 20, 10, -5, 0):
        due = start + ms * 1_000_000
        pace.at(due, lambda ms=ms, due=due: seen.append((ms, time.monotonic_ns() - due)))
    pace.at(start + 31_000_000, done.set)
    await done.wait()
    assert [ms for ms, _ in seen] == [-5, 0, 10, 10, 20, 30]
    assert all(late >= 0 for _, late in seen)


async def test_an_earlier_instant_that_is_asked_for_later_is_kept(pace):
    start, seen, done = time.monotonic_ns(), [], asyncio.Event()
    pace.at(start + 60_000_000, done.set)
    await asyncio.sleep(0.005)
    pace.at(start + 10_000_000, lambda: seen.append(time.monotonic_ns() - start))
    await done.wait()
    assert len(seen) == 1
    assert 10_000_000 <= seen[0] < 60_000_000


async def test_a_late_loop_delays_no_later_instant(pace):
    start, late, done = time.monotonic_ns(), [], asyncio.Event()

    def step(n: int) -> None:
        late.append(time.monotonic_ns() - start - n * 2_000_000)
        if n == 10:
            time.sleep(0.04)  # the loop is held up
        if n == 80:
            done.set()
        else:
            pace.at(start + (n + 1) * 2_000_000, lambda: step(n + 1))

    pace.at(start, lambda: step(0))
    await done.wait()
    assert max(late[11:]) >= 30_000_000
    assert min(late[11:]) < 10_000_000


async def test_a_call_that_asks_for_what_is_due_already_lets_others_run_first(pace):
    turns, done = [], asyncio.Event()

    def again():
        turns.append(time.monotonic_ns())
        if len(turns) < 100 and not done.is_set():
            pace.at(turns[-1], again)

    pace.at(time.monotonic_ns(), again)
    asyncio.get_running_loop().call_later(0.001, done.set)
    await done.wait()
    assert turns


async def test_a_call_that_raises_does_not_stop_the_clock(pace):
    loop, problems, done = asyncio.get_running_loop(), [], asyncio.Event()
    loop.set_exception_handler(lambda _, context: problems.append(context["exception"]))
    now = time.monotonic_ns()
    pace.at(now + 1_000_000, lambda: 1 / 0)
    pace.at(now + 2_000_000, done.set)
    await done.wait()
    assert [type(problem) for problem in problems] == [ZeroDivisionError]


async def test_nothing_comes_after_closing(pace):
    seen = []
    pace.at(time.monotonic_ns() + 1_000_000, lambda: seen.append(1))
    pace.close()
    await asyncio.sleep(0.01)
    assert seen == []


def test_the_spread_of_times_is_drawn_from_prompt_and_seed():
    assert Timing().factor("p", 1) == 1.0
    spread = Timing(spread=0.5)
    factors = [spread.factor("p", seed) for seed in range(200)]
    assert factors == [spread.factor("p", seed) for seed in range(200)]
    assert 0.5 <= min(factors) < 0.6
    assert 1.4 < max(factors) < 1.5
