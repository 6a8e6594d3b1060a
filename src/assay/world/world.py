"""A world: immutable tables and the tools over them; each trial opens an overlay of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from assay.errors import AssayError, UsageError
from assay.keys import JSON, digest
from assay.message import ToolSpec
from assay.world.overlay import Overlay
from assay.world.tables import Table, thaw
from assay.world.tools import Tool, error_code, refused

Completes = Callable[[Overlay, Mapping[str, JSON]], Mapping[str, JSON]]
"""What a world adds to a case's variables: the values of names that the case leaves out."""
Expects = Callable[[Overlay, Mapping[str, JSON]], JSON]
"""What state a case's variables ask for: `{"state": [...]}` or `{"not_applicable": reason}`."""


class ToolFault(AssayError):
    """A tool's own function broke: the fault of the world, never of the model that called it."""


class World:
    """Tables and tools, shared by all trials and never changed.

    `clock` makes the frozen time of a trial from its CURRENT_DATE ("{CURRENT_DATE}T10:00:00+03:00");
    `date` stands in where a case names none. `completes` fills what a case leaves out; `expects`
    derives the wanted state from a case without an explicit expectation.
    """

    __slots__ = ("_specs", "clock", "completes", "date", "expects", "fingerprint", "name", "tables", "tools")

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
        self.fingerprint = digest(
            [
                name,
                clock,
                date,
                {table.name: [table.key, thaw(table.rows)] for table in self.tables.values()},
                [[t.name, t.effect, t.descriptions, t.parameters] for t in self.tools.values()],
            ]
        )
        self._specs: dict[str, tuple[ToolSpec, ...]] = {}

    def specs(self, language: str) -> tuple[ToolSpec, ...]:
        """The tools as they are offered to a model, in their order."""
        if language not in self._specs:
            self._specs[language] = tuple(tool.spec(language) for tool in self.tools.values())
        return self._specs[language]

    def open(self, facts: Mapping[str, JSON], patch: Mapping[str, JSON] | None = None) -> Overlay:
        """A fresh overlay for one trial; `patch` is a JSON merge patch on the base.

        Raises UsageError for a CURRENT_DATE that is no date and a patch of an unknown table.
        """
        overlay = Overlay(self, self._now(facts), facts)
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
            return datetime.fromisoformat(self.clock.replace("{CURRENT_DATE}", given[:10]))
        except ValueError as error:
            raise UsageError(
                f"CURRENT_DATE {given[:40]!r} is no date",
                fix="write it as YYYY-MM-DD, with an optional weekday",
            ) from error

    def facts(self, variables: Mapping[str, JSON]) -> dict[str, JSON]:
        """A case's variables with the values of this world for the names that it leaves out."""
        if self.completes is None:
            return dict(variables)
        added = self.completes(self.open(variables), variables)
        return {**{name: thaw(value) for name, value in added.items()}, **variables}

    def expected(self, facts: Mapping[str, JSON], patch: Mapping[str, JSON] | None = None) -> JSON:
        """The state that the variables ask for, or None where this world derives none."""
        return None if self.expects is None else self.expects(self.open(facts, patch), facts)

    def call(self, overlay: Overlay, tool: str, arguments: str, tool_call_id: str = "") -> JSON:
        """Carries a tool call out on an overlay; whatever the model did wrong is an error value.

        An answer that is an error leaves no write behind. Raises ToolFault where the tool's own
        function breaks.
        """
        called = self.tools.get(tool)
        if called is None:
            overlay.errors += 1
            return refused("UNKNOWN_TOOL", f"there is no tool {tool[:80]!r}")
        read = called.read(arguments)
        if isinstance(read, str):
            overlay.errors += 1
            overlay.argument_errors += 1
            return refused("INVALID_ARGUMENT", read)
        mark = overlay.begin(tool_call_id)
        try:
            value = thaw(called.function(overlay, **read))
        except Exception as error:
            raise ToolFault(f"tool {tool} of world {self.name}: {error!r}") from error
        if error_code(value) is not None:
            overlay.errors += 1
            overlay.roll_back(mark)
        elif called.effect == "read" and len(overlay.journal) > mark:
            raise ToolFault(f"tool {tool} of world {self.name} is declared `read` but wrote")
        return value
