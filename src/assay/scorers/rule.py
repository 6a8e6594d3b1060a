"""A rule: a scorer that is one plain function over a trial, and needs no seat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from assay.keys import JSON
from assay.message import Finish, Reply
from assay.ports import Table
from assay.trial import Score, Trial

Check = Callable[[Trial], tuple[Score, ...]]
"""What a rule says of a trial; the first score has the rule's own name."""

SHOWN = 200
"""Characters of a reply or a target that a reason quotes."""


class Rule(Struct, frozen=True):
    """A plain function with the name, version and settings that enter its score key."""

    name: str
    version: int
    settings: JSON
    check: Check

    @property
    def seats(self) -> tuple[str, ...]:
        return ()

    async def score(self, trial: Trial, table: Table) -> Sequence[Score]:  # noqa: ARG002  the port's
        return self.check(trial)


def shown(text: str) -> str:
    """The text as a reason quotes it: in quotes, on one line, bounded."""
    cut = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    return repr(cut)


def ending(reply: Reply) -> str:
    """What a reason adds where a reply did not end by itself."""
    if reply.refusal or reply.finish is Finish.REFUSAL:
        return " (the model refused)"
    return " (cut at the token limit)" if reply.finish is Finish.LENGTH else ""


def no_reply(trial: Trial) -> str:
    """The reason of a played trial that left no final reply."""
    return f"no final reply: the play ended {trial.transcript.outcome.reason}"


def not_applicable(name: str, reason: str) -> Score:
    """The score of a case that gives this scorer nothing to compare with."""
    return Score(name, None, reason, unscored="not_applicable")


def broken_case(name: str, reason: str) -> Score:
    """The score where the case itself is at fault: never a verdict on the model."""
    return Score(name, None, reason, unscored="scorer_error")


def alternatives(target: JSON) -> tuple[JSON, ...]:
    """The accepted values of a target: one value, or those of `{any_of: [...]}`."""
    if isinstance(target, dict) and list(target) == ["any_of"] and isinstance(target["any_of"], list):
        return tuple(target["any_of"])
    return (target,)
