"""A page of trials read together: one query for all their calls, one for scores, one for texts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from assay.case import Case
from assay.errors import StoreError
from assay.keys import JSON
from assay.store.encoding import (
    CALL_COLUMNS,
    Found,
    call_of,
    case_of,
    score_of,
    split,
    transcript_of,
)
from assay.trial import Call, Score, Status, Trial

AT_ONCE = 500
"""Values of one query's list."""

TRIALS = (
    "SELECT t.id, t.run, (SELECT id FROM runs WHERE number = t.run), t.key, k.body, t.model,"
    " t.repeat, t.seed, t.status, t.detail, t.phase, t.due, t.started, t.ended, t.wall, t.messages,"
    " t.transcript, t.final, t.case_hash"
    " FROM trials t JOIN cases k ON k.hash = t.case_hash"
)
_CALLS = f"SELECT {CALL_COLUMNS} FROM calls c LEFT JOIN settlements s ON s.call = c.id"  # noqa: S608  constants
_SCORES = "SELECT trial, name, score FROM scores"
_BODIES = "SELECT hash, body FROM bodies"

Sound = Callable[[bytes, bytes], bytes]
"""Gives the bytes that were stored under a hash; raises StoreError where they are others."""


class Page:
    """The trials of these rows of `TRIALS`; with `calls` False only those that brought an answer are read."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        rows: Sequence[Sequence[JSON]],
        sound: Sound,
        *,
        calls: bool,
    ) -> None:
        self._connection = connection
        self._rows = rows
        self._sound = sound
        self._cases: dict[bytes, Case] = {}
        self._scores = self._all_scores()
        told = self._all_calls() if calls else []
        self._brought = self._finals(told)
        self._found = Found(self._all_bodies([*told, *self._brought]).__getitem__)
        self._calls: dict[tuple[int, str], dict[int, Call]] = {}
        self._names = {row[1]: row[2] for row in rows}
        for run, row in told:
            held = self._calls.setdefault((run, row[1]), {})
            held[row[0]] = call_of(self._names[run], row, self._found)

    def trials(self) -> list[Trial]:
        """In the order of the rows."""
        brought = {row[0]: call_of(self._names[run], row, self._found) for run, row in self._brought}
        return [self._trial(row, brought) for row in self._rows]

    def _trial(self, row: Sequence[JSON], brought: dict[int, Call]) -> Trial:
        number, run, name, key, case, model, repeat, seed, status, detail, *rest = row
        phase, due, started, ended, wall, messages, transcript, final, hashed = rest
        calls = self._calls.get((run, key), {})
        answer = calls.get(final) or brought.get(final)
        return Trial(
            run=name,
            key=key,
            case=self._case(hashed, case),
            model=model,
            repeat=repeat,
            seed=seed,
            status=Status(status),
            detail=detail,
            phase=phase,
            due=due,
            started=started,
            ended=ended,
            wall=wall,
            transcript=transcript_of(
                messages, transcript, self._found, answer.reply if answer is not None else None
            ),
            calls=tuple(calls.values()),
            scores=tuple(self._scores.get(number, {}).values()),
        )

    def _case(self, name: bytes, body: bytes) -> Case:
        case = self._cases.get(name)
        if case is None:
            case = self._cases[name] = case_of(self._sound(name, body))
        return case

    def _all_calls(self) -> list[tuple[int, Sequence[JSON]]]:
        """The rows of every call of every trial with its run, in the order of their recording."""
        keys: dict[int, list[str]] = {}
        for row in self._rows:
            keys.setdefault(row[1], []).append(row[3])
        return [
            (run, row)
            for run, trials in keys.items()
            for row in self._asked(
                f"{_CALLS} WHERE c.run = ? AND c.trial IN", trials, (run,), "ORDER BY +c.id"
            )
        ]

    def _finals(self, told: Sequence[tuple[int, Sequence[JSON]]]) -> list[tuple[int, Sequence[JSON]]]:
        """The rows of the calls that brought a final answer and are not among those."""
        held = {row[0] for _, row in told}
        missing = {row[17]: row[1] for row in self._rows if row[17] is not None and row[17] not in held}
        rows = self._asked(f"{_CALLS} WHERE c.id IN", list(missing))
        return [(missing[row[0]], row) for row in rows]

    def _all_scores(self) -> dict[int, dict[str, Score]]:
        """By trial, of each name the newest."""
        found: dict[int, dict[str, Score]] = {}
        rows = self._asked(f"{_SCORES} WHERE trial IN", [row[0] for row in self._rows], (), "ORDER BY id")
        for trial, name, score in rows:
            newest = found.setdefault(trial, {})
            newest.pop(name, None)
            newest[name] = score_of(score)
        return found

    def _all_bodies(self, calls: Iterable[tuple[int, Sequence[JSON]]]) -> dict[bytes, bytes]:
        """Every text that the page refers to, by its hash."""
        names: dict[bytes, None] = {}
        for _, row in calls:
            names.update(dict.fromkeys(_bodies_of(row)))
        for row in self._rows:
            names.update(dict.fromkeys(split(row[15])))
        found = {
            name: self._sound(name, body)
            for name, body in self._asked(f"{_BODIES} WHERE hash IN", list(names))
        }
        for name in names:
            if name not in found:
                raise StoreError(f"the store is damaged: it lacks the body {name.hex()}")
        return found

    def _asked(
        self, query: str, values: Sequence[JSON], before: tuple[JSON, ...] = (), after: str = ""
    ) -> list[Sequence[JSON]]:
        """The rows of a query for each of these values, AT_ONCE of them at a time."""
        found: list[Sequence[JSON]] = []
        for at in range(0, len(values), AT_ONCE):
            some = values[at : at + AT_ONCE]
            marks = ", ".join("?" * len(some))
            found += self._connection.execute(f"{query} ({marks}) {after}", (*before, *some)).fetchall()
        return found


_REFERENCES = [
    [name.strip() for name in CALL_COLUMNS.split(",")].index(column)
    for column in ("c.messages", "c.tools", "c.schema", "s.said")
]


def _bodies_of(row: Sequence[JSON]) -> Iterator[bytes]:
    """The names of all bodies that a row of `CALL_COLUMNS` refers to."""
    messages, tools, schema, said = (row[place] for place in _REFERENCES)
    yield from split(messages)
    yield from (name for name in (tools, schema, said) if name)
