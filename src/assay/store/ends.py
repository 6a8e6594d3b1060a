"""Which ends of a run's conversations were told outside: asked of SQLite, since a run may have very many."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from assay.store.figures import run_of

CHANNEL = "webhook"
"""The name of the effects that are calls of the session webhook."""


class Ends(Struct, frozen=True):
    """`owed` are the keys of the trials whose end was not told (or only begun to be); `told` the ends of
    those trials that had others before, or may have more, by the wall-clock ns of their starts.
    """

    owed: list[str]
    told: dict[str, set[int]]


def end_key(wall: int) -> str:
    """What names an end among a trial's effects: a trial that is played again has another start."""
    return f"session.end {wall}"


_OWED = """
SELECT t.key FROM trials t LEFT JOIN effects e
    ON e.trial = t.key AND e.run = t.run AND e.name = ?2 AND e.key = 'session.end ' || t.wall
WHERE t.run = ?1 AND t.status IN ('scored', 'unscored', 'failed', 'invalid') AND coalesce(e.settled, 0) = 0
ORDER BY t.id
"""
_TOLD = """
SELECT e.trial, substr(e.key, 13) FROM effects e JOIN trials t ON t.key = e.trial AND t.run = e.run
WHERE e.run = ?1 AND e.name = ?2 AND e.key LIKE 'session.end %'
    AND (t.status = 'failed' OR e.key <> 'session.end ' || t.wall)
"""


def ends(path: Path, run: str) -> Ends:
    """What a run has told of its ends, and what it has not."""
    with run_of(path, run) as (connection, number):
        owed = [key for (key,) in connection.execute(_OWED, (number, CHANNEL))]
        told: dict[str, set[int]] = {}
        for key, wall in connection.execute(_TOLD, (number, CHANNEL)):
            told.setdefault(key, set()).add(int(wall))
        return Ends(owed, told)


def owes_ends(path: Path, run: str) -> bool:
    """Whether a call that tells an end was begun and did not get through."""
    query = (
        "SELECT EXISTS (SELECT 1 FROM effects WHERE run = ? AND name = ? AND key LIKE 'session.end %'"
        " AND NOT settled)"
    )
    with run_of(path, run) as (connection, number):
        return bool(connection.execute(query, (number, CHANNEL)).fetchone()[0])
