"""Planted transcripts: calls with a known fault or with an innocent look-alike, to measure the guard by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import Struct, structs

from assay.agenda import Brief, Reason
from assay.errors import UsageError
from assay.exchanges.conversation.guard import Candidate, Code, Situation, faults_in
from assay.exchanges.conversation.loops import Spoken
from assay.keys import JSON

JUDGED: frozenset[Code] = frozenset({"off_goal_request", "missed_answer"})
"""Kinds that need a judge in general: measured, and not counted."""


class _Line(Struct, frozen=True):
    side: Literal["agent", "client"]
    text: str


class _Candidate(Struct, frozen=True):
    text: str
    hang_up: Reason | None = None


class _Prompts(Struct, frozen=True):
    agent: str = ""
    client: str = ""


class Planted(Struct, frozen=True):
    """One planted transcript; its JSON form is in docs/guard.md."""

    id: str
    kind: Code
    fault: Code | None
    language: Literal["ru", "en"]
    brief: Brief
    lines: tuple[_Line, ...]
    candidate: _Candidate
    variables: dict[str, JSON] = {}
    prompts: _Prompts | None = None
    note: str = ""

    def found(self, prompts: dict[str, tuple[str, str]]) -> list[Code]:
        """The codes that the guard finds. `prompts` by language stand in where none are given."""
        own = self.prompts
        agent, client = prompts.get(self.language, ("", "")) if own is None else (own.agent, own.client)
        situation = Situation(
            structs.replace(self.brief, language=self.language),
            [Spoken(line.side, line.text) for line in self.lines],
            self.variables,
            agent,
            client,
        )
        candidate = Candidate(self.candidate.text, self.candidate.hang_up)
        return [fault.code for fault in faults_in(situation, candidate)]


def read_planted(lines: Iterable[bytes], where: str = "planted") -> Iterator[Planted]:
    """The transcripts of a JSON Lines file. Raises UsageError that names the line."""
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            planted = msgspec.json.decode(line, type=Planted)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UsageError(f"{where}:{number}: {error}", fix="see its form in docs/guard.md") from error
        if planted.fault not in (None, planted.kind):
            raise UsageError(f"{where}:{number}: fault is not kind", fix="give the kind's code or null")
        if planted.id in seen:
            raise UsageError(f"{where}:{number}: id {planted.id} stands twice", fix="give it one of its own")
        seen.add(planted.id)
        yield planted


class Tally(Struct):
    """One kind in one language: how many had the fault, how many of them were caught, and the innocent."""

    faulty: int = 0
    caught: int = 0
    innocent: int = 0
    alarms: int = 0
    missed: list[str] = []
    alarmed: list[str] = []
    others: dict[str, int] = {}


def tallied(planted: Iterable[Planted], prompts: dict[str, tuple[str, str]]) -> dict[tuple[str, str], Tally]:
    """Tallies by kind and language."""
    tallies: dict[tuple[str, str], Tally] = {}
    for one in planted:
        tally = tallies.setdefault((one.kind, one.language), Tally())
        found = one.found(prompts)
        hit = one.kind in found
        if one.fault is not None:
            tally.faulty += 1
            tally.caught += hit
            tally.missed += [] if hit else [one.id]
        else:
            tally.innocent += 1
            tally.alarms += hit
            tally.alarmed += [one.id] if hit else []
        for code in found:
            if code != one.kind:
                tally.others[code] = tally.others.get(code, 0) + 1
    return tallies
