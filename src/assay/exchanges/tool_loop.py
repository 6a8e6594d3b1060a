"""A model that works with tools until it answers: each call is carried out and fed back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from assay.case import Case
from assay.errors import CallError, Stopped
from assay.exchanges.prompt import Prompt
from assay.exchanges.sizes import LINE, RESULT, written
from assay.keys import JSON
from assay.message import Message, Reply, Text, ToolCall
from assay.ports import Asked, Capabilities, Table
from assay.trial import Event, EventKind, Outcome, Transcript
from assay.world.overlay import Overlay
from assay.world.world import ToolFault, World

MAX_RESULT = 64 * 1024
"""Characters of a tool's result that go back to the model; the rest is cut and marked as cut."""


@dataclass(frozen=True, slots=True)
class ToolLoop:
    """Plays until a reply calls no tool; `max_steps` replies with calls end it as `agent_loop`.

    With a world its tools are offered and carried out on an overlay of the trial's own. Without
    one the case's tools are offered and the first reply is the answer, calls and all, since there
    is nothing to carry them out.
    """

    prompt: Prompt = Prompt()
    world: World | None = None
    language: str = "en"
    max_steps: int = 8

    seats = ("candidate",)

    @property
    def spec(self) -> JSON:
        world = self.world.fingerprint if self.world is not None else None
        return ["tool_loop", self.prompt.spec, world, self.language, self.max_steps]

    def opening(self, case: Case) -> tuple[Message, ...]:
        return self.prompt.render(case)

    def asks(self, case: Case, can: Mapping[str, Capabilities]) -> dict[str, Asked]:  # noqa: ARG002  the others'
        """One request for each step; without a world there is one."""
        world = self.world
        tools = case.tools if world is None else world.specs(self.language)
        sent = sum(len(message.text) for message in self.opening(case)) + written(tools)
        most = self.max_steps if world is not None else 1
        grows = (2 * LINE[0], LINE[1] + RESULT[1], LINE[2] + RESULT[2])
        return {
            "candidate": Asked(1, min(2.0, most), most, sent=sent, grows=grows, says=(LINE[0], LINE[1], None))
        }

    async def play(self, case: Case, table: Table) -> Transcript:
        work = _Work(self, case, table)
        try:
            outcome = await work.until_answered()
        except CallError as failure:
            outcome = Outcome("failed", failure.error, failure.detail)
        except Stopped as stopped:
            outcome = Outcome(stopped.reason)
        except ToolFault as fault:
            outcome = Outcome("tool_fault", detail=str(fault))
        return work.transcript(outcome)


@dataclass(slots=True)
class _Work:
    """One play of a tool loop."""

    exchange: ToolLoop
    case: Case
    table: Table
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    overlay: Overlay | None = None
    final: Reply | None = None

    async def until_answered(self) -> Outcome:
        world = self.exchange.world
        self.messages += self.exchange.opening(self.case)
        self.events += (Event(EventKind.PROMPT, "candidate", message) for message in self.messages)
        if world is not None:
            self.overlay = world.open(self.case.facts)
        tools = self.case.tools if world is None else world.specs(self.exchange.language)
        for _ in range(self.exchange.max_steps):
            reply = await self.table.seats["candidate"].ask(self.messages, tools=tools)
            self._hear(Event(EventKind.SAID, "candidate", reply.message, reply.call))
            self.messages.append(reply.message)
            self.final = reply
            if not reply.tool_calls or self.overlay is None:
                return Outcome("answered")
            for call in reply.tool_calls:
                self._carry_out(call, self.overlay)
        return Outcome("agent_loop", detail=f"no answer after {self.exchange.max_steps} steps")

    def _carry_out(self, call: ToolCall, overlay: Overlay) -> None:
        answer = overlay.world.answer(overlay, call.name, call.arguments, call.id)
        text = answer.text
        if len(text) > MAX_RESULT:
            text = text[:MAX_RESULT] + "... (cut)"
        result = Message("tool", (Text(text),), tool_call_id=call.id)
        self._hear(Event(EventKind.TOOL_RESULT, "tool", result, data={"name": call.name, **answer.record}))
        self.messages.append(result)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.table.emit(event)

    def transcript(self, outcome: Outcome) -> Transcript:
        state = None
        if self.overlay is not None:
            journal = msgspec.to_builtins(self.overlay.journal)
            state = {"difference": self.overlay.difference(), "journal": journal}
        return Transcript(tuple(self.events), outcome, self.final, state)
