import asyncio
import json
import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.emulator.capacity import Bucket, Capacity, Gate, capacity_from, capacity_of, duration
from assay.emulator.pace import Rhythm, rhythms_of
from assay.errors import UsageError

RIGHT = "Forty-two, that is 42 — сорок два."


@given(st.floats(0.1, 100), st.floats(1, 100), st.lists(st.floats(0, 5), max_size=30))
def test_a_bucket_never_gives_more_than_its_room_and_its_rate(rate, room, pauses):
    bucket, now, taken = Bucket(rate, room, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        if not bucket.wait(1, now):
            bucket.take(1)
            taken += 1
    assert taken <= room + rate * now + 1e-6
    assert bucket.level(now) <= room


def test_a_bucket_says_how_long_to_wait():
    bucket = Bucket(2.0, 4.0, 0.0)
    bucket.take(4)
    assert bucket.wait(1, 0.0) == 0.5
    assert bucket.wait(1, 0.5) == 0
    assert bucket.wait(100, 0.5) == pytest.approx(1.5)  # what can never fit needs a full bucket


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.012, "12ms"), (1.5, "1.5s"), (360, "6m0s"), (3661.25, "1h1m1.25s"), (0, "0ms")],
)
def test_a_duration_is_written_as_openai_writes_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("service", ["fixed", "exp", "lognormal"])
def test_service_times_have_their_mean_and_depend_on_the_request_alone(service):
    capacity = Capacity(service=service, service_ms=50, sigma=0.5)
    times = [capacity.service_seconds(f"prompt {n}", 1) for n in range(4000)]
    assert statistics.fmean(times) == pytest.approx(0.05, rel=0.05)
    assert times[7] == capacity.service_seconds("prompt 7", 1)
    spread = {"fixed": 0, "exp": 0.05, "lognormal": 0.05 * (2.718281828**0.25 - 1) ** 0.5}[service]
    assert statistics.pstdev(times) == pytest.approx(spread, rel=0.1, abs=1e-9)


def test_capacity_is_read_from_a_flag_and_changed_by_fields():
    capacity = capacity_from("rpm=600,concurrency=8,full=503,headers=true")
    assert capacity == Capacity(rpm=600, concurrency=8, full=503, headers="true")
    assert capacity_of({"rpm": None, "queue": 2}, capacity) == Capacity(
        concurrency=8, full=503, headers="true", queue=2
    )


@pytest.mark.parametrize(
    "text",
    ["rpm=0", "rpm=-1", "concurrency=x", "speed=1", "full=404", "freeze_s=2", "rpm=1e300", "headers=no"],
)
def test_a_capacity_that_cannot_be_is_an_error_with_a_remedy(text):
    with pytest.raises(UsageError, match="capacity") as caught:
        capacity_from(text)
    assert caught.value.fix


def test_what_falls_into_a_freeze_is_due_at_its_end():
    gate = Gate(Capacity(freeze_s=2, freeze_every_s=10))
    for second, due in ((0, 0), (7.9, 7.9), (8, 10), (9.5, 10), (10, 10), (18.5, 20)):
        assert gate.thaw(gate._zero + int(second * 1e9)) - gate._zero == int(due * 1e9)


async def test_requests_above_the_rate_are_told_how_long_to_wait(start, talk, make):
    emulator = await start(capacity=Capacity(rpm=6, burst_s=20, headers="true"))
    got = [await talk(emulator, make(seed=n)) for n in range(4)]
    assert [each.status for each in got] == [200, 200, 429, 429]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in got[:2]] == ["1", "0"]
    assert got[0].headers["x-ratelimit-limit-requests"] == "6"
    assert got[0].text == RIGHT
    assert 0 < int(got[2].headers["retry-after-ms"]) <= 10_000
    records = emulator.ledger.records()
    assert [(each.fault, each.billed) for each in records[2:]] == [("limited", False)] * 2


async def test_tokens_are_limited_as_well_as_requests(start, talk, make):
    emulator = await start(capacity=Capacity(tpm=60, burst_s=60, headers="true"))
    got = [await talk(emulator, make(stream=True, seed=n)) for n in range(5)]
    cost = emulator.ledger.records()[0].input + emulator.ledger.records()[0].output
    assert [each.status for each in got] == [200] * (60 // cost) + [429] * (5 - 60 // cost)
    assert got[0].headers["x-ratelimit-limit-tokens"] == "60"
    assert "tokens" in got[-1].json["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "lie"), [("high", ["6000", "6000"]), ("low", ["600", "0"]), ("azure", ["-1", "-1"])]
)
async def test_headers_can_lie(start, talk, make, headers, lie):
    emulator = await start(capacity=Capacity(rpm=600, headers=headers))
    got = await talk(emulator, make())
    told = [got.headers[f"x-ratelimit-{name}-requests"] for name in ("limit", "remaining")]
    assert (told, got.text) == (lie, RIGHT)


async def test_the_messages_wire_tells_of_limits_in_its_own_headers(start, talk):
    emulator = await start(capacity=Capacity(rpm=600, headers="true"))
    body = {"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    got = await talk(emulator, json.dumps(body).encode(), path="/v1/messages")
    assert got.headers["anthropic-ratelimit-requests-limit"] == "600"
    assert got.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


async def test_only_so_many_are_served_at_once_and_the_rest_is_refused(start, talk, make):
    emulator = await start(capacity=Capacity(concurrency=3, full=503, service_ms=700))
    got = await asyncio.gather(*[talk(emulator, make(seed=n), patience=5) for n in range(8)])
    assert sorted(each.status for each in got) == [200] * 3 + [503] * 5
    assert (await talk(emulator, make(seed=9), patience=5)).status == 200


async def test_who_waits_is_served_in_the_order_of_arrival(start, talk, make):
    emulator = await start(capacity=Capacity(concurrency=2, queue=100, service_ms=20))
    began = time.monotonic()
    got = await asyncio.gather(
        *[talk(emulator, make(seed=n, stream=n % 2 == 0), patience=5) for n in range(10)]
    )
    assert {each.text for each in got} == {RIGHT}
    assert time.monotonic() - began >= 0.1  # five rounds of two
    done = [record.done_sent for record in emulator.ledger.records()]
    assert done == sorted(done)


async def test_a_long_queue_is_worked_off_without_deep_calls(start, talk, make):
    emulator = await start(capacity=Capacity(concurrency=1, queue=3000))
    held = asyncio.create_task(talk(emulator, make(), headers={"x-fault": "stall_headers:s=0.6"}, patience=5))
    await asyncio.sleep(0.05)
    port = int(emulator.root.rpartition(":")[2])
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
    for n, (_, writer) in enumerate(pairs):
        body = make(seed=n)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    assert (await held).text == RIGHT
    heads = [await asyncio.wait_for(reader.readuntil(b"\r\n"), 5) for reader, _ in pairs]
    assert set(heads) == {b"HTTP/1.1 200 OK\r\n"}
    for _, writer in pairs:
        writer.close()


async def test_a_client_that_leaves_gives_its_turn_back(start, talk, make, until):
    emulator = await start(capacity=Capacity(concurrency=1, queue=5))
    hanging = {"x-fault": "stall_headers"}
    waiting = [asyncio.create_task(talk(emulator, make(seed=n), headers=hanging)) for n in (1, 2)]
    await until(lambda: len(emulator.gate._waiting) == 1)
    await asyncio.gather(*waiting)
    await until(lambda: not emulator.gate._busy and not emulator.gate._waiting)
    assert (await talk(emulator, make())).text == RIGHT


async def test_capacity_changes_while_the_server_runs(start, talk, make):
    emulator = await start(capacity=Capacity(concurrency=4))
    how = {"path": "/capacity", "method": "POST"}
    got = await talk(emulator, json.dumps({"concurrency": 1, "rpm": 60}).encode(), **how)
    assert got.json["capacity"] == {"concurrency": 1, "rpm": 60}
    assert emulator.gate.capacity == Capacity(concurrency=1, rpm=60)
    shown = await talk(emulator, path="/capacity", method="GET")
    assert (shown.json["serving"], shown.json["queued"]) == (0, 0)
    for bad in (b'{"concurrency": 0}', b"[]", b"not JSON"):
        assert (await talk(emulator, bad, **how)).status == 400
    assert emulator.gate.capacity == Capacity(concurrency=1, rpm=60)


async def test_raising_the_capacity_lets_the_waiting_in_at_once(start, talk, make, until):
    emulator = await start(capacity=Capacity(concurrency=1, queue=5, service_ms=500))
    asked = [asyncio.create_task(talk(emulator, make(seed=n), patience=5)) for n in range(4)]
    await until(lambda: len(emulator.gate._waiting) == 3)
    emulator.gate.change(Capacity(concurrency=4, queue=5, service_ms=500))
    assert emulator.gate._busy == 4
    began = time.monotonic()
    assert {got.text for got in await asyncio.gather(*asked)} == {RIGHT}
    assert time.monotonic() - began < 1.4  # one after another: at least 1.5


async def test_nothing_is_sent_while_the_server_is_frozen(start, talk, make):
    emulator = await start(capacity=Capacity(freeze_s=0.6, freeze_every_s=1.2))
    emulator.gate._zero = time.monotonic_ns() - 650_000_000
    got = await talk(emulator, make(stream=True), patience=5)
    (record,) = emulator.ledger.records()
    assert got.text == RIGHT
    assert (record.headers_sent - emulator.gate._zero) / 1e9 >= 1.2
    assert (record.done_sent - emulator.gate._zero) / 1e9 % 1.2 < 0.6


def test_exact_times_are_read_from_json():
    rhythms = rhythms_of({"*": {"ttft_ms": 100, "gaps_ms": [20, 500]}, "abc": {}})
    assert rhythms == {"*": Rhythm(0.1, (0.02, 0.5)), "abc": Rhythm()}
    assert rhythms["*"].dues(5) == pytest.approx((0.1, 0.12, 0.62, 1.12, 1.62))
    assert rhythms["*"].dues(1) == (0.1,)
    for bad in ([], {"*": {"gaps_ms": [-1]}}, {"*": {"ttft": 1}}, {"*": {"ttft_ms": 1e9}}):
        with pytest.raises(UsageError, match="times"):
            rhythms_of(bad)


@pytest.mark.parametrize("stream", [False, True])
async def test_each_token_goes_out_at_its_exact_instant(start, talk, make, stream):
    emulator = await start(rhythms={"*": Rhythm(0.05, (0.01, 0.08, 0.01))})
    got = await talk(emulator, make(stream=stream), patience=5)
    (record,) = emulator.ledger.records()
    last = 0.05 + 0.01 + 0.08 + 6 * 0.01  # nine tokens
    assert got.text == RIGHT
    assert 0 <= (record.done_sent - record.arrived) / 1e9 - last < 0.5
    first = 0.05 if stream else last
    assert 0 <= (record.first_content - record.arrived) / 1e9 - first < 0.5
