"""The customer's side of a conversation: a model, the rules of the agenda, or a script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import msgspec
from msgspec import Struct

from assay.agenda import Brief, Line, Phrases, Reason, next_move
from assay.exchanges.conversation.guards import Spoken
from assay.keys import JSON
from assay.message import Message, Reply, ToolSpec, say
from assay.ports import Seat

REASONS: tuple[Reason, ...] = get_args(Reason)
CLIENT_SCHEMA: JSON = {
    "type": "object",
    "additionalProperties": False,
    "required": ["say", "action", "reason"],
    "properties": {
        "say": {"type": "string"},
        "action": {"enum": ["continue", "hang_up"]},
        "reason": {"enum": [*REASONS, None]},
    },
}
"""What a client model answers where its wire carries a schema."""

HANG_UP = ToolSpec(
    "hang_up",
    "Ends the call after the line that you say.",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["reason"],
        "properties": {"reason": {"enum": list(REASONS)}},
    },
)
_MARK = re.compile(r"(?:^|\n)[ \t]*###(?:STOP|DONE|END|HANG_UP|HANGUP)(?::([a-z_]{1,20}))?###\s*\Z")
_REMINDER = {
    "ru": "Ответьте одной репликой клиента или завершите звонок.",
    "en": "Answer with the customer's next line, or hang up.",
}


class Said(Struct, frozen=True):
    """What a client says; with a `reason` it hangs up. A `fault` makes the line undeliverable."""

    text: str
    reason: Reason | None = None
    call: str | None = None
    fault: Literal["empty", "malformed"] | None = None


class Client(Protocol):
    """Answers the spoken lines so far; never sees a tool call."""

    async def answer(self, lines: Sequence[Spoken], again: bool) -> Said:
        """`again` says that the answer before this one could not be used."""
        ...


class RulesClient:
    """The agenda: needs no model."""

    def __init__(self, brief: Brief, seed: int) -> None:
        self._brief = brief
        self._seed = seed

    async def answer(self, lines: Sequence[Spoken], again: bool) -> Said:
        del again  # the rules would say the same
        move = next_move(self._brief, [Line(line.side, line.text) for line in lines], self._seed)
        return Said(move.say, move.reason)


class ScriptedClient:
    """Says its lines in order, and hangs up with the last."""

    def __init__(self, script: Sequence[str]) -> None:
        self._script = script

    async def answer(self, lines: Sequence[Spoken], again: bool) -> Said:
        del again
        turn = sum(line.side == "client" for line in lines)
        if turn >= len(self._script):
            return Said("", "gave_up")
        last = turn == len(self._script) - 1
        return Said(self._script[turn], "goal_done" if last else None)


class ModelClient:
    """A model in the client's seat: a structured reply where its wire has schemas, else text with
    the tool `hang_up`, else text with a marker as its whole last line.
    """

    def __init__(self, seat: Seat, system: str, language: str, words: Phrases) -> None:
        self._seat = seat
        self._system = system
        self._language = language
        self._words = words

    async def answer(self, lines: Sequence[Spoken], again: bool) -> Said:
        messages = self._messages(lines)
        if again:
            messages.append(say("user", _REMINDER.get(self._language, _REMINDER["en"])))
        can = self._seat.capabilities
        if can.json_schema:
            return _structured(await self._seat.ask(messages, format="json_schema", schema=CLIENT_SCHEMA))
        return _plain(await self._seat.ask(messages, tools=(HANG_UP,) if can.tools else ()))

    def _messages(self, lines: Sequence[Spoken]) -> list[Message]:
        """The call as the client hears it: the agent is its user. Two lines of one side are joined."""
        messages = [say("system", self._system)]
        if not lines or lines[0].side == "client":
            messages.append(say("user", self._words.call_started))
        for line in lines:
            role: Literal["user", "assistant"] = "user" if line.side == "agent" else "assistant"
            if messages[-1].role == role:
                messages[-1] = say(role, f"{messages[-1].text}\n{line.text}")
            else:
                messages.append(say(role, line.text))
        return messages


class _Answer(Struct, frozen=True):
    say: str
    action: Literal["continue", "hang_up"] = "continue"
    reason: str | None = None


def _structured(reply: Reply) -> Said:
    try:
        answer = msgspec.json.decode(reply.text, type=_Answer)
    except (msgspec.DecodeError, UnicodeError):
        return _plain(reply)
    reason = _reason(answer.reason) if answer.action == "hang_up" else None
    return _checked(answer.say, reason, reply)


def _plain(reply: Reply) -> Said:
    text, reason = reply.text.strip(), None
    if text.startswith("{"):
        return Said(text, call=reply.call, fault="malformed")
    marked = _MARK.search(text)
    if marked is not None:
        text, reason = text[: marked.start()], _reason(marked[1])
    for call in reply.tool_calls:
        if call.name == HANG_UP.name:
            reason = _reason(_argument(call.arguments))
    return _checked(text, reason, reply)


def _checked(text: str, reason: Reason | None, reply: Reply) -> Said:
    fault: Literal["empty"] | None = "empty" if not text.strip() and reason is None else None
    return Said(text.strip(), reason, reply.call, fault)


def _argument(arguments: str) -> str | None:
    try:
        value = msgspec.json.decode(arguments[:1000])
    except (msgspec.DecodeError, UnicodeError):
        return None
    reason = value.get("reason") if isinstance(value, dict) else None
    return reason if isinstance(reason, str) else None


def _reason(text: str | None) -> Reason:
    """The named reason; a hang-up without one that we know is taken as giving up."""
    for reason in REASONS:
        if reason == text:
            return reason
    return "gave_up"
