"""Ollama's wire as a server speaks it: /api/chat and /api/generate in lines of JSON, and its lists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wire import Heard, Identity, Refusal, Stream, Tokens, arguments_object, pieces
from assay.keys import JSON
from assay.message import Finish, Message, ResponseFormat, Role, ToolCall, ToolSpec, say

VERSION = "0.13.0"
CONTEXT = 8192

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_WORDS = {
    "context_length_exceeded": "the input length exceeds the context length",
}


class _Function(Struct):
    name: str
    arguments: JSON = None
    description: str = ""
    parameters: JSON = None


class _Call(Struct):
    function: _Function
    id: str = ""


class _Message(Struct):
    role: str
    content: str = ""
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None


class _Tool(Struct):
    function: _Function
    type: str = "function"


class _Options(Struct):
    seed: int | None = None
    num_predict: int | None = None


class _Asking(Struct, kw_only=True):
    """What chat and generate have in common."""

    model: str
    stream: bool | None = True
    format: JSON = None
    options: _Options | None = None


class _Chat(_Asking, kw_only=True):
    messages: list[_Message]
    tools: list[_Tool] | None = None


class _Generate(_Asking, kw_only=True):
    prompt: str = ""
    system: str = ""


class OllamaChat:
    """The dialect of POST /api/chat."""

    path = "/api/chat"
    stream_type = b"application/x-ndjson"
    idle = b"\n"
    hollow = b'{"model":"x","done":true}'

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
        return _heard(
            chat,
            tuple(_message(each) for each in chat.messages),
            tuple(_tool(each) for each in chat.tools or ()),
        )

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes:
        end = {**_base(heard, identity), **_said(answer.text, answer.tool_calls), **_end(answer, tokens)}
        return self._encode(end)

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream:
        """A line for every `chunk_tokens` tokens and for every call, then the line that ends it all.

        Nothing comes before the first token, as with Ollama itself.
        """
        base = _base(heard, identity)
        lines = [{**base, **_said(piece), "done": False} for piece in pieces(answer.text, chunk_tokens)]
        lines += [
            {**base, **_said("", (call,), place), "done": False}
            for place, call in enumerate(answer.tool_calls)
        ]
        end = {**base, **_said(""), **_end(answer, tokens)}
        return Stream((), tuple(map(self.event, lines)), (), (), (self.event(end),))

    def error(self, status: int, code: str, message: str) -> bytes:
        del status
        return self._encode({"error": _WORDS.get(code, message)})

    def event(self, payload: JSON, name: str | None = None) -> bytes:
        """A line. An error is a bare text here, and has no name."""
        del name
        error = payload.get("error") if isinstance(payload, dict) else None
        if isinstance(error, dict):
            payload = {"error": error.get("message")}
        return self._encode(payload) + b"\n"


class OllamaGenerate(OllamaChat):
    """The dialect of POST /api/generate: a prompt in place of messages, a text in place of one."""

    path = "/api/generate"

    def __init__(self) -> None:
        super().__init__()
        self._decode_generate = msgspec.json.Decoder(_Generate).decode

    def read(self, body: bytes) -> Heard:
        try:
            asked = self._decode_generate(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise Refusal(400, "invalid_request_error", f"not a generate request: {problem}") from None
        system = (say("system", asked.system),) if asked.system else ()
        return _heard(asked, (*system, say("user", asked.prompt)), ())

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes:
        return self._encode({**_base(heard, identity), "response": answer.text, **_end(answer, tokens)})

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream:
        base = _base(heard, identity)
        lines = [{**base, "response": piece, "done": False} for piece in pieces(answer.text, chunk_tokens)]
        end = {**base, "response": "", **_end(answer, tokens)}
        return Stream((), tuple(map(self.event, lines)), (), (), (self.event(end),))


def tags(names: Iterable[str]) -> JSON:
    """What GET /api/tags tells of the models that there are."""
    return {"models": [{**_model(name), "modified_at": _time(0)} for name in names]}


def loaded(names: Iterable[str]) -> JSON:
    """What GET /api/ps tells of the models that are in memory."""
    more = {"expires_at": _time(1 << 32), "size_vram": 0, "context_length": CONTEXT}
    return {"models": [{**_model(name), **more} for name in names]}


def _model(name: str) -> dict[str, JSON]:
    details = {
        "parent_model": "",
        "format": "emulated",
        "family": "assay",
        "families": ["assay"],
        "parameter_size": "0",
        "quantization_level": "none",
    }
    weights = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "model": name, "size": 0, "digest": weights, "details": details}


def _heard(asking: _Asking, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...]) -> Heard:
    options = asking.options or _Options()
    bound = options.num_predict
    form, schema = _format(asking.format)
    asked = Asked(
        model=asking.model,
        messages=messages,
        tools=tools,
        format=form,
        schema=schema,
        seed=options.seed,
        max_tokens=bound if bound is not None and bound > 0 else None,  # -1 and -2 mean no bound
    )
    return Heard(asked, stream=asking.stream is not False)


def _format(form: JSON) -> tuple[ResponseFormat, JSON]:
    if form is None or form == "":
        return "text", None
    if form == "json":
        return "json_object", None
    if isinstance(form, dict):
        return "json_schema", form
    raise Refusal(400, "invalid_request_error", f"invalid format: {str(form)[:40]!r}")


def _message(said: _Message) -> Message:
    role = _ROLES.get(said.role)
    if role is None:
        raise Refusal(400, "invalid_request_error", f"messages: unknown role {said.role[:40]!r}")
    calls = tuple(_called(call, place) for place, call in enumerate(said.tool_calls or ()))
    content = say(role, said.content).content if said.content else ()
    answered = said.tool_call_id or said.tool_name if role == "tool" else None
    return Message(role, content, calls, answered)


def _called(call: _Call, place: int) -> ToolCall:
    arguments = msgspec.json.encode(call.function.arguments or {}).decode()
    return ToolCall(call.id or f"call_{place}", call.function.name, arguments)


def _tool(tool: _Tool) -> ToolSpec:
    return ToolSpec(tool.function.name, tool.function.description, tool.function.parameters)


def _base(heard: Heard, identity: Identity) -> dict[str, JSON]:
    return {"model": heard.asked.model, "created_at": _time(identity.created)}


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


def _said(text: str, calls: tuple[ToolCall, ...] = (), first: int = 0) -> dict[str, JSON]:
    message: dict[str, JSON] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "function": {
                    "index": place,
                    "name": call.name,
                    "arguments": arguments_object(call.arguments),
                },
            }
            for place, call in enumerate(calls, first)
        ]
    return {"message": message}


def _end(answer: Answer, tokens: Tokens | None) -> dict[str, JSON]:
    """What the last object adds. A count of 0 is left out, as Ollama leaves it out."""
    counts = {} if tokens is None else {"prompt_eval_count": tokens.input, "eval_count": tokens.output}
    return {
        "done": True,
        "done_reason": "length" if answer.finish is Finish.LENGTH else "stop",
        **{name: count for name, count in counts.items() if count},
    }
