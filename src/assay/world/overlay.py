"""What one trial has done to a world: the records it touched, and every write in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from assay.errors import UsageError
from assay.keys import JSON
from assay.world.difference import difference
from assay.world.faults import Dice, FaultRule, Injected
from assay.world.tables import Row, freeze, indexed, thaw

if TYPE_CHECKING:
    from assay.world.world import World


class Write(Struct, frozen=True):
    """One write: `before` is None for a new record, `after` None for a removed one."""

    seq: int
    tool_call_id: str
    table: str
    key: str
    before: JSON
    after: JSON


class Overlay:
    """A trial's own view of a world: reads fall through to the base, writes stay here.

    `now` is the clock, which only tools that take time and faults move; `facts` are the case's
    variables. A tool may set `ended` to the end reason that its call asks for ("agent_ended",
    "transferred"). `answered` holds what requests with an id were answered, `injected` the faults
    that struck.
    """

    __slots__ = (
        "_counts",
        "_dice",
        "_start",
        "_tool_call_id",
        "_touched",
        "answered",
        "argument_errors",
        "ended",
        "errors",
        "facts",
        "injected",
        "journal",
        "now",
        "world",
    )

    def __init__(
        self, world: World, now: datetime, facts: Mapping[str, JSON], dice: Dice | None = None
    ) -> None:
        self.world = world
        self.now = now
        self.facts = facts
        self.journal: list[Write] = []
        self.ended: str | None = None
        self.errors = 0
        self.argument_errors = 0
        self.answered: dict[tuple[str, str], tuple[Mapping[str, JSON], JSON]] = {}
        self.injected: list[Injected] = []
        self._dice = dice
        self._counts: dict[str, int] = {}
        self._touched: dict[str, dict[str, Row | None]] = {}
        self._start: dict[str, dict[str, Row | None]] = {}
        self._tool_call_id = ""

    def get(self, table: str, key: str) -> Row | None:
        """The record as it is now, read-only; None where there is none."""
        touched = self._touched.get(table)
        if touched is not None and key in touched:
            return touched[key]
        return self.world.tables[table].rows.get(key)

    def rows(self, table: str) -> Iterator[Row]:
        """Every record of a table as it is now: the base's order, then new ones."""
        base, touched = self.world.tables[table].rows, self._touched.get(table, {})
        for key, row in base.items():
            now = touched.get(key, row)
            if now is not None:
                yield now
        for key, new in touched.items():
            if key not in base and new is not None:
                yield new

    def find(self, table: str, column: str, value: JSON) -> list[Row]:
        """The records that hold `value` in an indexed column, as they are now."""
        base, touched = self.world.tables[table], self._touched.get(table, {})
        keys = base.keys_where(column, value)
        found = [base.rows[key] for key in keys if key not in touched]
        new = (row for row in touched.values() if row is not None)
        return found + [row for row in new if value in indexed(row.get(column))]

    def put(self, table: str, key: str, row: Row) -> None:
        """Writes a whole record and journals it."""
        self._write(table, key, freeze(row))

    def change(self, table: str, key: str, **columns: JSON) -> None:
        """Writes some columns of a record that exists. KeyError where it does not."""
        row = self.get(table, key)
        if row is None:
            raise KeyError(key)
        self._write(table, key, freeze({**row, **columns}))

    def remove(self, table: str, key: str) -> None:
        self._write(table, key, None)

    def new_key(self, table: str) -> str:
        """The next key of a table by its pattern: the number of its records, counting from one."""
        base = self.world.tables[table]
        if base.id_pattern is None:
            raise KeyError(f"table {table} has no pattern for new keys")
        seq = len(base.rows) + 1
        while self.get(table, key := base.id_pattern.format(seq=seq)) is not None:
            seq += 1
        return key

    def _write(self, table: str, key: str, row: Row | None) -> None:
        before = self.get(table, key)
        if before == row:
            return
        write = Write(len(self.journal), self._tool_call_id, table, key, thaw(before), thaw(row))
        self.journal.append(write)
        self._touched.setdefault(table, {})[key] = row

    def begin(self, tool_call_id: str) -> None:
        """Names the tool call that the next writes belong to."""
        self._tool_call_id = tool_call_id

    def count(self, name: str) -> int:
        """How often this was asked of the trial, this time included."""
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    def strikes(self, tool: str, *, reads: bool) -> tuple[int, FaultRule | None]:
        """The ordinal of this call of a tool in the trial, and the fault that is to strike it."""
        if self._dice is None:
            return 0, None
        return self._dice.next(tool, reads=reads)

    def recovered(self, tool: str) -> None:
        """A call of this tool was answered: the agent is over the faults that struck it before."""
        for n, fault in enumerate(self.injected):
            if fault.tool == tool and not fault.recovered:
                self.injected[n] = structs.replace(fault, recovered=True)

    def at_start(self) -> Overlay:
        """An overlay of the state that the trial started with."""
        old = Overlay(self.world, self.now, self.facts)
        old._touched = {table: dict(records) for table, records in self._start.items()}
        return old

    def roll_back(self, mark: int) -> None:
        """Takes back the writes since `mark`: a call that answers with an error changed nothing."""
        while len(self.journal) > mark:
            write = self.journal.pop()
            self._touched[write.table][write.key] = freeze(write.before)

    def patch(self, changes: Mapping[str, JSON]) -> None:
        """Applies a JSON merge patch (RFC 7396; table, then key) as the state that the trial starts with.

        Raises UsageError for a record that its table's tools could not read.
        """
        for table, records in changes.items():
            for key, change in records.items():
                now = self.get(table, key)
                row = None if change is None else freeze(_merged(thaw(now), thaw(change)))
                base = self.world.tables[table]
                if isinstance(row, Mapping):
                    row = freeze({**row, base.key: key})
                wrong = None if row is None else base.misfit(row)
                if wrong is not None:
                    raise UsageError(
                        f"{table}, record {key[:60]!r}: {wrong}", fix=f"give it the form of other {table}"
                    )
                self._touched.setdefault(table, {})[key] = row
                self._start.setdefault(table, {})[key] = row

    def difference(self) -> JSON:
        """What the trial changed, by table: `added`, `removed`, `changed` (see difference.py)."""
        pairs = []
        for table, records in self._touched.items():
            base, start = self.world.tables[table].rows, self._start.get(table, {})
            for key, after in records.items():
                before = start[key] if key in start else base.get(key)
                pairs.append((table, key, before, after))
        return difference(pairs)


def stacked(first: Mapping[str, JSON], second: Mapping[str, JSON]) -> dict[str, JSON]:
    """Two merge patches as one: what the second says of a value goes before what the first says."""
    both: dict[str, JSON] = dict(first)
    for key, change in second.items():
        had = both.get(key)
        both[key] = (
            stacked(had, change) if isinstance(had, Mapping) and isinstance(change, Mapping) else change
        )
    return both


def _merged(value: JSON, patch: JSON) -> JSON:
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), change)
    return merged
