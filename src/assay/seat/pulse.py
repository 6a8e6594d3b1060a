"""Tells whether this process stood still: stopped, suspended or starved, so that its clocks say little."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TICK = 0.25
"""Seconds between two beats while calls are in flight."""

STANDSTILL = 1.0
"""A beat that comes so many seconds late says that the process stood still."""


def _awake() -> float:
    """Seconds that go on while the machine is suspended, where the system can tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Pulse:
    """Beats on the event loop while any call is in flight. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = _awake) -> None:
        self._clock = clock
        self._in_flight = 0
        self._last = 0.0
        self._still_until = -1.0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> float:
        """A call begins; gives the instant by which `leave` knows it."""
        now = self._clock()
        self._beat_at(now)  # a standstill until now is not this call's
        self._in_flight += 1
        if self._timer is None:
            self._again()
        return now

    def leave(self, entered: float) -> bool:
        """A call ends; says whether the process stood still meanwhile."""
        self._beat_at(self._clock())
        self._in_flight -= 1
        return self._still_until > entered

    def _beat(self) -> None:
        self._timer = None
        self._beat_at(self._clock())
        if self._in_flight:
            self._again()

    def _beat_at(self, now: float) -> None:
        if now - self._last > TICK + STANDSTILL:
            self._still_until = now
        self._last = now

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK, self._beat)
