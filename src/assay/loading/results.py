"""Files of results, ours and the classic service's: NDJSON, CSV or JSON, read for their scores."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files

SUCCESSFUL = frozenset({"completed", "success", "successful", "ok", "scored", "unscored", "played"})
LEFT_OUT = frozenset({"skipped", "not_run"})


class ResultLine(Struct, frozen=True):
    """One conversation: whether it ended without an error (None for one that was skipped), its score."""

    successful: bool | None
    score: float | None


def read_results(path: Path) -> list[ResultLine]:
    """The conversations of a file. Raises UsageError that names the line or the place."""
    found = [_line(row, where) for where, row in _rows(path)]
    if not found:
        raise UsageError(f"{path}: no results", fix="name a file that assay simulate or assay batch wrote")
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, JSON]]]:
    """The rows by what the file holds, whatever it is called."""
    text = files.read_text(path)
    head = text.lstrip()[:1]
    if path.suffix.lower() == ".csv" or (head not in ("{", "[") and path.suffix.lower() != ".json"):
        yield from ((f"{path}, line {n}", row) for n, _, row in files.csv_rows(text, path))
        return
    if _is_lines(text):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield where, files.parse_row(line.encode("utf-8", "surrogatepass"), where)
        return
    document = files.parse_json(text, str(path))
    rows = document.get("results") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise UsageError(f"{path}: no list of results", fix='it should hold {"results": [...]}, or lines')
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageError(f"{path}, result {index}: no object", fix="compare with what assay writes")
        yield f"{path}, result {index}", row


def _is_lines(text: str) -> bool:
    """Whether the first line is an object by itself, and no JSON document of one line."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "results" not in row


def _line(row: dict[str, JSON], where: str) -> ResultLine:
    status = str(row.get("status") or "").strip().lower()
    if not status:
        raise UsageError(f"{where}: no status", fix="a result has at least status and score")
    successful = None if status in LEFT_OUT else status in SUCCESSFUL
    fallback = str(row.get("score_is_fallback") or "").lower() == "true"
    return ResultLine(successful, None if fallback else _number(_score(row, where), where))


def _score(row: dict[str, JSON], where: str) -> JSON:
    """The evaluator's score: a column of its own, or among the scores of `assay export`."""
    if "score" in row:
        return row["score"]
    scores = row.get("scores")
    if isinstance(scores, str) and scores.startswith("{"):
        scores = files.parse_json(scores, where)
    if isinstance(scores, dict):
        return scores.get("judge")
    raise UsageError(f"{where}: no score", fix="a result has at least status and score")


def _number(value: JSON, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where}: the score {str(value)[:40]!r} is no number", fix="mend the score")
    return number
