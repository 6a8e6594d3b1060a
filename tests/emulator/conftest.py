"""What the emulator's tests share: a small index, started emulators, a client of raw sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Literal

import pytest
from msgspec import Struct

from assay.emulator.index import Index, entry
from assay.emulator.ledger import Record
from assay.emulator.server import Emulator
from assay.keys import JSON
from assay.message import say

QUESTION = "What is six times seven?"
RIGHT = "Forty-two, that is 42 — сорок два."
PATIENCE = 1.0
INTERIM = re.compile(rb"(HTTP/1\.1 1\d\d [^\r]*\r\n\r\n)*")


class Got(Struct):
    """What came back over a raw socket, and how it ended."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes
    end: Literal["complete", "eof", "reset", "silence"]

    @property
    def json(self) -> JSON:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        """The data of the server-sent events."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n\n")
        return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]

    @property
    def text(self) -> str:
        """The answer's text, streamed or not."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return str(self.json["choices"][0]["message"]["content"])
        chunks = [json.loads(data) for data in self.events if data != "[DONE]"]
        return "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c.get("choices"))


def http(
    body: bytes = b"",
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat(model: str = "skill-1", content: str = QUESTION, *, stream: bool = False, **more: JSON) -> bytes:
    """The body of a chat request."""
    said = [{"role": "user", "content": content}]
    return json.dumps({"model": model, "messages": said, "stream": stream, **more}).encode()


async def read_one(reader: asyncio.StreamReader, patience: float = PATIENCE) -> Got:
    """One response, until it is complete, the connection ends, or nothing comes for `patience` s."""
    raw, end = b"", "silence"
    while True:
        try:
            data = await asyncio.wait_for(reader.read(1 << 16), patience)
        except TimeoutError:
            break
        except ConnectionResetError:
            end = "reset"
            break
        raw += data
        if not data:
            end = "eof"
            break
        if _complete(raw):
            end = "complete"
            break
    return _got(raw, end)


def _complete(raw: bytes) -> bool:
    raw = _past_interim(raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"\r\n\r\n" not in raw:
        return False
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    if b"content-length: " in lower:
        return len(body) >= int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return lower.startswith(b"http/1.1 204")


def _past_interim(raw: bytes) -> bytes:
    interim = INTERIM.match(raw)
    return raw if interim is None else raw[interim.end() :]


def _got(raw: bytes, end: str) -> Got:
    head, _, body = _past_interim(raw).partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    code = lines[0].split()[1:2]
    status = int(code[0]) if code and code[0].isdigit() else 0
    return Got(status, headers, body, raw, end)  # type: ignore[arg-type]  # one of the four words


def _dechunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        out += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return out


Talk = Callable[..., Awaitable[Got]]
Start = Callable[..., Awaitable[Emulator]]


@pytest.fixture
def known() -> Index:
    """An index of one question."""
    return Index([known for known in [entry((say("user", QUESTION),), RIGHT)] if known is not None])


@pytest.fixture
async def start(known: Index) -> AsyncIterator[Start]:
    """Starts emulators and stops them after the test."""
    running: list[Emulator] = []

    async def begin(index: Index | None = None, **settings: JSON) -> Emulator:
        emulator = Emulator(known if index is None else index, **settings)
        await emulator.start()
        running.append(emulator)
        return emulator

    yield begin
    for emulator in running:
        await emulator.stop()


@pytest.fixture
def talk() -> Talk:
    """One request on a connection of its own."""

    async def ask(emulator: Emulator, body: bytes = b"", **how: JSON) -> Got:
        patience = how.pop("patience", PATIENCE)
        port = int(emulator.root.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(http(body, **how))
            return await read_one(reader, patience)
        finally:
            writer.transport.abort()

    return ask


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Lets the loop turn until something holds; the test's timeout bounds it."""

    async def wait(holds: Callable[[], object]) -> None:
        while not holds():
            await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def make() -> Callable[..., bytes]:
    """Makes the body of a chat request."""
    return chat


@pytest.fixture
def request_bytes() -> Callable[..., bytes]:
    """Makes a whole request."""
    return http


@pytest.fixture
def read_response() -> Callable[..., Awaitable[Got]]:
    """Reads one response from a stream reader."""
    return read_one


@pytest.fixture
def faulty(
    start: Start, talk: Talk, make: Callable[..., bytes]
) -> Callable[..., Awaitable[tuple[Got, Record]]]:
    """Asks a fresh emulator for one fault."""

    async def ask(
        fault: str, *, stream: bool = False, index: Index | None = None, **how: JSON
    ) -> tuple[Got, Record]:
        emulator = await start(index)
        options = {"stream_options": {"include_usage": True}} if stream else {}
        got = await talk(emulator, make(stream=stream, **options), headers={"x-fault": fault}, **how)
        record = emulator.ledger.records()[0]
        assert record.fault == fault
        return got, record

    return ask
