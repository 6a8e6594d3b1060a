"""Anthropic's messages as a server speaks them: requests decoded, messages and their events written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wire import Heard, Identity, Refusal, Stream, Tokens, arguments_object, pieces
from assay.keys import JSON
from assay.message import Finish, Message, Role, Text, ToolCall, ToolSpec

_STOPS = {
    Finish.STOP: "end_turn",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
    Finish.REFUSAL: "refusal",
    Finish.CONTENT_FILTER: "refusal",
    Finish.UNKNOWN: "pause_turn",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
_WORDS = {
    "context_length_exceeded": "prompt is too long: 208310 tokens > 200000 maximum",
}


class _Block(Struct):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: JSON = None
    tool_use_id: str = ""
    content: JSON = None


class _Message(Struct):
    role: str
    content: str | list[_Block]


class _Tool(Struct):
    name: str
    description: str = ""
    input_schema: JSON = None


class _Choice(Struct):
    type: Literal["auto", "any", "none", "tool"]
    name: str = ""


class _Format(Struct):
    type: Literal["json_schema"]
    schema: JSON = None


class _OutputConfig(Struct):
    format: _Format | None = None


class _Asking(Struct):
    model: str
    max_tokens: int
    messages: list[_Message]
    system: str | list[_Block] | None = None
    stream: bool | None = False
    tools: list[_Tool] | None = None
    tool_choice: _Choice | None = None
    output_config: _OutputConfig | None = None


class AnthropicMessages:
    """The dialect of POST /messages."""

    path = "/messages"
    stream_type = b"text/event-stream; charset=utf-8"
    idle = b'event: ping\ndata: {"type":"ping"}\n\n'
    hollow = b'{"id":"x","type":"message","role":"assistant","content":[],"stop_reason":null}'

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Asking).decode
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Heard:
        try:
            asking = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise Refusal(400, "invalid_request_error", f"not a request for a message: {problem}") from None
        if not asking.messages:
            raise Refusal(400, "invalid_request_error", "messages: at least one message is required")
        if asking.max_tokens < 1:
            raise Refusal(400, "invalid_request_error", "max_tokens: must be 1 or more")
        return Heard(_asked(asking), stream=bool(asking.stream), include_usage=True)

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes:
        content: list[JSON] = [{"type": "text", "text": answer.text}] if answer.text else []
        content += [_tool_use(call, arguments_object(call.arguments)) for call in answer.tool_calls]
        stop = {"stop_reason": _STOPS[answer.finish], "stop_sequence": None}
        usage = {} if tokens is None else {"usage": _usage(tokens)}
        return self._encode({**_head(heard, identity), "content": content, **stop, **usage})

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream:
        """The message's beginning, a delta for every `chunk_tokens` tokens, its end.

        The first part of the content begins with the message, each further one with its first delta.
        """
        start = {**_head(heard, identity), "content": [], "stop_reason": None, "stop_sequence": None}
        if tokens is not None:
            start["usage"] = {**_usage(tokens), "output_tokens": 1}
        parts = _parts(answer, chunk_tokens)
        opening = [self._begin(0, parts[0][0]), self.event({"type": "ping"})] if parts else []
        stop: JSON = {
            "type": "message_delta",
            "delta": {"stop_reason": _STOPS[answer.finish], "stop_sequence": None},
        }
        if tokens is not None:
            stop["usage"] = _usage(tokens)
        closing = [self._end(len(parts) - 1)] if parts else []
        return Stream(
            lead=(self.event({"type": "message_start", "message": start}), *opening),
            tokens=tuple(self._deltas(parts)),
            finish=(*closing, self.event(stop)),
            usage=(),
            done=(self.event({"type": "message_stop"}),),
        )

    def _deltas(self, parts: Sequence[_Part]) -> Iterator[bytes]:
        for index, (block, deltas) in enumerate(parts):
            before = self._end(index - 1) + self._begin(index, block) if index else b""
            for delta in deltas:
                yield before + self.event({"type": "content_block_delta", "index": index, "delta": delta})
                before = b""

    def _begin(self, index: int, block: JSON) -> bytes:
        return self.event({"type": "content_block_start", "index": index, "content_block": block})

    def _end(self, index: int) -> bytes:
        return self.event({"type": "content_block_stop", "index": index})

    def error(self, status: int, code: str, message: str) -> bytes:
        kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        if code in ("insufficient_quota", "spend_limit_reached"):
            kind = "billing_error"
        error = {"type": kind, "message": _WORDS.get(code, message)}
        return self._encode({"type": "error", "error": error, "request_id": "req_emulated"})

    def event(self, payload: JSON, name: str | None = None) -> bytes:
        """An event under its type, which stands in it as well."""
        if isinstance(payload, dict) and isinstance(error := payload.get("error"), dict):
            about = {"type": "api_error", "message": error.get("message")}
            payload = {"type": "error", "error": about}
        name = name or payload["type"]
        return b"event: " + name.encode() + b"\ndata: " + self._encode(payload) + b"\n\n"


def models(names: Iterable[str]) -> JSON:
    """What GET /v1/models tells one who speaks this dialect."""
    data = [model(name) for name in names]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"data": data, "has_more": False, **ends}


def model(name: str) -> dict[str, JSON]:
    """One model of that list."""
    return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}


_Part = tuple[JSON, list[JSON]]
"""A part of the content: how it begins, and its deltas."""


def _parts(answer: Answer, chunk_tokens: int) -> list[_Part]:
    parts: list[_Part] = []
    if answer.text:
        texts = [{"type": "text_delta", "text": piece} for piece in pieces(answer.text, chunk_tokens)]
        parts.append(({"type": "text", "text": ""}, texts))
    for call in answer.tool_calls:
        given = ["", *pieces(call.arguments, chunk_tokens)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in given]
        parts.append((_tool_use(call, {}), deltas))
    return parts


def _asked(asking: _Asking) -> Asked:
    form = asking.output_config.format if asking.output_config is not None else None
    said = [Message("system", (text,)) for text in _texts(asking.system)]
    for message in asking.messages:
        said += _messages(message)
    return Asked(
        model=asking.model,
        messages=tuple(said),
        tools=tuple(ToolSpec(tool.name, tool.description, tool.input_schema) for tool in asking.tools or ()),
        tool_choice=_choice(asking.tool_choice),
        format="text" if form is None else "json_schema",
        schema=None if form is None else form.schema,
        max_tokens=asking.max_tokens,
    )


def _messages(message: _Message) -> list[Message]:
    """A message as it is known elsewhere: results of tools are messages of their own, before the rest."""
    role = _ROLES.get(message.role)
    if role is None:
        raise Refusal(400, "invalid_request_error", f"messages: unknown role {message.role[:40]!r}")
    blocks = message.content if isinstance(message.content, list) else []
    results = [block for block in blocks if block.type == "tool_result"]
    out = [
        Message("tool", _result(block.content), tool_call_id=block.tool_use_id or None) for block in results
    ]
    calls = tuple(
        ToolCall(block.id, block.name, msgspec.json.encode(block.input or {}).decode())
        for block in blocks
        if block.type == "tool_use"
    )
    content = _texts(message.content)
    return [*out, Message(role, content, calls)] if content or calls or not results else out


_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_SILENT = ("tool_use", "tool_result", "thinking", "redacted_thinking")


def _texts(content: str | list[_Block] | None) -> tuple[Text, ...]:
    if content is None or isinstance(content, str):
        return (Text(content),) if content else ()
    for block in content:
        if block.type != "text" and block.type not in _SILENT:
            raise Refusal(400, "invalid_request_error", f"messages: no {block.type[:40]!r} blocks here")
    return tuple(Text(block.text) for block in content if block.type == "text")


def _result(content: JSON) -> tuple[Text, ...]:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return tuple(Text(text) for text in texts if isinstance(text, str))
    return (Text(content),) if isinstance(content, str) and content else ()


def _choice(choice: _Choice | None) -> str | None:
    if choice is None:
        return None
    return {"any": "required", "tool": choice.name}.get(choice.type, choice.type)


def _head(heard: Heard, identity: Identity) -> dict[str, JSON]:
    return {
        "id": "msg_" + identity.id.removeprefix("chatcmpl-"),
        "type": "message",
        "role": "assistant",
        "model": heard.asked.model,
    }


def _tool_use(call: ToolCall, given: JSON) -> dict[str, JSON]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _usage(tokens: Tokens) -> dict[str, JSON]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": tokens.output,
    }
