"""What is said to a model and what comes back: frozen values without I/O."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from enum import IntFlag, StrEnum
from itertools import accumulate
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
    """What arrived and when, as parallel arrays.

    An entry an event: `kind` a set of `Kind` bits, `length` characters. An entry a group, the
    events that one read of the socket brought together: `stamps` monotonic ns, when the bytes left
    the socket; `reads` the number of the read, from 1, so that events which share a stamp can be
    told from events of their own; `counts` how many events.
    """

    __slots__ = ("counts", "kind", "length", "reads", "stamps")

    def __init__(self) -> None:
        self.stamps = array("q")
        self.reads = array("I")
        self.counts = array("I")
        self.kind = array("H")
        self.length = array("I")

    def append(self, at: int, kind: int, length: int, read: int) -> None:
        self.kind.append(kind)
        self.length.append(length)
        reads = self.reads
        if reads and reads[-1] == read and self.stamps[-1] == at:
            self.counts[-1] += 1
        else:
            self.stamps.append(at)
            reads.append(read)
            self.counts.append(1)

    def extend(self, at: int, kind: int, lengths: Sequence[int], read: int) -> None:
        """Takes in events of one kind that one read brought."""
        if lengths:
            self.append(at, kind, lengths[0], read)
            more = len(lengths) - 1
            self.kind.extend((kind,) * more)
            self.length.extend(lengths[1:])
            self.counts[-1] += more

    def extend_each(
        self, stamps: Sequence[int], kind: int, lengths: Sequence[int], reads: Sequence[int]
    ) -> None:
        """Takes in events of one kind that came one a read, in reads of their own."""
        self.stamps.extend(stamps)
        self.reads.extend(reads)
        self.counts.extend((1,) * len(lengths))
        self.kind.extend((kind,) * len(lengths))
        self.length.extend(lengths)

    @property
    def at(self) -> list[int]:
        """The stamp of each event."""
        return self._each(self.stamps)

    @property
    def read(self) -> list[int]:
        """The number of the read that brought each event."""
        return self._each(self.reads)

    def _each(self, of_groups: array[int]) -> list[int]:
        if len(of_groups) == len(self.kind):
            return of_groups.tolist()
        return [value for value, count in zip(of_groups, self.counts, strict=True) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arrivals) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # a mutable buffer has no hash

    def token_stamps(self) -> list[int]:
        """Stamps (monotonic ns) of the events that carried at least one character of answer."""
        return [
            at
            for at, kind, length in zip(self.at, self.kind, self.length, strict=True)
            if length and kind & _ANSWERING
        ]

    def token_span(self) -> tuple[int, int] | None:
        """The first and the last of the token stamps; None where there is none."""
        kind, length = self.kind, self.length
        first, last = 0, len(kind) - 1
        while first <= last and not (length[first] and kind[first] & _ANSWERING):
            first += 1
        if first > last:
            return None
        while not (length[last] and kind[last] & _ANSWERING):
            last -= 1
        if len(self.stamps) == len(kind):  # one event a read: no need to look for its group
            return self.stamps[first], self.stamps[last]
        return self._stamp(first), self._stamp(last)

    def _stamp(self, event: int) -> int:
        """The stamp of the nth event, where reads brought several."""
        group = bisect_right(list(accumulate(self.counts)), event)
        return self.stamps[group]


_ANSWERING = int(TOKEN_KINDS)  # plain integers: a flag's & costs three times the loop


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
    `odd_usage` is a usage that is none or cannot be that of this reply, as it came (JSON, bounded).
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
    odd_usage: str = ""

    @property
    def message(self) -> Message:
        """The reply as the message that goes into the history."""
        content = (Text(self.text),) if self.text else ()
        return Message("assistant", content, self.tool_calls)
