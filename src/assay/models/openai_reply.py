"""A chat completion, streamed or whole, from bytes and stamps to a Reply."""

from __future__ import annotations

import msgspec

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Arrivals, Finish, Instants, Kind, Reply, ToolCall, Usage
from assay.models.http_errors import DETAIL_LIMIT, RAW_LIMIT, error_text, http_error
from assay.models.openai_wire import (
    ANSWER,
    WireAnswer,
    WireChoice,
    WireFunction,
    WireMessage,
    WireToolCall,
    finish_of,
    parts_text,
    usage_of,
)
from assay.models.sse import COMMENT, NAMED_ERROR, EventSplitter
from assay.ports import OnRead
from assay.transport.sink import Headers, Progress

# Plain integers: arithmetic on an IntFlag costs more than all else that is done for a chunk.
_ROLE, _CONTENT, _REASONING = int(Kind.ROLE), int(Kind.CONTENT), int(Kind.REASONING)
_TOOL, _REFUSAL, _USAGE = int(Kind.TOOL), int(Kind.REFUSAL), int(Kind.USAGE)
_FINISH, _ERROR, _COMMENT, _DONE = int(Kind.FINISH), int(Kind.ERROR), int(Kind.COMMENT), int(Kind.DONE)
_ON_NOTHING, _ON_CONTENT, _ON_END = Progress.NOTHING, Progress.CONTENT, Progress.END
_BOM = b"\xef\xbb\xbf"
_HEAD = 1024  # bytes of a stream's beginning that are kept, to be shown if nothing comes of it


class _GrowingCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.index = index
        self.id = call_id
        self.name = name
        self.arguments: list[str] = []


class ReplyDecoder:
    """The sink of one request. It wakes nobody; `reply` or `partial` is asked for at the end."""

    __slots__ = (
        "_arrivals",
        "_body",
        "_calls",
        "_choices",
        "_done",
        "_fingerprint",
        "_finish",
        "_headers",
        "_is_body",
        "_on_read",
        "_reasoning",
        "_refusal",
        "_served",
        "_splitter",
        "_status",
        "_text",
        "_usage",
    )

    def __init__(self, on_read: OnRead | None = None) -> None:
        self._on_read = on_read
        self._arrivals = Arrivals()
        self._status = 0
        self._headers: Headers = {}
        self._body: list[bytes] = []  # the body that is no stream, or the head of a stream
        self._is_body = False
        self._splitter: EventSplitter | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_GrowingCall] = []
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._served: str | None = None
        self._fingerprint: str | None = None
        self._choices = self._done = False

    @property
    def ended(self) -> bool:
        """Whether a stream's end mark has come: `[DONE]` or a finish reason."""
        return self._done or (self._splitter is not None and self._finish is not None)

    def head(self, status: int, headers: Headers, _at: int) -> None:
        self._status, self._headers = status, headers

    def feed(self, data: bytes, at: int, read: int) -> Progress:
        splitter = self._splitter
        if splitter is None:
            return self._begin(data, at, read)
        return self._events(splitter.feed(data), at, read)

    def reply(self, instants: Instants) -> Reply:
        """The whole answer. Raises CallError for a response that is none."""
        if not 200 <= self._status < 300 or self._status in (204, 205):
            raise http_error(self._status, self._headers, b"".join(self._body))
        if self._splitter is None:
            self._whole(b"".join(self._body))
        elif not self._done:
            self._stream_ended(self._splitter, instants.ended)
        if not (self._finish or self._text or self._reasoning or self._refusal or self._calls):
            problem = "an empty reply without a reason" if self._choices else "a reply without choices"
            raw = b"".join(self._body)[:RAW_LIMIT]
            raise CallError(ErrorClass.PROTOCOL, problem, status=self._status, raw=raw)
        return self.partial(instants)

    def partial(self, instants: Instants) -> Reply:
        """What has come by now."""
        refusal = "".join(self._refusal)
        finish = finish_of(self._finish) if self._finish else Finish.UNKNOWN
        if refusal and not self._text and finish is Finish.STOP:
            finish = Finish.REFUSAL
        return Reply(
            "".join(self._text),
            tuple(
                ToolCall(c.id or f"call_{n}", c.name, "".join(c.arguments)) for n, c in enumerate(self._calls)
            ),
            finish,
            self._usage,
            "".join(self._reasoning),
            refusal,
            self._served,
            self._fingerprint,
            instants,
            self._arrivals,
        )

    # which of them it is

    def _begin(self, data: bytes, at: int, read: int) -> Progress:
        """Takes bytes until the first of them tells a stream from a body.

        The content type is not asked first: servers send streams as text and bodies as streams.
        """
        body = self._body
        if not 200 <= self._status < 300:
            body.append(data)
            if len(body) > 64 or len(data) > RAW_LIMIT:
                body[:] = [b"".join(body)[:RAW_LIMIT]]
            return _ON_CONTENT
        if self._is_body:
            body.append(data)
            return _ON_CONTENT if data.strip() else _ON_NOTHING
        start = b"".join([*body, data]).removeprefix(_BOM).lstrip()
        body[:] = [start[:_HEAD]]
        if _BOM.startswith(start):  # nothing yet, or a part of the mark
            return _ON_NOTHING
        kind = self._headers.get(b"content-type", b"").lower()
        if start[:1] in b"{[<" or b"json" in kind or b"html" in kind:
            self._is_body = True
            body[:] = [start]
            return _ON_CONTENT
        self._splitter = EventSplitter()
        return self._events(self._splitter.feed(start), at, read)

    # a stream

    def _events(self, events: list[bytes], at: int, read: int) -> Progress:
        progress = _ON_NOTHING
        named_error = False
        for event in events:
            if event[:1] == b"{" and not named_error:
                if self._chunk(_answer(event), at, read):
                    progress = _ON_CONTENT
            elif event is COMMENT:
                self._arrivals.append(at, _COMMENT, 0, read)
            elif event is NAMED_ERROR:
                named_error = True
            elif event.strip() == b"[DONE]":
                self._arrivals.append(at, _DONE, 0, read)
                self._done = True
                return _ON_END
            elif named_error:
                self._arrivals.append(at, _ERROR, 0, read)
                raise _provider_error(_decoded(event))
            elif event.strip() and self._chunk(_answer(event), at, read):
                progress = _ON_CONTENT
        return progress

    def _chunk(self, chunk: WireAnswer, at: int, read: int) -> bool:
        """Takes one chunk in; whether it was progress."""
        kind = length = 0
        if chunk.error is not None or chunk.object == "error":
            self._check_error(chunk, at, read)
        if chunk.choices:
            kind, length = self._choice(chunk.choices[0])
        if chunk.usage is not None:
            kind |= _USAGE
            self._usage = usage_of(chunk.usage) or self._usage
        if self._served is None:
            self._served, self._fingerprint = chunk.model, chunk.system_fingerprint
        self._arrivals.append(at, kind, length, read)
        return kind != 0

    def _check_error(self, chunk: WireAnswer, at: int, read: int) -> None:
        if chunk.error or chunk.object == "error":
            self._arrivals.append(at, _ERROR, 0, read)
            raise _provider_error(chunk.error or chunk.message)

    def _choice(self, choice: WireChoice) -> tuple[int, int]:
        self._choices = True
        if choice.index:
            return 0, 0  # one answer was asked for
        kind = length = 0
        if (delta := choice.delta or choice.message) is not None:
            kind, length = self._message(delta)
        if choice.finish_reason:
            if choice.finish_reason == "error":
                raise _provider_error("finish_reason is error")
            self._finish = choice.finish_reason
            kind |= _FINISH
        return kind, length

    def _message(self, message: WireMessage) -> tuple[int, int]:
        """Takes a message or a piece of one in; the kinds and the characters that it brought."""
        kind = length = 0
        if content := message.content:
            if not isinstance(content, str):
                content = parts_text(content)
            kind, length = _CONTENT, len(content)
            self._text.append(content)
            if self._on_read is not None:
                self._on_read(content)
        elif message.role is not None:
            kind = _ROLE
        if reasoning := (
            message.reasoning_content or message.reasoning or parts_text(message.reasoning_details)
        ):  # once: servers send it under up to three names at the same time
            kind |= _REASONING
            length += len(reasoning)
            self._reasoning.append(reasoning)
        if message.refusal:
            kind |= _REFUSAL
            length += len(message.refusal)
            self._refusal.append(message.refusal)
        if message.tool_calls:
            kind |= _TOOL
            length += sum([self._tool_call(call) for call in message.tool_calls])
        elif message.function_call is not None:  # the older name; some servers send both
            kind |= _TOOL
            length += self._tool_call(WireToolCall(0, None, message.function_call))
        return kind, length

    def _tool_call(self, piece: WireToolCall) -> int:
        """Takes a tool call or a piece of one in; the characters of name and arguments."""
        function = piece.function or WireFunction()
        name, arguments = function.name or "", function.argument_text
        call = self._call_of(piece, name)
        if call is None:
            index = piece.index if piece.index is not None else len(self._calls)
            call = _GrowingCall(index, piece.id or "", name)
            self._calls.append(call)
        else:
            call.id = call.id or piece.id or ""
            call.name = call.name or name
        call.arguments.append(arguments)
        return len(name) + len(arguments)

    def _call_of(self, piece: WireToolCall, name: str) -> _GrowingCall | None:
        """The call that a piece goes on with, by its index; None where it begins another.

        Some servers give all calls one index, or none: a new id that comes with a name then
        begins a new call.
        """
        if piece.index is None:
            call = self._calls[-1] if self._calls else None
        else:
            call = next((c for c in reversed(self._calls) if c.index == piece.index), None)
        if call is not None and name and piece.id and call.id and piece.id != call.id:
            return None
        return call

    def _stream_ended(self, splitter: EventSplitter, at: int) -> None:
        """A stream that came to its end without `[DONE]`."""
        try:
            self._events(splitter.end(), at, self._arrivals.read[-1] if len(self._arrivals) else 0)
        except CallError as error:
            if error.error is ErrorClass.PROVIDER_ERROR:
                raise
            if self._finish is None:
                raise CallError(ErrorClass.TRANSPORT, "cut", status=self._status, raw=error.raw) from error
        if self._choices and not self._done and self._finish is None:
            raise CallError(ErrorClass.TRANSPORT, "cut", status=self._status)

    # a whole body

    def _whole(self, body: bytes) -> None:
        body = body.removeprefix(_BOM).strip()
        if not body or body.startswith(b"<") or b"html" in self._headers.get(b"content-type", b"").lower():
            what = "HTML" if body else "an empty body"
            raise CallError(
                ErrorClass.PROTOCOL,
                f"{what} where JSON was asked for",
                status=self._status,
                raw=body[:RAW_LIMIT],
            )
        answer = _answer(body)
        if answer.error or answer.object == "error":
            raise _provider_error(answer.error or answer.message)
        self._usage = usage_of(answer.usage)
        self._served, self._fingerprint = answer.model, answer.system_fingerprint
        if answer.choices:
            self._choice(answer.choices[0])


def _answer(data: bytes) -> WireAnswer:
    try:
        return ANSWER.decode(data)
    except msgspec.ValidationError as error:
        raise CallError(
            ErrorClass.PROTOCOL, f"not a chat completion: {error}"[:DETAIL_LIMIT], raw=data[:RAW_LIMIT]
        ) from error
    except (ValueError, RecursionError) as error:
        raise CallError(
            ErrorClass.MALFORMED, f"not JSON: {error}"[:DETAIL_LIMIT], raw=data[:RAW_LIMIT]
        ) from error


def _decoded(data: bytes) -> JSON:
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return data[:DETAIL_LIMIT].decode("utf-8", "replace")


def _provider_error(value: JSON) -> CallError:
    _, text = error_text(value)
    return CallError(ErrorClass.PROVIDER_ERROR, text)
