"""A worker's hold of what the first process has: the record and the budget."""

import asyncio
from decimal import Decimal

import pytest

from assay.crew.accounts import ROOM, FarBudget, FarRecorder
from assay.crew.messages import Book, Granted, Kept, Refused, Rows, SetAside, said_of
from assay.errors import Stopped, StoreError
from assay.ports import Stop


class Wire:
    """Keeps what is said, as the other end would read it."""

    def __init__(self):
        self.said = []

    def say(self, frame):
        self.said.append(said_of(frame[4:]))

    async def room(self):
        pass


ROW = [("trials", [(1, b"x", None, 1.5)])]


async def soon(condition):
    while not condition():
        await asyncio.sleep(0)


async def test_a_write_returns_when_its_rows_are_committed_and_not_before():
    wire = Wire()
    recorder = FarRecorder(wire)
    writing = asyncio.create_task(recorder.write(1, ROW))
    await soon(lambda: wire.said)
    assert wire.said == [Rows(ROW)]
    recorder.post(1, ROW)
    recorder.kept(Kept([2]))
    await asyncio.sleep(0)
    assert not writing.done()
    recorder.kept(Kept([1]))
    await writing


async def test_refused_rows_are_an_error_for_who_waits_and_else_for_who_writes_next():
    wire = Wire()
    recorder = FarRecorder(wire)
    writing = asyncio.create_task(recorder.write(1, ROW))
    await soon(lambda: wire.said)
    recorder.post(1, ROW)
    recorder.refused(Refused(1, "the disk is full"))
    recorder.refused(Refused(2, "the disk is still full"))
    with pytest.raises(StoreError, match="the disk is full"):
        await writing
    with pytest.raises(StoreError, match="still full"):
        await recorder.write(1, ROW)
    await recorder.close()


async def test_closing_waits_for_what_is_on_its_way():
    wire = Wire()
    recorder = FarRecorder(wire)
    recorder.post(1, ROW)
    recorder.post(1, ROW)
    closing = asyncio.create_task(recorder.close())
    recorder.kept(Kept([1]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    recorder.kept(Kept([2]))
    await closing


async def test_writers_are_held_back_while_many_rows_are_on_their_way():
    wire = Wire()
    recorder = FarRecorder(wire)
    for _ in range(ROOM):
        recorder.post(1, ROW)
    writing = asyncio.create_task(recorder.write(1, ROW))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(wire.said) == ROOM
    recorder.kept(Kept([1]))
    await soon(lambda: len(wire.said) == ROOM + 1)
    recorder.kept(Kept([ROOM + 1]))
    await writing


@pytest.mark.parametrize("value", ["\ud800", 1 << 70])
async def test_what_the_wire_cannot_carry_is_refused_alone(value):
    recorder = FarRecorder(Wire())
    with pytest.raises(StoreError, match="could not keep a record"):
        await recorder.write(1, [("trials", [(value,)])])
    recorder.post(1, ROW)
    recorder.kept(Kept([1]))
    await recorder.close()


async def test_dollars_are_asked_for_and_the_first_refusal_stops_the_run():
    wire, stop = Wire(), Stop()
    budget = FarBudget(wire)
    first = asyncio.create_task(budget.set_aside(Decimal("0.01"), stop))
    second = asyncio.create_task(budget.set_aside(None, stop))
    await soon(lambda: len(wire.said) == 2)
    assert wire.said == [SetAside(1, Decimal("0.01")), SetAside(2, None)]
    budget.granted(Granted(1, None))
    assert await first == Decimal("0.01")
    budget.granted(Granted(2, "budget"))
    with pytest.raises(Stopped, match="budget"):
        await second
    assert stop.reason == "budget"
    budget.book(Decimal("0.01"), Decimal("0.004"))
    assert wire.said[2:] == [Book(Decimal("0.01"), Decimal("0.004"))]


async def test_dollars_that_come_too_late_go_back_unspent():
    wire = Wire()
    budget = FarBudget(wire)
    asking = asyncio.create_task(budget.set_aside(Decimal("0.01"), Stop()))
    await soon(lambda: wire.said)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    budget.granted(Granted(1, None))
    assert wire.said[1:] == [Book(Decimal("0.01"), Decimal(0))]
