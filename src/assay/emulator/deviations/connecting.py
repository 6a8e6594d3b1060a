"""Faults before the head and in the life of a connection: no answer, a slow or wrong head, an early end."""

from __future__ import annotations

from msgspec import structs

from assay.emulator.delivery import (
    JSON_TYPE,
    Delivery,
    End,
    Mark,
    Ready,
    Send,
    right_reply,
    with_headers,
)
from assay.emulator.deviations.pieces import MIB, Act, Params, later

PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


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
    return structs.replace(right, sends=tuple(later(send, wait) for send in right.sends))


def slow_headers(ready: Ready, params: Params) -> Delivery:
    """The right reply, its head at `bps` bytes a second, in up to twenty writes a second."""
    rate = max(1, int(params["bps"]))
    right = right_reply(ready)
    first, *rest = right.sends
    opening, cut, body = first.data.partition(b"\r\n\r\n")
    opening += cut
    step = max(1, rate // 20)
    starts = range(0, len(opening), step)
    sends = [Send(min(at + step, len(opening)) / rate, opening[at : at + step], Mark.HEAD) for at in starts]
    headed = sends[-1].at
    after = [structs.replace(first, data=body), *rest]
    sends += [structs.replace(send, at=max(send.at, headed)) for send in after]
    return structs.replace(right, sends=tuple(sends))


def raw(data: bytes) -> Act:
    """Those bytes where an answer was due, then the end of the connection."""

    def act(ready: Ready, params: Params) -> Delivery:
        del ready, params
        return Delivery((Send(0.0, data),), End.CLOSE, 0)

    return act


def interim(ready: Ready, params: Params) -> Delivery:
    """`n` interim answers (102), then the right reply."""
    right = right_reply(ready)
    return structs.replace(right, sends=(Send(0.0, PROCESSING * int(params["n"])), *right.sends))


def interim_flood(ready: Ready, params: Params) -> Delivery:
    """Interim answers for `mb` MiB, and never one that counts."""
    del ready
    block = PROCESSING * 400
    return Delivery((Send(0.0, b""),), End.CLOSE, 0, (block, int(params["mb"]) * MIB // len(block) + 1))


def until_end(ready: Ready, params: Params) -> Delivery:
    """The right reply without length or chunks: half-closing the connection ends its body."""
    del params
    if not ready.heard.stream:
        opening = b"HTTP/1.1 200 OK\r\ncontent-type: " + JSON_TYPE + b"\r\n\r\n"
        whole = Send(ready.due_whole, opening + ready.body(), Mark.HEAD | Mark.TOKEN | Mark.DONE)
        return Delivery((whole,), End.HALF)
    opening = b"HTTP/1.1 200 OK\r\ncontent-type: " + ready.wire.stream_type + b"\r\n\r\n"
    return Delivery((Send(0.0, opening, Mark.HEAD), *ready.timeline()), End.HALF)


def last_reply(ready: Ready, params: Params) -> Delivery:
    """The right reply, announced as the connection's last one."""
    del params
    return structs.replace(with_headers(right_reply(ready), (("connection", "close"),)), end=End.CLOSE)


def idle_end(end: End) -> Act:
    """The right reply, and `ms` milliseconds later that end, unannounced."""

    def act(ready: Ready, params: Params) -> Delivery:
        right = right_reply(ready)
        closing = Send(right.sends[-1].at + float(params["ms"]) / 1e3, b"")
        return structs.replace(right, sends=(*right.sends, closing), end=end)

    return act
