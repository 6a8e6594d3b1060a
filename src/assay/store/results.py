"""Conversations as the rows that a batch's results are made of: the eight classic columns, then ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from assay.trial import Event, EventKind, Status, Trial

GRADE, GOAL, CRITERIA = "judge", "state", "judge_criteria"
"""The scores that `score` (the evaluator's grade), `goal` (the state of the world) and `criteria` are."""

State = Literal["completed", "failed", "skipped", "not_run"]

CLASSIC = (
    "session_id",
    "scenario",
    "status",
    "score",
    "comment",
    "total_turns",
    "duration_seconds",
    "prompt_version",
)
"""The columns that come first, in this order, under these names."""


class ResultRow(Struct, frozen=True, kw_only=True):
    """One conversation. `status` is `completed` (ended without an error, whatever the score), `failed`
    or `skipped`; `trial_status`, `detail` and `end_reason` say more. `score` is the evaluator's grade,
    None where it gave none, or with `score_is_fallback` the number that stands for it; `total_turns`
    counts delivered lines. `goal` tells whether the world ended as the goal asks, `criteria` which
    share of the scenario's own criteria is met, by weight. Tokens and dollars are sums over the live
    calls of all roles; dollars are missing where a price is not known.
    """

    session_id: str
    scenario: str
    status: State
    score: float | None
    comment: str | None
    total_turns: int
    duration_seconds: float
    prompt_version: str | None
    score_is_fallback: bool
    trial_status: str
    detail: str
    end_reason: str
    goal: float | None
    criteria: float | None
    case_id: str
    repeat: int
    seed: int
    model: str
    started_at: str
    external_session_id: str | None
    discarded_lines: int
    tool_calls: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    scores: dict[str, bool | float | str | None]
    tags: dict[str, str]


class TranscriptLine(Struct, frozen=True):
    """One event of one conversation."""

    session_id: str
    scenario: str
    event: Event


def state_of(status: Status) -> State:
    """What a trial's status is to a batch. A trial that waits for its scores has ended without an error."""
    if status in (Status.FAILED, Status.INVALID):
        return "failed"
    if status is Status.SKIPPED:
        return "skipped"
    return "not_run" if status is Status.NOT_RUN else "completed"


def result_row(trial: Trial, prompt_version: str | None = None) -> ResultRow:
    """The trial as a row; `prompt_version` is its run's."""
    scores = {score.name: score for score in trial.scores}
    grade, goal, met = (scores.get(name) for name in (GRADE, GOAL, CRITERIA))
    events = trial.transcript.events
    live = [call for call in trial.calls if call.origin == "live"]
    used = [call.reply.usage for call in live if call.reply.usage is not None]
    known = [call.cost for call in live if call.cost is not None]
    graded = grade is not None and grade.unscored is None
    return ResultRow(
        session_id=trial.key,
        scenario=trial.case.name,
        status=state_of(trial.status),
        score=_whole(grade.number if graded else grade.fallback) if grade is not None else None,
        comment=grade.reason if graded and grade is not None else None,
        total_turns=sum(event.kind is EventKind.SAID and event.delivered for event in events),
        duration_seconds=round(trial.ended - trial.started, 3),
        prompt_version=prompt_version,
        score_is_fallback=grade is not None and not graded and grade.fallback is not None,
        trial_status=trial.status.value,
        detail=trial.detail,
        end_reason=trial.transcript.outcome.reason,
        goal=_whole(goal.number) if goal is not None else None,
        criteria=_whole(met.number) if met is not None else None,
        case_id=trial.case.id,
        repeat=trial.repeat,
        seed=trial.seed,
        model=trial.model,
        started_at=utc(trial.wall),
        external_session_id=_external(events),
        discarded_lines=sum(event.kind is EventKind.DISCARDED for event in events),
        tool_calls=sum(event.kind is EventKind.TOOL_CALL for event in events),
        calls=len(trial.calls),
        input_tokens=sum(usage.input for usage in used),
        output_tokens=sum(usage.output for usage in used),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(live) else None,
        scores={score.name: score.value for score in trial.scores},
        tags=trial.case.tags,
    )


def transcript_lines(trials: Iterable[Trial]) -> Iterator[TranscriptLine]:
    """Every event of the trials, a line each."""
    for trial in trials:
        for event in trial.transcript.events:
            yield TranscriptLine(trial.key, trial.case.name, _told(event))


def _told(event: Event) -> Event:
    """The event without what a webhook answered, which is not for whoever may call a service."""
    if event.kind is not EventKind.EFFECT or event.role != "webhook" or not isinstance(event.data, dict):
        return event
    kept = ("name", "external_session_id", "skip", "failed")
    return structs.replace(event, data={name: event.data.get(name) for name in kept})


def utc(wall: int) -> str:
    """Wall-clock ns as UTC in ISO 8601, to the millisecond, ending in Z."""
    return datetime.fromtimestamp(wall / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp_of(wall: int) -> str:
    """Wall-clock ns as the classic names of files have them, in UTC: `20251201_120000`."""
    return datetime.fromtimestamp(wall / 1e9, UTC).strftime("%Y%m%d_%H%M%S")


def _whole(number: float | None) -> float | None:
    """2 rather than 2.0: grades are whole numbers to whoever reads the file."""
    return int(number) if number is not None and number.is_integer() else number


def _external(events: tuple[Event, ...]) -> str | None:
    """The session id that the webhook gave."""
    for event in events:
        if event.kind is EventKind.EFFECT and isinstance(event.data, dict):
            given = event.data.get("external_session_id")
            return given if isinstance(given, str) else None
    return None
