"""Reading a whole store to see that it holds together: pages, hashes, references, statuses."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from assay.errors import StoreError
from assay.ports import Run, Where
from assay.store.encoding import grown, named
from assay.store.reader import Reader
from assay.store.schema import connect
from assay.trial import Status, Trial, status_after_scoring

MOST = 20
"""Faults of one kind that are named; the rest is not looked for."""


class Verified(Struct, frozen=True):
    """What a store holds, and what is wrong with it. `unsettled` calls were in flight at a kill."""

    runs: int
    trials: int
    calls: int
    unsettled: int
    faults: tuple[str, ...]


def verified(path: Path) -> Verified:
    """Reads all of the store at `path`; its first fault of a kind hides no other kind.

    Checked are SQLite's own structure; that texts and cases are those that their hashes name; that
    every outcome has its intent, every trial its case, its run and the calls that its transcript names;
    that the status of every scored trial follows from its scores; and that the trials of every
    completed run are as many as were planned.
    """
    faults: list[str] = []
    counts = (0, 0, 0, 0)
    with closing(connect(path, write=False)) as connection:
        for check in (_structure, _hashes, _references, _sums):
            try:
                faults += check(connection)
            except sqlite3.Error as error:
                faults.append(f"the file cannot be read: {error}")
        try:
            counts = connection.execute(_COUNTS).fetchone()
        except sqlite3.Error as error:
            faults.append(f"the file cannot be read: {error}")
    faults += _contents(path)
    return Verified(*counts, faults=tuple(dict.fromkeys(faults)))


_COUNTS = (
    "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM trials), (SELECT count(*) FROM calls),"
    " (SELECT count(*) FROM calls WHERE id NOT IN (SELECT call FROM settlements))"
)

_LOOSE = (
    ("the outcome of call %s has no intent", "SELECT call FROM settlements EXCEPT SELECT id FROM calls"),
    (
        "call %s of trial %s is of no run",
        "SELECT id, trial FROM calls WHERE run NOT IN (SELECT number FROM runs)",
    ),
    ("trial %s is of no run", "SELECT key FROM trials WHERE run NOT IN (SELECT number FROM runs)"),
    ("trial %s has no case", "SELECT key FROM trials WHERE case_hash NOT IN (SELECT hash FROM cases)"),
    (
        "trial %s has lost the call that brought its answer",
        (
            "SELECT key FROM trials t WHERE final IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM calls c JOIN settlements s ON s.call = c.id"
            " WHERE c.id = t.final AND c.run = t.run AND c.trial = t.key AND s.state = 'done')"
        ),
    ),
)


def _structure(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST})"):
        if line != "ok":
            yield f"SQLite: {line}"


def _hashes(connection: sqlite3.Connection) -> Iterator[str]:
    for table in ("bodies", "cases"):
        wrong = 0
        for name, body in connection.execute(f"SELECT hash, body FROM {table}"):  # noqa: S608  constants only
            try:
                sound = named(grown(body)) == name
            except zlib.error:
                sound = False
            if not sound and (wrong := wrong + 1) <= MOST:
                yield f"{table}: what stands under {name.hex()} is not what was written"


def _references(connection: sqlite3.Connection) -> Iterator[str]:
    for text, query in _LOOSE:
        for row in connection.execute(f"{query} LIMIT {MOST}"):
            yield text % row


def _sums(connection: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT id, state, planned, (SELECT count(*) FROM trials WHERE run = number) FROM runs"
    for run, state, planned, recorded in connection.execute(query):
        if planned is None or recorded == planned or (recorded < planned and state != "completed"):
            continue
        yield f"run {run} is {state} with {recorded} trials recorded of {planned} planned"


def _contents(path: Path) -> list[str]:
    """What is wrong with trials as they are read."""
    faults: list[str] = []
    try:
        with closing(Reader(path)) as reader:
            for run in reader.runs():
                faults += _of_run(reader, run)
    except (StoreError, sqlite3.Error) as error:
        faults.append(str(error))
    return faults


def _of_run(reader: Reader, run: Run) -> list[str]:
    faults: list[str] = []
    try:
        for trial in reader.trials(Where(run=run.id)):
            if len(faults) < MOST:
                faults += _of_trial(run, trial)
    except StoreError as error:
        faults.append(f"run {run.id}: {error}; its trials after that are not checked")
    return faults


def _of_trial(run: Run, trial: Trial) -> Iterator[str]:
    recorded = {call.id for call in trial.calls}
    told = {event.call for event in trial.transcript.events if event.call is not None}
    for missing in sorted(told - recorded):
        yield f"run {run.id}: trial {trial.key} tells of call {missing}, which is not recorded"
    if trial.status in (Status.SCORED, Status.UNSCORED):
        status, _ = status_after_scoring(run.headline, trial.scores)
        if status is not trial.status:
            yield f"run {run.id}: trial {trial.key} is {trial.status}, but {run.headline} says {status}"
