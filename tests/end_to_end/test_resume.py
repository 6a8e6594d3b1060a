"""What was paid once is never paid again: over a stop, a restart, a cache and a rescore."""

import pytest
from msgspec import structs

from assay import api
from assay.emulator.choice import Choice, script_of
from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.errors import ErrorClass, ReplayMiss
from assay.loading.bind import emulator, load_task
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Stop, Where
from assay.schedule import Closed
from assay.seat.retry import Retry
from assay.store.sqlite import SqliteStore
from assay.trial import EventKind

PLAIN = Environment({})


def calls_plan(url: str, **fields) -> Plan:
    """Three conversations, one after another, between an emulated agent and an emulated client."""
    return Plan(
        task="phone_orders",
        limit=3,
        models=(ModelChoice("emulated/agent", base_url=url),),
        cast={"client": ModelChoice("emulated/client", base_url=url)},
        scorers=("state",),
        schedule=Closed(1),
        **fields,
    )


class StopsAt:
    """Stops the run after so many calls: in the middle of a conversation."""

    def __init__(self, stop: Stop, calls: int) -> None:
        self.stop, self.left = stop, calls

    def on_start(self, run, held): ...
    def on_event(self, trial, event): ...
    def on_trial(self, trial): ...
    def on_end(self, run): ...

    def on_call(self, call):
        self.left -= 1
        if self.left == 0:
            self.stop.now("cancelled")


async def played(plan, store, **settings):
    return await api.run(plan, store=store, environment=PLAIN, **settings)


def stored(path, run):
    store = SqliteStore.open(path, create=False)
    return list(store.trials(Where(run=run)))


def spoken(trial):
    return [event.message.text for event in trial.transcript.events if event.kind is EventKind.SAID]


@pytest.mark.parametrize("calls", [1, 7, 20, 33])
async def test_a_run_stopped_inside_a_conversation_pays_for_the_rest_only(tmp_path, calls):
    plan = calls_plan("")
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        plan = calls_plan(server.url)
        whole = await played(plan, tmp_path / "whole.db")
        paid = len(server.ledger.records())
        server.ledger.reset()

        stop = Stop()
        first = await played(
            plan, tmp_path / "cut.db", run_id="run_x", stop=stop, watchers=[StopsAt(stop, calls)]
        )
        assert first.run.stop == "cancelled"
        assert len(server.ledger.records()) == calls
        second = await played(plan, tmp_path / "cut.db", run_id="run_x")
        assert second.run.state == "completed"
        assert len(server.ledger.records()) == paid

    cut, uncut = stored(tmp_path / "cut.db", "run_x"), stored(tmp_path / "whole.db", whole.run.id)
    assert [spoken(trial) for trial in cut] == [spoken(trial) for trial in uncut]
    assert second.summary.cost_usd == whole.summary.cost_usd


async def test_another_run_takes_recorded_replies_from_the_cache(tmp_path):
    plan = calls_plan("")
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        plan = calls_plan(server.url)
        first = await played(plan, tmp_path / "assay.db")
        paid = len(server.ledger.records())
        second = await played(structs.replace(plan, cache="read"), tmp_path / "assay.db")
        assert len(server.ledger.records()) == paid
    trials = stored(tmp_path / "assay.db", second.run.id)
    assert {call.origin for trial in trials for call in trial.calls} == {"cached"}
    assert second.summary.models[0].headline == first.summary.models[0].headline
    assert second.summary.cost_usd == 0
    assert second.summary.models[0].latency is None


async def test_strict_replay_needs_no_server_and_says_what_it_lacks(tmp_path):
    plan = calls_plan("")
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        plan = calls_plan(server.url)
        await played(plan, tmp_path / "assay.db")
    strict = structs.replace(plan, cache="read", replay="strict")
    again = await played(strict, tmp_path / "assay.db")
    assert again.run.state == "completed"
    longer = structs.replace(strict, limit=4)
    with pytest.raises(BaseExceptionGroup) as caught:
        await played(longer, tmp_path / "assay.db")
    assert caught.group_contains(ReplayMiss, match="request 0 of the agent")


async def test_a_failed_attempt_is_tried_again_and_both_are_calls(bench):
    plan = bench.plan("emulated/skill-1", retry=Retry(retries=2, base=0.0), limit=4)
    task, _ = load_task(plan, PLAIN)
    index = Index()
    for case in task:
        index.add(entry(task.exchange.opening(case), case.target))
    choice = Choice(script=script_of({"*": ["500", "s_cut", "ok"]}))
    async with Emulator(index, choice=choice) as server:
        models = tuple(structs.replace(model, base_url=server.url) for model in plan.models)
        result = await bench.run(structs.replace(plan, models=models, stream=True))
        assert len(server.ledger.records()) == 12
    trials = stored(bench.store, result.run.id)
    assert [[call.error for call in trial.calls] for trial in trials] == [
        [ErrorClass.OVERLOADED, ErrorClass.TRANSPORT, None]
    ] * 4
    model = result.summary.models[0]
    assert model.headline.value == 1
    assert model.attempts.failed == 8


async def test_a_call_that_fails_for_good_is_a_failed_trial_and_counts_as_nothing(bench):
    plan = bench.plan("emulated/fault-400", "emulated/skill-1", limit=4)
    result = await bench.run(plan)
    failed, right = result.summary.models
    assert failed.headline.value == 0
    assert failed.statuses["failed"] == 4
    assert failed.reasons["failed"] == {"rejected": 4}
    assert right.headline.value == 1
