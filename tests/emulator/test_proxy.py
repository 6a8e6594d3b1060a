"""Each toxic, over raw sockets: what goes in at one end and what comes out at the other, and when."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager

import pytest

from assay.emulator.proxy import Proxy, address_of, toxics_of
from assay.errors import CallError, ErrorClass, UsageError
from assay.message import Request, say
from assay.models.openai import OpenAIModel
from assay.transport.client import Client

SENT = bytes(range(256)) * 40


class Upstream:
    """A server that keeps what it is sent, and answers SENT when its client has ended."""

    def __init__(self):
        self.heard = b""
        self.ended = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            self.heard = await reader.read()
            writer.write(SENT)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass
        finally:
            self.ended.set()


@asynccontextmanager
async def between(*toxics, seed=0):
    """A proxy with these toxics before an upstream."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy("127.0.0.1", port, toxics=toxics_of(list(toxics)), seed=seed) as proxy:
        yield proxy, upstream
    server.close()


async def exchanged(proxy, said=b"hello"):
    """What came back: the bytes, how they ended, and seconds to the first of them and to the end."""
    reader, writer = await asyncio.open_connection(*address_of(proxy.root.removeprefix("http://")))
    began = time.monotonic()
    writer.write(said)
    writer.write_eof()
    came, first, end = b"", None, "fin"
    try:
        while data := await reader.read(1 << 16):
            first = first or time.monotonic() - began
            came += data
    except ConnectionResetError:
        end = "rst"
    took = time.monotonic() - began
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return came, end, first, took


async def test_without_a_toxic_every_byte_passes_both_ways_and_halves_end_by_themselves():
    async with between() as (proxy, upstream):
        came, end, _, _ = await exchanged(proxy, b"x" * 200_000)
        assert (came, end, upstream.heard) == (SENT, "fin", b"x" * 200_000)


async def test_latency_comes_once_each_way_as_it_is_asked():
    async with between({"name": "latency", "ms": 200, "jitter_ms": 50}) as (proxy, _):
        came, _, first, _ = await exchanged(proxy)
        assert came == SENT
        assert first >= 0.15
    async with between({"name": "latency", "ms": 200, "direction": "up"}) as (proxy, upstream):
        assert (await exchanged(proxy))[2] >= 0.2
        assert upstream.heard == b"hello"


async def test_bandwidth_is_bytes_a_second():
    async with between({"name": "bandwidth", "bps": 40_000}, {"name": "slicer", "size": 1024}) as (proxy, _):
        came, _, _, took = await exchanged(proxy)
        assert came == SENT
        assert took >= len(SENT) / 40_000 - 0.01


async def test_the_slicer_sends_small_pieces_apart():
    async with between({"name": "slicer", "size": 1000, "ms": 20}) as (proxy, _):
        came, _, _, took = await exchanged(proxy)
        assert came == SENT
        assert took >= 0.02 * (len(SENT) // 1000 - 1)


async def test_limited_data_ends_with_fin_after_just_so_many_bytes():
    for size in (0, 1, 777, len(SENT) - 1):
        async with between({"name": "limit_data", "bytes": size}) as (proxy, _):
            assert (await exchanged(proxy))[:2] == (SENT[:size], "fin")


async def test_timeout_passes_nothing_and_then_closes():
    async with between({"name": "timeout", "ms": 200}) as (proxy, _):
        came, end, _, took = await exchanged(proxy)
        assert (came, end) == (b"", "fin")
        assert took >= 0.19


async def test_reset_peer_resets_both_sides():
    async with between({"name": "reset_peer", "ms": 100}, {"name": "bandwidth", "bps": 1}) as (proxy, _):
        _, end, _, took = await exchanged(proxy)
        assert end == "rst"
        assert took >= 0.09


async def test_slow_close_holds_the_end_back():
    async with between({"name": "slow_close", "ms": 300}) as (proxy, _):
        came, end, _, took = await exchanged(proxy)
        assert (came, end) == (SENT, "fin")
        assert took >= 0.29


async def test_one_byte_is_corrupted_and_no_other():
    async with between({"name": "corrupt", "at": 5000}) as (proxy, _):
        came, _, _, _ = await exchanged(proxy)
        assert [n for n, (a, b) in enumerate(zip(came, SENT, strict=True)) if a != b] == [5000]
    async with between({"name": "corrupt", "at": 1, "direction": "up"}) as (proxy, upstream):
        assert (await exchanged(proxy))[0] == SENT
        assert upstream.heard == b"hdllo"


async def test_a_black_hole_takes_all_and_gives_nothing():
    async with between({"name": "black_hole"}) as (proxy, upstream):
        exchange = asyncio.create_task(exchanged(proxy))
        await asyncio.wait_for(upstream.ended.wait(), 5)
        await asyncio.sleep(0.2)
        assert not exchange.done()
        await proxy.stop()
        assert (await asyncio.wait_for(exchange, 5))[0] == b""
    async with between({"name": "black_hole", "direction": "up"}) as (proxy, upstream):
        exchange = asyncio.create_task(exchanged(proxy))
        await asyncio.sleep(0.2)
        assert not upstream.ended.is_set()
        await proxy.stop()
        await exchange
        assert upstream.heard == b""


async def test_a_share_of_the_connections_is_hit_and_the_seed_says_which():
    async def hit(seed):
        async with between({"name": "limit_data", "bytes": 0, "share": 0.4}, seed=seed) as (proxy, _):
            return [not (await exchanged(proxy))[0] for _ in range(40)]

    first = await hit(1)
    assert 8 <= sum(first) <= 24
    assert await hit(1) == first
    assert await hit(2) != first


async def test_a_server_that_is_not_there_is_a_reset():
    async with Proxy("127.0.0.1", 1) as proxy:
        assert (await exchanged(proxy))[:2] == (b"", "rst")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"name": "latency"}, "Expected `array`"),
        ([{"name": "lateness", "ms": 1}], "Invalid value 'lateness'"),
        ([{"name": "latency"}], "missing required field `ms`"),
        ([{"name": "latency", "ms": -1}], ">= 0"),
        ([{"name": "slicer", "size": 0}], ">= 1"),
        ([{"name": "corrupt", "share": 2}], "<= 1"),
        ([{"name": "corrupt", "to": 2}], "unknown field `to`"),
    ],
)
def test_what_is_no_toxic_is_refused_by_name(sent, problem):
    with pytest.raises(UsageError, match=problem):
        toxics_of(sent)


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:0", "host:99999", "host:x"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="is no address"):
        address_of(text)


def posted(url, body):
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=5) as answer:  # noqa: S310  loopback
        return json.loads(answer.read())


def test_the_command_spoils_a_server_when_it_is_told_to():
    words = ["-m", "assay.emulator"]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as server:
        there = server.stdout.readline().strip().removeprefix("http://").removesuffix("/v1")
        code = "from assay.cli.main import main; main()"
        command = [sys.executable, "-c", code, "emulate", "--proxy", there, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            address = proxy.stdout.readline().strip()
            pages = proxy.stdout.readline().split()[3]
            assert pages.endswith("/toxics")
            asked = asyncio.run(asks(address, 3))
            assert asked == ["echo"] * 3
            assert posted(pages, [{"name": "limit_data", "bytes": 40}])[0]["bytes"] == 40
            assert asyncio.run(asks(address, 3)) == [ErrorClass.TRANSPORT] * 3
            with pytest.raises(urllib.error.HTTPError, match="400"):
                posted(pages, [{"name": "limit_data"}])
            assert posted(pages, []) == []
            assert asyncio.run(asks(address, 3)) == ["echo"] * 3
            proxy.send_signal(signal.SIGINT)
            assert proxy.wait(10) == 0
        server.terminate()


async def asks(address, count):
    """The ends of so many requests through the proxy, each on a connection of its own."""
    ends = []
    for _ in range(count):
        client = Client()
        model = OpenAIModel("m", "echo", f"{address}/v1", None, client)
        try:
            ends.append((await model.ask(Request((say("user", "echo"),)))).text)
        except CallError as error:
            ends.append(error.error)
        await client.close()
    return ends
