"""Models behind Anthropic's messages: Claude, and servers that speak like it."""

from __future__ import annotations

from collections.abc import Mapping

from assay.keys import JSON
from assay.message import Request
from assay.models.anthropic_reply import AnthropicDecoder
from assay.models.anthropic_request import MAX_TOKENS, REPLY_TOOL, AnthropicWriter
from assay.models.decoder import calls_before
from assay.models.http_model import HttpModel
from assay.models.openai import listed_ids
from assay.ports import Capabilities, OnRead
from assay.transport.client import Client
from assay.transport.sink import BYTE_LIMIT, Clocks

VERSION = "2023-06-01"
"""The version of the API, which every request names."""

CAPABILITIES = Capabilities(json_object=False, seed=False)
"""This wire has no seed and no JSON without a schema; a schema goes by a tool that must be called."""


class AnthropicModel(HttpModel):
    """One model of one server; `base_url` is what stands before `/v1/messages`, or ends in `/v1`.

    `headers` and `fields` are added to each request. `max_tokens` bounds the output where a
    request does not: this wire wants a bound always.
    """

    def __init__(
        self,
        name: str,
        wire_model: str,
        base_url: str,
        key: str | None,
        client: Client,
        *,
        max_tokens: int = MAX_TOKENS,
        fields: Mapping[str, JSON] | None = None,
        clocks: Clocks = Clocks(),
        capabilities: Capabilities = CAPABILITIES,
        headers: Mapping[str, str] | None = None,
        byte_limit: int = BYTE_LIMIT,
    ) -> None:
        base = base_url.rstrip("/").removesuffix("/v1")
        sent = {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}
        super().__init__(
            name,
            _Anthropic(AnthropicWriter(wire_model, capabilities, max_tokens=max_tokens, fields=fields)),
            f"{base}/v1/messages",
            f"{base}/v1/models?limit=1000",
            client,
            key=key,
            headers={**sent, **(headers or {})},
            clocks=clocks,
            capabilities=capabilities,
            byte_limit=byte_limit,
        )


class _Anthropic:
    """The dialect."""

    def __init__(self, writer: AnthropicWriter) -> None:
        self.write = writer.write

    def decoder(self, request: Request, on_read: OnRead | None) -> AnthropicDecoder:
        reply_tool = REPLY_TOOL if request.format == "json_schema" else None
        return AnthropicDecoder(on_read, calls_before(request), reply_tool)

    def names(self, body: bytes) -> tuple[str, ...]:
        return listed_ids(body)
