"""Models behind Ollama's own API: /api/chat in lines of JSON, with its counters and its digest."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Request
from assay.models.decoder import calls_before
from assay.models.http_errors import RAW_LIMIT
from assay.models.http_model import HttpModel
from assay.models.ollama_reply import OllamaDecoder
from assay.models.ollama_request import NUM_CTX, OllamaWriter
from assay.ports import Capabilities, OnRead
from assay.transport.client import Client
from assay.transport.sink import BYTE_LIMIT, Clocks, target


class OllamaModel(HttpModel):
    """One model of one server; `base_url` is what stands before `/api/chat`.

    An address that ends in `/v1` or `/api` is taken without that. `num_ctx` is sent with every
    request. The key, where there is one, is sent as a bearer token. Once `list_models` has been
    asked, the digest of the model's weights is the fingerprint of each reply.
    """

    def __init__(
        self,
        name: str,
        wire_model: str,
        base_url: str,
        key: str | None,
        client: Client,
        *,
        num_ctx: int = NUM_CTX,
        options: Mapping[str, JSON] | None = None,
        fields: Mapping[str, JSON] | None = None,
        clocks: Clocks = Clocks(),
        capabilities: Capabilities = Capabilities(),
        headers: Mapping[str, str] | None = None,
        byte_limit: int = BYTE_LIMIT,
    ) -> None:
        base = base_url.rstrip("/").removesuffix("/v1").removesuffix("/api")
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        writer = OllamaWriter(wire_model, capabilities, num_ctx=num_ctx, options=options, fields=fields)
        super().__init__(
            name,
            _Ollama(wire_model, writer),
            f"{base}/api/chat",
            f"{base}/api/tags",
            client,
            key=key,
            headers={**bearer, **(headers or {})},
            clocks=clocks,
            capabilities=capabilities,
            byte_limit=byte_limit,
        )
        self._loaded_target = target(f"{base}/api/ps", {"user-agent": "assay", **bearer}, "GET")

    async def loaded(self) -> tuple[str, ...]:
        """The models that the server holds in memory now. Raises CallError."""
        return tuple(model.name for model in _listed(await self._get(self._loaded_target)))


class _Ollama:
    """The dialect, and the digest that the server gave for its model."""

    def __init__(self, wire_model: str, writer: OllamaWriter) -> None:
        self.write = writer.write
        self._model = wire_model
        self._digest: str | None = None

    def decoder(self, request: Request, on_read: OnRead | None) -> OllamaDecoder:
        return OllamaDecoder(on_read, calls_before(request), self._digest)

    def names(self, body: bytes) -> tuple[str, ...]:
        listed = _listed(body)
        mine = [model.digest for model in listed if self._model in model.names]
        self._digest = mine[0] if mine else None
        return tuple(name for model in listed for name in model.names)


class _Installed(Struct, frozen=True):
    name: str
    digest: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: the tag `latest` need not be said."""
        bare = self.name.removesuffix(":latest")
        return (self.name,) if bare == self.name else (self.name, bare)


class _Listing(Struct, frozen=True):
    models: list[_Installed] | None


def _listed(body: bytes) -> list[_Installed]:
    try:
        return msgspec.json.decode(body, type=_Listing).models or []
    except (ValueError, RecursionError) as error:
        raise CallError(
            ErrorClass.PROTOCOL, "the list of models cannot be read", raw=body[:RAW_LIMIT]
        ) from error
