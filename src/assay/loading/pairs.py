"""Pairs of answers to the same cases, written as a file of cases for the task `pairwise`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct, to_builtins

from assay.errors import UsageError
from assay.keys import JSON
from assay.trial import EventKind, Trial

MOST_SAID = 200_000
"""Characters of one side that are written; the judge is shown less."""


class Pairs(Struct, frozen=True):
    """The file, the number of pairs in it, and of trials that have none: no answer, or no other side."""

    path: Path
    count: int
    left_out: int


def write_pairs(folder: Path, a: Iterable[Trial], b: Iterable[Trial], limit: int | None = None) -> Pairs:
    """Pairs the answers of two arms by case and repeat, in the order of a's record.

    The file is named by the hash of what is in it, so that the same pairs are the same cases again.
    Raises UsageError where there are none, or where the folder cannot be written.
    """
    others: dict[tuple[str, int], str] = {}
    left_out = 0
    for trial in b:
        if trial.phase == "window" and (said := _said(trial)) is not None:
            others[trial.case.id, trial.repeat] = said
        else:
            left_out += 1
    rows: list[str] = []
    for trial in a:
        said = _said(trial) if trial.phase == "window" else None
        other = others.pop((trial.case.id, trial.repeat), None) if said is not None else None
        if said is None or other is None:
            left_out += 1
        elif limit is None or len(rows) < limit:
            rows.append(_line(_row(trial, said, other)))
    left_out += len(others)
    if not rows:
        raise UsageError(
            "the two arms answered no case in common", fix="compare runs of the same task and split"
        )
    text = "".join(rows).encode("utf-8")
    path = folder / f"{hashlib.sha256(text).hexdigest()[:16]}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    except OSError as failure:
        raise UsageError(
            f"the pairs cannot be written to {path}: {failure.strerror}",
            fix="name another place with --store",
        ) from None
    return Pairs(path, len(rows), left_out)


def _said(trial: Trial) -> str | None:
    """What one side answered: its reply, or the whole talk where others spoke as well; None if nothing."""
    lines = [
        (event.role, event.message.text)
        for event in trial.transcript.events
        if event.kind is EventKind.SAID and event.delivered and event.message is not None
    ]
    if len({role for role, _ in lines}) > 1:
        return "\n".join(f"{role}: {text}" for role, text in lines)[:MOST_SAID]
    final = trial.transcript.final
    text = final.text if final is not None else ""
    return text[:MOST_SAID] if text.strip() else None


def _row(trial: Trial, a: str, b: str) -> dict[str, JSON]:
    case = trial.case
    name = case.name or case.id
    return {
        "id": name if not trial.repeat else f"{name} #{trial.repeat}",
        "input": list(_asked(trial)) or case.input_text,
        "target": to_builtins(case.target),
        "tags": case.tags,
        "facts": {"said": {"A": a, "B": b}},
    }


def _asked(trial: Trial) -> Iterator[JSON]:
    """What a single reply answers, as it was sent; a talk's prompts are its parties' own business."""
    events = trial.transcript.events
    if len({event.role for event in events if event.kind is EventKind.SAID}) > 1:
        return
    for event in events:
        if event.kind is EventKind.PROMPT and event.message is not None:
            yield {"role": event.message.role, "content": event.message.text}


def _line(row: dict[str, JSON]) -> str:
    """One line; a lone surrogate in a hostile reply becomes U+FFFD."""
    text = json.dumps(row, ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") + "\n"
