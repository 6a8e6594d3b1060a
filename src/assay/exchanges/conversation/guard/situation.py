"""What the guard looks at (a call up to a line), and what it can find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from assay.agenda import Brief, Phrases, Reason, phrases_of
from assay.exchanges.conversation.loops import Spoken
from assay.keys import JSON

Code = Literal[
    "empty",
    "reasoning_leak",
    "role_flip",
    "goal_leak",
    "early_disclosure",
    "ungrounded_fact",
    "unknown_revealed",
    "premature_hangup",
    "restart",
    "loop",
    "off_goal_request",
    "missed_answer",
]
CODES: tuple[Code, ...] = get_args(Code)
Severity = Literal["minor", "helped", "hindered"]
"""What a fault that was delivered does to the agent under test: little, help it, or hinder it."""
Action: TypeAlias = Literal["discard", "once", "record"]
"""Discard the line and ask for another; the same once at most, then let it pass; let it pass."""

MAX_READ = 4000
"""Characters of a line that the guard reads."""

RESERVED = frozenset({"ORDER_GOAL", "CLIENT", "START", "SEED", "AMB_LEVEL", "PATIENCE", "BRIEF", "LANGUAGE"})
"""Variables whose values state no fact: settings, and what the brief holds already."""


class Candidate(Struct, frozen=True):
    """A line that the client is about to say; with `hang_up` it ends the call."""

    text: str
    hang_up: Reason | None = None


class Fault(Struct, frozen=True):
    """One fault, with the words that show it."""

    code: Code
    evidence: str = ""


class Situation(Struct, frozen=True, dict=True):
    """A call as the guard sees it: what the client was told, and the lines so far.

    `agent_prompt` and `client_prompt` are the prompts' texts before values are filled in.
    """

    brief: Brief
    lines: Sequence[Spoken] = ()
    variables: Mapping[str, JSON] = {}
    agent_prompt: str = ""
    client_prompt: str = ""

    @property
    def russian(self) -> bool:
        return self.brief.language.startswith("ru")

    @cached_property
    def words(self) -> Phrases:
        return phrases_of(self.brief.language)

    @cached_property
    def heard(self) -> tuple[str, ...]:
        """The agent's lines."""
        return tuple(line.text[:MAX_READ] for line in self.lines if line.side == "agent")

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The client's lines."""
        return tuple(line.text[:MAX_READ] for line in self.lines if line.side == "client")

    @property
    def asked(self) -> str:
        """What the agent said last; nothing where the client opens."""
        return self.lines[-1].text[:MAX_READ] if self.lines and self.lines[-1].side == "agent" else ""

    @cached_property
    def told(self) -> tuple[str, ...]:
        """Every text of the brief, item by item: what the client may state as a fact."""
        sheet = self.brief.sheet
        values: list[JSON] = [self.brief.phone, self.brief.name, self.brief.city, self.brief.personality]
        values += [f"{item.name} {item.variant} {item.unit} {item.delivery}" for item in self.brief.goal]
        values += [sheet.opening, sheet.delivery, sheet.done_when, sheet.give_up_when]
        values += [each if isinstance(each, str) else each.text for each in sheet.known]
        values += [*sheet.must_have, *sheet.refuse]
        for swap in sheet.accept:
            values.append(swap if isinstance(swap, str) else f"{swap.instead_of}; {swap.name}")
        return tuple(text for value in values for text in texts_of(value) if text.strip())

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The further variables' values as texts."""
        return tuple(
            text for name, value in self.variables.items() if name not in RESERVED for text in texts_of(value)
        )


def texts_of(value: JSON) -> list[str]:
    """The texts of a JSON value, numbers written out."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in texts_of(each)]
    if isinstance(value, (list, tuple)):
        return [text for each in value for text in texts_of(each)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def action_on(code: Code) -> Action:
    """What is done about a line with this fault (simulation.md 2.6)."""
    return _ACTIONS.get(code, "record")


def severity_of(code: Code) -> Severity:
    """What a delivered line with this fault does."""
    return _SEVERITIES.get(code, "hindered")


_ACTIONS: dict[Code, Action] = {
    "empty": "discard",
    "reasoning_leak": "discard",
    "role_flip": "discard",
    "goal_leak": "discard",
    "ungrounded_fact": "once",
    "unknown_revealed": "once",
}
_SEVERITIES: dict[Code, Severity] = {
    "empty": "minor",
    "reasoning_leak": "minor",
    "goal_leak": "helped",
    "early_disclosure": "helped",
    "unknown_revealed": "helped",
    "restart": "minor",
    "loop": "minor",
}
