import asyncio
import json
import socket
import statistics
import time
from collections.abc import Awaitable, Callable

import pytest

from assay.emulator.choice import Choice, mix_of
from assay.emulator.index import Index, digest_of, entry
from assay.emulator.pace import Timing
from assay.emulator.registry import LISTED
from assay.emulator.server import Emulator
from assay.emulator.skill import FALLBACK, is_right
from assay.errors import UsageError
from assay.keys import JSON
from assay.message import say

RIGHT = "Forty-two, that is 42 — сорок два."


def port_of(emulator: Emulator) -> int:
    return int(emulator.root.rpartition(":")[2])


async def ledger(emulator: Emulator, talk: Callable[..., Awaitable[JSON]], query: str = "") -> list[JSON]:
    got = await talk(emulator, path=f"/ledger{query}", method="GET")
    assert got.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in got.body.splitlines()]


async def test_streamed_and_unstreamed_answers_are_the_same(start, talk, make):
    emulator = await start()
    whole = await talk(emulator, make())
    stream = await talk(emulator, make(stream=True, stream_options={"include_usage": True}))
    assert whole.text == stream.text == RIGHT
    assert stream.events[-1] == "[DONE]"
    assert json.loads(stream.events[-2])["usage"] == whole.json["usage"]
    assert whole.json["usage"]["prompt_tokens"] == 4 + 6
    assert whole.json["usage"]["completion_tokens"] == -(-len(RIGHT) // 4)


async def test_the_prompt_alone_finds_the_answer_whatever_else_is_sent(start, talk, make):
    emulator = await start()
    bare = json.loads(make())
    assert set(bare) == {"model", "messages", "stream"}
    got = await talk(emulator, make(user="case-17", metadata={"case": "wrong"}), headers={"x-case": "no"})
    assert got.text == RIGHT
    lost = await talk(emulator, make(content="What is six times eight?", metadata={"case": "case-17"}))
    assert lost.text == FALLBACK
    assert [row["indexed"] for row in await ledger(emulator, talk)] == [True, False]


async def test_the_right_cases_over_the_wire_are_those_that_the_hash_predicts(start, talk, make):
    asked = [f"question {n}" for n in range(60)]
    emulator = await start(Index(filter(None, [entry((say("user", q),), q.upper()) for q in asked])))
    for question in asked:
        await talk(emulator, make("skill-0.5", question, seed=11))
    rows = await ledger(emulator, talk)
    predicted = [is_right(0.5, digest_of((say("user", q),)), 11) for q in asked]
    assert [row["right"] for row in rows] == predicted
    assert [row["text"] == q.upper() for row, q in zip(rows, asked, strict=True)] == predicted
    stats = (await talk(emulator, path="/stats", method="GET")).json
    assert (stats["right"], stats["wrong"]) == (sum(predicted), 60 - sum(predicted))


@pytest.mark.parametrize("seed", [3, 4])
async def test_the_same_seed_gives_the_same_ledger_but_for_the_times(start, talk, make, seed):
    mix = mix_of("ok=60,500=10,429=10,badjson=10,fin=10")
    tellings = []
    for _ in range(2):
        emulator = await start(choice=Choice(mix=mix, seed=seed))
        for n in range(40):
            await talk(emulator, make("skill-0.5", f"question {n % 25}", seed=1))
        rows = await ledger(emulator, talk)
        for row in rows:
            for timed in ("t_mono", "state"):
                del row[timed]
        tellings.append(rows)
    assert tellings[0] == tellings[1]
    assert len({row["fault"] for row in tellings[0]}) > 2
    assert [row["attempt"] for row in tellings[0]] == [1] * 25 + [2] * 15


async def test_a_path_and_a_model_can_name_the_fault(start, talk, make):
    emulator = await start()
    assert (await talk(emulator, make(), path="/f/429:ra=9/v1/chat/completions")).headers[
        "retry-after"
    ] == "9"
    assert (await talk(emulator, make(), path="/f/429%3Ara=8/v1/chat/completions")).headers[
        "retry-after"
    ] == "8"
    assert (await talk(emulator, make("fault-503"))).status == 503
    assert (await talk(emulator, make("fault-ok"))).text == RIGHT
    assert (await talk(emulator, make("fault-500:times=1"))).status == 500
    assert (await talk(emulator, make("fault-500:times=1"))).text == RIGHT


async def test_one_connection_carries_many_requests_in_order(start, request_bytes, make, read_response):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    for n in range(5):
        writer.write(request_bytes(make("echo", f"number {n}")))
        assert (await read_response(reader)).text == f"number {n}"
    writer.write(b"".join(request_bytes(make("echo", f"piped {n}")) for n in range(300)))
    raw = b""
    while raw.count(b"HTTP/1.1 200") < 300 or not raw.endswith(b"}}}"):
        raw += await reader.read(1 << 16)
    assert [raw.index(f'piped {n}"'.encode()) for n in range(300)] == sorted(
        raw.index(f'piped {n}"'.encode()) for n in range(300)
    )
    writer.close()
    assert len({record.conn for record in emulator.ledger.records()}) == 1


async def test_requests_wait_for_a_timed_reply_before_them(start, request_bytes, make):
    emulator = await start(timing=Timing(ttft_s=0.02))
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(
        request_bytes(make("echo", "one"))
        + request_bytes(make("echo", "two"), headers={"connection": "close"})
    )
    raw = await reader.read(-1)
    assert 0 < raw.index(b'"one"') < raw.index(b'"two"')
    writer.close()


async def test_a_request_in_single_bytes_is_understood(start, request_bytes, make, read_response):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    for byte in request_bytes(make()):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert (await read_response(reader)).text == RIGHT
    writer.close()


async def test_a_client_that_asks_first_is_told_to_continue(start, request_bytes, make):
    emulator = await start()
    head, _, body = request_bytes(make(), headers={"expect": "100-continue"}).partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(head + b"\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"NONSENSE\r\n\r\n"])
async def test_what_is_not_http_is_refused_and_the_connection_closed(start, raw):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(raw)
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_head_or_body_beyond_the_limit_is_refused(start, request_bytes, monkeypatch):
    emulator = await start()
    monkeypatch.setattr("assay.emulator.connection.MAX_BODY", 1000)
    for raw, status in (
        (request_bytes(headers={"x": "y" * 70_000}), b"431"),
        (request_bytes(b"x" * 2000), b"413"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
        writer.write(raw)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 " + status)
        writer.close()
    assert emulator.ledger.records() == []


async def test_requests_that_a_provider_would_refuse_are_refused_in_its_shape(start, talk, make):
    emulator = await start()
    for body, status, code in (
        (make("gpt-9"), 404, "model_not_found"),
        (make("fault-bang"), 404, "model_not_found"),
        (b"{", 400, "invalid_request_error"),
        (make(content=3), 400, "invalid_request_error"),
    ):
        got = await talk(emulator, body)
        assert (got.status, got.json["error"]["code"]) == (status, code)
    assert (await talk(emulator, make(), headers={"x-fault": "bang"})).json["error"][
        "code"
    ] == "unknown_fault"
    assert (await talk(emulator, method="GET")).status == 405
    assert (await talk(emulator, path="/v1/nowhere", method="GET")).status == 404
    assert [row["fault"] for row in await ledger(emulator, talk)] == ["refused"] * 5


async def test_models_are_listed_and_looked_up(start, talk):
    emulator = await start()
    listed = (await talk(emulator, path="/v1/models", method="GET")).json["data"]
    assert [model["id"] for model in listed] == list(LISTED)
    for name in (*LISTED, "skill-0.83", "fault-s_cut:after=1", "agent-0.33"):
        assert (await talk(emulator, path=f"/v1/models/{name}", method="GET")).json["id"] == name
    for name in (
        "skill",
        "skill-2",
        "skill-x",
        "skill--1",
        "skill-1e0",
        "agent-",
        "fault-",
        "judge-1",
        "gpt",
    ):
        assert (await talk(emulator, path=f"/v1/models/{name}", method="GET")).status == 404, name


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_cut_at_the_largest_number_of_tokens(start, talk, make, stream):
    emulator = await start()
    got = await talk(emulator, make(stream=stream, max_tokens=3))
    assert got.text == RIGHT[:12]
    assert b'"finish_reason":"length"' in got.body


@pytest.mark.parametrize("model", ["agent", "agent-0.7", "client", "judge"])
async def test_the_roles_answer_without_an_index(start, talk, make, model):
    emulator = await start(Index())
    got = await talk(emulator, make(model, "Hello."))
    assert got.status == 200


async def test_ledger_and_counts_can_be_asked_for_and_reset(start, talk, make):
    emulator = await start()
    for _ in range(3):
        await talk(emulator, make())
    assert [row["n"] for row in await ledger(emulator, talk, "?since=1")] == [2, 3]
    assert [row["attempt"] for row in await ledger(emulator, talk)] == [1, 2, 3]
    assert (await talk(emulator, path="/v1/ledger?since=x", method="GET")).status == 400
    assert (await talk(emulator, path="/stats", method="GET")).json["requests"] == 3
    assert (await talk(emulator, path="/reset", method="GET")).status == 404
    assert (await talk(emulator, path="/reset")).json == {"reset": True}
    assert await ledger(emulator, talk) == []


async def test_tokens_come_at_their_own_instants(start, request_bytes, make):
    timing = Timing(ttft_s=0.05, itl_s=0.01)
    emulator = await start(timing=timing)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    asked, stamps, raw = time.monotonic(), [], b""
    writer.write(request_bytes(make(stream=True)))
    while not raw.endswith(b"0\r\n\r\n"):
        data = await reader.read(1 << 16)
        raw += data
        stamps += [time.monotonic() - asked] * data.count(b'"content":"') if b'"role"' not in data else []
    writer.close()
    tokens = -(-len(RIGHT) // 4)
    late = [stamp - 0.05 - n * 0.01 for n, stamp in enumerate(stamps)]
    assert len(stamps) == tokens
    assert min(late) >= 0
    assert statistics.median(late) < 0.05
    (record,) = emulator.ledger.records()
    assert record.headers_sent - record.arrived < 40_000_000
    assert record.first_content - record.arrived >= 50_000_000
    assert record.done_sent - record.arrived >= 50_000_000 + (tokens - 1) * 10_000_000


async def test_finish_usage_and_end_mark_follow_the_last_token(start, talk, make):
    emulator = await start(timing=Timing(ttft_s=0.01, itl_s=0.002))
    got = await talk(emulator, make(stream=True, stream_options={"include_usage": True}), patience=5)
    chunks = [json.loads(data) for data in got.events[:-1]]
    kinds = ["usage" if not c["choices"] else c["choices"][0]["finish_reason"] or "token" for c in chunks]
    assert kinds == ["token"] * (len(kinds) - 2) + ["stop", "usage"]
    assert got.events[-1] == "[DONE]"


async def test_an_unstreamed_answer_comes_when_its_last_token_would(start, talk, make):
    emulator = await start(timing=Timing(ttft_s=0.02, itl_s=0.01, chunk_tokens=3))
    await talk(emulator, make(), patience=5)
    (record,) = emulator.ledger.records()
    assert record.done_sent - record.arrived >= 40_000_000
    assert record.headers_sent == pytest.approx(record.done_sent, abs=1_000_000)


async def test_concurrent_streams_keep_their_own_time(start, talk, make):
    emulator = await start(timing=Timing(ttft_s=0.05, itl_s=0.005))
    await asyncio.gather(
        *(talk(emulator, make("echo", "x" * 40, stream=True, seed=n), patience=5) for n in range(40))
    )
    late = [record.done_sent - record.arrived - 95_000_000 for record in emulator.ledger.records()]
    assert len(late) == 40
    assert min(late) >= 0
    assert statistics.median(late) < 500_000_000


async def test_a_client_that_leaves_in_the_midst_is_in_the_ledger(start, request_bytes, make, until):
    emulator = await start(timing=Timing(ttft_s=0.01, itl_s=5))
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(request_bytes(make(stream=True)))
    while b'"content":"Fort"' not in await reader.read(1 << 16):
        pass
    writer.close()
    (record,) = emulator.ledger.records()
    await until(lambda: record.client_gone)
    assert record.client_gone > record.first_content > 0
    assert record.done_sent == 0


async def test_stopping_drops_every_client_and_frees_the_port(start, request_bytes, make, until):
    emulator = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(request_bytes(make(), headers={"x-fault": "stall_headers"}))
    await until(emulator.ledger.records)
    await emulator.stop()
    assert await reader.read(-1) == b""
    writer.close()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port_of(emulator)))
    await emulator.stop()


async def test_a_port_that_is_taken_is_an_error_with_a_remedy(start):
    emulator = await start()
    with pytest.raises(UsageError, match="cannot listen"):
        await Emulator(port=port_of(emulator)).start()


async def test_it_is_an_async_context_that_gives_its_addresses():
    async with Emulator() as emulator:
        assert emulator.url == emulator.root + "/v1"
        assert emulator.root.startswith("http://127.0.0.1:")
