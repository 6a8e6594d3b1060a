"""A world: immutable tables and the tools over them; each trial opens an overlay of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime

from assay.errors import UsageError
from assay.keys import JSON, digest
from assay.message import ToolSpec
from assay.world.calling import Answer, ToolFault, called
from assay.world.faults import Dice, Faults
from assay.world.overlay import Overlay
from assay.world.tables import Table, thaw
from assay.world.tools import Tool

__all__ = ["Answer", "Completes", "Expects", "ToolFault", "World"]

Completes = Callable[[Overlay, Mapping[str, JSON]], Mapping[str, JSON]]
"""What a world adds to a case's variables: the values of names that the case leaves out."""
Expects = Callable[[Overlay, Mapping[str, JSON]], JSON]
"""What state a case's variables ask for: `{"state": [...]}` or `{"not_applicable": reason}`."""


class World:
    """Tables and tools, shared by all trials and never changed.

    `clock` makes the frozen time of a trial from its CURRENT_DATE ("{CURRENT_DATE}T10:00:00+03:00");
    `date` stands in where a case names none. `completes` fills what a case leaves out; `expects`
    derives the wanted state from a case without an explicit expectation.
    """

    __slots__ = (
        "_specs",
        "clock",
        "completes",
        "date",
        "expects",
        "fingerprint",
        "ignored",
        "name",
        "tables",
        "tools",
    )

    def __init__(
        self,
        name: str,
        tables: Iterable[Table],
        tools: Iterable[Tool],
        *,
        clock: str = "{CURRENT_DATE}T10:00:00+00:00",
        date: str = "2025-06-08",
        completes: Completes | None = None,
        expects: Expects | None = None,
    ) -> None:
        self.name = name
        self.tables = {table.name: table for table in tables}
        self.tools = {tool.name: tool for tool in tools}
        self.clock = clock
        self.date = date
        self.completes = completes
        self.expects = expects
        self.ignored = {name: table.ignored for name, table in self.tables.items() if table.ignored}
        self.fingerprint = digest(
            [
                name,
                clock,
                date,
                {table.name: [table.key, thaw(table.rows)] for table in self.tables.values()},
                [tool.declared for tool in self.tools.values()],
            ]
        )
        self._specs: dict[str, tuple[ToolSpec, ...]] = {}

    def specs(self, language: str) -> tuple[ToolSpec, ...]:
        """The tools as they are offered to a model, in their order."""
        if language not in self._specs:
            self._specs[language] = tuple(tool.spec(language) for tool in self.tools.values())
        return self._specs[language]

    def open(
        self,
        facts: Mapping[str, JSON],
        patch: Mapping[str, JSON] | None = None,
        *,
        faults: Faults | None = None,
        seed: int = 0,
    ) -> Overlay:
        """A fresh overlay for one trial; `patch` is a JSON merge patch on the base; `faults` strike
        its tools, drawn from the trial's seed.

        Raises UsageError for a CURRENT_DATE that is no date, and for a patch of an unknown table or to
        a record that would not fit its table.
        """
        rules = faults.all if faults is not None else ()
        overlay = Overlay(self, self._now(facts), facts, Dice(rules, seed) if rules else None)
        for table in patch or {}:
            if table not in self.tables:
                raise UsageError(
                    f"world {self.name} has no table {table!r}",
                    fix=f"name one of {', '.join(self.tables)}",
                )
        overlay.patch(patch or {})
        return overlay

    def _now(self, facts: Mapping[str, JSON]) -> datetime:
        given = str(facts.get("CURRENT_DATE") or self.date)
        try:
            now = datetime.fromisoformat(self.clock.replace("{CURRENT_DATE}", given[:10]))
        except ValueError as error:
            raise UsageError(
                f"CURRENT_DATE {given[:40]!r} is no date",
                fix="write it as YYYY-MM-DD, with an optional weekday",
            ) from error
        if not MINYEAR < now.year < MAXYEAR:
            raise UsageError(
                f"CURRENT_DATE {given[:40]!r}: tools cannot count days from there",
                fix=f"write a year from {MINYEAR + 1} to {MAXYEAR - 1}",
            )
        return now

    def facts(self, variables: Mapping[str, JSON]) -> dict[str, JSON]:
        """A case's variables with the values of this world for the names that it leaves out."""
        if self.completes is None:
            return dict(variables)
        added = self.completes(self.open(variables), variables)
        return {**{name: thaw(value) for name, value in added.items()}, **variables}

    def expected(self, facts: Mapping[str, JSON], patch: Mapping[str, JSON] | None = None) -> JSON:
        """The state that the variables ask for, or None where this world derives none."""
        return None if self.expects is None else self.expects(self.open(facts, patch), facts)

    def answer(self, overlay: Overlay, tool: str, arguments: str, tool_call_id: str = "") -> Answer:
        """Carries a tool call out on an overlay (see calling.py). Raises ToolFault where the tool's
        own function breaks.
        """
        return called(self, overlay, tool, arguments, tool_call_id)

    def call(self, overlay: Overlay, tool: str, arguments: str, tool_call_id: str = "") -> JSON:
        """The value of the answer alone."""
        return self.answer(overlay, tool, arguments, tool_call_id).value
