"""Faults of a streamed reply: cut, stalled, spoiled, odd but right framing, events too many or too few."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from msgspec import structs

from assay.emulator.delivery import (
    Delivery,
    End,
    Mark,
    Ready,
    Send,
    chunk,
    head,
    plain_reply,
    streamed,
)
from assay.emulator.deviations.answering import HTML
from assay.emulator.deviations.pieces import (
    MIB,
    Act,
    Change,
    Params,
    changed_token,
    each,
    edited,
    first_token,
    in_text,
    later,
    without,
)
from assay.keys import JSON


def _first(ready: Ready, params: Params) -> list[Send]:
    """The events up to the `after`th token, but never the last one."""
    line = ready.timeline()
    tokens = [place for place, send in enumerate(line) if send.mark is Mark.TOKEN]
    keep = min(int(params["after"]), max(0, len(tokens) - 1))
    return line[: tokens[keep]] if tokens else line[:1]


def cut(end: End) -> Act:
    """The connection ends so after `after` tokens, without the last chunk."""

    def act(ready: Ready, params: Params) -> Delivery:
        return streamed(ready, _first(ready, params), end, closed=False)

    return act


def stall(ready: Ready, params: Params) -> Delivery:
    """After `after` tokens nothing for `s` seconds, then the rest; for ever where `s` is 0."""
    start, wait = _first(ready, params), float(params["s"])
    if not wait:
        return streamed(ready, start, End.HOLD, closed=False)
    rest = [later(send, wait) for send in ready.timeline()[len(start) :]]
    return streamed(ready, [*start, *rest])


def _beats(ready: Ready, begin: float, params: Params) -> list[Send]:
    every = max(0.01, float(params["every"]))
    beats = int(min(float(params["s"]), 3600.0) / every)
    return [Send(begin + (n + 1) * every, ready.wire.idle) for n in range(beats)]


def keepalive(ready: Ready, params: Params) -> Delivery:
    """After `after` tokens comments alone, one every `every` seconds, for `s` seconds."""
    start = _first(ready, params)
    return streamed(ready, [*start, *_beats(ready, start[-1].at, params)], End.CLOSE, closed=False)


def comments(ready: Ready, params: Params) -> Delivery:
    """Comments alone, one every `every` seconds for `s` seconds, then a clean end."""
    return streamed(ready, _beats(ready, 0.0, params))


def lacking(marks: Mark) -> Act:
    """The stream without the events of these marks, cleanly ended."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return streamed(ready, without(ready, marks))

    return act


def finish_null(ready: Ready, params: Params) -> Delivery:
    """The last chunk's finish reason is null; the end mark comes."""
    del params
    line = [
        structs.replace(send, data=edited(send.data, _unfinished)) if send.mark is Mark.FINISH else send
        for send in ready.timeline()
    ]
    return streamed(ready, line)


def _unfinished(payload: JSON) -> None:
    for choice in payload.get("choices", ()):
        choice["finish_reason"] = None


def error(name: str | None) -> Act:
    """An error in the stream after `after` tokens, as a plain event or under that event name."""

    def act(ready: Ready, params: Params) -> Delivery:
        start = _first(ready, params)
        what = {"type": "server_error", "code": "server_error", "message": "The model crashed."}
        event = ready.wire.event({"error": what}, name)
        return streamed(ready, [*start, Send(start[-1].at, event)])

    return act


def token_changed(change: Change) -> Act:
    """The event of the first token is changed so."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return streamed(ready, changed_token(ready, change))

    return act


def all_changed(change: Change) -> Act:
    """Every event is changed so."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return streamed(ready, each(ready, change))

    return act


def halved(event: bytes) -> bytes:
    """The event cut in the middle of its JSON."""
    return event[: len(event) // 2] + b"\n\n"


def over_lines(event: bytes) -> bytes:
    """The event with its data on two lines, which a reader joins by a line break."""
    return event.replace(b"data: {", b"data: {\ndata: ", 1)


def split(ready: Ready, params: Params) -> Delivery:
    """Every event in two chunks and two writes, parted inside a character of several bytes if it has one."""
    del params
    line: list[Send] = []
    at = 0.0
    for send in ready.timeline():
        at = max(at, send.at)
        place = next((n for n, byte in enumerate(send.data) if byte & 0xC0 == 0x80), len(send.data) // 2)
        line.append(Send(at, send.data[:place], send.mark & ~Mark.DONE))
        at += 0.001
        line.append(Send(at, send.data[place:], send.mark & Mark.DONE))
    return streamed(ready, line)


def duplicate(ready: Ready, params: Params) -> Delivery:
    """The first token comes twice."""
    del params
    line = ready.timeline()
    place = next((n for n, send in enumerate(line) if send.mark is Mark.TOKEN), None)
    return streamed(ready, line if place is None else [*line[: place + 1], *line[place:]])


def reordered(ready: Ready, params: Params) -> Delivery:
    """The first two tokens that differ have changed places."""
    del params
    line = ready.timeline()
    tokens = [place for place, send in enumerate(line) if send.mark is Mark.TOKEN]
    for first, second in pairwise(tokens):
        if line[first].data != line[second].data:
            one, other = line[first], line[second]
            line[first] = structs.replace(one, data=other.data)
            line[second] = structs.replace(other, data=one.data)
            break
    return streamed(ready, line)


def after_done(ready: Ready, params: Params) -> Delivery:
    """Another token after the end mark."""
    del params
    line = ready.timeline()
    return streamed(ready, [*line, Send(line[-1].at, first_token(ready))])


def done_open(ready: Ready, params: Params) -> Delivery:
    """After the end mark the body stays open."""
    del params
    return streamed(ready, ready.timeline(), End.HOLD, closed=False)


def alone(*marks: Mark) -> Act:
    """Only the events of these marks, cleanly ended."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return streamed(ready, [send for send in ready.timeline() if send.mark in marks])

    return act


def page(ready: Ready, params: Params) -> Delivery:
    """A page under the content type of a stream."""
    del params
    return streamed(ready, [Send(0.0, HTML)])


def unstreamed(ready: Ready, params: Params) -> Delivery:
    """The whole answer as one JSON body although a stream was asked for."""
    del params
    return plain_reply(ready)


def joined_lines(ready: Ready, params: Params) -> Delivery:
    """Two objects on every line."""
    del params
    line = ready.timeline()
    for place in range(0, len(line) - 1, 2):
        line[place] = structs.replace(line[place], data=line[place].data.rstrip(b"\n"))
    return streamed(ready, line)


def empty_chunks(ready: Ready, params: Params) -> Delivery:
    """Before every event one whose list of choices is empty."""
    del params
    line: list[Send] = []
    for send in ready.timeline():
        if send.mark & (Mark.LEAD | Mark.TOKEN):
            line.append(Send(send.at, edited(send.data, _emptied), Mark.LEAD))
        line.append(send)
    return streamed(ready, line)


def _emptied(payload: JSON) -> None:
    payload["choices"] = []


def _flood(block: Callable[[Ready], bytes], size: Callable[[Ready, Params], int]) -> Act:
    """That block so often, as fast as the client reads, then the end of the connection."""

    def act(ready: Ready, params: Params) -> Delivery:
        opening = Send(0.0, head(200, ready.wire.stream_type, None), Mark.HEAD | Mark.TOKEN)
        return Delivery((opening,), End.CLOSE, 200, (chunk(block(ready)), size(ready, params)))

    return act


_AT_ONCE = 64

tiny_flood = _flood(
    lambda ready: first_token(ready) * _AT_ONCE,
    lambda _, params: max(1, int(params["n"]) // _AT_ONCE),
)
"""`n` events of one token each."""

long_line = _flood(
    lambda ready: in_text(first_token(ready), b"").split(b'"')[0] + b'"' + b"x" * 65_536,
    lambda _, params: max(1, int(params["mb"])) * MIB // 65_536,
)
"""`mb` MiB without a line break."""
