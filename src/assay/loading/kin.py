"""Whether a judge is of the family of those whom it judges: such a judge favours its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assay.plan import Plan

OURS = frozenset({"emulated", "recorded"})
"""Providers whose models favour nobody."""

_NAME = re.compile(r"[^\W\d_]+")


def family(model: str) -> str | None:
    """The word that a model's name begins with: `gpt` of openai/gpt-4o-mini; None where it tells nothing."""
    provider, _, name = model.partition("/")
    if provider in OURS or model.startswith("python:"):
        return None
    found = _NAME.match(name.rpartition("/")[2])
    return None if found is None else found[0].lower()


def kin(plan: Plan, roles: Iterable[str]) -> Iterator[str]:
    """A warning for each model under test that is of the family of one that fills a scorer's role."""
    for role in dict.fromkeys(roles):
        judge = plan.cast.get(role)
        own = family(judge.asked) if judge is not None else None
        for model in plan.models:
            if judge is not None and own is not None and family(model.asked) == own:
                yield f"{judge.name} judges {model.name}, which is of its family ({own}): it may favour it"
