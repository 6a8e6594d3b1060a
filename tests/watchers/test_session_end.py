"""session.end: each conversation's result, signed, once; what does not get through stops nothing."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import os
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from assay import api
from assay.exchanges.conversation.settings import WebhookSettings
from assay.exchanges.conversation.webhook import Webhook
from assay.keys import run_uuid
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.store import figures
from assay.store.ends import ends, owes_ends
from assay.store.sqlite import SqliteStore
from assay.trial import Status
from assay.watchers import session_end
from assay.watchers.session_end import SessionEnd

ASSAY = Path(sys.executable).with_name("assay")
ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


class Hook:
    """An HTTP server on loopback that answers every POST with one status, and keeps what came.

    While `silent` is set it answers no `session.end`.
    """

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.silent = False
        self.ends = asyncio.Condition()
        self.posts: list[tuple[dict[str, str], bytes]] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
        self.posts.append((headers, await reader.readexactly(int(headers["content-length"]))))
        async with self.ends:
            self.ends.notify_all()
        if self.silent and ".end" in headers["webhook-id"]:
            await reader.read()  # until the caller is gone
            writer.close()
            return
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % self.status)
        await writer.drain()
        writer.close()

    def told(self, kind: str) -> list[str]:
        """The ids of the posts of one kind, in the order in which they came."""
        return [h["webhook-id"] for h, body in self.posts if json.loads(body)["type"] == f"session.{kind}"]

    async def until_told(self, ends: int) -> None:
        """Returns when so many conversations' ends have arrived."""
        async with self.ends:
            await self.ends.wait_for(lambda: len(set(self.told("end"))) >= ends)


def plan(port: int, **webhook) -> Plan:
    settings = {"url": f"http://127.0.0.1:{port}/hook", "waits_s": [0.0], **webhook}
    return Plan(
        task="phone_orders",
        limit=3,
        models=(ModelChoice("emulated/agent"),),
        exchange={"client": "rules", "webhook": settings},
        scorers=("state",),
    )


ALLOWED = Environment({"WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOW_PRIVATE": "1", "WEBHOOK_ALLOW_HTTP": "1"})


async def test_each_end_is_told_once_signed_and_with_the_result(tmp_path):
    async with Hook(204) as hook:
        result = await api.run(plan(hook.port, end=True), store=tmp_path / "a.db", environment=ALLOWED)
    told = {}
    for headers, body in hook.posts:
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = hmac.new(b"0123456789abcdef01234567", content, hashlib.sha256).digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
        sent = json.loads(body, parse_float=Decimal)
        told.setdefault(sent["type"], {})[headers["webhook-id"]] = sent
    assert set(told) == {"session.init", "session.end"}
    trials = list(SqliteStore.open(tmp_path / "a.db").trials(Where(run=result.run.id)))
    assert set(told["session.end"]) == {f"{result.run.id}/{trial.key}.end" for trial in trials}
    assert set(told["session.init"]) == {f"{result.run.id}/{trial.key}.init" for trial in trials}
    for trial in trials:
        sent = told["session.end"][f"{result.run.id}/{trial.key}.end"]
        assert sent["batch_id"] == run_uuid(result.run.id)
        assert sent["session_id"] == sent["result"]["session_id"] == trial.key
        assert sent["result"]["status"] == "completed"
        assert sent["result"]["goal"] == trial.scores[0].number
        assert sent["result"]["cost_usd"] == sum(call.cost for call in trial.calls)
    assert len(hook.posts) == 6


async def test_ends_that_the_webhook_is_too_slow_for_wait_in_the_record_and_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(session_end, "WAITING", 0)
    async with Hook(204) as hook:
        result = await api.run(plan(hook.port, end=True), store=tmp_path / "a.db", environment=ALLOWED)
    assert len(hook.told("end")) == len(set(hook.told("end"))) == 3
    assert ends(tmp_path / "a.db", result.run.id).owed == []


async def test_no_end_is_told_where_nobody_asked_for_it(tmp_path):
    async with Hook(204) as hook:
        await api.run(plan(hook.port), store=tmp_path / "a.db", environment=ALLOWED)
    assert {json.loads(body)["type"] for _, body in hook.posts} == {"session.init"}


async def test_an_end_that_does_not_get_through_is_logged_and_changes_nothing(tmp_path, caplog):
    async with Hook(204) as hook:
        chosen = plan(hook.port, end=True, on_error="continue")
        hook.status = 500
        with caplog.at_level(logging.WARNING, "assay.webhook"):
            result = await api.run(chosen, store=tmp_path / "a.db", environment=ALLOWED)
    assert result.run.state == "completed"
    assert result.summary.statuses[Status.SCORED] == 3
    assert sum("did not get through" in record.message for record in caplog.records) == 3
    ids = [headers["webhook-id"] for headers, _ in hook.posts if headers["webhook-id"].endswith(".end")]
    assert len(ids) == 9
    assert len(set(ids)) == 3


async def test_an_end_that_takes_too_long_is_given_up(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(session_end, "PATIENCE", 0.05)

    class Hanging:
        async def post(self, url, body, headers):
            await asyncio.Event().wait()

    async with Hook(204) as hook:
        result = await api.run(plan(hook.port), store=tmp_path / "a.db", environment=ALLOWED)
    trial = next(SqliteStore.open(tmp_path / "a.db").trials(Where(run=result.run.id)))
    store = SqliteStore.open(tmp_path / "a.db")
    await store.open_run(result.run)
    webhook = Webhook(WebhookSettings("https://h.example/"), Hanging(), SECRET)
    watcher = SessionEnd(webhook, store, tmp_path / "a.db")
    watcher.on_start(result.run, 0)
    watcher.on_trial(trial)
    with caplog.at_level(logging.WARNING, "assay.webhook"):
        await watcher.drained()
    await store.close()
    assert "1 conversations were not told in time" in caplog.text


@pytest.mark.parametrize("secret", ["whsec_not base64", ""])
async def test_a_secret_that_signs_nothing_is_refused_before_anything_runs(tmp_path, secret):
    environment = Environment({"WEBHOOK_SECRET": secret})
    with pytest.raises(api.UsageError):
        await api.run(plan(1, end=True), store=tmp_path / "a.db", environment=environment)
    assert not (tmp_path / "a.db").exists()


PLAYED = """
import asyncio, sys
from tests.watchers.test_session_end import ALLOWED, plan
from assay import api
asyncio.run(api.run(plan(int(sys.argv[1]), end=True), store=sys.argv[2], run_id="run_x", environment=ALLOWED))
"""


async def test_an_end_that_a_kill_cut_off_is_told_when_the_run_is_taken_up_under_the_same_id(tmp_path):
    store = tmp_path / "a.db"
    async with Hook(204) as hook:
        hook.silent = True
        words = (sys.executable, "-c", PLAYED, str(hook.port), str(store))
        child = await asyncio.create_subprocess_exec(*words, cwd=ROOT)
        await hook.until_told(3)
        child.kill()
        await child.wait()
        before = hook.told("end")
        spent = figures.spending(store, "run_x")
        hook.silent = False
        result = await api.run(plan(hook.port, end=True), store=store, run_id="run_x", environment=ALLOWED)
    assert result.summary.statuses[Status.SCORED] == 3
    assert sorted(hook.told("end")[len(before) :]) == sorted(set(before))
    assert len(hook.told("init")) == 3
    assert figures.spending(store, "run_x") == spent  # nothing was asked again
    assert ends(store, "run_x").owed == []


def forget(store, sql: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(sql)


async def test_a_kill_between_a_trials_end_and_its_intent_loses_no_end_and_what_was_told_is_not_told_again(
    tmp_path,
):
    store = tmp_path / "a.db"
    async with Hook(204) as hook:
        await api.run(plan(hook.port, end=True), store=store, run_id="run_x", environment=ALLOWED)
        first = hook.told("end")
        forget(store, "DELETE FROM effects WHERE rowid = (SELECT max(rowid) FROM effects)")
        assert len(ends(store, "run_x").owed) == 1
        await api.run(plan(hook.port, end=True), store=store, run_id="run_x", environment=ALLOWED)
        again = hook.told("end")[3:]
        await api.run(plan(hook.port, end=True), store=store, run_id="run_x", environment=ALLOWED)
    assert len(again) == 1
    assert again[0] in first
    assert len(hook.told("end")) == 4


async def test_an_end_that_did_not_get_through_is_owed_until_it_does(tmp_path):
    store = tmp_path / "a.db"
    async with Hook(204) as hook:
        chosen = plan(hook.port, end=True, on_error="continue", attempts=1)
        hook.status = 500
        await api.run(chosen, store=store, run_id="run_x", environment=ALLOWED)
        assert owes_ends(store, "run_x")
        forget(store, "UPDATE trials SET status = 'failed' WHERE rowid = (SELECT min(rowid) FROM trials)")
        hook.status = 204
        own = {**os.environ, **ALLOWED.values}
        words = (ASSAY, "run", "--resume", "run_x", "--store", store, "--quiet")
        child = await asyncio.create_subprocess_exec(*words, cwd=tmp_path, env=own)
        assert await child.wait() == 4  # one has failed; of a completed run, since it owes something
        child = await asyncio.create_subprocess_exec(*words, cwd=tmp_path)
        assert await child.wait() == 2  # now there is nothing left
    assert not owes_ends(store, "run_x")
    ids = hook.told("end")
    assert sorted(ids[:3]) == sorted(ids[3:])


async def test_a_conversation_that_is_played_again_has_a_further_end_of_its_own_id(tmp_path):
    store = tmp_path / "a.db"
    async with Hook(204) as hook:
        chosen = plan(hook.port, end=True)
        await api.run(chosen, store=store, run_id="run_x", environment=ALLOWED)
        forget(store, "UPDATE trials SET status = 'failed' WHERE rowid = (SELECT min(rowid) FROM trials)")
        again = structs.replace(chosen, retry_failed=True)
        await api.run(again, store=store, run_id="run_x", environment=ALLOWED)
        await api.run(chosen, store=store, run_id="run_x", environment=ALLOWED)
    ids = hook.told("end")
    assert len(ids) == 4
    assert [each.partition(".end")[2] for each in ids] == ["", "", "", ".2"]
    assert ids[3].removesuffix(".2") in ids[:3]
    assert ends(store, "run_x").owed == []
