"""The bare limit of a Python client: send the sample, compare the answer, keep one line. No product.

    python benchmarks/floor_client.py raw|aiohttp|httpx|stream QA.jsonl CONCURRENCY BASE_URL

`raw` is the smallest HTTP/1.1 client on an asyncio protocol; `stream` is that one with streamed
answers, each token stamped. Prints JSON: wall_s, n, ok, tokens. A speed of assay is quoted as a ratio
to one of these in the same run.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

JSON_TYPE = {"Content-Type": "application/json"}


class Sample(msgspec.Struct):
    id: int
    input: str
    target: str


class Asked:
    """The samples that wait, and what came back."""

    def __init__(self, samples: list[Sample], base: str) -> None:
        self.waiting: Iterator[Sample] = iter(samples)
        self.url = f"{base}/chat/completions"
        self.lines: list[bytes] = []
        self.ok = 0
        self.streamed = False
        self.tokens = 0

    def body(self, sample: Sample) -> bytes:
        messages = [{"role": "user", "content": sample.input}]
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if self.streamed else {}
        return msgspec.json.encode(
            {"model": "mock", "messages": messages, "max_tokens": 128, "temperature": 0, **streamed}
        )

    def take(self, sample: Sample, raw: bytes, began: int) -> None:
        reply = msgspec.json.decode(raw)
        said = reply["choices"][0]["message"]["content"]
        right = said == sample.target
        self.ok += right
        took = time.perf_counter_ns() - began
        row = {"id": sample.id, "out": said, "ok": right, "usage": reply["usage"], "t": took}
        self.lines.append(msgspec.json.encode(row))


class Raw(asyncio.Protocol):
    """One connection: a request at a time, until no sample waits."""

    def __init__(self, asked: Asked, ended: asyncio.Future[None]) -> None:
        self.asked = asked
        self.ended = ended
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a TCP connection's is one
        self.transport = transport
        self.send_next()

    def send_next(self) -> None:
        sample = next(self.asked.waiting, None)
        if sample is None:
            self.transport.close()
            self.ended.set_result(None)
            return
        self.sample = sample
        body = self.asked.body(sample)
        self.began = time.perf_counter_ns()
        self.received = b""
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.transport.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.received.find(b"Content-Length: ") + 16
        length = int(self.received[at : self.received.find(b"\r", at)])
        if len(self.received) >= end + 4 + length:
            self.asked.take(self.sample, self.received[end + 4 :], self.began)
            self.send_next()


class Stream(Raw):
    """As `Raw`, with answers that are streamed in whole chunks of HTTP, an event each."""

    def send_next(self) -> None:
        self.headed = False
        self.texts: list[str] = []
        self.stamps: list[int] = []
        super().send_next()

    def data_received(self, data: bytes) -> None:
        now, received, at = time.perf_counter_ns(), self.received + data, 0
        if not self.headed:
            at = received.find(b"\r\n\r\n") + 4
            if at < 4:
                self.received = received
                return
            self.headed = True
        while (line := received.find(b"\r\n", at)) >= 0:
            first, last = line + 2, line + 2 + int(received[at:line], 16)
            if len(received) < last + 2:
                break
            if first == last:
                self.end()
                return
            self.take(received[first:last], now)
            at = last + 2
        self.received = received[at:]

    def take(self, event: bytes, now: int) -> None:
        if not event.startswith(b"data: {"):
            return
        choices = msgspec.json.decode(event[6:])["choices"]
        if choices and (content := choices[0]["delta"].get("content")):
            self.stamps.append(now - self.began)
            self.texts.append(content)

    def end(self) -> None:
        self.asked.tokens += len(self.texts)
        self.asked.ok += 1
        self.asked.lines.append(msgspec.json.encode(["".join(self.texts), self.stamps]))
        self.send_next()


async def stream(asked: Asked, concurrency: int) -> None:
    asked.streamed = True
    await raw(asked, concurrency, Stream)


async def raw(asked: Asked, concurrency: int, kind: type[Raw] = Raw) -> None:
    loop, place = asyncio.get_running_loop(), urlsplit(asked.url)
    ends = [loop.create_future() for _ in range(concurrency)]
    for ended in ends:
        made = kind(asked, ended)
        await loop.create_connection(partial(_same, made), place.hostname or "", place.port or 80)
    await asyncio.gather(*ends)


def _same(made: Raw) -> Raw:
    return made


async def with_aiohttp(asked: Asked, concurrency: int) -> None:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def work() -> None:
            for sample in asked.waiting:
                began = time.perf_counter_ns()
                async with session.post(asked.url, data=asked.body(sample), headers=JSON_TYPE) as reply:
                    asked.take(sample, await reply.read(), began)

        await asyncio.gather(*(work() for _ in range(concurrency)))


async def with_httpx(asked: Asked, concurrency: int) -> None:
    httpx = importlib.import_module("httpx")  # no dependency of assay's: measured where it is there
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as session:

        async def work() -> None:
            for sample in asked.waiting:
                began = time.perf_counter_ns()
                reply = await session.post(asked.url, content=asked.body(sample), headers=JSON_TYPE)
                asked.take(sample, reply.content, began)

        await asyncio.gather(*(work() for _ in range(concurrency)))


CLIENTS = {"raw": raw, "aiohttp": with_aiohttp, "httpx": with_httpx, "stream": stream}


def main() -> int:
    client, data, concurrency, base = sys.argv[1:5]
    decode = msgspec.json.Decoder(Sample).decode
    samples = [decode(line) for line in Path(data).read_bytes().splitlines()]
    asked = Asked(samples, base)
    began = time.perf_counter()
    asyncio.run(CLIENTS[client](asked, int(concurrency)))
    wall = time.perf_counter() - began
    print(
        msgspec.json.encode(
            {"wall_s": wall, "n": len(samples), "ok": asked.ok, "tokens": asked.tokens}
        ).decode()
    )
    return 0 if asked.ok == len(samples) else 1


if __name__ == "__main__":
    sys.exit(main())
