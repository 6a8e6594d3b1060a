"""A chat of Ollama, as lines of JSON or one object, from bytes and stamps to a Reply."""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Struct

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Arrivals, Finish, Kind, Usage
from assay.models.decoder import Decoder, GrowingCall, provider_error, raw_text, read_json
from assay.ports import OnRead
from assay.transport.sink import Progress

_ROLE, _CONTENT, _REASONING, _TOOL = int(Kind.ROLE), int(Kind.CONTENT), int(Kind.REASONING), int(Kind.TOOL)
_USAGE, _FINISH, _ERROR, _DONE = int(Kind.USAGE), int(Kind.FINISH), int(Kind.ERROR), int(Kind.DONE)


class _Function(Struct, frozen=True, gc=False):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(Struct, frozen=True, gc=False):
    id: str | None = None
    function: _Function = _Function()


class _Message(Struct, frozen=True, gc=False):
    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(Struct, frozen=True, gc=False):
    """An object of a chat; /api/generate sends `response` and `thinking` without a message."""

    model: str | None = None
    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: JSON = None
    eval_count: JSON = None
    error: JSON = None


_LINE = msgspec.json.Decoder(_Line)
_STRING = msgspec.json.Decoder(str)
_SPACE = re.compile(r"[ \t\r]*")
_ON_A_LINE = 1000  # objects of one line that are told apart
_FINISHES = {"stop": Finish.STOP, "length": Finish.LENGTH}


class OllamaDecoder(Decoder):
    """The sink of one request to /api/chat or /api/generate. The end mark is `"done": true`."""

    __slots__ = ("_tail",)

    def __init__(
        self, on_read: OnRead | None = None, first_call: int = 0, fingerprint: str | None = None
    ) -> None:
        super().__init__(on_read, first_call)
        self._fingerprint = fingerprint
        self._tail: list[bytes] = []  # pieces of a line that has not ended

    def _finished(self) -> Finish:
        finish = _FINISHES.get(self._finish or "", Finish.UNKNOWN)
        # It says "stop" after a call, or in older versions nothing.
        return Finish.TOOL_CALLS if self._calls and self._done and finish is not Finish.LENGTH else finish

    def _opens(self, start: bytes, kind: bytes) -> bool:
        return start[:1] == b"{" and (b"ndjson" in kind or b"json" not in kind)

    # lines

    def _stream(self, data: bytes, at: int, read: int) -> Progress:
        if b"\n" not in data:
            self._tail.append(data)
            return Progress.NOTHING
        if self._tail:
            data = b"".join([*self._tail, data])
            self._tail.clear()
        lines = data.split(b"\n")
        if rest := lines.pop():
            self._tail.append(rest)
        return self._lines(lines, at, read)

    def _lines(self, lines: list[bytes], at: int, read: int) -> Progress:
        progress = Progress.NOTHING
        for line in lines:
            if not line or line.isspace():
                continue
            for part in _objects(line):
                if self._line(part, at, read):
                    progress = Progress.CONTENT
                if self._done:
                    return Progress.END
        return progress

    def _line(self, line: _Line, at: int, read: int) -> bool:
        """Takes one object in; whether it was progress."""
        if line.error:
            self._arrivals.append(at, _ERROR, 0, read)
            raise provider_error({"error": line.error})
        kind, length = self._message(line)
        if self._served is None:
            self._served = line.model
        if line.done:
            self._done = True
            kind |= _DONE
            # "load" and "unload" answer a request that asked for nothing else.
            self._finish = None if line.done_reason in ("load", "unload") else line.done_reason
            if self._finish is not None:
                kind |= _FINISH
            if line.prompt_eval_count or line.eval_count:
                self._counted(_usage(line), [line.prompt_eval_count, line.eval_count])
            if self._usage is not None:
                kind |= _USAGE
        self._arrivals.append(at, kind, length, read)
        return kind != 0

    def _message(self, line: _Line) -> tuple[int, int]:
        message = line.message or _Message(None, line.response, line.thinking)
        if line.message is not None or line.response is not None:
            self._answered = True
        kind = length = 0
        if message.content:
            kind, length = _CONTENT, len(message.content)
            self._show(message.content)
        if message.thinking:
            kind |= _REASONING
            length += len(message.thinking)
            self._reasoning.append(message.thinking)
        for call in message.tool_calls or ():  # whole ones: this wire does not send them in pieces
            kind |= _TOOL
            length += self._call(call)
        return kind or (_ROLE if message.role is not None and not line.done else 0), length

    def _call(self, call: _Call) -> int:
        grown = GrowingCall(len(self._calls), call.id or "", call.function.name)
        arguments = _text(bytes(call.function.arguments))
        grown.arguments.append(arguments)
        self._calls.append(grown)
        return len(grown.name) + len(arguments)

    def _stream_ended(self, at: int, read: int) -> None:
        try:
            self._lines([b"".join(self._tail)], at, read)
        except CallError as error:
            if error.error is ErrorClass.PROVIDER_ERROR:
                raise
            raise self._cut(error.raw) from error
        if not self._done:
            raise self._cut()

    def _whole(self, body: bytes) -> None:
        """One object, or lines under the content type of one."""
        if b"\n" in body and not _is_json(body):
            self._lines(body.split(b"\n"), 0, 0)
        else:
            self._lines([body], 0, 0)
        self._arrivals = Arrivals()
        if not self._done:
            raise self._cut() if self._answered else self._breach("a reply without a message", body)


def _usage(line: _Line) -> Usage | None:
    """The counters of the last line. Ollama leaves out what is 0 and what it did not count, so
    that a missing count is unknown, and so is 0.
    """
    given, made = line.prompt_eval_count, line.eval_count
    if not isinstance(given, int) or not isinstance(made, int) or isinstance(given, bool):
        return None
    return Usage(given, made) if given > 0 and made > 0 else None


def _text(raw: bytes) -> str:
    """The arguments of a call as JSON text; some servers send them as text already."""
    if raw[:1] == b'"':
        return read_json(_STRING, raw, "a call's arguments")
    return "{}" if raw == b"null" else raw_text(raw)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(line: bytes) -> list[_Line]:
    """The objects of a line: one, but servers and proxies have been seen to put several on it."""
    try:
        return [read_json(_LINE, line, "a chat of Ollama")]
    except CallError as error:
        parts = _parted(line) if error.error is ErrorClass.MALFORMED else []
        if len(parts) < 2:
            raise
    return [read_json(_LINE, part, "a chat of Ollama") for part in parts]


def _parted(line: bytes) -> list[bytes]:
    """The JSON values that stand one after the other, [] where the line is not just that."""
    decode = json.JSONDecoder().raw_decode
    found: list[bytes] = []
    try:
        text = line.decode().strip()
        at = 0
        while at < len(text) and len(found) < _ON_A_LINE:
            _, end = decode(text, at)
            found.append(text[at:end].encode())
            space = _SPACE.match(text, end)
            at = end if space is None else space.end()
    except (ValueError, RecursionError):
        return []
    return found if at == len(text) else []
