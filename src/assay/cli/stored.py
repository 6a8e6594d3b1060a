"""The store as the verbs read it: opened, and runs, arms and trials found by what a person typed."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from assay.errors import UsageError
from assay.loading.files import meant
from assay.ports import Run, Where
from assay.store.sqlite import SqliteStore
from assay.trial import Trial

MOST_LISTED = 5


class Arm(Struct, frozen=True):
    """One side of a comparison: a model of a run."""

    run: Run
    model: str

    @property
    def name(self) -> str:
        return f"{self.run.id}:{self.model}"


def opened(store: str) -> SqliteStore:
    """The store for reading. Raises UsageError, which says how to begin, where there is none."""
    if not Path(store).exists():
        raise UsageError(f"no runs yet: there is no store at {store}", fix="begin with: assay demo")
    return SqliteStore.open(store, create=False)


def find_run(record: SqliteStore, text: str) -> Run:
    """The run of an id, its beginning or end, or "last"; an id cut as `run_…9f3c2a` counts too."""
    begin, cut, end = text.partition("…")
    if not cut:
        return record.find_run(text)
    matches = [run for run in record.runs() if run.id.startswith(begin) and run.id.endswith(end)]
    return matches[0] if len(matches) == 1 else record.find_run(end)


def find_arms(record: SqliteStore, text: str) -> list[Arm]:
    """The models of `RUN`, or the one of `RUN:MODEL` (a model's name has colons of its own)."""
    name, chosen, model = text.partition(":")
    run = find_run(record, name)
    if not chosen:
        return [Arm(run, each) for each in run.models]
    matches = [each for each in run.models if each == model] or [
        each for each in run.models if model and each.endswith(model)
    ]
    if len(matches) != 1:
        near = meant(model, run.models)
        fix = f"did you mean {run.id}:{near}?" if near else f"its models: {', '.join(run.models)}"
        raise UsageError(f"{run.id} has no model {model!r}", fix=fix)
    return [Arm(run, matches[0])]


def find_trial(record: SqliteStore, text: str) -> Trial:
    """The trial of `RUN/N` (its place in the record), `RUN/KEY` or `KEY`; a key may be cut."""
    name, slash, which = text.rpartition("/")
    if not slash:
        return _anywhere(record, text)
    run = find_run(record, name)
    key = _nth(record, run, int(which)) if _is_place(which) else _by_key(record, run, which)
    return next(record.trials(Where(run=run.id, key=key)))


def _is_place(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _nth(record: SqliteStore, run: Run, place: int) -> str:
    count = 0
    for count, trial in enumerate(record.trials(Where(run=run.id, calls=False)), 1):
        if count == place:
            return trial.key
    if not count:
        raise UsageError(f"{run.id} has no trials yet", fix="go on with it: assay run --resume " + run.id)
    raise UsageError(f"{run.id} has no trial {place}", fix=f"it has {count}: {run.id}/1 to {run.id}/{count}")


def _by_key(record: SqliteStore, run: Run | None, start: str) -> str:
    """The whole key that begins so. Raises UsageError where none or several do."""
    matches: dict[str, None] = {}
    if not re.fullmatch(r"[0-9a-f]{1,64}", start):
        raise UsageError(
            f"{start!r} is neither a trial's number nor the beginning of its key",
            fix="write RUN/1 for the first trial of a run; runs are in: assay runs list",
        )
    for trial in record.trials(Where(run=run.id if run is not None else None, calls=False)):
        if trial.key.startswith(start):
            matches[trial.key] = None
            if len(matches) > MOST_LISTED:
                break
    if len(matches) == 1:
        return next(iter(matches))
    where = run.id if run is not None else f"the store {record.path}"
    if not matches:
        raise UsageError(f"{where} has no trial {start}", fix="name one by its place: RUN/1")
    raise UsageError(
        f"{start} stands for several trials of {where}: {', '.join(key[:12] for key in matches)}",
        fix="give more of the key",
    )


def _anywhere(record: SqliteStore, text: str) -> Trial:
    """A trial by its key alone: of several runs that hold it, the newest record."""
    if not re.fullmatch(r"[0-9a-f]{4,64}", text):
        run = find_run(record, text)
        fix = f"one trial: assay show {run.id}/1; its figures: assay runs show {run.id}"
        raise UsageError(f"{text} is a run, not a trial", fix=fix)
    *_, newest = record.trials(Where(key=_by_key(record, None, text)))
    return newest
