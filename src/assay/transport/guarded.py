"""HTTP to addresses that configuration names but nobody vouches for: webhooks and tools."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from assay.errors import CallError, ErrorClass
from assay.ports import Fetched
from assay.transport.addresses import is_public
from assay.transport.sink import timed_out

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from aiohttp.abc import ResolveResult

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to all its addresses, as text. Raises OSError for an unknown name."""

_CONNECT, _TOTAL = 2.0, 5.0
_BODY_LIMIT = 64 * 1024
_AMBIGUOUS = frozenset(' \\<>"^`{|}')


class GuardedFetch:
    """Posts to https addresses of the open internet, and to nothing else.

    All addresses of a host are looked up and checked, and the connection goes to a checked one:
    no second look-up can turn it. Redirects are refused, proxies of the environment ignored,
    nothing is decompressed. Times are 2 s to connect and 5 s in all, a body at most 64 KiB.

    `allow_hosts` ("host" or "host:port"), where given, names the only hosts that may be reached;
    a port other than 443 (80 with `allow_http`) must be named there. `allow_private` lets private
    addresses and any port through: for tests on loopback.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        allow_private: bool = False,
        allow_hosts: Sequence[str] = (),
        resolve: Resolve | None = None,
        connect: float = _CONNECT,
        total: float = _TOTAL,
        body_limit: int = _BODY_LIMIT,
    ) -> None:
        self._schemes = {"https": 443, "http": 80} if allow_http else {"https": 443}
        self._allow_private = allow_private
        self._allow_hosts = frozenset(host.lower() for host in allow_hosts)
        self._resolve = resolve or _system_resolve
        self._connect = connect
        self._total = total
        self._body_limit = body_limit
        self._session: ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Fetched:
        """The answer, whatever its status.

        Raises CallError: `rejected` for an address that may not be reached and for a redirect,
        else what went wrong on the way.
        """
        import aiohttp  # 0.2 s that only runs with webhooks or tools pay

        parts = self._checked(url)
        if self._session is None:
            self._session = self._open()
        sent = {**headers, "Accept-Encoding": "identity"}
        timeout = aiohttp.ClientTimeout(total=self._total, sock_connect=self._connect, connect=self._connect)
        try:
            host = parts.hostname or ""
            if ":" in host or host.replace(".", "").isdigit():  # aiohttp looks up all others
                await self._addresses(host, parts.port or self._schemes[parts.scheme])
            async with self._session.post(
                url, data=body, headers=sent, timeout=timeout, allow_redirects=False
            ) as response:
                return await self._read(response)
        except aiohttp.ConnectionTimeoutError as error:
            raise timed_out("connect") from error
        except TimeoutError as error:
            raise timed_out("total") from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise CallError(ErrorClass.CONNECT, str(error)[:200]) from error
        except (aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise CallError(ErrorClass.TRANSPORT, str(error)[:200]) from error
        except aiohttp.ClientError as error:
            raise CallError(ErrorClass.PROTOCOL, str(error)[:200]) from error

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> ClientSession:
        import aiohttp

        guard = self

        class Checked(aiohttp.abc.AbstractResolver):
            """Gives out checked addresses only, whoever asks."""

            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
            ) -> list[ResolveResult]:
                found = [_result(host, address, port) for address in await guard._addresses(host, port)]
                return [result for result in found if family in (socket.AF_UNSPEC, result["family"])]

            async def close(self) -> None:
                """Nothing is held."""

        connector = aiohttp.TCPConnector(resolver=Checked(), use_dns_cache=False, force_close=True)
        return aiohttp.ClientSession(
            connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise _refused(f"the address cannot be read: {error}") from error
        if parts.scheme not in self._schemes or not host:
            raise _refused(
                f"{parts.scheme or 'no scheme'}: only {' and '.join(self._schemes)} may be reached"
            )
        if parts.username is not None or parts.password is not None or parts.fragment or "#" in url:
            raise _refused("an address with a user name, a password or a fragment")
        if not url.isascii() or not url.isprintable() or _AMBIGUOUS & set(url) or "%" in parts.netloc:
            raise _refused("an address with characters that readers of addresses disagree on")
        named = f"{host}:{port}" in self._allow_hosts
        if self._allow_hosts and not named and host not in self._allow_hosts:
            raise _refused(f"{host} is not among the hosts that may be reached")
        if port not in (None, self._schemes[parts.scheme]) and not named and not self._allow_private:
            raise _refused(f"port {port} of {host} is not among those that may be reached")
        return parts

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of the host, none of which may be a private one."""
        try:
            async with asyncio.timeout(self._connect):
                found = await self._resolve(host, port)
        except TimeoutError as error:
            raise timed_out("connect") from error
        except (OSError, UnicodeError) as error:
            raise CallError(ErrorClass.CONNECT, f"{host}: unknown host") from error
        if not found:
            raise CallError(ErrorClass.CONNECT, f"{host}: unknown host")
        if not self._allow_private and not all(map(is_public, found)):
            raise _refused(f"{host} leads to an address that is not of the open internet")
        return found

    async def _read(self, response: ClientResponse) -> Fetched:
        if 300 <= response.status < 400:
            raise CallError(ErrorClass.REJECTED, "a redirect, which is not followed", status=response.status)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CallError(
                ErrorClass.PROTOCOL, "a content-encoding that nobody asked for", status=response.status
            )
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._body_limit:
                raise CallError(
                    ErrorClass.TOO_LARGE, f"more than {self._body_limit} bytes", status=response.status
                )
        return Fetched(
            response.status, bytes(body), {name.lower(): value for name, value in response.headers.items()}
        )


def _refused(problem: str) -> CallError:
    return CallError(ErrorClass.REJECTED, f"refused: {problem}"[:200])


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
