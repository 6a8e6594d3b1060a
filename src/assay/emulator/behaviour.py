"""What the emulator answers: a behaviour is a pure function from what was asked to an answer."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from assay.keys import JSON
from assay.message import Finish, Message, ResponseFormat, ToolCall, ToolSpec


class Asked(Struct, frozen=True):
    """A request as it came over the wire, whatever the dialect."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    format: ResponseFormat = "text"
    schema: JSON = None
    seed: int | None = None
    max_tokens: int | None = None


class Answer(Struct, frozen=True):
    """What is answered. `truth` goes to the ledger alone: what a scorer must find."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = Finish.STOP
    truth: JSON = None


class Behaviour(Protocol):
    """Depends on what was asked alone, so that any record can be checked."""

    def answer(self, asked: Asked) -> Answer: ...
