"""A worker: plays the trials that it is handed through the one loop, and records at the other end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable

from assay.crew.accounts import FarBudget, FarRecorder
from assay.crew.line import Line
from assay.crew.messages import (
    Alive,
    Began,
    Begin,
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
    Said,
    Told,
    Want,
    Welcome,
    told_of,
)
from assay.crew.messages import frame as framed
from assay.crew.share import Share
from assay.errors import AssayError, UsageError
from assay.keys import JSON
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.loop import Loop
from assay.plan import Bound, Planned
from assay.ports import Run, Stop
from assay.seat.lane import Lane
from assay.store.joined import JoinedStore
from assay.trial import Call, Event, Status, Trial

BEAT_SECONDS = 1.0
AHEAD = 16
"""Trials at most that a worker has beside those in play, so that a free slot waits for none."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Worker:
    """Implements `Source` and `ports.Watcher` for one worker process."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.stop = Stop()
        self.over = False
        self.welcome: asyncio.Future[Welcome] = loop.create_future()
        self._line = Line(told_of, self._told, self._ended)
        self._recorder = FarRecorder(self._line)
        self._budget = FarBudget(self._line)
        self._zero: asyncio.Future[float] = loop.create_future()
        self._handed: deque[Play] = deque()
        self._news = asyncio.Event()
        self._positions: dict[str, int] = {}
        self._main = asyncio.current_task()
        self._scores_after = self._watched = False
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._openings: dict[tuple[str, str], tuple[str, float, float]] = {}
        self._store: JoinedStore | None = None
        self._hear: dict[type, Callable[[JSON], None]] = {
            Play: self._handed.append,
            Kept: self._recorder.kept,
            Refused: self._recorder.refused,
            Granted: self._budget.granted,
            Welcome: self.welcome.set_result,
            Begin: lambda message: self._zero.set_result(message.zero),
            NoMore: self._nothing_more,
            Halt: self._halt,
            Opened: self._opened_elsewhere,
        }

    async def play(self, end: socket.socket) -> None:
        """From the greeting to the last trial."""
        await self._line.open(end)
        try:
            await self._play(await self.welcome)
            self.say(Finished())
        except Exception as error:  # noqa: BLE001  told to the first process, which ends the run
            self.say(_broken(error))
        self._line.close()

    async def _play(self, welcome: Welcome) -> None:
        sys.path[:] = welcome.path
        self._watched = welcome.watched
        self._store = store = JoinedStore(self._recorder, welcome.run, welcome.membership)
        binding = bound(
            welcome.plan,
            Environment(welcome.environment),
            run_id=welcome.run.id,
            checked=False,
            emulated_at=welcome.emulator,
            parts=welcome.workers,
        )
        async with binding as whole:
            self.say(Ready())
            self._beat()
            share = self._share_of(whole, welcome, await self._zero)
            await Loop(share, store, [self], self.stop).play()
        await store.close()

    def _share_of(self, whole: Bound, welcome: Welcome, zero: float) -> Share:
        share = Share(whole, self)
        share.run, share.zero = welcome.run, zero
        self._scores_after = share.scores_after
        every = (*whole.places.values(), *(scored.places for scored in whole.scorers))
        self._lanes = {(p.endpoint.name, p.name): p.lane for places in every for p in places}
        if welcome.budgeted:
            share.budget = self._budget
        self.say(Want(max(1, min(AHEAD, share.schedule.slots // 4))))
        return share

    def say(self, message: Said) -> None:
        self._line.say(framed(message))

    def _beat(self) -> None:
        self.say(Alive())
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    async def next(self) -> Play | None:
        while not (self._handed or self.over or self.stop.closing):
            self._news.clear()
            await self._news.wait()
        if self.over or self.stop.closing:
            return None
        self.say(Want(1))
        return self._handed.popleft()

    def recorded(self, planned: Planned, *, again: bool) -> Status | None:
        assert self._store is not None  # noqa: S101  it was opened before anything is handed out
        run = self._store_run
        if again:
            self._store.expect(run, planned.key)
        return self._store.has(run, planned.key)

    @property
    def _store_run(self) -> str:
        return self.welcome.result().run.id

    def took(self, position: int, planned: Planned) -> None:
        self._positions[planned.key] = position

    def passed(self, position: int) -> None:
        self.say(Ended(position, ""))

    def began(self, planned: Planned) -> None:
        self.say(Began(self._positions[planned.key]))

    def on_start(self, run: Run, held: int) -> None:
        """The first process tells of the run's start and end."""

    def on_end(self, run: Run) -> None:
        """As of its start."""

    def on_event(self, trial: str, event: Event) -> None:
        if self._watched:
            self._show(Heard(key=trial, event=event))

    def on_call(self, call: Call) -> None:
        if self._watched:
            self._show(Heard(call=call))
        if call.error is not None:
            self._tell_of_breakers()

    def _tell_of_breakers(self) -> None:
        """An attempt has failed: where that has opened a breaker, the other workers hear of it."""
        for (endpoint, model), lane in self._lanes.items():
            opening = lane.breaker.opening
            if opening is not None and opening != self._openings.get((endpoint, model)):
                self._openings[endpoint, model] = opening
                self.say(Opened(endpoint, model, *opening))

    def _opened_elsewhere(self, message: Opened) -> None:
        at = (message.endpoint, message.model)
        self._openings[at] = (message.why, message.since, message.until)
        self._lanes[at].hear(*self._openings[at])

    def on_trial(self, trial: Trial) -> None:
        if self._watched:
            self._show(Heard(trial=trial))
        if trial.status is Status.PLAYED and not self._scores_after:
            return
        position = self._positions.pop(trial.key)
        self.say(Ended(position, trial.detail if trial.status is Status.NOT_RUN else ""))

    def _show(self, heard: Heard) -> None:
        try:
            self.say(heard)
        except (UnicodeEncodeError, OverflowError):
            return  # what MessagePack cannot carry is on record, and not shown as it passes

    def _told(self, message: Told) -> None:
        self._hear[type(message)](message)
        self._news.set()

    def _halt(self, message: Halt) -> None:
        if message.at_once:
            self.stop.now(message.reason)
        else:
            self.stop.soon(message.reason)

    def _nothing_more(self, message: NoMore) -> None:
        del message
        self.over = True

    def _ended(self, failure: BaseException | None) -> None:
        """The first process is gone, or has no more use for this one."""
        if failure is not None:
            traceback.print_exception(failure)
        if self._main is not None:
            self._main.cancel()


def _broken(error: BaseException) -> Broken:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, UsageError):
        return Broken("UsageError", error.problem, error.fix)
    if isinstance(error, AssayError):
        return Broken(type(error).__name__, str(error), "")
    traceback.print_exception(error)
    return Broken(type(error).__name__, str(error), "")


def main(descriptor: int) -> None:
    """Serves the run at the other end of the socket that this process has inherited."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the first process drains its workers
        signal.signal(ignored, signal.SIG_IGN)
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        return
    asyncio.run(_serve(socket.socket(fileno=descriptor)))


async def _serve(end: socket.socket) -> None:
    try:
        await Worker().play(end)
    except asyncio.CancelledError:
        return
