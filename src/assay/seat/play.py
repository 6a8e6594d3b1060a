"""What all seats of one trial share: its record, its clock, its calls and the run's limits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

from msgspec import structs

from assay.errors import Stopped
from assay.message import Reply
from assay.ports import Held, OnRead, Stop, Store, Watcher
from assay.seat.budget import Budget
from assay.seat.record import Record
from assay.trial import Call


class Play:
    """One play of one trial. `held` is what the record has of its key; `strict` forbids live calls."""

    def __init__(
        self,
        *,
        run: str,
        trial: str,
        case: str,
        store: Store,
        stop: Stop,
        budget: Budget,
        held: Held = Held(),
        strict: bool = False,
        watchers: Sequence[Watcher] = (),
        on_read: OnRead | None = None,
    ) -> None:
        self.run = run
        self.trial = trial
        self.case = case
        self.store = store
        self.stop = stop
        self.budget = budget
        self.record = Record(held)
        self.strict = strict
        self.watchers = watchers
        self.on_read = on_read
        self.calls: list[Call] = []
        self._began = time.monotonic_ns()
        self._waited = 0
        self._replayed = 0

    def check(self) -> None:
        """Raises Stopped where the run takes no more calls."""
        if self.stop.reason is not None:
            raise Stopped(self.stop.reason)

    def waited(self, nanoseconds: int) -> None:
        """Takes a wait for limits, backoff or the outside off the working clock."""
        self._waited += nanoseconds

    def clock(self) -> float:
        """Working seconds: waits are not counted, the recorded durations of replayed calls are."""
        return (time.monotonic_ns() - self._began - self._waited + self._replayed) / 1e9

    async def pause(self, seconds: float) -> None:
        """Waits before another attempt; raises Stopped if the run is told to stop meanwhile."""
        began = time.monotonic_ns()
        await self.stop.wait(seconds)
        self.waited(time.monotonic_ns() - began)
        self.check()

    async def reserve(self, call: Call) -> None:
        """Returns once the intent is committed. A store that waits for disk space is no work."""
        began = time.monotonic_ns()
        await self.store.reserve(call)
        self.waited(time.monotonic_ns() - began)

    def settle(self, call: Call) -> None:
        """Writes how an attempt ended and shows it."""
        self.store.settle(call)
        self._heard(call)

    async def replay(self, held: Call, ordinal: int) -> Reply:
        """The recorded reply, without limits, budget or breaker.

        A call of this run is in its record already; one of another run is written into it as
        cached, so that this run's record is whole by itself.
        """
        if held.run == self.run:
            call = structs.replace(held, origin="resumed")
        else:
            call = structs.replace(
                held, run=self.run, trial=self.trial, ordinal=ordinal, attempt=1, origin="cached"
            )
            await self.reserve(call)
            self.store.settle(call)
        instants = call.reply.instants
        if instants.sent and instants.ended:
            self._replayed += instants.ended - instants.sent
        self._heard(call)
        return structs.replace(call.reply, call=call.id)

    def _heard(self, call: Call) -> None:
        self.calls.append(call)
        for watcher in self.watchers:
            watcher.on_call(call)

    @property
    def spent(self) -> Decimal:
        """Dollars of this play's calls whose cost is known."""
        return sum((call.cost for call in self.calls if call.cost is not None), Decimal(0))
