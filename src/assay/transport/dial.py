"""Making a connection: names to addresses, addresses to a socket, the socket to TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

from assay.errors import CallError, ErrorClass
from assay.transport.sink import Clocks, Origin, timed_out
from assay.transport.tls import Tls

Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""An address family and what a socket of it connects to."""

_KEEP_NAMES = 10.0


class Names:
    """Looks names up once for all connections that open together, and keeps the answer 10 s."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """All addresses of a host, in the system's order. Raises OSError for an unknown name."""
        if (literal := _literal(host, port)) is not None:
            return [literal]
        expires, known = self._known.get((host, port), (0.0, []))
        if expires > time.monotonic():
            return known
        task = self._asking.get((host, port))
        if task is None:
            task = asyncio.create_task(self._look_up(host, port))
            self._asking[host, port] = task
            task.add_done_callback(lambda done: self._answered((host, port), done))
        return await asyncio.shield(task)

    async def _look_up(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(int(family), _host_and_port(address)) for family, _, _, _, address in found]

    def _answered(self, name: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        del self._asking[name]
        # exception() also marks it as seen, for when everyone who asked has been cancelled
        if not task.cancelled() and task.exception() is None:
            self._known[name] = (time.monotonic() + _KEEP_NAMES, task.result())

    async def close(self) -> None:
        """Gives up what is being looked up."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _host_and_port(
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
) -> tuple[str, int] | tuple[str, int, int, int]:
    if isinstance(address[0], int):
        raise OSError("this Python was built without IPv6")
    return address


def _literal(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return (family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None


async def dial(
    origin: Origin, clocks: Clocks, names: Names, context: ssl.SSLContext | None
) -> tuple[socket.socket, Tls | None]:
    """A connected socket, with its TLS session for an https origin.

    Raises CallError: `connect` when it is refused, unknown or untrusted, `timeout` by its clock.
    """
    try:
        async with asyncio.timeout(min(clocks.connect, clocks.total)):
            sock = await _connect_any(await names.addresses(origin.host, origin.port), clocks.connect)
            try:
                return sock, await _secure(sock, origin, context)
            except BaseException:
                sock.close()
                raise
    except TimeoutError as error:
        raise timed_out("connect" if clocks.connect <= clocks.total else "total") from error
    except OSError as error:
        detail = str(error.strerror or error)[:200]
        raise CallError(ErrorClass.CONNECT, f"{origin.host}:{origin.port}: {detail}") from error


async def _secure(sock: socket.socket, origin: Origin, context: ssl.SSLContext | None) -> Tls | None:
    if context is None:
        return None
    tls = Tls(context, origin.host)
    await tls.shake_hands(asyncio.get_running_loop(), sock)
    return tls


async def _connect_any(addresses: list[Address], limit: float) -> socket.socket:
    """The first address that answers.

    Each may take its share of the clock, so that a black hole does not keep the others from
    being tried.
    """
    problem: OSError | None = None
    for address in addresses:
        try:
            async with asyncio.timeout(limit / len(addresses)):
                return await _connect(address)
        except OSError as error:  # TimeoutError is one of them
            problem = error
    raise problem or OSError("no address")


async def _connect(address: Address) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock
