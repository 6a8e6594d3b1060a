"""Batches: runs that were posted, from their acceptance to their end."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal

import msgspec
from msgspec import Struct

from assay.errors import AssayError, StoreError
from assay.keys import JSON
from assay.store.encoding import Row, grown, json_of, names_of, packed, shrunk
from assay.store.schema import connect
from assay.store.sqlite import SqliteStore

BatchState = Literal["queued", "running", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "completed_with_errors", "failed", "cancelled"]

UNFINISHED = "('queued', 'running')"
_COLUMNS = (
    "id, run, idempotency, digest, plan, trials, prompt, state, outcome, error, created, started, ended,"
    " cancelled, figures, scenarios"
)


class QueueFull(AssayError):
    """As many batches wait as may."""


class Batch(Struct, frozen=True, kw_only=True):
    """A batch as the store keeps it; its scenarios are read apart. Instants are wall-clock ns.

    `cancelled` is when its end was asked for; `figures` what it came to, None until its end.
    `scenarios` is None for a batch of an older store, whose scenarios are all played equally often.
    """

    id: str
    run: str
    idempotency: str | None
    digest: str
    plan: JSON
    trials: int
    prompt: str | None
    state: BatchState = "queued"
    outcome: Outcome | None = None
    error: str | None = None
    created: int
    started: int | None = None
    ended: int | None = None
    cancelled: int | None = None
    figures: JSON = None
    scenarios: int | None = None

    @property
    def terminal(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state not in ("queued", "running")


def _row(batch: Batch, body: bytes, cases: tuple[str, ...], repeats: tuple[int, ...]) -> Row:
    """A batch as it is inserted. To deflate what it plays takes a while."""
    row = (batch.id, batch.run, batch.idempotency, batch.digest, shrunk(body), packed(batch.plan))
    own = shrunk(packed(repeats)) if repeats else None
    counts = (batch.trials, batch.scenarios, own)
    return (*row, shrunk(packed(cases)), *counts, batch.prompt, batch.state, batch.created)


class Batches:
    """The batches of one store. Reading is synchronous and takes tens of microseconds."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._connection = connect(store.path, write=False)

    def close(self) -> None:
        self._connection.close()

    async def add(
        self, batch: Batch, body: bytes, cases: tuple[str, ...], room: int, repeats: tuple[int, ...] = ()
    ) -> Batch:
        """The batch, kept with the scenarios that it plays (each as often as `repeats` says, where it
        says) once this returns; that of the same idempotency key where there is one.

        Raises QueueFull where `room` batches wait.
        """
        values = await asyncio.to_thread(_row, batch, body, cases, repeats)

        def act(connection: sqlite3.Connection) -> str:
            if batch.idempotency is not None:
                query = "SELECT id FROM batches WHERE idempotency = ?"
                found = connection.execute(query, (batch.idempotency,)).fetchone()
                if found is not None:
                    return str(found[0])
            waiting = connection.execute("SELECT count(*) FROM batches WHERE state = 'queued'").fetchone()[0]
            if waiting >= room:
                raise QueueFull(f"{waiting} batches wait")
            names = (
                "id, run, idempotency, digest, body, plan, cases, trials, scenarios, repeats, prompt,"
                " state, created"
            )
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO batches ({names}) VALUES ({marks})", values)  # noqa: S608  constants
            return batch.id

        kept = await self._store.transact(act)
        return self.find(kept) or batch

    async def begin(self, id: str) -> None:
        """The batch is being played."""
        await self._set(id, f"state = 'running', started = coalesce(started, {time.time_ns()})")

    async def prompts(self, id: str, version: str) -> None:
        """Which prompts the batch is played with."""
        await self._set(id, "prompt = ?", version)

    async def trouble(self, id: str, error: str | None) -> None:
        """Why a batch does not go on for now."""
        await self._set(id, "error = ?", error)

    async def end(
        self, id: str, state: BatchState, outcome: Outcome, error: str | None, figures: JSON
    ) -> None:
        """The batch has come to its end."""
        change = f"state = ?, outcome = ?, error = ?, figures = ?, ended = {time.time_ns()}"
        await self._set(id, change, state, outcome, error, packed(figures))

    async def cancel(self, id: str) -> None:
        """Asks for the end of a batch; one that waits has it at once."""
        now = time.time_ns()
        await self._set(
            id,
            f"cancelled = coalesce(cancelled, {now}), ended = iif(state = 'queued', {now}, ended),"
            " outcome = iif(state = 'queued', 'cancelled', outcome),"
            " state = iif(state = 'queued', 'cancelled', state)",
        )

    async def _set(self, id: str, change: str, *values: JSON) -> None:
        statement = f"UPDATE batches SET {change} WHERE id = ? AND state IN {UNFINISHED}"  # noqa: S608  constants
        await self._store.transact(lambda connection: connection.execute(statement, (*values, id)).rowcount)

    def find(self, id: str) -> Batch | None:
        return next(self._read("WHERE id = ?", id), None)

    def by_key(self, idempotency: str) -> Batch | None:
        """The batch that was posted with this idempotency key."""
        return next(self._read("WHERE idempotency = ?", idempotency), None)

    def next(self) -> Batch | None:
        """The batch that is to be played: one that was begun before one that waits, the oldest first."""
        return next(
            self._read(f"WHERE state IN {UNFINISHED} ORDER BY state = 'queued', number LIMIT 1"), None
        )

    def page(self, limit: int, offset: int) -> list[Batch]:
        """Batches, newest first."""
        return list(self._read("ORDER BY number DESC LIMIT ? OFFSET ?", limit, offset))

    def count(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM batches").fetchone()[0])

    def body(self, id: str) -> bytes:
        """The scenarios that a batch plays."""
        return grown(self._blob("body", id))

    def cases(self, id: str) -> tuple[str, ...]:
        """The ids of a batch's scenarios in the order in which they were posted."""
        return names_of(grown(self._blob("cases", id)))

    def repeats(self, id: str) -> dict[str, int]:
        """How often each scenario of a batch is played, by the case's id: those that are more than once."""
        raw = self._blob("repeats", id)
        every = json_of(grown(raw)) if raw else ()
        return {case: times for case, times in zip(self.cases(id), every, strict=False) if times != 1}

    def _blob(self, column: str, id: str) -> bytes:
        with closing(connect(self._store.path, write=False)) as connection:
            row = connection.execute(f"SELECT {column} FROM batches WHERE id = ?", (id,)).fetchone()  # noqa: S608  constants
            if row is None:
                raise StoreError(f"the store {self._store.path} holds no batch {id}")
            return bytes(row[0] or b"")

    def _read(self, where: str, *values: JSON) -> Iterator[Batch]:
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM batches {where}", values).fetchall()  # noqa: S608  constants
            for row in rows:
                fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
                fields["plan"] = json_of(fields["plan"])
                fields["figures"] = None if fields["figures"] is None else json_of(fields["figures"])
                yield Batch(**fields)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"the store {self._store.path} cannot be read: {error}") from error
