"""One writer a run."""

import asyncio
import os
import socket
import sys
import time
from contextlib import closing

import pytest

from assay.errors import StoreError, UsageError
from assay.ports import Where
from assay.store.heartbeat import FRESH_SECONDS, Heartbeats, alive
from assay.store.patience import Patience
from assay.store.schema import connect, migrations, prepare
from assay.store.sqlite import SqliteStore
from assay.store.writer import Writer
from assay.trial import Score, Status

HERE = socket.gethostname()
LIVING = os.getppid()


@pytest.fixture
async def store(place, sample):
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    yield store
    await store.close()


async def hold(store, pid: int, host: str, beat: int) -> None:
    """Has another process hold the run."""
    await store._writer.do(
        lambda connection: connection.execute(
            "UPDATE heartbeats SET session = 99, pid = ?, host = ?, beat = ? WHERE run = 1", (pid, host, beat)
        )
    )


async def opens(place, sample, opened) -> None:
    other = opened(place)
    try:
        await other.open_run(sample.run())
    finally:
        await other.close()


async def test_a_run_of_a_living_process_is_refused_and_named(store, place, sample, opened) -> None:
    await hold(store, LIVING, HERE, time.time_ns())
    with pytest.raises(
        UsageError, match=f"run-1 is being written by process {LIVING} on {HERE} since"
    ) as refusal:
        await opens(place, sample, opened)
    assert "resume" in refusal.value.fix


async def test_a_run_on_another_host_is_refused_while_its_heartbeat_is_fresh(
    store, place, sample, opened
) -> None:
    await hold(store, 1, "elsewhere", time.time_ns())
    with pytest.raises(UsageError, match="on elsewhere since"):
        await opens(place, sample, opened)
    await hold(store, 1, "elsewhere", time.time_ns() - int((FRESH_SECONDS + 1) * 1e9))
    await opens(place, sample, opened)


async def test_a_dead_process_is_replaced_at_once(store, place, sample, opened) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await child.wait()
    await hold(store, child.pid, HERE, time.time_ns())
    await opens(place, sample, opened)


async def test_a_stopped_process_is_replaced_when_its_heartbeat_is_old(store, place, sample, opened) -> None:
    await hold(store, LIVING, HERE, time.time_ns() - int((FRESH_SECONDS + 1) * 1e9))
    await opens(place, sample, opened)


async def test_a_writer_whose_run_was_taken_over_writes_no_more(store, place, sample, opened) -> None:
    await sample.played(store, "k1")
    await hold(store, LIVING, HERE, time.time_ns())
    with pytest.raises(StoreError, match=r"runs\.db.*taken over"):
        await store.reserve(sample.call("k2"))
    with pytest.raises(StoreError, match="taken over"):
        await store.add_scores("run-1", "k1", [Score("exact", True)], Status.SCORED, "")
    with pytest.raises(StoreError, match="taken over"):
        await store.end_run("run-1", "completed", None)
    assert [(trial.key, trial.status) for trial in store.trials(Where())] == [("k1", Status.PLAYED)]
    assert store.spent("run-1").calls == 1
    await store.open_run(sample.run("run-2"))
    await store.reserve(sample.call("k2", "run-2"))


async def test_the_heartbeat_is_renewed_while_nothing_is_written(place) -> None:
    prepare(place, migrations(), create=True)
    heartbeats = Heartbeats(period=0.02)
    writer = Writer(place, heartbeats, Patience(place, lambda: False))
    session = await writer.do(heartbeats.begin)
    seen: set[int] = set()
    end = time.monotonic() + 10
    with closing(connect(place, write=False)) as connection:
        while len(seen) < 3 and time.monotonic() < end:
            seen.add(
                connection.execute("SELECT beat FROM heartbeats WHERE session = ?", (session,)).fetchone()[0]
            )
    assert len(seen) == 3
    await writer.close()


async def test_closing_gives_every_run_back(place, sample, opened) -> None:
    store = opened(place)
    await store.open_run(sample.run())
    await store.close()
    assert opened(place)._reader._connection.execute("SELECT * FROM heartbeats").fetchall() == []


def test_this_process_counts_as_alive_only_where_asked() -> None:
    now = time.time_ns()
    assert not alive(os.getpid(), HERE, now)
    assert alive(os.getpid(), HERE, now, this=True)
    assert alive(LIVING, HERE, now)
    assert not alive(LIVING, HERE, now - int(60e9))
