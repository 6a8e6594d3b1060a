"""A wire dialect as the server needs it: requests in, replies, streams and errors out. Pure bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from assay.emulator.behaviour import Answer, Asked
from assay.keys import JSON
from assay.message import Message, ToolSpec

TOKEN_LENGTH = 4
"""The emulator's tokenizer: a token is up to four characters of text, in and out."""

MESSAGE_TOKENS = 4
"""What each message of a prompt costs beside its text."""


class Refusal(Exception):
    """A request that a real server would turn down: HTTP status, OpenAI-like code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Heard(Struct, frozen=True):
    """A request understood: what is asked, and how the reply is wanted."""

    asked: Asked
    stream: bool = False
    include_usage: bool = False


class Tokens(Struct, frozen=True):
    """Tokens of one reply by the emulator's own rule."""

    input: int
    output: int


class Identity(Struct, frozen=True):
    """What names a reply: its id and the wall-clock second of its making."""

    id: str
    created: int


class Stream(Struct, frozen=True):
    """A streamed reply in the order of sending; each item is one whole event with its framing."""

    lead: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    finish: tuple[bytes, ...]
    usage: tuple[bytes, ...]
    done: tuple[bytes, ...]


class Wire(Protocol):
    """One dialect. `path` is where it listens, after the version prefix.

    Where `tokens` is None a reply is written without its usage.
    """

    @property
    def path(self) -> str: ...

    @property
    def stream_type(self) -> bytes:
        """The content type of a streamed reply."""
        ...

    @property
    def idle(self) -> bytes:
        """What keeps a stream open and says nothing."""
        ...

    @property
    def hollow(self) -> bytes:
        """A body of the right shape without an answer in it."""
        ...

    def read(self, body: bytes) -> Heard:
        """Raises Refusal for a body that is not a request of this dialect."""
        ...

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes: ...

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream: ...

    def error(self, status: int, code: str, message: str) -> bytes:
        """The body of an error answer."""
        ...

    def event(self, payload: JSON, name: str | None = None) -> bytes:
        """One framed event of a stream."""
        ...


def count(text: str) -> int:
    """Tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // TOKEN_LENGTH)


def pieces(text: str, chunk_tokens: int) -> list[str]:
    """The text cut into chunks of that many tokens; joined, they are the text."""
    size = TOKEN_LENGTH * chunk_tokens
    return [text[at : at + size] for at in range(0, len(text), size)]


def arguments_object(arguments: str) -> JSON:
    """The arguments of a call for a wire that wants an object there: the same JSON text, on one
    line; what is no object goes into one.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (ValueError, RecursionError):
        return {"INVALID_JSON": arguments}
    if not isinstance(value, dict):
        return {"INVALID_JSON": arguments}
    return value if "\n" in arguments else msgspec.Raw(arguments.encode())


def input_tokens(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> int:
    """Tokens of a prompt: each message's text and calls and four more, each tool's text."""
    total = 0
    for message in messages:
        total += MESSAGE_TOKENS
        for part in message.content:
            total += count(part.text)
        for call in message.tool_calls:
            total += count(call.name) + count(call.arguments)
    for tool in tools:
        total += count(tool.name) + count(tool.description)
    return total


def output_tokens(answer: Answer) -> int:
    """Tokens of an answer: its text, and name and arguments of each call."""
    calls = sum(count(call.name) + count(call.arguments) for call in answer.tool_calls)
    return count(answer.text) + calls
