"""Nothing is asked: the case brings what was said, and scorers work at it as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.case import Case
from assay.keys import JSON
from assay.message import Message, say
from assay.ports import Asked, Capabilities, Table
from assay.trial import Event, EventKind, Outcome, Transcript

SAID = "said"
"""The fact that brings the lines: an object of texts by who said them."""


@dataclass(frozen=True, slots=True)
class Given:
    """The case's input as the prompt, then the lines of its fact `said`. The seat is that of who
    judges them, since nobody else takes part.
    """

    seats = ("judge",)

    @property
    def spec(self) -> JSON:
        return ["given"]

    def opening(self, case: Case) -> tuple[Message, ...]:
        return (say("user", case.input),) if isinstance(case.input, str) else case.input

    def asks(self, case: Case, can: Mapping[str, Capabilities]) -> dict[str, Asked]:  # noqa: ARG002  the others'
        """Nobody is asked anything but by the scorers."""
        return {}

    async def play(self, case: Case, table: Table) -> Transcript:
        asked = [Event(EventKind.PROMPT, "case", message) for message in self.opening(case)]
        lines = case.facts.get(SAID)
        said = [
            Event(EventKind.SAID, role, say("assistant", text))
            for role, text in (lines.items() if isinstance(lines, dict) else ())
            if isinstance(text, str)
        ]
        for event in said:
            table.emit(event)
        return Transcript((*asked, *said), Outcome("given"))
