"""One end of the socket between a run's first process and a worker: whole messages, in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

M = TypeVar("M")

_HEAD = 4


class Line(asyncio.Protocol, Generic[M]):
    """Messages that are said in one turn of the event loop leave together.

    `heard` is called with each message that comes, `ended` once with what ended the line: None where
    the other end was closed. `decode` reads a message from the bytes of a frame.
    """

    def __init__(
        self,
        decode: Callable[[bytes], M],
        heard: Callable[[M], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        self._decode = decode
        self._heard = heard
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()
        self._leaving: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._failure: BaseException | None = None

    async def open(self, end: socket.socket) -> None:
        """Takes over the socket."""
        end.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)

    def say(self, frame: bytes) -> None:
        """Sends the frame with the others of this turn; where the other end is gone it is lost."""
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self._flush)
        self._leaving.append(frame)

    async def room(self) -> None:
        """Waits while the other end does not keep up."""
        await self._writable.wait()

    def close(self) -> None:
        """Sends what was said and closes."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        frames, self._leaving = self._leaving, []
        if frames and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(frames))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a socket's transport is one
        self._transport = transport
        transport.set_write_buffer_limits(high=1 << 20)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        at, end = 0, len(came)
        try:
            while end - at >= _HEAD:
                length = int.from_bytes(came[at : at + _HEAD], "little")
                if end - at - _HEAD < length:
                    break
                at += _HEAD + length
                self._heard(self._decode(bytes(came[at - length : at])))
        except BaseException as failure:  # noqa: BLE001  kept: whoever waits for the end raises it
            self._failure = failure
            if self._transport is not None:
                self._transport.abort()
        del came[:at]

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # an end that is gone, however it went
        self._writable.set()
        self._ended(self._failure)
