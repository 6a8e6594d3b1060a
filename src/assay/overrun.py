"""A bound on what a trial's code computes: a scorer, a tool or an exchange that never ends, ends."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

LOOKS = 8
"""How often the watch looks within one limit."""

SHORT = 0.001
"""Seconds by the wall that count as computed, for a step no longer than that: to ask for the
thread's CPU takes a system call, and a trial has many short steps."""

TURN = 0.00001
"""Seconds that a step costs the event loop beside its own."""

_SIGNAL = signal.SIGVTALRM


class Overrun(BaseException):
    """Code of a trial computed longer than it may. No `except Exception` of that code stops it."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"it computed for more than {limit:g} s (code_limit)")


class Watch:
    """Bounds each awaitable that goes through `within`, while it is entered.

    What counts is what the awaitable itself does, not that it waits: the CPU seconds of all its steps,
    and how long one step holds the event loop. Such a step is interrupted by a signal, which a thread
    sends; that ends what Python runs or sleeps, but no library that computes without looking up.
    The thread counts its own looks, so that a process that was stopped meanwhile blames nobody.
    Signals reach the main thread alone: in another one, only code that gives the loop its turns
    is ended. It serves one event loop.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.thread_time) -> None:
        self.limit = limit
        self.clock = clock
        self.step = 0  # the number of the step that runs now; 0 for none
        self._looked, self._computed = -1.0, 0.0  # when the thread's CPU was asked for, and what it was
        self._steps = itertools.count(1)
        self._overdue = 0  # the step that is to be interrupted
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def within(self, awaitable: Awaitable[T]) -> Within[T]:
        """The awaitable, to be awaited in its place; raises Overrun in it when its time is up."""
        return Within(self, awaitable)

    def begin(self) -> float:
        """A step begins: now. Whoever calls this sets `step` back to 0 when it has ended."""
        now = time.monotonic()
        if now - self._looked > SHORT:
            self._looked, self._computed = now, self.clock()
        self.step = next(self._steps)
        return now

    def computed(self, began: float) -> float:
        """What a step that began then has computed, in seconds: at most SHORT too many."""
        now = time.monotonic()
        if now - began < SHORT:
            return now - began + TURN
        before, self._computed, self._looked = self._computed, self.clock(), now
        return min(now - began, self._computed - before)

    def __enter__(self) -> Self:
        main = threading.main_thread()
        if threading.current_thread() is main and signal.getsignal(_SIGNAL) is signal.SIG_DFL:
            signal.signal(_SIGNAL, self._interrupt)
            self._thread = threading.Thread(
                target=self._look, args=(main.ident,), daemon=True, name="overrun"
            )
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            signal.signal(_SIGNAL, signal.SIG_DFL)
            self._thread = None

    def _look(self, main: int) -> None:
        seen = looks = 0
        while not self._over.wait(self.limit / LOOKS):
            step = self.step
            looks = looks + 1 if step and step == seen else 0
            seen = step
            if looks >= LOOKS:
                self._overdue = step
                signal.pthread_kill(main, _SIGNAL)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """In the main thread, in the midst of whatever runs: it may be another step by now."""
        if self.step and self.step == self._overdue:
            raise Overrun(self.limit)


class Within(Generic[T]):
    """An awaitable whose steps are watched."""

    __slots__ = ("_awaitable", "_watch")

    def __init__(self, watch: Watch, awaitable: Awaitable[T]) -> None:
        self._watch = watch
        self._awaitable = awaitable

    def __await__(self) -> Generator[object, object, T]:
        watch = self._watch
        steps = self._awaitable.__await__()
        worked, sent = 0.0, None
        thrown: BaseException | None = None
        while True:
            began = watch.begin()
            try:
                waits_for = steps.send(sent) if thrown is None else steps.throw(thrown)
            except StopIteration as ended:
                value: T = ended.value
                return value
            finally:
                watch.step = 0
            worked += watch.computed(began)
            sent = thrown = None
            if worked > watch.limit:
                thrown = Overrun(watch.limit)
                continue
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001  a cancellation is passed on, as `await` does
                thrown = error
