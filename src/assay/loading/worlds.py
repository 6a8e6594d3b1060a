"""Worlds of task folders: world.yaml, the rows it names and the functions of its tools."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.plugins import own_code
from assay.world.declared import declaration, declared_world
from assay.world.world import World


def read_world(path: Path) -> World:
    """The world that a world.yaml declares. Its functions are configuration: its owner's code."""
    document, _ = files.read_yaml(path)
    declared = declaration(document, str(path))
    rows = {
        name: _rows(path.parent / table.rows)
        for name, table in declared.tables.items()
        if table.rows is not None
    }
    recorded = {
        tool.name: [row for row in _rows(path.parent / tool.recorded) if row.get("tool") == tool.name]
        for tool in declared.tools
        if tool.recorded is not None
    }
    canned = all(tool.kind != "python" for tool in declared.tools)
    functions = path.parent / declared.functions
    return declared_world(
        declared, rows, {} if canned and not functions.is_file() else _functions(functions), recorded
    )


def _rows(path: Path) -> list[dict[str, JSON]]:
    if path.suffix == ".json":
        value = files.read_json(path)
        if not isinstance(value, list):
            raise UsageError(f"{path}: not a list of rows", fix="write a JSON list of objects")
        return value
    return [row for _, _, row in files.read_rows(path)]


def _functions(path: Path) -> dict[str, Callable[..., JSON]]:
    """The functions of a task folder's Python file, by name."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file", fix="put the tools' functions there")
    spec = importlib.util.spec_from_file_location(f"assay_world_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file", fix="name it *.py")
    module = importlib.util.module_from_spec(spec)
    try:
        with own_code(str(path)):
            spec.loader.exec_module(module)
    except ImportError as failure:
        raise UsageError(f"{path}: {failure}", fix="install what it imports") from failure
    return {name: value for name, value in vars(module).items() if callable(value) and name[0] != "_"}
