"""One writer a run."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from assay.errors import StoreError, UsageError
from assay.ports import Where
from assay.store.heartbeat import FRESH_SECONDS, Heartbeats, alive, boot
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


async def hold(store, pid: int, host: str, *, age: float = 0, wall: float = 0, booted: str | None = None):
    """Has another process hold the run, its last beat `age` seconds ago, `wall` by the wall clock."""
    beat, tick = time.time_ns() - int(wall * 1e9), time.monotonic_ns() - int(age * 1e9)
    row = (pid, host, beat, boot() if booted is None else booted, tick)
    await store._writer.do(
        lambda connection: connection.execute(
            "UPDATE heartbeats SET session = 99, pid = ?, host = ?, beat = ?, boot = ?, tick = ?"
            " WHERE run = 1",
            row,
        )
    )


async def opens(place, sample, opened) -> None:
    other = opened(place)
    try:
        await other.open_run(sample.run())
    finally:
        await other.close()


async def test_a_run_of_a_living_process_is_refused_and_named(store, place, sample, opened) -> None:
    await hold(store, LIVING, HERE)
    with pytest.raises(
        UsageError, match=f"run-1 is being written by process {LIVING} on {HERE} since"
    ) as refusal:
        await opens(place, sample, opened)
    assert "resume" in refusal.value.fix


async def test_a_run_on_another_host_is_refused_while_its_heartbeat_is_fresh(
    store, place, sample, opened
) -> None:
    await hold(store, 1, "elsewhere", booted="another")
    with pytest.raises(UsageError, match="on elsewhere since"):
        await opens(place, sample, opened)
    await hold(store, 1, "elsewhere", booted="another", wall=FRESH_SECONDS + 1)
    await opens(place, sample, opened)


async def test_a_dead_process_is_replaced_at_once(store, place, sample, opened) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await child.wait()
    await hold(store, child.pid, HERE)
    await opens(place, sample, opened)


async def test_a_stopped_process_is_replaced_when_its_heartbeat_is_old(store, place, sample, opened) -> None:
    await hold(store, LIVING, HERE, age=FRESH_SECONDS + 1)
    await opens(place, sample, opened)


async def test_a_writer_whose_run_was_taken_over_writes_no_more(store, place, sample, opened) -> None:
    await sample.played(store, "k1")
    await hold(store, LIVING, HERE)
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
                connection.execute("SELECT tick FROM heartbeats WHERE session = ?", (session,)).fetchone()[0]
            )
    assert len(seen) == 3
    await writer.close()


async def test_closing_gives_every_run_back(place, sample, opened) -> None:
    store = opened(place)
    await store.open_run(sample.run())
    await store.close()
    assert opened(place)._reader._connection.execute("SELECT * FROM heartbeats").fetchall() == []


HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY])
async def test_a_run_of_a_living_process_is_refused_whatever_the_wall_clock_says(
    store, place, sample, opened, jump
) -> None:
    await hold(store, LIVING, HERE, age=1, wall=jump)
    with pytest.raises(UsageError, match=f"is being written by process {LIVING}"):
        await opens(place, sample, opened)
    assert [run.state for run in opened(place).runs()] == ["running"]
    with pytest.raises(UsageError, match="is being written"):
        await opened(place).delete_run("run-1")


@pytest.mark.parametrize("jump", [0.0, HOUR, -HOUR, DAY, -DAY])
async def test_a_writer_that_stopped_is_replaced_whatever_the_wall_clock_says(
    store, place, sample, opened, jump
) -> None:
    await hold(store, LIVING, HERE, age=FRESH_SECONDS + 1, wall=jump)
    assert [run.state for run in opened(place).runs()] == ["interrupted"]
    await opens(place, sample, opened)


async def test_a_container_on_this_machine_is_known_by_the_common_clock(store, place, sample, opened) -> None:
    await hold(store, 1, "elsewhere", wall=DAY)
    with pytest.raises(UsageError, match="on elsewhere since"):
        await opens(place, sample, opened)
    await hold(store, 1, "elsewhere", age=FRESH_SECONDS + 1)
    await opens(place, sample, opened)


def test_this_process_counts_as_alive_only_where_asked() -> None:
    signs = (time.time_ns(), boot(), time.monotonic_ns())
    assert not alive(os.getpid(), HERE, *signs)
    assert alive(os.getpid(), HERE, *signs, this=True)
    assert alive(LIVING, HERE, *signs)


def test_a_writer_of_an_earlier_schema_or_an_unknown_boot_is_judged_by_the_wall_clock() -> None:
    assert alive(LIVING, HERE, time.time_ns(), "", 0)
    assert not alive(LIVING, HERE, time.time_ns() - int(60e9), "", 0)
    assert not alive(2**22 + 1, HERE, time.time_ns(), "", 0)  # beyond any process id
    assert alive(LIVING, HERE, time.time_ns(), "another", 0)
    assert not alive(LIVING, HERE, time.time_ns() - int(60e9), "another", time.monotonic_ns())


def test_the_name_of_the_boot_is_the_same_in_every_process() -> None:
    code = "from assay.store.heartbeat import boot; print(boot())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == boot()
