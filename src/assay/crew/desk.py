"""The first process's end of one worker: what it records, asks for and tells of is dealt with here."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from assay.crew.line import Line
from assay.crew.messages import (
    Alive,
    Began,
    Begin,
    Book,
    Broken,
    Ended,
    Finished,
    Granted,
    Halt,
    Heard,
    Kept,
    NoMore,
    Opened,
    Play,
    Ready,
    Refused,
    Rows,
    Said,
    SetAside,
    Told,
    Want,
    Welcome,
    frame,
    said_of,
)
from assay.errors import AssayError, ReplayMiss, StatusSumError, Stopped, StoreError, UsageError
from assay.keys import JSON
from assay.ports import Stop
from assay.seat.budget import Budget
from assay.store.joined import SharedStore

_ERRORS: dict[str, type[AssayError]] = {
    kind.__name__: kind for kind in (StoreError, ReplayMiss, StatusSumError)
}


class Foreman(Protocol):
    """Who hands out the trials."""

    def ready(self, desk: Desk) -> None: ...

    def wants(self, desk: Desk) -> None: ...

    def began(self, desk: Desk, position: int) -> None: ...

    def ended(self, desk: Desk, message: Ended) -> None: ...

    def heard(self, message: Heard) -> None: ...

    def opened(self, desk: Desk, message: Opened) -> None: ...


class Desk:
    """One worker process from its start to its end. `number` tells it from the others of its run.

    `finished` says that it came to its end by itself; `wanted` how many trials it could take;
    `signs` when it last gave a sign of life, by the monotonic clock.
    """

    def __init__(self, number: int, foreman: Foreman, store: SharedStore, budget: Budget, stop: Stop) -> None:
        self.number = number
        self.finished = False
        self.ready = False
        self.wanted = 0
        self.begun_any = False
        self.signs = time.monotonic()
        self._foreman = foreman
        self._store = store
        self._budget = budget
        self._stop = stop
        self._line = Line(said_of, self._said, self._gone)
        self._process: subprocess.Popen[bytes] | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._run = 0
        self._rows = self._committed = 0
        self._kept: list[int] = []
        self._nothing_on_the_way = asyncio.Event()
        self._nothing_on_the_way.set()
        self._asking: set[asyncio.Task[None]] = set()
        self._set_aside = Decimal(0)
        self._hear: dict[type, Callable[[JSON], None]] = {
            Rows: self._commit,
            Want: self._wants,
            Began: self._began,
            Ended: self._ended,
            Heard: foreman.heard,
            SetAside: self._ask,
            Book: self._booked,
            Alive: lambda _: None,
            Ready: self._is_ready,
            Finished: self._has_finished,
            Opened: self._opened,
            Broken: _raise,
        }

    async def serve(self, welcome: Welcome) -> None:
        """Starts the worker and returns when it is gone, all that it recorded committed.

        Raises what ended the run at the worker.
        """
        self._run = welcome.membership.run
        try:
            await self._start()
            self.say(welcome)
            await self._over
        finally:
            await self._end()

    def say(self, message: Told) -> None:
        self._line.say(frame(message))

    def begin(self, zero: float) -> None:
        self.say(Begin(zero))

    def play(self, position: int, due: float, *, again: bool) -> None:
        """Hands a trial out."""
        self.wanted -= 1
        self.say(Play(position, due, again))

    def no_more(self) -> None:
        self.say(NoMore())

    def halt(self) -> None:
        """Tells that the run ends, if it does."""
        if self._stop.closing is not None:
            self.say(Halt(self._stop.closing, at_once=self._stop.reason is not None))

    def kill(self) -> None:
        """Ends the process at once, also one that stands still."""
        if self._process is not None:
            self._process.kill()

    @property
    def how_it_ended(self) -> str:
        """`SIGSEGV`, or `exit code 1`."""
        code = None if self._process is None else self._process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _started(theirs.fileno())
        await self._line.open(ours)

    async def _end(self) -> None:
        """Leaves no process, no row on its way and no dollar set aside behind."""
        self._line.close()
        self.kill()
        await self._reaped()
        for task in self._asking:
            task.cancel()
        await self._nothing_on_the_way.wait()
        if self._set_aside:
            self._budget.book(self._set_aside, None)
            self._set_aside = Decimal(0)

    async def _reaped(self) -> None:
        """Returns when the killed process is gone, also where the wait for it is broken off."""
        if self._process is None:
            return
        try:
            await asyncio.to_thread(self._process.wait)
        finally:
            self._process.wait()

    def _gone(self, failure: BaseException | None) -> None:
        if self._over.done():
            return
        if failure is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(failure)

    def _said(self, message: Said) -> None:
        self.signs = time.monotonic()
        self._hear[type(message)](message)

    def _wants(self, message: Want) -> None:
        self.wanted += message.count
        self._foreman.wants(self)

    def _began(self, message: Began) -> None:
        self.begun_any = True
        self._foreman.began(self, message.position)

    def _ended(self, message: Ended) -> None:
        self._foreman.ended(self, message)

    def _booked(self, message: Book) -> None:
        self._set_aside -= message.set_aside
        self._budget.book(message.set_aside, message.cost)

    def _is_ready(self, message: Ready) -> None:
        del message
        self.ready = True
        self._foreman.ready(self)

    def _has_finished(self, message: Finished) -> None:
        del message
        self.finished = True

    def _opened(self, message: Opened) -> None:
        self._foreman.opened(self, message)

    def _commit(self, message: Rows) -> None:
        self._rows += 1
        number = self._rows

        def tell(error: AssayError | None) -> None:
            self._committed += 1
            if error is not None:
                self.say(Refused(number, str(error)))
            else:
                if not self._kept:
                    asyncio.get_running_loop().call_soon(self._tell_kept)
                self._kept.append(number)
            if self._committed == self._rows:
                self._nothing_on_the_way.set()

        self._nothing_on_the_way.clear()
        self._store.relay(self._run, message.tables, tell)

    def _tell_kept(self) -> None:
        numbers, self._kept = self._kept, []
        self.say(Kept(numbers))

    def _ask(self, message: SetAside) -> None:
        task = asyncio.create_task(self._asked(message))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _asked(self, message: SetAside) -> None:
        try:
            amount = await self._budget.set_aside(message.worst, self._stop)
        except Stopped as stopped:
            self.say(Granted(message.ticket, stopped.reason))
        else:
            self._set_aside += amount
            self.say(Granted(message.ticket, None))


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    """A worker process that inherits the socket. What it prints on stderr is seen."""
    return subprocess.Popen(  # noqa: S603  this very interpreter and package
        [sys.executable, "-P", "-m", "assay.crew", str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
    )


def _raise(message: Broken) -> None:
    """What ended the run at the worker."""
    if message.kind == "UsageError":
        raise UsageError(message.text, fix=message.fix)
    kind = _ERRORS.get(message.kind)
    if kind is not None:
        raise kind(message.text)
    raise RuntimeError(f"a worker failed: {message.kind}: {message.text}")
