"""One conversation being played: who speaks next, what the agent's tools do, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from assay.agenda import Phrases
from assay.errors import CallError, ErrorClass, Stopped
from assay.exchanges.conversation.clients import Client, Flaw, Said
from assay.exchanges.conversation.guard import Fault
from assay.exchanges.conversation.guarded import Watch, flaw_of, noted, undeliverable
from assay.exchanges.conversation.loops import (
    Spoken,
    asked_and_affirmed,
    farewell_loop,
    repetition_loop,
)
from assay.exchanges.conversation.settings import EndReason, Settings
from assay.keys import JSON
from assay.message import Message, Reply, Text, ToolCall, ToolSpec, say
from assay.ports import Table
from assay.trial import Event, EventKind, Outcome, Transcript
from assay.world.calling import recovery
from assay.world.difference import readable
from assay.world.overlay import Overlay
from assay.world.tools import refused
from assay.world.world import Answer, ToolFault

MAX_RESULT = 64 * 1024
"""Characters of a tool result that go back to the agent; more is cut and marked."""
MAX_LINE = 16 * 1024
"""Characters of a line that are delivered; more is cut."""
NO_TOOLS = Answer(
    refused("UNKNOWN_TOOL", "there are no tools"),
    '{"error":{"code":"UNKNOWN_TOOL","message":"there are no tools"}}',
)
"""What a tool call is answered where there is no world."""


class _Ended(Exception):
    """The conversation ends here."""

    def __init__(self, reason: EndReason, detail: str = "") -> None:
        super().__init__(reason)
        self.outcome = Outcome(reason, detail=detail)


@dataclass(slots=True)
class Play:
    """The state of one conversation. `messages` is the agent's history, `lines` what was spoken;
    `given` are the lines of a call that begins in the middle.

    `clock` counts the seconds of `timeout_s` from 0. After each step: timeout, then cost, then the
    guard of the client's line, then an explicit end, then loops, then `max_turns`.
    """

    settings: Settings
    table: Table
    words: Phrases
    opening: tuple[Message, ...]
    client: Client
    watch: Watch
    greeting: str | None
    tools: tuple[ToolSpec, ...]
    overlay: Overlay | None
    expected: JSON
    events: list[Event]
    clock: Callable[[], float]
    spent_before: float = 0.0
    given: tuple[Message, ...] = ()
    messages: list[Message] = field(default_factory=list)
    lines: list[Spoken] = field(default_factory=list)
    final: Reply | None = None

    async def until_ended(self) -> Transcript:
        """The whole call. Whatever breaks it off is its outcome, not an exception."""
        try:
            await self._talk()
        except _Ended as ended:
            outcome = ended.outcome
        except CallError as failure:
            overflow = failure.error is ErrorClass.CONTEXT_OVERFLOW
            reason: EndReason = "context_overflow" if overflow else "provider_error"
            outcome = Outcome(reason, failure.error, failure.detail)
        except Stopped as stopped:
            outcome = Outcome(stopped.reason)
        except ToolFault as fault:
            outcome = Outcome("tool_fault", detail=str(fault))
        return Transcript(tuple(self.events), outcome, self.final, self._state())

    async def _talk(self) -> None:
        self.messages += self.opening
        for message in self.opening:
            self._show(Event(EventKind.PROMPT, "agent", message))
        for message in self.given:
            self._take_up(message)
        if self.given and self.given[-1].role == "user":
            await self._agent_turn()
        elif not self.given and self.settings.first_speaker == "agent":
            await self._agent_begins()
        while True:
            await self._client_turn()
            await self._agent_turn()

    def _take_up(self, message: Message) -> None:
        """A line that was spoken before the play began."""
        side: Literal["agent", "client"] = "agent" if message.role == "assistant" else "client"
        self.messages.append(message)
        self.lines.append(Spoken(side, message.text))
        self._show(Event(EventKind.SAID, side, message, data={"given": True}))

    async def _agent_begins(self) -> None:
        if self.greeting is None:
            await self._agent_turn()
            return
        self.messages.append(say("assistant", self.greeting))
        self._deliver("agent", self.greeting, None)

    async def _client_turn(self) -> None:
        said, faults = await self._client_line()
        heard = [*self.lines, Spoken("client", said.text)]
        premature = said.reason is not None and asked_and_affirmed(heard, self.words)
        if said.text:
            self.messages.append(say("user", said.text[:MAX_LINE]))
            data = _told(said, faults, premature=premature)
            self._deliver("client", said.text, said.call, check=said.reason is None, data=data)
        if said.reason is None:
            return
        if premature and self.settings.closing_turn:
            await self._closing_turn()
        raise _Ended(said.reason)

    async def _client_line(self) -> tuple[Said, tuple[Fault, ...]]:
        """A line that may be delivered, with the faults that are let pass; every other stays in the log.

        A client that is silent again gives up; one that gives no usable line ends as `client_fault`.
        """
        flaws: list[Flaw] = []
        while True:
            said = await self.client.answer(self.lines, flaws)
            self._check_clock(said=("client", said.text, said.call))
            faults = self.watch.faults(self.lines, said) if self.client.errs else ()
            flaw = flaw_of(said, faults, flaws)
            if flaw is None:
                break
            self._discard("client", said.text, said.call, *flaw)
            flaws.append(flaw[0])
        broken = undeliverable(said, faults)
        if broken == "empty":
            return Said("", "gave_up", said.call), faults
        if broken is not None:
            evidence = next((fault.evidence for fault in faults if fault.code == broken), "")
            self._discard("client", said.text, said.call, broken, evidence)
            raise _Ended("client_fault", broken)
        return said, faults

    async def _closing_turn(self) -> None:
        """A client who hung up while confirming leaves the agent one turn to act on the yes."""
        try:
            await self._agent_turn()
        except _Ended as ended:
            if ended.outcome.reason not in ("agent_ended", "max_turns", "farewell_loop"):
                raise

    async def _agent_turn(self) -> None:
        """The agent works with its tools until it has said its line."""
        limits, began = self.settings.limits, self.clock()
        held: list[str] = []
        used: list[str] = []
        silent, ended = 0, False
        while True:
            reply = await self.table.seats["agent"].ask(self.messages, tools=self.tools)
            self.final = reply
            self._check_clock(began, said=("agent", reply.text, reply.call))
            if reply.text.strip():
                held.append(reply.text.strip())
            if not reply.tool_calls and not held:
                self._discard("agent", "", reply.call, "empty")
                silent += 1
                if silent > 1:
                    raise _Ended("agent_error", "the agent said nothing twice")
                continue
            self.messages.append(reply.message)
            used += (call.name for call in reply.tool_calls)
            if len(used) > limits.max_tool_calls_per_turn:
                raise _Ended("agent_loop", f"more than {limits.max_tool_calls_per_turn} tool calls in a turn")
            for call in reply.tool_calls:
                self._carry_out(call, reply.call)
            ended = self.overlay is not None and self.overlay.ended is not None
            self._check_counts()
            if ended or not reply.tool_calls:
                break
        self._say_agent(held, reply.call, used=tuple(used), last=ended)

    def _say_agent(self, held: Sequence[str], call: str | None, *, used: tuple[str, ...], last: bool) -> None:
        if held:
            self._deliver("agent", "\n".join(held), call, used=used, check=not last)
        if last and self.overlay is not None:
            raise _Ended("transferred" if self.overlay.ended == "transferred" else "agent_ended")

    def _carry_out(self, call: ToolCall, asked: str | None) -> None:
        self._show(Event(EventKind.TOOL_CALL, "agent", Message("assistant", (), (call,)), asked))
        before = len(self.overlay.journal) if self.overlay is not None else 0
        if self.overlay is None:
            answer = NO_TOOLS
        else:
            answer = self.overlay.world.answer(self.overlay, call.name, call.arguments, call.id)
        text = answer.text
        if len(text) > MAX_RESULT:
            text = text[:MAX_RESULT] + "... (cut)"
        result = Message("tool", (Text(text),), tool_call_id=call.id)
        data: dict[str, JSON] = {"name": call.name, **answer.record}
        if self.overlay is not None and len(self.overlay.journal) > before:
            data["wrote"] = list(dict.fromkeys(write.table for write in self.overlay.journal[before:]))
        self._show(Event(EventKind.TOOL_RESULT, "tool", result, asked, data=data))
        self.messages.append(result)

    def _deliver(
        self,
        side: Literal["agent", "client"],
        text: str,
        call: str | None,
        *,
        used: tuple[str, ...] = (),
        check: bool = True,
        data: JSON = None,
    ) -> None:
        """A line reaches the other side; then the limits and the loop guards have their say."""
        text = text[:MAX_LINE]
        self.lines.append(Spoken(side, text, bool(used), used))
        message = say("assistant" if side == "agent" else "user", text)
        self._show(Event(EventKind.SAID, side, message, call, data=data))
        if not check:
            return
        self._check_counts()
        parting = farewell_loop(self.lines, self.words)
        if parting is not None:
            raise _Ended("farewell_loop", parting)
        looping = repetition_loop(self.lines, self.words)
        if looping is not None:
            raise _Ended("repetition_loop", looping)
        if len(self.lines) >= self.settings.limits.max_turns:
            raise _Ended("max_turns")

    def _check_clock(self, began: float | None = None, *, said: tuple[str, str, str | None]) -> None:
        """Timeout, then cost; `began` is when the agent's turn did. The words that came are kept."""
        late = self._late(began)
        if late is None:
            return
        side, text, call = said
        if text.strip():
            self._discard(side, text, call, late)
        raise _Ended(late)

    def _late(self, began: float | None) -> Literal["timeout", "turn_timeout", "cost_limit"] | None:
        limits, now = self.settings.limits, self.clock()
        if now > limits.timeout_s:
            return "timeout"
        if began is not None and now - began > limits.turn_timeout_s:
            return "turn_timeout"
        spent = float(self.table.spent) - self.spent_before
        return "cost_limit" if limits.max_cost_usd is not None and spent >= limits.max_cost_usd else None

    def _check_counts(self) -> None:
        limits = self.settings.limits
        if self.overlay is not None and self.overlay.errors > limits.max_tool_errors:
            raise _Ended("tool_error_limit")
        if len(self.messages) > limits.max_messages:
            raise _Ended("max_messages")

    def _discard(self, side: str, text: str, call: str | None, fault: str, evidence: str = "") -> None:
        message = say("assistant" if side == "agent" else "user", text[:MAX_LINE])
        data = {"fault": fault, "evidence": evidence} if evidence else {"fault": fault}
        self._show(Event(EventKind.DISCARDED, side, message, call, delivered=False, data=data))

    def _show(self, event: Event) -> None:
        self.events.append(event)
        self.table.emit(event)

    def _state(self) -> JSON:
        """What the state scorer reads: changes, every write, what was wanted."""
        if self.overlay is None:
            return None
        changes = self.overlay.difference()
        return {
            "difference": changes,
            "readable": readable(changes),
            "journal": msgspec.to_builtins(self.overlay.journal),
            "expected": self.expected,
            "tool_errors": self.overlay.errors,
            "tool_argument_errors": self.overlay.argument_errors,
            "tool_faults": recovery(self.overlay.injected),
            "ignored": self.overlay.world.ignored,
        }


def _told(said: Said, faults: Sequence[Fault], *, premature: bool) -> JSON:
    """What a client's line carries beside its words; None where there is nothing."""
    data: dict[str, JSON] = {}
    if said.reason is not None:
        data |= {"hang_up": said.reason, "tag": "premature_hangup" if premature else None}
    if faults:
        data["faults"] = noted(faults)
    if said.diverged is not None:
        data["diverged"] = said.diverged
    return data or None


def wall_clock() -> Callable[[], float]:
    """Seconds from now on, waits for limits included."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
