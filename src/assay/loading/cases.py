"""Cases of a file, read by offsets: one is made when it is asked for, never all are held."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct, structs

from assay.case import Case, case_id, identified
from assay.errors import UsageError
from assay.keys import JSON, digest
from assay.loading.files import did_you_mean, parse_row, read_rows
from assay.message import Message, Role, Text, ToolSpec

T = TypeVar("T")

Prepare = Callable[[dict[str, JSON], str], Case]
"""Makes a case of a row; the text is the row's place, for errors."""

KEPT = 1024
"""The newest cases stay made, where their lines are short: a run with repeats asks for each again."""
SHORT = 4096

FIELDS = ("id", "input", "target", "schema", "tools", "tags", "facts")


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a field of a case is found in a row: a column, and the text after a mark in it."""

    field: str
    after: str | None = None


class Columns(Struct, frozen=True, forbid_unknown_fields=True):
    """Maps columns of a foreign file to the fields of a case."""

    input: str | Column = "input"
    target: str | Column | None = "target"
    id: str | Column | None = None
    tags: dict[str, str] = {}


def native(row: dict[str, JSON], where: str) -> Case:
    """A case of a row in assay's own form."""
    for key in row:
        if key not in FIELDS:
            raise UsageError(f"{where}: unknown field {key!r}", fix=did_you_mean(key, FIELDS))
    if "input" not in row and "facts" not in row:
        raise UsageError(f"{where}: no input", fix='give the case an "input" (text or messages)')
    given = row.get("input", "")
    return Case(
        id="",
        name=str(row["id"]) if "id" in row else "",
        input=given if isinstance(given, str) else _messages(given, where),
        target=row.get("target"),
        schema=row.get("schema"),
        tools=_convert(row.get("tools", []), tuple[ToolSpec, ...], f"{where}: tools"),
        tags={key: str(value) for key, value in _object(row, "tags", where).items()},
        facts=_object(row, "facts", where),
    )


def _object(row: dict[str, JSON], key: str, where: str) -> dict[str, JSON]:
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {key} is not an object", fix=f'write "{key}": {{"name": "value"}}')
    return value


def _messages(given: JSON, where: str) -> tuple[Message, ...]:
    """Messages as people write them: the content is a text."""
    if not isinstance(given, list):
        raise UsageError(f"{where}: input is neither a text nor a list of messages", fix="make it one")
    plain = _convert(given, list[_Plain], f"{where}: input")
    return tuple(Message(m.role, (Text(m.content),)) for m in plain)


class _Plain(Struct, frozen=True, forbid_unknown_fields=True):
    role: Role
    content: str


def mapped(columns: Columns) -> Prepare:
    """Makes cases of rows whose columns have names of their own."""

    def prepare(row: dict[str, JSON], where: str) -> Case:
        return Case(
            id="",
            name=str(_pick(row, columns.id, where)) if columns.id is not None else "",
            input=str(_pick(row, columns.input, where)),
            target=_pick(row, columns.target, where) if columns.target is not None else None,
            tags={tag: str(_pick(row, column, where)) for tag, column in columns.tags.items()},
        )

    return prepare


def _pick(row: dict[str, JSON], column: str | Column, where: str) -> JSON:
    column = Column(column) if isinstance(column, str) else column
    if column.field not in row:
        raise UsageError(f"{where}: no column {column.field!r}", fix=did_you_mean(column.field, row))
    value = row[column.field]
    if column.after is None:
        return value
    _, mark, rest = str(value).rpartition(column.after)
    if not mark:
        raise UsageError(
            f"{where}: {column.field} holds no {column.after!r}",
            fix=f"the target stands after {column.after!r}: mend the row or the task's columns",
        )
    return rest.strip()


def _convert(value: JSON, into: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, into, strict=True)
    except msgspec.ValidationError as bad:
        raise UsageError(f"{where}: {bad}", fix="see the form of a case in docs/tasks.md") from None


class Cases(Protocol):
    """Cases by their place."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Case]: ...

    def case(self, index: int) -> Case: ...


class ListedCases:
    """Cases that are held whole: of files that cannot be read by offsets, and of data sets.

    `rows` gives each row with its place. `keep`, `offset` and `limit` are as for a file.
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, dict[str, JSON]]],
        prepare: Prepare,
        *,
        offset: int = 0,
        limit: int | None = None,
        keep: Callable[[Case], bool] = lambda _: True,
    ) -> None:
        self._digest = hashlib.sha256()
        made = (case for case in self._made(rows, prepare) if keep(case))
        self._cases = list(identified(made))[offset:][:limit]

    def _made(self, rows: Iterable[tuple[str, dict[str, JSON]]], prepare: Prepare) -> Iterator[Case]:
        names: dict[str, str] = {}
        for number, (where, row) in enumerate(rows, 1):
            case = prepare(row, where)
            first = names.setdefault(case.name, where) if case.name else where
            if first != where:
                raise UsageError(
                    f"{where}: the id {case.name!r} stands there already: {first}",
                    fix="give every case an id of its own",
                )
            sent = [case_id(case), case.target, case.tags]
            self._digest.update(digest(sent).encode())
            yield structs.replace(case, name=case.name or str(number))

    @property
    def digest(self) -> str:
        """The hash of all cases, targets and tags, those that are not kept too."""
        return self._digest.hexdigest()

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    def case(self, index: int) -> Case:
        return self._cases[index]


class CaseFile:
    """The cases of one JSON Lines or CSV file.

    Every line is checked when the file is opened; what is held is an offset, an occurrence index
    and a line number a case. `keep` selects by the case (slices); of those, `offset` are passed
    over and `limit` taken.
    """

    def __init__(
        self,
        path: Path,
        prepare: Prepare = native,
        *,
        offset: int = 0,
        limit: int | None = None,
        keep: Callable[[Case], bool] = lambda _: True,
    ) -> None:
        self.path = path
        self._prepare = prepare
        self._offsets = array("Q")
        self._lines = array("I")
        self._occurrences = array("I")
        self._made: dict[int, Case] = {}
        self._rows: list[dict[str, JSON]] | None = [] if path.suffix.lower() == ".csv" else None
        self._index(offset, limit, keep)
        self._text = self._map() if self._rows is None and self._offsets else None

    def _map(self) -> mmap:
        with self.path.open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)

    def _index(self, skip: int, limit: int | None, keep: Callable[[Case], bool]) -> None:
        seen: Counter[str] = Counter()
        names: dict[str, int] = {}
        kept = 0
        for number, offset, row in read_rows(self.path):
            case = self._prepare(row, f"{self.path}, line {number}")
            if case.name and names.setdefault(case.name, number) != number:
                raise UsageError(
                    f"{self.path}, line {number}: the id {case.name!r} stands on line "
                    f"{names[case.name]} already",
                    fix="give every case an id of its own",
                )
            if not keep(case):
                continue
            identity = case_id(case)
            occurrence = seen[identity]
            seen[identity] += 1
            kept += 1
            if kept <= skip or (limit is not None and len(self._offsets) >= limit):
                continue
            self._offsets.append(offset)
            self._lines.append(number)
            self._occurrences.append(occurrence)
            if self._rows is not None:
                self._rows.append(row)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Case]:
        return (self.case(index) for index in range(len(self)))

    def case(self, index: int) -> Case:
        """The case at `index`, made from its line."""
        made = self._made.get(index)
        if made is not None:
            return made
        line = self._lines[index]
        row, size = self._row(index, line)
        case = self._prepare(row, f"{self.path}, line {line}")
        case = structs.replace(case, id=case_id(case, self._occurrences[index]), name=case.name or str(line))
        if size <= SHORT:
            if len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]
            self._made[index] = case
        return case

    def _row(self, index: int, line: int) -> tuple[dict[str, JSON], int]:
        """The row, and the bytes of its line where it is read anew."""
        if self._text is None:
            return (self._rows or [])[index], 0
        start = self._offsets[index]
        end = self._text.find(b"\n", start)
        text = self._text[start : end if end >= 0 else None]
        return parse_row(text, f"{self.path}, line {line}"), len(text)
