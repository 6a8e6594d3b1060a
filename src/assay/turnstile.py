"""Taking turns with the sockets: how much may wake between two looks at what has arrived."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")

WIDTH = 8
"""A wake-up leads to some tenths of a millisecond of work: with eight, sockets wait for a few."""


class Turnstile:
    """Wakes at most `width` of those who wait in one turn of the event loop, first come, first served.

    Hundreds of answers, commits or starts may come at once. Were all acted on at once, no socket
    would be read meanwhile, and what arrives would be stamped late and read together. It serves
    one event loop.
    """

    __slots__ = ("_behind", "_passed", "_queue", "_turning", "_width")

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._passed = 0
        self._turning = False
        self._queue: deque[Callable[[], None]] = deque()
        self._behind: deque[Callable[[], None]] = deque()

    def wake(self, waiter: asyncio.Future[T], result: T, *, behind: bool = False) -> None:
        """Gives a waiter its result when its turn comes; `behind` lets all others go first."""
        self._push(partial(_resolve, waiter, result), behind=behind)

    def fail(self, waiter: asyncio.Future[T], error: BaseException, *, behind: bool = False) -> None:
        """Gives a waiter an error when its turn comes."""
        self._push(partial(_refuse, waiter, error), behind=behind)

    async def turn(self) -> None:
        """Returns when the caller's turn has come: at once, unless many have gone in this one."""
        if self._passed < self._width:
            self._count()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(partial(_resolve, waiter, None))
        await waiter

    def _push(self, act: Callable[[], None], *, behind: bool) -> None:
        if self._passed < self._width:  # then nobody waits
            self._count()
            act()
        else:
            (self._behind if behind else self._queue).append(act)

    def _count(self) -> None:
        self._passed += 1
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """A turn later: what is called soon is called after the sockets have been looked at."""
        self._passed = 0
        self._turning = False
        while self._passed < self._width and (queue := self._queue or self._behind):
            self._count()
            queue.popleft()()


def _resolve(waiter: asyncio.Future[T], result: T) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _refuse(waiter: asyncio.Future[T], error: BaseException) -> None:
    if not waiter.done():
        waiter.set_exception(error)
