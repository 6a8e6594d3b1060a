"""Who writes a run: one process at a time, told by a heartbeat row that its writer renews.

The session number fences: a writer whose row was taken over (it had stopped for too long) writes no more.
Its age comes from the monotonic clock, which all processes of a machine share and nobody can set.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from assay.errors import UsageError

BEAT_SECONDS = 2.0
FRESH_SECONDS = 10.0
"""A heartbeat older than this is nobody's: its process is dead or has stopped."""
SIGNS = "pid, host, beat, boot, tick"
"""The columns from which `alive` tells, in its order."""


class Taken(UsageError):
    """Another live process writes the run."""


class Heartbeats:
    """The runs that this process writes. Its methods are called in the writer's transactions."""

    def __init__(self, period: float = BEAT_SECONDS) -> None:
        self.session = 0
        self._period = period
        self._mine: set[int] = set()
        self._host = socket.gethostname()
        self._beaten = time.monotonic()

    @property
    def due_in(self) -> float:
        """Seconds until the next beat."""
        return max(0.0, self._beaten + self._period - time.monotonic())

    def beat_is_due(self) -> bool:
        """Whether to beat now; at once the next beat is due a period later, whatever comes of this one."""
        if self.due_in:
            return False
        self._beaten = time.monotonic()
        return bool(self._mine)

    def begin(self, connection: sqlite3.Connection) -> int:
        """A session number for this process: a new one at each try, since the last may not have been kept."""
        row = connection.execute(
            "INSERT INTO sessions (pid, host, opened) VALUES (?, ?, ?) RETURNING id",
            (os.getpid(), self._host, time.time_ns()),
        ).fetchone()
        self.session = int(row[0])
        self._hold(connection, -self.session)  # so that `vacuum` sees a writer without a run
        return self.session

    def claim(self, connection: sqlite3.Connection, run: int, name: str) -> None:
        """Takes the run. Raises UsageError while another live process writes it."""
        row = connection.execute(
            f"SELECT session, since, {SIGNS} FROM heartbeats WHERE run = ?",  # noqa: S608  constants only
            (run,),
        ).fetchone()
        if row is not None and row[0] != self.session and alive(*row[2:]):
            raise Taken(
                f"run {name} is being written by process {row[2]} on {row[3]} since {_clock(row[1])}",
                fix="Wait until it ends or stop it; then resume the run, or start another one.",
            )
        self._hold(connection, run)

    def _hold(self, connection: sqlite3.Connection, run: int) -> None:
        now = time.time_ns()
        connection.execute(
            "INSERT OR REPLACE INTO heartbeats VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run, self.session, os.getpid(), self._host, now, now, boot(), time.monotonic_ns()),
        )
        self._mine.add(run)

    def release(self, connection: sqlite3.Connection, run: int) -> None:
        connection.execute("DELETE FROM heartbeats WHERE run = ? AND session = ?", (run, self.session))
        self._mine.discard(run)

    def release_all(self, connection: sqlite3.Connection) -> None:
        if self._mine:
            connection.execute("DELETE FROM heartbeats WHERE session = ?", (self.session,))
            self._mine.clear()

    def beat(self, connection: sqlite3.Connection) -> None:
        """Renews this session's rows."""
        connection.execute(
            "UPDATE heartbeats SET beat = ?, tick = ? WHERE session = ?",
            (time.time_ns(), time.monotonic_ns(), self.session),
        )

    def lost(self, connection: sqlite3.Connection) -> set[int]:
        """Runs that were this session's and that another process has taken over."""
        if not self._mine:
            return set()
        rows = connection.execute("SELECT run FROM heartbeats WHERE session = ?", (self.session,))
        return self._mine - {row[0] for row in rows}


def alive(pid: int, host: str, beat: int, booted: str, tick: int, *, this: bool = False) -> bool:
    """Whether a heartbeat stands for a process that is still writing; `this` answers for this one.

    A writer of this boot is as old as its monotonic `tick` says; only of one elsewhere is the wall clock
    believed, where both are within FRESH_SECONDS of each other.
    """
    here = booted == boot() != ""
    age = time.monotonic_ns() - tick if here else time.time_ns() - beat
    if abs(age) > FRESH_SECONDS * 1e9:
        return False
    if host != socket.gethostname() or (booted and not here):
        return True
    if pid == os.getpid():
        return this
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def boot() -> str:
    """What names this start of the machine; empty where the system does not tell."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


def _clock(wall: int) -> str:
    return datetime.fromtimestamp(wall / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
