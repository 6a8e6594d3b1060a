"""What is said to a model and what comes back: frozen values without I/O."""

from __future__ import annotations

from array import array
from enum import IntFlag, StrEnum
from typing import Literal

from msgspec import Struct, field

from assay.keys import JSON

Role = Literal["system", "user", "assistant", "tool"]
ResponseFormat = Literal["text", "json_object", "json_schema"]


class Finish(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    UNKNOWN = "unknown"


class Text(Struct, frozen=True, tag="text"):
    """A part of a message's content."""

    text: str


class ToolCall(Struct, frozen=True):
    """A model's wish to call a tool; `arguments` is the JSON text just as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolSpec(Struct, frozen=True):
    """A tool as it is offered to a model; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: JSON


class Message(Struct, frozen=True, omit_defaults=True):
    """One message of a dialogue."""

    role: Role
    content: tuple[Text, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """All text parts, joined."""
        return "".join(part.text for part in self.content)


def say(role: Role, text: str) -> Message:
    """A message of one text part."""
    return Message(role, (Text(text),))


class Sampling(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a model draws its answer; None leaves the choice to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None

    def over(self, other: Sampling) -> Sampling:
        """These settings, with those of `other` where these say nothing."""
        mine = {f: v for f in self.__struct_fields__ if (v := getattr(self, f)) not in (None, ())}
        theirs = {f: getattr(other, f) for f in other.__struct_fields__}
        return Sampling(**{**theirs, **mine})


class Request(Struct, frozen=True, omit_defaults=True):
    """What a model is asked. `case` names the case and never goes on the wire.

    With `continuation` no reply is wanted but the log-probabilities of that text as the reply.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    format: ResponseFormat = "text"
    schema: JSON = None
    sampling: Sampling = Sampling()
    stream: bool = False
    case: str | None = None
    continuation: str | None = None


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens of one call. `output` includes `reasoning`; `input` includes `cached`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    source: Literal["provider", "tokenizer", "events"] = "provider"


class Kind(IntFlag):
    """What one streamed event carried."""

    ROLE = 1
    CONTENT = 2
    REASONING = 4
    TOOL = 8
    REFUSAL = 16
    USAGE = 32
    FINISH = 64
    ERROR = 128
    COMMENT = 256
    DONE = 512


TOKEN_KINDS = Kind.CONTENT | Kind.REASONING | Kind.TOOL | Kind.REFUSAL
"""An event of one of these kinds with at least one character is a token event."""


class Arrivals:
    """What arrived and when, as parallel arrays: one entry an event.

    `at` monotonic ns, stamped when the bytes left the socket; `kind` a set of `Kind` bits;
    `length` characters; `read` the number of the socket read that brought the event, so that
    events of one read (which share one stamp) can be told from events of their own.
    """

    __slots__ = ("at", "kind", "length", "read")

    def __init__(self) -> None:
        self.at = array("q")
        self.kind = array("H")
        self.length = array("I")
        self.read = array("I")

    def append(self, at: int, kind: int, length: int, read: int) -> None:
        self.at.append(at)
        self.kind.append(kind)
        self.length.append(length)
        self.read.append(read)

    def __len__(self) -> int:
        return len(self.at)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arrivals) and self.pack() == other.pack()

    __hash__ = None  # type: ignore[assignment]  # a mutable buffer has no hash

    def token_stamps(self) -> list[int]:
        """Stamps (monotonic ns) of the events that carried at least one character of answer."""
        answering = int(TOKEN_KINDS)  # plain integers: a flag's & costs three times the loop
        return [
            at
            for at, kind, length in zip(self.at, self.kind, self.length, strict=True)
            if length and kind & answering
        ]

    def pack(self) -> bytes:
        """The arrays as bytes: a count, then each array in native order."""
        columns = (self.at, self.kind, self.length, self.read)
        return len(self.at).to_bytes(4, "little") + b"".join(c.tobytes() for c in columns)

    @classmethod
    def unpack(cls, raw: bytes) -> Arrivals:
        """The inverse of `pack`."""
        self, count, offset = cls(), int.from_bytes(raw[:4], "little"), 4
        for column in (self.at, self.kind, self.length, self.read):
            size = count * column.itemsize
            column.frombytes(raw[offset : offset + size])
            offset += size
        return self


class Instants(Struct, frozen=True, omit_defaults=True):
    """When one attempt passed each point, in monotonic ns; 0 where it never came to it.

    `picked` the seat took the request up; `admitted` limits let it go; `connected` a connection
    was ready; `sent` the first byte was handed to the socket; `headers` the response head was
    whole; `ended` the reply was closed. `clock` says what stamped the bytes.
    """

    picked: int = 0
    admitted: int = 0
    connected: int = 0
    sent: int = 0
    headers: int = 0
    ended: int = 0
    clock: Literal["kernel", "read", "none"] = "none"
    reused: bool = False


class Reply(Struct, frozen=True, omit_defaults=True):
    """A model's whole answer to one request; `call` is the id of the call that brought it.

    `logprobs` are the natural logarithms of the probabilities of a continuation's tokens.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = Finish.UNKNOWN
    usage: Usage | None = None
    reasoning: str = ""
    refusal: str = ""
    served_model: str | None = None
    fingerprint: str | None = None
    instants: Instants = Instants()
    arrivals: Arrivals = field(default_factory=Arrivals)
    call: str | None = None
    logprobs: tuple[float, ...] = ()

    @property
    def message(self) -> Message:
        """The reply as the message that goes into the history."""
        content = (Text(self.text),) if self.text else ()
        return Message("assistant", content, self.tool_calls)
