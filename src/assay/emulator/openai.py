"""The OpenAI chat wire as a server speaks it: requests decoded, replies and server-sent events written."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wire import Heard, Identity, Refusal, Stream, Tokens, pieces
from assay.keys import JSON
from assay.message import Message, ResponseFormat, Role, Text, ToolCall, ToolSpec

DONE = b"data: [DONE]\n\n"
FINGERPRINT = "fp_emulated"


class _Function(Struct):
    name: str
    arguments: str = ""
    description: str = ""
    parameters: JSON = None


class _Call(Struct):
    id: str
    function: _Function


class _Part(Struct):
    type: str
    text: str = ""


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Tool(Struct):
    function: _Function
    type: str = "function"


class _Schema(Struct):
    schema: JSON = None
    name: str = ""


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class _Named(Struct):
    function: _Function


class _StreamOptions(Struct):
    include_usage: bool = False


class _Chat(Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Named | None = None
    response_format: _Format | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_FORMATS: dict[str, ResponseFormat] = {
    "text": "text",
    "json_object": "json_object",
    "json_schema": "json_schema",
}
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    429: "rate_limit_error",
}


class OpenAIChat:
    """The dialect of POST /chat/completions."""

    path = "/chat/completions"
    stream_type = b"text/event-stream; charset=utf-8"
    idle = b": keep-alive\n\n"
    hollow = b'{"id":"x","object":"chat.completion","choices":[]}'

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Chat).decode
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Heard:
        try:
            chat = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise Refusal(400, "invalid_request_error", f"not a chat request: {problem}") from None
        if not chat.messages:
            raise Refusal(400, "invalid_request_error", "messages: at least one message is needed")
        options = chat.stream_options
        return Heard(
            asked=_asked(chat),
            stream=bool(chat.stream),
            include_usage=options is not None and options.include_usage,
        )

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes:
        message: JSON = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.tool_calls:
            message["tool_calls"] = [_call(call) for call in answer.tool_calls]
        elif not answer.text:
            message["content"] = ""
        return self._encode(
            {
                "id": identity.id,
                "object": "chat.completion",
                "created": identity.created,
                "model": heard.asked.model,
                "system_fingerprint": FINGERPRINT,
                "choices": [{"index": 0, "message": message, "finish_reason": answer.finish.value}],
                **({} if tokens is None else {"usage": _usage(tokens)}),
            }
        )

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream:
        """The role first, then a chunk for every `chunk_tokens` tokens, then finish, usage, end mark."""
        open_usage = b',"usage":null}' if heard.include_usage else b"}"
        base = self._base(heard, identity)
        text = self._encode

        def chunk(delta: bytes, finish: bytes = b"null") -> bytes:
            choice = b'[{"index":0,"delta":' + delta + b',"finish_reason":' + finish + b"}]"
            return b"data: " + base + choice + open_usage + b"\n\n"

        tokened = [chunk(b'{"content":' + text(piece) + b"}") for piece in pieces(answer.text, chunk_tokens)]
        for place, call in enumerate(answer.tool_calls):
            tokened += [chunk(delta) for delta in self._call_deltas(place, call, chunk_tokens)]
        used: tuple[bytes, ...] = ()
        if heard.include_usage and tokens is not None:
            used = (b"data: " + base + b'[],"usage":' + text(_usage(tokens)) + b"}\n\n",)
        return Stream(
            lead=(chunk(b'{"role":"assistant","content":""}'),),
            tokens=tuple(tokened),
            finish=(chunk(b"{}", text(answer.finish.value)),),
            usage=used,
            done=(DONE,),
        )

    def error(self, status: int, code: str, message: str) -> bytes:
        kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        return self._encode({"error": {"message": message, "type": kind, "param": None, "code": code}})

    def event(self, payload: JSON, name: str | None = None) -> bytes:
        head = b"" if name is None else b"event: " + name.encode() + b"\n"
        return head + b"data: " + self._encode(payload) + b"\n\n"

    def _base(self, heard: Heard, identity: Identity) -> bytes:
        """The part of a chunk that all chunks of a reply share, up to its choices."""
        shared = {
            "id": identity.id,
            "object": "chat.completion.chunk",
            "created": identity.created,
            "model": heard.asked.model,
            "system_fingerprint": FINGERPRINT,
        }
        return self._encode(shared)[:-1] + b',"choices":'

    def _call_deltas(self, place: int, call: ToolCall, chunk_tokens: int) -> list[bytes]:
        first = {**_call(call), "index": place, "function": {"name": call.name, "arguments": ""}}
        deltas: list[JSON] = [first]
        deltas += [
            {"index": place, "function": {"arguments": piece}}
            for piece in pieces(call.arguments, chunk_tokens)
        ]
        return [self._encode({"tool_calls": [delta]}) for delta in deltas]


def _asked(chat: _Chat) -> Asked:
    form = chat.response_format
    return Asked(
        model=chat.model,
        messages=tuple(_message(each) for each in chat.messages),
        tools=tuple(_tool(each) for each in chat.tools or ()),
        tool_choice=_choice(chat.tool_choice),
        format=_format(form),
        schema=form.json_schema.schema if form is not None and form.json_schema is not None else None,
        seed=chat.seed,
        max_tokens=chat.max_completion_tokens or chat.max_tokens,
    )


def _message(said: _Message) -> Message:
    role = _ROLES.get(said.role)
    if role is None:
        raise Refusal(400, "invalid_request_error", f"messages: unknown role {said.role[:40]!r}")
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments) for call in said.tool_calls or ()
    )
    return Message(role, _content(said.content), calls, said.tool_call_id)


def _content(content: str | list[_Part] | None) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    for part in content or ():
        if part.type != "text":
            raise Refusal(400, "invalid_request_error", f"messages: no {part.type[:40]!r} parts here")
    return tuple(Text(part.text) for part in content or ())


def _tool(tool: _Tool) -> ToolSpec:
    return ToolSpec(tool.function.name, tool.function.description, tool.function.parameters)


def _choice(choice: str | _Named | None) -> str | None:
    """One of the words auto, none and required, or the name of the one tool that must be called."""
    return choice.function.name if isinstance(choice, _Named) else choice


def _format(form: _Format | None) -> ResponseFormat:
    if form is None:
        return "text"
    if form.type not in _FORMATS:
        raise Refusal(400, "invalid_request_error", f"response_format: unknown type {form.type[:40]!r}")
    return _FORMATS[form.type]


def _call(call: ToolCall) -> dict[str, JSON]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _usage(tokens: Tokens) -> dict[str, JSON]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
