"""A loopback server that answers each request with bytes that a test wrote, then closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from assay.transport.client import Client


class Canned:
    """Answers with `raw`, in slices of `slice` bytes; keeps the requests."""

    def __init__(self) -> None:
        self.raw = b""
        self.slice = 1 << 20
        self.hold = False
        self.requests: list[bytes] = []
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, body: bytes, *headers: str, status: int = 200, kind: str = "application/json") -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
        lines += ["connection: close", *headers]
        self.raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def stream(self, *events: str, done: bool = True) -> None:
        body = "".join(f"data: {event}\n\n" for event in events) + ("data: [DONE]\n\n" if done else "")
        self.answer(body.encode(), kind="text/event-stream")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            for start in range(0, len(self.raw), self.slice):
                writer.write(self.raw[start : start + self.slice])
                await asyncio.sleep(0)
            if self.hold:
                await reader.read(1)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Canned]:
    canned = Canned()
    listening = await asyncio.start_server(canned.serve, "127.0.0.1", 0)
    canned.port = listening.sockets[0].getsockname()[1]
    yield canned
    listening.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()
