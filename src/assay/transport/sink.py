"""What a request goes with: its target, its clocks, and the sink that its response is told to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from assay.errors import CallError, ErrorClass, UsageError

BYTE_LIMIT = 8 * 1024 * 1024
"""Bytes of one response, head and body, beyond which it is refused."""

Headers = dict[bytes, bytes]
"""Response headers with lower-case names; of equal names the last."""


class Clocks(Struct, frozen=True, forbid_unknown_fields=True):
    """Four limits in seconds.

    `connect` bounds name, socket and TLS; `first_byte` the wait from the request's first byte to
    the answer's first content; `idle` each wait for more content after that (comments and
    keep-alives are no content); `total` the whole attempt.
    """

    connect: float = 10.0
    first_byte: float = 120.0
    idle: float = 60.0
    total: float = 600.0


class Progress(IntEnum):
    """What a sink says of the bytes it was fed."""

    NOTHING = 0
    CONTENT = 1
    END = 2
    """The answer is whole, whatever the body still brings."""


class Sink(Protocol):
    """Takes a response as it arrives, inside the reader: it must not block."""

    def head(self, status: int, headers: Headers, at: int, /) -> None:
        """The head is whole; `at` is monotonic ns."""
        ...

    def feed(self, data: bytes, at: int, read: int, /) -> Progress:
        """The body bytes of one socket read: its stamp (monotonic ns) and its number, from 1.

        Raises CallError to refuse the response; the connection is then closed.
        """
        ...


class Origin(NamedTuple):
    """Where connections are shared."""

    scheme: Literal["http", "https"]
    host: str
    port: int


class Target(Struct, frozen=True):
    """A method on a URL with its headers: `head` is all of the request but length and body."""

    origin: Origin
    head: bytes


def target(url: str, headers: Mapping[str, str], method: Literal["POST", "GET"] = "POST") -> Target:
    """The target of a URL. Raises UsageError for a URL or header that cannot be sent."""
    origin, path = _locate(url)
    shown = f"[{origin.host}]" if ":" in origin.host else origin.host
    default = 443 if origin.scheme == "https" else 80
    host = shown if origin.port == default else f"{shown}:{origin.port}"
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "accept-encoding: identity"]
    for name, value in headers.items():
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise UsageError(f"{name!r} is no header name", fix="use letters, digits and hyphens")
        if not value.isascii() or not value.isprintable():
            raise UsageError(
                f"the value of header {name} holds a line break or a letter outside ASCII",
                fix="check the key or header for a stray line break or quote",
            )
        lines.append(f"{name.lower()}: {value}")
    return Target(origin, ("\r\n".join(lines) + "\r\ncontent-length: ").encode("ascii"))


def _locate(url: str) -> tuple[Origin, str]:
    fix = "write it like https://host:port/v1"
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("ascii" if ":" in (parts.hostname or "") else "idna").decode()
    except ValueError as error:
        raise UsageError(f"{url!r} is no address: {error}", fix=fix) from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{url!r} is no http or https address", fix=fix)
    if parts.username is not None or parts.password is not None:
        raise UsageError("the address holds a user name or password", fix="give the key by itself")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise UsageError(f"the path of {url!r} holds characters that cannot be sent", fix=fix)
    if parts.scheme == "https":
        return Origin("https", host, port or 443), path
    return Origin("http", host, port or 80), path


def timed_out(clock: Literal["connect", "first_byte", "idle", "total"]) -> CallError:
    """The error of a clock that ran out."""
    return CallError(ErrorClass.TIMEOUT, clock)
