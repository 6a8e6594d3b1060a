"""The emulator's clock: when each token is due, and the one scheduler that keeps those instants."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON, unit

_NS = 1_000_000_000
_CLOCK_MONOTONIC, _ABSOLUTE, _NONBLOCK_CLOEXEC = 1, 1, 0o2004000


class Timing(Struct, frozen=True, forbid_unknown_fields=True):
    """How fast the emulator answers.

    `ttft_s` seconds from a request's arrival to its first token, `itl_s` from one chunk to the
    next, `chunk_tokens` tokens in a chunk. `spread` in [0, 1) multiplies both for a request by a
    factor in [1 - spread, 1 + spread) that its first prompt and seed draw.
    """

    ttft_s: float = 0.0
    itl_s: float = 0.0
    chunk_tokens: int = 1
    spread: float = 0.0

    def factor(self, prompt: str, seed: int | None) -> float:
        """What multiplies the seconds of a request."""
        if not self.spread:
            return 1.0
        return 1.0 + self.spread * (2.0 * unit("timing", prompt, seed) - 1.0)


class Rhythm(Struct, frozen=True):
    """Exact times of one reply in seconds: to the first token, then each gap; the last one goes on."""

    ttft_s: float = 0.0
    gaps_s: tuple[float, ...] = ()

    def dues(self, chunks: int) -> tuple[float, ...]:
        """Seconds after arrival at which each of so many chunks is due."""
        gaps = self.gaps_s[: max(0, chunks - 1)]
        last = gaps[-1] if gaps else 0.0
        rest = itertools.repeat(last, max(0, chunks - 1 - len(gaps)))
        return tuple(itertools.accumulate((self.ttft_s, *gaps, *rest)))


def rhythms_of(value: JSON) -> dict[str, Rhythm]:
    """The times of {"prompt digest or *": {"ttft_ms": 100, "gaps_ms": [20, 500]}}. Raises UsageError."""
    fix = 'write {"*": {"ttft_ms": 100, "gaps_ms": [20, 20, 500]}}'
    try:
        rows = msgspec.convert(value, dict[str, _Times])
    except msgspec.ValidationError as problem:
        raise UsageError(f"times: {problem}", fix=fix) from None
    if not all(0 <= each <= 1e7 for row in rows.values() for each in (row.ttft_ms, *row.gaps_ms)):
        raise UsageError("times: milliseconds below 0 or above ten million", fix=fix)
    return {
        key: Rhythm(row.ttft_ms / 1e3, tuple(gap / 1e3 for gap in row.gaps_ms)) for key, row in rows.items()
    }


class _Times(Struct, frozen=True, forbid_unknown_fields=True):
    ttft_ms: float = 0.0
    gaps_ms: tuple[float, ...] = ()


class Alarm(Protocol):
    """Wakes the scheduler once, at an instant in monotonic ns."""

    def set(self, due: int) -> None: ...

    def close(self) -> None: ...


class Pace:
    """Calls back at absolute instants (monotonic ns): lateness of one never delays the next.

    One alarm serves all; it is a timer file descriptor where the system has one, since the
    event loop's own timers are only good to a millisecond.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._set_for = 0
        self._alarm: Alarm
        try:
            self._alarm = _TimerFd(loop, self._fire)
        except (OSError, AttributeError, NotImplementedError):
            self._alarm = _LoopTimer(loop, self._fire)

    def at(self, due: int, call: Callable[[], None]) -> None:
        """Has `call` called at `due`, or as soon as the loop can where that has passed."""
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, call))
        if not self._set_for or due < self._set_for:
            self._set_for = due
            self._alarm.set(due)

    def close(self) -> None:
        """Forgets everything that was due."""
        self._heap.clear()
        self._alarm.close()

    def _fire(self) -> None:
        heap, now = self._heap, time.monotonic_ns()
        self._set_for = -1  # nothing is set while this runs
        try:
            while heap and heap[0][0] <= now:  # what falls due meanwhile lets the sockets be read first
                heapq.heappop(heap)[2]()
        finally:
            self._set_for = heap[0][0] if heap else 0
            if heap:
                self._alarm.set(heap[0][0])


class _Spec(ctypes.Structure):
    _fields_ = (
        ("every_s", ctypes.c_long),
        ("every_ns", ctypes.c_long),
        ("due_s", ctypes.c_long),
        ("due_ns", ctypes.c_long),
    )


class _TimerFd:
    """Linux timerfd: good to tens of microseconds, and read by the loop like a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:
            raise NotImplementedError("no timer file descriptor here")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = loop
        self._wake = wake
        loop.add_reader(self._fd, self._expired)

    def set(self, due: int) -> None:
        spec = _Spec(0, 0, due // _NS, max(1, due % _NS))
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _expired(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._wake()


class _LoopTimer:
    """The event loop's own timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due: int) -> None:
        self.close()
        delay = (due - time.monotonic_ns()) / _NS
        self._handle = self._loop.call_at(self._loop.time() + max(0.0, delay), self._wake)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
