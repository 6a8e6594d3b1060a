"""Whether the world ended as it should: expectations on state, compared by structure.

An expectation is `{"state": [...], "acts": "required|forbidden|any", "reference": [...]}`; each
entry of `state` is one of `{"added": {table, where, count, match}}`, `{"changed": {table, where,
count, match}}` (over the records as they are after) and `{"unchanged": {"except": [tables]}}`. A
match gives columns (paths with dots) and what they must hold: a value, `{"unordered": [...]}`,
`{"any_of": [...]}`, or bounds `{"gte": ..., "lte": ...}`; an expected object asks for its own keys
only.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from assay.keys import JSON
from assay.scorers.claims import PLACED_CLAIM, false_claim
from assay.scorers.expectation import Expected, named, speaks_of_state
from assay.scorers.pattern import Find, chosen_pattern
from assay.scorers.rule import Rule, broken_case, not_applicable
from assay.scorers.state_difference import Findings, Left, compare
from assay.trial import Score, Trial

NAME, SLOTS, CLAIM = "state", "goal_slots", "no_claim_without_tool"
UNFINISHED = frozenset(
    {
        "max_turns",
        "max_messages",
        "timeout",
        "turn_timeout",
        "repetition_loop",
        "agent_loop",
        "tool_error_limit",
        "cost_limit",
        "agent_error",
    }
)
"""Ends that can never be a success, whatever the state is."""


def state(*, claim: str = PLACED_CLAIM, claim_table: str = "orders") -> Rule:
    """The strict bit `state`, the share `goal_slots`, and the check `no_claim_without_tool`.

    The expectation is the target's `expect`, else the one that the world derived from the goal.
    The check fails where an agent's line matches `claim` and nothing was added to `claim_table`
    by then. Raises UsageError for a pattern that is none.
    """
    claims = chosen_pattern("state: claim", claim)

    def check(trial: Trial) -> tuple[Score, ...]:
        return (*_state(trial), _claims(trial, claims, claim_table))

    return Rule(NAME, 3, {"claim": claim, "claim_table": claim_table}, check)


def reached(trial: Trial) -> bool | None:
    """Whether the world ended as it should; None where nothing says how."""
    verdict = _state(trial)[0]
    return verdict.value is True if verdict.unscored is None else None


def _state(trial: Trial) -> tuple[Score, ...]:
    given = _given(trial)
    if given is None:
        reason = "the case has no expectation and no world derives one"
        return (not_applicable(NAME, reason), not_applicable(SLOTS, reason))
    try:
        expected = msgspec.convert(named(given, trial.case.facts), Expected)
    except msgspec.ValidationError as error:
        return (broken_case(NAME, f"expect: {error}"), broken_case(SLOTS, f"expect: {error}"))
    if expected.not_applicable is not None:
        reason = expected.not_applicable
        return (not_applicable(NAME, reason), not_applicable(SLOTS, reason))
    found = Findings()
    compare(expected, Left(trial.transcript.state, expected.ignored), found)
    end = trial.transcript.outcome.reason
    right = found.met == found.slots and end not in UNFINISHED
    reason = found.reason or ("" if right else f"the play ended {end}")
    share = found.met / found.slots if found.slots else 1.0
    return (
        Score(NAME, right, reason, details={**found.lists, "end_reason": end}),
        Score(SLOTS, share, f"{found.met} of {found.slots}"),
    )


def _given(trial: Trial) -> JSON:
    """The case's own expectation on the state, else the one that the world derived from the goal."""
    target, left = trial.case.target, trial.transcript.state
    expect = target.get("expect") if isinstance(target, Mapping) else None
    if speaks_of_state(expect):
        return expect
    return left.get("expected") if isinstance(left, Mapping) else None


def _claims(trial: Trial, claims: Find, table: str) -> Score:
    """Whether the agent said that something was done before it was."""
    if not isinstance(trial.transcript.state, Mapping):
        return not_applicable(CLAIM, "no world was kept")
    broken = false_claim(trial, claims, table)
    if broken is None:
        return Score(CLAIM, True)
    turn, line = broken
    return Score(CLAIM, False, f"turn {turn}: {line}", details={"turn": turn})
