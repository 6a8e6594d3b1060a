"""A sound store is found sound, and each kind of harm is named."""

import sqlite3
from contextlib import closing

import pytest

from assay.store.sqlite import SqliteStore
from assay.store.verification import verified
from assay.trial import Score, Status


@pytest.fixture
async def whole(place, sample):
    """A closed store with a completed run of three trials and a call that was cut."""
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    for n in range(3):
        await sample.played(store, f"k{n}", text=f"Four {n} " * 100)
        await store.add_scores("run-1", f"k{n}", [Score("exact", True)], Status.SCORED, "")
    await store.reserve(sample.call("cut"))
    await store.end_run("run-1", "completed", None)
    await store.close()
    return place


def harmed(place, *statements):
    with closing(sqlite3.connect(place)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return "\n".join(verified(place).faults)


def test_a_sound_store_is_found_sound_and_counted(whole) -> None:
    found = verified(whole)
    assert found.faults == ()
    assert (found.runs, found.trials, found.calls, found.unsettled) == (1, 3, 4, 1)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("DELETE FROM calls WHERE trial = 'k1'", "has no intent"),
        ("DELETE FROM calls WHERE trial = 'k1'", "trial k1 has lost the call that brought its answer"),
        ("DELETE FROM settlements", "trial k2 has lost the call that brought its answer"),
        ("UPDATE calls SET trial = 'other' WHERE trial = 'k1'", "tells of call candidate.0.1, which is not"),
        ("DELETE FROM trials WHERE key = 'k0'", "run run-1 is completed with 2 trials recorded of 3 planned"),
        ("UPDATE runs SET planned = 2, state = 'stopped'", "stopped with 3 trials recorded of 2 planned"),
        ("UPDATE trials SET status = 'unscored' WHERE key = 'k0'", "is unscored, but exact says scored"),
        ("DELETE FROM scores", "is scored, but exact says unscored"),
        ("DELETE FROM runs", "trial k0 is of no run"),
        ("DELETE FROM runs", "of trial cut is of no run"),
        ("DELETE FROM cases", "trial k0 has no case"),
        ("UPDATE bodies SET body = x'00' WHERE rowid = 1", "is not what was written"),
        ("UPDATE cases SET body = x'c17a00'", "is not what was written"),
        ("DELETE FROM bodies WHERE rowid = 2", "lacks the body"),
        ("UPDATE trials SET transcript = x'ff'", "its trials after that are not checked"),
    ],
)
def test_each_harm_is_named(whole, harm, told) -> None:
    assert told in harmed(whole, harm)


def test_an_interrupted_run_may_have_fewer_trials_than_were_planned(whole) -> None:
    assert harmed(whole, "UPDATE runs SET planned = 9, state = 'interrupted'") == ""


def test_a_page_that_was_overwritten_is_told(whole) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'trials_by_run'"
        ).fetchone()
    with whole.open("r+b") as file:
        file.seek((page[0] - 1) * 4096)
        file.write(b"\xff" * 100)
    assert "malformed" in "\n".join(verified(whole).faults)


def test_an_index_that_lacks_a_row_is_told(whole) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'scores_by_trial'"
        ).fetchone()
    with whole.open("r+b") as file:
        file.seek((page[0] - 1) * 4096 + 3)  # the number of the page's cells
        file.write(b"\x00\x02")
    assert "SQLite: wrong # of entries in index scores_by_trial" in verified(whole).faults


def test_many_faults_of_a_kind_are_bounded(whole) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
    columns = "state, paused, reply) SELECT 900000 + i, 'done', 0, x'00' FROM n"
    with closing(sqlite3.connect(whole)) as connection, connection:
        connection.execute(f"{many} INSERT INTO settlements (call, {columns}")
    assert len(verified(whole).faults) == 20
