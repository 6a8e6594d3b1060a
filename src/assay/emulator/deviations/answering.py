"""Faults in the status and in the body: error answers, pages, bytes that are no answer, too many bytes."""

from __future__ import annotations

import zlib
from email.utils import formatdate

from msgspec import structs

from assay.emulator.behaviour import Answer
from assay.emulator.delivery import (
    JSON_TYPE,
    Delivery,
    End,
    Mark,
    Ready,
    Send,
    chunk,
    head,
    plain,
    right_reply,
    streamed,
)
from assay.emulator.deviations.pieces import MIB, Act, Params, first_token, in_text
from assay.emulator.wire import Tokens

HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
GZIP = 31
"""zlib's number for a gzip header and the widest window."""


def status(number: int, code: str, message: str) -> Act:
    """An error answer of that status in the dialect's own shape."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return plain(number, ready.wire.error(number, code, message))

    return act


def rate_limited(ready: Ready, params: Params) -> Delivery:
    """429 that tells of a wait of `ra` in that `form`: s, ms, date, bad, reset or none."""
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
    elif form == "reset":
        extra = (("x-ratelimit-reset-requests", f"{wait}s"),)
    extra += (("x-ratelimit-limit-requests", "600"), ("x-ratelimit-remaining-requests", "0"))
    message = "Rate limit reached for requests."
    return plain(429, ready.wire.error(429, "rate_limit_exceeded", message), extra=extra)


def redirect(number: int, *, same: bool) -> Act:
    """A redirect to the same path, of the same host or of another one."""

    def act(ready: Ready, params: Params) -> Delivery:
        path = "/v1" + ready.wire.path
        place = path if same else f"http://{params['host']}{path}"
        return plain(number, b"", extra=(("location", place),))

    return act


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


def fixed(body: bytes) -> Act:
    """Those bytes as the whole body."""

    def act(ready: Ready, params: Params) -> Delivery:
        del params
        return plain(200, body, at=ready.due_whole)

    return act


def wordless(ready: Ready, params: Params) -> Delivery:
    """An empty answer that has ended as a good one does."""
    del params
    return right_reply(ready.altered(Answer(), Tokens(ready.tokens.input, 0)))


def bad_json(ready: Ready, params: Params) -> Delivery:
    """The body cut in the middle, with a content length that fits the cut."""
    del params
    body = ready.body()
    return plain(200, body[: len(body) // 2], at=ready.due_whole, mark=Mark.TOKEN)


def bad_utf8(ready: Ready, params: Params) -> Delivery:
    """Bytes that are no UTF-8 within the answer's text."""
    del params
    return plain(200, in_text(ready.body(), b"\xff\xfe"), at=ready.due_whole, mark=Mark.TOKEN)


def truncated(ready: Ready, params: Params) -> Delivery:
    """Half the body that the content length announces, then the end of the connection."""
    del params
    body = ready.body()
    data = head(200, JSON_TYPE, len(body)) + body[: len(body) // 2]
    return Delivery((Send(ready.due_whole, data, Mark.HEAD | Mark.TOKEN),), End.CLOSE)


def short_length(ready: Ready, params: Params) -> Delivery:
    """The whole body, of which the content length announces half."""
    del params
    body = ready.body()
    data = head(200, JSON_TYPE, len(body) // 2) + body
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
    sends += [
        Send(ready.ttft + min(at + step, len(body)) / rate, body[at : at + step], Mark.TOKEN) for at in starts
    ]
    sends[-1] = structs.replace(sends[-1], mark=Mark.TOKEN | Mark.DONE)
    return Delivery(tuple(sends))


def huge(ready: Ready, params: Params) -> Delivery:
    """An answer of `mb` mebibytes, as fast as the client reads."""
    size = max(1, int(params["mb"]))
    if ready.heard.stream:
        block = chunk(in_text(first_token(ready), b"x" * 65_000))
        opening = head(200, ready.wire.stream_type, None)
        return Delivery((Send(0.0, opening, Mark.HEAD),), End.CLOSE, 200, (block, size * MIB // len(block)))
    body = in_text(ready.body(), b"\0")
    start = body[: body.index(b"\0")]
    opening = head(200, JSON_TYPE, len(start) + size * MIB) + start
    sends = (Send(0.0, opening, Mark.HEAD | Mark.TOKEN),)
    return Delivery(sends, End.CLOSE, 200, (b"x" * 65_536, size * 16))


def gzip_bomb(ready: Ready, params: Params) -> Delivery:
    """A text of `mb` mebibytes as a gzip body of a thousandth of that.

    Each block is coded without regard to those before it, so that one block stands for all.
    """
    body = in_text(ready.body(), b"\0")
    coder = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    first = coder.compress(body[: body.index(b"\0")]) + coder.flush(zlib.Z_FULL_FLUSH)
    block = coder.compress(b"x" * MIB) + coder.flush(zlib.Z_FULL_FLUSH)
    opening = head(200, JSON_TYPE, None, (("content-encoding", "gzip"),)) + chunk(first)
    sends = (Send(0.0, opening, Mark.HEAD | Mark.TOKEN),)
    return Delivery(sends, End.CLOSE, 200, (chunk(block), max(1, int(params["mb"]))))


def gzipped(ready: Ready, params: Params) -> Delivery:
    """The right reply as gzip, although the client asked for no coding; every event can be read alone."""
    del params
    coder = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    extra = (("content-encoding", "gzip"),)
    if not ready.heard.stream:
        body = coder.compress(ready.body()) + coder.flush()
        return plain(200, body, at=ready.due_whole, extra=extra, mark=Mark.TOKEN)
    line = [
        structs.replace(send, data=coder.compress(send.data) + coder.flush(zlib.Z_SYNC_FLUSH))
        for send in ready.timeline()
    ]
    line[-1] = structs.replace(line[-1], data=line[-1].data + coder.flush())
    return streamed(ready, line, extra=extra)


def wrong_type(ready: Ready, params: Params) -> Delivery:
    """The right reply under the content type of plain text."""
    del params
    if ready.heard.stream:
        return streamed(ready, ready.timeline(), kind=b"text/plain")
    return plain(200, ready.body(), at=ready.due_whole, kind=b"text/plain", mark=Mark.TOKEN)


def no_usage(ready: Ready, params: Params) -> Delivery:
    """The right reply without its usage."""
    del params
    return right_reply(ready.untold())


def hollow(ready: Ready, params: Params) -> Delivery:
    """A body of the right shape without an answer in it."""
    del params
    return plain(200, ready.wire.hollow, at=ready.due_whole)
