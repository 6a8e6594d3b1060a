"""What one conversation came to: lines, tools, faults of the client, tokens and seconds, from its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from assay.exchanges.conversation.guarded import Validity, client_faults, validity_of
from assay.keys import JSON
from assay.scorers.state import UNFINISHED
from assay.trial import Call, CallState, Event, EventKind, Score, Status, Trial

SIDES = ("agent", "client")


class RoleUse(Struct, frozen=True):
    """What one role used in a trial, replayed calls too. `cost_usd` is None where a price is missing.

    `retries` are the attempts beyond the first at each request. `seed_supported` is False where no
    request carried a seed, since the model takes none; None where there was no call.
    """

    calls: int = 0
    retries: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    cost_usd: Decimal | None = Decimal(0)
    seed_supported: bool | None = None


class AgentTurn(Struct, frozen=True):
    """Seconds of one turn of the agent: waiting for limits, to the first token of its first call,
    working with tools between its calls, and all of it. `dead_air` is what the caller waits without
    hearing anything: all but the queue.
    """

    turn: int
    queue: float
    ttft: float | None
    tool: float
    total: float

    @property
    def dead_air(self) -> float:
        return max(0.0, self.total - self.queue)


class Talk(Struct, frozen=True):
    """The figures of one conversation. `turns` are delivered lines of both sides.

    `success` says that the state is as wanted and the conversation came to an end of its own; None
    where the state says nothing. `faults` counts the client's by code, discarded lines too. `diverged`
    is the turn from which a replayed client's agent said something else than in the record. Of the
    `tool_faults` that were injected (they are no `tool_errors`) `lost_answers` kept an answer away, and
    `recovered` of those the agent got over.
    """

    trial: str
    case: str
    end_reason: str
    success: bool | None
    goal_slots: float | None
    judge: float | None
    breaches: tuple[JSON, ...]
    validity: Validity
    faults: dict[str, int]
    attempt: int
    turns: int
    messages: int
    tool_calls: int
    tool_errors: int
    redundant_reads: int
    roles: dict[str, RoleUse]
    agent_turns: tuple[AgentTurn, ...]
    diverged: int | None
    tool_faults: int = 0
    lost_answers: int = 0
    recovered: int = 0

    @property
    def retries(self) -> int:
        return sum(role.retries for role in self.roles.values())


def talk_of(trial: Trial) -> Talk | None:
    """The figures of a conversation; None for a trial that is none (no line of agent or client)."""
    events = trial.transcript.events
    said = [e for e in events if e.kind is EventKind.SAID and e.delivered and e.role in SIDES]
    if not said or not any(e.role == "agent" for e in events):
        return None
    scores = {score.name: score for score in trial.scores}
    results = [e for e in events if e.kind is EventKind.TOOL_RESULT]
    policy = scores.get("policy")
    return Talk(
        trial=trial.key,
        case=trial.case.id,
        end_reason=trial.transcript.outcome.reason,
        success=_success(trial, scores.get("state")),
        goal_slots=_number(scores.get("goal_slots")),
        judge=_number(scores.get("judge")),
        breaches=tuple(policy.details.get("breaches", ())) if _has_details(policy) and policy else (),
        validity=validity_of(trial.transcript),
        faults=dict(Counter(fault.code for fault in client_faults(trial.transcript))),
        attempt=1 + sum(e.kind is EventKind.EFFECT and e.role == "attempt" for e in events),
        turns=len(said),
        messages=sum((e.kind is not EventKind.EFFECT and e.role != "client") or e in said for e in events),
        tool_calls=sum(e.kind is EventKind.TOOL_CALL for e in events),
        tool_errors=sum(_is_error(e.data) for e in results),
        redundant_reads=_redundant(trial),
        roles={role: _use(trial.calls_of(role)) for role in dict.fromkeys(c.role for c in trial.calls)},
        agent_turns=tuple(_agent_turns(events, {call.id: call for call in trial.calls})),
        diverged=next((e.data["diverged"] for e in said if _told(e, "diverged")), None),
        tool_faults=sum(_told(e, "injected") for e in results),
        lost_answers=_of_faults(trial, "lost"),
        recovered=_of_faults(trial, "recovered"),
    )


def _is_error(data: JSON) -> bool:
    """Whether a tool's answer is an error of the agent's: one that was injected is none."""
    return isinstance(data, dict) and bool(data.get("error")) and not data.get("injected")


def _of_faults(trial: Trial, name: str) -> int:
    """A number of what the world keeps of the faults that struck its tools."""
    left = trial.transcript.state
    faults = left.get("tool_faults") if isinstance(left, dict) else None
    found = faults.get(name) if isinstance(faults, dict) else None
    return found if isinstance(found, int) else 0


def _success(trial: Trial, state: Score | None) -> bool | None:
    """Whether the goal was reached; a trial that failed or broke off is none."""
    if trial.status in (Status.FAILED, Status.INVALID):
        return False
    if state is None or state.unscored is not None:
        return None
    return state.value is True and trial.transcript.outcome.reason not in UNFINISHED


def _number(score: Score | None) -> float | None:
    """A score's number; a fallback that stands in for a missing verdict is none."""
    if score is None or (_has_details(score) and score.details.get("score_is_fallback")):
        return None
    return score.number


def _has_details(score: Score | None) -> bool:
    return score is not None and isinstance(score.details, dict)


def _told(event: Event, name: str) -> bool:
    return isinstance(event.data, dict) and name in event.data


def _redundant(trial: Trial) -> int:
    """Tool calls that ask again what they were told, with no write between."""
    state = trial.transcript.state
    journal = state.get("journal") if isinstance(state, dict) else None
    wrote = {write.get("tool_call_id") for write in journal or () if isinstance(write, dict)}
    seen: set[tuple[str, str]] = set()
    again = 0
    for event in trial.transcript.events:
        if event.kind is not EventKind.TOOL_CALL or event.message is None:
            continue
        for call in event.message.tool_calls:
            if call.id in wrote:
                seen.clear()
                continue
            again += (call.name, call.arguments) in seen
            seen.add((call.name, call.arguments))
    return again


def _use(calls: list[Call]) -> RoleUse:
    usages = [call.reply.usage for call in calls if call.reply.usage is not None]
    costs = [call.cost for call in calls if call.state is not CallState.RESERVED]
    known = [cost for cost in costs if cost is not None]
    return RoleUse(
        calls=len(calls),
        retries=len(calls) - len({call.ordinal for call in calls}),
        input=sum(usage.input for usage in usages),
        output=sum(usage.output for usage in usages),
        cached=sum(usage.cached for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        seed_supported=any(call.request.sampling.seed is not None for call in calls),
    )


def _agent_turns(events: tuple[Event, ...], calls: Mapping[str, Call]) -> Iterator[AgentTurn]:
    """The turns of the agent whose calls were made live."""
    turn, made = 0, dict[str, None]()
    for event in events:
        if event.role in ("agent", "tool") and event.call is not None and event.kind is not EventKind.PROMPT:
            made[event.call] = None
        if event.kind is not EventKind.SAID or not event.delivered:
            continue
        turn += 1
        if event.role == "agent":
            timed = _timed(turn, [calls[name] for name in made if name in calls])
            made.clear()
            if timed is not None:
                yield timed


def _timed(turn: int, calls: list[Call]) -> AgentTurn | None:
    if not calls or any(c.origin != "live" or not c.reply.instants.sent or c.paused for c in calls):
        return None
    instants = [call.reply.instants for call in calls]
    between = sum(after.picked - before.ended for before, after in pairwise(instants))
    return AgentTurn(
        turn,
        queue=sum(each.admitted - each.picked for each in instants) / 1e9,
        ttft=calls[0].ttft if calls[0].request.stream else None,
        tool=between / 1e9,
        total=(instants[-1].ended - instants[0].picked) / 1e9,
    )
