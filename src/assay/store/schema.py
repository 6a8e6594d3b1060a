"""The database file: made whole or not at all, refused with a reason, upgraded by numbered migrations."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from importlib import resources
from pathlib import Path

from msgspec import Struct

from assay.errors import UsageError

APPLICATION_ID = 0x61737379
"""What the file's header says to tell an assay store from another program's database."""

BUSY_SECONDS = 30.0
CHECKPOINT_PAGES = 4000


class Migration(Struct, frozen=True):
    """One step of the schema: from version `number` - 1 to `number`."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All steps, in order, read from the package's `migrations/NNNN_name.sql`."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text("utf-8"))
        for entry in resources.files("assay.store").joinpath("migrations").iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name))
    ]
    return sorted(found, key=lambda step: step.number)


def prepare(path: Path, steps: Sequence[Migration], *, create: bool) -> None:
    """Makes the store at `path`, or brings an older one up to date; leaves a current one alone.

    Raises UsageError, with nothing created, where `path` is no store of a version known here.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory, not a store", fix="Name a file, such as runs.db in it.")
    if not path.exists():
        if not create:
            raise UsageError(
                f"there is no store at {path}", fix="Run something first, or name another store."
            )
        _make(path, steps)
        return
    _check_regular(path)
    try:
        with closing(connect(path)) as connection:
            _upgrade(connection, path, steps)
    except sqlite3.DatabaseError as error:
        raise _refusal(path, error) from error


def connect(path: Path, *, write: bool = True) -> sqlite3.Connection:
    """A connection in autocommit mode; a writing one syncs as NORMAL in the write-ahead log."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    if write:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    return connection


def _check_regular(path: Path) -> None:
    """Looks at the file without opening it: to close it would drop this process's locks on it (POSIX)."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError(f"{path} is not a regular file", fix="Name a file on a local disk.")
    if not os.access(path, os.R_OK):
        raise UsageError(f"the store {path} cannot be read", fix="Check its owner and mode (it is 0600).")


def _make(path: Path, steps: Sequence[Migration]) -> None:
    """Builds the store beside its place and links it in: another process sees all of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise UsageError(
            f"the store {path} cannot be created: {error.strerror}",
            fix=f"Make its directory {path.parent} if it is missing, or name a place that you may write to.",
        ) from error
    try:
        with closing(connect(draft)) as connection:
            _upgrade(connection, path, steps)
        _link(draft, path)
    except sqlite3.Error as error:
        raise UsageError(
            f"the store {path} cannot be created: {error}", fix="Name a file on a local disk with room."
        ) from error
    finally:
        for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
            leftover.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first; its store is as good
    except OSError:
        draft.rename(path)  # a file system without hard links


def _upgrade(connection: sqlite3.Connection, path: Path, steps: Sequence[Migration]) -> None:
    _check(connection, path, steps)
    if _number(connection, "user_version") == _newest(steps):
        return
    connection.execute("PRAGMA journal_mode=WAL")
    for step in steps:
        _apply(connection, step)


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    """Takes one step in one transaction, unless another process has taken it meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _number(connection, "user_version") < step.number:
            for statement in _statements(step.sql):
                connection.execute(statement)
            if step.number == 1:
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_hex(32),))
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(step.number),))
            connection.execute(f"PRAGMA user_version={step.number}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The script's statements: a transaction around `executescript` would be committed by it."""
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found


def _check(connection: sqlite3.Connection, path: Path, steps: Sequence[Migration]) -> None:
    """Refuses another program's database and a newer store."""
    application, version = _number(connection, "application_id"), _number(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (tables or version or application):
        raise UsageError(
            f"{path} is a database of another program, not an assay store",
            fix="Name another file for the store.",
        )
    if version > _newest(steps):
        raise UsageError(
            f"the store {path} was written by a newer assay (schema {version}, not {_newest(steps)})",
            fix="Upgrade assay, or name another store.",
        )


def _newest(steps: Sequence[Migration]) -> int:
    return max((step.number for step in steps), default=0)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _refusal(path: Path, error: sqlite3.DatabaseError) -> UsageError:
    if "not a database" in str(error):
        return UsageError(f"{path} is not an assay store", fix="Name another file for the store.")
    return UsageError(
        f"the store {path} cannot be opened: {error}",
        fix="See that you may write it and its directory. If it is damaged, restore a copy.",
    )
