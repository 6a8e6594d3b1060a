"""Whole runs played by worker processes: what comes of them, and what survives the end of a worker."""

from pathlib import Path

import pytest
from msgspec import structs

from assay import api
from assay.crew import crew
from assay.loading.bind import bound, emulator, load_task
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Stop, Where
from assay.schedule import Closed
from assay.store.joined import SharedStore
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, Status

PLAIN = Environment({})


def stored(path, run=None):
    store = SqliteStore.open(path, create=False)
    return list(store.trials(Where(run=run)))


def told(trial):
    """What is the same however a trial was played: all but its times and the names of attempts."""
    return (
        trial.key,
        trial.case.name,
        trial.model,
        trial.seed,
        trial.status,
        trial.detail,
        [(event.kind, event.role, event.message, event.data) for event in trial.transcript.events],
        [(score.name, score.value, score.reason) for score in trial.scores],
        [(call.role, call.ordinal, call.request_hash, call.reply.text, call.cost) for call in trial.calls],
    )


def conversations(**fields) -> Plan:
    return Plan(
        task="phone_orders",
        models=(ModelChoice("emulated/agent-0.8"),),
        cast={"client": ModelChoice("emulated/client"), "judge": ModelChoice("emulated/judge")},
        seed=3,
        schedule=Closed(6),
        **fields,
    )


@pytest.mark.timeout(120)
async def test_a_run_comes_to_the_same_however_many_processes_play_it(tmp_path):
    results, path = {}, tmp_path / "one.db"  # one store: a judge's fence comes from its secret
    for workers in (0, 1, 4):
        result = await api.run(conversations(workers=workers), store=path, environment=PLAIN)
        assert result.run.state == "completed"
        results[workers] = sorted(told(trial) for trial in stored(path, result.run.id))
        summary = result.summary.models[0]
        results[workers].append((summary.headline, summary.statuses, summary.cost_usd, summary.tokens))
    assert results[0] == results[1] == results[4]


async def test_who_listens_hears_of_all_that_workers_do(bench, listener):
    await bench.run(bench.plan(workers=2), watchers=[listener])
    assert (listener.started, listener.ended) == (1, 1)
    assert len(listener.calls) == 20
    assert [t.status for t in listener.trials].count(Status.PLAYED) == 20
    assert {t.key for t in listener.trials if t.scores} == {t.key for t in stored(bench.store)}
    assert len(listener.events) >= 20
    assert listener.calls[0].reply.arrivals is not None


@pytest.mark.timeout(120)
async def test_workers_killed_at_any_time_lose_and_double_nothing(tmp_path, ends_workers):
    path = tmp_path / "one.db"
    whole = await api.run(conversations(scorers=("state",)), store=path, environment=PLAIN)
    plan, killer = (
        conversations(scorers=("state",), workers=3),
        ends_workers(40, 2),
    )  # a third one may look like a trial's doing
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        addressed = structs.replace(
            plan,
            models=(structs.replace(plan.models[0], base_url=server.url),),
            cast={role: structs.replace(model, base_url=server.url) for role, model in plan.cast.items()},
        )
        killed = await api.run(addressed, store=path, environment=PLAIN, watchers=[killer])
        asked = len(server.ledger.records())
    assert len(killer.hit) == 2
    assert killed.run.state == "completed"

    def lines(run):
        return sorted(
            (t.case.id, t.status, [(s.name, s.value) for s in t.scores],
             [(e.kind, e.role, e.message and e.message.text) for e in t.transcript.events])
            for t in stored(path, run)
        )  # fmt: skip

    assert lines(killed.run.id) == lines(whole.run.id)
    calls = [call for trial in stored(path, killed.run.id) for call in trial.calls]
    needed = sum(len(trial.calls) for trial in stored(path, whole.run.id))
    unknown = sum(call.state is CallState.RESERVED for call in calls)
    assert asked <= len(calls)
    assert 0 <= asked - needed <= unknown <= 2 * 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("how", "end"),
    [("segfault", "SIGSEGV"), ("exit", "exit code 7"), ("endless", "SIGKILL"), ("scorer", "SIGSEGV")],
)
async def test_a_trial_that_ends_its_workers_is_given_up_and_the_others_are_fine(
    bench, monkeypatch, how, end
):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    models = ("python:poison:model",) if how != "scorer" else ("emulated/skill-1",)
    plan = bench.plan(*models, workers=2, schedule=Closed(8), code_limit=600.0)
    monkeypatch.setenv("POISON", how)
    if how == "scorer":
        plan = structs.replace(plan, scorers=("exact", "python:poison:scorer"))
    result = await played(bench, plan, stalled=1.5)
    trials = stored(bench.store)
    (bad,) = [trial for trial in trials if trial.status is not Status.SCORED]
    assert len(trials) == 20
    assert bad.case.name == "c7"
    given_up = (Status.UNSCORED, "scorer_error") if how == "scorer" else (Status.INVALID, "worker")
    assert (bad.status, bad.detail) == given_up
    reason = bad.scores[0].reason if how == "scorer" else bad.transcript.outcome.detail
    assert reason == f"its worker died 3 times, with this trial alone in play ({end})"
    assert result.state == "completed"


async def played(bench, plan, *, watchers=(), stop=None, stalled=30.0):
    """The run of a plan in a store of the bench, with another patience for workers that stand still."""
    async with bound(plan, PLAIN) as ready:
        store = SharedStore.open(bench.store)
        try:
            return await crew.run(
                ready, store, watchers, stop or Stop(), environment=PLAIN.values, stalled=stalled
            )
        finally:
            await store.close()
