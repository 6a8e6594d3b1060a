"""The guard of the client's lines: which faults a line has that a client model is about to say.

Pure functions over what the client knows, what was spoken so far and the candidate line; no model
is asked. `faults_in` runs every family of checks.
"""

from __future__ import annotations

from assay.exchanges.conversation.guard.answers import missed_answer, off_goal_request
from assay.exchanges.conversation.guard.course import loop, premature_hangup, restart
from assay.exchanges.conversation.guard.disclosure import early_disclosure
from assay.exchanges.conversation.guard.grounding import ungrounded_fact
from assay.exchanges.conversation.guard.leaks import empty, goal_leak, reasoning_leak
from assay.exchanges.conversation.guard.roles import role_flip
from assay.exchanges.conversation.guard.situation import (
    CODES,
    Candidate,
    Code,
    Fault,
    Severity,
    Situation,
    action_on,
    severity_of,
)
from assay.exchanges.conversation.guard.unknowns import unknown_revealed

CHECKS = (
    empty,
    reasoning_leak,
    role_flip,
    goal_leak,
    early_disclosure,
    ungrounded_fact,
    unknown_revealed,
    premature_hangup,
    restart,
    loop,
    off_goal_request,
    missed_answer,
)
"""Each gives what it found as words for people, or None."""


def faults_in(situation: Situation, candidate: Candidate) -> tuple[Fault, ...]:
    """The faults of the line, in the order of simulation.md 2.6. Equal arguments, equal faults."""
    found = []
    for check in CHECKS:
        evidence = check(situation, candidate)
        if evidence is not None:
            found.append(Fault(_CODES[check.__name__], evidence[:200]))
    return tuple(found)


_CODES: dict[str, Code] = {code: code for code in CODES}

__all__ = [
    "CODES",
    "Candidate",
    "Code",
    "Fault",
    "Severity",
    "Situation",
    "action_on",
    "faults_in",
    "severity_of",
]
