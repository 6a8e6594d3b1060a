"""Whole runs against the emulator and its ledger: budgets, limits, refused accounts, second attempts."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal

import pytest
from msgspec import structs

from assay import api
from assay.emulator.capacity import Capacity
from assay.emulator.choice import Choice, script_of
from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.errors import UsageError
from assay.loading.bind import PRICES, bound, emulator, load_task, read_prices
from assay.loading.environment import Environment
from assay.message import Sampling, Usage
from assay.plan import ModelChoice, Plan
from assay.ports import Stop, Where
from assay.schedule import Closed
from assay.seat.limits import Limits
from assay.seat.retry import Retry
from assay.store.sqlite import SqliteStore
from assay.trial import CallState

PLAIN = Environment({})
PRICE = read_prices(PRICES)


def billed(server) -> Decimal:
    """Dollars by the server's own record: what it has charged."""
    usages = (Usage(each.input, each.output) for each in server.ledger.records() if each.billed)
    return sum((PRICE.cost("emulated/skill-1", usage) or Decimal(0) for usage in usages), Decimal(0))


def at(plan: Plan, server: Emulator, **fields) -> Plan:
    models = tuple(structs.replace(model, base_url=server.url) for model in plan.models)
    return structs.replace(plan, models=models, **fields)


def stored(path, run):
    store = SqliteStore.open(path, create=False)
    return list(store.trials(Where(run=run)))


def scripted(plan: Plan, line: list[str]) -> Emulator:
    """A server whose nth answer to each request is the nth of the line."""
    task, _ = load_task(plan, PLAIN)
    index = Index()
    for case in task:
        index.add(entry(task.exchange.opening(case), case.target))
    return Emulator(index, choice=Choice(script=script_of({"*": line})))


async def test_64_calls_at_once_never_pass_the_budget_and_use_nearly_all_of_it(bench):
    limit = Decimal("0.006")
    plan = bench.plan(
        "emulated/skill-1", repeats=200, budget=limit, sampling=Sampling(max_tokens=8), schedule=Closed(64)
    )
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        spent = billed(server)
    assert (result.run.state, result.run.stop) == ("stopped", "budget")
    assert Decimal("0.95") * limit <= spent <= limit
    assert float(result.summary.cost_usd) == pytest.approx(float(spent))


CHILD = """
import asyncio, sys
from decimal import Decimal
from assay import api
from assay.loading.plans import read_plan
asyncio.run(api.run(sys.argv[1], store=sys.argv[2], run_id="run_killed"))
"""


@pytest.mark.timeout(120)
async def test_a_killed_run_spends_no_more_than_its_budget_when_it_goes_on(bench):
    limit = Decimal("0.003")
    plan = bench.plan("emulated/skill-1", repeats=200, budget=limit, emulator={"ttft_ms": 5})
    task, _ = load_task(structs.replace(plan, emulator=Plan(task="x", models=()).emulator), PLAIN)
    async with emulator(structs.replace(plan, emulator=Plan(task="x", models=()).emulator), task) as server:
        form = {
            "task": str(bench.task), "models": [{"name": "emulated/skill-1", "base_url": server.url}],
            "repeats": 200, "budget": str(limit), "sampling": {"max_tokens": 8},
            "schedule": {"kind": "closed", "slots": 4},
        }  # fmt: skip
        file = bench.folder / "plan.yaml"
        file.write_text(json.dumps(form))
        words = [sys.executable, "-c", CHILD, str(file), str(bench.store)]
        for least in (40, 120):
            child = subprocess.Popen(words)  # noqa: ASYNC220  it is killed below, from this loop
            while len(server.ledger.records()) < least:
                await asyncio.sleep(0.002)
                assert child.poll() is None
            child.kill()
            await asyncio.to_thread(child.wait)
        done = await asyncio.to_thread(subprocess.run, words, check=True)
        assert done.returncode == 0
        spent = billed(server)
    store = SqliteStore.open(bench.store, create=False)
    known, unknown = store.costs("run_killed")
    cut = list(unknown)
    worst = sum((PRICE.worst_case("emulated/skill-1", call.request) for call in cut), Decimal(0))
    assert {call.state for call in cut} <= {CallState.RESERVED}
    assert len(cut) <= 2 * 4
    assert known <= spent <= min(limit, known + worst)
    assert known + worst >= Decimal("0.9") * limit


@pytest.mark.parametrize(
    ("name", "sampling", "problem"),
    [
        ("openai-compatible/x", Sampling(max_tokens=5), "the price of openai-compatible/x is not known"),
        ("anthropic/claude-haiku-4-5", Sampling(), "nothing limits the length of a reply"),
    ],
)
async def test_a_budget_needs_a_bound_on_what_a_call_can_cost(bench, name, sampling, problem):
    plan = bench.plan(budget=Decimal(1), sampling=sampling)
    choice = ModelChoice(name, base_url="http://127.0.0.1:9/v1", key_variable="KEY")
    plan = structs.replace(plan, models=(choice,))
    with pytest.raises(UsageError, match=problem):
        async with bound(plan, Environment({"KEY": "k"}), checked=False):
            pass


async def test_requests_a_minute_are_kept_and_the_wait_is_no_latency(bench):
    plan = bench.plan("emulated/skill-1", repeats=10, limits=Limits(requests_per_minute=6000))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        arrived = sorted(each.arrived / 1e9 for each in server.ledger.records())
    assert len(arrived) == 200
    assert (200 - 25 - 1) / (arrived[-1] - arrived[0]) <= 1.05 * 100  # 25: a quarter of a second's
    calls = [call for trial in stored(bench.store, result.run.id) for call in trial.calls]
    waits = [(call.reply.instants.admitted - call.reply.instants.picked) / 1e9 for call in calls]
    assert max(waits) > 10 * max(call.latency for call in calls if call.latency) or max(waits) > 0.2
    assert all(call.reply.instants.sent >= call.reply.instants.admitted for call in calls)


@pytest.mark.parametrize("kind", ["requests", "tokens"])
async def test_four_runs_on_one_account_use_its_limit_and_are_hardly_refused(bench, tmp_path, kind):
    """The short form of R26. A request costs its prompt and its answer: 10 to 16 tokens here.

    In two seconds a busy machine loses more than the 5 % that the long form allows.
    """
    plan = bench.plan("emulated/skill-1", repeats=5, schedule=Closed(16), sampling=Sampling(max_tokens=4))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        await api.run(at(plan, server, repeats=1), store=tmp_path / "cost.db", environment=PLAIN)
        costs = [each.input + each.output for each in server.ledger.records()]
    a_second = 200.0 if kind == "requests" else 200.0 * sum(costs) / len(costs)
    capacity = Capacity(**{"rpm" if kind == "requests" else "tpm": a_second * 60}, burst_s=1.0)
    limits = Limits(**{f"{kind}_per_minute": a_second * 60 / 4})
    async with emulator(plan, task) as plain:
        server = Emulator(plain.index, capacity=capacity)
        async with server:
            ours = at(plan, server, limits=limits)
            runs = (api.run(ours, store=tmp_path / f"{n}.db", environment=PLAIN) for n in range(4))
            results = await asyncio.gather(*runs)
            records = server.ledger.records()
    arrived = sorted(each.arrived / 1e9 for each in records if each.status == 200)
    refused = [each for each in records if each.status == 429]
    assert all(result.summary.models[0].headline.value == 1 for result in results)
    assert len(arrived) == 400
    assert len(refused) <= 0.01 * len(records)
    assert 400 / (arrived[-1] - arrived[0]) >= 0.75 * 200


async def test_a_stopped_run_leaves_the_queue_of_its_limits(bench):
    stop, plan = Stop(), bench.plan("emulated/skill-1", limits=Limits(requests_per_minute=1))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        running = asyncio.create_task(bench.run(at(plan, server), stop=stop))
        while not server.ledger.records():
            await asyncio.sleep(0.005)
        stop.now("cancelled")
        result = await running
        assert len(server.ledger.records()) == 1
    assert result.run.stop == "cancelled"


@pytest.mark.parametrize("fault", ["401", "403", "404", "429quota"])
async def test_a_refused_account_ends_its_model_and_no_other(bench, fault):
    plan = bench.plan(f"emulated/fault-{fault}", "emulated/skill-1", repeats=10, schedule=Closed(8))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        refused = [each for each in server.ledger.records() if each.status >= 400]
    assert len(refused) <= 8
    assert result.run.stop == "circuit"
    first, second = result.summary.models
    assert first.reasons["failed"] == {"denied": len(refused)}
    assert first.statuses["not_run"] == 200 - len(refused)
    assert second.headline.value == 1


async def test_a_wait_beyond_the_cap_parks_one_model_and_fails_none_of_its_trials(bench):
    plan = bench.plan("emulated/fault-429:ra=3600", "emulated/skill-1", repeats=10, schedule=Closed(8))
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        result = await bench.run(at(plan, server))
        refused = [each for each in server.ledger.records() if each.status == 429]
    assert 1 <= len(refused) <= 8
    first, second = result.summary.models
    assert first.statuses["not_run"] == 200
    assert second.headline.value == 1


@pytest.mark.parametrize(
    ("form", "said", "asked"),
    [("s", "0.3", 0.3), ("ms", "300", 0.3), ("date", "1", 0.0), ("bad", "60", 0.0), ("none", "60", 0.0)],
)  # a date is in whole seconds: up to one of them goes by between asking and reading
async def test_every_form_of_retry_after_is_heeded_and_a_malformed_one_is_our_own_backoff(
    bench, form, said, asked
):
    plan = bench.plan("emulated/skill-1", limit=4, retry=Retry(base=0.01))
    async with scripted(plan, [f"429:ra={said},form={form}", "ok"]) as server:
        result = await bench.run(at(plan, server))
    assert result.summary.models[0].headline.value == 1
    for trial in stored(bench.store, result.run.id):
        first, second = trial.calls
        waited = (second.reply.instants.sent - first.reply.instants.ended) / 1e9
        assert waited >= asked


async def test_failed_trials_are_played_again_as_further_attempts_and_nothing_recorded_is_lost(bench):
    plan = bench.plan("emulated/skill-1", retry=Retry(retries=0))
    async with scripted(plan, ["500", "ok"]) as server:
        plan = at(plan, server)
        first = await bench.run(plan, run_id="run_x")
        assert first.summary.models[0].statuses["failed"] == 20
        same = await bench.run(plan, run_id="run_x")
        assert same.summary.models[0].statuses["failed"] == 20
        assert len(server.ledger.records()) == 20
        again = await bench.run(structs.replace(plan, retry_failed=True), run_id="run_x")
        assert len(server.ledger.records()) == 40
        once_more = await bench.run(structs.replace(plan, retry_failed=True), run_id="run_x")
        assert len(server.ledger.records()) == 40
    assert again.summary.models[0].headline.value == once_more.summary.models[0].headline.value == 1
    trials = stored(bench.store, "run_x")
    assert len(trials) == 20
    assert [[call.attempt for call in trial.calls] for trial in trials] == [[1, 2]] * 20
    with closing(sqlite3.connect(bench.store)) as record:
        assert record.execute("SELECT status, count(*) FROM superseded").fetchall() == [("failed", 20)]
    store = SqliteStore.open(bench.store, create=False)
    await store.delete_run("run_x")
    await store.close()
    with closing(sqlite3.connect(bench.store)) as record:
        assert record.execute("SELECT count(*) FROM superseded").fetchall() == [(0,)]


@pytest.mark.timeout(120)
def test_calls_during_a_stop_of_the_process_are_flagged_and_leave_the_latency(tmp_path):
    bench = tmp_path / "cases.jsonl"
    bench.write_text("".join(json.dumps({"id": n, "input": f"{n}", "target": "x"}) + "\n" for n in range(40)))
    (tmp_path / "task.yaml").write_text('{"name": "t", "cases": "cases.jsonl", "scorers": ["exact"]}')
    (tmp_path / "plan.yaml").write_text(
        '{"task": "task.yaml", "models": ["emulated/echo"], "emulator": {"ttft_ms": 300},'
        ' "schedule": {"kind": "closed", "slots": 4}}'
    )
    file = tmp_path / "assay.db"
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "plan.yaml"), str(file)]) as child:
        while not file.exists() or not any(trial.calls for trial in stored(file, "run_killed")):
            time.sleep(0.01)
            assert child.poll() is None
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(1.6)
        os.kill(child.pid, signal.SIGCONT)
        assert child.wait(60) == 0
    calls = [call for trial in stored(file, "run_killed") for call in trial.calls]
    paused = [call for call in calls if call.paused]
    assert 1 <= len(paused) <= 4
    assert all(call.latency < 1.6 for call in calls if not call.paused)
    result = asyncio.run(api.run(str(tmp_path / "plan.yaml"), store=file, run_id="run_killed"))
    assert result.summary.models[0].attempts.calls == 40
