"""What an HTTP status and the provider's error body say: the class of a failed call."""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime

import msgspec

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.transport.sink import Headers

DETAIL_LIMIT = 500
"""Characters of a provider's text that an error carries."""

RAW_LIMIT = 64 * 1024
"""Bytes of a bad body that an error carries."""

_BY_STATUS = {
    204: ErrorClass.PROTOCOL,
    205: ErrorClass.PROTOCOL,
    401: ErrorClass.DENIED,
    402: ErrorClass.DENIED,
    403: ErrorClass.DENIED,
    408: ErrorClass.TIMEOUT,
    429: ErrorClass.RATE_LIMITED,
}
_QUOTA = frozenset(
    {
        "billing_error",
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "insufficient_credits",
        "spend_limit_reached",
        "spending_limit_reached",
        "spend_cap_reached",
    }
)
_NO_MODEL = frozenset({"model_not_found", "unknown_model", "invalid_model", "model_not_supported"})
_OVERFLOW = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERFLOW_TEXT = re.compile(
    r"maximum context length|context length exceeded|exceed(s|ed)? (the |max )?(model's )?(maximum )?context"
    r"|context window|prompt is too long|available context size",
    re.IGNORECASE,
)
_QUOTA_TEXT = re.compile(r"credit balance is too low", re.IGNORECASE)
_QUOTA_BARE = re.compile(r"exceeded your (current )?quota|spend limit is reached", re.IGNORECASE)
_NO_MODEL_TEXT = re.compile(r"\bmodels?\b", re.IGNORECASE)
_OTHER_MODEL_TEXT = re.compile(r"server is pinned to .*; requested ", re.IGNORECASE)  # transformers serve


def http_error(status: int, headers: Headers, body: bytes) -> CallError:
    """The error of a response whose status is not a good one. `body` may be cut."""
    codes, text = provider_text(body)
    return CallError(
        _classify(status, codes, text),
        f"HTTP {status}: {text}"[:DETAIL_LIMIT] if text else f"HTTP {status}",
        status=status,
        retry_after=retry_after(headers),
        raw=body[:RAW_LIMIT],
    )


def _classify(status: int, codes: frozenset[str], text: str) -> ErrorClass:
    if status >= 500:
        return ErrorClass.OVERLOADED
    if status < 200:
        return ErrorClass.PROTOCOL
    if status >= 400:
        if _is_denied(status, codes, text):
            return ErrorClass.DENIED
        if codes & _OVERFLOW or (status in (400, 413, 422) and _OVERFLOW_TEXT.search(text)):
            return ErrorClass.CONTEXT_OVERFLOW
    return _BY_STATUS.get(status, ErrorClass.PROTOCOL if status < 300 else ErrorClass.REJECTED)


def _is_denied(status: int, codes: frozenset[str], text: str) -> bool:
    """Whether quota or model are at fault. A bare text is believed only where no code stands beside
    it: some providers say "quota" of a limit for each minute.
    """
    if codes & _QUOTA or codes & _NO_MODEL or (status == 404 and _NO_MODEL_TEXT.search(text)):
        return True
    if status == 400 and _OTHER_MODEL_TEXT.search(text):
        return True
    return bool(_QUOTA_TEXT.search(text) or (not codes and _QUOTA_BARE.search(text)))


def provider_text(body: bytes) -> tuple[frozenset[str], str]:
    """The codes and types that an error body names, in lower case, and its text for people."""
    try:
        value: JSON = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return frozenset(), " ".join(body[:RAW_LIMIT].decode("utf-8", "replace").split())[:DETAIL_LIMIT]
    return error_text(value)


def error_text(value: JSON) -> tuple[frozenset[str], str]:
    """The codes and the text of a decoded error: `{"error": ...}` or what stands inside it."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    if not isinstance(value, dict):
        return frozenset(), str(value)[:DETAIL_LIMIT]
    codes = frozenset(
        code.lower() for name in ("code", "type", "status") if isinstance(code := value.get(name), str)
    )
    text = value.get("message") or value.get("detail")
    if not isinstance(text, str):
        text = msgspec.json.encode(value).decode()
    return codes, text[:DETAIL_LIMIT]


def retry_after(headers: Headers) -> float | None:
    """The seconds that a server asks to wait, None where it says nothing that can be read.

    `retry-after-ms` counts before `retry-after`, which is seconds or an HTTP date; a date is
    taken against the server's own clock where it sends one.
    """
    milliseconds = _number(headers.get(b"retry-after-ms", b""))
    if milliseconds is not None:
        return milliseconds / 1000
    raw = headers.get(b"retry-after", b"")
    seconds = _number(raw)
    if seconds is not None:
        return seconds
    then = _date(raw)
    if then is None:
        return None
    now = _date(headers.get(b"date", b""))
    return max(0.0, then - (time.time() if now is None else now))


def _number(raw: bytes) -> float | None:
    try:
        value = float(raw[:64])
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(raw: bytes) -> float | None:
    try:
        return parsedate_to_datetime(raw[:64].decode("ascii")).timestamp()
    except (ValueError, OverflowError):
        return None
