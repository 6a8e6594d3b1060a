"""A place at one trial's table: asks its model, and writes one Call per attempt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import structs

from assay.errors import CallError, ReplayMiss, StaleConnection
from assay.keys import JSON, random_stream
from assay.message import Message, Reply, Request, ResponseFormat, Sampling, ToolSpec
from assay.ports import Capabilities
from assay.seat.place import Place
from assay.seat.play import Play
from assay.seat.record import request_hash
from assay.trial import Call, CallState


class TrialSeat:
    """Implements `ports.Seat`. Not for concurrent use: a role asks one thing at a time."""

    def __init__(self, place: Place, play: Play, seed: int) -> None:
        self._place = place
        self._play = play
        self._sampling = Sampling(seed=seed).over(place.sampling) if place.seeded else place.sampling
        self._asked: Counter[str] = Counter()
        self._ordinal = 0
        self._seed = seed

    @property
    def role(self) -> str:
        return self._place.role

    @property
    def capabilities(self) -> Capabilities:
        return self._place.capabilities

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
        format: ResponseFormat = "text",
        schema: JSON = None,
        sampling: Sampling | None = None,
    ) -> Reply:
        request = Request(
            messages=tuple(messages),
            tools=tuple(tools),
            tool_choice=tool_choice,
            format=format,
            schema=schema,
            sampling=self._sampling if sampling is None else sampling.over(self._sampling),
            stream=self._place.stream,
            case=self._play.case,
        )
        asked = request_hash(self._place.name, request)
        occurrence, ordinal = self._asked[asked], self._ordinal
        self._asked[asked] += 1
        self._ordinal += 1
        held = self._play.record.success(self.role, asked, occurrence)
        if held is not None:
            return await self._play.replay(held, ordinal)
        if self._play.strict:
            raise ReplayMiss(f"the record holds no reply to request {ordinal} of the {self.role}")
        first = Call(
            run=self._play.run,
            trial=self._play.trial,
            role=self.role,
            ordinal=ordinal,
            attempt=self._play.record.tried(self.role, ordinal) + 1,
            model=self._place.name,
            request=request,
            request_hash=asked,
            occurrence=occurrence,
            began=0,
        )
        return await self._insist(first)

    async def _insist(self, call: Call) -> Reply:
        """Attempts until one succeeds or the policy gives up; waits do not count as work."""
        tried, stale, jitter = 0, False, None
        while True:
            settled, failure = await self._attempt(call)
            if failure is None:
                return structs.replace(settled.reply, call=settled.id)
            call = structs.replace(call, attempt=call.attempt + 1)
            if isinstance(failure, StaleConnection) and not stale:
                stale = True
                continue
            tried += 1
            jitter = jitter or random_stream(self._seed, "retry", call.role, call.ordinal)
            wait = self._place.retry.wait(failure, tried, jitter)
            if wait is None:
                raise failure
            await self._play.pause(wait)

    async def _attempt(self, call: Call) -> tuple[Call, CallError | None]:
        """One attempt: admitted, its intent committed, asked, settled, shown.

        A cancelled attempt is left as reserved: it may have been billed.
        """
        place, play = self._place, self._play
        picked = time.monotonic_ns()
        async with place.endpoint.slots:
            place.breaker.check()
            play.check()
            set_aside = play.budget.set_aside(place.worst_case(call.request))
            admitted = time.monotonic_ns()
            play.waited(admitted - picked)
            call = structs.replace(call, began=time.time_ns())
            failure: CallError | None = None
            try:
                await play.store.reserve(call)
                reply = await place.model.ask(call.request, play.on_read)
            except CallError as error:
                failure, reply = error, error.partial
                place.breaker.failed(error)
            except BaseException:
                play.budget.book(set_aside, None)
                raise
            else:
                place.breaker.succeeded()
        instants = structs.replace(reply.instants, picked=picked, admitted=admitted)
        settled = structs.replace(
            call,
            state=CallState.DONE if failure is None else CallState.FAILED,
            reply=structs.replace(reply, instants=instants),
            cost=self._cost(reply, failure),
        )
        if failure is not None:
            settled = structs.replace(
                settled, error=failure.error, detail=failure.detail, status=failure.status
            )
        play.budget.book(set_aside, settled.cost)
        play.settle(settled)
        return settled, failure

    def _cost(self, reply: Reply, failure: CallError | None) -> Decimal | None:
        """Dollars; nothing for an attempt that the server refused, unknown where usage is missing."""
        if not self.capabilities.timed:
            return Decimal(0)
        if reply.usage is not None:
            return self._place.price(reply.usage)
        if failure is not None and (not reply.instants.sent or (failure.status or 200) >= 400):
            return Decimal(0)
        return None
