"""One scenario as a case: its variables checked and completed from the world, its expectation read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import msgspec
from msgspec import Struct

from assay.agenda import GoalItem, brief_of
from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON, SEED_MASK
from assay.loading import files
from assay.loading.documents import Item
from assay.loading.misfits import misfit
from assay.loading.reference import replayed
from assay.loading.scenario_form import Scenario
from assay.message import Message, say
from assay.scorers.expectation import Expected, Wanted, speaks_of_state
from assay.world.faults import FaultRule
from assay.world.world import World

Warn = Callable[[str, str], None]
"""Told what is odd: the place, and the text."""

LEVELS = ("AMB_LEVEL", "PATIENCE")
SLICES = {"PERSONALITY": "personality", "AMB_LEVEL": "ambiguity", "PATIENCE": "patience"}
CHECK = "or check the whole file with: assay tasks check FILE"


def case_of(
    item: Item, scenario: Scenario, factors: Mapping[str, JSON], world: World | None, warn: Warn
) -> Case:
    """The case of a scenario; its `id` is the loader's to give.

    `facts` are the variables, and CLIENT (the client's sheet), START (the state patch) and FAULTS
    where they are given; `input` holds the lines of a call that begins in the middle; `target` is
    `{"expect": ...}` or None. Raises UsageError with the place.
    """
    facts = _variables(item, scenario, warn)
    if scenario.client is not None:
        facts["CLIENT"] = _plain(scenario.client)
    if scenario.start is not None and scenario.start.state:
        facts["START"] = scenario.start.state
    if scenario.faults is not None and scenario.faults.all:
        for number, rule in enumerate(scenario.faults.rules):
            check_rule(item, number, rule, world)
        facts["FAULTS"] = _plain(scenario.faults)
    try:
        brief_of(facts)
        if world is not None:
            facts = world.facts(facts)
            world.open(facts, facts.get("START"))
    except UsageError as error:
        raise item.error((), error.problem, error.fix, error.excerpt) from None
    return Case(
        id="",
        name=scenario.name,
        input=_spoken(scenario),
        target=_target(item, scenario, facts, world, warn),
        tags={**{tag: tag for tag in scenario.tags}, **_slices(facts), **_factors(factors)},
        facts=facts,
    )


def check_rule(item: Item, number: int, rule: FaultRule, world: World | None) -> None:
    """Refuses a fault rule that can never strike as it is written."""
    keys = ("faults", "rules", number)
    if (rule.when.nth is None) == (rule.when.probability is None):
        raise item.error((*keys, "when"), "says neither or both", "give nth, or probability")
    if rule.tool == "*" or world is None:
        return
    if rule.tool not in world.tools:
        fix = files.did_you_mean(rule.tool, world.tools)
        raise item.error((*keys, "tool"), f"there is no tool {rule.tool!r}", fix)
    effect = world.tools[rule.tool].effect
    if rule.kind == "stale_read" and effect == "write":
        raise item.error((*keys, "kind"), f"{rule.tool} writes", "name a tool that reads")
    if rule.kind in ("commit_then_timeout", "duplicate_delivery") and effect == "read":
        raise item.error((*keys, "kind"), f"{rule.tool} only reads", "name a tool that writes")


def check_criteria(item: Item, criteria: Sequence[Wanted]) -> None:
    """Refuses a criterion whose id stands before it already."""
    seen: set[str] = set()
    for number, each in enumerate(criteria):
        if each.id in seen:
            keys = ("expect", "judge", "criteria", number, "id")
            raise item.error(keys, f"{each.id!r} stands twice", "give each criterion an id of its own")
        seen.add(each.id)


def _spoken(scenario: Scenario) -> str | tuple[Message, ...]:
    """The lines that were spoken before, as the agent's history holds them."""
    if scenario.start is None or not scenario.start.messages:
        return ""
    return tuple(
        say("assistant" if given.role == "agent" else "user", given.text) for given in scenario.start.messages
    )


def _variables(item: Item, scenario: Scenario, warn: Warn) -> dict[str, JSON]:
    facts = dict(scenario.variables)
    for name in LEVELS:
        if name in facts:
            facts[name] = _level(item, name, facts[name], warn)
    _check_goal(item, facts.get("ORDER_GOAL"))
    seed = facts.get("SEED")
    if seed is not None and (
        not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= SEED_MASK
    ):
        raise item.error(
            ("variables", "SEED"), f"is {str(seed)[:40]!r}", "set it to a whole number from 0 to 2^53 - 1"
        )
    given = facts.get("CURRENT_DATE")
    if given is not None:
        _check_date(item, str(given))
    return facts


def _level(item: Item, name: str, value: JSON, warn: Warn) -> int:
    """A level from 0 to 3; as a text it is taken with a warning."""
    keys = ("variables", name)
    if isinstance(value, str) and value.strip() in {"0", "1", "2", "3"}:
        warn(item.place(keys), f"{name} is a text; it is taken as a number")
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 3:
        raise item.error(keys, f"is {str(value)[:40]!r}", f"set {name} to 0, 1, 2 or 3")
    return value


def _check_goal(item: Item, given: JSON) -> None:
    """The goal is JSON text or a list, of items that have a name and a quantity."""
    keys = ("variables", "ORDER_GOAL")
    value = given
    if isinstance(given, str):
        try:
            value = files.parse_json(given, item.place(keys))
        except UsageError as bad:
            comma = "put a comma at the mark" if "','" in bad.problem else "mend the JSON at the mark"
            problem = bad.problem.removeprefix(f"{item.place(keys)}: ")
            raise item.error(keys, problem, f"{comma}, {CHECK}", bad.excerpt) from None
    if value is None:
        return
    try:
        msgspec.convert(value, tuple[GoalItem, ...])
    except msgspec.ValidationError as bad:
        wrong = misfit(bad, tuple[GoalItem, ...])
        fix = wrong.fix or 'give each item {"name": "...", "qty": 1}, qty above 0'
        raise item.error((*keys, *wrong.keys), wrong.problem, fix) from None


def _check_date(item: Item, text: str) -> None:
    keys = ("variables", "CURRENT_DATE")
    day, _, weekday = text.strip().partition(" ")
    try:
        number = date.fromisoformat(day).weekday()
    except ValueError:
        fix = "write it as YYYY-MM-DD, with an optional weekday"
        raise item.error(keys, f"{text[:40]!r} is no date", fix) from None
    said = weekday.strip().casefold()
    for names in (_WEEKDAYS, _WEEKDAYS_RU):
        if said in names and names.index(said) != number:
            right = _WEEKDAYS[number].capitalize()
            fix = f"write {day} {right}, or leave the weekday out"
            raise item.error(keys, f"{text[:40]!r}: that day is a {right}", fix)


def _target(
    item: Item, scenario: Scenario, facts: Mapping[str, JSON], world: World | None, warn: Warn
) -> JSON:
    """What scorers compare with, the reference replayed; a goal that cannot be told is warned of."""
    expect = None if scenario.expect is None else _plain(scenario.expect)
    if scenario.expect is not None and scenario.expect.judge is not None:
        check_criteria(item, scenario.expect.judge.criteria)
    if scenario.expect is not None and expect is not None:
        given = item.value.get("expect") if isinstance(item.value, Mapping) else None
        if isinstance(given, Mapping) and "acts" in given:  # said in so many words: the state is free then
            expect["acts"] = scenario.expect.acts
        if world is not None:
            _check_tables(item, scenario.expect, world)
        if scenario.expect.reference:
            reached, ignored = replayed(item, scenario.expect, facts, world)
            expect |= {"reached": reached, "ignored": {name: list(each) for name, each in ignored.items()}}
    if world is not None and not speaks_of_state(expect):
        derived = world.expected(facts, facts.get("START"))
        if isinstance(derived, Mapping) and derived.get("not_applicable"):
            place = item.place(("variables", "ORDER_GOAL"))
            warn(place, f"no verdict on the state: {derived['not_applicable']}")
    return None if expect is None else {"expect": expect}


def _check_tables(item: Item, expect: Expected, world: World) -> None:
    """Refuses an expectation of a table that is not there: it could never be met."""
    for number, entry in enumerate(expect.state):
        for kind, records in (("added", entry.added), ("changed", entry.changed)):
            if records is not None and records.table not in world.tables:
                fix = files.did_you_mean(records.table, world.tables)
                raise item.error(
                    ("expect", "state", number, kind, "table"), f"there is no table {records.table!r}", fix
                )
        for name in entry.unchanged.excepted if entry.unchanged is not None else ():
            if name not in world.tables:
                fix = files.did_you_mean(name, world.tables)
                raise item.error(
                    ("expect", "state", number, "unchanged", "except"), f"there is no table {name!r}", fix
                )


def _plain(value: Struct) -> JSON:
    """The value as JSON has it: lists where it holds tuples, nothing that is at its default."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _slices(facts: Mapping[str, JSON]) -> dict[str, str]:
    return {tag: str(facts[name])[:60] for name, tag in SLICES.items() if name in facts}


def _factors(factors: Mapping[str, JSON]) -> dict[str, str]:
    """The factors of a matrix are slices, those that are slices of every scenario apart."""
    return {name.lower(): str(value)[:60] for name, value in factors.items() if name not in SLICES}


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS_RU = ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье")
