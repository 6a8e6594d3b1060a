"""Waiting while the file takes no records: a full disk pauses a run, it does not end it."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.05
"""How soon a pause sees that nobody is willing to wait any longer."""
PATIENCE_SECONDS = 3600.0
REMIND_SECONDS = 60.0

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_BUSY: "another process holds it",
    sqlite3.SQLITE_LOCKED: "another process holds it",
    sqlite3.SQLITE_PROTOCOL: "another process holds it",
}
"""What may pass by itself or by a person's hand, by SQLite's primary code."""

_LOG = logging.getLogger(__name__)


def passing(error: BaseException) -> str | None:
    """Why the file takes nothing just now; None for an error that waiting does not mend."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _REASONS.get(code & 0xFF)


class Patience:
    """The writer's pauses over one file, told to people as warnings of the log.

    `willing` is asked many times a second, in the writer's thread: once it says no, or after
    `limit` seconds of one pause, nothing is waited for until a record has been taken again.
    """

    def __init__(
        self,
        path: Path,
        willing: Callable[[], bool],
        *,
        every: float = RETRY_SECONDS,
        limit: float = PATIENCE_SECONDS,
    ) -> None:
        self._path = path
        self._willing = willing
        self._every = every
        self._limit = limit
        self._began: float | None = None
        self._told: float | None = None
        self._lost = threading.Event()

    def lose(self) -> None:
        """Ends a pause at once, and for good: what the file refuses is refused to its writer."""
        self._lost.set()

    def again(self, why: str) -> bool:
        """Waits a while; whether to try once more."""
        now = time.monotonic()
        if self._lost.is_set() or not self._willing():
            return False
        self._began = now if self._began is None else self._began
        if now - self._began > self._limit:
            return False
        self._tell(why, now)
        while not self._lost.wait(LOOK_SECONDS) and self._willing():
            if time.monotonic() - now >= self._every:
                return True
        return False

    def over(self) -> None:
        """The file has taken records."""
        if self._began is not None:
            paused, self._began, self._told = time.monotonic() - self._began, None, None
            _LOG.warning("the store %s takes records again after %.0f s: the run goes on", self._path, paused)

    def _tell(self, why: str, now: float) -> None:
        if self._told is not None and now - self._told < REMIND_SECONDS:
            return
        self._told = now
        _LOG.warning(
            "%s: the store %s takes no records, and the run waits (it tries again every %g s;"
            " Ctrl-C ends it, and it can be resumed)",
            why,
            self._path,
            self._every,
        )
