"""What a case expects of a conversation: of the state it leaves, of what is said, of the manner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from assay.keys import JSON

PolicyCheck = Literal[
    "confirm_before_write",
    "authenticate_first",
    "no_foreign_customer",
    "no_claim_without_tool",
    "price_quoted_matches_state",
    "no_text_with_tool_call",
]
"""What the scorer `policy` can check."""


class Records(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The records that an entry speaks of: those of `table` that hold `where`."""

    table: str
    where: dict[str, JSON] = field(default_factory=dict)
    count: Annotated[int, Meta(ge=0)] | None = None
    match: dict[str, JSON] = field(default_factory=dict)


class Unchanged(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Every table but those named stays as it was."""

    excepted: tuple[str, ...] = field(default=(), name="except")


class Entry(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One expectation: exactly one of the three."""

    added: Records | None = None
    changed: Records | None = None
    unchanged: Unchanged | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for none and for several."""
        if sum(each is not None for each in (self.added, self.changed, self.unchanged)) != 1:
            raise ValueError("give exactly one of added, changed, unchanged")


class Reference(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One call of the reference: what an agent that does all right would do to the world."""

    tool: str
    arguments: dict[str, JSON] = field(default_factory=dict)


class Says(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One of these texts must stand in a line of the agent; `after` the tool has done its work."""

    any_of: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    after: str | None = None


class Wanted(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A yes-or-no point of one case, and what it weighs among the case's others."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}\Z")]
    about: Annotated[str, Meta(min_length=1, max_length=500)]
    weight: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class JudgeWish(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a scenario asks of the judge: the rubric of its task, and criteria of its own beside it.

    The grade itself has no weight: no figure mixes it with others.
    """

    rubric: Literal["default"] = "default"
    weight: None = None
    criteria: Annotated[tuple[Wanted, ...], Meta(max_length=20)] = ()


class Expected(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A case's expectation; neither side of the conversation sees it.

    `reached` is the difference that the reference calls leave on a fresh world, as `loading`
    replayed them; `ignored` names columns by table that no comparison counts ("*" for all).
    """

    state: tuple[Entry, ...] = ()
    acts: Literal["required", "forbidden", "any"] = "any"
    reference: tuple[Reference, ...] = ()
    allow_reference_errors: bool = False
    ignored: dict[str, tuple[str, ...]] = field(default_factory=dict)
    says: tuple[Says, ...] = ()
    policy: tuple[PolicyCheck, ...] = ()
    judge: JudgeWish | None = None
    not_applicable: str | None = None
    reached: JSON = None


def speaks_of_state(expect: JSON) -> bool:
    """Whether an expectation says what the state must be; else the world derives it from the goal."""
    if not isinstance(expect, Mapping):
        return False
    return "acts" in expect or any(expect.get(key) for key in ("state", "reference", "not_applicable"))


def named(value: JSON, facts: Mapping[str, JSON]) -> JSON:
    """The expectation with `$NAME` replaced by the case's facts ($CUSTOMER is the caller's phone)."""
    if isinstance(value, str) and value.startswith("$"):
        name = "CUSTOMER_PHONE" if value == "$CUSTOMER" else value[1:]
        return facts.get(name, value)
    if isinstance(value, (list, tuple)):
        return [named(item, facts) for item in value]
    return {key: named(item, facts) for key, item in value.items()} if isinstance(value, dict) else value
