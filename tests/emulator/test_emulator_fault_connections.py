"""Faults before the head and in a connection's life, as they look on a raw socket."""

import asyncio

import pytest

from assay.emulator.connection import Life

RIGHT = "Forty-two, that is 42 — сорок два."


async def test_one_direction_can_be_closed_while_the_other_is_open(start, request_bytes, make, until):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.root.rpartition(":")[2]))
    writer.write(request_bytes(make(), headers={"x-fault": "half_close"}))
    assert await reader.read() == b""
    writer.write(b"the server still reads")
    await writer.drain()
    assert len(emulator._connections) == 1
    writer.close()
    await until(lambda: not emulator._connections)
    assert emulator.ledger.records()[0].status == 0


@pytest.mark.parametrize(
    ("fault", "raw"),
    [("bad_status_line", b"HTTP/1.1 OK two hundred\r\n\r\n"), ("not_http", b"SSH-2.0-server\r\n")],
)
async def test_what_is_not_http_comes_in_place_of_an_answer(faulty, fault, raw):
    got, record = await faulty(fault)
    assert (got.raw, got.end, record.status, record.billed) == (raw, "eof", 0, False)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_head_drips_and_the_reply_is_right(faulty, stream):
    got, record = await faulty("slow_headers:bps=1000", stream=stream, patience=5)
    assert got.text == RIGHT
    head = len(got.raw) - len(got.raw.partition(b"\r\n\r\n")[2])
    assert record.done_sent - record.arrived >= head / 1000 * 1e9
    assert record.billed


@pytest.mark.parametrize("stream", [False, True])
async def test_interim_answers_come_before_the_right_one(faulty, stream):
    got, _ = await faulty("interim:n=7", stream=stream)
    assert got.raw.count(b"HTTP/1.1 102 Processing\r\n\r\n") == 7
    assert (got.status, got.text) == (200, RIGHT)


async def test_interim_answers_can_come_without_end(faulty):
    got, record = await faulty("interim_flood:mb=2", patience=5)
    assert got.end == "eof"
    assert got.raw.replace(b"HTTP/1.1 102 Processing\r\n\r\n", b"") == b""
    assert len(got.raw) >= 2 << 20
    assert not record.billed


@pytest.mark.parametrize("stream", [False, True])
async def test_the_end_of_the_connection_can_be_the_end_of_the_body(faulty, stream):
    got, record = await faulty("until_end", stream=stream)
    assert {"content-length", "transfer-encoding"}.isdisjoint(got.headers)
    assert (got.text, got.end) == (RIGHT, "eof")
    assert record.done_sent


async def test_a_reply_can_be_announced_as_the_last(start, request_bytes, make, read_response):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.root.rpartition(":")[2]))
    writer.write(request_bytes(make(), headers={"x-fault": "last_reply"}))
    got = await read_response(reader)
    assert (got.headers["connection"], got.text) == ("close", RIGHT)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("fault", ["idle_fin:ms=30", "idle_rst:ms=30"])
async def test_a_connection_ends_unannounced_some_time_after_its_reply(
    start, request_bytes, make, read_response, fault
):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.root.rpartition(":")[2]))
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer.write(request_bytes(make(), headers={"x-fault": fault}))
    got = await read_response(reader)
    assert (got.text, "connection" in got.headers) == (RIGHT, False)
    if "rst" in fault:
        with pytest.raises(ConnectionResetError):
            await reader.read()
    else:
        assert await reader.read() == b""
    assert loop.time() - began > 0.02
    writer.close()


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_an_idle_connection_is_closed_after_its_time(start, request_bytes, make, read_response, how):
    emulator = await start(life=Life(idle_s=0.5, idle_end=how))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.root.rpartition(":")[2]))
    for _ in range(4):  # each in time
        writer.write(request_bytes(make()))
        assert (await read_response(reader)).text == RIGHT
        await asyncio.sleep(0.2)
    if how == "rst":
        with pytest.raises(ConnectionResetError):
            await reader.read()
    else:
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_is_busy_is_not_idle(start, talk, make):
    emulator = await start(life=Life(idle_s=0.02))
    got = await talk(emulator, make(), headers={"x-fault": "stall_headers:s=0.1"}, patience=5)
    assert got.text == RIGHT


async def test_a_connection_serves_so_many_requests_and_says_which_is_the_last(
    start, request_bytes, make, read_response
):
    emulator = await start(life=Life(requests=2))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.root.rpartition(":")[2]))
    writer.write(request_bytes(make()))
    first = await read_response(reader)
    writer.write(request_bytes(make(stream=True)))
    second = await read_response(reader)
    assert (first.text, second.text) == (RIGHT, RIGHT)
    assert ("connection" in first.headers, second.headers["connection"]) == (False, "close")
    assert await reader.read() == b""
    writer.close()
