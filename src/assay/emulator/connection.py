"""One connection: HTTP/1.1 requests in by a streaming parser, deliveries out at their instants."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal, Protocol

import httptools
from msgspec import Struct, structs

from assay.emulator.capacity import Gate, Turn
from assay.emulator.delivery import Delivery, End, Mark, Send, plain, with_headers
from assay.emulator.ledger import Ledger, Record
from assay.emulator.pace import Pace

MAX_BODY = 64 << 20
MAX_HEAD = 64 << 10
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpRequest(Struct, frozen=True):
    """One request as it came; header names in lower case. `arrived` is monotonic ns, its last byte."""

    method: str
    target: str
    headers: Mapping[bytes, bytes]
    body: bytes
    arrived: int
    conn: int


class Planned(Struct, frozen=True):
    """What is sent back, the ledger's record of it, and its turn, where it has one."""

    delivery: Delivery
    record: Record | None = None
    turn: Turn | None = None


class Life(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a connection is kept: closed (`idle_end`) when `idle_s` seconds have passed since its last
    reply, and after `requests` of them, the last of which says so. None is without a limit.
    """

    idle_s: float | None = None
    idle_end: Literal["fin", "rst"] = "fin"
    requests: int | None = None


class House(Protocol):
    """What a connection needs of its server."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def pace(self) -> Pace: ...

    @property
    def gate(self) -> Gate: ...

    @property
    def life(self) -> Life: ...

    def handle(self, request: HttpRequest) -> Planned: ...

    def joined(self, connection: Connection) -> int:
        """The number of a new connection."""
        ...

    def left(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Serves one client; a request that comes before the last reply is out waits for its turn."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[HttpRequest] = deque()
        self._current: _Outgoing | None = None
        self._number = 0
        self._last = False
        self._deaf = False
        self._served = 0
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - tells mypy what asyncio promises
        self._transport = transport
        self._number = self._house.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if self._current is not None:
            self._current.client_gone()
            self._current = None
        self._waiting.clear()
        self._house.left(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)
        self.next()

    def resume_writing(self) -> None:
        if self._current is not None:
            self._current.pump()

    def pause_writing(self) -> None:
        if self._current is not None:
            self._current.blocked = True

    def abort(self) -> None:
        """Drops the client at once."""
        if self._transport is not None:
            self._transport.abort()

    # what the parser calls
    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
        self._count_head(len(name) + len(value))

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_BODY:
            self._refuse(413)
        elif not self._deaf:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._last:
            return
        self._last = not self._parser.should_keep_alive()
        request = HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            arrived=time.monotonic_ns(),
            conn=self._number,
        )
        self._waiting.append(request)  # served after the parser returns, which hides what callbacks raise

    def _refuse(self, status: int) -> None:
        """Answers bytes that are no request, or too many, and closes."""
        if self._deaf:
            return
        self._last = self._deaf = True
        self._waiting.clear()
        if self._transport is not None and self._current is None:
            self._transport.write(plain(status, b'{"error":{"message":"bad HTTP request"}}').sends[0].data)
            self._transport.close()

    # what a reply on its way out calls
    def next(self) -> None:
        """Begins the next reply, if none is on its way."""
        while self._current is None and self._waiting and self._transport is not None:
            request = self._waiting.popleft()
            planned = self._planned(request)
            self._current = _Outgoing(self, self._transport, self._house, planned, request.arrived)
            self._current.begin()

    def _planned(self, request: HttpRequest) -> Planned:
        """What a request gets; the last one that this connection serves says so."""
        planned = self._house.handle(request)
        self._served += 1
        if self._served != self._house.life.requests:
            return planned
        self._last = True
        delivery = with_headers(planned.delivery, (("connection", "close"),))
        return structs.replace(planned, delivery=delivery)

    def finished(self) -> None:
        """The reply is out: the connection may serve the next request."""
        self._current = None
        if self._waiting:
            asyncio.get_running_loop().call_soon(self.next)
        elif self._last and self._transport is not None:
            self._transport.close()
        else:
            self._lie_idle()

    def _lie_idle(self) -> None:
        """Ends the connection if it serves nothing until its idle time has passed."""
        idle, served = self._house.life.idle_s, self._served

        def end() -> None:
            if self._served == served and self._transport is not None:
                if self._house.life.idle_end == "rst":
                    reset(self._transport)
                else:
                    self._transport.close()

        if idle is not None:
            self._house.pace.at(time.monotonic_ns() + int(idle * 1e9), end)


def reset(transport: asyncio.Transport) -> None:
    """Ends a connection by RST."""
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class _Outgoing:
    """One delivery on its way out."""

    def __init__(
        self,
        connection: Connection,
        transport: asyncio.Transport,
        house: House,
        planned: Planned,
        arrived: int,
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._house = house
        self._delivery = planned.delivery
        self._record = planned.record
        self._turn = planned.turn
        self._base = arrived
        self._place = 0
        self._floods = 0 if planned.delivery.flood is None else planned.delivery.flood[1]
        self._gone = False
        self.blocked = False

    def begin(self) -> None:
        """Goes out at once, or when it is served."""
        if self._turn is None:
            self.go()
        else:
            self._turn.take(self._serve)

    def _serve(self, base: int) -> None:
        self._base = base
        self.go()

    def go(self) -> None:
        """Sends everything that is due, and asks to be called for what is due next."""
        sends, thaw = self._delivery.sends, self._house.gate.thaw
        while not self._gone and self._place < len(sends):
            send = sends[self._place]
            due = thaw(self._base + int(send.at * 1e9))
            if due > time.monotonic_ns():
                self._house.pace.at(due, self.go)
                return
            self._place += 1
            self._write(send)
        if not self._gone:
            self.pump()

    def _write(self, send: Send) -> None:
        if send.data:
            self._transport.write(send.data)
        record, mark = self._record, send.mark
        if record is None:
            return
        stamp = self._house.ledger.stamp
        if mark & Mark.HEAD:
            stamp(record, "headers_sent")
        if mark & Mark.TOKEN:
            stamp(record, "first_content")
        if mark & Mark.DONE:
            stamp(record, "done_sent")

    def pump(self) -> None:
        """Writes the flood as long as the client reads, then ends the reply."""
        self.blocked = False
        if self._gone or self._place < len(self._delivery.sends):
            return
        while self._floods and not self.blocked and not self._transport.is_closing():
            assert self._delivery.flood is not None  # noqa: S101 - _floods counts it
            self._floods -= 1
            self._transport.write(self._delivery.flood[0])
        if not self._floods:
            self._end()

    def _end(self) -> None:
        end = self._delivery.end
        if end is End.HALF:
            self._transport.write_eof()
        if end in (End.HOLD, End.HALF):
            return
        self._gone = True
        self._leave()
        if end is End.RESET:
            reset(self._transport)
        elif end is End.CLOSE:
            self._transport.close()
        self._connection.finished()

    def _leave(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.give_back()

    def client_gone(self) -> None:
        """The client left before the reply was out."""
        if not self._gone:
            self._gone = True
            self._leave()
            if self._record is not None:
                self._house.ledger.stamp(self._record, "client_gone")
