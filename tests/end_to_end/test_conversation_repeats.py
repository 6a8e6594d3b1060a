"""The same conversations again: whatever the concurrency, after a kill, from the record alone (D1, D2)."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from assay import api
from assay.errors import ReplayMiss, UsageError
from assay.loading.bind import emulator, load_task
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.reports.conversations import conversations
from assay.schedule import Closed
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, EventKind

PLAIN = Environment({})
ASSAY = str(Path(sys.executable).with_name("assay"))


def plan_of(url: str, slots: int = 64, **fields) -> Plan:
    """Every scenario twice, at a client model, an agent that errs, and a judge."""
    settings = {
        "task": "phone_orders",
        "models": (ModelChoice("emulated/agent", base_url=url or None),),
        "cast": {
            "client": ModelChoice("emulated/client", base_url=url or None),
            "judge": ModelChoice("emulated/judge", base_url=url or None),
        },
        "repeats": 2,
        "schedule": Closed(slots),
    }
    return Plan(**{**settings, **fields})


def canonical(path, run: str) -> bytes:
    """A run's results without its times and ids, in the order of cases and repeats."""
    rows = []
    for trial in SqliteStore.open(path, create=False).trials(Where(run=run)):
        # a judge's fence comes from the store's secret, so its requests are each store's own
        scores = [structs.replace(score, details=None) for score in trial.scores]
        calls = [
            (call.role, call.ordinal, call.request_hash, call.reply.text, call.reply.tool_calls, call.cost)
            for call in trial.calls
            if call.role != "judge" and call.state is CallState.DONE
        ]
        # a call that was in flight at a kill is asked again as the next attempt
        events = [
            structs.replace(event, call=event.call and event.call.rpartition(".")[0])
            for event in trial.transcript.events
        ]
        rows.append((trial.case.id, trial.repeat, trial.seed, trial.status, events, scores, calls))
    rows.sort(key=lambda row: row[:2])
    return b"\n".join(map(msgspec.json.encode, rows))


async def played(plan, store, **settings):
    return await api.run(plan, store=store, environment=PLAIN, **settings)


async def test_results_are_the_same_bytes_at_one_conversation_at_a_time_and_at_64(tmp_path):
    one = await played(plan_of("", 1), tmp_path / "one.db")
    many = await played(plan_of("", 64), tmp_path / "many.db")
    first = canonical(tmp_path / "one.db", one.run.id)
    assert first == canonical(tmp_path / "many.db", many.run.id)
    assert first.count(b"\n") == 23


async def test_repeat_0_has_the_scenarios_seed_and_the_others_seeds_of_their_own(tmp_path):
    done = await played(plan_of("", repeats=3), tmp_path / "assay.db")
    for trial in SqliteStore.open(tmp_path / "assay.db", create=False).trials(Where(run=done.run.id)):
        sent = {call.request.sampling.seed for call in trial.calls if call.role == "agent"}
        assert sent == {trial.seed}
        assert (trial.seed == trial.case.facts["SEED"]) == (trial.repeat == 0)


def killed_inside(store, trials: int) -> str:
    """Runs all scenarios in a process of its own and kills it once so many trials are recorded."""
    command = [ASSAY, "simulate", "--store", str(store), "--quiet", "--repeats", "2"]
    roles = ["--agent", "emulated/agent", "--client", "emulated/client", "--evaluator", "emulated/judge"]
    process = subprocess.Popen(
        [*command, *roles, "--concurrency", "2"], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while process.poll() is None and recorded(store) < trials:
            time.sleep(0.01)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return next(run.id for run in SqliteStore.open(store, create=False).runs())


def recorded(store) -> int:
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the tables are being made


def test_after_a_kill_the_resumed_run_has_the_same_results(tmp_path):
    whole = asyncio.run(played(plan_of(""), tmp_path / "whole.db"))
    expected = canonical(tmp_path / "whole.db", whole.run.id)
    store = tmp_path / "cut.db"
    run = killed_inside(store, 5)
    assert 5 <= recorded(store) < 24
    command = [ASSAY, "run", "--resume", run, "--store", str(store), "--quiet"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert canonical(store, run) == expected


async def test_strict_replay_asks_no_server_and_a_changed_prompt_names_the_message_that_differs(tmp_path):
    plan = plan_of("", limit=2)
    task, _ = load_task(plan, PLAIN)
    async with emulator(plan, task) as server:
        live = plan_of(server.url, limit=2)
        first = await played(live, tmp_path / "assay.db")
    strict = structs.replace(live, cache="read", replay="strict")
    again = await played(strict, tmp_path / "assay.db")
    assert canonical(tmp_path / "assay.db", again.run.id) == canonical(tmp_path / "assay.db", first.run.id)

    changed = structs.replace(strict, exchange={"prompts": {"client": "Вы — покупатель. {{BRIEF}}"}})
    with pytest.raises(BaseExceptionGroup) as caught:
        await played(changed, tmp_path / "assay.db")
    assert caught.group_contains(ReplayMiss, match=r"request 0 of the client: message 1 \(system\) differs")


async def test_the_customers_of_a_recorded_run_talk_to_another_agent(tmp_path):
    store = tmp_path / "assay.db"
    first = await played(plan_of("", limit=3, repeats=1, scorers=("state",)), store)
    replay = {"client": "replay", "replay": {"run": first.run.id, "store": str(store)}}
    same = await played(plan_of("", limit=3, repeats=1, scorers=("state",), exchange=replay), store)
    other = plan_of("", limit=3, repeats=1, scorers=("state",), exchange={**replay, "greeting": "Алло!"})
    changed = await played(other, store)

    def lines(run) -> list[list[str]]:
        trials = SqliteStore.open(store, create=False).trials(Where(run=run))
        return [
            [
                e.message.text
                for e in t.transcript.events
                if e.kind is EventKind.SAID and e.role == "client" and e.message
            ]
            for t in sorted(trials, key=lambda trial: trial.case.id)
        ]

    assert lines(same.run.id) == lines(first.run.id)
    assert same.summary.models[0].headline.value == 1.0
    assert "client" not in same.summary.models[0].roles
    talks = conversations(
        SqliteStore.open(store, create=False).trials(Where(run=changed.run.id)), changed.run
    )
    assert talks[0].diverged == 3
    with pytest.raises(UsageError, match="holds no run"):
        await played(
            plan_of("", exchange={"client": "replay", "replay": {"run": "x", "store": str(store)}}), store
        )
