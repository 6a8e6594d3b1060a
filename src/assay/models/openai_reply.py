"""A chat completion, streamed or whole, from bytes and stamps to a Reply."""

from __future__ import annotations

from msgspec import structs

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Finish, Kind
from assay.models.decoder import Decoder, GrowingCall, is_event_stream, loosely, provider_error, read_json
from assay.models.openai_wire import (
    ANSWER,
    WireAnswer,
    WireChoice,
    WireFunction,
    WireMessage,
    WireToolCall,
    finish_of,
    parts_text,
    thoughts,
    usage_of,
)
from assay.models.sse import COMMENT, NAMED_ERROR, EventSplitter
from assay.models.stencil import Paced, Stencil, all_plain, cut
from assay.ports import OnRead
from assay.transport.sink import Progress

# Plain integers: arithmetic on an IntFlag costs more than all else that is done for a chunk.
_ROLE, _CONTENT, _REASONING = int(Kind.ROLE), int(Kind.CONTENT), int(Kind.REASONING)
_TOOL, _REFUSAL, _USAGE = int(Kind.TOOL), int(Kind.REFUSAL), int(Kind.USAGE)
_FINISH, _ERROR, _COMMENT, _DONE = int(Kind.FINISH), int(Kind.ERROR), int(Kind.COMMENT), int(Kind.DONE)
_TRIES = 4
"""Events of a stream that may show where the content stands: the first one often holds more than others."""

_ON_NOTHING, _ON_CONTENT, _ON_END = Progress.NOTHING, Progress.CONTENT, Progress.END


class ReplyDecoder(Decoder):
    """The sink of one request to OpenAI's chat completions or a server that speaks like them."""

    __slots__ = ("_legacy", "_opening", "_paced", "_splitter", "_stencil", "_tries")

    def __init__(self, on_read: OnRead | None = None, first_call: int = 0) -> None:
        super().__init__(on_read, first_call)
        self._splitter = EventSplitter()
        self._stencil: Stencil | None = None
        self._opening = self._tries = _TRIES
        self._paced: Paced | None = None
        self._legacy = False  # whether the call that is known came as `function_call` alone

    @property
    def ended(self) -> bool:
        """Whether a stream's end mark has come: `[DONE]` or a finish reason."""
        return self._done or (self._is_stream and self._finish is not None)

    def _finished(self) -> Finish:
        finish = finish_of(self._finish) if self._finish else Finish.UNKNOWN
        if self._refusal and not self._text and finish is Finish.STOP:
            return Finish.REFUSAL
        return finish

    def _opens(self, start: bytes, kind: bytes) -> bool:
        return is_event_stream(start, kind)

    def feed(self, data: bytes, at: int, read: int) -> Progress:
        if self._paced is not None:
            if self._paced.took(data, at, read):
                return _ON_CONTENT
            self._settle()
        return super().feed(data, at, read)

    def _settle(self) -> None:
        paced, self._paced = self._paced, None
        if paced is not None:
            self._text.append("".join(paced.texts))
            self._arrivals.extend_each(paced.stamps, _CONTENT, list(map(len, paced.texts)), paced.reads)

    # a stream

    def _stream(self, data: bytes, at: int, read: int) -> Progress:
        if self._opening:
            return self._open(data, at, read)
        stencil = self._stencil
        if stencil is None or not self._splitter.between:
            return self._events(self._splitter.feed(data), at, read)
        if (text := stencil.single(data)) is not None:
            self._show(text)
            self._arrivals.append(at, _CONTENT, len(text), read)
            if self._on_read is None:
                self._paced = Paced(stencil)
            return _ON_CONTENT
        parts = stencil.split(data)
        if parts is None:
            return self._events(self._splitter.feed(data), at, read)
        head, contents, tail = parts
        if head:
            progress = self._events(self._splitter.feed(head), at, read)
            rest = data[len(head) :]
            return progress if progress is _ON_END else max(progress, self._stream(rest, at, read))
        progress = self._contents(stencil, contents, at, read)
        if tail and progress is not _ON_END:
            progress = max(progress, self._events(self._splitter.feed(tail), at, read))
        return progress

    def _open(self, data: bytes, at: int, read: int) -> Progress:
        """The first events one by one, until one fits the stencil that another has shown."""
        cut = data.find(b"\n\n") + 2
        if cut < 2:
            return self._events(self._splitter.feed(data), at, read)
        if self._stencil is not None and self._splitter.between and self._stencil.fits(data[:cut]):
            self._opening = 0
            return self._stream(data, at, read)
        self._opening -= 1
        progress = self._events(self._splitter.feed(data[:cut]), at, read)
        if progress is _ON_END or cut == len(data):
            return progress
        return max(progress, self._stream(data[cut:], at, read))

    def _contents(self, stencil: Stencil, contents: list[bytes], at: int, read: int) -> Progress:
        """Takes in what stands between the events' ends by the stencil."""
        if (texts := all_plain(contents)) is not None:
            self._show("".join(texts))
            self._arrivals.extend(at, _CONTENT, list(map(len, texts)), read)
            return _ON_CONTENT
        if len(contents) == 1:
            return self._events(self._splitter.feed(stencil.enclosed(contents[0])), at, read)
        progress = _ON_NOTHING
        for content in contents:
            progress = max(progress, self._contents(stencil, [content], at, read))
            if progress is _ON_END:
                break
        return progress

    def _events(self, events: list[bytes], at: int, read: int) -> Progress:
        progress = _ON_NOTHING
        named_error = False
        for event in events:
            if event[:1] == b"{" and not named_error:
                if self._event(event, at, read):
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
                raise provider_error(loosely(event))
            elif event.strip() and self._event(event, at, read):
                progress = _ON_CONTENT
        return progress

    def _event(self, event: bytes, at: int, read: int) -> bool:
        """Takes one event in; whether it was progress."""
        chunk = _answer(event)
        kind = self._chunk(chunk, at, read)
        if kind == _CONTENT and self._tries:
            stencil = self._stencil
            if stencil is None or not stencil.fits(b"data: " + event + b"\n\n"):
                self._tries -= 1
                self._stencil = _stencil_of(event, chunk) or stencil
        return kind != 0

    def _chunk(self, chunk: WireAnswer, at: int, read: int) -> int:
        """Takes one chunk in; the kinds of what it brought."""
        kind = length = 0
        if chunk.error is not None or chunk.object == "error":
            self._check_error(chunk, at, read)
        if chunk.choices:
            kind, length = self._choice(chunk.choices[0])
        if chunk.usage is not None:
            kind |= _USAGE
            self._counted(usage_of(chunk.usage), chunk.usage)
        if self._served is None:
            self._served, self._fingerprint = chunk.model, chunk.system_fingerprint
        self._arrivals.append(at, kind, length, read)
        return kind

    def _check_error(self, chunk: WireAnswer, at: int, read: int) -> None:
        if chunk.error or chunk.object == "error":
            self._arrivals.append(at, _ERROR, 0, read)
            raise provider_error(chunk.error or chunk.message)

    def _choice(self, choice: WireChoice) -> tuple[int, int]:
        self._answered = True
        if choice.index:
            return 0, 0  # one answer was asked for
        kind = length = 0
        if (delta := choice.delta or choice.message) is not None:
            kind, length = self._message(delta)
        if choice.finish_reason:
            if choice.finish_reason == "error":
                raise provider_error("finish_reason is error")
            self._finish = choice.finish_reason
            kind |= _FINISH
        return kind, length

    def _message(self, message: WireMessage) -> tuple[int, int]:
        """Takes a message or a piece of one in; the kinds and the characters that it brought."""
        kind = length = 0
        if content := message.content:
            if isinstance(content, str):
                kind, length = _CONTENT, len(content)
                self._show(content)
            else:
                kind, length = self._parts(content)
        elif message.role is not None:
            kind = _ROLE
        if reasoning := (
            message.reasoning_content
            or message.reasoning
            or parts_text(message.reasoning_details, "text", "summary")
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
            if self._legacy:  # the same call again, under its newer name
                self._calls.clear()
                self._legacy = False
            length += sum([self._tool_call(call) for call in message.tool_calls])
        elif message.function_call is not None and (self._legacy or not self._calls):
            # The older name. Some servers send both, together or one after the other.
            kind |= _TOOL
            self._legacy = True
            length += self._tool_call(WireToolCall(0, None, message.function_call))
        return kind, length

    def _parts(self, content: list[JSON]) -> tuple[int, int]:
        """Takes a content of several parts in: text, thoughts and refusals, each in its own type."""
        kind = length = 0
        for bit, kept, text in (
            (_CONTENT, None, parts_text(content)),
            (_REASONING, self._reasoning, thoughts(content)),
            (_REFUSAL, self._refusal, parts_text(content, "refusal")),
        ):
            if text:
                kind |= bit
                length += len(text)
                if kept is None:
                    self._show(text)
                else:
                    kept.append(text)
        return kind, length

    def _tool_call(self, piece: WireToolCall) -> int:
        """Takes a tool call or a piece of one in; the characters of name and arguments."""
        function = piece.function or WireFunction()
        name, arguments = function.name or "", function.argument_text
        call = self._call_of(piece, name)
        if call is None:
            index = piece.index if piece.index is not None else len(self._calls)
            call = GrowingCall(index, piece.id or "", name)
            self._calls.append(call)
        else:
            call.id = call.id or piece.id or ""
            call.name = call.name or name
        call.arguments.append(arguments)
        return len(name) + len(arguments)

    def _call_of(self, piece: WireToolCall, name: str) -> GrowingCall | None:
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

    def _stream_ended(self, at: int, read: int) -> None:
        try:
            self._events(self._splitter.end(), at, read)
        except CallError as error:
            if error.error is ErrorClass.PROVIDER_ERROR:
                raise
            if self._finish is None:
                raise self._cut(error.raw) from error
        if self._answered and not self._done and self._finish is None:
            raise self._cut()

    # a whole body

    def _whole(self, body: bytes) -> None:
        answer = _answer(body)
        if answer.error or answer.object == "error":
            raise provider_error(answer.error or answer.message)
        if answer.usage is not None:
            self._counted(usage_of(answer.usage), answer.usage)
        self._served, self._fingerprint = answer.model, answer.system_fingerprint
        if answer.choices:
            self._choice(answer.choices[0])


def _stencil_of(event: bytes, chunk: WireAnswer) -> Stencil | None:
    """The stencil of an event that brought content alone, proved by reading it with another content."""
    choice, *others = chunk.choices or (WireChoice(),)
    said = choice.delta or choice.message
    content = None if said is None else said.content
    if said is None or not isinstance(content, str) or (stencil := cut(event, content)) is None:
        return None
    other = content + "~"
    field = "message" if choice.delta is None else "delta"
    changed = structs.replace(choice, **{field: structs.replace(said, content=other)})
    try:
        read = ANSWER.decode(stencil.enclosed(other.encode())[len(b"data: ") :])
    except ValueError:
        return None
    return stencil if read == structs.replace(chunk, choices=[changed, *others]) else None


def _answer(data: bytes) -> WireAnswer:
    return read_json(ANSWER, data, "a chat completion")
