"""What a customer knows of itself: the goal, its traits and the scenario's client sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from assay.errors import UsageError
from assay.keys import JSON


class GoalItem(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the customer wants of one product; `variant` says which where the name alone is unclear."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    qty: Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0)]
    from_history: bool = False
    unit: str = ""
    variant: str = ""
    delivery: str = ""


class Swap(Struct, frozen=True, forbid_unknown_fields=True):
    """A product that the customer accepts where another cannot be had."""

    instead_of: str
    name: str


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of mind: the quantity that the customer says first, before the goal's."""

    name: str
    qty_first: float | int


class Unknown(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the customer does not know; `value`, where given, is what it must not be able to say."""

    text: str
    value: str = ""


class Known(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that the customer can tell: of itself (`always`), beside something near it
    (`adjacent`), or only when it is asked for.
    """

    id: str
    text: str
    volunteer: Literal["always", "when_asked", "adjacent"] = "when_asked"


class Sheet(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A scenario's `client` section: visible to the client alone. A text in `accept` is for models."""

    opening: str | None = None
    known: tuple[Known | str, ...] = ()
    unknown: tuple[Unknown | str, ...] = ()
    must_have: tuple[str, ...] = ()
    accept: tuple[Swap | str, ...] = ()
    refuse: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    delivery: str = ""
    done_when: str = ""
    give_up_when: str = ""


class Brief(Struct, frozen=True, omit_defaults=True):
    """All that a customer knows of itself: the JSON block in a client's system prompt."""

    goal: tuple[GoalItem, ...]
    ambiguity: Annotated[int, Meta(ge=0, le=3)] = 0
    patience: Annotated[int, Meta(ge=0, le=3)] = 2
    language: str = "ru"
    personality: str = ""
    phone: str = ""
    name: str = ""
    city: str = ""
    sheet: Sheet = Sheet()

    @property
    def json(self) -> str:
        """The brief as the JSON text that `Brief.read` takes."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str) -> Brief:
        """Raises msgspec.ValidationError or DecodeError for a text that is no brief."""
        return msgspec.json.decode(text, type=cls)


def goal_of(given: JSON, where: str = "ORDER_GOAL") -> tuple[GoalItem, ...]:
    """The goal's items from JSON text or a list. Raises UsageError that names place and offset."""
    value = given
    if isinstance(given, str):
        try:
            value = json.loads(given)
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{where} is not JSON at character {error.pos}: {error.msg}",
                fix='write it as [{"name": "...", "qty": 1}]',
                excerpt=given[max(0, error.pos - 30) : error.pos + 30],
            ) from error
    try:
        return msgspec.convert(value, tuple[GoalItem, ...])
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{where}: {error}", fix='give each item {"name": "...", "qty": 1}, qty above 0'
        ) from error


def brief_of(facts: Mapping[str, JSON], language: str = "ru") -> Brief:
    """The brief of a case's variables (ORDER_GOAL, AMB_LEVEL, PATIENCE, ...; CLIENT is the sheet).

    Raises UsageError that names the variable.
    """
    try:
        sheet = msgspec.convert(facts.get("CLIENT") or {}, Sheet)
    except msgspec.ValidationError as error:
        raise UsageError(f"client: {error}", fix="mend the scenario's client section") from error
    return Brief(
        goal=goal_of(facts.get("ORDER_GOAL", [])),
        ambiguity=_level(facts, "AMB_LEVEL", 0),
        patience=_level(facts, "PATIENCE", 2),
        language=str(facts.get("LANGUAGE") or language),
        personality=str(facts.get("PERSONALITY") or ""),
        phone=str(facts.get("CUSTOMER_PHONE") or ""),
        name=str(facts.get("CUSTOMER_NAME") or ""),
        city=str(facts.get("CITY") or ""),
        sheet=sheet,
    )


def _level(facts: Mapping[str, JSON], name: str, default: int) -> int:
    value = facts.get(name, default)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 3:
        raise UsageError(f"{name} is {str(value)[:40]!r}", fix=f"set {name} to 0, 1, 2 or 3")
    return value
