"""The streaming HTTP/1.1 client: keeps connections and sends requests on them."""

from __future__ import annotations

import asyncio
import ssl
import time

from assay.errors import CallError, ErrorClass
from assay.message import Instants
from assay.transport.connection import Connection
from assay.transport.dial import Names, dial
from assay.transport.poller import Poller
from assay.transport.sink import BYTE_LIMIT, Clocks, Origin, Sink, Target
from assay.turnstile import Turnstile


class Client:
    """Sends requests, each on a kept connection to its origin or on a new one.

    How many run at once is the caller's to bound. Redirects are not followed, nothing is
    retried, the environment (proxies) is not read. It serves one event loop.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._names = Names()
        self._turns = Turnstile()
        self._poller: Poller | None = None
        self._idle: dict[Origin, dict[Connection, None]] = {}
        self._open: set[Connection] = set()
        self._closed = False

    @property
    def connections(self) -> int:
        """How many connections are open, busy and idle."""
        return len(self._open)

    @property
    def idle(self) -> int:
        """How many open connections wait for a request."""
        return sum(map(len, self._idle.values()))

    async def send(
        self,
        target: Target,
        body: bytes,
        sink: Sink,
        *,
        clocks: Clocks = Clocks(),
        limit: int = BYTE_LIMIT,
    ) -> Instants:
        """Sends one request and tells the sink of its response; returns when that has ended.

        `limit` bounds the bytes of the whole response. The instants are monotonic ns; `picked`
        and `admitted` are left 0. Raises CallError, its `partial` holding the instants so far;
        StaleConnection where a kept connection was closed before it brought a byte. Cancelling
        closes the connection.
        """
        started = time.monotonic_ns()
        connection = self._take(target.origin)
        reused = connection is not None
        if connection is None:
            connection = await self._connect(target.origin, clocks)
        data = target.head + b"%d\r\n\r\n" % len(body) + body
        waiter = connection.start(data, sink, clocks, limit, started, reused=reused)
        try:
            return await waiter
        except BaseException:
            connection.abandon(waiter)
            raise

    async def close(self) -> None:
        """Closes all connections; requests in flight fail as `transport`."""
        self._closed = True
        await self._names.close()
        for connection in list(self._open):
            connection.shut()
        if self._poller is not None:
            self._poller.close()
        await asyncio.sleep(0)  # lets the tasks of those requests hear of it

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        # The latest one: it is the least likely to have been closed meanwhile.
        return idle.popitem()[0] if idle else None

    async def _connect(self, origin: Origin, clocks: Clocks) -> Connection:
        if self._closed:
            raise CallError(ErrorClass.CONNECT, "the client is closed")
        sock, tls = await dial(origin, clocks, self._names, self._context(origin))
        poller = self._poller = self._poller or Poller()
        connection = Connection(
            sock, tls, origin, poller=poller, turns=self._turns, on_idle=self._keep, on_closed=self._forget
        )
        self._open.add(connection)
        return connection

    def _context(self, origin: Origin) -> ssl.SSLContext | None:
        if origin.scheme == "http":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _keep(self, connection: Connection) -> None:
        self._idle.setdefault(connection.origin, {})[connection] = None

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.get(connection.origin, {}).pop(connection, None)
