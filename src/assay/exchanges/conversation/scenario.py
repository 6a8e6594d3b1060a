"""Scenarios: the classic list, `{"scenarios": [...]}` or single items, turned into cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec
from msgspec import Struct, field

from assay.agenda import Sheet, brief_of
from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON, SEED_MASK
from assay.world.world import World


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a scenario begins: a JSON merge patch on the world."""

    state: dict[str, dict[str, JSON]] = field(default_factory=dict)


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a scenario file."""

    name: str
    variables: dict[str, JSON]
    tags: tuple[str, ...] = ()
    client: Sheet | None = None
    start: Start | None = None
    expect: JSON = None


def scenarios(document: JSON, where: str = "scenarios") -> list[JSON]:
    """The items of a scenario document: a list, or an object with a list under `scenarios`.

    Raises UsageError for any other shape.
    """
    items = document.get("scenarios") if isinstance(document, Mapping) else document
    if not isinstance(items, list):
        raise UsageError(
            f"{where} holds no list of scenarios",
            fix='write a list of {"name", "variables"}, or {"scenarios": [...]}',
        )
    return items


def scenario_case(item: JSON, world: World | None = None, where: str = "scenario") -> Case:
    """The case of a scenario, its variables filled from the world; its `id` is the loader's to give.

    `facts` are the variables and CLIENT (the client's sheet) and START (the state patch) where they
    are given; `target` is `{"expect": ...}` or None. Raises UsageError that begins with `where`.
    """
    try:
        scenario = msgspec.convert(item, Scenario)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}", fix="compare with examples of the scenario format") from error
    facts = dict(scenario.variables)
    if scenario.client is not None:
        facts["CLIENT"] = msgspec.to_builtins(scenario.client)
    if scenario.start is not None and scenario.start.state:
        facts["START"] = scenario.start.state
    try:
        _check(facts)
        if world is not None:
            facts = world.facts(facts)
            world.open(facts, facts.get("START"))
    except UsageError as error:
        problem = f"{where} ({scenario.name}): {error.problem}"
        raise UsageError(problem, fix=error.fix, excerpt=error.excerpt) from error
    return Case(
        id="",
        name=scenario.name,
        target=None if scenario.expect is None else {"expect": scenario.expect},
        tags={**{tag: tag for tag in scenario.tags}, **_slices(facts)},
        facts=facts,
    )


def _slices(facts: Mapping[str, JSON]) -> dict[str, str]:
    names = {"PERSONALITY": "personality", "AMB_LEVEL": "ambiguity", "PATIENCE": "patience"}
    return {tag: str(facts[name])[:60] for name, tag in names.items() if name in facts}


def _check(facts: Mapping[str, JSON]) -> None:
    brief_of(facts)
    seed = facts.get("SEED")
    if seed is not None and (
        not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= SEED_MASK
    ):
        raise UsageError(f"SEED is {str(seed)[:40]!r}", fix="set SEED to a whole number from 0 to 2^53 - 1")
    given = facts.get("CURRENT_DATE")
    if given is not None:
        _check_date(str(given))


def _check_date(text: str) -> None:
    day, _, weekday = text.strip().partition(" ")
    try:
        named = date.fromisoformat(day).strftime("%A")
    except ValueError as error:
        raise UsageError(
            f"CURRENT_DATE {text[:40]!r} is no date",
            fix="write it as YYYY-MM-DD, with an optional weekday",
        ) from error
    if weekday and weekday.strip().casefold() in _WEEKDAYS and weekday.strip().casefold() != named.casefold():
        raise UsageError(
            f"CURRENT_DATE {text[:40]!r}: that day is a {named}", fix=f"write {day} {named}, or leave it out"
        )


_WEEKDAYS = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
