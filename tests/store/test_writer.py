"""Group commit: together or not at all, and nothing lost to a full disk."""

import asyncio
import threading

import pytest

from assay.errors import StoreError
from assay.ports import Where
from assay.store import writer as writing
from assay.store.sqlite import SqliteStore
from assay.store.writer import TOLD_A_TURN
from assay.trial import CallState, Status


@pytest.fixture
async def store(place, sample):
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    return store


def fill(connection) -> None:
    """Lets the file grow no more, as a full disk does."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def empty(connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


def bulky(sample, key: str):
    call = sample.call(key)
    return sample.done(call, "".join(f"{n} {key} " for n in range(4000)))


async def test_what_waits_together_is_committed_together(store, sample) -> None:
    commits = []
    store._writer._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(*(store.reserve(sample.call(f"k{n}")) for n in range(200)))
    assert len(commits) < 20
    await store.close()


async def test_those_whose_rows_are_committed_together_wake_a_few_in_a_turn_requests_first(store, sample):
    """Between the turns sockets are read, and a request that waits for its intent goes before trials."""
    order: list[str] = []

    async def kept(name: str, keeping) -> None:
        await keeping
        order.append(name)

    begun, holding = threading.Event(), threading.Event()
    held = asyncio.create_task(store._writer.do(lambda _: begun.set() or holding.wait()))
    await asyncio.to_thread(begun.wait)
    played = [sample.trial(sample.done(sample.call(f"t{n}"))) for n in range(192)]
    trials = [asyncio.create_task(kept("trial", store.add(trial))) for trial in played]
    calls = [asyncio.create_task(kept("call", store.reserve(sample.call(f"k{n}")))) for n in range(64)]
    await asyncio.sleep(0)
    holding.set()
    await held
    most = 0
    while len(order) < 256:
        before = len(order)
        await asyncio.sleep(0)
        most = max(most, len(order) - before)
    await asyncio.gather(*trials, *calls)
    assert most <= TOLD_A_TURN
    assert order[: 64 + TOLD_A_TURN].count("call") == 64
    await store.close()


async def test_the_end_of_a_run_is_synced_to_the_disk(store, sample) -> None:
    statements: list[str] = []
    store._writer._connection.set_trace_callback(statements.append)
    await store.reserve(sample.call())
    await store.end_run("run-1", "completed", None)
    await store.close()
    synced = statements.index("PRAGMA synchronous=FULL")
    end = next(n for n, text in enumerate(statements) if text.startswith("UPDATE runs"))
    normal = statements.index("PRAGMA synchronous=NORMAL")
    assert synced < end < statements.index("COMMIT", end) < normal
    assert "COMMIT" in statements[:synced]


async def test_a_full_disk_is_told_to_everyone_who_waits_and_leaves_no_half(store, sample) -> None:
    await store._writer.do(fill)
    trials = [sample.trial(bulky(sample, f"k{n}")) for n in range(20)]
    results = await asyncio.gather(*(store.add(trial) for trial in trials), return_exceptions=True)
    refused = [result for result in results if isinstance(result, StoreError)]
    assert refused
    assert all("runs.db" in str(error) and "full" in str(error) for error in refused)
    kept = [trial for trial, result in zip(trials, results, strict=True) if result is None]
    assert list(store.trials(Where())) == kept
    assert [store.has("run-1", trial.key) for trial in trials].count(Status.PLAYED) == len(kept)
    await store._writer.do(empty)
    for trial in trials:
        await store.add(trial)
    assert sorted(t.key for t in store.trials(Where())) == sorted(t.key for t in trials)
    await store.close()


async def test_a_settlement_refused_by_a_full_disk_goes_with_the_next_group(store, place, sample) -> None:
    await store.reserve(sample.call("k1"))
    await store._writer.do(fill)
    store.settle(bulky(sample, "k1"))
    await store._writer.do(empty)
    await store.reserve(sample.call("k2"))
    assert store.lookup("run-1", "k1").calls[0].state is CallState.DONE
    await store.close()


async def test_closing_on_a_full_disk_says_what_was_lost(store, sample) -> None:
    await store.reserve(sample.call("k1"))
    await store._writer.do(fill)
    store.settle(bulky(sample, "k1"))
    with pytest.raises(StoreError, match=r"runs\.db.*full"):
        await store.close()


async def test_a_settlement_that_is_no_good_is_told_to_the_next_who_waits(store, sample) -> None:
    await store.reserve(sample.call("k1"))
    store._writer.post(1, [("settlements", [(1, None, *[None] * 12)])])
    with pytest.raises(StoreError, match="NOT NULL"):
        await store.close()


async def test_callers_are_held_back_while_too_much_waits_and_all_are_let_in(store, sample) -> None:
    many = writing.ROOM * 2 + 100
    await asyncio.gather(*(store.reserve(sample.call(f"k{n}")) for n in range(many)))
    assert store.spent("run-1").unknown == many
    assert store._writer._waiting == 0
    await store.close()


async def test_a_cancelled_caller_disturbs_nobody(store, sample) -> None:
    tasks = [asyncio.ensure_future(store.reserve(sample.call(f"k{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results].count(type(None)) == 9
    await store.close()


def test_known_bodies_are_bounded_and_forgotten_after_a_failure() -> None:
    known = writing.Known()
    rows = [(n.to_bytes(16, "big"), b"body") for n in range(writing.KNOWN * 3)]
    assert len(known.new(rows)) == len(rows)
    assert known.new(rows[-1:]) == []
    for start in range(0, len(rows), 100):
        known.new(rows[start : start + 100])
    assert len(known._young) + len(known._old) <= 2 * (writing.KNOWN + 100)
    known.forget()
    assert known.new(rows[-1:]) == rows[-1:]
