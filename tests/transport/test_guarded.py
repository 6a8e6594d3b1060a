"""The guarded client: no spelling of this machine is reached, nothing is unbounded."""

from __future__ import annotations

import asyncio
import time

import pytest

from assay.errors import CallError, ErrorClass
from assay.transport.addresses import is_public
from assay.transport.guarded import GuardedFetch

HERE = [  # spellings that lead, or would lead, to this machine or its nets
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "localhost"),  # noqa: S104  # refused, not bound
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    *("[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[64:ff9b:1::1]", "10.0.0.1", "192.168.1.1", "172.16.0.1"),
    *(
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
        "127.0.0.1.",
    ),
    *("①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "127。0。0。1"),
    *(
        "LOCALHOST",
        "localhost.",
        "127.0.0.1%00.example",
        "x@127.0.0.1",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::ffff:0:0]",
    ),
]
assert len(HERE) >= 30


@pytest.mark.parametrize("host", HERE)
async def test_no_spelling_of_a_private_address_is_reached(server, host):
    fetch = GuardedFetch(allow_http=True, allow_hosts=[f"{host.strip('[]')}:{server.port}"])
    with pytest.raises(CallError) as caught:
        await fetch.post(f"http://{host}:{server.port}/", b"{}", {})
    assert caught.value.error in (ErrorClass.REJECTED, ErrorClass.CONNECT)
    assert server.connections == 0
    await fetch.close()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://example.com/",
        "unix:/run/x.sock",
        "http://example.com/",
        "https://ok@example.com/",
        "https://a:b@example.com/",
        "https://example.com/#x",
        "https://example.com/#",
        "https://example.com:8443/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://",
        "//example.com/",
        "https://example.com/\r\nx: y",
    ],
)
async def test_an_address_of_the_wrong_form_is_rejected_before_any_look_up(url):
    async def resolve(host, port):
        raise AssertionError("looked up")

    fetch = GuardedFetch(resolve=resolve)
    with pytest.raises(CallError) as caught:
        await fetch.post(url, b"{}", {})
    assert caught.value.error is ErrorClass.REJECTED
    await fetch.close()


async def test_a_name_with_one_private_address_among_public_ones_is_rejected(server):
    async def resolve(host, port):
        return ["93.184.215.14", "127.0.0.1"]

    fetch = GuardedFetch(allow_http=True, allow_hosts=[f"x.example:{server.port}"], resolve=resolve)
    with pytest.raises(CallError) as caught:
        await fetch.post(f"http://x.example:{server.port}/", b"", {})
    assert caught.value.error is ErrorClass.REJECTED
    assert server.connections == 0
    await fetch.close()


async def test_a_name_that_changes_its_address_between_look_ups_is_not_followed(server):
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])

    async def resolve(host, port):
        return next(answers)

    fetch = GuardedFetch(
        allow_http=True, allow_hosts=[f"x.example:{server.port}"], resolve=resolve, connect=0.3, total=0.5
    )
    for _ in range(2):
        with pytest.raises(CallError):
            await fetch.post(f"http://x.example:{server.port}/", b"", {})
    assert server.connections == 0
    await fetch.close()


async def test_only_listed_hosts_are_reached_where_there_is_a_list():
    fetch = GuardedFetch(allow_hosts=["hooks.example"])
    with pytest.raises(CallError, match="not among the hosts"):
        await fetch.post("https://other.example/", b"", {})
    await fetch.close()


async def test_the_checked_address_is_used_and_the_host_is_kept(server):
    seen = []

    async def handler(peer):
        seen.append(await peer.request())
        await peer.answer(b'{"ok":1}', b"X-Y: z", status=b"503 Busy")

    async def resolve(host, port):
        return ["127.0.0.1"]

    server.handler = handler
    fetch = GuardedFetch(allow_http=True, allow_private=True, resolve=resolve)
    fetched = await fetch.post(f"http://hook.example:{server.port}/a", b'{"n":1}', {"X-Sign": "s"})
    assert (fetched.status, fetched.body, fetched.headers["x-y"]) == (503, b'{"ok":1}', "z")
    assert b"Host: hook.example:%d" % server.port in seen[0]
    assert b"X-Sign: s" in seen[0]
    assert seen[0].endswith(b'{"n":1}')
    await fetch.close()


async def redirect(peer):
    await peer.request()
    await peer.answer(b"", b"location: http://127.0.0.1/", status=b"307 Temporary Redirect")


async def huge(peer):
    await peer.request()
    await peer.answer(b"x" * 70_000)


async def packed(peer):
    await peer.request()
    await peer.answer(b"\x1f\x8b", b"content-encoding: gzip")


async def hang(peer):
    await peer.request()
    await peer.closed()


async def cut(peer):
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")


async def noise(peer):
    await peer.request()
    await peer.say(b"what?\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (redirect, ErrorClass.REJECTED),
        (huge, ErrorClass.TOO_LARGE),
        (packed, ErrorClass.PROTOCOL),
        (hang, ErrorClass.TIMEOUT),
        (cut, ErrorClass.TRANSPORT),
        (noise, ErrorClass.PROTOCOL),
    ],
)
async def test_each_misbehaviour_has_its_class(server, handler, error):
    server.handler = handler
    fetch = GuardedFetch(allow_http=True, allow_private=True, total=0.3)
    began = time.monotonic()
    with pytest.raises(CallError) as caught:
        await fetch.post(f"http://127.0.0.1:{server.port}/", b"", {})
    assert caught.value.error is error
    assert time.monotonic() - began < 1
    await fetch.close()


async def test_a_slow_look_up_is_ended_by_the_connect_clock():
    async def resolve(host, port):
        await asyncio.Event().wait()

    fetch = GuardedFetch(resolve=resolve, connect=0.1)
    with pytest.raises(CallError) as caught:
        await fetch.post("https://slow.example/", b"", {})
    assert caught.value.error is ErrorClass.TIMEOUT
    await fetch.close()


async def test_proxies_of_the_environment_are_ignored(server, monkeypatch):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"direct")

    server.handler = handler
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fetch = GuardedFetch(allow_http=True, allow_private=True)
    assert (await fetch.post(f"http://127.0.0.1:{server.port}/", b"", {})).body == b"direct"
    await fetch.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(
            ("93.184.215.14", True),
            ("2606:4700::1", True),
            ("64:ff9b::5db8:d70e", True),
            ("2002:5db8:d70e::", True),
        ),
        *(
            ("::ffff:127.0.0.1", False),
            ("64:ff9b::7f00:1", False),
            ("224.0.0.1", False),
            ("100.64.0.1", False),
        ),
        *(
            ("2002:7f00:1::", False),
            ("ff0e::1", False),
            ("fe80::1%eth0", False),
            ("", False),
            ("127.1", False),
        ),
    ],
)
def test_an_address_is_public_when_all_that_it_carries_is(address, public):
    assert is_public(address) is public
