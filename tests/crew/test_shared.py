"""What all workers of a run share: the budget, an account's limits, refusals, the stop, and time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from decimal import Decimal

import pytest
from msgspec import structs

from assay import api
from assay.crew import crew
from assay.emulator.capacity import Capacity
from assay.emulator.server import Emulator
from assay.errors import ReplayMiss
from assay.loading.bind import PRICES, bound, emulator, load_task, read_prices
from assay.loading.environment import Environment
from assay.message import Sampling, Usage
from assay.plan import Window
from assay.ports import Stop, Where
from assay.schedule import Closed, Constant
from assay.seat.limits import Limits
from assay.store.joined import SharedStore
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, Status

PLAIN = Environment({})
PRICE = read_prices(PRICES)
ASSAY = [sys.executable, "-c", "from assay.cli.main import main; main()"]


def billed(server) -> Decimal:
    """Dollars by the server's own record: what it has charged."""
    usages = (Usage(each.input, each.output) for each in server.ledger.records() if each.billed)
    return sum((PRICE.cost("emulated/skill-1", usage) or Decimal(0) for usage in usages), Decimal(0))


def at(plan, server, **fields):
    models = tuple(structs.replace(model, base_url=server.url) for model in plan.models)
    return structs.replace(plan, models=models, **fields)


def stored(path, run=None):
    store = SqliteStore.open(path, create=False)
    return list(store.trials(Where(run=run)))


def accounted(path, run) -> tuple[Decimal, Decimal]:
    """Dollars of a run that are known, and the worst case of its calls that were cut."""
    store = SqliteStore.open(path, create=False)
    known, unknown = store.costs(store.find_run(run).id)
    cut = list(unknown)
    assert {call.state for call in cut} <= {CallState.RESERVED}
    assert len(cut) <= 12
    return known, sum(
        (PRICE.worst_case("emulated/skill-1", call.request) or Decimal(0) for call in cut), Decimal(0)
    )


def written(bench, plan, server):
    """The plan as a file, its model at the server."""
    form = {
        "task": str(bench.task),
        "models": [{"name": plan.models[0].name, "base_url": server.url}],
        "repeats": plan.repeats,
        "sampling": {"max_tokens": 8},
        "workers": plan.workers,
        "schedule": {"kind": "closed", "slots": plan.schedule.slots},
    }
    if plan.budget is not None:
        form["budget"] = str(plan.budget)
    file = bench.folder / "plan.yaml"
    file.write_text(json.dumps(form))
    return file


@pytest.mark.timeout(120)
async def test_64_calls_at_once_in_four_processes_never_pass_the_budget_and_use_nearly_all_of_it(bench):
    limit = Decimal("0.006")
    plan = bench.plan(
        "emulated/skill-1",
        repeats=200,
        budget=limit,
        sampling=Sampling(max_tokens=8),
        schedule=Closed(64),
        workers=4,
    )
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        spent = billed(server)
    assert (result.run.state, result.run.stop) == ("stopped", "budget")
    assert Decimal("0.95") * limit <= spent <= limit
    assert float(result.summary.cost_usd) == pytest.approx(float(spent))


@pytest.mark.timeout(120)
async def test_what_a_killed_worker_may_have_spent_is_spent(bench, ends_workers):
    limit, killer = Decimal("0.003"), ends_workers(60, 3)
    plan = bench.plan(
        "emulated/skill-1",
        repeats=200,
        budget=limit,
        sampling=Sampling(max_tokens=8),
        schedule=Closed(12),
        workers=3,
    )
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server, bound(at(plan, server), PLAIN) as ready:
        store = SharedStore.open(bench.store)
        result = await crew.run(ready, store, [killer], Stop(), environment={})
        await store.close()
        spent = billed(server)
    assert len(killer.hit) == 3
    assert result.stop == "budget"
    known, worst = accounted(bench.store, "last")
    assert known <= spent <= known + worst <= limit
    assert known + worst <= ready.budget.spent <= limit
    assert ready.budget._set_aside == 0


@pytest.mark.timeout(120)
async def test_a_run_of_workers_whose_first_process_is_killed_goes_on_within_its_budget(bench, worker_pids):
    limit = Decimal("0.003")
    plan = bench.plan("emulated/skill-1", repeats=200, budget=limit, schedule=Closed(12), workers=3)
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        words = [*ASSAY, "run", "--quiet", "--store", str(bench.store)]
        first = subprocess.Popen(  # noqa: ASYNC220  it is killed below, from this loop
            [*words, str(written(bench, plan, server))], stdout=subprocess.DEVNULL
        )
        while len(server.ledger.records()) < 60:
            await asyncio.sleep(0.005)
            assert first.poll() is None
        workers = worker_pids(first.pid)
        first.kill()
        await asyncio.to_thread(first.wait)
        assert len(workers) == 3
        while any(alive(pid) for pid in workers):
            await asyncio.sleep(0.01)
        done = await asyncio.to_thread(subprocess.run, [*words, "--resume"], stdout=subprocess.DEVNULL)
        spent = billed(server)
    assert done.returncode == 3
    trials = stored(bench.store)
    assert len({trial.key for trial in trials}) == len(trials)
    known, worst = accounted(bench.store, "last")
    assert known <= spent <= known + worst
    assert Decimal("0.9") * limit <= known + worst <= limit


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["requests", "tokens"])
async def test_four_workers_on_one_account_use_its_limit_and_are_hardly_refused(bench, tmp_path, kind):
    """The short form of benchmarks/shared_limits.py: 100 calls a second instead of 10, for four seconds."""
    plan = bench.plan("emulated/skill-1", repeats=20, schedule=Closed(16), sampling=Sampling(max_tokens=4))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        await api.run(at(plan, server, repeats=1), store=tmp_path / "cost.db", environment=PLAIN)
        costs = [each.input + each.output for each in server.ledger.records()]
    a_second = 100.0 if kind == "requests" else 100.0 * sum(costs) / len(costs)
    capacity = Capacity(**{"rpm" if kind == "requests" else "tpm": a_second * 60}, burst_s=1.0)
    limits = Limits(**{f"{kind}_per_minute": a_second * 60})
    async with emulator(plan, task) as plain, Emulator(plain.index, capacity=capacity) as server:
        result = await bench.run(at(plan, server, limits=limits, workers=4))
        records = server.ledger.records()
    arrived = sorted(each.arrived / 1e9 for each in records if each.status == 200)
    refused = [each for each in records if each.status == 429]
    assert result.summary.models[0].headline.value == 1
    assert len(arrived) == 400
    assert len(refused) <= 0.01 * len(records)
    assert (400 - 100) / (arrived[-1] - arrived[100]) >= 0.95 * 100
    assert (400 - 100) / (arrived[-1] - arrived[0]) <= 1.05 * 100  # 100: four quarters of a second's


@pytest.mark.timeout(120)
async def test_an_account_that_is_refused_to_one_worker_is_left_alone_by_all(bench):
    plan = bench.plan("emulated/fault-401", "emulated/skill-1", repeats=10, schedule=Closed(8), workers=4)
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        refused = [each for each in server.ledger.records() if each.status >= 400]
    assert len(refused) <= 8
    assert result.run.stop == "circuit"
    first, second = result.summary.models
    assert first.statuses["not_run"] == 200 - len(refused)
    assert second.headline.value == 1


@pytest.mark.timeout(120)
async def test_a_stop_reaches_every_worker_and_what_is_in_flight_is_kept(bench, listener):
    """By SIGTERM to the process group, as a terminal or a service sends it; a resumed run re-pays nothing."""
    plan = bench.plan("emulated/skill-1", repeats=20, schedule=Closed(12), workers=3)
    task, _ = load_task(plan, PLAIN)
    async with emulator(
        structs.replace(plan, emulator=structs.replace(plan.emulator, ttft_ms=100)), task
    ) as server:
        words = [*ASSAY, "run", "--quiet", "--store", str(bench.store)]
        first = subprocess.Popen(  # noqa: ASYNC220  it is told to stop below, from this loop
            [*words, str(written(bench, plan, server))], stdout=subprocess.DEVNULL, start_new_session=True
        )
        while len(server.ledger.records()) < 40:
            await asyncio.sleep(0.005)
            assert first.poll() is None
        os.killpg(first.pid, signal.SIGTERM)
        told = time.monotonic_ns()
        assert await asyncio.to_thread(first.wait) == 130
        records = server.ledger.records()
        paid = len(records)
        assert max(each.arrived for each in records) - told < 0.5e9
        calls = [call for trial in stored(bench.store) for call in trial.calls]
        assert [call.state for call in calls] == [CallState.DONE] * paid
        again = [*words, "--resume", "--workers", "1"]
        done = await asyncio.to_thread(subprocess.run, again, stdout=subprocess.DEVNULL)
        assert done.returncode == 0
        assert len(server.ledger.records()) == 400
    assert len(stored(bench.store)) == 400


class EndsSoon:
    """Lets no further trial start once so many calls have come."""

    def __init__(self, stop, calls):
        self.stop, self.left = stop, calls

    def on_start(self, run, held): ...
    def on_event(self, trial, event): ...
    def on_trial(self, trial): ...
    def on_end(self, run): ...

    def on_call(self, call):
        self.left -= 1
        if not self.left:
            self.stop.soon("cancelled")


@pytest.mark.timeout(120)
async def test_a_run_that_is_to_end_soon_starts_no_trial_and_ends_those_in_play(bench):
    stop = Stop()
    plan = bench.plan("emulated/skill-1", repeats=100, schedule=Closed(6), workers=2)
    result = await bench.run(plan, watchers=[EndsSoon(stop, 50)], stop=stop)
    trials = stored(bench.store)
    assert (result.run.state, result.run.stop) == ("stopped", "cancelled")
    assert 50 <= len(trials) < 1000
    assert {trial.status for trial in trials} == {Status.SCORED}


@pytest.mark.timeout(120)
async def test_a_run_that_is_cancelled_leaves_no_worker_and_can_be_resumed(bench, listener, worker_pids):
    plan = bench.plan("emulated/skill-1", repeats=20, schedule=Closed(6), workers=2)
    running = asyncio.create_task(bench.run(plan, watchers=[listener], run_id="run_x"))
    while len(listener.calls) < 30:
        await asyncio.sleep(0.01)
    assert len(worker_pids()) == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert worker_pids() == []
    again = await bench.run(structs.replace(plan, workers=0), run_id="run_x")
    assert again.run.state == "completed"
    assert again.summary.statuses[Status.SCORED] == 400


@pytest.mark.timeout(120)
async def test_a_worker_stopped_past_its_lease_writes_no_more_and_its_calls_count_twice_in_spend_only(
    bench, ends_workers
):
    plan = bench.plan("emulated/skill-1", repeats=4, schedule=Closed(8), workers=2)
    stopper, slow = ends_workers(20, 1, signal.SIGSTOP), structs.replace(plan.emulator, ttft_ms=50)
    task, _ = load_task(plan, PLAIN)
    async with (
        emulator(structs.replace(plan, emulator=slow), task) as server,
        bound(at(plan, server), PLAIN) as ready,
    ):
        store = SharedStore.open(bench.store)
        run = crew.run(ready, store, [stopper], Stop(), environment={}, stalled=1.5)
        running = asyncio.create_task(run)
        while not stopper.hit:
            await asyncio.sleep(0.01)
        await asyncio.sleep(2.5)
        with suppress(ProcessLookupError):  # it is gone already, and with it all that it could write
            os.kill(stopper.hit[0], signal.SIGCONT)
        ended = await running
        await store.close()
        asked = len(server.ledger.records())
    trials = stored(bench.store)
    calls = [call for trial in trials for call in trial.calls]
    cut = [call for call in calls if call.state is CallState.RESERVED]
    assert ended.state == "completed"
    assert len(trials) == 80
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert 1 <= len(cut) <= 4
    assert len(calls) == 80 + len(cut) >= asked


@pytest.mark.timeout(120)
async def test_a_pause_of_the_whole_run_ends_no_worker(bench, worker_pids):
    plan = bench.plan("emulated/skill-1", repeats=8, schedule=Closed(4), workers=2)
    slow = structs.replace(plan.emulator, ttft_ms=100)
    task, _ = load_task(plan, PLAIN)
    async with emulator(structs.replace(plan, emulator=slow), task) as server:
        code = (
            "import asyncio, sys; from assay import api; import assay.crew.crew as crew\n"
            "crew.run.__kwdefaults__['stalled'] = 2.0\n"
            "asyncio.run(api.run(sys.argv[1], store=sys.argv[2]))"
        )
        words = [sys.executable, "-c", code, str(written(bench, plan, server)), str(bench.store)]
        first = subprocess.Popen(words, start_new_session=True)  # noqa: ASYNC220  stopped from this loop
        while len(server.ledger.records()) < 8:
            await asyncio.sleep(0.005)
            assert first.poll() is None
        before = worker_pids(first.pid)
        os.killpg(first.pid, signal.SIGSTOP)
        await asyncio.sleep(4)
        os.killpg(first.pid, signal.SIGCONT)
        await asyncio.sleep(1)
        assert worker_pids(first.pid) == before
        assert await asyncio.to_thread(first.wait) == 0
        assert len(server.ledger.records()) == 160
    calls = [call for trial in stored(bench.store) for call in trial.calls]
    paused = [call for call in calls if call.paused]
    assert 1 <= len(paused) <= 4
    assert all(call.latency < 2 for call in calls if not call.paused)


@pytest.mark.timeout(120)
async def test_what_ends_a_run_at_a_worker_ends_it_here_with_the_same_error(bench):
    plan = bench.plan("emulated/skill-1", cache="read", replay="strict", workers=2)
    with pytest.raises(BaseExceptionGroup) as caught:
        await bench.run(plan)
    assert caught.group_contains(ReplayMiss, match="the record holds no reply to request 0")


@pytest.mark.timeout(120)
async def test_a_load_run_of_workers_keeps_its_rate_its_window_and_scores_after_it(bench):
    plan = bench.plan(
        "emulated/skill-1", schedule=Constant(40.0), window=Window(2.0, 0.5), stream=True, workers=2
    )
    result = await bench.run(plan)
    trials = stored(bench.store)
    window = [trial for trial in trials if trial.phase == "window"]
    load = result.summary.models[0].load
    assert len(window) == 80
    assert load.offered == pytest.approx(40.0)
    assert sorted(trial.due for trial in window) == pytest.approx([0.5 + n / 40 for n in range(80)])
    assert all(trial.started >= trial.due for trial in trials)
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert len({trial.key for trial in trials}) == len(trials)
