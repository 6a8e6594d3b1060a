"""A Request as the JSON body of Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Message, Request, Text
from assay.models.ollama_request import object_of
from assay.models.openai_request import check_carried, encoded
from assay.ports import Capabilities

MAX_TOKENS = 4096
"""The bound on output tokens where the request has none: this wire wants one always."""

REPLY_TOOL = "reply"
"""The tool that a reply by schema is asked for through, since it must be called."""


class AnthropicWriter:
    """Writes the requests for one model. `fields` are added to each body and win."""

    def __init__(
        self,
        wire_model: str,
        capabilities: Capabilities,
        *,
        max_tokens: int = MAX_TOKENS,
        fields: Mapping[str, JSON] | None = None,
    ) -> None:
        self._model = wire_model
        self._capabilities = capabilities
        self._max_tokens = max_tokens
        self._fields = dict(fields or {})

    def write(self, request: Request) -> bytes:
        """The body. Raises CallError(REJECTED) for what this wire cannot carry."""
        check_carried(self._model, request, self._capabilities)
        sampling = request.sampling
        body: dict[str, JSON] = {
            "model": self._model,
            "max_tokens": sampling.max_tokens if sampling.max_tokens is not None else self._max_tokens,
            "messages": _messages(request.messages),
        }
        given: dict[str, JSON] = {
            "system": _system(request.messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop_sequences": sampling.stop or None,
            "stream": (request.stream and self._capabilities.stream) or None,
        }
        body.update({name: value for name, value in given.items() if value is not None})
        if sampling.reasoning_effort == "none":
            body["thinking"] = {"type": "disabled"}
        elif sampling.reasoning_effort is not None:
            body["output_config"] = {"effort": sampling.reasoning_effort}
        body.update(self._tools(request))
        body.update(self._fields)
        return encoded(body)

    def _tools(self, request: Request) -> dict[str, JSON]:
        """The tools and which must be called; a reply by schema is a call of a tool of its own."""
        if request.format == "json_schema":
            return self._reply_tool(request)
        if not request.tools:
            return {}
        tools = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools]
        if request.tool_choice is None:
            return {"tools": tools}
        return {"tools": tools, "tool_choice": _tool_choice(request.tool_choice)}

    def _reply_tool(self, request: Request) -> dict[str, JSON]:
        schema = request.schema
        if request.tools:
            raise CallError(
                ErrorClass.REJECTED, f"{self._model} cannot be asked with tools and a schema at once"
            )
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise CallError(ErrorClass.REJECTED, f"{self._model} can only be asked for a schema of an object")
        return {
            "tools": [_tool(REPLY_TOOL, "Gives the reply.", schema)],
            "tool_choice": _tool_choice(REPLY_TOOL),
        }


def _system(messages: tuple[Message, ...]) -> JSON:
    """What the system says: it stands beside the messages. None where it says nothing."""
    said = [part for message in messages if message.role == "system" for part in message.content if part.text]
    if len(said) == 1:
        return said[0].text
    return [_text(part) for part in said] or None


def _messages(messages: tuple[Message, ...]) -> list[JSON]:
    out: list[JSON] = []
    results: list[JSON] | None = None  # those of parallel calls stand in one message
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            if results is None:
                results = []
                out.append({"role": "user", "content": results})
            results.append(
                {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.text}
            )
            continue
        results = None
        out.append({"role": message.role, "content": _content(message)})
    return out


def _content(message: Message) -> JSON:
    if len(message.content) < 2 and not message.tool_calls:
        return message.text
    blocks: list[JSON] = [_text(part) for part in message.content if part.text]
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": object_of(call.arguments)}
        for call in message.tool_calls
    ]


def _text(part: Text) -> JSON:
    return {"type": "text", "text": part.text}


def _tool(name: str, description: str, parameters: JSON) -> JSON:
    return {"name": name, "description": description, "input_schema": parameters or {"type": "object"}}


def _tool_choice(choice: str) -> JSON:
    if choice in ("auto", "none"):
        return {"type": choice}
    return {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}
