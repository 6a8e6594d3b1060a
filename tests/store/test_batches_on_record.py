"""Batches in the store: accepted once, in order, ended once; and what their runs add up to."""

import asyncio
from decimal import Decimal

import pytest
from msgspec import structs

from assay.case import Case
from assay.errors import StoreError
from assay.keys import run_uuid
from assay.message import Reply, Request, Usage, say
from assay.store import figures
from assay.store.batches import Batch, Batches, QueueFull
from assay.trial import Call, CallState, Outcome, Score, Status, Transcript, Trial

ROOM = 9


def batch(run="run_1", key=None, digest="d") -> Batch:
    plan = {"task": "t", "models": [{"name": "m"}]}
    return Batch(
        id=run_uuid(run), run=run, idempotency=key, digest=digest, plan=plan, trials=2, prompt=None, created=1
    )


@pytest.fixture
def kept(place, opened):
    """The batches of a new store."""
    found = Batches(opened(place))
    yield found
    found.close()


async def test_what_is_accepted_is_read_back_whole(kept):
    body = b'{"scenarios": []}' * 500
    added = await kept.add(batch(), body, ("c2", "c1"), ROOM)
    assert added == kept.find(added.id) == batch()
    assert kept.body(added.id) == body
    assert kept.cases(added.id) == ("c2", "c1")
    assert kept.find("none") is None
    with pytest.raises(StoreError, match="no batch"):
        kept.body("none")


async def test_scenarios_and_their_own_repeats_are_kept_with_a_batch(kept):
    more = structs.replace(batch(), scenarios=3, trials=5)
    added = await kept.add(more, b"x", ("a", "b", "c"), ROOM, (1, 3, 1))
    assert added == more
    assert kept.repeats(added.id) == {"b": 3}
    alike = await kept.add(batch("run_2"), b"x", ("a",), ROOM)
    assert (alike.scenarios, kept.repeats(alike.id)) == (None, {})


async def test_the_same_key_gives_the_batch_that_is_there_however_many_ask_at_once(kept):
    asked = (kept.add(batch(f"run_{n}", "key", f"d{n}"), b"x", (), ROOM) for n in range(30))
    found = await asyncio.gather(*asked)
    assert len({each.id for each in found}) == kept.count() == 1
    assert kept.by_key("key") == found[0]
    await kept.add(batch("run_x"), b"x", (), ROOM)
    await kept.add(batch("run_y"), b"x", (), ROOM)
    assert kept.count() == 3


async def test_a_queue_holds_what_it_may_and_what_is_played_does_not_wait(kept):
    first = await kept.add(batch("run_1"), b"x", (), 1)
    with pytest.raises(QueueFull):
        await kept.add(batch("run_2"), b"x", (), 1)
    await kept.begin(first.id)
    await kept.add(batch("run_2"), b"x", (), 1)


async def test_what_was_begun_comes_before_what_waits_and_the_oldest_first(kept):
    a, b, c = [await kept.add(batch(f"run_{n}"), b"x", (), ROOM) for n in range(3)]
    await kept.begin(b.id)
    order = []
    while (each := kept.next()) is not None:
        order.append(each.id)
        await kept.end(each.id, "completed", "completed", None, {})
    assert order == [b.id, a.id, c.id]
    assert [each.id for each in kept.page(2, 0)] == [c.id, b.id]
    assert [each.id for each in kept.page(2, 2)] == [a.id]


async def test_what_has_ended_stays_as_it_ended(kept):
    waiting, playing = [await kept.add(batch(f"run_{n}"), b"x", (), ROOM) for n in range(2)]
    await kept.begin(playing.id)
    await kept.cancel(waiting.id)
    await kept.cancel(playing.id)
    assert (kept.find(waiting.id).state, kept.find(waiting.id).outcome) == ("cancelled", "cancelled")
    assert (kept.find(playing.id).state, kept.find(playing.id).cancelled is not None) == ("running", True)
    await kept.end(playing.id, "cancelled", "cancelled", None, {"tokens": 7})
    before = kept.find(playing.id)
    await kept.cancel(playing.id)
    await kept.begin(playing.id)
    await kept.end(playing.id, "failed", "failed", "late", {})
    await kept.trouble(playing.id, "late")
    assert kept.find(playing.id) == before
    assert before.figures == {"tokens": 7}


def trial(case, status=Status.SCORED, repeat=0, grade=None, calls=()) -> Trial:
    scores = () if grade is None else (Score("judge", grade),)
    return Trial(
        "run_1", f"{case}{repeat}", Case(case, case), "m", repeat, 0, status, scores=scores, calls=calls,
        transcript=Transcript((), Outcome("goal_done")),
    )  # fmt: skip


def call(ordinal, role="agent", cost="0.5", state=CallState.DONE, model="m", **more) -> Call:
    request = Request((say("user", f"{role}{ordinal}"),))
    reply = Reply("x", usage=Usage(100, 10, cached=40))
    price = None if cost is None else Decimal(cost)
    return Call(
        "run_1", "t", role, ordinal, 1, model, request, f"h{role}{ordinal}", 0, 1,
        state=state, reply=reply, cost=price, **more,
    )  # fmt: skip


async def test_what_a_run_adds_up_to(place, opened, sample):
    store = opened(place)
    await store.open_run(sample.run("run_1"))
    calls = (
        call(0), call(1, cost="0.25"), call(2, cost=None), call(3, state=CallState.FAILED, cost="0"),
        call(4, state=CallState.RESERVED, cost=None), call(0, "judge", model="j"), call(5, origin="cached"),
    )  # fmt: skip
    await store.add(trial("b", grade=3.0, calls=calls))
    await store.add(trial("b", Status.FAILED, repeat=1))
    await store.add(trial("a", Status.UNSCORED, grade=None))
    await store.add(trial("a", grade=2.0, repeat=1))
    await store.add_scores("run_1", "a1", [Score("judge", 1.0)], Status.SCORED, "")
    path = store.path
    ended = {(each.case, each.status): each.trials for each in figures.ended(path, "run_1")}
    assert ended == {
        ("b", Status.SCORED): 1,
        ("b", Status.FAILED): 1,
        ("a", Status.UNSCORED): 1,
        ("a", Status.SCORED): 1,
    }
    assert sorted(figures.numbers(path, "run_1", "judge")) == [1.0, 3.0]
    agent, judge = sorted(figures.spending(path, "run_1"), key=lambda each: each.role)
    assert (agent.role, agent.requests, agent.failed, agent.unknown, agent.unpriced) == ("agent", 5, 1, 1, 1)
    assert (agent.cost, agent.cached, judge.cost, judge.model) == (Decimal("0.75"), 160, Decimal("0.5"), "j")
    assert list(figures.in_order(path, "run_1", ("a", "b"))) == ["a0", "a1", "b0", "b1"]
    assert list(figures.in_order(path, "run_1", ("b", "a"))) == ["b0", "b1", "a0", "a1"]
    for nothing in (figures.ended, figures.spending):
        assert nothing(path, "run_2") == []


async def test_a_run_that_is_deleted_takes_its_batch_with_it(place, opened, sample):
    store = opened(place)
    kept = Batches(store)
    run = sample.run("run_1")
    await kept.add(batch(), b"x", (), ROOM)
    await store.open_run(run)
    await store.end_run("run_1", "completed", None)
    await store.delete_run("run_1")
    assert kept.count() == 0
    kept.close()
