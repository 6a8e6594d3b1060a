"""How figures look in the terminal: aligned, with their n and interval, readable without colour."""

from __future__ import annotations

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

import click
import msgspec

from assay.keys import JSON
from assay.message import Arrivals
from assay.reports.figures import Percentiles
from assay.reports.wording import count, dollars, figure, label, model, p_value, points, seconds, share
from assay.stats.quantiles import Quantile

__all__ = [
    "columns", "count", "dollars", "figure", "fitted", "folded", "json_text", "label", "model", "p50_p95",
    "p_value", "points", "printable", "quantile", "seconds", "share", "short", "table", "verdict", "when",
    "width",
]  # fmt: skip
"""The figures' own wording is the report's: a number reads the same on a terminal and on a page."""

Cell = str
GAP = "   "


def width(text: str) -> int:
    """Columns that a text takes on a terminal, styling left out."""
    plain = click.unstyle(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain
    )


def table(head: Sequence[Cell], rows: Sequence[Sequence[Cell]], *, left: int = 1) -> str:
    """Columns under their heads: the first `left` ones flush left, the others right."""
    grid = [list(head), *(list(row) for row in rows)]
    widths = [max(width(row[column]) for row in grid) for column in range(len(head))]
    lines = []
    for number, row in enumerate(grid):
        cells = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - width(cell))
            cells.append(cell + space if column < left else space + cell)
        line = GAP.join(cells).rstrip()
        lines.append(click.style(line, dim=True) if number == 0 else line)
    return "\n".join(lines)


def fitted(
    head: Sequence[Cell], rows: Sequence[Sequence[Cell]], *, left: int = 1, room: int | None = None
) -> str:
    """As `table`; on a terminal that is too narrow in several blocks, each with the first columns."""
    room = columns() if room is None else room
    blocks: list[list[int]] = [[]]
    for column in range(left, len(head)):
        tried = [*range(left), *blocks[-1], column]
        if blocks[-1] and width(_picked(head, rows, tried, left).splitlines()[0]) > room:
            blocks.append([])
        blocks[-1].append(column)
    return "\n\n".join(_picked(head, rows, [*range(left), *block], left) for block in blocks)


def _picked(head: Sequence[Cell], rows: Sequence[Sequence[Cell]], places: Sequence[int], left: int) -> str:
    return table([head[p] for p in places], [[row[p] for p in places] for row in rows], left=left)


def columns() -> int:
    """The terminal's width; without one nothing need be cut or folded."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def quantile(given: Quantile) -> str:
    """`1.38 s [1.21, 1.74]`, or the n that an interval needs."""
    text = seconds(given.value)
    if given.low is None or given.high is None:
        return f"{text} (interval needs n {given.needed})" if given.needed else text
    unit, places = text.rpartition(" ")[2], len(text.partition(".")[2].partition(" ")[0])
    scale = 1e3 if unit == "ms" else 1.0
    return f"{text} [{given.low * scale:.{places}f}, {given.high * scale:.{places}f}]"


def p50_p95(given: Percentiles | None) -> str:
    """`0.71 s / 1.38 s`."""
    return f"{seconds(given.p50.value)} / {seconds(given.p95.value)}" if given is not None else "-"


def verdict(word: str) -> str:
    """A verdict in its colour, padded: FAIL red, CANNOT TELL amber."""
    colours = {"FAIL": "red", "INVALID": "red", "CANNOT TELL": "yellow", "PASS": "green"}
    return click.style(f"{word:<11}", fg=colours.get(word), bold=True)


def short(text: str, limit: int = 80) -> str:
    """A hostile text on one line: control characters escaped, cut."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit * 4])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """A hostile text as it may stand on one line: control and direction characters escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def folded(text: str, room: int, most: int) -> list[str]:
    """A hostile text in lines of at most `room` columns, folded at blanks; `most` lines of it."""
    lines: list[str] = []
    for raw in text.split("\n"):
        lines += _folded_line(printable(raw[: (most + 1) * room]), room)
        if len(lines) > most:
            rest = len(text) - sum(map(len, lines[:most]))
            return [*lines[:most], f"… about {rest} more characters"]
    return lines


def _folded_line(line: str, room: int) -> list[str]:
    """Greedy, with the line's own indent; a word longer than the room is cut."""
    indent = " " * min(len(line) - len(line.lstrip(" ")), room // 2)
    found: list[str] = []
    now, used = indent, len(indent)
    for word in line.split():
        for part, piece in enumerate(_pieces(word, room - len(indent))):
            wide = width(piece)
            blank = " " if used > len(indent) and not part else ""
            if used > len(indent) and used + len(blank) + wide > room:
                found.append(now)
                now, used, blank = indent, len(indent), ""
            now, used = now + blank + piece, used + len(blank) + wide
    return [*found, now]


def _pieces(word: str, room: int) -> list[str]:
    if width(word) <= room:
        return [word]
    half = max(1, room // 2)
    return [word[at : at + half] for at in range(0, len(word), half)]


def when(wall: int) -> str:
    """A wall-clock instant (ns since the epoch) in local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(wall / 1e9))


def json_text(value: object) -> str:
    """Any record as JSON; arrivals as parallel lists, bytes as base64, dollars as numbers."""
    plain = msgspec.to_builtins(value, enc_hook=_plain, builtin_types=(Decimal,), str_keys=True)
    try:
        return msgspec.json.Encoder(decimal_format="number").encode(plain).decode()
    except UnicodeEncodeError:  # a lone surrogate in a hostile reply
        return json.dumps(plain, default=float)


def _plain(value: object) -> JSON:
    if isinstance(value, Arrivals):
        return {name: list(getattr(value, name)) for name in ("at", "kind", "length", "read")}
    raise NotImplementedError(type(value).__name__)
