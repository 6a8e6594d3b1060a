"""Every fault there is: what each does, what a right client reports of it, whether it is billed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from assay.emulator.delivery import End, Mark
from assay.emulator.deviations import altering as alter
from assay.emulator.deviations import answering as answer
from assay.emulator.deviations import connecting as connect
from assay.emulator.deviations import streaming as stream
from assay.emulator.deviations.pieces import in_text
from assay.emulator.fault import Act, Fault, Group, Needs
from assay.errors import ErrorClass

_E = ErrorClass
_CHAT = ("/chat/completions",)
_LINES = ("/api/chat", "/api/generate")
"""The wires whose streams are lines of JSON."""

_EVENTS = ("/chat/completions", "/messages")
"""The wires whose streams are server-sent events."""


def _row(
    group: Group,
    name: str,
    about: str,
    act: Act,
    error: ErrorClass | None = None,
    *,
    billed: bool = False,
    detectable: bool = True,
    needs: Needs = "any",
    calls: bool = False,
    paths: tuple[str, ...] = (),
    **parameters: str,
) -> Fault:
    return Fault(
        name, group, about, act, error, billed, detectable, needs, calls, paths, tuple(parameters.items())
    )


def rows() -> Iterator[Fault]:
    """All of them, group by group."""
    yield _row("none", "ok", "no fault: the right reply", connect.nothing, billed=True)
    yield from _connection_faults()
    yield from _status_faults()
    yield from _body_faults()
    yield from _altered_answers()
    yield from _cut_streams()
    yield from _odd_streams()
    yield from _tool_faults()


def _connection_faults() -> Iterator[Fault]:
    row = partial(_row, "connection")
    yield row("rst", "reset (RST) in place of an answer", connect.gone(End.RESET), _E.TRANSPORT, s="0")
    yield row("fin", "closed (FIN) in place of an answer", connect.gone(End.CLOSE), _E.TRANSPORT, s="0")
    about = "our direction closed in place of an answer, the other left open"
    yield row("half_close", about, connect.gone(End.HALF), _E.TRANSPORT, s="0")
    act = connect.raw(b"HTTP/1.1 OK two hundred\r\n\r\n")
    yield row("bad_status_line", "a status line without a number", act, _E.PROTOCOL)
    yield row("not_http", "another protocol's greeting", connect.raw(b"SSH-2.0-server\r\n"), _E.PROTOCOL)
    about = "interim answers (102) for mb MiB, and no other"
    yield row("interim_flood", about, connect.interim_flood, _E.TOO_LARGE, mb="64")
    right = partial(_row, "connection", billed=True)
    about = "nothing for s seconds (0: for ever), then the right reply"
    yield right("stall_headers", about, connect.stall_headers, _E.TIMEOUT, s="0")
    yield right("slow_headers", "the head at bps bytes a second", connect.slow_headers, bps="400")
    yield right("interim", "n interim answers (102) before the right reply", connect.interim, n="100")
    about = "the right reply; its body ends with the connection, which is half closed"
    yield right("until_end", about, connect.until_end)
    yield right("last_reply", "the right reply with connection: close", connect.last_reply)
    about = "the right reply, then closed (FIN) after ms milliseconds, unannounced"
    yield right("idle_fin", about, connect.idle_end(End.CLOSE), ms="50")
    about = "the right reply, then reset (RST) after ms milliseconds, unannounced"
    yield right("idle_rst", about, connect.idle_end(End.RESET), ms="50")


_STATUSES = (
    ("400", _E.REJECTED, "invalid_value", "The request was not understood."),
    ("400context", _E.CONTEXT_OVERFLOW, "context_length_exceeded", "The maximum context is 8192 tokens."),
    ("401", _E.DENIED, "invalid_api_key", "Incorrect API key provided."),
    ("403", _E.DENIED, "access_denied", "You have no access to this model."),
    ("404", _E.DENIED, "model_not_found", "The model does not exist."),
    ("408", _E.TIMEOUT, "request_timeout", "The request took too long."),
    ("409", _E.REJECTED, "conflict", "The resource was changed meanwhile."),
    ("413", _E.REJECTED, "request_too_large", "The request has too many bytes."),
    ("422", _E.REJECTED, "unprocessable", "The request cannot be processed."),
    ("429quota", _E.DENIED, "insufficient_quota", "You exceeded your current quota."),
    ("429spend", _E.DENIED, "spend_limit_reached", "The project's spend limit is reached."),
    ("500", _E.OVERLOADED, "server_error", "The server had an error."),
    ("502", _E.OVERLOADED, "bad_gateway", "Bad gateway."),
    ("503", _E.OVERLOADED, "overloaded", "The engine is overloaded."),
    ("504", _E.OVERLOADED, "gateway_timeout", "Gateway timeout."),
    ("529", _E.OVERLOADED, "overloaded_error", "Overloaded."),
)


def _status_faults() -> Iterator[Fault]:
    row = partial(_row, "status")
    for name, error, code, message in _STATUSES:
        number = int(name[:3])
        about = f"{number} in the dialect's error shape, code {code}"
        yield row(name, about, answer.status(number, code, message), error)
    about = "rate limit; a wait of ra in a form: s, ms, date, bad (no number), reset (of x-ratelimit), none"
    yield row("429", about, answer.rate_limited, _E.RATE_LIMITED, ra="1", form="s")
    for number in (502, 503):
        yield row(
            f"{number}html", f"{number} with a page in place of JSON", answer.html(number), _E.OVERLOADED
        )
    for number in (307, 308):
        act = answer.redirect(number, same=False)
        yield row(str(number), f"{number} to another host", act, _E.REJECTED, host="elsewhere.invalid")
        about = f"{number} to the same place"
        yield row(f"{number}same", about, answer.redirect(number, same=True), _E.REJECTED)


def _body_faults() -> Iterator[Fault]:
    row = partial(_row, "body")
    yield row("200html", "200 with a page in place of JSON", answer.html(200), _E.PROTOCOL)
    yield row("204", "204 without a body", answer.empty(204), _E.PROTOCOL)
    yield row("200empty", "200 with an empty body", answer.empty(200), _E.PROTOCOL)
    yield row("200err", "200 with an error object", answer.error_in_200, _E.PROVIDER_ERROR)
    sent = partial(_row, "body", billed=True)
    yield sent("huge", "an answer of mb MiB", answer.huge, _E.TOO_LARGE, mb="200")
    about = "mb MiB of text as gzip, a thousandth of that on the wire"
    yield sent("gzbomb", about, answer.gzip_bomb, _E.TOO_LARGE, mb="300")
    yield sent("gzip", "the right reply as gzip, which nobody asked for", answer.gzipped)
    yield sent("wrongtype", "the right reply as text/plain", answer.wrong_type)
    yield sent("bom", "a byte order mark before the right reply", alter.marked)
    yield sent("drip", "the right reply at bps bytes a second", answer.drip, bps="200")
    whole = partial(sent, needs="body")
    no_choices = answer.fixed(b'{"id":"x","object":"chat.completion"}')
    yield whole("nochoices", "a body without choices", no_choices, _E.PROTOCOL, paths=_CHAT)
    yield whole("emptychoices", "a body whose list of answers is empty", answer.hollow, _E.PROTOCOL)
    about = "content null and no finish reason"
    yield whole("nullcontent", about, alter.null_answer, _E.PROTOCOL, paths=_CHAT)
    yield whole("badjson", "JSON cut in the middle", answer.bad_json, _E.MALFORMED)
    yield whole("badutf8", "bytes that are no UTF-8", answer.bad_utf8, _E.MALFORMED)
    yield whole("trunc", "half of what content-length announces", answer.truncated, _E.TRANSPORT)
    yield whole("shortlength", "content-length is half of the body", answer.short_length, _E.MALFORMED)


def _altered_answers() -> Iterator[Fault]:
    row = partial(_row, "body", billed=True)
    yield row("surrogate", "half a surrogate pair in the text", alter.surrogate, _E.MALFORMED)
    yield row("nan", "NaN among the JSON", alter.not_a_number, _E.MALFORMED)
    yield row("deep", "lists n deep beside the answer", alter.deep, _E.MALFORMED, n="100000")
    yield row("dupkeys", "the text's key twice, the last one right", alter.twice)
    yield row("nousage", "the right reply without usage", answer.no_usage)
    about = "usage that is no usage, of a kind: negative, float, text, tenfold"
    yield row("usage", about, alter.usage, kind="negative", paths=_CHAT)
    yield row("nodurations", "durations that are all 0", alter.no_durations, paths=_LINES)
    about = "the right text, ended for a reason: length, content_filter, unknown (flagged)"
    yield row("finish", about, alter.finish, reason="length")
    yield row("reasoning", "reasoning before the content", alter.reasoning, paths=_CHAT)
    about = "an empty answer that ends like a good one: a wrong text, validly framed"
    yield row("wordless", about, answer.wordless, detectable=False)


def _cut_streams() -> Iterator[Fault]:
    row = partial(_row, "stream", billed=True, needs="stream")
    yield row("s_cut", "connection closed after some tokens", stream.cut(End.CLOSE), _E.TRANSPORT, after="2")
    yield row("s_rst", "connection reset after some tokens", stream.cut(End.RESET), _E.TRANSPORT, after="2")
    about = "silence of s seconds (0: for ever) after some tokens"
    yield row("s_stall", about, stream.stall, _E.TIMEOUT, after="2", s="0")
    about = "after some tokens comments alone for s seconds, then closed"
    yield row("s_keepalive", about, stream.keepalive, _E.TIMEOUT, after="2", s="60", every="0.1")
    act = stream.lacking(Mark.FINISH | Mark.USAGE | Mark.DONE)
    yield row("s_nofinish", "clean end without finish reason and end mark", act, _E.TRANSPORT)
    yield row("s_err", "an error event in the stream", stream.error(None), _E.PROVIDER_ERROR, after="2")
    about = "an event named error"
    yield row("s_errevent", about, stream.error("error"), _E.PROVIDER_ERROR, after="2", paths=_EVENTS)
    act = stream.token_changed(lambda data: in_text(data, b"\xff\xfe"))
    yield row("s_badutf8", "bytes that are no UTF-8 in the first token", act, _E.MALFORMED)
    yield row("s_badjson", "the first token's JSON is cut", stream.token_changed(stream.halved), _E.MALFORMED)
    yield row("s_empty", "a stream without events", stream.alone(), _E.PROTOCOL)
    yield row("s_html", "a page under a stream's content type", stream.page, _E.PROTOCOL)
    about = "comments alone for s seconds, then a clean end"
    yield row("s_comments", about, stream.comments, _E.PROTOCOL, s="0.2", every="0.05", paths=_EVENTS)
    act = stream.alone(Mark.LEAD, Mark.DONE)
    yield row("s_roleonly", "the role and the end mark, nothing between", act, _E.PROTOCOL, paths=_CHAT)
    act = stream.alone(Mark.USAGE, Mark.DONE)
    yield row("s_usageonly", "usage and the end mark, no choice", act, _E.PROTOCOL, paths=_CHAT)
    yield row("s_tiny", "n events of a token each", stream.tiny_flood, _E.TOO_LARGE, n="1000000")
    yield row("s_longline", "mb MiB without a line break", stream.long_line, _E.TOO_LARGE, mb="50")


def _odd_streams() -> Iterator[Fault]:
    row = partial(_row, "stream", billed=True, needs="stream")
    chat, events = partial(row, paths=_CHAT), partial(row, paths=_EVENTS)
    yield chat("s_nodone", "a finish reason but no end mark", stream.lacking(Mark.DONE))
    yield chat("s_nofinish_done", "end mark without a finish reason (flagged)", stream.lacking(Mark.FINISH))
    yield chat("s_finishnull", "the last chunk's finish reason is null (flagged)", stream.finish_null)
    yield row("s_splitutf8", "events split over reads, within characters", stream.split)
    crlf = stream.all_changed(lambda data: data.replace(b"\n", b"\r\n"))
    yield row("s_crlf", "lines end in CR LF", crlf)
    nospace = stream.all_changed(lambda data: data.replace(b"data: ", b"data:", 1))
    yield events("s_nospace", "no space after a field's colon", nospace)
    multiline = stream.all_changed(stream.over_lines)
    yield row("s_joined", "two objects on a line", stream.joined_lines, paths=_LINES)
    yield events("s_multiline", "an event's data over several lines", multiline)
    yield chat("s_emptychunks", "events without a choice in between", stream.empty_chunks)
    yield chat("s_wrongid", "an event with the id of another reply", alter.other_id)
    yield chat("s_usagetwice", "a usage so far, then the whole one", alter.usage_twice)
    about = "the first token twice: a wrong text, validly framed"
    yield row("s_dup", about, stream.duplicate, detectable=False)
    about = "two tokens in the wrong order: a wrong text, validly framed"
    yield row("s_reordered", about, stream.reordered, detectable=False)
    yield chat("s_after_done", "another token after the end mark", stream.after_done)
    yield row("s_done_open", "the body stays open after the end mark", stream.done_open)
    yield row("s_json", "one JSON body in place of a stream (flagged)", stream.unstreamed)


def _tool_faults() -> Iterator[Fault]:
    row = partial(_row, "tools", billed=True, calls=True)
    about = "arguments that are no JSON: a wrong call, validly framed"
    yield row("badarguments", about, alter.bad_arguments, detectable=False)
    streamed = partial(row, needs="stream", paths=_CHAT)
    yield streamed("s_toolchars", "arguments one character an event", alter.by_character)
    yield streamed("s_toolturns", "the pieces of several calls in turns", alter.interleaved)
