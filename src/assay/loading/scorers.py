"""Scorers by name: built in, or a user's own."""

from __future__ import annotations

from collections.abc import Iterable

from assay.keys import JSON
from assay.loading.tasks import named
from assay.plugins import PREFIX, made
from assay.ports import Scorer
from assay.scorers import make_scorer


def build_scorers(given: Iterable[JSON]) -> tuple[Scorer, ...]:
    """The scorers that a task or a plan names: `exact`, or `{exact: {case: false}}`."""
    scorers = []
    for each in given:
        name, settings = named(each, "scorer")
        own = name.startswith(PREFIX)
        scorers.append(made(name, "scorer", settings) if own else make_scorer(name, settings))
    return tuple(scorers)
