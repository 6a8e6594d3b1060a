"""Whether the world ended as it should: expectations on state, compared by structure.

An expectation is `{"state": [...], "acts": "required|forbidden|any"}`; each entry of `state` is one
of `{"added": {table, where, count, match}}`, `{"changed": {table, where, count, match}}` (over the
records as they are after) and `{"unchanged": {"except": [tables]}}`. A match gives columns (paths
with dots) and what they must hold: a value, `{"unordered": [...]}`, `{"any_of": [...]}`, or bounds
`{"gte": ..., "lte": ...}`; an expected object asks for its own keys only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, field

from assay.keys import JSON
from assay.scorers.leaves import equal
from assay.scorers.pattern import Find, chosen_pattern
from assay.scorers.rule import Rule, broken_case, not_applicable
from assay.trial import EventKind, Score, Trial
from assay.world.difference import shown

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
PLACED_CLAIM = (
    r"заказ[^.?!]{0,79}[^.?!\pL\pN_](?:оформлен|принят|создан|размещ[её]н)"
    r"(?:[\s\pZ]*$|[\s\pZ]+[^\s\pZ?]|[^\s\pZ\pL\pN_?])|оформил[аи]? (?:ваш )?заказ"
    r"|order[^.?!]{0,80}(?:has been|is) placed|placed (?:your|the) order"
)
MAX_READ = 4000


class Records(Struct, frozen=True, forbid_unknown_fields=True):
    """The records that an entry speaks of: those of `table` that hold `where`."""

    table: str
    where: dict[str, JSON] = field(default_factory=dict)
    count: int | None = None
    match: dict[str, JSON] = field(default_factory=dict)


class Unchanged(Struct, frozen=True, forbid_unknown_fields=True):
    """Every table but those named stays as it was."""

    excepted: tuple[str, ...] = field(default=(), name="except")


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One expectation: exactly one of the three."""

    added: Records | None = None
    changed: Records | None = None
    unchanged: Unchanged | None = None


class Expected(Struct, frozen=True):
    """What state a case wants; other keys of `expect` are other scorers' business."""

    state: tuple[Entry, ...] = ()
    acts: Literal["required", "forbidden", "any"] = "any"
    not_applicable: str | None = None


class Findings:
    """What is missing, unexpected or wrong, in readable lines; and how many slots are met."""

    __slots__ = ("met", "missing", "slots", "unexpected", "wrong_value")

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.wrong_value: list[str] = []
        self.slots = 0
        self.met = 0

    def slot(self, *, met: bool) -> None:
        self.slots += 1
        self.met += met

    @property
    def lists(self) -> dict[str, JSON]:
        return {"missing": self.missing, "unexpected": self.unexpected, "wrong_value": self.wrong_value}

    @property
    def reason(self) -> str:
        parts = (f"{name}: {'; '.join(lines)}" for name, lines in self.lists.items() if lines)
        return "; ".join(parts)


def state(*, claim: str = PLACED_CLAIM, claim_table: str = "orders") -> Rule:
    """The strict bit `state`, the share `goal_slots`, and the check `no_claim_without_tool`.

    The expectation is the target's `expect`, else the one that the world derived from the goal.
    The check fails where an agent's line matches `claim` and nothing was added to `claim_table`
    by then. Raises UsageError for a pattern that is none.
    """
    claims = chosen_pattern("state: claim", claim)

    def check(trial: Trial) -> tuple[Score, ...]:
        return (*_state(trial), _claims(trial, claims, claim_table))

    return Rule(NAME, 2, {"claim": claim, "claim_table": claim_table}, check)


def reached(trial: Trial) -> bool | None:
    """Whether the world ended as it should; None where nothing says how."""
    verdict = _state(trial)[0]
    return verdict.value is True if verdict.unscored is None else None


def _state(trial: Trial) -> tuple[Score, ...]:
    left, given = trial.transcript.state, _given(trial)
    if given is None:
        reason = "the case has no expectation and no world derives one"
        return (not_applicable(NAME, reason), not_applicable(SLOTS, reason))
    try:
        expected = msgspec.convert(_named(given, trial.case.facts), Expected)
    except msgspec.ValidationError as error:
        return (broken_case(NAME, f"expect: {error}"), broken_case(SLOTS, f"expect: {error}"))
    if expected.not_applicable is not None:
        reason = expected.not_applicable
        return (not_applicable(NAME, reason), not_applicable(SLOTS, reason))
    found = Findings()
    difference = left["difference"] if isinstance(left, Mapping) else {}
    journal = left["journal"] if isinstance(left, Mapping) else []
    compare(expected, difference, found)
    _acts(expected, journal, found)
    end = trial.transcript.outcome.reason
    right = found.met == found.slots and end not in UNFINISHED
    reason = found.reason or ("" if right else f"the play ended {end}")
    share = found.met / found.slots if found.slots else 1.0
    return (
        Score(NAME, right, reason, details={**found.lists, "end_reason": end}),
        Score(SLOTS, share, f"{found.met} of {found.slots}"),
    )


def _given(trial: Trial) -> JSON:
    target, left = trial.case.target, trial.transcript.state
    if isinstance(target, Mapping) and target.get("expect") is not None:
        return target["expect"]
    return left.get("expected") if isinstance(left, Mapping) else None


def _named(value: JSON, facts: Mapping[str, JSON]) -> JSON:
    """The expectation with `$NAME` replaced by the case's facts ($CUSTOMER is the caller's phone)."""
    if isinstance(value, str) and value.startswith("$"):
        name = "CUSTOMER_PHONE" if value == "$CUSTOMER" else value[1:]
        return facts.get(name, value)
    if isinstance(value, list):
        return [_named(item, facts) for item in value]
    return {key: _named(item, facts) for key, item in value.items()} if isinstance(value, dict) else value


def compare(expected: Expected, difference: JSON, found: Findings) -> None:
    """Compares a world's difference with an expectation. A table that an entry speaks of is checked
    to the end: what changed there and no entry asked for is unexpected.
    """
    claimed: dict[str, set[tuple[str, str]]] = {}
    for entry in expected.state:
        if entry.added is not None:
            used = _records("added", entry.added, _added(difference, entry.added.table), found)
            claimed.setdefault(entry.added.table, set()).update(used)
        if entry.changed is not None:
            used = _records("changed", entry.changed, _changed(difference, entry.changed.table), found)
            claimed.setdefault(entry.changed.table, set()).update(used)
    for entry in expected.state:
        if entry.unchanged is not None:
            _unchanged(entry.unchanged, claimed, difference, found)


def _added(difference: JSON, table: str) -> dict[str, JSON]:
    return dict(difference.get(table, {}).get("added", {}))


def _changed(difference: JSON, table: str) -> dict[str, JSON]:
    """The changed columns of each record, as they are after."""
    changed = difference.get(table, {}).get("changed", {})
    return {key: {name: pair[1] for name, pair in row.items()} for key, row in changed.items()}


def _records(kind: str, wanted: Records, rows: Mapping[str, JSON], found: Findings) -> set[tuple[str, str]]:
    """Checks the records of one entry; returns those that it claims, matching or not."""
    here = {k: row for k, row in rows.items() if _fits(row, wanted.where)}
    count = 1 if wanted.count is None and wanted.match else wanted.count
    for path, value in wanted.match.items():
        items = value.get("unordered") if isinstance(value, Mapping) else None
        if isinstance(items, list):
            rest = [_at(row, path) for row in here.values()]
            _unordered(f"{wanted.table}.{path}", items, rest[0] if rest else [], found)
            continue
        values = [_at(row, path) for row in here.values()]
        met = bool(values) and all(_holds(value, each) for each in values)
        found.slot(met=met)
        if values and not met:
            saw = ", ".join(shown(each) for each in values)
            found.wrong_value.append(f"{wanted.table}.{path}: {saw}, wanted {shown(value)}")
    if count is not None:
        found.slot(met=len(here) == count)
        if len(here) < count:
            found.missing.append(f"{wanted.table}: {len(here)} {kind}, wanted {count} {shown(wanted.where)}")
        extra = list(here.items())[count:]
        found.unexpected += [f"{wanted.table}: {kind} {key} {shown(row)}" for key, row in extra]
    return {(kind, key) for key in here}


def _unordered(path: str, wanted: Sequence[JSON], have: JSON, found: Findings) -> None:
    """Compares multisets, whatever the order. An object that differs from a wanted one in one
    column only is a wrong value, not one missing and one unexpected.
    """
    left = list(have) if isinstance(have, list) else []
    open_: list[JSON] = []
    for item in wanted:
        match = next((n for n, each in enumerate(left) if _holds(item, each)), None)
        found.slot(met=match is not None)
        if match is None:
            open_.append(item)
        else:
            left.pop(match)
    for item in open_:
        near = next((n for n, each in enumerate(left) if _near(item, each)), None)
        if near is None:
            found.missing.append(f"{path}: {shown(item)}")
        else:
            found.wrong_value.append(f"{path}: {shown(left.pop(near))}, wanted {shown(item)}")
    found.slot(met=not left)
    found.unexpected += [f"{path}: {shown(item)}" for item in left]


def _near(wanted: JSON, have: JSON) -> bool:
    if not isinstance(wanted, Mapping) or not isinstance(have, Mapping) or len(wanted) < 2:
        return False
    return sum(not _holds(value, have.get(key)) for key, value in wanted.items()) == 1


def _unchanged(
    rule: Unchanged, claimed: Mapping[str, set[tuple[str, str]]], difference: JSON, found: Findings
) -> None:
    lines = []
    for table, kinds in difference.items():
        if table in rule.excepted:
            continue
        for kind, rows in kinds.items():
            for key, row in rows.items():
                if (kind, key) not in claimed.get(table, set()):
                    lines.append(f"{table}: {kind} {key} {shown(row)}")
    found.slot(met=not lines)
    found.unexpected += [line for line in lines if line not in found.unexpected]


def _acts(expected: Expected, journal: Sequence[JSON], found: Findings) -> None:
    """Whether anything was done at all: a session's own notes (its cart) are no act."""
    acts = [write for write in journal if write["table"] != "sessions"]
    if expected.acts == "required":
        found.slot(met=bool(acts))
        if not acts:
            found.missing.append("any write at all")
    elif expected.acts == "forbidden":
        found.slot(met=not acts)
        found.unexpected += [f"{write['table']}: wrote {write['key']}" for write in acts]


def _fits(row: JSON, where: Mapping[str, JSON]) -> bool:
    return all(_holds(value, _at(row, path)) for path, value in where.items())


def _at(row: JSON, path: str) -> JSON:
    """The value at a dotted path; None where the path leads nowhere."""
    for part in path.split("."):
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


def _holds(wanted: JSON, have: JSON) -> bool:
    """Whether a value is what is wanted of it."""
    if not isinstance(wanted, Mapping):
        return equal(wanted, have)
    if "any_of" in wanted:
        return any(_holds(each, have) for each in wanted["any_of"])
    if wanted.keys() & {"lte", "gte"}:
        try:
            return bool(have >= wanted.get("gte", have) and have <= wanted.get("lte", have))
        except TypeError:
            return False
    return isinstance(have, Mapping) and all(_holds(value, have.get(key)) for key, value in wanted.items())


def _claims(trial: Trial, claims: Find, table: str) -> Score:
    """Whether the agent said that something was done before it was."""
    left = trial.transcript.state
    if not isinstance(left, Mapping):
        return not_applicable(CLAIM, "no world was kept")
    doing = {write["tool_call_id"] for write in left["journal"] if write["table"] == table}
    turn, done = 0, False
    for event in trial.transcript.events:
        if event.kind is EventKind.TOOL_RESULT and event.message is not None:
            done = done or event.message.tool_call_id in doing
        elif event.kind is EventKind.SAID and event.delivered and event.message is not None:
            turn += 1
            claimed = event.role == "agent" and claims(event.message.text[:MAX_READ]) is not None
            if claimed and not done:
                return Score(
                    CLAIM, False, f"turn {turn}: {shown(event.message.text)}", details={"turn": turn}
                )
    return Score(CLAIM, True)
