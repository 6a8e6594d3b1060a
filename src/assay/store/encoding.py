"""How values become rows and rows values: MessagePack, and bodies named by their hash so that a
conversation's history is stored once.

A text that UTF-8 cannot hold (a lone surrogate) or a number beyond 64 bits goes through JSON instead.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct, structs

from assay.case import Case
from assay.errors import ErrorClass
from assay.keys import JSON
from assay.message import Arrivals, Finish, Instants, Message, Reply, Request, ToolSpec, Usage
from assay.store.arrivals import pack, unpack
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Transcript, Trial

T = TypeVar("T")
Value: TypeAlias = str | bytes | int | float | None
Row: TypeAlias = tuple[Value, ...]

HASH_BYTES = 16
SHRINK_FROM = 1024
"""Bodies of so many bytes are compressed: below it, zlib costs more time than it saves room."""

# 0xC1 is the one byte that MessagePack never uses.
_MARK, _AS_JSON, _DEFLATED = b"\xc1", b"\xc1j", b"\xc1z"
_ENCODER = msgspec.msgpack.Encoder()


def packed(value: object) -> bytes:
    """The value as bytes. Raises RecursionError for JSON nested deeper than the interpreter goes."""
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, OverflowError):
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return _AS_JSON + text.encode("utf-8", "surrogatepass")


def shrunk(raw: bytes) -> bytes:
    """The bytes, deflated where that is worth it."""
    if len(raw) < SHRINK_FROM:
        return raw
    smaller = _DEFLATED + zlib.compress(raw, 1)
    return smaller if len(smaller) < 0.9 * len(raw) else raw


def grown(raw: bytes) -> bytes:
    """The inverse of `shrunk`."""
    return zlib.decompress(raw[2:]) if raw[:2] == _DEFLATED else raw


class Unpacker(Generic[T]):
    """Reads values of one type from what `packed` and `shrunk` gave."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(kind).decode

    def __call__(self, raw: bytes) -> T:
        if raw[:1] != _MARK:  # nearly all: one call less counts, a report reads a million of them
            return self._decode(raw)
        raw = grown(raw)
        if raw[:2] == _AS_JSON:
            return msgspec.convert(json.loads(raw[2:].decode("utf-8", "surrogatepass")), self._kind)
        return self._decode(raw)


class _Said(Struct, frozen=True, array_like=True):
    """What a reply holds beside its message, usage and arrivals."""

    finish: Finish
    reasoning: str
    refusal: str
    served_model: str | None
    fingerprint: str | None
    call: str | None
    instants: list[JSON]
    detail: str = ""
    logprobs: tuple[float, ...] = ()
    odd_usage: str = ""


class _Final(Struct, frozen=True, array_like=True):
    """A final answer that no call of the trial brought."""

    said: _Said
    usage: Usage | None
    arrivals: bytes
    message: int


class _Happened(Struct, frozen=True, array_like=True):
    """An event; `message` is its place among the transcript's messages, from 1; 0 is none."""

    kind: EventKind
    role: str
    message: int
    call: str | None
    delivered: bool
    data: JSON


class _Told(Struct, frozen=True, array_like=True):
    """A transcript without its messages; `final` is a call's id or a reply."""

    reason: str
    error: ErrorClass | None
    detail: str
    events: list[_Happened]
    final: str | _Final | None
    state: JSON


message_of = Unpacker(Message)
tools_of = Unpacker(tuple[ToolSpec, ...])
case_of = Unpacker(Case)
score_of = Unpacker(Score)
names_of = Unpacker(tuple[str, ...])
json_of: Unpacker[JSON] = Unpacker(object)
_request_of = Unpacker(Request)
_said_of = Unpacker(_Said)
_told_of = Unpacker(_Told)


def named(raw: bytes) -> bytes:
    """The hash by which the bytes of a text or a case are found."""
    return hashlib.sha256(raw).digest()[:HASH_BYTES]


class Bodies:
    """Collects the bodies that one record refers to, as (hash, bytes) rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes]] = []

    def add(self, value: object) -> bytes:
        """The hash by which the value will be found."""
        raw = packed(value)
        name = named(raw)
        self.rows.append((name, raw))
        return name

    def add_all(self, messages: Sequence[Message]) -> bytes:
        return b"".join([self.add(message) for message in messages])


class Found:
    """What body names stand for, each fetched and read once. `fetch` gives the stored bytes."""

    def __init__(self, fetch: Callable[[bytes], bytes]) -> None:
        self._fetch = fetch
        self._messages: dict[bytes, Message] = {}
        self._tools: dict[bytes, tuple[ToolSpec, ...]] = {}

    def message(self, name: bytes) -> Message:
        found = self._messages.get(name)
        if found is None:
            found = self._messages[name] = message_of(self._fetch(name))
        return found

    def messages(self, names: bytes) -> tuple[Message, ...]:
        return tuple([self.message(name) for name in split(names)])

    def tools(self, name: bytes | None) -> tuple[ToolSpec, ...]:
        if name is None:
            return ()
        found = self._tools.get(name)
        if found is None:
            found = self._tools[name] = tools_of(self._fetch(name))
        return found

    def schema(self, name: bytes | None) -> JSON:
        return None if name is None else json_of(self._fetch(name))


def split(names: bytes) -> list[bytes]:
    """The hashes that stand one after another."""
    if len(names) == HASH_BYTES:
        return [names]
    return [names[at : at + HASH_BYTES] for at in range(0, len(names), HASH_BYTES)]


def call_row(number: int, run: int, call: Call, bodies: Bodies) -> Row:
    """The intent's row, in the order of the columns of `calls`."""
    request = call.request
    rest = Request(
        (),
        tool_choice=request.tool_choice,
        format=request.format,
        sampling=request.sampling,
        stream=request.stream,
        case=request.case,
        continuation=request.continuation,
    )
    return (
        number,
        run,
        call.trial,
        call.role,
        call.ordinal,
        call.attempt,
        call.model,
        call.request_hash,
        call.occurrence,
        call.began,
        call.origin,
        bodies.add_all(request.messages),
        bodies.add(request.tools) if request.tools else None,
        bodies.add(request.schema) if request.schema is not None else None,
        packed(rest),
    )


def settlement_row(number: int, call: Call, bodies: Bodies) -> Row:
    """The outcome's row, in the order of the columns of `settlements`."""
    reply, usage = call.reply, call.reply.usage
    counts: Row = (None,) * 5
    if usage is not None:
        counts = (usage.input, usage.output, usage.cached, usage.reasoning, usage.source)
    return (
        number,
        call.state.value,
        None if call.error is None else call.error.value,
        call.status,
        *counts,
        None if call.cost is None else str(call.cost),
        int(call.paused),
        bodies.add(reply.message) if reply.text or reply.tool_calls else None,
        _arrivals(reply),
        packed(_said(reply, call.detail)),
    )


def _arrivals(reply: Reply) -> bytes | None:
    return pack(reply.arrivals) if len(reply.arrivals) else None


def _said(reply: Reply, detail: str = "") -> _Said:
    return _Said(
        reply.finish,
        reply.reasoning,
        reply.refusal,
        reply.served_model,
        reply.fingerprint,
        reply.call,
        list(structs.astuple(reply.instants)),
        detail,
        reply.logprobs,
        reply.odd_usage,
    )


def _reply(said: _Said, message: Message | None, usage: Usage | None, arrivals: bytes | None) -> Reply:
    return Reply(
        text="" if message is None else message.text,
        tool_calls=() if message is None else message.tool_calls,
        finish=said.finish,
        usage=usage,
        reasoning=said.reasoning,
        refusal=said.refusal,
        served_model=said.served_model,
        fingerprint=said.fingerprint,
        instants=Instants(*said.instants),
        arrivals=Arrivals() if arrivals is None else unpack(grown(arrivals)),
        call=said.call,
        logprobs=said.logprobs,
        odd_usage=said.odd_usage,
    )


def call_of(run: str, row: Sequence[JSON], found: Found) -> Call:
    """The call of a row of `CALL_COLUMNS`."""
    (_, trial, role, ordinal, attempt, model, hashed, occurrence, began, origin, *rest) = row
    messages, tools, schema, request, state, error, status, *settled = rest
    kept = _request_of(request)
    asked = Request(
        found.messages(messages),
        tools=found.tools(tools),
        tool_choice=kept.tool_choice,
        format=kept.format,
        schema=found.schema(schema),
        sampling=kept.sampling,
        stream=kept.stream,
        case=kept.case,
    )
    intent = (run, trial, role, ordinal, attempt, model, asked, hashed, occurrence, began)
    if state is None:
        return Call(*intent, origin=origin)
    *counts, cost, paused, said, arrivals, reply = settled
    other = _said_of(reply)
    return Call(
        *intent,
        state=CallState(state),
        origin=origin,
        reply=_reply(other, found.message(said) if said else None, _usage(counts), arrivals),
        error=None if error is None else ErrorClass(error),
        detail=other.detail,
        status=status,
        cost=None if cost is None else Decimal(cost),
        paused=bool(paused),
    )


def _usage(counts: Sequence[JSON]) -> Usage | None:
    return None if counts[0] is None else Usage(*counts)


CALL_COLUMNS = (
    "c.id, c.trial, c.role, c.ordinal, c.attempt, c.model, c.request_hash, c.occurrence, c.began, c.origin,"
    " c.messages, c.tools, c.schema, c.request, s.state, s.error, s.status, s.input, s.output, s.cached,"
    " s.reasoning, s.source, s.cost, s.paused, s.said, s.arrivals, s.reply"
)


def told(transcript: Transcript, final: str | None, bodies: Bodies) -> tuple[bytes, bytes]:
    """The transcript as (hashes of its messages, the rest); `final` names the call of its answer."""
    messages: list[bytes] = []

    def place(message: Message | None) -> int:
        if message is None:
            return 0
        messages.append(bodies.add(message))
        return len(messages)

    events = [
        _Happened(e.kind, e.role, place(e.message), e.call, e.delivered, e.data) for e in transcript.events
    ]
    answer: str | _Final | None = final
    if final is None and (reply := transcript.final) is not None:
        answer = _Final(_said(reply), reply.usage, _arrivals(reply) or b"", place(reply.message))
    outcome = transcript.outcome
    raw = packed(_Told(outcome.reason, outcome.error, outcome.detail, events, answer, transcript.state))
    return b"".join(messages), shrunk(raw)


def trial_rows(number: int, run: int, trial: Trial, calls: dict[str, int], bodies: Bodies) -> tuple[Row, Row]:
    """The rows of `trials` and `cases`; `calls` gives the row of each recorded call by its id."""
    answered = _answered(trial)
    messages, transcript = told(trial.transcript, answered, bodies)
    case = packed(trial.case)
    hashed = named(case)
    row = (
        *(number, run, trial.key, hashed, trial.model, trial.repeat, trial.seed),
        *(trial.status.value, trial.detail, trial.phase, trial.due, trial.started, trial.ended, trial.wall),
        *(messages, transcript, None if answered is None else calls[answered]),
    )
    return row, (hashed, trial.case.id, trial.case.name, shrunk(case))


def _answered(trial: Trial) -> str | None:
    """The id of the call whose reply is the final answer: it is not stored twice."""
    final = trial.transcript.final
    if final is None or final.call is None:
        return None
    for call in reversed(trial.calls):
        if call.id == final.call and call.state is CallState.DONE:
            return call.id if structs.replace(call.reply, call=call.id) == final else None
    return None


def score_row(number: int, run: int, key: str, score: Score) -> Row:
    """The row of `scores`, with the trial's key and run in front."""
    try:
        value = score.number
    except OverflowError:  # an integer beyond any float: the whole score keeps it
        value = None
    return (key, run, number, score.name, score.scorer, value, score.unscored, packed(score))


def transcript_of(names: bytes, raw: bytes, found: Found, brought: Reply | None) -> Transcript:
    """The inverse of `told`; `brought` is the reply of the call that brought the answer."""
    told, messages = _told_of(raw), found.messages(names)
    events = tuple(
        Event(e.kind, e.role, messages[e.message - 1] if e.message else None, e.call, e.delivered, e.data)
        for e in told.events
    )
    final: Reply | None = None
    if isinstance(told.final, str):
        final = brought
        if brought is not None and brought.call != told.final:
            final = structs.replace(brought, call=told.final)
    elif told.final is not None:
        answer = told.final
        final = _reply(answer.said, messages[answer.message - 1], answer.usage, answer.arrivals or None)
    return Transcript(events, Outcome(told.reason, told.error, told.detail), final, told.state)
