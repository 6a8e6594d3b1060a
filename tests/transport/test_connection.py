"""One request on one connection: framings, stamps, clocks, limits, ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from assay.errors import CallError, ErrorClass
from assay.transport.connection import Connection
from assay.transport.sink import Clocks


async def failing(client, target, sink, body=b"", **limits) -> CallError:
    with pytest.raises(CallError) as caught:
        await client.send(target, body, sink, **limits)
    assert client.connections == 0
    return caught.value


async def test_a_chunked_body_is_told_without_its_framing(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        for piece in (b"one ", b"two ", b"three"):
            await peer.chunk(piece)
        await peer.chunk(b"")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert sink.body == b"one two three"
    assert client.idle == 1


async def test_a_response_in_slices_of_one_byte_is_the_same_response(server, client, sink):
    raw = b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    async def handler(peer):
        await peer.request()
        for n in range(len(raw)):
            await peer.say(raw[n : n + 1])
            await asyncio.sleep(0)
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert (sink.status, sink.headers[b"x-a"], sink.body) == (200, b"b", b"abcde")
    assert client.idle == 1


async def test_a_body_without_length_ends_with_the_connection(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert sink.body == b"all of it"
    assert client.connections == 0


async def test_an_answer_may_come_after_interim_ones(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.say(b"HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
        await peer.answer(b"real")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert (sink.status, sink.body) == (200, b"real")
    assert b"x-early" not in sink.headers
    assert client.idle == 1


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "cut"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", "cut"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "cut"),
        (b"", "closed before any answer"),
    ],
)
async def test_a_response_that_breaks_off_is_class_transport(server, client, sink, raw, detail):
    async def handler(peer):
        await peer.request()
        await peer.say(raw)

    server.handler = handler
    error = await failing(client, server.target(), sink)
    assert (error.error, error.detail) == (ErrorClass.TRANSPORT, detail)


async def test_a_reset_in_the_body_is_class_transport(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        await peer.chunk(b"some")
        while not sink.feeds:
            await asyncio.sleep(0)
        peer.reset()

    server.handler = handler
    error = await failing(client, server.target(), sink)
    assert (error.error, error.detail, sink.body) == (ErrorClass.TRANSPORT, "reset", b"some")
    assert error.partial.instants.headers > 0


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot hex\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\nabc",
    ],
)
async def test_what_is_not_plain_http_is_class_protocol(server, client, sink, raw):
    async def handler(peer):
        await peer.request()
        await peer.say(raw)
        await peer.closed()

    server.handler = handler
    assert (await failing(client, server.target(), sink)).error is ErrorClass.PROTOCOL


async def flood(peer):
    await peer.request()
    await peer.begin_chunks()
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while True:
        await peer.say(piece)


async def endless_head(peer):
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.say(b"x-a: " + b"y" * 1000 + b"\r\n")


async def endless_interim(peer):
    await peer.request()
    while True:
        await peer.say(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


@pytest.mark.parametrize("handler", [flood, endless_head, endless_interim])
async def test_a_response_over_the_limit_is_refused_and_closed(server, client, sink, handler):
    server.handler = handler
    error = await failing(client, server.target(), sink, limit=1_000_000)
    assert error.error is ErrorClass.TOO_LARGE
    assert len(sink.body) <= 1_000_000


async def test_a_thousand_interim_answers_are_borne_and_no_more(server, client, make_sink):
    for count, error in ((1000, None), (1001, ErrorClass.TOO_LARGE)):

        async def handler(peer, count=count):
            await peer.request()
            interim = b"HTTP/1.1 103 Early Hints\r\n\r\n" * count
            await peer.say(interim + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")

        server.handler = handler
        sink = make_sink()
        if error is None:
            await client.send(server.target(), b"{}", sink)
            assert (sink.status, bytes(sink.body)) == (200, b"ok")
        else:
            assert (await failing(client, server.target(), sink)).error is error


async def stall_before_head(peer) -> None:
    await peer.request()
    await peer.closed()


async def stall_after_head(peer):
    await peer.request()
    await peer.begin_chunks()
    await peer.closed()


async def stall_after_content(peer):
    await peer.request()
    await peer.begin_chunks()
    await peer.chunk(b"some")
    await peer.closed()


async def keep_alive_only(peer):
    await peer.request()
    await peer.begin_chunks()
    await peer.chunk(b"some")
    while True:
        await peer.chunk(b": ping\n\n")
        await asyncio.sleep(0.01)


async def comments_before_content(peer):
    await peer.request()
    await peer.begin_chunks()
    while True:
        await peer.chunk(b": ping\n\n")
        await asyncio.sleep(0.01)


async def drip(peer):
    await peer.request()
    await peer.begin_chunks()
    while True:
        await peer.chunk(b"x")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "behaviour",
    [
        (stall_before_head, "first_byte", 0.2),
        (stall_after_head, "first_byte", 0.2),
        (comments_before_content, "first_byte", 0.2),
        (stall_after_content, "idle", 0.1),
        (keep_alive_only, "idle", 0.1),
        (drip, "total", 0.4),
    ],
)
async def test_each_clock_ends_what_it_is_for(server, client, make_sink, behaviour):
    server.handler, clock, after = behaviour
    sink = make_sink(content=lambda data: not data.startswith(b":"))
    began = time.monotonic()
    error = await failing(
        client, server.target(), sink, clocks=Clocks(connect=1, first_byte=0.2, idle=0.1, total=0.4)
    )
    assert (error.error, error.detail) == (ErrorClass.TIMEOUT, clock)
    assert after - 0.001 <= time.monotonic() - began < after + 0.25


async def test_content_in_time_keeps_a_long_stream_alive(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        for _ in range(12):
            await asyncio.sleep(0.05)
            await peer.chunk(b"x")
        await peer.chunk(b"")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink, clocks=Clocks(first_byte=0.3, idle=0.3, total=10))
    assert sink.body == b"x" * 12


async def test_an_idle_clock_shorter_than_the_wait_for_the_first_byte_is_kept(server, client, sink):
    async def handler(peer):
        await peer.request()
        await asyncio.sleep(0.3)
        await peer.begin_chunks()
        await peer.chunk(b"x")
        await peer.closed()

    server.handler = handler
    began = time.monotonic()
    error = await failing(client, server.target(), sink, clocks=Clocks(first_byte=5, idle=0.1))
    assert error.detail == "idle"
    assert 0.4 <= time.monotonic() - began < 0.65


async def test_a_timer_left_over_from_one_request_does_not_end_the_next(server, client, make_sink):
    async def handler(peer):
        while True:
            await peer.request()
            await asyncio.sleep(0.08)
            await peer.answer(b"x")

    server.handler = handler
    for _ in range(5):
        await client.send(
            server.target(), b"", make_sink(), clocks=Clocks(first_byte=0.2, idle=0.2, total=0.2)
        )
    assert server.connections == 1


async def test_a_later_request_with_shorter_clocks_is_ended_by_them(server, client, make_sink):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await stall_before_head(peer)

    server.handler = handler
    await client.send(server.target(), b"", make_sink(), clocks=Clocks())
    began = time.monotonic()
    error = await failing(client, server.target(), make_sink(), clocks=Clocks(first_byte=0.1))
    assert error.detail == "first_byte"
    assert time.monotonic() - began < 0.35


async def test_after_the_end_of_the_answer_nothing_is_fed_and_the_connection_is_kept(
    server, client, make_sink
):
    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        await peer.chunk(b"text END")
        while not sink.feeds:
            await asyncio.sleep(0)
        await peer.chunk(b"more")
        await peer.chunk(b"")
        await peer.closed()

    server.handler = handler
    sink = make_sink(end=b"END")
    await client.send(server.target(), b"", sink)
    assert sink.body.startswith(b"text END")
    assert len(sink.feeds) == 1
    assert client.idle == 1


async def test_a_body_left_open_after_the_end_of_the_answer_holds_nobody_up(server, client, make_sink):
    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        await peer.chunk(b"text END")
        await peer.closed()

    server.handler = handler
    sink = make_sink(end=b"END")
    began = time.monotonic_ns()
    instants = await client.send(server.target(), b"", sink)
    assert time.monotonic_ns() - began < 0.5e9
    assert instants.ended == sink.feeds[0][1]
    assert client.connections == 0


async def test_a_large_body_is_sent_whole(server, client, sink):
    seen = []

    async def handler(peer):
        await asyncio.sleep(0.05)  # lets the socket's buffer fill
        seen.append(len(await peer.request()))
        await peer.answer(b"ok")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"x" * 20_000_000, sink)
    assert sink.body == b"ok"
    assert seen[0] > 20_000_000
    assert client.idle == 1
    (connection,) = client._open
    assert not asyncio.get_running_loop().remove_writer(connection._sock), "a writer left behind spins"


async def test_an_answer_that_comes_before_the_request_is_whole_counts(server, client, sink):
    async def handler(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.answer(b"too long", status=b"413 Payload Too Large")
        await peer.reader.read(1)

    server.handler = handler
    await client.send(server.target(), b"x" * 20_000_000, sink)
    assert (sink.status, sink.body) == (413, b"too long")
    assert client.connections == 0


async def test_an_error_of_the_sink_reaches_the_caller_and_closes_the_connection(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await peer.closed()

    def feed(data, at, read):
        raise LookupError("a sink's own mistake")

    server.handler = handler
    sink.feed = feed
    with pytest.raises(LookupError):
        await client.send(server.target(), b"", sink)
    assert client.connections == 0


async def test_the_instants_come_in_their_order_and_bytes_bear_the_kernels_stamp(
    server, client, make_sink, stamping
):
    async def handler(peer):
        while True:
            await peer.request()
            await peer.begin_chunks()
            await asyncio.sleep(0.02)
            await peer.chunk(b"x")
            await peer.chunk(b"")

    server.handler = handler
    for n in range(3):
        sink = make_sink()
        before = time.monotonic_ns()
        instants = await client.send(server.target(), b"", sink)
        points = [
            before,
            instants.connected,
            instants.sent,
            instants.headers,
            sink.feeds[0][1],
            instants.ended,
        ]
        assert points == sorted(points)
        assert points[-1] <= time.monotonic_ns()
        assert sink.feeds[0][1] - instants.headers > 15_000_000
        assert (instants.clock, instants.reused) == ("kernel", n > 0)


async def test_a_late_reader_still_gives_the_stamp_of_the_arrival(server, client, sink, stamping):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        time.sleep(0.05)  # noqa: ASYNC251  # holds the whole loop, reader included
        await peer.closed()

    server.handler = handler
    instants = await client.send(server.target(), b"", sink)
    late = time.monotonic_ns() - sink.feeds[0][1]
    assert instants.clock == "kernel"
    assert late > 45_000_000


async def test_a_stamp_that_cannot_be_right_gives_way_to_the_read(server, client, sink, monkeypatch):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await peer.closed()

    server.handler = handler
    monkeypatch.setattr("assay.transport.connection.wall_offset", lambda: -(10**15))  # the wall clock jumped
    before = time.monotonic_ns()
    instants = await client.send(server.target(), b"", sink)
    assert instants.clock == "read"
    assert before < sink.feeds[0][1] <= time.monotonic_ns()


async def test_a_request_arms_at_most_one_timer_however_many_chunks_come(
    server, client, make_sink, monkeypatch
):
    async def handler(peer):
        while True:
            await peer.request()
            await peer.begin_chunks()
            for _ in range(50):
                await peer.chunk(b"x")
                await asyncio.sleep(0)
            await peer.chunk(b"")

    server.handler = handler
    loop = asyncio.get_running_loop()
    armed = []
    call_at = loop.call_at

    def counted(when, callback, *args, **context):
        if getattr(callback, "__func__", None) is Connection._ring:
            armed.append(when)
        return call_at(when, callback, *args, **context)

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(5):
        await client.send(server.target(), b"", make_sink())
    assert len(armed) == 1
