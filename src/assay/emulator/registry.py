"""Which behaviour a model's name stands for."""

from __future__ import annotations

from collections.abc import Callable

from assay.emulator.behaviour import Behaviour
from assay.emulator.choice import FAULT_MODEL
from assay.emulator.faults import fault_named
from assay.emulator.index import Index
from assay.emulator.judge import Judge
from assay.emulator.personas import AgentPersona, ClientPersona
from assay.emulator.skill import Echo, Skill
from assay.errors import UsageError

LISTED = ("skill-1", "skill-0.95", "skill-0.8", "skill-0.5", "agent", "agent-0.7", "client", "judge", "echo")
"""The names that the server lists; any other skill in [0, 1] is there as well."""

NAMES = "skill-P, agent, agent-P, client, judge, echo or fault-NAME, with P in [0, 1]"


def behaviour_for(model: str, index: Index) -> Behaviour | None:
    """The behaviour of `skill-0.8`, `agent`, `agent-0.7`, `client`, `judge`, `echo`, `fault-NAME`.

    A fault's model answers right where its fault lets an answer through. None for another name.
    """
    kind, dash, rest = model.partition("-")
    roles: dict[str, Callable[[], Behaviour]] = {"client": ClientPersona, "judge": Judge, "echo": Echo}
    if model in roles:
        return roles[model]()
    if model == "agent":
        return AgentPersona(1.0)
    if model.startswith(FAULT_MODEL):
        return Skill(1.0, index) if _is_fault(model[len(FAULT_MODEL) :]) else None
    skill = _share(rest) if dash else None
    if skill is None or kind not in ("skill", "agent"):
        return None
    return Skill(skill, index) if kind == "skill" else AgentPersona(skill)


def _share(text: str) -> float | None:
    """A number in [0, 1] written in plain digits."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii() or len(text) > 12:
        return None
    share = float(text)
    return share if share <= 1 else None


def _is_fault(text: str) -> bool:
    try:
        fault_named(text)
    except UsageError:
        return False
    return True
