"""A batch is accepted once, waits its turn, and can be ended."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.service.serving import CLASSIC, Emulated, Served, scenario

SLOW = ("--agent", "emulated/agent", "--client", "rules", "--evaluator", "none", "--concurrency", "2")


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A service whose conversations take a while: about a second each."""
    folder = tmp_path_factory.mktemp("slow")
    emulator = Emulated(folder, "--ttft-ms", "80")
    service = Served(folder, *SLOW, "--base-url", emulator.url, "--queue", "2")
    service.begin()
    yield service
    service.close()
    emulator.close()


def test_fifty_posts_at_once_under_one_key_make_one_batch(served):
    before = served.ask("GET", "/batches").json["total_count"]
    with ThreadPoolExecutor(50) as pool:
        asked = [
            pool.submit(served.ask, "POST", "/batches", CLASSIC, idempotency_key="once") for _ in range(50)
        ]
        answers = [each.result() for each in asked]
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert served.ask("GET", "/batches").json["total_count"] == before + 1
    served.ended(answers[0].json["batch_id"])
    again = served.ask("POST", "/batches", CLASSIC, idempotency_key="once")
    assert again.json["batch_id"] == answers[0].json["batch_id"]


def test_a_key_stands_for_one_body(served):
    served.ended(served.post(CLASSIC, idempotency_key="mine"))
    other = served.ask("POST", "/batches", [scenario(7)], idempotency_key="mine")
    assert other.status == 422
    assert "Idempotency-Key" in other.json["detail"]
    assert served.ask("POST", "/batches", CLASSIC, idempotency_key="x" * 256).status == 400
    assert served.post(CLASSIC) != served.post(CLASSIC)


def test_a_queue_that_is_full_refuses_and_a_batch_that_waits_can_be_ended(slow):
    first = slow.post([scenario(n) for n in range(8)])
    slow.until(first, 1)
    waiting = [slow.post([scenario(100 + n)]) for n in range(2)]
    full = slow.ask("POST", "/batches", CLASSIC)
    assert full.status == 429
    assert int(full.headers["retry-after"]) > 0
    standing = slow.ask("GET", f"/batches/{waiting[1]}").json
    assert (standing["status"], standing["progress"], standing["started_at"]) == ("queued", 0, None)
    ended = slow.ask("DELETE", f"/batches/{waiting[1]}").json
    assert (ended["status"], ended["completed_scenarios"]) == ("cancelled", 0)
    assert slow.ask("GET", f"/batches/{waiting[1]}/results").json["total_results"] == 0
    assert slow.ended(first)["status"] == slow.ended(waiting[0])["status"] == "completed"


def test_what_there_is_can_be_had_while_more_comes(slow):
    batch = slow.post([scenario(200 + n) for n in range(6)])
    slow.until(batch, 2)
    standing = slow.ask("GET", f"/batches/{batch}").json
    assert standing["status"] == "running"
    assert 0 < standing["progress"] < 100
    assert standing["running"] + standing["queued"] == 6 - standing["completed"]
    assert standing["eta_s"] > 0
    results = slow.ask("GET", f"/batches/{batch}/results")
    assert results.json["partial"] is True
    assert results.headers["assay-partial"] == "true"
    assert 2 <= results.json["total_results"] < 6
    assert slow.ask("GET", f"/batches/{batch}/summary").json["partial"] is True
    assert slow.ended(batch)["progress"] == 100
    assert "partial" not in slow.ask("GET", f"/batches/{batch}/results").json


def test_an_ended_batch_keeps_what_it_has_and_lets_what_is_in_play_end(slow):
    batch = slow.post([scenario(300 + n) for n in range(40)])
    slow.until(batch, 3)
    assert slow.ask("POST", f"/batches/{batch}/cancel").status == 200
    standing = slow.ended(batch)
    assert standing["status"] == standing["outcome"] == "cancelled"
    assert 3 <= standing["completed"] < 40
    assert standing["progress"] == round(standing["completed"] / 40 * 100, 2)
    assert standing["resumable"]
    assert slow.ask("GET", f"/batches/{batch}/results").json["total_results"] == standing["completed"]
    assert slow.ask("DELETE", f"/batches/{batch}").json["status"] == "cancelled"
