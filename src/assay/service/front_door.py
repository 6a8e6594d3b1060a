"""What stands before every request: the Host must be ours, and no other site's page may post."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from assay.service.answers import Problem
from assay.service.problems import MEDIA_TYPE, problem

READING = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL = ("127.0.0.1", "localhost", "::1")


class FrontDoor:
    """An ASGI application around another.

    A page of another site can have the browser send requests here, and can make its own name lead to
    127.0.0.1: the first shows in Origin and Sec-Fetch-Site, the second in Host.
    """

    def __init__(self, inner: ASGIApp, host: str, origins: Collection[str]) -> None:
        self._inner = inner
        self._hosts = frozenset({host.lower(), *LOCAL})
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            refusal = self._refusal(scope["method"], headers)
            if refusal is not None:
                await _say(refusal, send)
                return
        await self._inner(scope, receive, send)

    def _refusal(self, method: str, headers: dict[bytes, str]) -> Problem | None:
        host = headers.get(b"host", "")
        if _name(f"//{host}") not in self._hosts:
            return problem(421, "this service does not answer for that Host", "call it by 127.0.0.1")
        if method in READING:
            return None
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", "none")
        if origin is None and site in ("none", "same-origin"):
            return None
        if origin in self._origins or origin in (f"http://{host}", f"https://{host}"):
            return None
        return problem(403, "pages of another site may not post here", "list its origin in CORS_ORIGINS")


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


async def _say(refusal: Problem, send: Send) -> None:
    body = msgspec.json.encode(refusal)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
