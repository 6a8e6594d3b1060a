"""What a worker has of the first process: the writer of the record, and the run's budget."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from assay.crew.line import Line
from assay.crew.messages import Book, Granted, Kept, Refused, Rows, SetAside, Told, frame
from assay.errors import Stopped, StopReason, StoreError
from assay.ports import Stop
from assay.seat.budget import Budget
from assay.store.writer import Tables, Tell
from assay.turnstile import Turnstile

R = TypeVar("R")

_NO_FILE = "a worker has no hold of the file: only the first process of a run acts on it"

ROOM = 1024
"""Rows that a worker may have on their way to the disk before its callers are held back."""


class FarRecorder:
    """Implements the store's `Recorder`: rows go over the line and are committed at its other end."""

    def __init__(self, line: Line[Told]) -> None:
        self._line = line
        self._said = 0
        self._on_the_way: dict[int, tuple[asyncio.Future[None] | None, bool]] = {}
        self._turns = Turnstile()
        self._arrived = asyncio.Event()
        self._held_back: deque[asyncio.Future[None]] = deque()
        self._grievance: StoreError | None = None

    async def write(self, run: int, rows: Tables, *, pressing: bool = False) -> None:
        """Returns once the rows are committed; raises StoreError, and then none of them is."""
        while len(self._on_the_way) >= ROOM:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held_back.append(turn)
            await turn
        await self._line.room()
        if self._grievance is not None:
            grievance, self._grievance = self._grievance, None
            raise grievance
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send(run, rows, done, pressing=pressing)
        await done

    def post(self, run: int, rows: Tables) -> None:
        """Has the rows committed; what is wrong with them, the next `write` raises."""
        try:
            self._send(run, rows, None, pressing=False)
        except StoreError as refused:
            self._grievance = self._grievance or refused

    def relay(self, run: int, rows: Tables, tell: Tell) -> None:
        del run, rows, tell
        raise StoreError(_NO_FILE)

    async def do(self, act: Callable[[sqlite3.Connection], R], *, durable: bool = False) -> R:
        del act, durable
        raise StoreError(_NO_FILE)

    async def close(self) -> None:
        """Returns once all is committed. Raises StoreError if something could not be kept."""
        while self._on_the_way:
            self._arrived.clear()
            await self._arrived.wait()
        if self._grievance is not None:
            raise self._grievance

    def kept(self, message: Kept) -> None:
        """These rows are committed."""
        for number in message.numbers:
            done, pressing = self._on_the_way.pop(number)
            if done is not None:
                self._turns.wake(done, None, behind=not pressing)
        self._let_go()

    def refused(self, message: Refused) -> None:
        """These rows are not kept. Those that nobody waits for are told to who writes next."""
        done, _ = self._on_the_way.pop(message.number)
        error = StoreError(message.text)
        if done is None:
            self._grievance = self._grievance or error
        else:
            self._turns.fail(done, error)
        self._let_go()

    def _let_go(self) -> None:
        self._arrived.set()
        for _ in range(min(len(self._held_back), max(0, ROOM - len(self._on_the_way)))):
            turn = self._held_back.popleft()
            if not turn.done():
                turn.set_result(None)

    def _send(self, run: int, rows: Tables, done: asyncio.Future[None] | None, *, pressing: bool) -> None:
        del run  # a worker has one
        try:
            raw = frame(Rows(rows))
        except (UnicodeEncodeError, OverflowError) as bad:
            raise StoreError(f"the store could not keep a record: {bad}") from bad
        self._said += 1
        self._on_the_way[self._said] = (done, pressing)
        self._line.say(raw)


class FarBudget(Budget):
    """The run's budget, asked for call by call: it is one over all workers."""

    def __init__(self, line: Line[Told]) -> None:
        super().__init__()
        self._line = line
        self._tickets = 0
        self._asked: dict[int, tuple[Decimal, asyncio.Future[None]]] = {}

    async def set_aside(self, worst: Decimal | None, stop: Stop) -> Decimal:
        self._tickets += 1
        ticket, amount = self._tickets, worst or Decimal(0)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[ticket] = (amount, turn)
        self._line.say(frame(SetAside(ticket, worst)))
        try:
            await turn
        except Stopped as stopped:
            stop.now(stopped.reason)
            raise
        return amount

    def book(self, set_aside: Decimal, cost: Decimal | None) -> None:
        self._line.say(frame(Book(set_aside, cost)))

    def granted(self, message: Granted) -> None:
        """The answer to what was asked. What nobody waits for any more goes back."""
        amount, turn = self._asked.pop(message.ticket)
        refused: StopReason | None = message.refused
        if turn.done():
            if refused is None:
                self.book(amount, Decimal(0))
        elif refused is None:
            turn.set_result(None)
        else:
            turn.set_exception(Stopped(refused))
