"""R16, R22 and R28 in short: clocks and byte limits hold, stale connections fail no trial."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from msgspec import structs

from assay import api
from assay.emulator.connection import Life
from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.errors import CallError, ErrorClass
from assay.loading.environment import Environment
from assay.message import Request, say
from assay.models.openai import OpenAIModel
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.schedule import Closed
from assay.store.sqlite import SqliteStore
from assay.transport.client import Client
from assay.transport.sink import Clocks
from assay.trial import CallState, Status

QUESTION = say("user", "What is six times seven?")
AT_ONCE = 250
ENDLESS = {
    "stall_headers": ("first_byte", 1.0),
    "s_stall": ("idle", 1.0),
    "s_keepalive": ("idle", 1.0),
    "drip:bps=400": ("total", 2.0),
}


def index():
    return Index(filter(None, [entry((QUESTION,), "Forty-two. " * 8)]))


async def late(limit, worst):
    """Keeps in `worst` by how many seconds a bare timer rings late."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(limit / 8)
        worst[0] = max(worst[0], time.monotonic() - began - limit / 8)


@pytest.mark.parametrize("fault", ENDLESS)
async def test_a_thousand_endless_replies_end_by_their_clock_and_leave_nothing(fault):
    """Four kinds, 250 of each at once."""
    clock, limit = ENDLESS[fault]
    loop = asyncio.get_running_loop()
    clocks = structs.replace(Clocks(connect=9, first_byte=9, idle=9, total=9), **{clock: limit})
    async with Emulator(index()) as server:
        client = Client()
        model = OpenAIModel(
            "m", "skill-1", server.url, None, client, clocks=clocks, headers={"x-fault": fault}
        )
        worst = [0.0]
        timer = asyncio.create_task(late(limit, worst))

        async def ask(n):
            with pytest.raises(CallError) as caught:
                await model.ask(Request((QUESTION, say("user", str(n))), stream=True))
            reply = caught.value.partial
            began = reply.instants.sent if clock != "idle" else reply.arrivals.token_stamps()[-1]
            return caught.value, (reply.instants.ended - began) / 1e9

        ended = await asyncio.gather(*[ask(n) for n in range(AT_ONCE)])
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)
        assert {(error.error, error.detail) for error, _ in ended} == {(ErrorClass.TIMEOUT, clock)}
        took = [seconds for _, seconds in ended]
        assert max(took) <= limit + 0.25 + worst[0]
        assert clock == "total" or min(took) >= limit  # the total clock runs from before the connection
        assert client.connections == 0
        await client.close()
        while server._connections:
            await asyncio.sleep(0.001)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(loop._selector.get_map()) <= 1  # asyncio's own


@contextmanager
def many_files(count):
    """A process may have a thousand files open, as a rule: here more, where it may raise that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"needs {count} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def served():
    """The base URL of an emulator that is a process of its own, with room for thousands of connections."""
    with many_files(4096):
        command = [sys.executable, "-m", "assay.emulator"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
            server.terminate()


async def test_a_thousand_dripping_bodies_at_once_end_by_the_total_clock_and_leave_nothing(served):
    limit, at_once = 3.0, 1000
    loop, worst = asyncio.get_running_loop(), [0.0]
    clocks = Clocks(connect=30, first_byte=30, idle=30, total=limit)
    client, before = Client(), set(loop._selector.get_map())
    fault = {"x-fault": "drip:bps=20"}
    model = OpenAIModel("m", "echo", served, None, client, clocks=clocks, headers=fault)
    timer = asyncio.create_task(late(limit, worst))

    async def ask(n):
        began = time.monotonic()
        with pytest.raises(CallError) as caught:
            await model.ask(Request((QUESTION, say("user", str(n)))))
        return caught.value, time.monotonic() - began

    ended = await asyncio.gather(*[ask(n) for n in range(at_once)])
    timer.cancel()
    await asyncio.gather(timer, return_exceptions=True)
    assert {(error.error, error.detail) for error, _ in ended} == {(ErrorClass.TIMEOUT, "total")}
    took = [seconds for _, seconds in ended]
    assert limit <= min(took)
    assert max(took) <= limit + 0.25 + worst[0]
    assert sum(error.partial.instants.headers != 0 for error, _ in ended) > 0.9 * at_once  # they dripped
    assert client.connections == 0
    await client.close()
    async with asyncio.timeout(5):
        while set(loop._selector.get_map()) != before:  # the loop closes a socket in its next turn
            await asyncio.sleep(0.001)
    assert asyncio.all_tasks() == {asyncio.current_task()}


MEMORY = """
import asyncio, json, resource, sys
from assay.errors import CallError
from assay.message import Request, say
from assay.models.openai import OpenAIModel
from assay.transport.client import Client

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

async def ask(client, fault, stream):
    model = OpenAIModel("m", "echo", sys.argv[1], None, client, headers={"x-fault": fault})
    try:
        await model.ask(Request((say("user", "hello"),), stream=stream))
    except CallError as error:
        return error.error.value
    return "a reply"

async def main():
    client = Client()
    await ask(client, "ok", True)
    before = peak()
    told = [await ask(client, fault, stream) for fault in sys.argv[2:] for stream in (False, True)]
    print(json.dumps([told, peak() - before]))
    await client.close()

asyncio.run(main())
"""


def test_an_answer_without_end_is_stopped_at_the_limit_and_costs_little_memory():
    floods = ["huge:mb=200", "gzbomb:mb=300", "interim_flood:mb=64", "s_tiny:n=1000000", "s_longline:mb=50"]
    command = [sys.executable, "-m", "assay.emulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        ran = subprocess.run(
            [sys.executable, "-c", MEMORY, url, *floods], capture_output=True, text=True, check=False
        )
        server.terminate()
    assert ran.returncode == 0, ran.stderr
    told, grown = json.loads(ran.stdout)
    assert told == ["too_large"] * 6 + ["a reply", "too_large"] * 2  # the last two are streams
    assert grown < 64


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_server_that_closes_idle_connections_fails_no_trial(tmp_path, end):
    count = 1000
    (tmp_path / "task.yaml").write_text(
        'name: short\ncases: cases.jsonl\nexchange: single\nprompt: {user: "{{INPUT}}"}\nscorers: [exact]\n'
    )
    rows = [{"input": f"Say {n}", "target": str(n)} for n in range(count)]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = Index(filter(None, [entry((say("user", row["input"]),), row["target"]) for row in rows]))
    async with Emulator(known, life=Life(idle_s=0.001, idle_end=end)) as server:
        plan = Plan(
            task=str(tmp_path / "task.yaml"),
            models=(ModelChoice("emulated/skill-1", base_url=server.url),),
            schedule=Closed(16),
        )
        result = await api.run(plan, store=tmp_path / "s.db", environment=Environment({}))
        ledger = server.ledger.records()
        opened = server._accepted
    store = SqliteStore.open(result.store, create=False)
    trials = list(store.trials(Where(run=result.run.id)))
    await store.close()
    assert [trial.status for trial in trials] == [Status.SCORED] * count
    assert all(trial.scores[0].value is True for trial in trials)
    assert len(ledger) == count  # nothing was answered twice
    calls = [call for trial in trials for call in trial.calls]
    stale = [call for call in calls if call.state is CallState.FAILED]
    assert {call.detail for call in stale} <= {"stale"}
    assert len(calls) == count + len(stale)
    assert opened > 16  # connections were closed, and others opened
