"""A world from its declaration: the `world.yaml` of a task folder, its rows and its functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field, to_builtins

from assay.errors import UsageError
from assay.keys import JSON
from assay.world.canned import Canned, Replayed, Scripted
from assay.world.tables import Row, Table
from assay.world.tools import Effect, Function, Tool
from assay.world.world import World

ColumnType = Literal["text", "integer", "number", "list", "json"]
"""How a column's text (of a CSV) is read; a list is separated by `|`."""


class TableDeclared(Struct, frozen=True, forbid_unknown_fields=True):
    """`rows` names a file beside the declaration (CSV, JSON or JSONL); without it the table is empty."""

    key: str
    rows: str | None = None
    id: str | None = None
    indexes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    types: dict[str, ColumnType] = {}


class ToolDeclared(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool. Of the kind `python` its function is the one of the same name in the task's tools
    module; `scripted` has `answers`, `replay` a file `recorded` beside the declaration.
    """

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    effect: Effect
    description: dict[str, str]
    parameters: dict[str, JSON] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    idempotent_by: str | None = None
    takes: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    kind: Literal["python", "scripted", "replay"] = "python"
    answers: tuple[Canned, ...] = ()
    recorded: str | None = None


class WorldDeclared(Struct, frozen=True, forbid_unknown_fields=True):
    """A `world.yaml`. `functions` names the Python file with the tools' functions."""

    world: str
    tables: dict[str, TableDeclared]
    tools: tuple[ToolDeclared, ...]
    functions: str = "tools.py"
    clock: str = "{CURRENT_DATE}T10:00:00+00:00"
    date: str = "2025-06-08"
    currency: str = "RUB"


def declaration(document: JSON, origin: str = "world.yaml") -> WorldDeclared:
    """The checked declaration. Raises UsageError that names the place in the document."""
    try:
        return msgspec.convert(document, WorldDeclared)
    except msgspec.ValidationError as error:
        raise UsageError(f"{origin}: {error}", fix="compare with a built-in world.yaml") from error


def declared_world(
    declared: WorldDeclared,
    rows: Mapping[str, Sequence[Row]],
    functions: Mapping[str, Callable[..., JSON]],
    recorded: Mapping[str, Sequence[Row]] | None = None,
) -> World:
    """The world. `rows` by table: of a CSV as text, of JSON as values. `functions` by tool name;
    `completes` and `expects` among them are the world's own, `requires_NAME` what tools require.
    `recorded` by tool: rows with the arguments and the answer of a call.

    Raises UsageError for a tool without a function and for text that its column's type refuses.
    """
    tables = [
        Table(
            name,
            table.key,
            [_typed(name, n, row, table.types) for n, row in enumerate(rows.get(name, ()), 1)],
            indexes=table.indexes,
            id_pattern=table.id,
            ignored=table.ignored,
        )
        for name, table in declared.tables.items()
    ]
    return World(
        declared.world,
        tables,
        [_tool(declared, tool, functions, (recorded or {}).get(tool.name, ())) for tool in declared.tools],
        clock=declared.clock,
        date=declared.date,
        completes=functions.get("completes"),
        expects=functions.get("expects"),
    )


def _tool(
    declared: WorldDeclared, tool: ToolDeclared, functions: Mapping[str, Function], recorded: Sequence[Row]
) -> Tool:
    return Tool(
        tool.name,
        _function(declared, tool, functions, recorded),
        effect=tool.effect,
        descriptions=tool.description,
        parameters=tool.parameters,
        requires=[_named(declared, f"requires_{name}", functions, tool) for name in tool.requires],
        idempotent_by=tool.idempotent_by,
        takes=tool.takes,
        canned=[to_builtins(tool.answers), [dict(row) for row in recorded]]
        if tool.kind != "python"
        else None,
    )


def _function(
    declared: WorldDeclared, tool: ToolDeclared, functions: Mapping[str, Function], recorded: Sequence[Row]
) -> Function:
    """What answers the calls of a tool, by its kind."""
    if tool.kind == "scripted":
        if not tool.answers:
            raise UsageError(
                f"world {declared.world}: the scripted tool {tool.name} has no answers",
                fix="list them under `answers`",
            )
        return Scripted(tool.name, tool.answers)
    if tool.kind == "replay":
        return Replayed(tool.name, [_call(declared, tool, n, row) for n, row in enumerate(recorded, 1)])
    return _named(declared, tool.name, functions, tool)


def _call(declared: WorldDeclared, tool: ToolDeclared, number: int, row: Row) -> tuple[Row, JSON]:
    arguments = row.get("arguments")
    if not isinstance(arguments, Mapping) or "answer" not in row:
        raise UsageError(
            f"world {declared.world}: {tool.recorded}, row {number} is no recorded call",
            fix='write {"tool": ..., "arguments": {...}, "answer": ...} a line',
        )
    return arguments, row["answer"]


def _named(
    declared: WorldDeclared, name: str, functions: Mapping[str, Function], tool: ToolDeclared
) -> Function:
    if name not in functions:
        raise UsageError(
            f"world {declared.world}: tool {tool.name} has no function in {declared.functions}",
            fix=f"define {name}(overlay, ...) there",
        )
    return functions[name]


def _typed(table: str, number: int, row: Row, types: Mapping[str, ColumnType]) -> Row:
    typed = dict(row)
    for column, kind in types.items():
        text = typed.get(column)
        if not isinstance(text, str):
            continue
        try:
            typed[column] = _READ[kind](text)
        except ValueError as error:
            raise UsageError(
                f"table {table}, row {number}: {column} {text[:60]!r} is no {kind}",
                fix="mend the value, or the column's type in world.yaml",
            ) from error
    return typed


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


_READ: dict[ColumnType, Callable[[str], JSON]] = {
    "text": str,
    "integer": int,
    "number": _number,
    "list": _list,
    "json": json.loads,
}
