"""A model in the client's seat: how it is asked for a line, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from assay.agenda import Phrases, Reason
from assay.exchanges.conversation.clients import Flaw, Said
from assay.exchanges.conversation.loops import Spoken
from assay.keys import JSON
from assay.message import Message, Reply, Sampling, ToolSpec, say
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


class ModelClient:
    """A structured reply where the wire has schemas, else text with the tool `hang_up`, else text
    with a marker as its whole last line.

    `seed` replaces the seat's own where a conversation is played again.
    """

    errs = True

    def __init__(
        self, seat: Seat, system: str, language: str, words: Phrases, seed: int | None = None
    ) -> None:
        self._seat = seat
        self._system = system
        self._language = "ru" if language.startswith("ru") else "en"
        self._words = words
        self._sampling = Sampling(seed=seed) if seed is not None and seat.capabilities.seed else None

    async def answer(self, lines: Sequence[Spoken], flaws: Sequence[Flaw]) -> Said:
        messages = self._messages(lines)
        if flaws:
            messages.append(say("user", reminder(flaws, self._language)))
        can = self._seat.capabilities
        if can.json_schema:
            reply = await self._seat.ask(
                messages, format="json_schema", schema=CLIENT_SCHEMA, sampling=self._sampling
            )
            return _structured(reply)
        tools = (HANG_UP,) if can.tools else ()
        return _plain(await self._seat.ask(messages, tools=tools, sampling=self._sampling))

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


def reminder(flaws: Sequence[Flaw], language: str) -> str:
    """What a client model is told before it is asked again; the line that failed is not shown to it."""
    general, by_flaw = _REMINDERS[language]
    why = by_flaw.get(flaws[-1], "")
    again = f" ({len(flaws) + 1})" if len(flaws) > 1 else ""
    return f"{why} {general}{again}".strip()


class _Answer(Struct, frozen=True):
    say: str
    action: Literal["continue", "hang_up"] = "continue"
    reason: str | None = None


def _structured(reply: Reply) -> Said:
    try:
        answer = msgspec.json.decode(reply.text, type=_Answer)
    except (msgspec.DecodeError, UnicodeError):
        return _plain(reply)
    text, marked = _without_mark(answer.say.strip())
    reason = _reason(answer.reason) if answer.action == "hang_up" else marked
    return Said(text, reason, reply.call)


def _plain(reply: Reply) -> Said:
    text = reply.text.strip()
    if text.startswith("{"):
        return Said(text, call=reply.call, malformed=True)
    text, reason = _without_mark(text)
    for call in reply.tool_calls:
        if call.name == HANG_UP.name:
            reason = _reason(_argument(call.arguments))
    return Said(text, reason, reply.call)


def _without_mark(text: str) -> tuple[str, Reason | None]:
    """The text without a stop mark that is its whole last line, and the mark's reason."""
    marked = _MARK.search(text)
    return (text, None) if marked is None else (text[: marked.start()].strip(), _reason(marked[1]))


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


_REMINDERS: dict[str, tuple[str, dict[str, str]]] = {
    "ru": (
        "Ответьте одной репликой клиента или завершите звонок.",
        {
            "reasoning_leak": "В прошлом ответе были рассуждения, а не речь.",
            "role_flip": "В прошлом ответе вы говорили за оператора, а вы клиент.",
            "goal_leak": "В прошлом ответе вы зачитывали свою запись; говорите своими словами.",
            "ungrounded_fact": "В прошлом ответе были номер, дата или количество, которых вы не знаете.",
            "unknown_revealed": "В прошлом ответе вы назвали то, чего не знаете.",
        },
    ),
    "en": (
        "Answer with the customer's next line, or hang up.",
        {
            "reasoning_leak": "Your last answer held thoughts instead of speech.",
            "role_flip": "In your last answer you spoke for the operator; you are the customer.",
            "goal_leak": "In your last answer you read out your record; use your own words.",
            "ungrounded_fact": "Your last answer held a number, date or amount that you do not know.",
            "unknown_revealed": "In your last answer you told what you do not know.",
        },
    ),
}
