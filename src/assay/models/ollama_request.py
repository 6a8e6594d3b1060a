"""A Request as the JSON body of Ollama's /api/chat."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Message, Request
from assay.models.openai_request import check_carried, encoded, openai_tool
from assay.ports import Capabilities

NUM_CTX = 8192
"""Tokens of context that are asked for where nothing else is said. Without a number Ollama takes
its own default, which differs between versions, and cuts longer prompts without a word."""


class OllamaWriter:
    """Writes the requests for one model. `fields` are added to each body and `options` to its
    options; they win over the writer's own.
    """

    def __init__(
        self,
        wire_model: str,
        capabilities: Capabilities,
        *,
        num_ctx: int = NUM_CTX,
        options: Mapping[str, JSON] | None = None,
        fields: Mapping[str, JSON] | None = None,
    ) -> None:
        self._model = wire_model
        self._capabilities = capabilities
        self._num_ctx = num_ctx
        self._options = dict(options or {})
        self._fields = dict(fields or {})

    def write(self, request: Request) -> bytes:
        """The body. Raises CallError(REJECTED) for what this wire cannot carry."""
        check_carried(self._model, request, self._capabilities)
        body: dict[str, JSON] = {
            "model": self._model,
            "messages": _messages(request.messages),
            "stream": request.stream and self._capabilities.stream,
            "options": self._options_of(request),
        }
        if request.tools and self._offers(request):
            body["tools"] = [openai_tool(tool) for tool in request.tools]
        if request.format == "json_object":
            body["format"] = "json"
        elif request.format == "json_schema":
            body["format"] = request.schema
        if (effort := request.sampling.reasoning_effort) is not None:
            body["think"] = False if effort == "none" else effort
        body.update(self._fields)
        return encoded(body)

    def _offers(self, request: Request) -> bool:
        """Whether the tools are offered: this wire cannot insist on a call, but it can leave them out."""
        if request.tool_choice not in (None, "auto", "none"):
            raise CallError(
                ErrorClass.REJECTED, f"{self._model} cannot be asked with tool choice {request.tool_choice}"
            )
        return request.tool_choice != "none"

    def _options_of(self, request: Request) -> dict[str, JSON]:
        sampling = request.sampling
        given: dict[str, JSON] = {
            "num_ctx": self._num_ctx,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "num_predict": sampling.max_tokens,
            "stop": sampling.stop or None,
            "seed": sampling.seed if self._capabilities.seed else None,
            **self._options,
        }
        return {name: value for name, value in given.items() if value is not None}


def _messages(messages: tuple[Message, ...]) -> list[JSON]:
    out: list[JSON] = []
    called: dict[str, str] = {}  # older versions know a result by the name of its tool alone
    for message in messages:
        said: dict[str, JSON] = {"role": message.role, "content": message.text}
        if message.tool_calls:
            said["tool_calls"] = [
                {
                    "id": call.id,
                    "function": {"index": n, "name": call.name, "arguments": object_of(call.arguments)},
                }
                for n, call in enumerate(message.tool_calls)
            ]
            called.update({call.id: call.name for call in message.tool_calls})
        if (answered := message.tool_call_id) is not None:
            said["tool_call_id"] = answered
            if answered in called:
                said["tool_name"] = called[answered]
        out.append(said)
    return out


def object_of(arguments: str) -> JSON:
    """The arguments of a call as the object that some wires want, its text unchanged.

    What is no object (a call that a length limit cut) goes as {"INVALID_JSON": text}, so that
    the model is shown what it wrote.
    """
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return msgspec.Raw(arguments.encode())
    except (ValueError, RecursionError):
        pass
    return {"INVALID_JSON": arguments}
