"""A conversation as a scorer reads it: lines with their turns, tool calls with their answers, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from assay.keys import JSON
from assay.trial import Event, EventKind, Trial

MAX_READ = 4000
"""Characters of a line that are read."""


class Spoken(Struct, frozen=True):
    """A line that reached the other side; `turn` counts such lines from 1."""

    turn: int
    side: Literal["agent", "client"]
    text: str
    call: str | None = None


class Worked(Struct, frozen=True):
    """A tool call with its answer; `turn` is that of the agent's line that follows it. A call that
    an injected fault struck says which in `injected`.
    """

    turn: int
    name: str
    id: str
    arguments: Mapping[str, JSON]
    value: JSON = None
    error: str | None = None
    injected: str | None = None


def steps(trial: Trial) -> Iterator[Spoken | Worked]:
    """What was said and done, in order; what was discarded is left out."""
    turn = 1
    asked: dict[str, tuple[str, Mapping[str, JSON]]] = {}
    for event in trial.transcript.events:
        message = event.message
        if message is None:
            continue
        if event.kind is EventKind.SAID and event.delivered:
            side: Literal["agent", "client"] = "agent" if event.role == "agent" else "client"
            yield Spoken(turn, side, message.text[:MAX_READ], event.call)
            turn += 1
        elif event.kind is EventKind.TOOL_CALL:
            asked |= {call.id: (call.name, _arguments(call.arguments)) for call in message.tool_calls}
        elif event.kind is EventKind.TOOL_RESULT and message.tool_call_id is not None:
            yield _worked(event, turn, message.tool_call_id, asked)


def _worked(event: Event, turn: int, called: str, asked: Mapping[str, tuple[str, JSON]]) -> Worked:
    data = event.data if isinstance(event.data, Mapping) else {}
    name, arguments = asked.get(called, (str(data.get("name", "")), {}))
    return Worked(turn, name, called, arguments, data.get("value"), data.get("error"), data.get("injected"))


def _arguments(text: str) -> Mapping[str, JSON]:
    """The arguments as the model wrote them; none where that is no JSON object."""
    try:
        value = msgspec.json.decode(text[:32_768])
    except (msgspec.DecodeError, UnicodeError):
        return {}
    return value if isinstance(value, dict) else {}


def folded(text: str) -> str:
    """The text for comparisons: one case, one kind of space, ё as е."""
    return " ".join(text.casefold().replace("ё", "е").split())
