"""Reading the store: on connections of its own that never write, trials a page at a time."""

from __future__ import annotations

import itertools
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from assay.errors import StoreError
from assay.keys import JSON
from assay.ports import Effect, Held, Run, Where
from assay.store.encoding import (
    CALL_COLUMNS,
    Found,
    call_of,
    grown,
    json_of,
    named,
    names_of,
)
from assay.store.heartbeat import SIGNS, alive
from assay.store.pages import TRIALS, Page
from assay.store.schema import connect
from assay.trial import Call, Label, Status, Trial

PAGE = 32
"""Trials read in one transaction: a slow listener never holds the write-ahead log back."""

_CALLS = (
    f"SELECT {CALL_COLUMNS}, (SELECT id FROM runs WHERE number = c.run)"  # noqa: S608  constants only
    " FROM calls c LEFT JOIN settlements s ON s.call = c.id"
)
_EFFECTS = (
    "SELECT (SELECT id FROM runs WHERE number = e.run), trial, name, key, settled, outcome FROM effects e"
)
_RUNS = (
    "SELECT r.id, r.plan, r.task, r.fingerprint, r.headline, r.models, r.planned, r.seed, r.wall, r.version,"
    " r.state, r.stop, r.ended, h.pid, h.host, h.beat, h.boot, h.tick"
    " FROM runs r LEFT JOIN heartbeats h ON h.run = r.number"
)


class Spent(Struct, frozen=True):
    """What a run's live calls have used, in tokens and dollars.

    `unknown` calls were in flight at a kill and `unpriced` ones have no known cost: `cost` leaves
    both out, so it is a lower bound where either is not 0.
    """

    calls: int
    failed: int
    unknown: int
    unpriced: int
    input: int
    output: int
    cost: Decimal


class Reader:
    """One read-only connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, write=False)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (sqlite3.Error, msgspec.MsgspecError, zlib.error, ValueError) as error:
            raise StoreError(f"the store {self._path} cannot be read: {error}") from error

    def _found(self) -> Found:
        def fetch(name: bytes) -> bytes:
            row = self._connection.execute("SELECT body FROM bodies WHERE hash = ?", (name,)).fetchone()
            if row is None:
                raise StoreError(f"the store {self._path} is damaged: it lacks the body {name.hex()}")
            return self._sound(name, row[0])

        return Found(fetch)

    def _sound(self, name: bytes, stored: bytes) -> bytes:
        """The bytes that were stored under their hash. Raises StoreError where they are others."""
        raw = grown(bytes(stored))
        if named(raw) != name:
            raise StoreError(f"the store {self._path} is damaged: {name.hex()} is not what was written")
        return raw

    def meta(self, name: str) -> str:
        with self._reading() as connection:
            return str(connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])

    def number(self, run: str) -> int | None:
        """The number that stands for a run in the tables."""
        with self._reading() as connection:
            row = connection.execute("SELECT number FROM runs WHERE id = ?", (run,)).fetchone()
        return None if row is None else int(row[0])

    def runs(self) -> list[Run]:
        """All runs, newest first; one whose process is gone is interrupted."""
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(f"{_RUNS} ORDER BY r.number DESC")]

    def status(self, run: int, key: str) -> Status | None:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT status FROM trials WHERE key = ? AND run = ?", (key, run)
            ).fetchone()
        return None if row is None else Status(row[0])

    def count(self, run: int) -> int:
        """How many trials of a run are recorded."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM trials WHERE run = ?", (run,)).fetchone()[0])

    def keys(self, run: int) -> Iterator[str]:
        """The keys of a run's recorded trials."""
        with self._reading() as connection:
            yield from (row[0] for row in connection.execute("SELECT key FROM trials WHERE run = ?", (run,)))

    def statuses(self, run: int, after: int, most: int) -> list[tuple[int, str, str]]:
        """Id, key and status of a run's trials after an id, in the order of their ids."""
        query = "SELECT id, key, status FROM trials WHERE run = ? AND id > ? ORDER BY id LIMIT ?"
        with self._reading() as connection:
            return connection.execute(query, (run, after, most)).fetchall()

    def unfinished(self, run: int) -> Iterator[str]:
        """The keys under which a run has calls or effects, but no scored trial."""
        scored = "SELECT 1 FROM trials t WHERE t.key = x.trial AND t.run = x.run AND t.status = 'scored'"
        query = " UNION ".join(
            f"SELECT trial FROM {table} x WHERE run = ?1 AND NOT EXISTS ({scored})"  # noqa: S608  constants only
            for table in ("calls", "effects")
        )
        with self._reading() as connection:
            yield from (row[0] for row in connection.execute(query, (run,)))

    def call_numbers(self, run: int, trial: str) -> dict[str, int]:
        """The recorded attempts at a trial: row by call id."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT role, ordinal, attempt, id FROM calls WHERE trial = ? AND run = ?", (trial, run)
            )
            return {f"{role}.{ordinal}.{attempt}": number for role, ordinal, attempt, number in rows}

    def held(self, run: int, key: str) -> Held:
        """What this run has recorded of a play key, oldest first."""
        with self._reading() as connection:
            effects = connection.execute(f"{_EFFECTS} WHERE trial = ? AND run = ? ORDER BY e.id", (key, run))
            return Held(
                tuple(self._calls("c.trial = ? AND c.run = ? ORDER BY +c.id", (key, run), self._found())),
                tuple(_effect(row) for row in effects),
            )

    def cached(self, run: int, key: str) -> Held:
        """The successes that other runs have recorded of a play key, newest run first."""
        where = "c.trial = ? AND c.run <> ? AND s.state = 'done' ORDER BY c.run DESC, +c.id"
        with self._reading() as connection:
            effects = connection.execute(
                f"{_EFFECTS} WHERE trial = ? AND run <> ? AND settled ORDER BY e.run DESC, e.id", (key, run)
            )
            found = [effect for row in effects if (effect := _effect(row)).error is None]
            return Held(tuple(self._calls(where, (key, run), self._found())), tuple(found))

    def spent(self, run: int) -> Spent:
        query = (
            "SELECT s.state, s.cost, count(*), total(s.input), total(s.output) FROM calls c"
            " LEFT JOIN settlements s ON s.call = c.id WHERE c.run = ? AND c.origin = 'live' GROUP BY 1, 2"
        )
        counts = {"done": 0, "failed": 0, None: 0}
        unpriced = tokens_in = tokens_out = 0
        cost = Decimal(0)
        with self._reading() as connection:
            for state, price, calls, read, written in connection.execute(query, (run,)):
                counts[state] += calls
                tokens_in += int(read)
                tokens_out += int(written)
                if price is not None:
                    cost += Decimal(price) * calls
                elif state is not None:
                    unpriced += calls
        total = sum(counts.values())
        return Spent(total, counts["failed"], counts[None], unpriced, tokens_in, tokens_out, cost)

    def labels(self, run: int) -> list[Label]:
        """Of each rater, trial and score the newest label, in the order of their writing."""
        query = "SELECT trial, name, value, rater, note, wall FROM labels WHERE run = ? ORDER BY id"
        newest: dict[tuple[str, str, str], Label] = {}
        with self._reading() as connection:
            for trial, name, value, rater, note, wall in connection.execute(query, (run,)):
                newest.pop((trial, name, rater), None)
                newest[trial, name, rater] = Label(trial, name, float(value), rater, note, wall)
        return list(newest.values())

    def unpriced(self, run: int) -> list[Call]:
        """The live calls of a run whose cost is not known, in flight at a kill or without a usage."""
        with self._reading():
            return self._calls(
                "c.run = ? AND c.origin = 'live' AND s.cost IS NULL ORDER BY +c.id", (run,), self._found()
            )

    def trials(self, where: Where) -> Iterator[Trial]:
        """The trials recorded by now, in the order of their recording."""
        conditions, values = self._conditions(where)
        with self._reading() as connection:
            last = connection.execute("SELECT max(id) FROM trials").fetchone()[0]
        query = f"{TRIALS} WHERE t.id > ? AND t.id <= ?{conditions} ORDER BY t.id LIMIT {PAGE}"
        at = 0
        while last is not None:
            with self._reading() as connection:
                connection.execute("BEGIN")
                try:
                    rows = connection.execute(query, (at, last, *values)).fetchall()
                    self._check_order(at, rows)
                    page = Page(connection, rows, self._sound, calls=where.calls).trials()
                finally:
                    connection.execute("COMMIT")
            yield from page
            if len(rows) < PAGE:
                return
            at = rows[-1][0]

    def _check_order(self, at: int, rows: Sequence[Sequence[JSON]]) -> None:
        """Pages that do not fit together can make a tree that goes in circles. Raises StoreError."""
        ids = [at, *(row[0] for row in rows)]
        if any(a >= b for a, b in itertools.pairwise(ids)):
            raise StoreError(f"the store {self._path} is damaged: its trials are out of order")

    def _conditions(self, where: Where) -> tuple[str, list[JSON]]:
        wanted = {
            "t.run": None if where.run is None else self.number(where.run) or -1,
            "t.model": where.model,
            "t.status": where.status,
            "t.key": where.key,
            "k.id": where.case,
        }
        given = {column: value for column, value in wanted.items() if value is not None}
        return "".join(f" AND {column} = ?" for column in given), list(given.values())

    def _calls(self, where: str, values: tuple[JSON, ...], found: Found) -> list[Call]:
        rows = self._connection.execute(f"{_CALLS} WHERE {where}", values).fetchall()
        return [call_of(row[-1], row[:-1], found) for row in rows]


def read_trials(path: Path, where: Where) -> Iterator[Trial]:
    """Trials read on a connection of their own, closed when the last one or the reader is gone."""
    with closing(Reader(path)) as reader:
        yield from reader.trials(where)


def _run(row: Sequence[JSON]) -> Run:
    fields, signs = row[: -len(SIGNS.split())], row[-len(SIGNS.split()) :]
    names = ("id", "plan", "task", "fingerprint", "headline", "models", "planned", "seed", "wall", "version")
    run = Run(**dict(zip((*names, "state", "stop", "ended"), fields, strict=True)))
    run = structs.replace(run, plan=json_of(fields[1]), models=names_of(fields[5]))
    return (
        structs.replace(run, state="interrupted") if run.state == "running" and not _written(signs) else run
    )


def _written(signs: Sequence[JSON]) -> bool:
    """Whether the run is being written, by this process or another."""
    return signs[0] is not None and alive(*signs, this=True)


def _effect(row: Sequence[JSON]) -> Effect:
    run, trial, name, key, settled, outcome = row
    result, error = json_of(outcome) if settled else (None, None)
    return Effect(run, trial, name, key, bool(settled), result, error)
