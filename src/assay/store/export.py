"""Trials as rows of a file: CSV (RFC 4180), NDJSON or JSON. All three carry the same trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from assay.store.forms import Form, Format, pieces, write_whole
from assay.trial import Call, CallState, Trial


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
    rows = _Counted(trials, task)
    out.writelines(pieces(rows, TrialRow, Form(to, raw=csv_raw)))
    return rows.count


def export_to(
    path: Path, trials: Iterable[Trial], to: Format, *, task: str | None = None, csv_raw: bool = False
) -> int:
    """As `export`, into a file that is there whole or not at all. Raises UsageError if it cannot be."""
    rows = _Counted(trials, task)
    write_whole(path, pieces(rows, TrialRow, Form(to, raw=csv_raw)))
    return rows.count


class _Counted:
    """The trials as rows, counted as they go."""

    def __init__(self, trials: Iterable[Trial], task: str | None) -> None:
        self._trials = trials
        self._task = task
        self.count = 0

    def __iter__(self) -> Iterator[TrialRow]:
        for trial in self._trials:
            self.count += 1
            yield trial_row(trial, self._task)


def _timed(trial: Trial) -> Call | None:
    """The call whose speed stands for the trial's."""
    final = trial.transcript.final
    answered = [call for call in trial.calls if call.state is CallState.DONE]
    if final is not None and final.call is not None:
        answered = [call for call in answered if call.id == final.call] or answered
    return answered[-1] if answered else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
