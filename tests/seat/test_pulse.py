"""A process that stood still says so of the calls that it had in flight, and of no other."""

import asyncio
import os
import signal
import subprocess
import sys

from assay.seat.pulse import Pulse

CHILD = """
import asyncio, sys
from assay.seat.pulse import Pulse

async def main():
    pulse = Pulse()
    entered = pulse.enter()
    print("in flight", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(pulse.leave(entered), flush=True)

asyncio.run(main())
"""


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


async def test_a_call_during_a_standstill_is_flagged_and_a_later_one_is_not():
    clock = Clock()
    pulse = Pulse(clock)
    during = pulse.enter()
    clock.now += 30
    assert pulse.leave(during) is True
    after = pulse.enter()
    clock.now += 0.5
    assert pulse.leave(after) is False


async def test_a_call_that_begins_after_the_standstill_of_another_is_not_flagged():
    clock = Clock()
    pulse = Pulse(clock)
    during = pulse.enter()
    clock.now += 30
    after = pulse.enter()
    clock.now += 0.5
    assert pulse.leave(after) is False
    assert pulse.leave(during) is True


async def test_time_between_calls_is_no_standstill():
    clock = Clock()
    pulse = Pulse(clock)
    pulse.leave(pulse.enter())
    clock.now += 3600
    assert pulse.leave(pulse.enter()) is False


def test_a_long_call_on_a_live_loop_is_not_flagged(virtually):
    async def play():
        loop = asyncio.get_running_loop()
        pulse = Pulse(loop.time)
        entered = pulse.enter()
        await asyncio.sleep(600)
        return pulse.leave(entered)

    assert virtually(play) is False


def test_a_process_that_is_stopped_by_a_signal_notices():
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "in flight\n"
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        stopped = subprocess.run(["sleep", "1.6"], check=True)
        assert stopped.returncode == 0
        os.kill(child.pid, signal.SIGCONT)
        out, _ = child.communicate("\n")
        assert out == "True\n"
