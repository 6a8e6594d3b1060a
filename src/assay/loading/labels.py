"""People's labels as a file: read with every fault named by its line, and written."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.files import did_you_mean, read_rows
from assay.trial import Label, Trial

COLUMNS = (
    "run_id", "trial_key", "case_id", "case_name", "model", "repeat", "score", "value", "rater", "note",
    "labelled",
)  # fmt: skip
"""What is written. To be read a row needs value, and trial_key or case_id or case_name."""

WORDS = {"y": 1.0, "yes": 1.0, "right": 1.0, "true": 1.0, "n": 0.0, "no": 0.0, "wrong": 0.0, "false": 0.0}


def read_labels(path: Path, trials: Iterable[Trial], score: str, rater: str) -> list[Label]:
    """The labels of a CSV or JSON Lines file; `score` and `rater` stand in where a row names none.

    Raises UsageError, with file, line and remedy, for a row that fits no trial or several.
    """
    by_key: dict[str, str] = {}
    by_case: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for trial in trials:
        by_key[trial.key] = trial.key
        for column, value in (("case_id", trial.case.id), ("case_name", trial.case.name)):
            by_case.setdefault((column, value), []).append((trial.key, trial.model, trial.repeat))
    labels, now = [], time.time_ns()
    for number, _, row in read_rows(path):
        where = f"{path}, line {number}"
        for column in row:
            if column not in COLUMNS:
                raise UsageError(f"{where}: unknown column {column!r}", fix=did_you_mean(column, COLUMNS))
        key = _key(row, by_key, by_case, where)
        name, who = _text(row, "score") or score, _text(row, "rater") or rater
        labels.append(Label(key, name, _value(row, where), who, _text(row, "note"), now))
    return labels


def _key(
    row: dict[str, JSON],
    by_key: dict[str, str],
    by_case: dict[tuple[str, str], list[tuple[str, str, int]]],
    where: str,
) -> str:
    """The key of the trial that a row is about."""
    given = _text(row, "trial_key")
    if given:
        if given not in by_key:
            fix = "export the run's trials for their keys: assay export RUN --to csv"
            raise UsageError(f"{where}: the run has no trial {given}", fix=fix)
        return given
    column = "case_id" if _text(row, "case_id") else "case_name"
    case, model, repeat = _text(row, column), _text(row, "model"), _text(row, "repeat")
    if not case:
        raise UsageError(f"{where}: it names no trial", fix="give it a trial_key, a case_id or a case_name")
    found = [
        key
        for key, of, played in by_case.get((column, case), [])
        if model in ("", of) and repeat in ("", str(played))
    ]
    if len(found) != 1:
        many = "several trials" if found else "no trial"
        fix = "name the model and the repeat, too" if found else "check the case and the run"
        raise UsageError(f"{where}: {column} {case!r} is of {many} of the run", fix=fix)
    return found[0]


def _text(row: dict[str, JSON], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value).strip()


def _value(row: dict[str, JSON], where: str) -> float:
    given = _text(row, "value").lower()
    try:
        value = WORDS[given] if given in WORDS else float(given)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e9:  # also what is no number
        raise UsageError(f"{where}: value {given!r} is no label", fix="give a grade, or right or wrong")
    return value


def write_labels(path: Path, run: str, labels: Sequence[Label], trials: Iterable[Trial]) -> int:
    """Writes the labels of a run, CSV or JSON Lines by the file's name; their number."""
    known = {trial.key: trial for trial in trials}
    rows = [_row(run, label, known[label.trial]) for label in labels if label.trial in known]
    try:
        with path.open("w", encoding="utf-8", newline="") as out:
            if path.suffix.lower() == ".csv":
                writer = csv.DictWriter(out, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
            else:
                out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {failure.strerror}", fix="name another file") from None
    return len(rows)


def _row(run: str, label: Label, trial: Trial) -> dict[str, JSON]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(label.wall / 1e9))
    case = trial.case
    values = (run, trial.key, case.id, case.name, trial.model, trial.repeat, label.name, label.value,
              label.rater, label.note, at)  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
