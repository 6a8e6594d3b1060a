"""Rows as text: CSV (RFC 4180), NDJSON or one JSON object, a piece at a time; files whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct, structs

from assay.errors import UsageError
from assay.keys import JSON

Format: TypeAlias = Literal["csv", "ndjson", "json"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A text cell that starts so would be run as a formula by a spreadsheet (of wide characters, by some)."""

BOM = "\ufeff"

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Form(Struct, frozen=True):
    """How rows are written. In CSV `raw` leaves formulas as they are, `bom` puts a byte order mark
    before them (some spreadsheets need it for Cyrillic), and `counts` gives of nested values
    their number instead of their JSON. `batch` is named in the JSON object, and `partial` says
    there that more may come.
    """

    to: Format
    raw: bool = False
    bom: bool = False
    counts: bool = False
    batch: str | None = None
    partial: bool = False


def pieces(rows: Iterable[Struct], kind: type[Struct], form: Form) -> Iterator[str]:
    """The rows as text, each as it comes; nothing else is held."""
    if form.to == "csv":
        return _csv(rows, kind, form)
    return _ndjson(rows) if form.to == "ndjson" else _json_object(rows, form)


def write_whole(path: Path, text: Iterable[str]) -> None:
    """A file that is there whole or not at all. Raises UsageError where it cannot be."""
    with drafted(path) as draft, draft.open("x", encoding="utf-8", newline="") as out:
        out.writelines(text)
        out.flush()
        os.fsync(out.fileno())


def made_folder(path: Path) -> None:
    """Makes a folder for files where there is none. Raises UsageError where no file can be put there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be a folder: {error.strerror}", fix=_FOLDER) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written to", fix=_FOLDER)


_FOLDER = "Name a folder that you may write to."


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A name beside the file's, moved in its place when the block ends well, and gone else.

    Raises UsageError where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            fix="Name a file in a directory that you may write to.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _ndjson(rows: Iterable[Struct]) -> Iterator[str]:
    for row in rows:
        yield json_text(row) + "\n"


def _json_object(rows: Iterable[Struct], form: Form) -> Iterator[str]:
    count = 0
    yield "{" if form.batch is None else f'{{"batch_id": {json.dumps(form.batch)}, '
    yield '"results": ['
    for count, row in enumerate(rows, start=1):
        yield ("\n" if count == 1 else ",\n") + json_text(row)
    more = ', "partial": true' if form.partial else ""
    yield f'\n], "total_results": {count}{more}}}\n'


def _csv(rows: Iterable[Struct], kind: type[Struct], form: Form) -> Iterator[str]:
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\r\n")

    def written(cells: Iterable[JSON]) -> str:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return line.getvalue()

    yield (BOM if form.bom else "") + written(kind.__struct_fields__)
    for row in rows:
        yield written([_cell(value, form) for value in structs.astuple(row)])


def _cell(value: JSON | Decimal, form: Form) -> JSON:
    if isinstance(value, dict):
        return len(value) if form.counts else json_text(value)
    if isinstance(value, str):
        text = sound(value)
        return f"'{text}" if not form.raw and text.startswith(FORMULA_STARTS) else text
    return value


def json_text(value: Struct | dict[str, JSON]) -> str:
    """The value as JSON, whatever a hostile reply put into it."""
    try:
        return _ENCODER.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a number beyond 64 bits
        plain = sound(msgspec.to_builtins(value, builtin_types=(Decimal,)))
        return json.dumps(plain, ensure_ascii=False, default=float)


def sound(value: JSON) -> JSON:
    """The value with U+FFFD for what UTF-8 cannot hold: a lone surrogate in a hostile reply."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {sound(key): sound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [sound(item) for item in value]
    return value
