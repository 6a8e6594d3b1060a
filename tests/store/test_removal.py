"""A deleted run is gone, and after a vacuum its texts too."""

import time

import pytest
from msgspec import structs

from assay.errors import UsageError
from assay.message import ToolSpec
from assay.ports import Effect, Held, Where
from assay.store.removal import vacuum
from assay.store.sqlite import SqliteStore
from assay.trial import Score, Status


@pytest.fixture
async def store(place, sample):
    store = SqliteStore.open(place)
    for run in ("run-1", "run-2"):
        await store.open_run(sample.run(run))
        await sample.played(store, "k1", run, text=f"The answer of {run}.")
        call = sample.call("k2", run)
        tools = (ToolSpec("look_up", f"of {run}", {"type": "object"}),)
        request = structs.replace(call.request, tools=tools, schema={"of": run})
        await store.reserve(structs.replace(call, request=request))
        unfinished = sample.call("k3", run)
        await store.reserve(unfinished)
        store.settle(sample.done(unfinished, f"A reply of {run} without a trial."))
        await store.add_scores(run, "k1", [Score("exact", True)], Status.SCORED, "")
        await store.reserve_effect(Effect(run, "k1", "webhook", "1"))
        await store.end_run(run, "completed", None)
    yield store
    await store.close()


async def test_a_deleted_run_is_gone_and_the_others_stay(store) -> None:
    kept = list(store.trials(Where(run="run-2")))
    await store.delete_run("run-1")
    assert [run.id for run in store.runs()] == ["run-2"]
    assert list(store.trials(Where())) == kept
    assert store.lookup("run-1", "k1") == store.lookup("run-1", "k2") == Held()
    assert store.lookup("run-2", "k2").calls
    tables = ("calls", "settlements", "trials", "scores", "effects")
    count = "SELECT count(*) FROM {}".format
    counts = [store._reader._connection.execute(count(table)).fetchone()[0] for table in tables]
    assert counts == [3, 2, 1, 1, 1]


async def test_a_run_that_is_not_there_cannot_be_deleted(store) -> None:
    with pytest.raises(UsageError, match="no run run-9"):
        await store.delete_run("run-9")


async def test_a_run_that_is_being_written_is_not_deleted(store, sample) -> None:
    await store.open_run(sample.run("run-1"))
    with pytest.raises(UsageError, match="being written"):
        await store.delete_run("run-1")
    assert len(list(store.trials(Where()))) == 2


async def test_texts_leave_the_file_with_the_vacuum_and_no_other_is_touched(store, place, opened) -> None:
    await store.delete_run("run-1")
    kept = list(store.trials(Where()))
    calls = store.lookup("run-2", "k2").calls
    await store.close()
    assert b"The answer of run-1." in place.read_bytes()
    assert vacuum(place) == 4
    assert b"The answer of run-1." not in place.read_bytes()
    again = opened(place)
    assert list(again.trials(Where())) == kept
    assert again.lookup("run-2", "k2").calls == calls
    assert again.lookup("run-2", "k3").calls[0].reply.text == "A reply of run-2 without a trial."
    assert calls[0].request.tools[0].description == "of run-2"
    assert vacuum(place) == 0


async def test_a_store_that_is_being_written_is_not_vacuumed(store, place) -> None:
    await store.delete_run("run-1")
    with pytest.raises(UsageError, match="is writing"):
        vacuum(place)
    rows = store._reader._connection.execute("SELECT run, beat FROM heartbeats").fetchall()
    assert len(rows) == 1
    assert abs(rows[0][1] - time.time_ns()) < 10e9
