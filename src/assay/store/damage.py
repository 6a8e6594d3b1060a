"""The marks of a store that was cut short, looked for before it is read: SQLite takes for zeros what is
gone of a file whose log is there.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from assay.errors import UsageError
from assay.store.heartbeat import SIGNS, alive
from assay.store.schema import connect

LOG_HEADER, FRAME_HEADER = 32, 24
LOCK_BYTE = 0x40000000
"""The page that holds this byte is never written."""


class Damaged(UsageError):
    """A store of which something is gone; it was left as it is."""

    def __init__(self, path: Path, gone: str) -> None:
        super().__init__(
            f"the store {path} is damaged: {gone}",
            fix="Restore a copy (its -wal file with it), or save what is left: sqlite3 FILE .recover",
        )


def damage(path: Path) -> str | None:
    """What is gone of the store at `path`, None where all is there; changes nothing.

    A page must be in the file or in the write-ahead log. A log whose writer is dead may have lost what
    the file has already taken over, and then the two do not fit together: the whole is checked, once
    (4 us a trial), for who opens it next to write empties the log.
    """
    try:
        with closing(connect(path, write=False)) as connection:
            connection.execute("BEGIN")
            return _gone(connection, path)
    except sqlite3.DatabaseError as error:
        corrupt = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
        return str(error) if corrupt else None  # of all else, who opens it to write is told


def _gone(connection: sqlite3.Connection, path: Path) -> str | None:
    (pages,), (size,), (free,) = (
        connection.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_count", "page_size", "freelist_count")
    )
    log = Path(f"{path}-wal")
    held = path.stat().st_size // size
    if held < pages:
        logged = set(_logged(log, size))
        gone = [n for n in range(held + 1, pages + 1) if n not in logged and n != LOCK_BYTE // size + 1]
        if len(gone) > free:
            return f"{len(gone)} of its {pages} pages are gone"
        if gone:  # pages that are free may never have been written
            return _unsound(connection)
    if log.exists() and log.stat().st_size and not _written(connection):
        return _unsound(connection)
    return None


def _logged(log: Path, size: int) -> Iterator[int]:
    """The pages that the log holds."""
    if not log.exists():
        return
    with log.open("rb") as file:  # no lock of SQLite's lies on it that closing would drop
        salts = file.read(LOG_HEADER)[16:24]
        while len(header := file.read(FRAME_HEADER)) == FRAME_HEADER:
            if header[8:16] != salts:
                return
            yield struct.unpack(">I", header[:4])[0]
            file.seek(size, 1)


def _written(connection: sqlite3.Connection) -> bool:
    """Whether a living process holds the store."""
    rows = connection.execute(f"SELECT {SIGNS} FROM heartbeats").fetchall()  # noqa: S608  constants only
    return any(alive(*row, this=True) for row in rows)


def _unsound(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return None if found == "ok" else str(found)


def refuse_damaged(place: Path) -> None:
    """Before anything is written: to open a cut log is to make what it lost final."""
    if place.is_file() and (gone := damage(place)) is not None:
        raise Damaged(place, gone)
