"""Reads text, JSON, JSON Lines, CSV and YAML; every fault names the file, the place and the remedy."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from assay.errors import UsageError, excerpt
from assay.keys import JSON
from assay.loading.misfits import did_you_mean as did_you_mean  # noqa: PLC0414  read here by all rooms
from assay.loading.misfits import dotted, misfit
from assay.loading.misfits import meant as meant  # noqa: PLC0414  as did_you_mean

if TYPE_CHECKING:  # loaded where a YAML file is read
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import ScalarNode

T = TypeVar("T")

MAX_FILE = 1 << 30
"""Bytes of a file that is read whole; cases are read line by line and have no such bound."""


def read_text(path: Path) -> str:
    """The file as UTF-8 text (a leading byte order mark is dropped)."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise UsageError(f"{path}: larger than {MAX_FILE >> 20} MiB", fix="split the file")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise UsageError(f"{path}: not UTF-8 at byte {bad.start}", fix="save the file as UTF-8") from None
    except OSError as failure:
        raise unreadable(path, failure) from None


def unreadable(path: Path, failure: OSError) -> UsageError:
    """Why a file cannot be read, with the name that was probably meant."""
    if isinstance(failure, FileNotFoundError):
        here = path.parent if path.parent.is_dir() else Path()
        near = meant(path.name, (entry.name for entry in here.iterdir()))
        fix = f"did you mean {here / near}?" if near else "check the path"
        return UsageError(f"{path}: no such file", fix=fix)
    if isinstance(failure, IsADirectoryError):
        return UsageError(f"{path}: is a folder", fix="name a file in it")
    return UsageError(f"{path}: {failure.strerror}", fix="check the path and its permissions")


def parse_json(text: str, where: str) -> JSON:
    """One JSON value. NaN, infinities, numbers that are one as a double, duplicate keys and halves of
    characters (which UTF-8 cannot hold) are refused.
    """
    try:
        found = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_no_duplicates
        )
        if _HALF.search(text):
            _check_halves(found)
    except json.JSONDecodeError as bad:
        line = text.splitlines()[bad.lineno - 1] if text.splitlines() else ""
        place = f"{where}, line {bad.lineno}" if "\n" in text.strip() else where
        raise UsageError(
            f"{place}: not JSON at character {bad.colno}: {bad.msg.lower()}",
            fix="mend the JSON at the mark",
            excerpt=excerpt(line, bad.colno - 1),
        ) from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply", fix="write fewer lists within lists") from None
    except ValueError as bad:
        problem = "a number of thousands of digits" if "digits" in str(bad) else bad
        raise UsageError(f"{where}: not JSON: {problem}", fix="mend the value") from None
    return found


_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escaped half of a character: a pair of them is one, one alone is none."""


def _check_halves(value: JSON) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as bad:
        raise ValueError(f"\\u{ord(bad.object[bad.start]):04x} is half a character") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _no_constant(name: str) -> JSON:
    raise ValueError(f"{name} is not JSON")


def _no_duplicates(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice")
            seen.add(key)
    return found


def read_json(path: Path) -> JSON:
    """A file that is one JSON value."""
    return parse_json(read_text(path), str(path))


def read_rows(path: Path) -> Iterator[tuple[int, int, dict[str, JSON]]]:
    """The rows of a JSON Lines or CSV file as (line number, byte offset, row), one at a time.

    Blank lines of JSON Lines are passed over; a CSV's values are texts. For a CSV the offset is the
    row's number, since its rows may span lines.
    """
    if path.suffix.lower() == ".csv":
        yield from csv_rows(read_text(path), path)
        return
    offset = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.strip():
                    yield number, offset, parse_row(raw, f"{path}, line {number}")
                offset += len(raw)
    except OSError as failure:
        raise unreadable(path, failure) from None


def parse_row(raw: bytes, where: str) -> dict[str, JSON]:
    """One line of JSON Lines: an object."""
    try:
        row = _ROW.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        text = raw.decode("utf-8-sig", "replace").rstrip("\r\n")
        row = parse_json(text, where)
    if not isinstance(row, dict):
        raise UsageError(
            f"{where}: {_kind(row)} where an object is wanted",
            fix='write each case as {"input": ..., "target": ...}',
        )
    return row


_ROW = msgspec.json.Decoder()


def _kind(value: JSON) -> str:
    names = {str: "a text", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, int, dict[str, JSON]]]:
    """The rows of a CSV's text as (line number, row number, row); `path` is for errors."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for index, row in enumerate(reader):
            if None in row or None in row.values():
                raise UsageError(
                    f"{path}, line {reader.line_num}: {_width(row)} columns, the head has "
                    f"{len(reader.fieldnames or ())}",
                    fix="quote cells that hold commas, or complete the row",
                )
            yield reader.line_num, index, dict(row)
    except csv.Error as bad:
        raise UsageError(f"{path}, line {reader.line_num}: {bad}", fix="mend the CSV's quoting") from None


def _width(row: dict[str, JSON]) -> int:
    over = row.get(None)  # type: ignore[call-overload]  # DictReader's own key for the surplus
    return sum(value is not None for key, value in row.items() if key) + len(over or ())


def read_yaml(path: Path) -> tuple[JSON, str]:
    """A YAML 1.2 document of what JSON can hold too (duplicate keys refused, no tags), and its text."""
    from ruamel.yaml.error import MarkedYAMLError

    text = read_text(path)
    if len(text) > 1 << 20:
        raise UsageError(f"{path}: larger than 1 MiB", fix="put cases in a JSON Lines file")
    try:
        return _yaml().load(text), text
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply", fix="write fewer lists within lists") from None
    except MarkedYAMLError as bad:
        mark = bad.problem_mark
        place = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        line = text.splitlines()[mark.line] if mark is not None and mark.line < text.count("\n") else ""
        raise UsageError(
            f"{place}: not YAML: {(bad.problem or 'cannot be read').splitlines()[0]}",
            fix="mend the line at the mark",
            excerpt=excerpt(line, mark.column) if line and mark is not None else None,
        ) from None


def _yaml() -> YAML:
    """A reader for which a date is the text that was written, and that knows no bytes, sets or infinities."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import ConstructorError, SafeConstructor

    class Plain(SafeConstructor):
        def construct_yaml_float(self, node: ScalarNode) -> float:
            number = float(super().construct_yaml_float(node))
            if not math.isfinite(number):
                raise ConstructorError(problem=f"{node.value} is no number", problem_mark=node.start_mark)
            return number

    tag = "tag:yaml.org,2002:{}".format
    Plain.add_constructor(tag("float"), Plain.construct_yaml_float)
    Plain.add_constructor(tag("timestamp"), Plain.construct_yaml_str)
    for name in ("binary", "set", "omap", "pairs"):
        Plain.add_constructor(tag(name), Plain.construct_undefined)
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = Plain
    return reader


def convert(value: JSON, into: type[T], path: Path, text: str, page: str = "docs/plans.md") -> T:
    """The value as `into`; an unknown or wrong field names its line and the field that was meant.

    `page` is where the fields are documented.
    """
    try:
        return msgspec.convert(value, into, strict=True)
    except msgspec.ValidationError as bad:
        wrong = misfit(bad, into)
        line = _line_of(text, next((key for key in reversed(wrong.keys) if isinstance(key, str)), ""))
        where = "" if wrong.unknown is not None else f"{dotted(wrong.keys)}: "
        raise UsageError(
            f"{path}{line}: {where}{wrong.problem}", fix=wrong.fix or f"see the fields in {page}"
        ) from None


def _line_of(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().lstrip("- ").lstrip("{").strip()
        if key and stripped.startswith((f"{key}:", f'"{key}"')):
            return f", line {number}"
    inside = re.compile(rf"""[{{,]\s*["']?{re.escape(key)}["']?\s*:""")
    found = inside.search(text) if key else None
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found is not None else ""
