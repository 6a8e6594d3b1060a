"""A resumed run's record, read a little ahead of what is asked: plan and record have nearly one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.trial import Status

PAGE = 512
ROOM = 4096
"""Trials read and not asked for yet; more lie ahead where the record is in another order."""

Read = Callable[[int, int], Sequence[tuple[int, str, str]]]
"""Gives (id, key, status) of the trials after an id, at most so many, in the order of their ids."""


class Ahead:
    """Knows the statuses of recorded trials without a query for each.

    What it does not know may be recorded all the same: then the file must be asked.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._at = 0
        self._more = True
        self._known: dict[str, str] = {}

    def take(self, key: str) -> Status | None:
        """The status of a recorded trial, told once; None where it is not known."""
        while key not in self._known and self._more and len(self._known) < ROOM:
            rows = self._read(self._at, PAGE)
            self._known.update((name, status) for _, name, status in rows)
            self._more = len(rows) == PAGE
            self._at = rows[-1][0] if rows else self._at
        found = self._known.pop(key, None)
        return None if found is None else Status(found)

    def forget(self, key: str) -> None:
        """The trial has been recorded anew."""
        self._known.pop(key, None)
