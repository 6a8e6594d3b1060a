"""The immutable base of a world: tables of frozen rows, found by key or by a declared index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from assay.errors import UsageError
from assay.keys import JSON

Row: TypeAlias = Mapping[str, JSON]
"""One record: column to JSON value. Rows of a base are frozen all the way down."""


def freeze(value: JSON) -> JSON:
    """The value with read-only mappings for objects and tuples for lists."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: JSON) -> JSON:
    """The value as plain dicts and lists, sharing nothing with the base."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [thaw(item) for item in value]
    return value


class Table:
    """Rows by key, in the order given; `indexes` names the columns that `keys_where` answers fast.

    An index over a list column finds a row by each of its items. `id_pattern` makes new keys
    ("ORD-{seq:05d}"); it is None where a tool names the keys itself. `ignored` names columns that no
    comparison of states counts ("*": none counts).
    """

    def __init__(
        self,
        name: str,
        key: str,
        rows: Iterable[Row] = (),
        *,
        indexes: Sequence[str] = (),
        id_pattern: str | None = None,
        ignored: Sequence[str] = (),
    ) -> None:
        """Raises UsageError for a row without its key and for a key that stands twice."""
        self.name = name
        self.key = key
        self.id_pattern = id_pattern
        self.ignored = tuple(ignored)
        self.rows: dict[str, Row] = {}
        for number, row in enumerate(rows, 1):
            value = row.get(key)
            if not isinstance(value, str) or not value:
                raise UsageError(
                    f"table {name}, row {number}: no text in the key column {key!r}",
                    fix=f"give every row of {name} a {key}",
                )
            if value in self.rows:
                raise UsageError(
                    f"table {name}, row {number}: {key} {value!r} stands twice",
                    fix="make the keys of a table unique",
                )
            self.rows[value] = freeze(row)
        self._indexes = {column: self._index(column) for column in indexes}

    def _index(self, column: str) -> dict[JSON, tuple[str, ...]]:
        found: dict[JSON, list[str]] = {}
        for key, row in self.rows.items():
            for item in indexed(row.get(column)):
                found.setdefault(item, []).append(key)
        return {item: tuple(keys) for item, keys in found.items()}

    @property
    def indexes(self) -> tuple[str, ...]:
        return tuple(self._indexes)

    def keys_where(self, column: str, value: JSON) -> tuple[str, ...]:
        """Keys of the base rows that hold `value` in an indexed column. KeyError without an index."""
        return self._indexes[column].get(value, ())

    def misfit(self, row: JSON) -> str | None:
        """Why a row is none of this table's: a column holds what it holds in no row of the base."""
        if not isinstance(row, Mapping):
            return "is no object"
        for column, value in row.items():
            kinds = self._kinds.get(column)
            if kinds and _kind(value) not in kinds:
                return f"{column} is {_kind(value)}, and {' or '.join(sorted(kinds))} elsewhere"
        return None

    @cached_property
    def _kinds(self) -> dict[str, set[str]]:
        """What kinds of value the base has in each column."""
        found: dict[str, set[str]] = {}
        for row in self.rows.values():
            for column, value in row.items():
                found.setdefault(column, set()).add(_kind(value))
        return found


def _kind(value: JSON) -> str:
    """What a value is, as a person calls it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return "a text" if isinstance(value, str) else "an object" if isinstance(value, Mapping) else "a list"


def indexed(value: JSON) -> tuple[JSON, ...]:
    """What an index finds a row by: each item of a list, else the value itself."""
    return value if isinstance(value, tuple) else (value,)
