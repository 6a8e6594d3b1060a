"""A model behind HTTP: one request, one reply, whatever dialect its two ends speak."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, quote_plus

from assay.errors import CallError, ErrorClass
from assay.message import Instants, Reply, Request
from assay.models.http_errors import http_error
from assay.ports import Capabilities, OnRead
from assay.transport.client import Client
from assay.transport.sink import BYTE_LIMIT, Clocks, Headers, Progress, Sink, Target, target

_OVERTAKEN = frozenset({ErrorClass.TRANSPORT, ErrorClass.TIMEOUT})


class Decoding(Sink, Protocol):
    """The sink of one response, which is asked for the reply when all bytes have come."""

    @property
    def ended(self) -> bool:
        """Whether the dialect's end mark has come."""
        ...

    def reply(self, instants: Instants) -> Reply:
        """The whole answer. Raises CallError for a response that is none."""
        ...

    def partial(self, instants: Instants) -> Reply:
        """What has come by now."""
        ...


class Dialect(Protocol):
    """What is particular to a wire: a request to bytes, a response to a reply. Pure."""

    def write(self, request: Request) -> bytes:
        """The body. Raises CallError(REJECTED) for what this wire cannot carry."""
        ...

    def decoder(self, request: Request, on_read: OnRead | None) -> Decoding: ...

    def names(self, body: bytes) -> tuple[str, ...]:
        """The models that a server's list of them names. Raises CallError."""
        ...


class HttpModel:
    """One model of one server.

    The client and its connections belong to whoever made them: `close` leaves them open.
    The key is taken out of every text that an error carries.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        chat_url: str,
        list_url: str,
        client: Client,
        *,
        key: str | None,
        headers: Mapping[str, str],
        clocks: Clocks = Clocks(),
        capabilities: Capabilities = Capabilities(),
        byte_limit: int = BYTE_LIMIT,
    ) -> None:
        self._name = name
        self._dialect = dialect
        self._client = client
        self._key = key
        self._clocks = clocks
        self._capabilities = capabilities
        self._byte_limit = byte_limit
        sent = {"user-agent": "assay", "content-type": "application/json", "accept": "*/*"}
        sent.update({name.lower(): value for name, value in headers.items()})
        self._target = target(chat_url, sent)
        self._list_target = target(list_url, sent, "GET")

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """One attempt. Raises CallError with its class, and with what had arrived by then."""
        body = self._dialect.write(request)
        decoder = self._dialect.decoder(request, on_read)
        try:
            instants = await self._client.send(
                self._target, body, decoder, clocks=self._clocks, limit=self._byte_limit
            )
        except CallError as error:
            instants = error.partial.instants
            # What comes after the end mark cannot spoil the answer before it.
            if not (decoder.ended and error.error in _OVERTAKEN):
                error.partial = decoder.partial(instants)
                self._redact(error)
                raise
        try:
            return decoder.reply(instants)
        except CallError as error:
            error.partial = decoder.partial(instants)
            self._redact(error)
            raise

    async def list_models(self) -> tuple[str, ...]:
        """The names that the server offers, for a check before a run. Raises CallError."""
        return self._dialect.names(await self._get(self._list_target))

    async def close(self) -> None:
        """Nothing is held here: the client's owner closes it."""

    async def _get(self, where: Target) -> bytes:
        body = _Body()
        try:
            await self._client.send(where, b"", body, clocks=self._clocks, limit=self._byte_limit)
            if body.status != 200:
                raise http_error(body.status, body.headers, body.data)
        except CallError as error:
            self._redact(error)
            raise
        return body.data

    def _redact(self, error: CallError) -> None:
        if self._key:
            for spelling in _spellings(self._key):
                error.detail = error.detail.replace(spelling, "[key]")
                error.raw = error.raw.replace(spelling.encode("utf-8", "replace"), b"[key]")
            error.args = (f"{error.error}: {error.detail}",)


def _spellings(key: str) -> list[str]:
    """The key as it is, and as servers and proxies may write it in URLs, JSON and pages; longest first."""
    within_json = json.dumps(key)[1:-1]
    every = {key, quote(key), quote(key, safe=""), quote_plus(key), html.escape(key), within_json}
    every |= {json.dumps(within_json)[1:-1], within_json.replace("/", "\\/"), html.escape(within_json)}
    return sorted(every, key=len, reverse=True)


class _Body:
    """A sink that keeps the body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = {}
        self._pieces: list[bytes] = []

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)

    def head(self, status: int, headers: Headers, _at: int) -> None:
        self.status, self.headers = status, headers

    def feed(self, data: bytes, _at: int, _read: int) -> Progress:
        self._pieces.append(data)
        return Progress.CONTENT
