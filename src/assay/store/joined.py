"""The record as a run's workers share it: one process writes the file, the others hand it their rows."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import time
from pathlib import Path

from msgspec import Struct

from assay.ports import Run
from assay.store.patience import Patience
from assay.store.sqlite import SESSION_BITS, SqliteStore
from assay.store.writer import Recorder, Tables, Tell


class Membership(Struct, frozen=True):
    """What a worker needs to record beside others: its session numbers its rows and nobody else's.

    `run` is the run's number in the file.
    """

    path: str
    session: int
    run: int


class SharedStore(SqliteStore):
    """The store of the process that writes, with what it does for workers."""

    async def admit(self, run: str) -> Membership:
        """A session for a worker of the run that is opened here."""
        writer = await self._writing()

        def act(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "INSERT INTO sessions (pid, host, opened) VALUES (?, ?, ?) RETURNING id",
                (os.getpid(), socket.gethostname(), time.time_ns()),
            ).fetchone()
            return int(row[0])

        session = await writer.do(act)
        return Membership(str(self._path), session, self._number(run))

    def relay(self, run: int, rows: Tables, tell: Tell) -> None:
        """Commits a worker's rows, in the order of the calls of this; `tell` hears when they are."""
        self._posting().relay(run, rows, tell)


class JoinedStore(SqliteStore):
    """A worker's store: it reads the file itself, and what it records goes through `recorder`."""

    def __init__(self, recorder: Recorder, run: Run, membership: Membership) -> None:
        path = Path(membership.path)
        super().__init__(path, Patience(path, lambda: False))
        self._writer = recorder
        self._begun = True
        self._ids = itertools.count(membership.session << SESSION_BITS)
        self._take_up(run, membership.run, resumed=True)
