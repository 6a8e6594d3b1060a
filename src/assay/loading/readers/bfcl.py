"""Berkeley Function Calling Leaderboard, versions 3 and 4, one turn (Patil et al. 2025): a question,
functions, and beside the file the calls that are accepted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import convert

from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.message import Message, Text, ToolSpec

ANSWERS = "possible_answer"
"""The folder beside a file of questions that holds the answers under the same name."""

MOST_VALUES = 256
"""Values that one argument is accepted with, all combinations of its parts counted."""

_TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    **{name: name for name in ("string", "integer", "number", "boolean", "array", "object", "null")},
}
_OTHERS = ("multi_turn", "java", "relevance", "memory", "web_search", "format_sensitivity")
_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_ABSENT = ""
"""What stands among the values of an argument, or of a part of one, that may be left out."""


def rows(path: Path) -> Iterator[tuple[str, dict[str, JSON]]]:
    """Each question with its answers; where none are due (irrelevance) no call is wanted."""
    _check_kind(path)
    answers = None if "irrelevance" in path.name else _answers(path)
    for number, _, row in files.read_rows(path):
        where = f"{path}, line {number}"
        if answers is None:
            yield where, {**row, "ground_truth": []}
        elif row.get("id") in answers:
            yield where, {**row, "ground_truth": answers[row["id"]]}
        else:
            raise UsageError(
                f"{where}: {path.parent / ANSWERS / path.name} has no answer to {row.get('id')!r}",
                fix="take both files from one version",
            )


def _check_kind(path: Path) -> None:
    name = path.stem.replace("irrelevance", "").replace("javascript", "java")
    other = next((each for each in _OTHERS if each in name), None)
    if other is not None:
        raise UsageError(
            f"{path}: {other} is not read",
            fix="name a file of one turn in Python: simple_python, multiple, parallel, live_..., irrelevance",
        )


def _answers(path: Path) -> dict[str, JSON]:
    beside = path.parent / ANSWERS / path.name
    if not beside.is_file():
        raise UsageError(
            f"{path}: no answers at {beside}", fix=f"put the file of the same name into {ANSWERS}/ beside it"
        )
    return {row["id"]: row.get("ground_truth") for _, _, row in files.read_rows(beside) if "id" in row}


def case(row: dict[str, JSON], where: str) -> Case:
    """A question with its functions as tools, and the calls that are wanted."""
    turns, functions, truth = row.get("question"), row.get("function"), row.get("ground_truth")
    if not isinstance(turns, list) or not isinstance(functions, list) or not isinstance(truth, list):
        raise UsageError(
            f"{where}: no question, function or ground_truth", fix="name a BFCL file of one turn"
        )
    messages = turns[0] if turns and isinstance(turns[0], list) else turns
    if len(turns) > 1 and messages is not turns:
        raise UsageError(f"{where}: {len(turns)} turns", fix="name a file of one turn")
    name = str(row.get("id", ""))
    category = re.match(r"(.+?)_\d", name)
    return Case(
        id="",
        name=name,
        input=tuple(_message(each, where) for each in messages),
        target={"calls": [_call(each, where) for each in truth]},
        tools=tuple(_tool(each, where) for each in functions),
        tags={"category": category[1]} if category else {},
    )


def _message(given: JSON, where: str) -> Message:
    if not isinstance(given, dict) or not isinstance(given.get("content"), str):
        raise UsageError(f"{where}: a message without a text", fix="write {role, content}")
    try:
        return convert({"role": given.get("role"), "content": [Text(given["content"])]}, Message)
    except ValueError as bad:
        raise UsageError(f"{where}: {bad}", fix="the roles are system, user, assistant") from None


def _tool(given: JSON, where: str) -> ToolSpec:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UsageError(f"{where}: a function without a name", fix="write {name, description, parameters}")
    parameters = _schema(given.get("parameters") or {"type": "object", "properties": {}})
    return ToolSpec(tool_name(given["name"]), str(given.get("description", "")), parameters)


def tool_name(name: str) -> str:
    """The name as all wires can carry it: what is no letter, digit, _ or - becomes _."""
    return _NAME.sub("_", name)[:64]


def _schema(given: JSON) -> JSON:
    """A function's parameters as JSON Schema: its own words for types are replaced, unknown ones left out."""
    if isinstance(given, list):
        return [_schema(each) for each in given]
    if not isinstance(given, dict):
        return given
    made: dict[str, JSON] = {}
    for key, value in given.items():
        if key == "type" and isinstance(value, str):
            if value in _TYPES:
                made[key] = _TYPES[value]
        elif key == "properties" and isinstance(value, dict):
            made[key] = {name: _schema(each) for name, each in value.items()}
        elif key == "required" and not isinstance(value, list):
            continue
        else:
            made[key] = _schema(value) if key not in {"default", "enum", "description"} else value
    return made


def _call(given: JSON, where: str) -> JSON:
    """`{"name": {"argument": [accepted, ...]}}` as a wanted call; an empty text: it may be absent."""
    if not isinstance(given, dict) or len(given) != 1:
        raise UsageError(f"{where}: an answer is no call", fix='write {"function": {"argument": [values]}}')
    ((name, arguments),) = given.items()
    wanted = {}
    for argument, accepted in arguments.items():
        if not isinstance(accepted, list):
            raise UsageError(f"{where}: {argument} has no list of values", fix="write argument: [values]")
        values = [value for each in accepted if each != _ABSENT for value in _values(each, where)]
        optional = any(each == _ABSENT for each in accepted)
        wanted[argument] = {"any_of": values, **({"optional": True} if optional else {})}
    return {"name": tool_name(name), "arguments": wanted}


def _values(given: JSON, where: str) -> list[JSON]:
    """What an accepted value stands for: in objects every part has a list of values of its own."""
    if isinstance(given, list):
        parts = [_values(each, where) for each in given]
        return [list(each) for each in _product(parts, where)]
    if not isinstance(given, dict):
        return [given]
    choices = []
    for key, accepted in given.items():
        listed = accepted if isinstance(accepted, list) else [accepted]
        made: list[dict[str, JSON]] = [{}] if any(each == _ABSENT for each in listed) else []
        made += [{key: value} for each in listed if each != _ABSENT for value in _values(each, where)]
        choices.append(made)
    return [{k: v for part in each for k, v in part.items()} for each in _product(choices, where)]


def _product(parts: list[list[JSON]], where: str) -> Iterator[tuple[JSON, ...]]:
    count = 1
    for part in parts:
        count *= len(part)
    if count > MOST_VALUES:
        raise UsageError(f"{where}: an argument is accepted with {count} values", fix="leave the case out")
    return itertools.product(*parts)
