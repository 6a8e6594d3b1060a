"""What the decoders of all dialects have in common: a response from bytes and stamps to a Reply."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Arrivals, Finish, Instants, Reply, Request, ToolCall, Usage
from assay.models.http_errors import DETAIL_LIMIT, RAW_LIMIT, error_text, http_error
from assay.ports import OnRead
from assay.transport.sink import Headers, Progress

Shape = TypeVar("Shape")

BOM = b"\xef\xbb\xbf"
_UNSEEN = 16
"""Tokens of an answer, and of each call, that no text shows: marks, names."""

_HEAD = 1024  # bytes of a stream's beginning that are kept, to be shown if nothing comes of it


class GrowingCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.index = index
        self.id = call_id
        self.name = name
        self.arguments: list[str] = []


class Decoder:
    """The sink of one request. It wakes nobody; `reply` or `partial` is asked for at the end.

    A dialect says how a stream begins (`_opens`), takes it in (`_stream`, `_stream_ended`) or
    a whole body (`_whole`), and names the finish (`_finished`). `_first_call` is the number that
    the id of a call gets which came without one.
    """

    __slots__ = (
        "_answered",
        "_arrivals",
        "_body",
        "_calls",
        "_done",
        "_fingerprint",
        "_finish",
        "_first_call",
        "_headers",
        "_is_body",
        "_is_stream",
        "_odd_usage",
        "_on_read",
        "_reasoning",
        "_refusal",
        "_served",
        "_status",
        "_text",
        "_usage",
        "_usage_as_it_came",
    )

    def __init__(self, on_read: OnRead | None = None, first_call: int = 0) -> None:
        self._on_read = on_read
        self._first_call = first_call
        self._arrivals = Arrivals()
        self._status = 0
        self._headers: Headers = {}
        self._body: list[bytes] = []  # the body that is no stream, or the head of a stream
        self._is_body = self._is_stream = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[GrowingCall] = []
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._usage_as_it_came: JSON = None
        self._odd_usage: JSON = None
        self._served: str | None = None
        self._fingerprint: str | None = None
        self._answered = self._done = False  # whether there was an answer at all; its end mark

    @property
    def ended(self) -> bool:
        """Whether a stream's end mark has come."""
        return self._done and self._is_stream

    def head(self, status: int, headers: Headers, _at: int) -> None:
        self._status, self._headers = status, headers

    def feed(self, data: bytes, at: int, read: int) -> Progress:
        return self._stream(data, at, read) if self._is_stream else self._begin(data, at, read)

    def reply(self, instants: Instants) -> Reply:
        """The whole answer. Raises CallError for a response that is none."""
        self._settle()
        if not 200 <= self._status < 300 or self._status in (204, 205):
            raise http_error(self._status, self._headers, b"".join(self._body))
        if not self._is_stream:
            self._whole(self._json_body())
        elif not self._done:
            self._stream_ended(instants.ended, self._arrivals.reads[-1] if len(self._arrivals) else 0)
        if not (self._finish or self._text or self._reasoning or self._refusal or self._calls):
            problem = "an empty reply without a reason" if self._answered else "a reply without choices"
            raise self._breach(problem, b"".join(self._body))
        return self.partial(instants)

    def partial(self, instants: Instants) -> Reply:
        """What has come by now."""
        self._settle()
        first, text = self._first_call, "".join(self._text)
        odd = self._odd_usage
        if odd is None and self._usage is not None and self._beyond(self._usage, text):
            odd = self._usage_as_it_came
        return Reply(
            text,
            tuple(
                ToolCall(c.id or f"call_{n}", c.name, "".join(c.arguments))
                for n, c in enumerate(self._calls, first)
            ),
            self._finished(),
            self._usage,
            "".join(self._reasoning),
            "".join(self._refusal),
            self._served,
            self._fingerprint,
            instants,
            self._arrivals,
            odd_usage=""
            if odd is None
            else msgspec.json.encode(odd)[:DETAIL_LIMIT].decode("utf-8", "replace"),
        )

    def _counted(self, usage: Usage | None, as_it_came: JSON) -> None:
        """Takes a usage in: the last one counts. One that is none, or counts back, is kept beside it."""
        held = self._usage
        if usage is None or (held is not None and usage.output < held.output):
            self._odd_usage = as_it_came
        elif held is None:
            self._odd_usage = None  # what was none is made good
        if usage is not None:
            self._usage, self._usage_as_it_came = usage, as_it_came

    def _beyond(self, usage: Usage, text: str) -> bool:
        """Whether a reply cannot have so many tokens, or so few: none is shorter than a byte.

        Thoughts may be counted and not shown, so that nothing is said where there are any.
        """
        if not usage.output:
            return bool(text)
        unseen = _UNSEEN * (1 + len(self._calls))
        shown = usage.output - usage.reasoning
        if shown <= len(text) + unseen or self._reasoning:
            return False
        written = [text, *self._refusal, *(piece for call in self._calls for piece in call.arguments)]
        return shown > unseen + sum(len(piece.encode("utf-8", "replace")) for piece in written)

    # what a dialect says

    def _settle(self) -> None:
        """Takes in what was kept aside, if anything, before it is looked at."""

    def _opens(self, start: bytes, kind: bytes) -> bool:
        """Whether bytes that begin so, under that content type, are a stream."""
        raise NotImplementedError

    def _stream(self, data: bytes, at: int, read: int) -> Progress:
        raise NotImplementedError

    def _stream_ended(self, at: int, read: int) -> None:
        """A stream that came to its end without its end mark."""
        raise NotImplementedError

    def _whole(self, body: bytes) -> None:
        raise NotImplementedError

    def _finished(self) -> Finish:
        raise NotImplementedError

    # which of them it is

    def _begin(self, data: bytes, at: int, read: int) -> Progress:
        """Takes bytes until the first of them tells a stream from a body."""
        body = self._body
        if not 200 <= self._status < 300:
            body.append(data)
            if len(body) > 64 or len(data) > RAW_LIMIT:
                body[:] = [b"".join(body)[:RAW_LIMIT]]
            return Progress.CONTENT
        if self._is_body:
            body.append(data)
            return Progress.CONTENT if data.strip() else Progress.NOTHING
        start = b"".join([*body, data]).removeprefix(BOM).lstrip()
        body[:] = [start[:_HEAD]]
        if BOM.startswith(start):  # nothing yet, or a part of the mark
            return Progress.NOTHING
        if not self._opens(start, self._headers.get(b"content-type", b"").lower()):
            self._is_body = True
            body[:] = [start]
            return Progress.CONTENT
        self._is_stream = True
        return self._stream(start, at, read)

    def _json_body(self) -> bytes:
        """The body, if it can be JSON at all."""
        body = b"".join(self._body).removeprefix(BOM).strip()
        if not body or body.startswith(b"<") or b"html" in self._headers.get(b"content-type", b"").lower():
            what = "HTML" if body else "an empty body"
            raise self._breach(f"{what} where JSON was asked for", body)
        return body

    def _breach(self, problem: str, raw: bytes) -> CallError:
        return CallError(ErrorClass.PROTOCOL, problem, status=self._status, raw=raw[:RAW_LIMIT])

    def _cut(self, raw: bytes = b"") -> CallError:
        return CallError(ErrorClass.TRANSPORT, "cut", status=self._status, raw=raw)

    def _show(self, text: str) -> None:
        """Takes a piece of the answer's text in."""
        self._text.append(text)
        if self._on_read is not None:
            self._on_read(text)


def calls_before(request: Request) -> int:
    """How many tool calls the history holds: the calls of the reply are numbered on from there.

    A call that comes without an id gets one by its number, so that ids are the same at every play
    and no two calls of a dialogue share one.
    """
    return sum([len(message.tool_calls) for message in request.messages])


def read_json(decoder: msgspec.json.Decoder[Shape], data: bytes, what: str) -> Shape:
    """The data in the decoder's shape; `what` names it. Raises CallError: MALFORMED or PROTOCOL."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise CallError(
            ErrorClass.PROTOCOL, f"not {what}: {error}"[:DETAIL_LIMIT], raw=data[:RAW_LIMIT]
        ) from error
    except (ValueError, RecursionError) as error:
        raise CallError(
            ErrorClass.MALFORMED, f"not JSON: {error}"[:DETAIL_LIMIT], raw=data[:RAW_LIMIT]
        ) from error


def is_event_stream(start: bytes, kind: bytes) -> bool:
    """Whether bytes that begin so, under that content type, are server-sent events.

    The content type is not asked first: servers send streams as text and bodies as streams.
    """
    return not (start[:1] in b"{[<" or b"json" in kind or b"html" in kind)


def loosely(data: bytes) -> JSON:
    """The data as JSON, or as text where it is none."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return data[:DETAIL_LIMIT].decode("utf-8", "replace")


def raw_text(raw: bytes) -> str:
    """JSON that was kept as it came, as text. Raises CallError(MALFORMED) for what is no UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CallError(
            ErrorClass.MALFORMED, f"not UTF-8: {error}"[:DETAIL_LIMIT], raw=raw[:RAW_LIMIT]
        ) from error


def provider_error(value: JSON) -> CallError:
    """The error that a provider put in the place of an answer."""
    _, text = error_text(value)
    return CallError(ErrorClass.PROVIDER_ERROR, text)
