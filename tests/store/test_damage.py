"""A store cut anywhere: it opens with the rows up to the damage, or is refused; no row is wrong."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assay.errors import StoreError, UsageError
from assay.ports import Where
from assay.store.damage import damage
from assay.store.sqlite import SqliteStore
from assay.trial import Trial

DAMAGE = Path(__file__).parents[2] / "benchmarks" / "damage.py"


@pytest.fixture
async def writing(place, sample):
    """A store in use, part of its record in its file and part in its log."""
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    for n in range(120):
        await sample.played(store, f"k{n}", text=f"Four {n} " * 700)
        if n == 60:
            with closing(sqlite3.connect(place)) as connection:
                connection.execute("PRAGMA wal_checkpoint(RESTART)")
    # The copies are to be those of a dead process: a log whose writer lives is not looked into.
    await store._writer.do(lambda connection: connection.execute("DELETE FROM heartbeats"))
    yield store
    await store.close()


def copied(store, folder: Path, name: str) -> Path:
    """The store's files as they lie on the disk, their process gone."""
    copy = folder / name
    shutil.copy(store.path, copy)
    shutil.copy(f"{store.path}-wal", f"{copy}-wal")
    return copy


def cut(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.truncate(length)


def read(path: Path):
    """The trials that can be read, and the error that ended it."""
    found: list[Trial] = []
    try:
        store = SqliteStore.open(path, create=False)
        found.extend(store.trials(Where()))
    except (UsageError, StoreError) as error:
        return found, error
    return found, None


def test_a_store_in_use_and_its_copy_show_no_damage(writing, tmp_path) -> None:
    assert damage(writing.path) is None
    copy = copied(writing, tmp_path, "copy.db")
    assert damage(copy) is None
    assert read(copy) == (list(writing.trials(Where())), None)


def test_pages_that_neither_the_file_nor_the_log_holds_are_missed(writing, tmp_path) -> None:
    copy = copied(writing, tmp_path, "copy.db")
    pages = copy.stat().st_size // 4096
    cut(copy, (pages - 20) * 4096)
    told = damage(copy)
    assert told is not None
    assert "pages are gone" in told or "malformed" in told
    before = copy.read_bytes()
    found, error = read(copy)
    assert found == []
    assert f"the store {copy} is damaged" in str(error)
    assert (copy.read_bytes(), Path(f"{copy}-wal").exists()) == (before, True)


@pytest.mark.parametrize("odd", [0, 7])
def test_a_log_that_was_cut_gives_what_came_before_or_is_refused(writing, tmp_path, odd) -> None:
    copy = copied(writing, tmp_path, "copy.db")
    log = Path(f"{copy}-wal")
    frames = log.stat().st_size // 4120
    cut(log, 32 + frames // 2 * 4120 + odd)
    found, error = read(copy)
    whole = list(writing.trials(Where()))
    assert error is not None or (found == whole[: len(found)] and len(found) >= 60)


def test_a_log_that_lost_what_the_file_has_taken_over_is_refused(writing, tmp_path) -> None:
    with closing(sqlite3.connect(writing.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    whole, refused = list(writing.trials(Where())), 0
    for n in range(1, 9):
        copy = copied(writing, tmp_path, f"copy-{n}.db")
        log = Path(f"{copy}-wal")
        cut(log, 32 + (log.stat().st_size - 32) // 4120 * n // 9 * 4120)
        refused += damage(copy) is not None
        found, _ = read(copy)
        assert found == whole[: len(found)]
    assert refused


def test_trials_out_of_order_are_no_record(writing) -> None:
    reader = writing._reader
    reader._check_order(3, [(4,), (7,)])
    for at, rows in ((4, [(4,)]), (3, [(5,), (4,)]), (3, [(5,), (5,)])):
        with pytest.raises(StoreError, match="out of order"):
            reader._check_order(at, rows)


def test_a_body_of_other_bytes_than_its_name_says_is_no_answer(writing, tmp_path) -> None:
    copy = copied(writing, tmp_path, "copy.db")
    with closing(sqlite3.connect(copy)) as connection, connection:
        said = "SELECT said FROM settlements WHERE call = (SELECT max(call) FROM settlements)"
        other = "SELECT body FROM bodies WHERE hash = (SELECT said FROM settlements LIMIT 1)"
        connection.execute(f"UPDATE bodies SET body = ({other}) WHERE hash = ({said})")  # noqa: S608  constants
    found, error = read(copy)
    assert isinstance(error, StoreError)
    assert "is not what was written" in str(error)
    assert len(found) < 120


def test_a_case_of_other_bytes_than_its_name_says_is_no_case(writing, tmp_path) -> None:
    copy = copied(writing, tmp_path, "copy.db")
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE cases SET body = CAST(replace(body, '?', '!') AS BLOB)")
    found, error = read(copy)
    assert found == []
    assert "is not what was written" in str(error)


def test_random_cuts_of_file_and_log_give_no_wrong_row() -> None:
    """The short form of benchmarks/damage.py, which says what it holds the copies to."""
    words = [sys.executable, str(DAMAGE), "--copies", "24", "--trials", "400"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 copies" in done.stdout
    assert " 0 wrong" in done.stdout
