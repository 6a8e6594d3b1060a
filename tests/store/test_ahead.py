"""What a resumed run holds is known without a query for each trial, and never wrongly."""

import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from assay.store.ahead import PAGE, ROOM, Ahead
from assay.store.sqlite import SqliteStore
from assay.trial import Status


class Record:
    """Recorded trials as the file gives them, and how often it was asked."""

    def __init__(self, keys):
        self.rows = [(n, key, "scored") for n, key in enumerate(keys, 1)]
        self.reads = 0

    def read(self, after, most):
        self.reads += 1
        return [row for row in self.rows if row[0] > after][:most]


def test_a_record_in_the_order_of_the_plan_is_read_once_page_by_page():
    record = Record([f"k{n}" for n in range(3 * PAGE + 1)])
    ahead = Ahead(record.read)
    for n in range(3 * PAGE + 1):
        assert ahead.take(f"k{n}") is Status.SCORED
        assert record.reads <= n // PAGE + 1
    assert ahead.take("k-new") is None
    assert record.reads == 4


def test_what_is_not_recorded_is_looked_for_no_further_than_there_is_room():
    record = Record([f"k{n}" for n in range(3 * ROOM)])
    ahead = Ahead(record.read)
    assert ahead.take("new") is None
    assert record.reads == ROOM // PAGE
    assert ahead.take("other") is None
    assert record.reads == ROOM // PAGE
    assert ahead.take("k0") is Status.SCORED


@given(st.integers(0, 700), st.integers(0, 20), st.randoms(use_true_random=False))
def test_what_it_tells_is_recorded_and_told_once(recorded, more, random: Random):
    keys = [f"k{n}" for n in range(recorded)]
    ahead = Ahead(Record(keys).read)
    asked = keys + [f"new{n}" for n in range(more)]
    random.shuffle(asked)
    told = [key for key in asked if ahead.take(key) is not None]
    assert set(told) == set(keys)
    assert not any(ahead.take(key) for key in keys)


class Great(SqliteStore):
    """A store for which every record is a great one."""

    scanned = 0


async def test_a_run_with_a_great_record_is_taken_up_as_one_with_a_small_one(place, sample, opened):
    store = opened(place)
    await store.open_run(sample.run())
    for n in range(30):
        await sample.played(store, f"k{n}")
    await store.reserve(sample.call("cut"))
    await store.close()

    great = Great.open(place)
    await great.open_run(sample.run())
    assert [great.has("run-1", f"k{n}") for n in (3, 1, 29)] == [Status.PLAYED] * 3
    assert great.has("run-1", "k3") is Status.PLAYED
    assert great.has("run-1", "new") is None
    assert [call.id for call in great.lookup("run-1", "cut").calls] == ["candidate.0.1"]
    assert great.lookup("run-1", "new").calls == ()

    again = structs.replace(sample.call("k5"), attempt=2)
    await great.reserve(again)
    failed = structs.replace(sample.trial(sample.done(again)), status=Status.FAILED)
    await great.add(failed)
    assert great.has("run-1", "k5") is Status.FAILED
    await asyncio.gather(*(sample.played(great, f"n{n}") for n in range(5)))
    assert great.has("run-1", "n3") is Status.PLAYED
    await great.close()
