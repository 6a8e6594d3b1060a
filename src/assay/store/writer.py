"""The one thread that writes the store: what waits when a transaction begins is committed in it together."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar, cast

from msgspec import Struct

from assay.errors import AssayError, StoreError
from assay.store.encoding import Row, shrunk
from assay.store.heartbeat import Heartbeats
from assay.store.patience import Patience, passing
from assay.store.schema import connect
from assay.turnstile import Turnstile

R = TypeVar("R")
Act = Callable[[sqlite3.Connection], object]
Tables = Sequence[tuple[str, Sequence[Row]]]
Tell = Callable[[AssayError | None], None]

ROOM = 4096
"""Jobs that may wait for their commit before callers are held back."""
TOLD_A_TURN = 64
"""Callers told of a commit in one turn of the event loop. Told fewer at a time they would come back
fewer at a time, and each group would be a smaller one.
"""
KNOWN = 8192
ROWS_A_STATEMENT = 32

_UNLESS_THERE = " ON CONFLICT DO NOTHING"  # unlike OR IGNORE it lets no other constraint pass

# Each is written at once for all its rows of a group, in this order: a trial stands before its scores.
_STATEMENTS: dict[str, tuple[str, str, str]] = {
    "bodies": ("INSERT INTO bodies VALUES ", "(?, ?)", _UNLESS_THERE),
    "cases": ("INSERT INTO cases VALUES ", "(?, ?, ?, ?)", _UNLESS_THERE),
    "calls": ("INSERT INTO calls VALUES ", f"({', '.join('?' * 15)})", ""),
    "settlements": ("INSERT INTO settlements VALUES ", f"({', '.join('?' * 14)})", _UNLESS_THERE),
    "effects": (
        "INSERT INTO effects (id, run, trial, name, key) VALUES ",
        "(?, ?, ?, ?, ?)",
        _UNLESS_THERE,
    ),
    "trials": ("INSERT OR REPLACE INTO trials VALUES ", f"({', '.join('?' * 17)})", ""),
    "scores": (
        "INSERT INTO scores (trial, id, name, scorer, number, unscored, score) VALUES ",
        "((SELECT id FROM trials WHERE key = ? AND run = ?), ?, ?, ?, ?, ?, ?)",
        "",
    ),
}
_UPDATES = {
    "outcomes": (
        "UPDATE effects SET settled = 1, outcome = ?"
        " WHERE trial = ? AND run = ? AND name = ? AND key = ? AND settled = 0"
    ),
    "statuses": "UPDATE trials SET status = ?, detail = ? WHERE key = ? AND run = ?",
}

# What is wrong with one job's data rather than with the file: that job alone is refused.
_POISON = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)


class Job(Struct, eq=False):
    """Rows by table (or one act) to commit. `done` is None where nobody waits. A request waits for
    `pressing` rows: they are told first. `tell` is called where another process waits.
    """

    run: int
    rows: Sequence[tuple[str, Sequence[Row]]] = ()
    pressing: bool = False
    tell: Tell | None = None
    done: asyncio.Future[object] | None = None
    act: Act | None = None
    durable: bool = False
    answer: object = None
    error: AssayError | None = None


class Recorder(Protocol):
    """What commits a store's rows: the thread here, or the writer of another process."""

    async def write(self, run: int, rows: Tables, *, pressing: bool = False) -> None: ...

    async def do(self, act: Callable[[sqlite3.Connection], R], *, durable: bool = False) -> R: ...

    def post(self, run: int, rows: Tables) -> None: ...

    def relay(self, run: int, rows: Tables, tell: Tell) -> None: ...

    async def close(self) -> None: ...


class Writer:
    """Takes jobs from one event loop and commits them in groups, in order.

    While the file takes nothing (the disk is full) the thread keeps its group and tries again as
    long as `patience` lasts; its callers wait.
    """

    def __init__(self, path: Path, heartbeats: Heartbeats, patience: Patience) -> None:
        self._path = path
        self._heartbeats = heartbeats
        self._patience = patience
        self._connection = connect(path)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._known = Known()
        self._owed: list[Job] = []
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._held_back: deque[asyncio.Future[None]] = deque()
        self._turns = Turnstile(TOLD_A_TURN)
        self._grievance: AssayError | None = None
        self._thread = threading.Thread(target=self._work, name="assay store", daemon=True)
        self._thread.start()

    async def write(
        self, run: int, rows: Sequence[tuple[str, Sequence[Row]]], *, pressing: bool = False
    ) -> None:
        """Returns once the rows are committed; raises StoreError, and then none of them is."""
        await self._submit(Job(run, rows, pressing))

    async def do(self, act: Callable[[sqlite3.Connection], R], *, durable: bool = False) -> R:
        """What `act` returns, once its transaction is committed (and synced, if `durable`)."""
        return cast("R", await self._submit(Job(0, act=act, durable=durable)))

    def post(self, run: int, rows: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Has the rows committed with the next group; what is wrong with them, the next `write` raises."""
        self._waiting += 1
        self._jobs.put(Job(run, rows))

    def relay(self, run: int, rows: Tables, tell: Tell) -> None:
        """Has the rows committed, whatever waits already; `tell` is called then, with what was wrong."""
        self._waiting += 1
        self._jobs.put(Job(run, rows, tell=tell))

    async def close(self) -> None:
        """Commits what waits and ends. Raises StoreError if something could not be kept."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        if self._owed:
            raise self._owed[0].error or StoreError(f"the store {self._path} lost {len(self._owed)} records")
        if self._grievance is not None:
            raise self._grievance

    async def _submit(self, job: Job) -> object:
        while self._waiting >= ROOM:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._held_back.append(turn)
            await turn
        if self._grievance is not None:
            grievance, self._grievance = self._grievance, None
            raise grievance
        job.done = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(job)
        return await job.done

    def _finished(self, jobs: Sequence[Job], counted: int, grievance: AssayError | None) -> None:
        """Wakes those whose jobs are committed or refused; runs in the event loop."""
        self._waiting -= counted
        self._grievance = self._grievance or grievance
        for job in jobs:
            if job.tell is not None:
                job.tell(job.error)
            if job.done is None:
                continue
            if job.error is None:
                self._turns.wake(job.done, job.answer, behind=not job.pressing)
            else:
                self._turns.fail(job.done, job.error)
        for _ in range(min(len(self._held_back), max(0, ROOM - self._waiting))):
            turn = self._held_back.popleft()
            if not turn.done():
                turn.set_result(None)

    def _work(self) -> None:
        more = True
        while more:
            jobs, more = self._take()
            if jobs:
                self._write(jobs)
            if not more:
                self._settle_up()
            elif self._heartbeats.beat_is_due():
                self._commit([Job(0, act=self._heartbeats.beat)], [])

    def _take(self) -> tuple[list[Job], bool]:
        """All jobs that wait, at most ROOM, and whether more may come; none when a beat is due first."""
        jobs: list[Job] = []
        try:
            job = self._jobs.get(timeout=self._heartbeats.due_in)
            while job is not None:
                jobs.append(job)
                if len(jobs) >= ROOM:
                    return jobs, True
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _settle_up(self) -> None:
        """The last chance of records that nobody waits for and that a full disk refused."""
        self._write_group([])
        self._commit([Job(0, act=self._heartbeats.release_all)], [])

    def _write(self, jobs: list[Job]) -> None:
        """Commits the jobs in order: rows in groups, each act by itself."""
        group: list[Job] = []
        for job in jobs:
            if job.act is None:
                group.append(job)
                continue
            self._write_group(group)
            group = []
            self._keep([job], [])
            self._wake([job], 1, None)
        self._write_group(group)

    def _write_group(self, jobs: list[Job]) -> None:
        """Commits the jobs together, or each by itself if one of them is no good."""
        group = self._owed + jobs
        if not group:
            return
        if not self._keep(group, group):
            for job in group:
                self._keep([job], [job])
        # A record that nobody waits for is not lost to a full disk: it goes with the next group.
        alone = [job for job in group if not (job.done or job.tell or job.error is None)]
        self._owed = [job for job in alone if isinstance(job.error, _Refused)]
        refused = next((job.error for job in alone if not isinstance(job.error, _Refused)), None)
        self._wake(jobs, len(jobs), refused)

    def _wake(self, jobs: list[Job], counted: int, grievance: AssayError | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._finished, jobs, counted, grievance)
        except RuntimeError:
            return  # the loop is closed: nobody waits

    def _keep(self, jobs: list[Job], rows_of: list[Job]) -> bool:
        """Commits, again and again while the file takes nothing that it might take later."""
        whole = self._commit(jobs, rows_of)
        while isinstance(refused := jobs[0].error, _Refused):
            if refused.passing is None or not self._patience.again(refused.passing):
                return whole
            whole = self._commit(jobs, rows_of)
        self._patience.over()
        return whole

    def _commit(self, jobs: list[Job], rows_of: list[Job]) -> bool:
        """One transaction, whole or not at all; False if the group must be tried job by job."""
        for job in jobs:
            job.error = None
        try:
            lost = self._transact(jobs[0], rows_of)
        except Exception as error:  # noqa: BLE001  recorded in the jobs, whose waiters raise it
            self._undo()
            if len(jobs) > 1 and isinstance(error, _POISON):
                return False
            for job in jobs:
                job.error = self._refusal(error)
        else:
            for job in jobs:
                if job.run in lost:
                    job.error = StoreError(f"the store {self._path}: another process has taken over the run")
        if jobs[0].durable:
            with suppress(sqlite3.Error):  # to sync more than needed does no harm
                self._connection.execute("PRAGMA synchronous=NORMAL")
        return True

    def _transact(self, first: Job, rows_of: list[Job]) -> set[int]:
        """Writes rows, or does the first job's act; the runs that are no longer this process's."""
        connection = self._connection
        if first.durable:
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        lost = self._heartbeats.lost(connection) if rows_of else set()
        self._insert([job for job in rows_of if job.run not in lost])
        if first.act is not None:
            first.answer = first.act(connection)
        connection.execute("COMMIT")
        return lost

    def _undo(self) -> None:
        self._known.forget()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return  # some errors have rolled back already; BEGIN will tell if this one did not

    def _refusal(self, error: Exception) -> AssayError:
        if isinstance(error, AssayError):
            return error
        why = passing(error)
        reason = f"{why} ({error})" if why else str(error)
        text = f"the store {self._path} could not keep a record: {reason}"
        if isinstance(error, _POISON) or not isinstance(error, sqlite3.Error):
            return StoreError(text)
        return _Refused(text, why)

    def _insert(self, jobs: list[Job]) -> None:
        tables: dict[str, list[Row]] = {}
        for job in jobs:
            for table, rows in job.rows:
                tables.setdefault(table, []).extend(rows)
        if "bodies" in tables:
            tables["bodies"] = self._known.new(tables["bodies"])
        for table in _STATEMENTS:
            if table in tables:
                _insert(self._connection, table, tables[table])
        for table, statement in _UPDATES.items():
            if table in tables:
                self._connection.executemany(statement, tables[table])


class _Refused(StoreError):
    """The file refused the group; `passing` says why, where that may pass: the disk is full, or fails."""

    def __init__(self, text: str, passing: str | None) -> None:
        super().__init__(text)
        self.passing = passing


class Known:
    """The newest body names that are in the file, at most 2 * KNOWN: so that a body is sent once."""

    def __init__(self) -> None:
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def new(self, rows: Sequence[Row]) -> list[Row]:
        """The rows whose names are not known, shrunk; they are known from now on."""
        found: list[Row] = []
        for name, body in cast("Sequence[tuple[bytes, bytes]]", rows):
            if name in self._young:
                continue
            if name not in self._old:
                found.append((name, shrunk(body)))
            self._young.add(name)
        if len(self._young) > KNOWN:
            self._old, self._young = self._young, set()
        return found

    def forget(self) -> None:
        """After a transaction that failed nothing is sure."""
        self._young.clear()
        self._old.clear()


@cache
def _statement(table: str, rows: int) -> str:
    head, one, tail = _STATEMENTS[table]
    return head + ", ".join([one] * rows) + tail


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    """Inserts many rows a statement: each statement lets the event loop's thread run once."""
    at, size = 0, ROWS_A_STATEMENT
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        values = [value for row in rows[at : at + size] for value in row]
        connection.execute(_statement(table, size), values)
        at += size
