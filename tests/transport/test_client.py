"""The pool: connections kept, found stale, cancelled, closed."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from assay.errors import CallError, ErrorClass, StaleConnection
from assay.transport.client import Client
from assay.transport.sink import Clocks, target


async def echo(peer):
    while True:
        request = await peer.request()
        await peer.answer(request.split(b"\r\n\r\n", 1)[1])


async def test_a_request_carries_its_method_path_host_headers_and_body(server, client, sink):
    seen = []

    async def handler(peer):
        seen.append(await peer.request())
        await peer.answer(b"{}")

    server.handler = handler
    await client.send(server.target("/v1/chat?x=1", authorization="Bearer k"), b"hello", sink)
    head, body = seen[0].split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat?x=1 HTTP/1.1"
    assert set(lines[1:]) == {
        b"host: 127.0.0.1:%d" % server.port,
        b"accept-encoding: identity",
        b"authorization: Bearer k",
        b"content-length: 5",
    }
    assert body == b"hello"


async def test_one_connection_serves_request_after_request(server, client, make_sink):
    server.handler = echo
    for n in range(20):
        sink = make_sink()
        instants = await client.send(server.target(), b"%d" % n, sink)
        assert (sink.status, sink.body, instants.reused) == (200, b"%d" % n, n > 0)
    assert server.connections == client.connections == client.idle == 1


async def test_requests_at_once_each_have_a_connection_which_are_then_shared(server, client, make_sink):
    server.handler = echo

    async def ask(n: int) -> bytes:
        sink = make_sink()
        await client.send(server.target(), b"%d" % n, sink)
        return bytes(sink.body)

    for _ in range(3):
        assert await asyncio.gather(*(ask(n) for n in range(30))) == [b"%d" % n for n in range(30)]
    assert server.connections == client.connections == client.idle == 30


async def test_a_connection_that_the_server_wants_closed_is_not_kept(server, client, sink):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"bye", b"connection: close")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert sink.body == b"bye"
    assert client.connections == 0


async def test_an_idle_connection_that_the_server_closes_leaves_the_pool(server, client, make_sink):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")

    server.handler = handler
    for _ in range(3):
        await client.send(server.target(), b"", make_sink())
        while client.connections:
            await asyncio.sleep(0)
        assert client.idle == 0
    assert server.connections == 3


async def test_an_idle_connection_on_which_the_server_speaks_unasked_is_closed(server, client, sink):
    answered = asyncio.Event()

    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await answered.wait()
        await peer.say(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await peer.closed()

    server.handler = handler
    await client.send(server.target(), b"", sink)
    assert client.idle == 1
    answered.set()
    while client.connections:
        await asyncio.sleep(0)
    assert client.idle == 0


@pytest.mark.parametrize("after", [b"", b"\r\nSSH-2.0"])
async def test_bytes_after_the_answer_do_not_reach_the_next_request(server, client, make_sink, after):
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-evil: 1\r\n\r\nevil" + after

    async def handler(peer):
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx" + evil)
        await peer.closed()

    server.handler = handler
    sink = make_sink()
    await client.send(server.target(), b"", sink)
    assert sink.body == b"x"
    assert b"x-evil" not in sink.headers
    assert client.connections == 0


@pytest.mark.parametrize("reset", [False, True])
async def test_a_kept_connection_closed_instead_of_answered_is_reported_as_stale(
    server, client, make_sink, reset
):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await peer.request()
        if reset:
            peer.reset()

    server.handler = handler
    await client.send(server.target(), b"", make_sink())
    with pytest.raises(StaleConnection) as caught:
        await client.send(server.target(), b"", make_sink())
    assert (caught.value.error, caught.value.detail) == (ErrorClass.TRANSPORT, "stale")
    assert caught.value.partial.instants.reused
    assert client.connections == 0
    server.handler = echo
    sink = make_sink()
    await client.send(server.target(), b"again", sink)
    assert sink.body == b"again"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_new_connection_closed_instead_of_answered_is_not_stale(server, client, sink, reset):
    async def handler(peer):
        await peer.request()
        if reset:
            peer.reset()

    server.handler = handler
    with pytest.raises(CallError) as caught:
        await client.send(server.target(), b"", sink)
    assert not isinstance(caught.value, StaleConnection)
    assert caught.value.error is ErrorClass.TRANSPORT
    assert caught.value.detail == ("reset" if reset else "closed before any answer")


async def test_a_kept_connection_cut_after_its_first_byte_is_not_stale(server, client, make_sink):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"x")
        await peer.request()
        await peer.say(b"H")

    server.handler = handler
    await client.send(server.target(), b"", make_sink())
    with pytest.raises(CallError) as caught:
        await client.send(server.target(), b"", make_sink())
    assert (caught.value.detail, type(caught.value)) == ("cut", CallError)


async def test_a_cancelled_request_closes_its_connection_and_leaks_nothing(server, client, sink):
    gone = asyncio.Event()

    async def handler(peer):
        await peer.request()
        await peer.begin_chunks()
        await peer.chunk(b"some")
        await peer.closed()
        gone.set()

    server.handler = handler
    task = asyncio.create_task(client.send(server.target(), b"", sink))
    while not sink.feeds:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.connections == 0
    await gone.wait()
    assert asyncio.all_tasks() - {asyncio.current_task()} - server._tasks == set()


async def test_cancelling_in_the_moment_of_the_answer_hurts_no_other_request(server, client, make_sink):
    server.handler = echo
    await client.send(server.target(), b"warm", make_sink())
    first = make_sink()
    task = asyncio.create_task(client.send(server.target(), b"one", first))
    while not first.feeds:
        await asyncio.sleep(0)
    task.cancel()  # its answer is whole and its connection already in the pool
    second = make_sink()
    await client.send(server.target(), b"two", second)
    assert second.body == b"two"
    await asyncio.gather(task, return_exceptions=True)
    assert client.connections == client.idle == 1


async def test_cancelling_in_the_moment_of_a_failure_leaves_no_unseen_exception(server, client, make_sink):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))

    async def handler(peer):
        await peer.request()

    server.handler = handler
    for _ in range(5):
        task = asyncio.create_task(client.send(server.target(), b"", make_sink()))
        while client.connections == 0:
            await asyncio.sleep(0)
        while client.connections:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del task
    gc.collect()
    assert complaints == []


async def test_a_cancelled_connect_leaves_no_socket(client, sink):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        plugs = [socket.socket() for _ in range(4)]  # more than its backlog: the next must wait
        for plug in plugs:
            plug.setblocking(False)
            plug.connect_ex(("127.0.0.1", port))
        with pytest.raises(CallError) as caught:
            await client.send(target(f"http://127.0.0.1:{port}/", {}), b"", sink, clocks=Clocks(connect=0.1))
        for plug in plugs:
            plug.close()
    assert (caught.value.error, caught.value.detail) == (ErrorClass.TIMEOUT, "connect")
    assert client.connections == 0


async def test_a_refused_connection_is_class_connect(client, sink):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(CallError) as caught:
        await client.send(target(f"http://localhost:{port}/", {}), b"", sink)
    assert caught.value.error is ErrorClass.CONNECT


async def test_an_unknown_name_is_class_connect(client, sink):
    with pytest.raises(CallError) as caught:
        await client.send(target("http://nowhere.invalid/", {}), b"", sink)
    assert caught.value.error is ErrorClass.CONNECT


async def test_a_name_is_looked_up_once_for_connections_that_open_together(
    server, client, make_sink, monkeypatch
):
    server.handler = echo
    loop = asyncio.get_running_loop()
    asked = []
    look_up = loop.getaddrinfo

    async def counted(host, port, **kinds):
        asked.append(host)
        return await look_up(host, port, **kinds)

    monkeypatch.setattr(loop, "getaddrinfo", counted)
    where = target(f"http://localhost:{server.port}/", {})
    await asyncio.gather(*(client.send(where, b"", make_sink()) for _ in range(20)))
    assert asked == ["localhost"]


async def test_closing_the_client_fails_what_is_in_flight(server, sink):
    async def handler(peer):
        await peer.request()
        await peer.closed()

    server.handler = handler
    client = Client()
    task = asyncio.create_task(client.send(server.target(), b"", sink))
    while client.connections == 0:
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(CallError) as caught:
        await task
    assert caught.value.error is ErrorClass.TRANSPORT
    with pytest.raises(CallError):
        await client.send(server.target(), b"", sink)
    assert client.connections == 0
