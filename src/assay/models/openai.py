"""Models behind OpenAI's chat completions: OpenAI, Groq, vLLM and every compatible server."""

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
from assay.models.openai_reply import ReplyDecoder
from assay.models.openai_request import LengthField, RequestWriter
from assay.ports import Capabilities, OnRead
from assay.transport.client import Client
from assay.transport.sink import BYTE_LIMIT, Clocks


class OpenAIModel(HttpModel):
    """One model of one server; `base_url` is what stands before `/chat/completions`.

    `headers` and `fields` are added to each request. The key is sent as a bearer token.
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
        base = base_url.rstrip("/")
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        super().__init__(
            name,
            _OpenAI(RequestWriter(wire_model, capabilities, length_field=length_field, extra=fields)),
            f"{base}/chat/completions",
            f"{base}/models",
            client,
            key=key,
            headers={**bearer, **(headers or {})},
            clocks=clocks,
            capabilities=capabilities,
            byte_limit=byte_limit,
        )


class _OpenAI:
    """The dialect."""

    def __init__(self, writer: RequestWriter) -> None:
        self.write = writer.write

    def decoder(self, request: Request, on_read: OnRead | None) -> ReplyDecoder:
        return ReplyDecoder(on_read, calls_before(request))

    def names(self, body: bytes) -> tuple[str, ...]:
        return listed_ids(body)


class _Listed(Struct, frozen=True):
    id: str


class _Models(Struct, frozen=True):
    data: list[_Listed]


def listed_ids(body: bytes) -> tuple[str, ...]:
    """The ids of `{"data": [{"id": ...}]}`. Raises CallError(PROTOCOL) for anything else."""
    try:
        listed = msgspec.json.decode(body, type=_Models)
    except (ValueError, RecursionError) as error:
        raise CallError(
            ErrorClass.PROTOCOL, "the list of models cannot be read", raw=body[:RAW_LIMIT]
        ) from error
    return tuple(model.id for model in listed.data)
