"""A service that is killed goes on by itself: nothing is lost, and nothing that was settled is paid again."""

import signal
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from tests.service.serving import SPEAKERS, Emulated, Served, scenario

SLOTS = 6


@pytest.fixture
def emulator(tmp_path):
    server = Emulated(tmp_path, "--ttft-ms", "15")
    yield server
    server.close()


@pytest.fixture
def service(tmp_path, emulator):
    served = Served(tmp_path, *SPEAKERS, "--base-url", emulator.url, "--concurrency", str(SLOTS))
    yield served
    served.close()


def cut(service) -> int:
    """Attempts of which the store does not know how they ended."""
    with closing(sqlite3.connect(service.folder / ".assay" / "assay.db")) as connection:
        query = "SELECT count(*) FROM calls c LEFT JOIN settlements s ON s.call = c.id WHERE s.call IS NULL"
        return int(connection.execute(query).fetchone()[0])


@pytest.mark.timeout(180)
def test_a_batch_that_is_killed_twice_ends_whole_and_pays_nothing_twice(service, emulator):
    service.begin()
    batch = service.post([scenario(n) for n in range(30)], idempotency_key="mine")
    for conversations in (5, 14):
        service.until(batch, conversations)
        service.kill(signal.SIGKILL)
        service.begin()
    assert service.post([scenario(n) for n in range(30)], idempotency_key="mine") == batch
    standing = service.ended(batch, within=90)
    assert (standing["outcome"], standing["completed_scenarios"], standing["progress"]) == (
        "completed",
        30,
        100,
    )
    rows = service.ask("GET", f"/batches/{batch}/results?order=input").json["results"]
    assert [row["seed"] for row in rows] == list(range(30))
    asked = Counter(record["request"] for record in emulator.records())
    again = sum(times - 1 for times in asked.values())
    unknown = cut(service)
    assert again <= unknown <= 2 * 2 * SLOTS  # a slot is given back before its conversation is judged
    cost = service.ask("GET", f"/batches/{batch}/cost").json
    assert cost["unknown_calls"] == unknown
    assert cost["total_requests"] - unknown <= len(emulator.records()) <= cost["total_requests"]
    files = list((service.folder / "results").glob(f"batch_{batch}_*"))
    assert len(files) == 3


def test_a_service_that_is_ended_leaves_its_batch_to_the_next_start(service):
    service.begin()
    batch = service.post([scenario(n) for n in range(20)])
    service.until(batch, 2)
    assert service.kill(signal.SIGTERM) == 0
    service.begin()
    standing = service.ended(batch)
    assert (standing["outcome"], standing["completed_scenarios"]) == ("completed", 20)


def test_a_batch_that_waited_for_a_dead_service_is_played_by_the_next(service):
    service.begin()
    first, second = (service.post([scenario(100 * n + m) for m in range(8)]) for n in (1, 2))
    service.kill(signal.SIGKILL)
    service.begin()
    assert service.ended(first)["completed_scenarios"] == service.ended(second)["completed_scenarios"] == 8


def test_a_batch_whose_models_do_not_answer_fails_and_says_why(tmp_path):
    service = Served(tmp_path, *SPEAKERS, "--base-url", "http://127.0.0.1:9/v1")
    service.begin()
    try:
        standing = service.ended(service.post([scenario(1)]))
        assert (standing["status"], standing["completed_scenarios"]) == ("failed", 0)
        assert "127.0.0.1:9" in standing["last_error"]
    finally:
        service.close()
