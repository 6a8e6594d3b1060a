"""What each fault does: pure functions from a ready reply and parameters to another delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate

from msgspec import structs

from assay.emulator.delivery import (
    Delivery,
    End,
    Mark,
    Ready,
    Send,
    chunk,
    head,
    plain,
    plain_reply,
    right_reply,
    streamed,
)

Params = Mapping[str, str]
Act = Callable[[Ready, Params], Delivery]

HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
BAD_UTF8 = b"\xff\xfe"
_MIB = 1 << 20


def nothing(ready: Ready, params: Params) -> Delivery:
    """The right reply."""
    del params
    return right_reply(ready)


def gone(end: End) -> Act:
    """No byte, and that end; `s` seconds after arrival."""

    def act(ready: Ready, params: Params) -> Delivery:
        del ready
        return Delivery((Send(float(params["s"]), b""),), end, 0)

    return act


def stall_headers(ready: Ready, params: Params) -> Delivery:
    """Nothing for `s` seconds, then the right reply; for ever where `s` is 0."""
    wait = float(params["s"])
    if not wait:
        return Delivery((), End.HOLD, 0)
    right = right_reply(ready)
    return structs.replace(right, sends=tuple(_later(send, wait) for send in right.sends))


def _later(send: Send, seconds: float) -> Send:
    return structs.replace(send, at=send.at + seconds)


def status(number: int, code: str, message: str) -> Act:
    """An error answer of that status in the dialect's own shape."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return plain(number, ready.wire.error(number, code, message))

    return act


def rate_limited(ready: Ready, params: Params) -> Delivery:
    """429 with a retry-after of `ra` in that `form`: s, ms, date, bad (no number) or none."""
    wait, form = params["ra"], params["form"]
    extra: tuple[tuple[str, str], ...] = ()
    if form == "s":
        extra = (("retry-after", wait),)
    elif form == "ms":
        extra = (("retry-after-ms", wait),)
    elif form == "date":
        at = ready.identity.created + max(-1e9, min(float(wait), 1e9))
        extra = (("retry-after", formatdate(at, usegmt=True)),)
    elif form == "bad":
        extra = (("retry-after", "soon"),)
    extra += (("x-ratelimit-limit-requests", "600"), ("x-ratelimit-remaining-requests", "0"))
    message = "Rate limit reached for requests."
    return plain(429, ready.wire.error(429, "rate_limit_exceeded", message), extra=extra)


def redirect(ready: Ready, params: Params) -> Delivery:
    """307 to the same path of another host name."""
    del ready
    extra = (("location", f"http://{params['host']}/v1/chat/completions"),)
    return plain(307, b"", extra=extra)


def html(number: int) -> Act:
    """A page in place of JSON, as a proxy gives it."""

    def act(ready: Ready, params: Params) -> Delivery:
        del ready, params
        return plain(number, HTML, kind=b"text/html")

    return act


def empty(number: int) -> Act:
    """That status without a body."""

    def act(ready: Ready, params: Params) -> Delivery:
        del ready, params
        return plain(number, b"", kind=b"")

    return act


def error_in_200(ready: Ready, params: Params) -> Delivery:
    """An error object under status 200."""
    del params
    return plain(200, ready.wire.error(500, "server_error", "The model crashed."))


def no_choices(ready: Ready, params: Params) -> Delivery:
    """A body of the right shape without an answer in it."""
    del params
    return plain(200, ready.wire.hollow, at=ready.due_whole)


def bad_json(ready: Ready, params: Params) -> Delivery:
    """The body cut in the middle, with a content length that fits the cut."""
    del params
    body = ready.body()
    return plain(200, body[: len(body) // 2], at=ready.due_whole, mark=Mark.TOKEN)


def bad_utf8(ready: Ready, params: Params) -> Delivery:
    """Bytes that are no UTF-8 within the answer's text."""
    del params
    return plain(200, _spoiled(ready.body()), at=ready.due_whole, mark=Mark.TOKEN)


def _spoiled(data: bytes) -> bytes:
    """The data with bytes that are no UTF-8 inside its last string value."""
    before, colon, after = data.rpartition(b':"')
    return before + colon + BAD_UTF8 + after if colon else data + BAD_UTF8


def truncated(ready: Ready, params: Params) -> Delivery:
    """Half the body that the content length announces, then the end of the connection."""
    del params
    body = ready.body()
    data = head(200, b"application/json", len(body)) + body[: len(body) // 2]
    return Delivery((Send(ready.due_whole, data, Mark.HEAD | Mark.TOKEN),), End.CLOSE)


def drip(ready: Ready, params: Params) -> Delivery:
    """The right reply's body at `bps` bytes a second, in up to twenty writes a second."""
    rate = max(1, int(params["bps"]))
    right = right_reply(ready)
    data = b"".join(send.data for send in right.sends)
    opening, _, body = data.partition(b"\r\n\r\n")
    step = max(1, rate // 20)
    starts = range(0, len(body), step)
    sends = [Send(ready.ttft, opening + b"\r\n\r\n", Mark.HEAD)]
    sends += [Send(ready.ttft + (at + step) / rate, body[at : at + step], Mark.TOKEN) for at in starts]
    sends[-1] = structs.replace(sends[-1], mark=Mark.TOKEN | Mark.DONE)
    return Delivery(tuple(sends))


def huge(ready: Ready, params: Params) -> Delivery:
    """An answer of `mb` mebibytes, as fast as the client reads."""
    size = max(1, int(params["mb"]))
    if ready.heard.stream:
        event = _first_token(ready)
        for part in (b'"delta":{', b'"message":{'):  # the dialects' names for what has grown
            event = event.replace(part, part + b'"pad":"' + b"x" * 65_000 + b'",', 1)
        block = chunk(event)
        opening = head(200, ready.wire.stream_type, None)
        return Delivery((Send(0.0, opening, Mark.HEAD),), End.CLOSE, 200, (block, size * _MIB // len(block)))
    start = b'{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"content":"'
    opening = head(200, b"application/json", len(start) + size * _MIB) + start
    sends = (Send(0.0, opening, Mark.HEAD | Mark.TOKEN),)
    return Delivery(sends, End.CLOSE, 200, (b"x" * 65_536, size * 16))


def _first_token(ready: Ready) -> bytes:
    parts = ready.stream()
    return (*parts.tokens, *parts.finish)[0]


def no_usage(ready: Ready, params: Params) -> Delivery:
    """The right reply without its usage."""
    del params
    return right_reply(ready.untold())


def _without(ready: Ready, marks: Mark) -> list[Send]:
    return [send for send in ready.timeline() if not send.mark & marks]


def _first(ready: Ready, params: Params) -> list[Send]:
    """The events up to the `after`th token, but never the last one."""
    line = ready.timeline()
    tokens = [place for place, send in enumerate(line) if send.mark is Mark.TOKEN]
    keep = min(int(params["after"]), max(0, len(tokens) - 1))
    return line[: tokens[keep]] if tokens else line[:1]


def s_cut(ready: Ready, params: Params) -> Delivery:
    """The connection ends after `after` tokens, without the last chunk."""
    return streamed(ready, _first(ready, params), End.CLOSE, closed=False)


def s_rst(ready: Ready, params: Params) -> Delivery:
    """The connection is reset after `after` tokens."""
    return streamed(ready, _first(ready, params), End.RESET, closed=False)


def s_stall(ready: Ready, params: Params) -> Delivery:
    """After `after` tokens nothing for `s` seconds, then the rest; for ever where `s` is 0."""
    start, wait = _first(ready, params), float(params["s"])
    if not wait:
        return streamed(ready, start, End.HOLD, closed=False)
    rest = [_later(send, wait) for send in ready.timeline()[len(start) :]]
    return streamed(ready, [*start, *rest])


def s_keepalive(ready: Ready, params: Params) -> Delivery:
    """After `after` tokens comments alone, one every `every` seconds, for `s` seconds."""
    start, every = _first(ready, params), max(0.01, float(params["every"]))
    beats = int(min(float(params["s"]), 3600.0) / every)
    last = start[-1].at
    comments = [Send(last + (n + 1) * every, ready.wire.idle) for n in range(beats)]
    return streamed(ready, [*start, *comments], End.CLOSE, closed=False)


def s_nofinish(ready: Ready, params: Params) -> Delivery:
    """All tokens, then a clean end of the body: no finish reason, no end mark."""
    del params
    return streamed(ready, _without(ready, Mark.FINISH | Mark.USAGE | Mark.DONE))


def s_nofinish_done(ready: Ready, params: Params) -> Delivery:
    """All tokens and the end mark, but no finish reason."""
    del params
    return streamed(ready, _without(ready, Mark.FINISH))


def s_err(name: str | None) -> Act:
    """An error in the stream after `after` tokens, as a plain event or under that event name."""

    def act(ready: Ready, params: Params) -> Delivery:
        start = _first(ready, params)
        error = {"type": "server_error", "code": "server_error", "message": "The model crashed."}
        event = ready.wire.event({"error": error}, name)
        return streamed(ready, [*start, Send(start[-1].at, event)])

    return act


def s_badutf8(ready: Ready, params: Params) -> Delivery:
    """Bytes that are no UTF-8 within the first token's text."""
    del params
    return streamed(ready, _changed_token(ready, _spoiled))


def s_badjson(ready: Ready, params: Params) -> Delivery:
    """The first token's event is cut in the middle of its JSON."""
    del params
    return streamed(ready, _changed_token(ready, lambda data: data[: len(data) // 2] + b"\n\n"))


def _changed_token(ready: Ready, change: Callable[[bytes], bytes]) -> list[Send]:
    line = ready.timeline()
    for place, send in enumerate(line):
        if send.mark & (Mark.TOKEN | Mark.FINISH):
            line[place] = structs.replace(send, data=change(send.data))
            break
    return line


def s_splitutf8(ready: Ready, params: Params) -> Delivery:
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


def s_crlf(ready: Ready, params: Params) -> Delivery:
    """Lines of the stream end in CR LF."""
    del params
    return streamed(ready, _each(ready, lambda data: data.replace(b"\n", b"\r\n")))


def s_nospace(ready: Ready, params: Params) -> Delivery:
    """No space after the colon of a field."""
    del params
    return streamed(ready, _each(ready, lambda data: data.replace(b"data: ", b"data:", 1)))


def _each(ready: Ready, change: Callable[[bytes], bytes]) -> list[Send]:
    return [structs.replace(send, data=change(send.data)) for send in ready.timeline()]


def s_dup(ready: Ready, params: Params) -> Delivery:
    """The first token comes twice."""
    del params
    line = ready.timeline()
    place = next((n for n, send in enumerate(line) if send.mark is Mark.TOKEN), None)
    return streamed(ready, line if place is None else [*line[: place + 1], *line[place:]])


def s_after_done(ready: Ready, params: Params) -> Delivery:
    """Another token after the end mark."""
    del params
    line = ready.timeline()
    return streamed(ready, [*line, Send(line[-1].at, _first_token(ready))])


def s_done_open(ready: Ready, params: Params) -> Delivery:
    """After the end mark the body stays open."""
    del params
    return streamed(ready, ready.timeline(), End.HOLD, closed=False)


def s_empty(ready: Ready, params: Params) -> Delivery:
    """A stream without one event."""
    del params
    return streamed(ready, [])


def s_html(ready: Ready, params: Params) -> Delivery:
    """A page under the content type of a stream."""
    del params
    return streamed(ready, [Send(0.0, HTML)])


def s_json(ready: Ready, params: Params) -> Delivery:
    """The whole answer as one JSON body although a stream was asked for."""
    del params
    return plain_reply(ready)
