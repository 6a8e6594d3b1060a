"""A proxy that spoils TCP on purpose: the bytes of any server, late, few, in pieces, cut or changed."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Annotated, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

from assay.errors import UsageError
from assay.keys import JSON, random_stream

LOOPBACK = "127.0.0.1"
BLOCK = 64 * 1024
Much = Annotated[float, Meta(ge=0, le=1e9)]
Some = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Toxic(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", kw_only=True):
    """What is done to one direction of a share of the connections: `down` is from the server."""

    direction: Literal["down", "up"] = "down"
    share: Share = 1.0


class Latency(Toxic, frozen=True, tag="latency"):
    """Each piece comes `ms` later, give or take up to `jitter_ms`."""

    ms: Much
    jitter_ms: Much = 0.0


class Bandwidth(Toxic, frozen=True, tag="bandwidth"):
    """`bps` bytes a second."""

    bps: Annotated[float, Meta(gt=0)]


class Slicer(Toxic, frozen=True, tag="slicer"):
    """Pieces of `size` bytes, `ms` apart."""

    size: Some
    ms: Much = 0.0


class LimitData(Toxic, frozen=True, tag="limit_data"):
    """Closed (FIN) after `bytes` bytes."""

    bytes: Annotated[int, Meta(ge=0)]


class Timeout(Toxic, frozen=True, tag="timeout"):
    """No byte passes, and the connection is closed (FIN) after `ms`."""

    ms: Much


class ResetPeer(Toxic, frozen=True, tag="reset_peer"):
    """Reset (RST) `ms` after it was opened."""

    ms: Much = 0.0


class SlowClose(Toxic, frozen=True, tag="slow_close"):
    """The end (FIN) is passed on `ms` later."""

    ms: Much


class Corrupt(Toxic, frozen=True, tag="corrupt"):
    """One bit of the byte number `at` (from 0) is turned over."""

    at: Annotated[int, Meta(ge=0)] = 0


class BlackHole(Toxic, frozen=True, tag="black_hole"):
    """Every byte is taken and none is passed on, for ever."""


AnyToxic = Latency | Bandwidth | Slicer | LimitData | Timeout | ResetPeer | SlowClose | Corrupt | BlackHole
Kind = TypeVar("Kind", bound=Toxic)


def toxics_of(value: JSON) -> tuple[AnyToxic, ...]:
    """The toxics of a JSON list of objects with a `name`. Raises UsageError."""
    try:
        return msgspec.convert(value, tuple[AnyToxic, ...])
    except msgspec.ValidationError as problem:
        fix = 'send a list such as [{"name": "latency", "ms": 100, "share": 0.5}]'
        raise UsageError(f"toxics: {problem}", fix=fix) from problem


def address_of(text: str) -> tuple[str, int]:
    """HOST and PORT of `HOST:PORT`. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{text!r} is no address", fix="write --proxy HOST:PORT")
    return host.strip("[]"), int(port)


class Proxy:
    """Listens on loopback and passes each connection on to `host`:`port`, through its toxics.

    Which connections a toxic of a share hits is drawn by seed, its place in the list and the
    connection's number. New toxics hold for connections that are opened after them.
    """

    def __init__(
        self, host: str, port: int, *, toxics: Sequence[AnyToxic] = (), seed: int = 0, at: int = 0
    ) -> None:
        self.toxics = tuple(toxics)
        self._upstream = (host, port)
        self._seed = seed
        self._at = at
        self._numbers = itertools.count(1)
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def root(self) -> str:
        """Where clients go instead of the server: http://host:port."""
        return f"http://{LOOPBACK}:{self._at}"

    async def start(self) -> str:
        """Listens; returns the address. Raises UsageError where the port is taken."""
        try:
            self._server = await asyncio.start_server(self._accepted, LOOPBACK, self._at, backlog=4096)
        except OSError as problem:
            fix = "name another --port, or 0 for a free one"
            raise UsageError(f"port {self._at} cannot be used: {problem.strerror}", fix=fix) from problem
        self._at = self._server.sockets[0].getsockname()[1]
        return self.root

    async def stop(self) -> None:
        """Listens no more, and resets what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        number = next(self._numbers)
        try:
            from_server, to_server = await asyncio.open_connection(*self._upstream)
        except OSError:
            reset(writer)
            return
        ends = (writer, to_server)
        flows = (
            Flow(from_server, writer, self._drawn(number, "down"), random_stream(self._seed, "down", number)),
            Flow(reader, to_server, self._drawn(number, "up"), random_stream(self._seed, "up", number)),
        )
        passing = [asyncio.ensure_future(flow.run()) for flow in flows]
        try:
            # a half that was closed leaves the other open; a half that cuts closes both
            for done in asyncio.as_completed(passing):
                if await done:
                    break
        finally:
            for each in passing:
                each.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            hard = any(flow.resets for flow in flows) or self._server is None
            for end in ends:
                reset(end) if hard else end.close()
            for end in ends:
                with suppress(OSError):
                    await end.wait_closed()

    def _drawn(self, number: int, direction: str) -> tuple[AnyToxic, ...]:
        """The toxics that hit one direction of one connection."""
        return tuple(
            toxic
            for place, toxic in enumerate(self.toxics)
            if toxic.direction == direction
            and random_stream(self._seed, "toxic", place, number).random() < toxic.share
        )


class Flow:
    """One direction of one connection, through the toxics that hit it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        toxics: tuple[AnyToxic, ...],
        draw: random.Random,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._toxics = toxics
        self._draw = draw
        self._passed = 0
        self.resets = False

    async def run(self) -> bool:
        """Passes bytes on until the end; says whether the whole connection ends with it."""
        if (until := self._of(ResetPeer)) is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(until.ms / 1e3):
                    await self._pass()
                    await asyncio.Event().wait()
            self.resets = True
            return True
        if (after := self._of(Timeout)) is not None:
            await asyncio.sleep(after.ms / 1e3)
            return True
        return await self._pass()

    def _of(self, kind: type[Kind]) -> Kind | None:
        return next((toxic for toxic in self._toxics if isinstance(toxic, kind)), None)

    async def _pass(self) -> bool:
        limit, hole, late = self._of(LimitData), self._of(BlackHole), self._of(SlowClose)
        with suppress(OSError):
            while data := await self._reader.read(BLOCK):
                if hole is not None:
                    continue
                for piece in self._pieces(self._corrupted(data)):
                    allowed = piece if limit is None else piece[: max(0, limit.bytes - self._passed)]
                    if allowed:
                        await self._send(allowed)
                    if limit is not None and self._passed >= limit.bytes:
                        return True
            if hole is not None:
                await asyncio.Event().wait()
            if late is not None:
                await asyncio.sleep(late.ms / 1e3)
            self._writer.write_eof()
        return False

    def _corrupted(self, data: bytes) -> bytes:
        toxic = self._of(Corrupt)
        at = -1 if toxic is None else toxic.at - self._passed
        return data if not 0 <= at < len(data) else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        slicer = self._of(Slicer)
        size = len(data) if slicer is None else slicer.size
        return (data[n : n + size] for n in range(0, len(data), size))

    async def _send(self, piece: bytes) -> None:
        """Sends a piece when it is due."""
        wait = 0.0
        if (late := self._of(Latency)) is not None:
            wait += max(0.0, late.ms + self._draw.uniform(-1, 1) * late.jitter_ms) / 1e3
        if (narrow := self._of(Bandwidth)) is not None:
            wait += len(piece) / narrow.bps
        if (slicer := self._of(Slicer)) is not None and self._passed:
            wait += slicer.ms / 1e3
        if wait:
            await asyncio.sleep(wait)
        self._passed += len(piece)
        self._writer.write(piece)
        await self._writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset (RST)."""
    sock: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def markdown() -> str:
    """The table of toxics, for the page of faults."""
    rows = ["| toxic | what happens | parameters |", "|---|---|---|"]
    for kind in (Latency, Bandwidth, Slicer, LimitData, Timeout, ResetPeer, SlowClose, Corrupt, BlackHole):
        fields = [
            each.name if each.required else f"{each.name}={each.default:g}"
            for each in msgspec.structs.fields(kind)
            if each.name not in Toxic.__struct_fields__
        ]
        rows.append(f"| `{kind.__struct_config__.tag}` | {kind.__doc__} | {', '.join(fields)} |")
    return "\n".join(rows) + "\n"
