"""Two hundred mixed requests to each real server, eight at once: every one ends as it should."""

import asyncio
import itertools
import json
import random
from collections import Counter

import pytest

from assay.errors import CallError, StaleConnection
from assay.models.openai import OpenAIModel
from assay.transport.client import Client
from assay.transport.sink import Clocks
from harness import fetched
from real_requests import KINDS, SAID

IN_ALL, AT_ONCE = 200, 8
CLOCKS = Clocks(connect=5, first_byte=60, idle=60, total=120)


async def end_of(kind, model, stream, server):
    """How one request ended; its reply is held to what its kind says."""
    try:
        reply = await asking(kind, model, stream)
    except CallError as error:
        return error.error.value
    if reply is None:
        return "cancelled"
    assert kind.holds(reply, server.kind), (kind.name, reply)
    instants, stamps = reply.instants, reply.arrivals.token_stamps()
    order = [
        instants.connected,
        instants.sent,
        *([*stamps[:1], *stamps[-1:]] if stream else []),
        instants.ended,
    ]
    assert order == sorted(order), (kind.name, order)
    return reply.finish.value


async def asking(kind, model, stream):
    """Asks, and once more where a kept connection turns out closed, as a seat does."""
    for _ in range(2):
        try:
            if kind.cancelled:
                return await until_it_speaks(model, kind.request(True))
            return await model.ask(kind.request(stream))
        except StaleConnection as stale:
            failure = stale
    raise failure


async def until_it_speaks(model, request):
    """Cancels at the first piece of text; None then, or the reply that was quicker."""
    spoke = asyncio.Event()
    asking = asyncio.create_task(model.ask(request, lambda _text: spoke.set()))
    hearing = asyncio.create_task(spoke.wait())
    await asyncio.wait({asking, hearing}, return_when=asyncio.FIRST_COMPLETED)
    hearing.cancel()
    asking.cancel()
    (reply,) = await asyncio.gather(asking, return_exceptions=True)
    if isinstance(reply, asyncio.CancelledError):
        return None
    if isinstance(reply, CallError):
        raise reply
    return reply


@pytest.mark.timeout(600)
async def test_every_one_of_two_hundred_mixed_requests_ends_as_it_should(server, capsys):
    client, slots = Client(), asyncio.Semaphore(AT_ONCE)
    names = {kind.model or "tiny" for kind in KINDS}
    models = {name: OpenAIModel(name, name, server.url, None, client, clocks=CLOCKS) for name in names}
    ends: dict[str, Counter[str]] = {kind.name: Counter() for kind in KINDS}

    async def ask(kind, stream):
        async with slots:
            end = await end_of(kind, models[kind.model or "tiny"], stream, server)
            ends[kind.name][end] += 1

    mixed = list(itertools.islice(itertools.cycle(itertools.product(KINDS, (False, True))), IN_ALL))
    random.Random(7).shuffle(mixed)
    await asyncio.gather(*[ask(kind, stream) for kind, stream in mixed])
    await client.close()
    with capsys.disabled():
        print(f"\n{server.kind}: {sum(map(Counter.total, ends.values()))} requests")
        for name, found in ends.items():
            print(f"  {name:<30} " + ", ".join(f"{end} {count}" for end, count in sorted(found.items())))
    unexpected = {
        kind.name: dict(ends[kind.name])
        for kind in KINDS
        if not set(ends[kind.name]) <= kind.ends[server.kind]
    }
    assert unexpected == {}  # an end that nobody wrote down
    assert sum(map(Counter.total, ends.values())) == IN_ALL
    assert client.connections == 0


@pytest.mark.timeout(300)
async def test_a_cancelled_request_gives_its_place_back(server):
    """As many as the server plays at once are cancelled; as many others are then answered soon."""
    client = Client()
    model = OpenAIModel("tiny", "tiny", server.url, None, client, clocks=CLOCKS)
    kinds = {kind.name: kind for kind in KINDS}
    long, short = kinds["cancelled midway"].request(True), kinds["text"].request(True)
    assert await asyncio.gather(*[until_it_speaks(model, long) for _ in range(AT_ONCE)]) == [None] * AT_ONCE
    async with asyncio.timeout(10):
        replies = await asyncio.gather(*[model.ask(short) for _ in range(AT_ONCE)])
    assert {reply.text for reply in replies} == {SAID}
    if server.kind == "llama":  # it tells of its slots
        slots = json.loads(await asyncio.to_thread(fetched, f"{server.url.removesuffix('/v1')}/slots"))
        assert not any(slot["is_processing"] for slot in slots)
    await client.close()
