"""Opening: made whole or refused with a reason, upgraded step by step."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from assay.errors import ErrorClass, StoreError, UsageError
from assay.ports import Where
from assay.store import schema
from assay.store.schema import Migration, migrations, prepare
from assay.store.sqlite import SqliteStore
from assay.store.verification import verified
from assay.trial import CallState, Score, Status, Trial

DRAFTS = [
    Migration(
        1, "first", "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT);\nCREATE TABLE a (x INTEGER);\n"
    ),
    Migration(2, "second", "ALTER TABLE a ADD COLUMN y INTEGER;\nUPDATE a SET y = x + 1;\n"),
    Migration(3, "third", "CREATE TABLE b (x INTEGER);\n"),
]


def ask(place: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(place)) as connection:
        return connection.execute(query).fetchall()


def test_the_numbered_steps_have_no_gap() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_new_store_has_the_newest_version_in_its_header_and_meta_table(place, opened) -> None:
    opened(place)
    newest = migrations()[-1].number
    assert ask(place, "PRAGMA user_version") == [(newest,)]
    assert ask(place, "SELECT value FROM meta WHERE name = 'schema'") == [(str(newest),)]
    assert ask(place, "PRAGMA journal_mode") == [("wal",)]
    assert {
        row[0]
        for row in ask(
            place, "SELECT strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
        )
    } == {1}


def test_an_older_store_is_upgraded_and_keeps_its_rows(place) -> None:
    prepare(place, DRAFTS[:1], create=True)
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("INSERT INTO a VALUES (7)")
    secret = ask(place, "SELECT value FROM meta WHERE name = 'secret'")
    prepare(place, DRAFTS, create=False)
    assert ask(place, "SELECT x, y FROM a") == [(7, 8)]
    assert ask(place, "PRAGMA user_version") == [(3,)]
    assert ask(place, "SELECT value FROM meta WHERE name = 'secret'") == secret


def test_a_step_that_fails_leaves_the_version_before_it(place) -> None:
    prepare(place, DRAFTS[:1], create=True)
    broken = Migration(2, "broken", "CREATE TABLE c (x);\nCREATE TABLE a (x);\n")
    with pytest.raises(UsageError, match=r"runs\.db cannot be opened"):
        prepare(place, [DRAFTS[0], broken], create=False)
    assert ask(place, "PRAGMA user_version") == [(1,)]
    assert ask(place, "SELECT count(*) FROM sqlite_master WHERE name = 'c'") == [(0,)]


def test_a_store_of_a_newer_version_is_refused_and_left_alone(place, opened) -> None:
    prepare(place, DRAFTS, create=True)
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = place.read_bytes()
    with pytest.raises(UsageError, match="newer assay") as refusal:
        opened(place)
    assert "Upgrade" in refusal.value.fix
    assert place.read_bytes() == before


def test_a_directory_is_refused(tmp_path, opened) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        opened(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left_alone(place, opened) -> None:
    place.write_text("not a database, but long enough to look at" * 50)
    before = place.read_bytes()
    with pytest.raises(UsageError, match="is not an assay store"):
        opened(place)
    assert place.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(place, opened) -> None:
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    before = place.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        opened(place)
    assert place.read_bytes() == before


@pytest.mark.parametrize("parts", [("missing", "runs.db"), ("file", "runs.db")])
def test_a_place_that_cannot_be_made_is_refused_with_nothing_created(tmp_path, parts, opened) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be created") as refusal:
        opened(tmp_path.joinpath(*parts))
    assert str(tmp_path / parts[0]) in refusal.value.fix
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_special_file_is_refused(tmp_path, opened) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        opened(tmp_path / "pipe")


def test_a_reader_does_not_make_a_store(place, opened) -> None:
    with pytest.raises(UsageError, match="there is no store"):
        opened(place, create=False)
    assert not place.exists()


def test_an_empty_file_becomes_a_store(place, opened) -> None:
    place.touch(0o600)
    assert len(opened(place).secret) == 64
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_store_appears_whole_with_no_draft_left(place, opened) -> None:
    opened(place)
    assert {entry.name for entry in place.parent.iterdir()} <= {"runs.db", "runs.db-wal", "runs.db-shm"}


def test_of_two_makers_the_first_wins(place) -> None:
    prepare(place, DRAFTS, create=True)
    secret = ask(place, "SELECT value FROM meta WHERE name = 'secret'")
    schema._make(place, DRAFTS)
    assert ask(place, "SELECT value FROM meta WHERE name = 'secret'") == secret


def test_eight_processes_may_make_one_store(place) -> None:
    code = f"from assay.store.sqlite import SqliteStore; print(SqliteStore.open({str(place)!r}).secret)"
    makers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(8)]
    secrets = {maker.communicate(timeout=50)[0] for maker in makers}
    assert len(secrets) == 1
    assert all(maker.returncode == 0 for maker in makers)


async def readable(place: Path) -> tuple[list[Trial], Exception | None]:
    """The trials up to the damage, and how it was told."""
    read: list[Trial] = []
    try:
        store = SqliteStore.open(place, create=False)
    except UsageError as error:
        return read, error
    try:
        read.extend(store.trials(Where()))
    except StoreError as error:
        return read, error
    finally:
        await store.close()
    return read, None


async def test_a_damaged_file_is_refused_or_read_up_to_the_damage(place, tmp_path, sample) -> None:
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    trials = [await sample.played(store, f"k{n}") for n in range(150)]
    await store.end_run("run-1", "completed", None)
    await store.close()
    whole, draw, refused = place.read_bytes(), random.Random(5), 0
    for n in range(40):
        damaged = tmp_path / f"damaged-{n}.db"
        damaged.write_bytes(whole[: draw.randrange(1, len(whole))])
        read, error = await readable(damaged)
        assert read == trials[: len(read)]
        assert error is None or damaged.name in str(error)
        refused += error is not None
    assert refused > 30


FIRST = Path(__file__).with_name("version_1.sql")


async def test_a_store_of_the_first_schema_is_upgraded_read_and_gone_on_with(place, opened, sample) -> None:
    with closing(sqlite3.connect(place)) as connection:
        connection.executescript(FIRST.read_text("utf-8"))
    store = opened(place, create=False)
    assert ask(place, "PRAGMA user_version") == [(migrations()[-1].number,)]
    assert store.secret == "ab" * 32
    (run,) = store.runs()
    assert (run.id, run.state, run.planned, run.plan) == (
        "run-1",
        "interrupted",
        3,
        {"task": "qa", "rate": 1.5},
    )
    trials = {trial.key: trial for trial in store.trials(Where())}
    for n, key in enumerate(("k1", "k2", "k3"), start=1):
        expected = sample.trial(sample.done(sample.call(key), f"Four, {n} times. " * (1 if n < 3 else 120)))
        scores = (Score("exact", n == 1, "compared", details={"n": n}, scorer="exact.1.abc"),)
        assert trials[key] == structs.replace(expected, status=Status.SCORED, scores=scores)
    assert (trials["k4"].status, trials["k4"].detail) == (Status.FAILED, "timeout")
    assert trials["k4"].calls[0].error is ErrorClass.TIMEOUT
    assert store.lookup("run-1", "k1").effects[0].result == {"ok": True}
    assert store.lookup("run-1", "k5").calls[0].state is CallState.RESERVED
    await store.open_run(run)
    await sample.played(store, "k5-again")
    assert store.held("run-1") == 5
    assert [fault for fault in verified(place).faults if "planned" not in fault] == []
