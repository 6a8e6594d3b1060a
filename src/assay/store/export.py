"""Trials as rows of a file: CSV (RFC 4180), NDJSON or JSON. All three carry the same trials."""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

import msgspec
from msgspec import Struct, structs

from assay.errors import UsageError
from assay.keys import JSON
from assay.trial import Call, CallState, Trial

Format: TypeAlias = Literal["csv", "ndjson", "json"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that starts so would be run as a formula by a spreadsheet."""


_ENCODER = msgspec.json.Encoder(decimal_format="number")


class TrialRow(Struct, frozen=True, kw_only=True):
    """A trial as it leaves the store: the columns, in their order.

    Tokens and dollars are sums over the trial's live calls of every role, a scorer's calls too; dollars
    are missing where the cost of one of them is not known. `ttft_ms` and `latency_ms` are those
    of the call that brought the final answer, or of the last that was answered. `due` and `started` are
    seconds since the run's start. `scores` maps a name to a value, null where unscored.
    """

    run_id: str
    trial_key: str
    model: str
    task: str | None
    case_id: str
    case_name: str
    repeat: int
    status: str
    detail: str
    phase: str
    scores: dict[str, bool | float | str | None]
    reply: str | None
    due: float
    started: float
    ended: float
    ttft_ms: float | None
    latency_ms: float | None
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    error: str | None
    tags: dict[str, str]


def trial_row(trial: Trial, task: str | None = None) -> TrialRow:
    """The trial as a row; `task` is its task's name, which a trial does not hold."""
    final, outcome = trial.transcript.final, trial.transcript.outcome
    live = [call for call in trial.calls if call.origin == "live"]
    used = [call.reply.usage for call in live if call.reply.usage is not None]
    costs = [call.cost for call in live]
    known = [cost for cost in costs if cost is not None]
    timed = _timed(trial)
    return TrialRow(
        run_id=trial.run,
        trial_key=trial.key,
        model=trial.model,
        task=task,
        case_id=trial.case.id,
        case_name=trial.case.name,
        repeat=trial.repeat,
        status=trial.status.value,
        detail=trial.detail,
        phase=trial.phase,
        scores={score.name: score.value for score in trial.scores},
        reply=None if final is None else final.text,
        due=trial.due,
        started=trial.started,
        ended=trial.ended,
        ttft_ms=None if timed is None else _ms(timed.ttft),
        latency_ms=None if timed is None else _ms(timed.latency),
        calls=len(trial.calls),
        input_tokens=sum(usage.input for usage in used) if used else None,
        output_tokens=sum(usage.output for usage in used) if used else None,
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        error=None if outcome.error is None else outcome.error.value,
        tags=trial.case.tags,
    )


def export(
    trials: Iterable[Trial], to: Format, out: TextIO, *, task: str | None = None, csv_raw: bool = False
) -> int:
    """Writes the trials to `out`, one at a time; their number.

    CSV has CRLF line ends, scores and tags as JSON text, and an apostrophe before text cells that a
    spreadsheet would run, unless `csv_raw`. `out` must write line ends as they are (newline="").
    """
    rows = (trial_row(trial, task) for trial in trials)
    if to == "csv":
        return _write_csv(rows, out, csv_raw)
    return _write_ndjson(rows, out) if to == "ndjson" else _write_json(rows, out)


def export_to(
    path: Path, trials: Iterable[Trial], to: Format, *, task: str | None = None, csv_raw: bool = False
) -> int:
    """As `export`, into a file that is there whole or not at all. Raises UsageError if it cannot be."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("x", encoding="utf-8", newline="") as out:
            count = export(trials, to, out, task=task, csv_raw=csv_raw)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            fix="Name a file in a directory that you may write to.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return count


def _write_ndjson(rows: Iterator[TrialRow], out: TextIO) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  the last count is the answer
        out.write(_json(row) + "\n")
    return count


def _write_json(rows: Iterator[TrialRow], out: TextIO) -> int:
    count = 0
    out.write('{"results": [')
    for count, row in enumerate(rows, start=1):
        out.write(("\n" if count == 1 else ",\n") + _json(row))
    out.write(f'\n], "total_results": {count}}}\n')
    return count


def _write_csv(rows: Iterator[TrialRow], out: TextIO, csv_raw: bool) -> int:
    writer, count = csv.writer(out, lineterminator="\r\n"), 0
    writer.writerow(TrialRow.__struct_fields__)
    for count, row in enumerate(rows, start=1):  # noqa: B007  the last count is the answer
        writer.writerow([_cell(value, csv_raw) for value in structs.astuple(row)])
    return count


def _cell(value: JSON | Decimal, raw: bool) -> JSON:
    if isinstance(value, dict):
        return _json(value)
    if isinstance(value, str):
        text = _sound(value)
        return f"'{text}" if not raw and text.startswith(FORMULA_STARTS) else text
    return value


def _json(value: TrialRow | dict[str, JSON]) -> str:
    try:
        return _ENCODER.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a number beyond 64 bits
        plain = _sound(msgspec.to_builtins(value, builtin_types=(Decimal,)))
        return json.dumps(plain, ensure_ascii=False, default=float)


def _sound(value: JSON) -> JSON:
    """The value with U+FFFD for what UTF-8 cannot hold: a lone surrogate in a hostile reply."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_sound(key): _sound(item) for key, item in value.items()}
    return value


def _timed(trial: Trial) -> Call | None:
    """The call whose speed stands for the trial's."""
    final = trial.transcript.final
    answered = [call for call in trial.calls if call.state is CallState.DONE]
    if final is not None and final.call is not None:
        answered = [call for call in answered if call.id == final.call] or answered
    return answered[-1] if answered else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
