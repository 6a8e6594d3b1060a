"""A full disk pauses a run: nobody is told an error until nobody is willing to wait any longer."""

import asyncio
import logging
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.errors import StoreError
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.loop import run
from assay.ports import Stop, Where
from assay.store.patience import Patience, passing
from assay.store.sqlite import SqliteStore
from assay.store.verification import verified
from assay.trial import CallState, Status


class Will:
    """Says whether to wait on."""

    def __init__(self) -> None:
        self.left = True

    def __call__(self) -> bool:
        return self.left


@pytest.fixture
def will():
    return Will()


def patient_store(place, will, *, every=0.01, limit=30.0):
    store = SqliteStore.open(place)
    store._patience = Patience(place, will, every=every, limit=limit)
    return store


@pytest.fixture
async def store(place, sample, will):
    store = patient_store(place, will)
    await store.open_run(sample.run())
    yield store
    will.left = False
    await store.close()


def pages(store):
    return store._writer._connection.execute("PRAGMA page_count").fetchone()[0]


def fill(store, more=0):
    """Lets the file grow by so many pages only, as a full disk does."""
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages(store) + more}")


def free(store):
    store._writer._connection.execute("PRAGMA max_page_count = 1000000")


def bulky(sample, key):
    call = sample.call(key)
    return sample.done(call, "".join(f"{n} {key} " for n in range(4000)))


async def told(caplog, text, seconds=20.0):
    """Waits until the log says so."""
    end = time.monotonic() + seconds
    while text not in caplog.text:
        assert time.monotonic() < end, caplog.text
        await asyncio.sleep(0.005)


async def test_callers_wait_while_the_disk_is_full_and_go_on_when_there_is_room(
    store, sample, caplog
) -> None:
    await store._writer.do(lambda connection: None)
    fill(store)
    trials = [sample.trial(bulky(sample, f"k{n}")) for n in range(20)]
    adding = [asyncio.create_task(store.add(trial)) for trial in trials]
    await told(caplog, "the disk is full")
    assert not any(task.done() for task in adding)
    assert list(store.trials(Where())) == []
    free(store)
    await asyncio.gather(*adding)
    await told(caplog, "takes records again")
    assert sorted(t.key for t in store.trials(Where())) == sorted(t.key for t in trials)
    assert store._writer._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_pause_is_told_once_with_the_file_and_what_to_do(store, sample, caplog) -> None:
    tries = []
    fill(store)
    store._writer._connection.set_trace_callback(lambda sql: tries.append(sql) if "BEGIN" in sql else None)
    adding = asyncio.create_task(store.add(sample.trial(bulky(sample, "k"))))
    await told(caplog, "the disk is full")
    while len(tries) < 5:
        await asyncio.sleep(0.005)
    (line,) = [r for r in caplog.records if "the disk is full" in r.message]
    assert line.levelno == logging.WARNING
    assert "runs.db takes no records, and the run waits" in line.message
    assert "Ctrl-C" in line.message
    free(store)
    await adding


async def test_who_is_not_willing_to_wait_is_told_at_once(store, sample, will, caplog) -> None:
    fill(store)
    adding = asyncio.create_task(store.add(sample.trial(bulky(sample, "k"))))
    await told(caplog, "the disk is full")
    will.left = False
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"runs\.db could not keep a record: the disk is full"):
        await adding
    assert time.monotonic() - began < 1.0
    with pytest.raises(StoreError, match="full"):
        await store.add(sample.trial(bulky(sample, "k2")))
    assert time.monotonic() - began < 2.0
    free(store)
    await store.add(sample.trial(bulky(sample, "k")))


async def test_a_store_that_nobody_asked_to_wait_does_not_and_tells_nothing(place, sample, caplog) -> None:
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    fill(store)
    with pytest.raises(StoreError, match="full"):
        await store.add(sample.trial(bulky(sample, "k")))
    assert caplog.text == ""
    free(store)
    await store.close()


async def test_patience_has_an_end_and_comes_back_with_the_next_record(place, sample, will, caplog) -> None:
    store = patient_store(place, will, limit=0.1)
    await store.open_run(sample.run())
    fill(store)
    for key in ("k1", "k2"):
        with pytest.raises(StoreError, match="full"):
            await store.add(sample.trial(bulky(sample, key)))
    free(store)
    await store.add(sample.trial(bulky(sample, "k1")))
    fill(store)
    caplog.clear()
    adding = asyncio.create_task(store.add(sample.trial(bulky(sample, "k2"))))
    await told(caplog, "the disk is full")
    free(store)
    await adding
    await store.close()


async def test_settlements_that_nobody_waits_for_outlast_the_pause(store, sample, caplog) -> None:
    await store.reserve(sample.call("k1"))
    fill(store)
    store.settle(bulky(sample, "k1"))
    await told(caplog, "the disk is full")
    free(store)
    await store.reserve(sample.call("k2"))
    assert store.lookup("run-1", "k1").calls[0].state is CallState.DONE


async def test_an_interrupted_run_waits_for_no_disk(store, sample, caplog) -> None:
    fill(store)
    adding = asyncio.create_task(store.add(sample.trial(bulky(sample, "k"))))
    await told(caplog, "the disk is full")
    await asyncio.wait_for(store.end_run("run-1", "interrupted", None), 5)
    with pytest.raises(StoreError, match="full"):
        await adding


async def test_a_session_begun_on_a_full_disk_is_a_row_of_its_own(place, sample, will, caplog) -> None:
    """Its number is in every id that it gives: two sessions of one number would overwrite each other."""
    first = patient_store(place, will)
    await first.open_run(sample.run())
    await first.close()
    hold = sqlite3.connect(place)
    hold.execute("CREATE TRIGGER full BEFORE INSERT ON heartbeats BEGIN SELECT raise(FAIL, 'full'); END")
    hold.commit()
    again = SqliteStore.open(place)
    with pytest.raises(StoreError):
        await again.open_run(sample.run())
    hold.execute("DROP TRIGGER full")
    hold.commit()
    await again.open_run(sample.run())
    rows = hold.execute("SELECT id FROM sessions ORDER BY id").fetchall()
    assert (again._heartbeats.session,) in rows
    hold.close()
    await again.close()


def test_only_what_may_pass_is_waited_for() -> None:
    def error(code):
        found = sqlite3.OperationalError("x")
        found.sqlite_errorcode = code
        return found

    assert passing(error(sqlite3.SQLITE_FULL)) == "the disk is full"
    assert passing(error(sqlite3.SQLITE_IOERR_WRITE)) == "the disk fails"
    assert passing(error(sqlite3.SQLITE_BUSY_RECOVERY)) == "another process holds it"
    assert passing(error(sqlite3.SQLITE_CORRUPT)) is None
    assert passing(sqlite3.OperationalError("x")) is None
    assert passing(ValueError()) is None


async def test_a_run_on_a_full_disk_waits_and_then_ends_with_every_trial_scored(bench, will, caplog) -> None:
    bench.write_cases(60)
    async with bound(bench.plan("emulated/skill-1"), Environment({})) as ready:
        store = patient_store(bench.store, will)
        await store.open_run(ready.run)
        fill(store, more=10)
        running = asyncio.create_task(run(ready, store, [], Stop()))
        await told(caplog, "the disk is full")
        assert not running.done()
        assert store.spent(ready.run.id).failed == 0
        free(store)
        ended = await running
        trials = list(store.trials(Where(run=ended.id)))
        await store.close()
    assert ended.state == "completed"
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert len(trials) == 60
    assert sum(len(trial.calls) for trial in trials) == 60


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own, where this system lets us have one."""
    folder.mkdir()
    mount = shutil.which("mount")
    words = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if mount is None or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)


def test_the_command_waits_for_room_on_a_really_full_disk(bench) -> None:
    bench.write_cases(400)
    command = "from assay.cli.main import main; main()"
    with small_disk(bench.folder / "disk", "1m") as disk:
        (disk / "ballast").write_bytes(b"0" * 600_000)
        store = disk / "assay.db"
        words = ["run", str(bench.task), "--model", "emulated/skill-1", "--store", str(store), "--quiet"]
        process = subprocess.Popen(
            [sys.executable, "-c", command, *words], cwd=bench.folder, text=True, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith(f"the disk is full: the store {store} takes no records, and the run waits")
        assert process.poll() is None
        (disk / "ballast").unlink()
        remount = [shutil.which("mount") or "mount", "-o", "remount,size=20m", str(disk)]
        subprocess.run(remount, check=True)
        rest = process.communicate(timeout=50)[1]
        assert process.returncode == 0, rest
        assert "takes records again" in rest
        found = verified(store)
        assert (found.trials, found.unsettled, found.faults) == (400, 0, ())


def test_ctrl_c_ends_a_run_that_waits_for_a_full_disk(bench) -> None:
    bench.write_cases(400)
    command = "from assay.cli.main import main; main()"
    with small_disk(bench.folder / "disk", "400k") as disk:
        words = ["run", str(bench.task), "--model", "emulated/skill-1", "--store", str(disk / "assay.db")]
        process = subprocess.Popen(
            [sys.executable, "-c", command, *words, "--quiet"],
            cwd=bench.folder, text=True, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        assert "the disk is full" in process.stderr.readline()
        began = time.monotonic()
        process.send_signal(2)
        rest = process.communicate(timeout=20)[1]
        assert time.monotonic() - began < 10
        assert process.returncode == 3
        assert "could not keep a record: the disk is full" in rest
        assert "assay run --resume" in rest
        assert "Traceback" not in rest
