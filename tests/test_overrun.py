"""Code that computes for ever is ended, whatever it does; code that waits is not."""

import asyncio
import signal
import subprocess
import sys
import threading
import time

import pytest

from assay.overrun import Overrun, Watch


async def endless():
    while True:
        pass


async def deaf():
    while True:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001, S110  code that hears of nothing
            pass


async def asleep():
    time.sleep(1000)  # noqa: ASYNC251  what is ended


async def yielding():
    while True:
        await asyncio.sleep(0)


@pytest.mark.parametrize("code", [endless, deaf, asleep, yielding])
async def test_code_that_never_ends_is_ended_and_the_loop_goes_on(code):
    began = time.monotonic()
    with Watch(0.4) as watch:
        with pytest.raises(Overrun, match=r"computed for more than 0\.4 s"):
            await watch.within(code())
        assert await watch.within(asyncio.sleep(0, "well")) == "well"
    assert 0.05 < time.monotonic() - began < 50  # CPU seconds and those of the clock may differ


async def test_code_that_waits_may_wait_for_longer_than_the_limit():
    with Watch(0.1) as watch:
        assert await watch.within(asyncio.sleep(0.4, "waited")) == "waited"


async def test_errors_and_cancellations_go_through_as_they_are():
    async def broken():
        await asyncio.sleep(0)
        raise KeyError("mine")

    with Watch(5) as watch:
        with pytest.raises(KeyError, match="mine"):
            await watch.within(broken())
        task = asyncio.ensure_future(watch.within(asyncio.sleep(1000)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await watch.within(asyncio.sleep(1000))


async def test_many_at_once_are_each_taken_for_itself():
    """Together they compute for longer than the limit, and none of them alone."""

    async def some():
        for _ in range(5):
            end = time.thread_time() + 0.01
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0)
        return 1

    with Watch(0.5) as watch:
        assert sum(await asyncio.gather(*[watch.within(some()) for _ in range(15)])) == 15


def test_the_signal_is_given_back_and_one_of_another_owner_is_left_alone():
    with Watch(1):
        assert signal.getsignal(signal.SIGVTALRM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
    with Watch(1):
        assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_IGN
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    assert not [thread for thread in threading.enumerate() if thread.name == "overrun"]


STOPPED = """
import asyncio, sys, time
from assay.overrun import Watch

async def step():
    print("in a step", flush=True)
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
    return "whole"

async def main():
    with Watch(1.5) as watch:
        print(await watch.within(step()), flush=True)

asyncio.run(main())
"""


def test_a_process_that_was_stopped_in_a_step_blames_nobody():
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "in a step\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(3)
        child.send_signal(signal.SIGCONT)
        assert child.stdout.readline() == "whole\n"
