"""One request, one reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from assay.case import Case
from assay.errors import CallError, Stopped
from assay.exchanges.prompt import Prompt
from assay.keys import JSON
from assay.message import Message, Reply, ToolSpec
from assay.ports import Seat, Table
from assay.trial import Event, EventKind, Outcome, Transcript

ResponseMode = Literal["prompt", "json_object", "json_schema", "tool"]

REPLY_TOOL = "reply"
"""The tool that a model is made to call where a response is wanted through a tool."""


@dataclass(frozen=True, slots=True)
class Single:
    """Asks once. `response` says how structure is asked for: by the prompt alone, as a JSON object,
    by a schema (the case's own, else `schema`), or as the arguments of a tool.
    """

    prompt: Prompt = Prompt()
    response: ResponseMode = "prompt"
    schema: JSON = None

    seats = ("candidate",)

    @property
    def spec(self) -> JSON:
        return ["single", self.prompt.spec, self.response, self.schema]

    def opening(self, case: Case) -> tuple[Message, ...]:
        return self.prompt.render(case)

    async def play(self, case: Case, table: Table) -> Transcript:
        messages = self.opening(case)
        events = [Event(EventKind.PROMPT, "candidate", message) for message in messages]
        try:
            reply = await self._ask(case, table.seats["candidate"], messages)
        except CallError as failure:
            return Transcript(tuple(events), Outcome("failed", failure.error, failure.detail))
        except Stopped as stopped:
            return Transcript(tuple(events), Outcome(stopped.reason))
        said = Event(EventKind.SAID, "candidate", reply.message, reply.call)
        table.emit(said)
        return Transcript((*events, said), Outcome("answered"), final=reply)

    async def _ask(self, case: Case, seat: Seat, messages: tuple[Message, ...]) -> Reply:
        schema = case.schema if case.schema is not None else self.schema
        if self.response == "tool":
            tool = ToolSpec(REPLY_TOOL, "Gives the answer.", schema)
            reply = await seat.ask(messages, tools=(tool,), tool_choice=REPLY_TOOL)
            given = [call.arguments for call in reply.tool_calls if call.name == REPLY_TOOL]
            return structs.replace(reply, text=given[0]) if given else reply
        if self.response == "prompt":
            return await seat.ask(messages, tools=case.tools)
        return await seat.ask(messages, tools=case.tools, format=self.response, schema=schema)
