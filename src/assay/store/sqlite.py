"""The record in one SQLite file: `ports.Store` over a writer thread and read-only connections."""

from __future__ import annotations

import asyncio
import difflib
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from msgspec import structs

from assay.errors import StopReason, StoreError, UsageError
from assay.keys import run_uuid
from assay.ports import Effect, Held, Run, RunState, Where
from assay.store.ahead import Ahead
from assay.store.damage import refuse_damaged
from assay.store.encoding import Bodies, Row, call_row, packed, score_row, settlement_row, trial_rows
from assay.store.heartbeat import Heartbeats
from assay.store.patience import Patience
from assay.store.reader import Reader, Spent, read_trials
from assay.store.removal import delete, spooled
from assay.store.schema import migrations, prepare
from assay.store.seen import Seen
from assay.store.writer import Recorder, Writer
from assay.trial import Call, CallState, Label, Score, Status, Trial

R = TypeVar("R")

SESSION_BITS = 40
ROOM = 500_000
"""Trials that a run of unknown length is made ready for."""
SCANNED = 20_000
"""So many recorded trials are read before a run is resumed; if there are more, on the way."""


class SqliteStore:
    """Implements `ports.Store`, for one event loop. It becomes a writer with its first record.

    Reading methods are synchronous: a point query takes tens of microseconds, a page of trials a
    few milliseconds. Raises StoreError, naming the file, where the record cannot be read or kept.
    """

    scanned = SCANNED

    def __init__(self, path: Path, patience: Patience) -> None:
        self._path = path
        self._patience = patience
        self._reader = Reader(path)
        self._heartbeats = Heartbeats()
        self._writer: Recorder | None = None
        self._opening = asyncio.Lock()
        self._begun = False
        self._ids = itertools.count(1)
        self._numbers: dict[str, int] = {}
        self._held: dict[str, Seen] = {}
        self._earlier: dict[str, Seen] = {}
        self._ahead: dict[str, Ahead] = {}
        self._calls: dict[tuple[str, str], dict[str, int]] = {}

    @classmethod
    def open(
        cls, path: str | Path, *, create: bool = True, patient: Callable[[], bool] = lambda: False
    ) -> Self:
        """The store in the file at `path`, made (mode 0600) if it is not there and `create` allows.

        While `patient` says so a full disk makes its callers wait (an hour at most, told as a
        warning of the log) and not fail; the writer's thread asks it.
        Raises UsageError, with nothing created, where the file is not a store that this version knows.
        """
        place = Path(path)
        refuse_damaged(place)
        prepare(place, migrations(), create=create)
        try:
            return cls(place, Patience(place, patient))
        except sqlite3.Error as error:
            raise UsageError(
                f"the store {place} cannot be opened: {error}",
                fix="See that you may read it and its directory.",
            ) from error

    @property
    def path(self) -> Path:
        return self._path

    @property
    def secret(self) -> str:
        """64 hex digits drawn when the store was made: what unpredictable request parts derive from."""
        return self._reader.meta("secret")

    async def open_run(self, run: Run) -> None:
        """Adds the run, or takes up the one of this id (its first plan stays).

        Raises UsageError while another live process writes the run.
        """
        writer = await self._writing()
        new = (run.id, run_uuid(run.id), run.task, run.fingerprint, run.headline, packed(run.plan))
        row = (*new, packed(run.models), run.planned, run.seed, run.wall, run.version, "running")

        def act(connection: sqlite3.Connection) -> tuple[int, bool]:
            found = connection.execute("SELECT number FROM runs WHERE id = ?", (run.id,)).fetchone()
            if found is None:
                columns = (
                    "id, uuid, task, fingerprint, headline, plan, models, planned, seed, wall, version, state"
                )
                number = connection.execute(
                    f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * 12)})",  # noqa: S608  constants
                    row,
                ).lastrowid
            else:
                number = found[0]
                connection.execute(
                    "UPDATE runs SET state = 'running', stop = NULL, ended = NULL WHERE number = ?", (number,)
                )
            self._heartbeats.claim(connection, int(number or 0), run.id)
            return int(number or 0), found is not None

        number, resumed = await writer.do(act)
        self._take_up(run, number, resumed=resumed)

    def _take_up(self, run: Run, number: int, *, resumed: bool) -> None:
        """Knows from now on what the file holds of the run."""
        self._numbers[run.id] = number
        if resumed and self._reader.count(number) > self.scanned:
            self._ahead[run.id] = Ahead(partial(self._reader.statuses, number))
            return
        self._held[run.id] = Seen(run.planned or ROOM)
        self._earlier[run.id] = Seen(run.planned or ROOM) if resumed else Seen(0)
        if resumed:
            for key in self._reader.keys(number):
                self._held[run.id].add(key)
            for key in self._reader.unfinished(number):
                self._earlier[run.id].add(key)

    async def end_run(self, run: str, state: RunState, stop: StopReason | None) -> None:
        """Marks the run's end; returns once that and all before it is on the disk.

        An interrupted run waits for no full disk.
        """
        if state == "interrupted":
            self._patience.lose()
        writer, number = await self._writing(), self._number(run)

        def act(connection: sqlite3.Connection) -> None:
            if number in self._heartbeats.lost(connection):
                raise StoreError(f"the store {self._path}: another process has taken over run {run}")
            connection.execute(
                "UPDATE runs SET state = ?, stop = ?, ended = ? WHERE number = ?",
                (state, stop, time.time_ns(), number),
            )
            self._heartbeats.release(connection, number)

        await writer.do(act, durable=True)

    async def reserve(self, call: Call) -> None:
        """Returns once the intent is committed. A cancelled caller's intent may be committed too."""
        writer, number, run = await self._writing(), next(self._ids), self._number(call.run)
        bodies = Bodies()
        row = call_row(number, run, call, bodies)
        await writer.write(run, [("bodies", bodies.rows), ("calls", [row])], pressing=True)
        self._calls.setdefault((call.run, call.trial), {})[call.id] = number

    def settle(self, call: Call) -> None:
        """Writes how the attempt ended, with the next group. The first settlement of a call stays."""
        number, bodies = self._call(call), Bodies()
        row = settlement_row(number, call, bodies)
        self._posting().post(self._number(call.run), [("bodies", bodies.rows), ("settlements", [row])])

    async def reserve_effect(self, effect: Effect) -> None:
        """Returns once the intent is committed; one that is recorded already stays as it is."""
        writer, run = await self._writing(), self._number(effect.run)
        row = (next(self._ids), run, effect.trial, effect.name, effect.key)
        await writer.write(run, [("effects", [row])], pressing=True)

    def settle_effect(self, effect: Effect) -> None:
        run = self._number(effect.run)
        row = (packed((effect.result, effect.error)), effect.trial, run, effect.name, effect.key)
        self._posting().post(run, [("outcomes", [row])])

    def has(self, run: str, key: str) -> Status | None:
        if run in self._ahead and (status := self._ahead[run].take(key)) is not None:
            return status
        held = self._held.get(run)
        if held is not None and key not in held:
            return None
        number = self._numbers.get(run) or self._reader.number(run)
        return None if number is None else self._reader.status(number, key)

    def expect(self, run: str, key: str) -> None:
        """Another worker may have recorded something of this trial: it is looked up."""
        for known in (self._held, self._earlier):
            if run in known:
                known[run].add(key)

    def held(self, run: str) -> int:
        number = self._numbers.get(run) or self._reader.number(run)
        return 0 if number is None else self._reader.count(number)

    def lookup(self, run: str, key: str, *, cached: bool = False) -> Held:
        """What is recorded of this play key, oldest first; with `cached` then the successes of other
        runs, newest run first. Each call names the run that it is of.

        In a run opened here the calls made for a trial since it was opened are looked up until
        the trial is added, and after that those made for its scores.
        """
        number = self._numbers.get(run) or self._reader.number(run) or -1
        earlier, held = self._earlier.get(run), Held()
        if earlier is None or key in earlier or (run, key) in self._calls:
            held = self._reader.held(number, key)
        if not cached:
            return held
        others = self._reader.cached(number, key)
        return Held(held.calls + others.calls, held.effects + others.effects)

    async def add(self, trial: Trial) -> None:
        """Writes a trial; one of this key in this run gives way to it, though not its calls.

        Those of its calls are written with it that `reserve` has not written.
        """
        writer, run, bodies = await self._writing(), self._number(trial.run), Bodies()
        numbers = self._recorded(trial)
        calls, settlements = [], []
        for call in trial.calls:
            if call.id in numbers:
                continue
            numbers[call.id] = number = next(self._ids)
            calls.append(call_row(number, run, structs.replace(call, trial=trial.key), bodies))
            if call.state is not CallState.RESERVED:
                settlements.append(settlement_row(number, call, bodies))
        row, case = trial_rows(next(self._ids), run, trial, numbers, bodies)
        tables: list[tuple[str, Sequence[Row]]] = [
            ("bodies", bodies.rows),
            ("cases", [case]),
            ("calls", calls),
            ("settlements", settlements),
            ("trials", [row]),
            ("scores", self._score_rows(run, trial.key, trial.scores)),
        ]
        await writer.write(run, tables)
        self._remember(trial.run, trial.key)

    async def add_scores(
        self, run: str, key: str, scores: Sequence[Score], status: Status, detail: str
    ) -> None:
        """Writes scores beside those that the trial has; of each name the newest counts."""
        writer, number = await self._writing(), self._number(run)
        rows = self._score_rows(number, key, scores)
        await writer.write(number, [("scores", rows), ("statuses", [(status.value, detail, key, number)])])
        self._remember(run, key)

    async def add_labels(self, run: str, labels: Sequence[Label]) -> None:
        """Writes what people said of a run's trials; returns once it is on the disk."""
        number = self._number(run)
        rows = [
            (number, each.trial, each.name, each.value, each.rater, each.note, each.wall) for each in labels
        ]
        insert = (
            "INSERT INTO labels (run, trial, name, value, rater, note, wall) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )

        def act(connection: sqlite3.Connection) -> None:
            connection.executemany(insert, rows)

        await (await self._writing()).do(act, durable=True)

    def labels(self, run: str) -> list[Label]:
        """What people said of a run's trials: of each rater, trial and score the newest, oldest first."""
        return self._reader.labels(self._number(run))

    def runs(self) -> Iterator[Run]:
        """All runs, newest first. One that is marked as running while nobody writes it is interrupted."""
        return iter(self._reader.runs())

    def trials(self, where: Where) -> Iterator[Trial]:
        """Trials recorded by now, as they are when they are read, on a connection of their own.

        Their calls are all that the run has recorded for them: those of an earlier, cut play and of
        scorers too, each with the origin that it had when it was made.
        """
        return read_trials(self._path, where)

    def spent(self, run: str) -> Spent:
        """What the run's live calls have used so far."""
        return self._reader.spent(self._number(run))

    def costs(self, run: str) -> tuple[Decimal, Iterator[Call]]:
        """Dollars of the run's live calls whose cost is known, and the live calls whose cost is not."""
        number = self._number(run)
        return self._reader.spent(number).cost, iter(self._reader.unpriced(number))

    def find_run(self, text: str) -> Run:
        """The run that `text` names: an id, its beginning or end if only one has it, or "last".

        Raises UsageError with the likeliest ids.
        """
        runs = self._reader.runs()
        if not runs:
            raise UsageError(
                f"the store {self._path} holds no run yet", fix="Run something first: assay run TASK"
            )
        if text == "last":
            return runs[0]
        matches = [run for run in runs if run.id == text] or [
            run for run in runs if text and (run.id.startswith(text) or run.id.endswith(text))
        ]
        if len(matches) == 1:
            return matches[0]
        ids = [run.id for run in matches[:5]]
        if ids:
            raise UsageError(
                f"{text} stands for {len(matches)} runs: {', '.join(ids)} ...", fix="Give more of the id."
            )
        near = difflib.get_close_matches(text, [run.id for run in runs], n=3, cutoff=0.4) or [runs[0].id]
        raise UsageError(f"there is no run {text}", fix=f"Did you mean {' or '.join(near)}?")

    def latest_unfinished(self) -> Run | None:
        """The newest run that is not completed."""
        return next((run for run in self._reader.runs() if run.state != "completed"), None)

    async def delete_run(self, run: str) -> None:
        """Removes a run and all that is recorded of it; its texts stay in the file until `vacuum`. Raises
        UsageError for a run that does not exist or that is being written.
        """
        number = self._reader.number(run)
        if number is None:
            raise UsageError(f"there is no run {run}", fix="List the runs: assay runs list")
        await (await self._writing()).do(lambda connection: delete(connection, number, run))
        spooled(self.path, run).unlink(missing_ok=True)
        for known in (self._numbers, self._held, self._earlier, self._ahead):
            known.pop(run, None)

    async def transact(self, act: Callable[[sqlite3.Connection], R]) -> R:
        """What `act` returns, once its transaction is on the disk."""
        return await (await self._writing()).do(act, durable=True)

    async def close(self) -> None:
        """Commits what waits. Raises StoreError if something of it could not be kept."""
        writer, self._writer = self._writer, None
        self._reader.close()
        if writer is not None:
            await writer.close()

    async def _writing(self) -> Recorder:
        """The writer, begun with a session of its own at the first use."""
        if self._writer is not None and self._begun:
            return self._writer
        async with self._opening:
            if self._writer is None:
                self._writer = Writer(self._path, self._heartbeats, self._patience)
            if not self._begun:  # not by the heartbeats' session: its thread sets it before the ids are here
                session = await self._writer.do(self._heartbeats.begin)
                self._ids = itertools.count(session << SESSION_BITS)
                self._begun = True
            return self._writer

    def _posting(self) -> Recorder:
        if self._writer is None:
            raise StoreError(f"the store {self._path} was asked to settle what it never reserved")
        return self._writer

    def _number(self, run: str) -> int:
        number = self._numbers.get(run) or self._reader.number(run)
        if number is None:
            raise StoreError(f"the store {self._path} holds no run {run}")
        self._numbers[run] = number
        return number

    def _call(self, call: Call) -> int:
        """The row of a reserved call."""
        number = self._calls.get((call.run, call.trial), {}).get(call.id)
        if number is None:
            number = self._reader.call_numbers(self._number(call.run), call.trial).get(call.id)
        if number is None:
            raise StoreError(f"the store {self._path} was asked to settle {call.id}, which it never reserved")
        return number

    def _recorded(self, trial: Trial) -> dict[str, int]:
        """The rows of the trial's calls that are recorded, by call id."""
        mine = self._calls.get((trial.run, trial.key), {})
        if all(call.id in mine for call in trial.calls):
            return dict(mine)
        earlier = self._earlier.get(trial.run)
        if earlier is not None and trial.key not in earlier and self.has(trial.run, trial.key) is None:
            return dict(mine)
        return self._reader.call_numbers(self._number(trial.run), trial.key)

    def _score_rows(self, run: int, key: str, scores: Sequence[Score]) -> list[Row]:
        return [score_row(next(self._ids), run, key, score) for score in scores]

    def _remember(self, run: str, key: str) -> None:
        self._calls.pop((run, key), None)
        if run in self._held:
            self._held[run].add(key)
        if run in self._ahead:
            self._ahead[run].forget(key)
