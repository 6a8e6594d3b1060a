"""The record: calls, what was said and done, scores, and the trial that holds them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from assay.case import Case
from assay.errors import ErrorClass
from assay.keys import JSON
from assay.message import Message, Reply, Request

Origin = Literal["live", "resumed", "cached"]
Phase = Literal["warm_up", "window", "tail"]


class CallState(StrEnum):
    """How far an attempt came. A call in flight at a kill stays RESERVED: it may have been billed."""

    RESERVED = "reserved"
    DONE = "done"
    FAILED = "failed"


class Call(Struct, frozen=True):
    """One attempt at a model and its reply: the atom of speed, cost and quality.

    It is named by (run, trial, role, ordinal, attempt): `ordinal` counts the requests of one role
    within a trial, `attempt` the tries at one of them, going on over restarts. A settled success is
    found again by (role, request_hash, occurrence): the nth time that this role asked just this.
    `began` is wall-clock ns since the epoch, for people; every duration comes from the monotonic
    instants of the reply. `cost` is in dollars, None where no price is known.
    """

    run: str
    trial: str
    role: str
    ordinal: int
    attempt: int
    model: str
    request: Request
    request_hash: str
    occurrence: int
    began: int
    state: CallState = CallState.RESERVED
    origin: Origin = "live"
    reply: Reply = Reply()
    error: ErrorClass | None = None
    detail: str = ""
    status: int | None = None
    cost: Decimal | None = None
    paused: bool = False

    @property
    def id(self) -> str:
        """The name of this attempt within its trial."""
        return f"{self.role}.{self.ordinal}.{self.attempt}"

    @property
    def ttft(self) -> float | None:
        """Seconds from the first request byte to the first token event; None if none came."""
        span = self.reply.arrivals.token_span()
        return None if span is None else (span[0] - self.reply.instants.sent) / 1e9

    @property
    def latency(self) -> float | None:
        """Seconds from the first request byte to the last token, or to the end where none is timed."""
        instants = self.reply.instants
        if not instants.sent or not instants.ended:
            return None
        span = self.reply.arrivals.token_span()
        return ((instants.ended if span is None else span[1]) - instants.sent) / 1e9

    @property
    def gaps(self) -> list[float]:
        """Seconds between consecutive token events (inter-chunk latency, not inter-token)."""
        stamps = self.reply.arrivals.token_stamps()
        return [(b - a) / 1e9 for a, b in itertools.pairwise(stamps)]

    @property
    def output_rate(self) -> float | None:
        """Output tokens a second after the first token event: (N - 1) / (last - first)."""
        span, usage = self.reply.arrivals.token_span(), self.reply.usage
        if usage is None or usage.output < 2 or span is None or span[1] == span[0]:
            return None
        return (usage.output - 1) / ((span[1] - span[0]) / 1e9)


class EventKind(StrEnum):
    """What happened in a play."""

    PROMPT = "prompt"
    SAID = "said"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    DISCARDED = "discarded"
    EFFECT = "effect"
    LIKELIHOOD = "likelihood"


class Event(Struct, frozen=True, omit_defaults=True):
    """One thing that happened in a play: who, what, and the call it came from.

    `delivered` is False for a line that was made (and paid) but never reached the other side.
    `data` holds what the kind needs: a tool result's value, a write journal, an effect's outcome,
    `{of, logprobs}` of a likelihood (or `missing`, why there is none).
    """

    kind: EventKind
    role: str
    message: Message | None = None
    call: str | None = None
    delivered: bool = True
    data: JSON = None


class Outcome(Struct, frozen=True, omit_defaults=True):
    """How a play ended: a reason of the exchange's closed list, and an error class if it broke off."""

    reason: str
    error: ErrorClass | None = None
    detail: str = ""


class Transcript(Struct, frozen=True, omit_defaults=True):
    """What was said and done, whole or broken off. `final` is the answer that scorers read.

    `state` is what an exchange over a world leaves for the scorers: differences, journal.
    """

    events: tuple[Event, ...]
    outcome: Outcome
    final: Reply | None = None
    state: JSON = None


class Status(StrEnum):
    """Where a trial ended. PLAYED is not an end: it waits for its scores."""

    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"
    INVALID = "invalid"
    SKIPPED = "skipped"
    NOT_RUN = "not_run"
    PLAYED = "played"


class Score(Struct, frozen=True, omit_defaults=True):
    """What one scorer says of a trial: a value with its reason, or why there is none.

    `value` is a bool, a number or a label. Where `unscored` is set it names the reason
    (judge_invalid, scorer_error, not_applicable, ...) and `value` is None. `scorer` is the identity
    of what gave it: name, version and a digest of the settings; the loop fills it in.
    """

    name: str
    value: bool | float | str | None
    reason: str = ""
    unscored: str | None = None
    details: JSON = None
    scorer: str = ""

    @property
    def number(self) -> float | None:
        """The value as a number (a bool is 0 or 1); None for labels and where unscored."""
        return float(self.value) if isinstance(self.value, (bool, int, float)) else None

    @property
    def fallback(self) -> float | None:
        """The number that the settings put in place of a value that is missing; no statistic holds it."""
        held = self.details.get("fallback_score") if isinstance(self.details, dict) else None
        return float(held) if self.value is None and isinstance(held, (int, float)) else None


class Label(Struct, frozen=True):
    """What a person says that a score of a trial ought to be: by whom, when (wall-clock ns), with a note.

    `trial` is the trial's key, `name` the score's. Of one rater's labels of one score the newest counts.
    """

    trial: str
    name: str
    value: float
    rater: str
    note: str = ""
    wall: int = 0


class Trial(Struct, frozen=True):
    """One case played by one model once, whatever came of it.

    `due` and `started` are seconds since the run's start on the monotonic clock; `wall` is
    wall-clock ns since the epoch at the start. `detail` says more of the status: the error class,
    the reason why it did not run.
    """

    run: str
    key: str
    case: Case
    model: str
    repeat: int
    seed: int
    status: Status
    detail: str = ""
    phase: Phase = "window"
    due: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    wall: int = 0
    transcript: Transcript = Transcript((), Outcome("not_run"))
    calls: tuple[Call, ...] = ()
    scores: tuple[Score, ...] = ()

    def calls_of(self, role: str) -> list[Call]:
        """The attempts of one role, in order."""
        return [call for call in self.calls if call.role == role]


def status_after_play(outcome: Outcome) -> tuple[Status, str]:
    """The status of a trial whose play has ended: PLAYED, or why there is nothing to score."""
    if outcome.error is not None:
        return Status.FAILED, outcome.error.value
    return _ENDS.get(outcome.reason, (Status.PLAYED, ""))


_ENDS: dict[str, tuple[Status, str]] = {
    "client_fault": (Status.INVALID, "client_fault"),
    "webhook_error": (Status.INVALID, "webhook"),
    "tool_fault": (Status.INVALID, "tool"),
    "exchange_error": (Status.INVALID, "exchange"),
    "worker_died": (Status.INVALID, "worker"),
    "skipped": (Status.SKIPPED, ""),
    "budget": (Status.NOT_RUN, "budget"),
    "circuit": (Status.NOT_RUN, "circuit"),
    "cancelled": (Status.NOT_RUN, "cancelled"),
    "decided": (Status.NOT_RUN, "decided"),
}


def status_after_scoring(headline: str, scores: Iterable[Score]) -> tuple[Status, str]:
    """The status of a played trial: it follows the headline score."""
    for score in scores:
        if score.name == headline:
            if score.unscored is None:
                return Status.SCORED, ""
            return Status.UNSCORED, score.unscored
    return Status.UNSCORED, "scorer_error"
