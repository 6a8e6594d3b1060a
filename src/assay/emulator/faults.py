"""The one table of faults: what each does, what a right client reports, whether it is billed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Literal

from msgspec import Struct

from assay.emulator import deviations as do
from assay.emulator.delivery import Delivery, End, Ready
from assay.errors import ErrorClass, UsageError

Group = Literal["none", "connection", "status", "body", "stream"]
Needs = Literal["any", "stream", "body"]

_E = ErrorClass

TIMES = "times"
"""Every fault takes it: only the first so many attempts at equal requests meet the fault."""


class Fault(Struct, frozen=True):
    """One way to misbehave.

    `error` is what a right client reports; None where it gets a reply, whole or flagged.
    `billed` says whether the tokens are charged. `detectable` is False where valid framing
    carries a wrong text, so that no client can know. `needs` is the kind of request that can meet
    it: others are answered right, and the ledger says "ok".
    """

    name: str
    group: Group
    about: str
    act: Callable[[Ready, Mapping[str, str]], Delivery]
    error: ErrorClass | None = None
    billed: bool = False
    detectable: bool = True
    needs: Needs = "any"
    parameters: tuple[tuple[str, str], ...] = ()

    def applies(self, *, stream: bool) -> bool:
        """Whether a request of that kind can meet this fault."""
        return self.needs == "any" or (self.needs == "stream") == stream


class Chosen(Struct, frozen=True):
    """A fault with its parameters, defaults filled in."""

    fault: Fault
    values: tuple[tuple[str, str], ...] = ()

    def on_attempt(self, attempt: int) -> bool:
        """Whether the attempt of that number (from 1) meets it."""
        times = dict(self.values).get(TIMES, "")
        return not times or attempt <= int(times)

    def deliver(self, ready: Ready) -> Delivery:
        """The reply as this fault delivers it."""
        return self.fault.act(ready, dict(self.values))

    @property
    def text(self) -> str:
        """NAME or NAME:k=v,..., with the parameters that differ from their defaults."""
        defaults = dict(self.fault.parameters)
        said = [f"{key}={value}" for key, value in self.values if defaults.get(key) != value]
        return self.fault.name + (":" + ",".join(said) if said else "")


Act = Callable[[Ready, Mapping[str, str]], Delivery]


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
    **parameters: str,
) -> Fault:
    return Fault(name, group, about, act, error, billed, detectable, needs, tuple(parameters.items()))


def _connection_faults() -> Iterator[Fault]:
    row = partial(_row, "connection")
    yield row("refuse", "reset (RST) in place of an answer", do.gone(End.RESET), _E.TRANSPORT, s="0")
    yield row("fin", "closed (FIN) in place of an answer", do.gone(End.CLOSE), _E.TRANSPORT, s="0")
    about = "nothing for s seconds (0: for ever), then the right reply"
    yield row("stall_headers", about, do.stall_headers, _E.TIMEOUT, billed=True, s="0")


_STATUSES = (
    ("400", _E.REJECTED, "invalid_value", "The request was not understood."),
    ("400context", _E.CONTEXT_OVERFLOW, "context_length_exceeded", "The maximum context is 8192 tokens."),
    ("401", _E.DENIED, "invalid_api_key", "Incorrect API key provided."),
    ("403", _E.DENIED, "access_denied", "You have no access to this model."),
    ("404", _E.DENIED, "model_not_found", "The model does not exist."),
    ("408", _E.TIMEOUT, "request_timeout", "The request took too long."),
    ("409", _E.REJECTED, "conflict", "The resource was changed meanwhile."),
    ("422", _E.REJECTED, "unprocessable", "The request cannot be processed."),
    ("429quota", _E.DENIED, "insufficient_quota", "You exceeded your current quota."),
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
        yield row(name, about, do.status(number, code, message), error)
    about = "rate limit; retry-after of ra in a form: s, ms, date, bad (no number), none"
    yield row("429", about, do.rate_limited, _E.RATE_LIMITED, ra="1", form="s")
    yield row("502html", "502 with a page in place of JSON", do.html(502), _E.OVERLOADED)
    yield row("307", "redirect to another host", do.redirect, _E.REJECTED, host="elsewhere.invalid")


def _body_faults() -> Iterator[Fault]:
    row = partial(_row, "body")
    yield row("200html", "200 with a page in place of JSON", do.html(200), _E.PROTOCOL)
    yield row("204", "204 without a body", do.empty(204), _E.PROTOCOL)
    yield row("200empty", "200 with an empty body", do.empty(200), _E.PROTOCOL)
    yield row("200err", "200 with an error object", do.error_in_200, _E.PROVIDER_ERROR)
    yield row("huge", "an answer of mb MiB", do.huge, _E.TOO_LARGE, billed=True, mb="200")
    yield row("drip", "the right reply at bps bytes a second", do.drip, billed=True, bps="200")
    yield row("nousage", "the right reply without usage", do.no_usage, billed=True)
    whole = partial(_row, "body", billed=True, needs="body")
    yield whole("nochoices", "a body without choices", do.no_choices, _E.PROTOCOL)
    yield whole("badjson", "JSON cut in the middle", do.bad_json, _E.MALFORMED)
    yield whole("badutf8", "bytes that are no UTF-8", do.bad_utf8, _E.MALFORMED)
    yield whole("trunc", "half of what content-length announces", do.truncated, _E.TRANSPORT)


def _stream_faults() -> Iterator[Fault]:
    row = partial(_row, "stream", billed=True, needs="stream")
    yield row("s_cut", "connection closed after some tokens", do.s_cut, _E.TRANSPORT, after="2")
    yield row("s_rst", "connection reset after some tokens", do.s_rst, _E.TRANSPORT, after="2")
    about = "silence of s seconds (0: for ever) after some tokens"
    yield row("s_stall", about, do.s_stall, _E.TIMEOUT, after="2", s="0")
    about = "after some tokens comments alone for s seconds, then closed"
    yield row("s_keepalive", about, do.s_keepalive, _E.TIMEOUT, after="2", s="60", every="0.1")
    yield row("s_nofinish", "clean end without finish reason and end mark", do.s_nofinish, _E.TRANSPORT)
    yield row("s_nofinish_done", "end mark without a finish reason (flagged)", do.s_nofinish_done)
    yield row("s_err", "an error event in the stream", do.s_err(None), _E.PROVIDER_ERROR, after="2")
    yield row("s_errevent", "an event named error", do.s_err("error"), _E.PROVIDER_ERROR, after="2")
    yield row("s_badutf8", "bytes that are no UTF-8 in the first token", do.s_badutf8, _E.MALFORMED)
    yield row("s_badjson", "the first token's JSON is cut", do.s_badjson, _E.MALFORMED)
    yield row("s_splitutf8", "events split over reads, within characters", do.s_splitutf8)
    yield row("s_crlf", "lines end in CR LF", do.s_crlf)
    yield row("s_nospace", "no space after a field's colon", do.s_nospace)
    yield row("s_dup", "the first token twice: a wrong text, validly framed", do.s_dup, detectable=False)
    yield row("s_after_done", "another token after the end mark", do.s_after_done)
    yield row("s_done_open", "the body stays open after the end mark", do.s_done_open)
    yield row("s_empty", "a stream without events", do.s_empty, _E.PROTOCOL)
    yield row("s_html", "a page under a stream's content type", do.s_html, _E.PROTOCOL)
    yield row("s_json", "one JSON body in place of a stream (flagged)", do.s_json)


def _table() -> Iterator[Fault]:
    yield _row("none", "ok", "no fault: the right reply", do.nothing, billed=True)
    yield from _connection_faults()
    yield from _status_faults()
    yield from _body_faults()
    yield from _stream_faults()


FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _table()}
"""Every fault by its name."""

OK = Chosen(FAULTS["ok"])


def fault_named(text: str) -> Chosen:
    """The fault of `NAME[:k=v,k=v...]` (`;` parts as well as `,`). Raises UsageError."""
    name, _, rest = text.strip().partition(":")
    fault = FAULTS.get(name)
    if fault is None:
        raise UsageError(f"unknown fault {name[:40]!r}", fix=f"take one of {', '.join(FAULTS)}")
    values = dict(fault.parameters)
    for part in filter(None, rest.replace(";", ",").split(",")):
        key, _, value = part.partition("=")
        if key not in values and key != TIMES:
            known = ", ".join([*values, TIMES])
            raise UsageError(f"fault {name}: no parameter {key[:40]!r}", fix=f"it takes {known}")
        values[key] = _checked(name, key, value)
    return Chosen(fault, tuple(values.items()))


_WORDS = {"form": ("s", "ms", "date", "bad", "none")}
_TEXTS = ("host",)


def _checked(name: str, key: str, value: str) -> str:
    """The value, if its parameter can hold it."""
    if key in _TEXTS and value.replace(".", "").replace("-", "").isalnum():
        return value
    if key in _WORDS and value in _WORDS[key]:
        return value
    if key not in _WORDS and key not in _TEXTS and _is_number(key, value):
        return value
    raise UsageError(f"fault {name}: {key}={value[:40]} cannot be", fix=f"see the table of faults for {key}")


def _is_number(key: str, value: str) -> bool:
    if key in ("after", "times", "mb", "bps"):
        return value.isascii() and value.isdigit() and len(value) <= 9
    try:
        number = float(value)
    except ValueError:
        return False
    return 0 <= number <= 1e6 or (key == "ra" and math.isfinite(number))


def markdown() -> str:
    """The table for the documentation."""
    lines = [
        "| fault | group | what happens | parameters | to report | billed | detectable | meets |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for fault in FAULTS.values():
        parameters = ", ".join(f"{key}={value}" for key, value in fault.parameters)
        error = fault.error.value if fault.error is not None else "a reply"
        meets = {"any": "any request", "stream": "streams", "body": "unstreamed"}[fault.needs]
        marks = " | ".join("yes" if flag else "no" for flag in (fault.billed, fault.detectable))
        cells = [f"`{fault.name}`", fault.group, fault.about, parameters, error, marks, meets]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
