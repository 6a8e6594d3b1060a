"""One connection: a socket whose reader feeds the sink of the request in flight, and its clocks."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Literal

from msgspec import structs

from assay.errors import CallError, ErrorClass, StaleConnection
from assay.message import Instants
from assay.transport.inflate import Inflate
from assay.transport.poller import Poller
from assay.transport.response import ResponseParser
from assay.transport.sink import Clocks, Origin, Progress, Sink, timed_out
from assay.transport.stamps import ANCILLARY, ask_for_stamps, stamp_of, wall_offset
from assay.transport.tls import Tls
from assay.turnstile import Turnstile

_CHUNK = 65_536
_LINGER = 0.1
"""Seconds that the end of the body may stay out after the end of the answer, before the
connection is given up: most servers send it within the same millisecond."""

_NOTHING, _END = Progress.NOTHING, Progress.END
_now = time.monotonic_ns


class Connection:
    """Serves one request at a time; between requests it lies idle and notices being closed.

    `on_idle` is called when it may serve again, `on_closed` when it never will; one of them
    before the request's waiter is told. The task that waits is woken once, at the end, in its turn.
    """

    __slots__ = (
        "_at",
        "_clocks",
        "_connected",
        "_final",
        "_floor",
        "_headers_at",
        "_inflate",
        "_kernel",
        "_limit",
        "_loop",
        "_offset",
        "_on_closed",
        "_on_idle",
        "_poller",
        "_progress",
        "_reads",
        "_response",
        "_reused",
        "_sent",
        "_sink",
        "_size",
        "_sock",
        "_stamped",
        "_started",
        "_timer",
        "_tls",
        "_turns",
        "_unsent",
        "_waiter",
        "closed",
        "origin",
    )

    def __init__(
        self,
        sock: socket.socket,
        tls: Tls | None,
        origin: Origin,
        *,
        poller: Poller,
        turns: Turnstile,
        on_idle: Callable[[Connection], None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self.origin = origin
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._tls = tls
        self._poller = poller
        self._turns = turns
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._response = ResponseParser()
        self._stamped = ask_for_stamps(sock)
        self._waiter: asyncio.Future[Instants] | None = None
        self._sink: Sink | None = None
        self._inflate: Inflate | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._clocks = Clocks()
        self._unsent = memoryview(b"")
        self._reused = self._kernel = False
        self._limit = self._offset = self._floor = self._at = self._reads = self._size = 0
        self._started = self._connected = self._sent = 0
        self._headers_at = self._progress = self._final = 0
        poller.watch(sock.fileno(), self._readable)

    def start(
        self, data: bytes, sink: Sink, clocks: Clocks, limit: int, started: int, *, reused: bool
    ) -> asyncio.Future[Instants]:
        """Sends a request. The future brings its instants, or a CallError that holds them.

        `started` is the monotonic ns from which the total clock runs.
        """
        self._waiter = waiter = self._loop.create_future()
        self._sink, self._clocks, self._limit = sink, clocks, limit
        self._started, self._reused, self._kernel = started, reused, self._stamped
        self._reads = self._size = self._headers_at = self._progress = self._final = 0
        self._response.reset()
        self._inflate = None
        self._offset = wall_offset() if self._stamped else 0
        self._connected = self._sent = self._floor = self._at = _now()
        spent = (self._sent - started) / 1e9
        self._arm(min(clocks.first_byte, clocks.idle, clocks.total - spent))
        self._write(data if self._tls is None else self._tls.encrypt(data))
        return waiter

    def abandon(self, waiter: asyncio.Future[Instants]) -> None:
        """Gives up the request of this waiter: the connection is closed if it still serves it."""
        if self._waiter is waiter:
            self._waiter = None
            self.close()

    def shut(self) -> None:
        """Closes, and fails the request in flight if there is one."""
        if self._waiter is not None:
            self._fail(CallError(ErrorClass.TRANSPORT, "the client was closed"))
        self.close()

    def close(self) -> None:
        """Closes the socket and forgets everything; closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        self._poller.forget(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sink = None
        self._unsent = memoryview(b"")
        self._response.release()
        self._on_closed(self)

    # sending

    def _write(self, data: bytes) -> None:
        self._unsent = memoryview(data)
        if self._sends() and self._unsent:
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _writable(self) -> None:
        if not self._sends() or not self._unsent:
            self._loop.remove_writer(self._sock.fileno())

    def _sends(self) -> bool:
        """Sends what the socket takes now; False when it will take no more.

        Why it does not, the reader will hear, and before that what the server may have answered.
        """
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return True

    # receiving

    def _readable(self) -> None:
        before = _now()
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_CHUNK, ANCILLARY)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        now = _now()
        stamp = stamp_of(ancillary) if ancillary else None
        at = now if stamp is None else stamp - self._offset
        trusted = stamp is not None and self._floor < at <= now
        if not trusted:
            at = now
        if len(data) < _CHUNK:  # else what is left may have come before this read
            self._floor = before
        self._at = at = max(at, self._at)
        if self._waiter is None:
            self._unasked(data)
        elif self._tls is None:
            if data:
                self._received(data, at, trusted)
            else:
                self._lost(None)
        else:
            self._decrypted(self._tls, data, at, trusted)

    def _unasked(self, data: bytes) -> None:
        """Between requests a server has only closing to say, or TLS tickets."""
        try:
            plain, ended = (data, not data) if self._tls is None else self._tls.decrypt(data)
        except ssl.SSLError:
            plain, ended = b"", True
        if plain or ended or not data:
            self.close()

    def _decrypted(self, tls: Tls, data: bytes, at: int, trusted: bool) -> None:
        try:
            plain, ended = tls.decrypt(data)
        except ssl.SSLError as error:
            self._lost(error)
            return
        if plain:
            self._received(plain, at, trusted)
        if (owed := tls.owed()) and not self.closed:
            self._write(bytes(self._unsent) + owed)
        if (ended or not data) and not self.closed:
            if self._waiter is None:
                self.close()
            else:
                self._lost(None)

    def _received(self, data: bytes, at: int, trusted: bool) -> None:
        self._reads += 1
        if not trusted:
            self._kernel = False
        self._size += len(data)
        if self._size > self._limit:
            self._fail(CallError(ErrorClass.TOO_LARGE, f"more than {self._limit} bytes"))
            return
        response = self._response
        try:
            response.feed(data)
            if not self._headers_at and response.headed:
                self._head(at)
            if response.pieces:
                self._body(at)
        except Exception as error:  # noqa: BLE001  # handed to the caller, whose sink it came from
            self._fail(error)
            return
        if response.whole:
            self._complete(self._final or at)

    def _head(self, at: int) -> None:
        self._headers_at = at
        response = self._response
        encoding = response.headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding in (b"gzip", b"x-gzip"):
            self._inflate = Inflate(self._limit)
        elif encoding not in (b"identity", b""):
            raise CallError(
                ErrorClass.PROTOCOL, f"a content-encoding that nobody asked for: {encoding[:40]!r}"
            )
        if self._sink is not None:
            self._sink.head(response.status, response.headers, at)

    def _body(self, at: int) -> None:
        pieces = self._response.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._final or self._sink is None:
            return
        if self._inflate is not None and not (data := self._inflate.feed(data)):
            return
        progress = self._sink.feed(data, at, self._reads)
        if progress is _NOTHING:
            return
        self._progress = at
        if progress is _END:
            self._final = at
            if not self._response.whole:
                self._arm(_LINGER)

    # ends

    def _complete(self, at: int) -> None:
        waiter, self._waiter, self._sink = self._waiter, None, None
        instants = self._instants(at)
        response = self._response
        if response.whole and response.keep and not response.spoiled and not self._unsent:
            self._on_idle(self)
        else:
            self.close()
        if waiter is not None:
            self._turns.wake(waiter, instants)

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if isinstance(error, CallError):
            error.partial = structs.replace(error.partial, instants=self._instants(_now()))
        self.close()
        if waiter is not None:
            self._turns.fail(waiter, error)

    def _lost(self, error: OSError | None) -> None:
        """The server is gone: `error` None for an orderly close."""
        if self._waiter is None:
            self.close()
        elif self._final or (error is None and self._response.until_eof):
            self._complete(self._final or self._at)
        elif self._reused and not self._reads:
            self._fail(StaleConnection(ErrorClass.TRANSPORT, "stale"))
        elif error is None:
            detail = "cut" if self._reads else "closed before any answer"
            self._fail(CallError(ErrorClass.TRANSPORT, detail))
        else:
            detail = "reset" if isinstance(error, ConnectionError) else str(error)[:200]
            self._fail(CallError(ErrorClass.TRANSPORT, detail))

    def _instants(self, ended: int) -> Instants:
        clock: Literal["kernel", "read", "none"] = "kernel" if self._kernel else "read"
        return Instants(
            connected=self._connected,
            sent=self._sent,
            headers=self._headers_at,
            ended=max(ended, self._sent),
            clock=clock if self._reads else "none",
            reused=self._reused,
        )

    # clocks

    def _arm(self, delay: float) -> None:
        """Has the clocks looked at after `delay` seconds at the latest.

        A timer that will ring sooner is left as it is, also over the end of a request: it looks
        again when it rings. So most requests make no timer at all.
        """
        when = self._loop.time() + delay
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        now = _now()
        if self._final:
            left = _LINGER - (now - self._final) / 1e9
            if left > 0:
                self._arm(left)
            else:
                self._complete(self._final)
            return
        clocks = self._clocks
        name: Literal["first_byte", "idle", "total"]
        left, name = clocks.total - (now - self._started) / 1e9, "total"
        if self._progress:
            idle = clocks.idle - (now - self._progress) / 1e9
            if idle < left:
                left, name = idle, "idle"
        else:
            first = clocks.first_byte - (now - self._sent) / 1e9
            if first < left:
                left, name = first, "first_byte"
        if left <= 0:
            self._fail(timed_out(name))
        else:
            self._arm(left if self._progress else min(left, clocks.idle))
