"""A raw loopback server that does to each connection just what a test tells it to."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from assay.transport.client import Client
from assay.transport.sink import Headers, Progress, Target, target
from assay.transport.stamps import ANCILLARY, ask_for_stamps, stamp_of


class Peer:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request: head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, *headers: bytes, status: bytes = b"200 OK") -> None:
        lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
        await self.say(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    async def begin_chunks(self) -> None:
        await self.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.say(b"%x\r\n%s\r\n" % (len(data), data))

    async def closed(self) -> None:
        """Waits until the client has closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Closes with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


class Loopback:
    """A server; `handler` is called for each connection, which is closed after it."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.connections = 0
        self.problems: list[Exception] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def target(self, path: str = "/v1/x", **headers: str) -> Target:
        return target(f"http://127.0.0.1:{self.port}{path}", headers)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            if self.handler is not None:
                await self.handler(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self, end: bytes | None = None, content: Callable[[bytes], bool] = bool) -> None:
        self.status = 0
        self.headers: Headers = {}
        self.feeds: list[tuple[bytes, int, int]] = []
        self._end = end
        self._content = content

    @property
    def body(self) -> bytes:
        return b"".join(data for data, _, _ in self.feeds)

    def head(self, status: int, headers: Headers, at: int) -> None:
        self.status, self.headers = status, headers

    def feed(self, data: bytes, at: int, read: int) -> Progress:
        self.feeds.append((data, at, read))
        if self._end is not None and self._end in data:
            return Progress.END
        return Progress.CONTENT if self._content(data) else Progress.NOTHING


@pytest.fixture
def stamping() -> Iterator[None]:
    """The kernel begins to stamp a little after the first socket asks: this waits for it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as one,
        listening.accept()[0] as other,
    ):
        if not ask_for_stamps(one):
            pytest.skip("this kernel gives no receive stamps")
        for _ in range(10_000):
            other.send(b"x")
            if stamp_of(one.recvmsg(1, ANCILLARY)[1]) is not None:
                break
        yield


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    await loopback.open()
    yield loopback
    await loopback.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()
    assert made.connections == 0


@pytest.fixture
def sink() -> Kept:
    return Kept()


@pytest.fixture
def make_sink() -> type[Kept]:
    return Kept
