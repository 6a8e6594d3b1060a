"""What a run's records add up to, asked of SQLite: counts by case, scores, what each role and model cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from assay.errors import StoreError
from assay.store.schema import connect
from assay.trial import Status


class Spending(Struct, frozen=True):
    """The live calls of one role by one model. `cost` is dollars of those whose price is known;
    `unknown` were in flight at a kill (or are now), `unpriced` have an end but no known price.
    """

    role: str
    model: str
    requests: int
    failed: int
    unknown: int
    unpriced: int
    input: int
    output: int
    cached: int
    cost: Decimal


class Ended(Struct, frozen=True):
    """How many of one case's trials are recorded with one status."""

    case: str
    status: Status
    trials: int


def ended(path: Path, run: str) -> list[Ended]:
    """A run's recorded trials by case and status."""
    query = (
        "SELECT k.id, t.status, count(*) FROM trials t JOIN cases k ON k.hash = t.case_hash"
        " WHERE t.run = ? GROUP BY 1, 2"
    )
    with run_of(path, run) as (connection, number):
        return [Ended(case, Status(status), n) for case, status, n in connection.execute(query, (number,))]


def last_end(path: Path, run: str) -> int:
    """When a run ended last, in wall-clock ns; 0 where it never did."""
    with run_of(path, run) as (connection, number):
        row = connection.execute("SELECT ended FROM runs WHERE number = ?", (number,)).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])


def numbers(path: Path, run: str, name: str) -> list[float]:
    """The values of one score over a run's trials, of each trial the newest; unscored ones are left out."""
    query = (
        "SELECT (SELECT s.number FROM scores s WHERE s.trial = t.id AND s.name = ?"
        " ORDER BY s.id DESC LIMIT 1) FROM trials t WHERE t.run = ?"
    )
    with run_of(path, run) as (connection, number):
        return [value for (value,) in connection.execute(query, (name, number)) if value is not None]


def spending(path: Path, run: str) -> list[Spending]:
    """What each role and model used and cost, over the run's live calls."""
    query = (
        "SELECT c.role, c.model, s.state, s.cost, count(*), total(s.input), total(s.output), total(s.cached)"
        " FROM calls c LEFT JOIN settlements s ON s.call = c.id"
        " WHERE c.run = ? AND c.origin = 'live' GROUP BY 1, 2, 3, 4"
    )
    found: dict[tuple[str, str], Spending] = {}
    with run_of(path, run) as (connection, number):
        for role, model, state, price, calls, *tokens in connection.execute(query, (number,)):
            had = found.get((role, model), Spending(role, model, 0, 0, 0, 0, 0, 0, 0, Decimal(0)))
            unpriced = calls if price is None and state is not None else 0
            found[role, model] = Spending(
                role,
                model,
                had.requests + calls,
                had.failed + (calls if state == "failed" else 0),
                had.unknown + (calls if state is None else 0),
                had.unpriced + unpriced,
                had.input + int(tokens[0]),
                had.output + int(tokens[1]),
                had.cached + int(tokens[2]),
                had.cost + Decimal(price or 0) * calls,
            )
    return list(found.values())


def in_order(path: Path, run: str, cases: tuple[str, ...]) -> Iterator[str]:
    """The keys of a run's trials in the order of its cases, then repeats: a number a trial is held."""
    places = {case: place for place, case in enumerate(cases)}
    query = "SELECT k.id, t.repeat, t.id FROM trials t JOIN cases k ON k.hash = t.case_hash WHERE t.run = ?"
    with run_of(path, run) as (connection, number):
        rows = connection.execute(query, (number,))
        order = sorted((places.get(case, len(places)) << 20 | repeat, row) for case, repeat, row in rows)
        for _, row in order:
            yield connection.execute("SELECT key FROM trials WHERE id = ?", (row,)).fetchone()[0]


@contextmanager
def run_of(path: Path, run: str) -> Iterator[tuple[sqlite3.Connection, int]]:
    """A connection and the run's number: -1, which no record has, where there is no such run."""
    try:
        with closing(connect(path, write=False)) as connection:
            row = connection.execute("SELECT number FROM runs WHERE id = ?", (run,)).fetchone()
            yield connection, -1 if row is None else int(row[0])
    except (sqlite3.Error, ArithmeticError) as error:
        raise StoreError(f"the store {path} cannot be read: {error}") from error
