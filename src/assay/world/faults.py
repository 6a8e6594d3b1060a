"""Faults that a world's tools are made to show: which call, which kind, drawn from the trial's seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from assay.keys import unit

FaultKind = Literal[
    "error",
    "timeout",
    "latency",
    "stale_read",
    "empty",
    "malformed",
    "duplicate_delivery",
    "commit_then_timeout",
]
Profile = Literal["none", "flaky", "slow", "stale", "lossy"]

LOST = frozenset({"error", "timeout", "empty", "malformed", "commit_then_timeout"})
"""Kinds that keep the answer from the agent: calling again and being answered is recovery."""


class When(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which calls of a tool: the nth of the trial, or each with a probability. One of the two."""

    nth: Annotated[int, Meta(ge=1)] | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None


class FaultRule(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A fault of one tool (`*` for every tool). `count` bounds how often it strikes each tool in a
    trial; `seconds` is how long a timeout or a latency takes on the world's clock.
    """

    tool: str
    kind: FaultKind
    when: When
    count: Annotated[int, Meta(ge=1)] | None = None
    seconds: Annotated[float, Meta(gt=0, le=3600)] = 5.0


class Faults(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The faults of a trial: those of a profile, after those of its own rules."""

    profile: Profile = "none"
    rules: tuple[FaultRule, ...] = ()

    @property
    def all(self) -> tuple[FaultRule, ...]:
        return (*self.rules, *PROFILES[self.profile])


def _rule(kind: FaultKind, probability: float, count: int = 2, seconds: float = 5.0) -> FaultRule:
    return FaultRule("*", kind, When(probability=probability), count, seconds)


PROFILES: dict[Profile, tuple[FaultRule, ...]] = {
    "none": (),
    "flaky": (_rule("error", 0.1), _rule("timeout", 0.05)),
    "slow": (_rule("latency", 0.3, count=10, seconds=4.0),),
    "stale": (_rule("stale_read", 0.2),),
    "lossy": (
        _rule("empty", 0.05),
        _rule("malformed", 0.05),
        _rule("duplicate_delivery", 0.05),
        _rule("commit_then_timeout", 0.05),
    ),
}
"""Rules by the name of a profile."""


class Injected(Struct, frozen=True):
    """A fault that struck: the tool, the ordinal of its call in the trial (from 1), the rule's kind."""

    tool: str
    ordinal: int
    kind: FaultKind
    recovered: bool = False


class Dice:
    """Draws the faults of one trial.

    A draw depends on the trial's seed, the tool and how often this tool was called before, and on
    nothing else: neither on time nor on what other tools were asked. So a retry is a new draw.
    """

    __slots__ = ("_called", "_rules", "_seed", "_struck")

    def __init__(self, rules: Sequence[FaultRule], seed: int) -> None:
        self._rules = rules
        self._seed = seed
        self._called: dict[str, int] = {}
        self._struck: dict[tuple[int, str], int] = {}

    def next(self, tool: str, *, reads: bool) -> tuple[int, FaultRule | None]:
        """The ordinal of this call of a tool, and the rule that strikes it, if any does."""
        ordinal = self._called[tool] = self._called.get(tool, 0) + 1
        for number, rule in enumerate(self._rules):
            if rule.tool not in ("*", tool) or not _fits(rule.kind, reads=reads):
                continue
            struck = self._struck.get((number, tool), 0)
            if (rule.count is None or struck < rule.count) and self._strikes(rule, number, tool, ordinal):
                self._struck[number, tool] = struck + 1
                return ordinal, rule
        return ordinal, None

    def _strikes(self, rule: FaultRule, number: int, tool: str, ordinal: int) -> bool:
        if rule.when.nth is not None:
            return rule.when.nth == ordinal
        return unit(self._seed, "tool.faults", tool, ordinal, number) < (rule.when.probability or 0.0)


def _fits(kind: FaultKind, *, reads: bool) -> bool:
    """Old data can only come from a tool that reads; only one that writes can commit."""
    if kind == "stale_read":
        return reads
    return not reads if kind in ("duplicate_delivery", "commit_then_timeout") else True
