"""A place at one trial's table: asks its model, and writes one Call per attempt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import structs

from assay.errors import CallError, StaleConnection, Stopped
from assay.keys import JSON, random_stream
from assay.message import Message, Reply, Request, ResponseFormat, Sampling, ToolSpec
from assay.ports import Capabilities
from assay.seat.lane import Admission
from assay.seat.miss import Elsewhere
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
        continuation: str | None = None,
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
            continuation=continuation,
        )
        asked = request_hash(self._place.name, request)
        occurrence, ordinal = self._asked[asked], self._ordinal
        self._asked[asked] += 1
        self._ordinal += 1
        held = self._play.record.success(self.role, asked, occurrence)
        if held is None and self._play.strict:
            elsewhere = Elsewhere(self._play.store, self._play.case, self.role, ordinal)
            held = elsewhere.success(asked)
            if held is None:
                raise elsewhere.miss(request)
        if held is not None:
            return await self._play.replay(held, ordinal)
        return await self._insist(self._first(request, asked, occurrence, ordinal))

    def _first(self, request: Request, asked: str, occurrence: int, ordinal: int) -> Call:
        """The intent of the next attempt; numbering goes on from those on record."""
        return Call(
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

    async def _insist(self, call: Call) -> Reply:
        """Attempts until one succeeds or the policy gives up; waits do not count as work.

        A failure by which the server asks for a longer wait than a trial is held stops the trial
        without failing it: a resumed run plays it.
        """
        tried, stale, jitter = 0, False, None
        lane, retry = self._place.lane, self._place.retry
        lane.retries.request()
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
            if retry.retries and lane.parks(failure):
                raise Stopped("circuit") from failure
            wait = retry.wait(failure, tried, jitter)
            if wait is None or not lane.retries.allows(failure):
                raise failure
            await self._play.pause(wait)

    async def _attempt(self, call: Call) -> tuple[Call, CallError | None]:
        """One attempt: admitted, its intent committed, asked, settled, shown.

        A cancelled attempt is left as reserved: it may have been billed.
        """
        place, play = self._place, self._play
        picked = time.monotonic_ns()
        admission, set_aside = await self._admitted(call.request)
        admitted = time.monotonic_ns()
        play.waited(admitted - picked)
        call = structs.replace(call, began=time.time_ns())
        entered, failure = place.endpoint.pulse.enter(), None
        try:
            await play.reserve(call)
            reply = await place.model.ask(call.request, play.on_read)
        except CallError as error:
            failure, reply = error, error.partial
            place.lane.failed(admission, error)
        except BaseException:
            play.budget.book(set_aside, None)
            place.lane.dropped(admission)
            raise
        else:
            place.lane.answered(admission, reply.usage)
        finally:
            paused = place.endpoint.pulse.leave(entered)
        instants = structs.replace(reply.instants, picked=picked, admitted=admitted)
        reply = structs.replace(reply, instants=instants)
        settled = self._settled(structs.replace(call, reply=reply, paused=paused), failure)
        play.budget.book(set_aside, settled.cost)
        play.settle(settled)
        return settled, failure

    async def _admitted(self, request: Request) -> tuple[Admission, Decimal]:
        """Waits for the lane and then for the budget; gives the dollars that are set aside."""
        place, play = self._place, self._play
        admission = await place.lane.enter(request, play.stop)
        try:
            play.check()
            return admission, await play.budget.set_aside(place.worst_case(request), play.stop)
        except BaseException:
            place.lane.dropped(admission)
            raise

    def _settled(self, call: Call, failure: CallError | None) -> Call:
        """The attempt as it ended."""
        cost = self._cost(call.reply, failure)
        if failure is None:
            return structs.replace(call, state=CallState.DONE, cost=cost)
        return structs.replace(
            call,
            state=CallState.FAILED,
            cost=cost,
            error=failure.error,
            detail=failure.detail,
            status=failure.status,
        )

    def _cost(self, reply: Reply, failure: CallError | None) -> Decimal | None:
        """Dollars; nothing for an attempt that the server refused, unknown where usage is missing."""
        if not self.capabilities.timed:
            return Decimal(0)
        if reply.usage is not None:
            return self._place.price(reply.usage)
        if failure is not None and (not reply.instants.sent or (failure.status or 200) >= 400):
            return Decimal(0)
        return None
