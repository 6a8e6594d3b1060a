"""Taking things out of the store: a run with its records, and texts that nothing refers to any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from assay.errors import StoreError, UsageError
from assay.keys import run_uuid
from assay.store.encoding import split
from assay.store.heartbeat import SIGNS, alive
from assay.store.schema import connect

_OF_RUN = (
    "DELETE FROM settlements WHERE call IN (SELECT id FROM calls WHERE run = ?)",
    "DELETE FROM scores WHERE trial IN (SELECT id FROM trials WHERE run = ?)",
    "DELETE FROM scores WHERE trial IN (SELECT id FROM superseded WHERE run = ?)",
    "DELETE FROM calls WHERE run = ?",
    "DELETE FROM effects WHERE run = ?",
    "DELETE FROM trials WHERE run = ?",
    "DELETE FROM superseded WHERE run = ?",
    "DELETE FROM labels WHERE run = ?",
    "DELETE FROM reservations WHERE run = ?",
    "DELETE FROM heartbeats WHERE run = ?",
    "DELETE FROM batches WHERE run = (SELECT id FROM runs WHERE number = ?)",
    "DELETE FROM runs WHERE number = ?",
)
_LOOSE = (
    "DELETE FROM scores WHERE trial NOT IN (SELECT id FROM trials UNION SELECT id FROM superseded)",
    (
        "DELETE FROM cases WHERE hash NOT IN (SELECT case_hash FROM trials)"
        " AND hash NOT IN (SELECT case_hash FROM superseded)"
    ),
    "DELETE FROM bodies WHERE hash NOT IN (SELECT hash FROM temp.used)",
    "DELETE FROM heartbeats",
)


def delete(connection: sqlite3.Connection, number: int, run: str) -> None:
    """Removes a run's records. Raises UsageError while a process writes it."""
    query = f"SELECT {SIGNS} FROM heartbeats WHERE run = ?"  # noqa: S608  constants only
    row = connection.execute(query, (number,)).fetchone()
    if row is not None and alive(*row, this=True):
        raise UsageError(f"run {run} is being written by process {row[0]} on {row[1]}", fix="Stop it first.")
    for statement in _OF_RUN:
        connection.execute(statement, (number,))


def spooled(store: Path, run: str) -> Path:
    """The file beside a store that holds the scenarios of a posted run while and after it is played."""
    return store.absolute().with_name(f"{store.name}.batches") / f"{run_uuid(run)}.json"


def vacuum(path: Path) -> int:
    """Removes the texts that no record refers to and gives their room back; their number.

    Raises UsageError while any process writes the store: it may be about to refer to one.
    """
    try:
        with closing(connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(f"SELECT {SIGNS} FROM heartbeats").fetchall()  # noqa: S608  constants only
            for row in rows:
                if alive(*row, this=True):
                    raise UsageError(
                        f"process {row[0]} on {row[1]} is writing {path}", fix="Wait until it ends."
                    )
            before = _bodies(connection)
            connection.execute("CREATE TEMP TABLE used (hash BLOB PRIMARY KEY) WITHOUT ROWID")
            connection.executemany("INSERT OR IGNORE INTO temp.used VALUES (?)", _used(connection))
            for statement in _LOOSE:
                connection.execute(statement)
            removed = before - _bodies(connection)
            connection.execute("COMMIT")
            connection.execute("VACUUM")
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} could not be vacuumed: {error}") from error
    return removed


def _bodies(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM bodies").fetchone()[0])


def _used(connection: sqlite3.Connection) -> Iterator[tuple[bytes]]:
    for query in (
        "SELECT messages FROM calls",
        "SELECT messages FROM trials",
        "SELECT messages FROM superseded",
    ):
        for (names,) in connection.execute(query):
            yield from ((name,) for name in split(names))
    for query in (
        "SELECT tools FROM calls WHERE tools IS NOT NULL",
        "SELECT schema FROM calls WHERE schema IS NOT NULL",
        "SELECT said FROM settlements WHERE said IS NOT NULL",
    ):
        yield from connection.execute(query)
