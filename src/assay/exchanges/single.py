"""One request, one reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from assay.case import Case
from assay.errors import CallError, Stopped
from assay.exchanges.prompt import Prompt
from assay.exchanges.sizes import CHARACTERS
from assay.keys import JSON
from assay.message import Message, Reply, ToolSpec
from assay.ports import Asked, Capabilities, Seat, Table
from assay.trial import Event, EventKind, Outcome, Transcript

ResponseMode = Literal["prompt", "json_object", "json_schema", "tool"]

_NEEDS = {"tool": "tools", "json_object": "json_object", "json_schema": "json_schema"}

REPLY_TOOL = "reply"
"""The tool that a model is made to call where a response is wanted through a tool."""


@dataclass(frozen=True, slots=True)
class Single:
    """Asks once. `response` says how structure is asked for: by the prompt alone, as a JSON object,
    by a schema (the case's own, else `schema`), or as the arguments of a tool. A model that cannot
    be held to it is asked by the prompt alone, and the outcome's detail says so. With `likelihood`
    a model that can is also asked how likely the case's target is as the reply.
    """

    prompt: Prompt = Prompt()
    response: ResponseMode = "prompt"
    schema: JSON = None
    likelihood: bool = False

    seats = ("candidate",)

    @property
    def spec(self) -> JSON:
        spec = ["single", self.prompt.spec, self.response, self.schema]
        return [*spec, "likelihood"] if self.likelihood else spec

    def opening(self, case: Case) -> tuple[Message, ...]:
        return self.prompt.render(case)

    def asks(self, case: Case, can: Mapping[str, Capabilities]) -> dict[str, Asked]:
        """One request, another for a likelihood where the model can; a reply as long as the target."""
        times = 2 if self.likelihood and can["candidate"].likelihood else 1
        sent = sum(len(message.text) for message in self.opening(case))
        short, usual, _ = (max(1.0, len(case.target_text or "") / size) for size in CHARACTERS)
        return {"candidate": Asked(times, times, times, sent=sent, says=(short, usual, None))}

    async def play(self, case: Case, table: Table) -> Transcript:
        messages = self.opening(case)
        events = [Event(EventKind.PROMPT, "candidate", message) for message in messages]
        seat = table.seats["candidate"]
        try:
            reply = await self._ask(case, seat, messages)
            events.append(Event(EventKind.SAID, "candidate", reply.message, reply.call))
            table.emit(events[-1])
            if self.likelihood and case.target_text:
                events.append(await _likelihood(case.target_text, seat, messages))
        except CallError as failure:
            return Transcript(tuple(events), Outcome("failed", failure.error, failure.detail))
        except Stopped as stopped:
            return Transcript(tuple(events), Outcome(stopped.reason))
        return Transcript(tuple(events), Outcome("answered", detail=self._missed(seat)), final=reply)

    def _missed(self, seat: Seat) -> str:
        """What the model could not be held to."""
        held = self.response == "prompt" or getattr(seat.capabilities, _NEEDS[self.response])
        return "" if held else f"asked by the prompt alone: the model takes no {self.response}"

    async def _ask(self, case: Case, seat: Seat, messages: tuple[Message, ...]) -> Reply:
        schema = case.schema if case.schema is not None else self.schema
        if self._missed(seat):
            return await seat.ask(messages, tools=case.tools)
        if self.response == "tool":
            tool = ToolSpec(REPLY_TOOL, "Gives the answer.", schema)
            reply = await seat.ask(messages, tools=(tool,), tool_choice=REPLY_TOOL)
            given = [call.arguments for call in reply.tool_calls if call.name == REPLY_TOOL]
            return structs.replace(reply, text=given[0]) if given else reply
        if self.response == "prompt":
            return await seat.ask(messages, tools=case.tools)
        return await seat.ask(messages, tools=case.tools, format=self.response, schema=schema)


async def _likelihood(target: str, seat: Seat, messages: tuple[Message, ...]) -> Event:
    """How likely the model takes the target to be as its reply, token by token."""
    if not seat.capabilities.likelihood:
        missing = "the model gives no log-probabilities of a given text"
        return Event(EventKind.LIKELIHOOD, seat.role, data={"of": target, "missing": missing})
    try:
        told = await seat.ask(messages, continuation=target)
    except CallError as failure:  # the reply is there, and stays
        return Event(EventKind.LIKELIHOOD, seat.role, data={"of": target, "missing": str(failure)})
    data = {"of": target, "logprobs": list(told.logprobs)}
    return Event(EventKind.LIKELIHOOD, seat.role, call=told.call, data=data)
