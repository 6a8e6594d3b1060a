"""One service in this process: what its worker does where things come at the wrong moment."""

import asyncio
import json
import threading

import pytest
from msgspec import structs
from tests.service.serving import scenario

from assay.api import run as resume
from assay.errors import StoreError, UsageError
from assay.loading.batches import Intake, Unplayable
from assay.loading.environment import Environment
from assay.loading.plans import stored_plan
from assay.plan import ModelChoice, Plan
from assay.schedule import Closed
from assay.service.desk import Desk
from assay.service.settings import Settings
from assay.store.batches import Batches
from assay.store.sqlite import SqliteStore

TWO = json.dumps([scenario(1), scenario(2)]).encode()


@pytest.fixture
def settings(tmp_path):
    plan = Plan(
        task="phone_orders",
        models=(ModelChoice("emulated/agent"),),
        exchange={"client": "rules"},
        scorers=("state",),
    )
    return Settings(
        plan=plan,
        environment=Environment({}),
        store=tmp_path / "assay.db",
        results=tmp_path / "results",
        logs=tmp_path / "logs",
    )


async def ended(desk: Desk, batch: str):
    async with asyncio.timeout(30):
        while (standing := await desk.status(batch)).completed_at is None:
            await asyncio.sleep(0.02)
    return standing


async def played(desk: Desk) -> str:
    """A batch that was posted and ended whole: by then the worker has nothing left to do."""
    batch = (await desk.accept(TWO, None, partial=False)).batch_id
    standing = await ended(desk, batch)
    assert (standing.status, standing.completed) == ("completed", 2)
    return batch


async def test_a_batch_that_is_cancelled_while_it_begins_is_not_played(settings):
    desk = Desk(settings)
    batch = (await desk.accept(TWO, None, partial=False)).batch_id
    desk.open()
    await asyncio.sleep(0)  # the worker has taken it up, and nothing of it has begun
    await desk.cancel(batch)
    standing = await ended(desk, batch)
    assert (standing.status, standing.completed, standing.tokens) == ("cancelled", 0, 0)
    await played(desk)
    assert (await desk.cost(batch)).total_requests == 0
    await desk.close()


async def test_a_batch_that_is_cancelled_as_the_worker_reads_it_is_not_played(settings):
    desk = Desk(settings)
    batch = (await desk.accept(TWO, None, partial=False)).batch_id
    cancelling = asyncio.create_task(desk.cancel(batch))
    desk.open()
    await cancelling
    await played(desk)
    assert (await desk.status(batch)).status == "cancelled"
    assert (await desk.cost(batch)).total_requests == 0
    await desk.close()


async def test_result_files_that_cannot_be_written_hold_up_no_batch(settings):
    desk = Desk(settings)
    desk.open()
    settings.results.rmdir()
    settings.results.write_text("a file where the folder was")
    batch = (await desk.accept(TWO, None, partial=False)).batch_id
    standing = await ended(desk, batch)
    assert (standing.status, standing.outcome, standing.progress) == ("completed", "completed", 100)
    assert "result files were not written" in standing.last_error
    settings.results.unlink()
    await played(desk)
    assert len(list(settings.results.iterdir())) == 4
    await desk.close()


async def test_a_record_that_cannot_be_read_for_once_ends_no_worker(settings, monkeypatch):
    monkeypatch.setattr("assay.service.worker.RETRY_SECONDS", 0.01)
    failures = [StoreError("a bad read")]

    class Flaky(Batches):
        def next(self):
            if failures:
                raise failures.pop()
            return super().next()

    monkeypatch.setattr("assay.service.desk.Batches", Flaky)
    desk = Desk(settings)
    desk.open()
    await played(desk)
    assert not failures
    assert desk.healthy
    await desk.close()


async def test_what_failed_is_said_of_a_batch_that_was_broken_off(settings):
    denied = structs.replace(settings.plan, models=(ModelChoice("emulated/fault-401"),))
    desk = Desk(structs.replace(settings, plan=denied))
    desk.open()
    batch = (await desk.accept(TWO, None, partial=False)).batch_id
    standing = await ended(desk, batch)
    assert standing.last_error.endswith("=каждый день: denied (provider_error)")
    await desk.close()


async def test_a_webhook_that_could_not_be_called_is_refused_with_its_batch(settings):
    desk = Desk(structs.replace(settings, environment=Environment({"WEBHOOK_ALLOW_HOSTS": "h.example"})))
    desk.open()
    body = json.dumps({"scenarios": [scenario(1)], "webhook_url": "https://h.example/"}).encode()
    with pytest.raises(Unplayable, match="no secret") as refused:
        await desk.accept(body, None, partial=False)
    assert refused.value.faults[0].pointer == "/webhook_url"
    await desk.close()


async def test_a_batch_that_was_resumed_from_the_command_line_counts_all_that_was_played(settings):
    many = json.dumps([scenario(number) for number in range(40)]).encode()
    one_at_a_time = structs.replace(settings.plan, schedule=Closed(1))
    desk = Desk(structs.replace(settings, plan=one_at_a_time))
    desk.open()
    batch = (await desk.accept(many, None, partial=False)).batch_id
    async with asyncio.timeout(30):
        while (await desk.status(batch)).completed == 0:
            await asyncio.sleep(0.01)
    await desk.cancel(batch)
    cancelled = await ended(desk, batch)
    assert 0 < cancelled.completed < 40
    assert (cancelled.not_run, cancelled.resumable) == (40 - cancelled.completed, True)
    path = settings.store
    run = next(run for run in SqliteStore.open(path, create=False).runs() if run.id == cancelled.run_id)
    await resume(stored_plan(run.plan), store=path, run_id=run.id, environment=Environment({}))
    whole = await desk.status(batch)
    assert (whole.completed, whole.completed_scenarios, whole.not_run, whole.progress) == (40, 40, 0, 100)
    assert (await desk.summary(batch)).successful_scenarios == 40
    await desk.close()


async def test_large_bodies_leave_threads_to_others(settings, monkeypatch):
    begun, go_on = [], threading.Event()

    class Slow(Intake):
        def read(self, body):
            begun.append(body)
            go_on.wait(30)
            return super().read(body)

    monkeypatch.setattr("assay.service.desk.Intake", Slow)
    desk = Desk(settings)
    desk.open()
    posts = [asyncio.create_task(desk.accept(TWO, None, partial=False)) for _ in range(40)]
    async with asyncio.timeout(10):
        while len(begun) < 2:
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(len, begun) == 2
    go_on.set()
    batches = {launched.batch_id for launched in await asyncio.gather(*posts)}
    assert len(batches) == len(begun) == 40
    for batch in batches:
        await desk.cancel(batch)
    await desk.close()


async def test_a_batch_that_is_deleted_leaves_no_scenarios_behind(settings):
    desk = Desk(settings)
    desk.open()
    run = (await desk.status(await played(desk))).run_id
    folder = settings.store.with_name("assay.db.batches")
    assert len(list(folder.iterdir())) == 1
    other = SqliteStore.open(settings.store, create=False)
    await other.delete_run(run)
    await other.close()
    assert list(folder.iterdir()) == []
    assert desk.page(10, 0).total_count == 0
    await desk.close()


@pytest.mark.parametrize("folder", ["results", "logs"])
def test_a_service_begins_only_where_it_may_write(settings, folder):
    getattr(settings, folder).write_text("a file")
    with pytest.raises(UsageError, match=folder):
        Desk(settings)


async def test_a_store_has_one_service_at_a_time(settings):
    first = Desk(settings)
    first.open()
    with pytest.raises(UsageError, match="another service serves"):
        Desk(settings)
    await first.close()
    second = Desk(settings)
    second.open()
    await played(second)
    await second.close()
