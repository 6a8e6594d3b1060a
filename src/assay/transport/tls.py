"""TLS over a plain non-blocking socket, so that the socket's own receive stamps stay in sight."""

from __future__ import annotations

import asyncio
import socket
import ssl

_CHUNK = 65_536


class Tls:
    """One TLS session between the socket's bytes and the connection's."""

    __slots__ = ("_incoming", "_object", "_outgoing")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def shake_hands(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Raises OSError (ssl.SSLError among them) when no trusted session comes about."""
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(sock, self._outgoing.read())
                data = await loop.sock_recv(sock, _CHUNK)
                if not data:
                    raise ConnectionResetError("closed during the TLS handshake") from None
                self._incoming.write(data)
            else:
                await loop.sock_sendall(sock, self._outgoing.read())
                return

    def encrypt(self, data: bytes) -> bytes:
        """What to send for these bytes."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """The bytes that these brought, and whether the peer has closed the session.

        Raises ssl.SSLError for a broken record.
        """
        self._incoming.write(data)
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(_CHUNK):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(pieces), False
        except ssl.SSLZeroReturnError:
            pass
        return b"".join(pieces), True

    def owed(self) -> bytes:
        """What the session itself wants sent (key updates)."""
        return self._outgoing.read() if self._outgoing.pending else b""
