"""Every error that assay raises, and the twelve classes of a failed call.

AssayError
├── UsageError      a person can mend it: what is wrong, where, and the remedy (exit code 2)
├── StoreError      the record cannot be read or kept
├── Stopped         the run takes no more calls: budget, circuit or cancelled
├── StatusSumError  the statuses of a run do not sum to its plan
├── ReplayMiss      strict replay met a request that the record does not hold
└── CallError       one attempt at a model or an outside service failed, with its class
    └── StaleConnection   a kept-alive connection was closed before it brought anything
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from assay.message import Reply

Fault = Literal["network", "provider", "request", "account"]

EXCERPT = 100
"""Characters of an offending line that an error shows."""

StopReason = Literal["budget", "circuit", "cancelled", "decided"]


class ErrorClass(StrEnum):
    """Why a call failed. The only vocabulary for it, from the wire to the report."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    TRANSPORT = "transport"
    MALFORMED = "malformed"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    REJECTED = "rejected"
    DENIED = "denied"
    CONTEXT_OVERFLOW = "context_overflow"
    PROVIDER_ERROR = "provider_error"

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed when it is sent again."""
        return self in _RETRYABLE

    @property
    def fault(self) -> Fault:
        """Whose fault it is: the network's, the provider's, the request's or the account's."""
        return _FAULT[self]


_RETRYABLE = frozenset(
    {
        ErrorClass.CONNECT,
        ErrorClass.TIMEOUT,
        ErrorClass.TRANSPORT,
        ErrorClass.MALFORMED,
        ErrorClass.PROTOCOL,
        ErrorClass.RATE_LIMITED,
        ErrorClass.OVERLOADED,
        ErrorClass.PROVIDER_ERROR,
    }
)

_FAULT: dict[ErrorClass, Fault] = {
    ErrorClass.CONNECT: "network",
    ErrorClass.TIMEOUT: "provider",
    ErrorClass.TRANSPORT: "network",
    ErrorClass.MALFORMED: "provider",
    ErrorClass.PROTOCOL: "provider",
    ErrorClass.TOO_LARGE: "provider",
    ErrorClass.RATE_LIMITED: "account",
    ErrorClass.OVERLOADED: "provider",
    ErrorClass.REJECTED: "request",
    ErrorClass.DENIED: "account",
    ErrorClass.CONTEXT_OVERFLOW: "request",
    ErrorClass.PROVIDER_ERROR: "provider",
}


class AssayError(Exception):
    """The root of all errors that assay raises on purpose."""


class UsageError(AssayError):
    """Something that a person can mend: a flag, a file, a key, an address.

    `problem` says what is wrong and where (file, line, field); `fix` says what to do; `excerpt`
    shows the offending text with a caret under the place; `pointer` is the JSON pointer of the
    place in its document, where that is known.
    """

    def __init__(self, problem: str, *, fix: str, excerpt: str | None = None, pointer: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.excerpt = excerpt
        self.pointer = pointer


def excerpt(line: str, column: int) -> str:
    """The part of a line around a column (from 0), with a caret under the place."""
    start = max(0, column - EXCERPT // 2)
    shown = line[start : start + EXCERPT].replace("\t", " ")
    return f"{shown}\n{' ' * (column - start)}^"


class StoreError(AssayError):
    """The record cannot be read or kept; the message names the file."""


class Stopped(AssayError):
    """The run takes no more calls."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason: StopReason = reason


class StatusSumError(AssayError):
    """The statuses of a run's trials do not sum to its plan: the record or the loop is at fault."""


class ReplayMiss(AssayError):
    """Strict replay met a request that the record does not hold."""


class CallError(AssayError):
    """One attempt failed.

    `detail` is the provider's text or the clock's name, bounded; `status` the HTTP status;
    `retry_after` the seconds that the server asked to wait; `raw` the head of a bad body;
    `partial` what had come by then: text, usage, instants.
    """

    def __init__(
        self,
        error: ErrorClass,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        raw: bytes = b"",
        partial: Reply | None = None,
    ) -> None:
        super().__init__(f"{error}: {detail}")
        self.error = error
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.raw = raw
        self.partial = Reply() if partial is None else partial


class StaleConnection(CallError):
    """A kept-alive connection turned out closed before one byte of the answer came.

    The server cannot have acted on it in any way that it told us of: the seat sends once more,
    as an attempt of its own, whatever its retry policy.
    """
