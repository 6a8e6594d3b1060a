"""Models behind OpenAI's chat completions: OpenAI, Groq, vLLM and every compatible server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Reply, Request
from assay.models.http_errors import RAW_LIMIT, http_error
from assay.models.openai_reply import ReplyDecoder
from assay.models.openai_request import LengthField, RequestWriter
from assay.ports import Capabilities, OnRead
from assay.transport.client import Client
from assay.transport.sink import BYTE_LIMIT, Clocks, Headers, Progress, target

_OVERTAKEN = frozenset({ErrorClass.TRANSPORT, ErrorClass.TIMEOUT})


class OpenAIModel:
    """One model of one server; `base_url` is what stands before `/chat/completions`.

    The client and its connections belong to whoever made them: `close` leaves them open.
    `headers` and `fields` are added to each request. The key is sent as a bearer token, and is
    taken out of every text that an error carries.
    """

    def __init__(
        self,
        name: str,
        wire_model: str,
        base_url: str,
        key: str | None,
        client: Client,
        *,
        clocks: Clocks = Clocks(),
        capabilities: Capabilities = Capabilities(),
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, JSON] | None = None,
        length_field: LengthField = "max_tokens",
        byte_limit: int = BYTE_LIMIT,
    ) -> None:
        self._name = name
        self._capabilities = capabilities
        self._key = key
        self._client = client
        self._clocks = clocks
        self._byte_limit = byte_limit
        sent = {"user-agent": "assay", "content-type": "application/json", "accept": "*/*"}
        if key:
            sent["authorization"] = f"Bearer {key}"
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        base = base_url.rstrip("/")
        self._target = target(f"{base}/chat/completions", sent)
        self._models_target = target(f"{base}/models", sent, "GET")
        self._writer = RequestWriter(wire_model, capabilities, length_field=length_field, extra=fields)

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """One attempt. Raises CallError with its class, and with what had arrived by then."""
        body = self._writer.write(request)
        decoder = ReplyDecoder(on_read)
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
        body = _Body()
        await self._client.send(self._models_target, b"", body, clocks=self._clocks, limit=self._byte_limit)
        if body.status != 200:
            error = http_error(body.status, body.headers, body.data)
            self._redact(error)
            raise error
        try:
            listed = msgspec.json.decode(body.data, type=_Models)
        except (ValueError, RecursionError) as error:
            raise CallError(
                ErrorClass.PROTOCOL, "the list of models cannot be read", raw=body.data[:RAW_LIMIT]
            ) from error
        return tuple(model.id for model in listed.data)

    async def close(self) -> None:
        """Nothing is held here: the client's owner closes it."""

    def _redact(self, error: CallError) -> None:
        if self._key:
            error.detail = error.detail.replace(self._key, "[key]")
            error.raw = error.raw.replace(self._key.encode(), b"[key]")
            error.args = (f"{error.error}: {error.detail}",)


class _Listed(Struct, frozen=True):
    id: str


class _Models(Struct, frozen=True):
    data: list[_Listed]


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
