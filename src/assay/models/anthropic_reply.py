"""A message of Anthropic's, streamed or whole, from bytes and stamps to a Reply."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Finish, Kind, Usage
from assay.models.decoder import (
    Decoder,
    GrowingCall,
    is_event_stream,
    loosely,
    provider_error,
    raw_text,
    read_json,
)
from assay.models.openai_wire import count
from assay.models.sse import COMMENT, NAMED_ERROR, EventSplitter
from assay.ports import OnRead
from assay.transport.sink import Progress

_ROLE, _CONTENT, _REASONING, _TOOL = int(Kind.ROLE), int(Kind.CONTENT), int(Kind.REASONING), int(Kind.TOOL)
_REFUSAL, _USAGE, _FINISH = int(Kind.REFUSAL), int(Kind.USAGE), int(Kind.FINISH)
_ERROR, _COMMENT, _DONE = int(Kind.ERROR), int(Kind.COMMENT), int(Kind.DONE)


class _StopDetails(Struct, frozen=True, gc=False):
    explanation: str | None = None


class _Block(Struct, frozen=True, gc=False):
    """A part of the content: a text, a thought, the call of a tool; others are passed over."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Delta(Struct, frozen=True, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None


class _Message(Struct, frozen=True, gc=False):
    type: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: JSON = None
    error: JSON = None


class _Event(Struct, frozen=True, gc=False):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: JSON = None
    error: JSON = None


_EVENT = msgspec.json.Decoder(_Event)
_MESSAGE = msgspec.json.Decoder(_Message)
_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSAL,
}


class AnthropicDecoder(Decoder):
    """The sink of one request. The end mark is `message_stop`.

    `reply_tool` names the tool whose input is the reply's text, where one was asked for by schema.
    """

    __slots__ = ("_counts", "_reply_tool", "_splitter")

    def __init__(
        self, on_read: OnRead | None = None, first_call: int = 0, reply_tool: str | None = None
    ) -> None:
        super().__init__(on_read, first_call)
        self._splitter = EventSplitter()
        self._reply_tool = reply_tool
        self._counts: dict[str, JSON] = {}  # cumulative: what comes later stands in place of it

    def _finished(self) -> Finish:
        finish = _FINISHES.get(self._finish or "", Finish.UNKNOWN)
        if finish is Finish.TOOL_CALLS and self._reply_tool is not None and not self._calls:
            return Finish.STOP
        return finish

    def _opens(self, start: bytes, kind: bytes) -> bool:
        return is_event_stream(start, kind)

    # a stream

    def _stream(self, data: bytes, at: int, read: int) -> Progress:
        return self._events(self._splitter.feed(data), at, read)

    def _events(self, events: list[bytes], at: int, read: int) -> Progress:
        progress = Progress.NOTHING
        named_error = False
        for event in events:
            if event is COMMENT:
                self._arrivals.append(at, _COMMENT, 0, read)
            elif event is NAMED_ERROR:
                named_error = True
            elif named_error:
                self._arrivals.append(at, _ERROR, 0, read)
                raise provider_error(loosely(event))
            elif event.strip() not in (b"", b"[DONE]"):  # proxies add the second, after the end
                if self._event(read_json(_EVENT, event, "an event of a message"), at, read):
                    progress = Progress.CONTENT
                if self._done:
                    return Progress.END
        return progress

    def _event(self, event: _Event, at: int, read: int) -> bool:
        """Takes one event in; whether it was progress."""
        if event.type == "content_block_delta":
            kind, length = (0, 0) if event.delta is None else self._delta(event.delta, event.index)
        elif event.type == "content_block_start":
            block = event.content_block
            kind, length = (0, 0) if block is None else self._block(block, event.index)
        elif event.type == "message_delta":
            kind, length = self._ending(event)
        else:
            kind, length = self._mark(event), 0
        self._arrivals.append(at, kind, length, read)
        if kind == _ERROR:
            raise provider_error({"error": event.error or "no reason given"})
        return kind not in (0, _COMMENT)

    def _mark(self, event: _Event) -> int:
        """Takes in an event that brings nothing of the answer; its kind."""
        if event.type == "message_start":
            self._answered = True
            if event.message is not None:
                self._served = event.message.model
                self._count(event.message.usage)
            return _ROLE
        if event.type == "message_stop":
            self._done = True
            return _DONE
        if event.type == "ping":
            return _COMMENT
        return _ERROR if event.type == "error" or event.error else 0

    def _ending(self, event: _Event) -> tuple[int, int]:
        kind = length = 0
        if event.delta is not None and event.delta.stop_reason is not None:
            self._finish = event.delta.stop_reason
            kind = _FINISH
            length = self._refused(event.delta.stop_details)
        if event.usage is not None:
            self._count(event.usage)
            self._counted(_usage(self._counts), self._counts)
            kind |= _USAGE
        return kind | (_REFUSAL if length else 0), length

    def _block(self, block: _Block, index: int) -> tuple[int, int]:
        """Takes the beginning of a part in, or the whole of it."""
        if block.type == "tool_use":
            call = GrowingCall(index, block.id or "", block.name or "")
            given = raw_text(bytes(block.input))
            if call.name == self._reply_tool:
                return self._say(given if given != "{}" else "")
            call.arguments.append(given)  # {} in a stream: the pieces that follow take its place
            self._calls.append(call)
            return _TOOL, len(call.name)
        if block.type == "thinking" and block.thinking:
            self._reasoning.append(block.thinking)
            return _REASONING, len(block.thinking)
        return self._say(block.text or "") if block.type == "text" else (0, 0)

    def _delta(self, delta: _Delta, index: int) -> tuple[int, int]:
        if delta.text:
            return self._say(delta.text)
        if delta.thinking:
            self._reasoning.append(delta.thinking)
            return _REASONING, len(delta.thinking)
        if not delta.partial_json:
            return 0, 0
        call = next((call for call in reversed(self._calls) if call.index == index), None)
        if call is None:
            return self._say(delta.partial_json) if self._reply_tool is not None else (0, 0)
        if len(call.arguments) == 1 and call.arguments[0] == "{}":
            call.arguments.clear()
        call.arguments.append(delta.partial_json)
        return _TOOL, len(delta.partial_json)

    def _say(self, text: str) -> tuple[int, int]:
        if not text:
            return 0, 0
        self._show(text)
        return _CONTENT, len(text)

    def _refused(self, details: _StopDetails | None) -> int:
        explanation = (details.explanation if details is not None else None) or ""
        if explanation:
            self._refusal.append(explanation)
        return len(explanation)

    def _count(self, usage: JSON) -> None:
        if isinstance(usage, dict):
            self._counts.update({name: value for name, value in usage.items() if value is not None})

    def _stream_ended(self, at: int, read: int) -> None:
        try:
            self._events(self._splitter.end(), at, read)
        except CallError as error:
            if error.error is ErrorClass.PROVIDER_ERROR:
                raise
            raise self._cut(error.raw) from error
        if self._answered and not self._done:
            raise self._cut()

    # a whole body

    def _whole(self, body: bytes) -> None:
        message = read_json(_MESSAGE, body, "a message")
        if message.error or message.type == "error":
            raise provider_error({"error": message.error or "no reason given"})
        self._answered = message.content is not None
        for index, block in enumerate(message.content or ()):
            self._block(block, index)
        self._finish = message.stop_reason
        self._refused(message.stop_details)
        self._served = message.model
        self._count(message.usage)
        if message.usage is not None:
            self._counted(_usage(self._counts), self._counts)


def _usage(counts: dict[str, JSON]) -> Usage | None:
    """What was counted; None where a count is missing. The input is fresh, read from the cache and
    written to it, each counted by itself.
    """
    fresh, made = count(counts.get("input_tokens")), count(counts.get("output_tokens"))
    if fresh is None or made is None:
        return None
    read = count(counts.get("cache_read_input_tokens")) or 0
    written = count(counts.get("cache_creation_input_tokens")) or 0
    details = counts.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(fresh + read + written, made, read, thought or 0)
