"""A Request as the JSON body of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Message, Request, ToolSpec
from assay.ports import Capabilities

LengthField = Literal["max_tokens", "max_completion_tokens"]
"""How a server calls the bound on output tokens; OpenAI's own host wants the second."""


class RequestWriter:
    """Writes the requests for one model.

    `extra` are fields that its owner adds to each body; they win over the writer's own. Tools
    and schema of the request before are kept encoded, since they seldom change.
    """

    def __init__(
        self,
        wire_model: str,
        capabilities: Capabilities,
        *,
        length_field: LengthField = "max_tokens",
        extra: Mapping[str, JSON] | None = None,
    ) -> None:
        self._model = wire_model
        self._capabilities = capabilities
        self._length_field = length_field
        self._extra = dict(extra or {})
        self._tools: tuple[tuple[ToolSpec, ...], msgspec.Raw] = ((), msgspec.Raw(b"[]"))
        self._schema: tuple[JSON, msgspec.Raw] = (None, msgspec.Raw(b"null"))

    def write(self, request: Request) -> bytes:
        """The body. Raises CallError(REJECTED) for what this wire cannot carry."""
        check_carried(self._model, request, self._capabilities)
        body: dict[str, JSON] = {"model": self._model, "messages": [_message(m) for m in request.messages]}
        if request.tools:
            body["tools"] = self._tools_of(request.tools)
            if request.tool_choice is not None:
                body["tool_choice"] = _tool_choice(request.tool_choice)
        if request.format != "text":
            body["response_format"] = self._format_of(request)
        self._add_sampling(body, request)
        if request.stream and self._capabilities.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        body.update(self._extra)
        return encoded(body)

    def _add_sampling(self, body: dict[str, JSON], request: Request) -> None:
        sampling = request.sampling
        given: dict[str, JSON] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._length_field: sampling.max_tokens,
            "stop": sampling.stop or None,
            "seed": sampling.seed if self._capabilities.seed else None,
            "reasoning_effort": sampling.reasoning_effort,
        }
        body.update({name: value for name, value in given.items() if value is not None})

    def _tools_of(self, tools: tuple[ToolSpec, ...]) -> msgspec.Raw:
        if self._tools[0] is not tools:
            self._tools = (tools, msgspec.Raw(msgspec.json.encode([openai_tool(tool) for tool in tools])))
        return self._tools[1]

    def _format_of(self, request: Request) -> JSON:
        if request.format == "json_object":
            return {"type": "json_object"}
        if self._schema[0] is not request.schema:
            self._schema = (request.schema, msgspec.Raw(msgspec.json.encode(request.schema)))
        schema = {"name": "reply", "strict": True, "schema": self._schema[1]}
        return {"type": "json_schema", "json_schema": schema}


def check_carried(model: str, request: Request, can: Capabilities) -> None:
    """Raises CallError(REJECTED) for a request that asks for more than the model's wire can carry."""
    for wanted, able, what in (
        (bool(request.tools), can.tools, "tools"),
        (request.format == "json_object", can.json_object, "response format json_object"),
        (request.format == "json_schema", can.json_schema, "response format json_schema"),
        (request.continuation is not None, can.likelihood, "the likelihood of a given text"),
    ):
        if wanted and not able:
            raise CallError(ErrorClass.REJECTED, f"{model} cannot be asked with {what}")


def encoded(body: JSON) -> bytes:
    """The body as JSON. Raises CallError(REJECTED) for text that no UTF-8 can carry."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as error:
        raise CallError(
            ErrorClass.REJECTED, "the request holds a lone surrogate, which no UTF-8 can carry"
        ) from error


def _message(message: Message) -> JSON:
    parts = message.content
    out: dict[str, JSON] = {"role": message.role}
    if len(parts) == 1:
        out["content"] = parts[0].text
    elif parts:
        out["content"] = [{"type": "text", "text": part.text} for part in parts]
    else:
        out["content"] = None if message.tool_calls else ""
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def openai_tool(tool: ToolSpec) -> JSON:
    """A tool as OpenAI and those who follow it write it."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> JSON:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}
