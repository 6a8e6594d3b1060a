"""How a reply goes out: timed sends of raw bytes and an end. A fault is another delivery, no other code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from enum import Enum, IntFlag
from http import HTTPStatus

from msgspec import Struct, structs

from assay.emulator.behaviour import Answer
from assay.emulator.pace import Rhythm, Timing
from assay.emulator.wire import Heard, Identity, Stream, Tokens, Wire

JSON_TYPE = b"application/json"
LAST_CHUNK = b"0\r\n\r\n"


class Mark(IntFlag):
    """What a send carries: the ledger stamps the first of some, faults choose by all."""

    NONE = 0
    HEAD = 1
    LEAD = 2
    TOKEN = 4
    FINISH = 8
    USAGE = 16
    DONE = 32


class End(Enum):
    """What becomes of the connection afterwards; HALF ends our direction alone."""

    KEEP = "keep"
    CLOSE = "close"
    HALF = "half"
    RESET = "reset"
    HOLD = "hold"


class Send(Struct, frozen=True):
    """Bytes that are due `at` seconds after the request's arrival."""

    at: float
    data: bytes
    mark: Mark = Mark.NONE


class Delivery(Struct, frozen=True):
    """Sends in the order of their instants, and the end.

    `flood` is (block, times): that block so often after the sends, as fast as the other side reads.
    """

    sends: tuple[Send, ...]
    end: End = End.KEEP
    status: int = 200
    flood: tuple[bytes, int] | None = None


class Ready:
    """A right reply before it is delivered: rendered only in the form that is asked for."""

    def __init__(
        self,
        wire: Wire,
        heard: Heard,
        answer: Answer,
        tokens: Tokens,
        *,
        identity: Identity,
        timing: Timing,
        factor: float = 1.0,
        rhythm: Rhythm | None = None,
    ) -> None:
        self.wire = wire
        self.heard = heard
        self.answer = answer
        self.tokens = tokens
        self.told: Tokens | None = tokens
        self.identity = identity
        self.timing = timing
        self.rhythm = rhythm
        self.ttft = timing.ttft_s * factor if rhythm is None else rhythm.ttft_s
        self.itl = timing.itl_s * factor
        self.paced = bool(self.itl if rhythm is None else rhythm.gaps_s)

    def altered(self, answer: Answer, tokens: Tokens) -> Ready:
        """The same reply with another answer."""
        other = copy(self)
        other.answer, other.tokens, other.told = answer, tokens, tokens
        return other

    def due(self, place: int) -> float:
        """Seconds after arrival at which the chunk of that place (from 0) is due."""
        if self.rhythm is not None:
            return self.rhythm.dues(place + 1)[-1]
        return self.ttft + place * self.itl

    def dues(self, chunks: int) -> Sequence[float]:
        """Seconds after arrival at which each of so many chunks is due."""
        if self.rhythm is not None:
            return self.rhythm.dues(chunks)
        return [self.due(place) for place in range(chunks)]

    @property
    def due_whole(self) -> float:
        """Seconds after arrival at which the last chunk is due: when an unstreamed body goes out."""
        chunks = -(-self.tokens.output // self.timing.chunk_tokens)
        return self.due(max(0, chunks - 1))

    def body(self) -> bytes:
        """The reply as one JSON body."""
        return self.wire.body(self.heard, self.answer, self.told, self.identity)

    def stream(self) -> Stream:
        """The reply as events."""
        return self.wire.stream(self.heard, self.answer, self.told, self.identity, self.timing.chunk_tokens)

    def untold(self) -> Ready:
        """The same reply without its usage."""
        other = copy(self)
        other.told = None
        return other

    def timeline(self) -> list[Send]:
        """The events of the streamed reply with their instants.

        The role goes out at arrival; finish, usage and end mark right after the last token.
        """
        parts = self.stream()
        last = self.due(max(0, len(parts.tokens) - 1))
        sends = [Send(0.0, event, Mark.LEAD) for event in parts.lead]
        dues = self.dues(len(parts.tokens))
        sends += [Send(at, event, Mark.TOKEN) for at, event in zip(dues, parts.tokens, strict=False)]
        sends += [Send(last, event, Mark.FINISH) for event in parts.finish]
        sends += [Send(last, event, Mark.USAGE) for event in parts.usage]
        sends += [Send(last, event, Mark.DONE) for event in parts.done]
        return sends


def head(status: int, kind: bytes, length: int | None, extra: Iterable[tuple[str, str]] = ()) -> bytes:
    """A response head; `length` None announces chunks."""
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, _phrase(status))]
    if kind:
        lines.append(b"content-type: " + kind + b"\r\n")
    lines += [f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in extra]
    if length is None:
        lines.append(b"transfer-encoding: chunked\r\n\r\n")
    elif status == 204:
        lines.append(b"\r\n")
    else:
        lines.append(b"content-length: %d\r\n\r\n" % length)
    return b"".join(lines)


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Overloaded"


def chunk(data: bytes) -> bytes:
    """Data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain(
    status: int,
    body: bytes,
    *,
    at: float = 0.0,
    kind: bytes = JSON_TYPE,
    extra: Iterable[tuple[str, str]] = (),
    mark: Mark = Mark.NONE,
    end: End = End.KEEP,
) -> Delivery:
    """One whole response in one write."""
    data = head(status, kind, len(body), extra) + body
    return Delivery((Send(at, data, mark | Mark.HEAD | Mark.DONE),), end, status)


def plain_reply(ready: Ready) -> Delivery:
    """The right reply as one body, when its last token would be due."""
    return plain(200, ready.body(), at=ready.due_whole, mark=Mark.TOKEN)


def streamed(
    ready: Ready,
    timeline: Sequence[Send],
    end: End = End.KEEP,
    *,
    closed: bool = True,
    kind: bytes | None = None,
    extra: tuple[tuple[str, str], ...] = (),
) -> Delivery:
    """A chunked response: every event a chunk of its own, `closed` by the last-chunk mark.

    A timed token is a write of its own. Sends that are due together are one write where no pace
    is set (itl 0) and where none of them carries a token.
    """
    opening = head(200, kind or ready.wire.stream_type, None, (("cache-control", "no-cache"), *extra))
    sends = [Send(0.0, opening, Mark.HEAD)]
    sends += [structs.replace(send, data=chunk(send.data)) for send in timeline]
    if closed:
        sends.append(Send(sends[-1].at, LAST_CHUNK))
    return Delivery(tuple(joined(sends, ready.paced)), end)


def joined(sends: Sequence[Send], paced: bool) -> list[Send]:
    """The sends with those of one instant put together; tokens stay alone where they are paced."""
    out: list[Send] = []
    group: list[Send] = []
    for send in sends:
        token = paced and bool(send.mark & Mark.TOKEN)
        if group and (token or send.at != group[0].at or (paced and group[0].mark & Mark.TOKEN)):
            out.append(_one(group))
            group = []
        group.append(send)
    if group:
        out.append(_one(group))
    return out


def _one(group: Sequence[Send]) -> Send:
    mark = Mark.NONE
    for send in group:
        mark |= send.mark
    return Send(group[0].at, b"".join([send.data for send in group]), mark)


def right_reply(ready: Ready) -> Delivery:
    """The reply as a server without faults delivers it."""
    if ready.heard.stream:
        return streamed(ready, ready.timeline())
    return plain_reply(ready)


def with_headers(delivery: Delivery, extra: Iterable[tuple[str, str]]) -> Delivery:
    """The delivery with more header lines, where its first bytes are a response's first line."""
    if not delivery.sends:
        return delivery
    first, *rest = delivery.sends
    line, end, after = first.data.partition(b"\r\n")
    if not (end and first.mark & Mark.HEAD and line.startswith(b"HTTP/")):
        return delivery
    more = b"".join([f"{name}: {value}\r\n".encode("latin-1") for name, value in extra])
    return structs.replace(delivery, sends=(structs.replace(first, data=line + end + more + after), *rest))
