"""OpenAIModel over a real socket: replies, errors, and what had arrived by then."""

from __future__ import annotations

import json
import time

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Request, Usage, say
from assay.models.openai import OpenAIModel
from assay.transport.sink import Clocks

HELLO = Request((say("user", "hello"),), case="never-sent")
STREAMED = Request((say("user", "hello"),), stream=True)
KEY = "sk-secret-123"


def delta(text: str, finish: str | None = None) -> str:
    return json.dumps({"model": "m-1", "choices": [{"delta": {"content": text}, "finish_reason": finish}]})


def whole(text: str) -> bytes:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return json.dumps({"model": "m-1", "choices": [choice], "usage": usage}).encode()


@pytest.fixture
def model(server, client):
    clocks = Clocks(connect=2, first_byte=0.5, idle=0.2, total=2)
    return OpenAIModel("openai/m", "m", server.base_url + "/", KEY, client, clocks=clocks)


async def failing(model: OpenAIModel, request: Request = STREAMED) -> CallError:
    with pytest.raises(CallError) as caught:
        await model.ask(request)
    return caught.value


async def test_a_whole_reply(server, model):
    server.answer(whole("hi"))
    before = time.monotonic_ns()
    reply = await model.ask(HELLO)
    assert (reply.text, reply.finish, reply.usage, reply.served_model) == (
        "hi",
        Finish.STOP,
        Usage(3, 2),
        "m-1",
    )
    instants = reply.instants
    assert before < instants.connected <= instants.sent < instants.headers <= instants.ended
    assert (instants.picked, instants.admitted, instants.reused) == (0, 0, False)
    assert instants.clock in ("kernel", "read")


async def test_the_request_bears_path_key_and_body_and_nothing_of_the_case(server, model):
    server.answer(whole("hi"))
    await model.ask(HELLO)
    head, body = server.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer " + KEY.encode() + b"\r\n" in head
    assert json.loads(body) == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def test_without_a_key_no_authorization_is_sent(server, client):
    server.answer(whole("hi"))
    await OpenAIModel("m", "m", server.base_url, None, client, headers={"X-Team": "qa"}).ask(HELLO)
    assert b"authorization" not in server.requests[0].lower()
    assert b"x-team: qa" in server.requests[0]


@pytest.mark.parametrize("size", [1, 10_000])
async def test_a_streamed_reply_has_its_arrivals(server, model, size):
    server.stream(delta("one "), delta("two"), delta("", "stop"))
    server.slice = size
    seen: list[str] = []
    reply = await model.ask(STREAMED, seen.append)
    assert (reply.text, seen) == ("one two", ["one ", "two"])
    stamps = reply.arrivals.token_stamps()
    assert len(stamps) == 2
    assert reply.instants.sent < stamps[0] <= stamps[1] <= reply.instants.ended


async def test_a_cut_stream_keeps_what_had_come(server, model):
    server.stream(delta("half a"), done=False)
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TRANSPORT, "cut", "half a")
    assert error.partial.instants.headers > 0


async def test_a_stream_cut_inside_its_framing_keeps_what_had_come(server, model):
    server.stream(delta("half a"), delta("nswer"))
    server.raw = server.raw[:-60]
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TRANSPORT, "cut", "half a")


@pytest.mark.parametrize("hold", [False, True])
async def test_what_breaks_after_the_end_mark_does_not_spoil_the_answer(server, model, hold):
    server.stream(delta("all of it"), delta("", "stop"))
    server.raw = server.raw[:-5]  # neither [DONE] nor the body's end ever comes
    server.hold = hold
    reply = await model.ask(STREAMED)
    assert (reply.text, reply.finish) == ("all of it", Finish.STOP)


async def test_a_stalled_stream_times_out_with_what_had_come(server, model):
    server.stream(delta("half a"), delta("nswer"))
    server.raw = server.raw[:-60]
    server.hold = True
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TIMEOUT, "idle", "half a")


async def test_a_malformed_chunk_ends_the_call_at_once(server, model, client):
    server.stream(delta("half a"), "{broken}")
    server.hold = True
    error = await failing(model)
    assert (error.error, error.raw, error.partial.text) == (ErrorClass.MALFORMED, b"{broken}", "half a")
    assert client.connections == 0


async def test_an_error_event_is_the_providers_with_what_had_come(server, model):
    server.stream(delta("half a"), '{"error": {"message": "out of memory"}}')
    error = await failing(model)
    assert (error.error, error.detail) == (ErrorClass.PROVIDER_ERROR, "out of memory")
    assert error.partial.text == "half a"


async def test_a_status_is_classified_and_its_body_kept(server, model, client):
    body = b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'
    server.answer(body, "retry-after: 7", status=429)
    error = await failing(model)
    assert (error.error, error.status, error.retry_after) == (ErrorClass.RATE_LIMITED, 429, 7.0)
    assert (error.detail, error.raw) == ("HTTP 429: slow down", body)
    assert error.partial.instants.sent > 0


@pytest.mark.parametrize(("status", "request_"), [(401, HELLO), (401, STREAMED), (200, STREAMED)])
async def test_a_key_that_a_provider_repeats_is_taken_out(server, model, status, request_):
    server.answer(json.dumps({"error": {"message": f"bad key {KEY}"}}).encode(), status=status)
    error = await failing(model, request_)
    assert "[key]" in error.detail
    assert KEY not in f"{error!r} {error} {error.detail} {error.raw!r}"


async def test_204_is_a_breach_of_protocol(server, model):
    server.raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    assert (await failing(model)).error is ErrorClass.PROTOCOL


async def test_a_redirect_is_not_followed(server, model):
    server.answer(b"", f"location: {server.base_url}/x", status=307)
    assert (await failing(model)).error is ErrorClass.REJECTED
    assert len(server.requests) == 1


async def test_too_large_an_answer_is_refused(server, client):
    server.answer(whole("x" * 200_000))
    model = OpenAIModel("m", "m", server.base_url, None, client, byte_limit=100_000)
    assert (await failing(model, HELLO)).error is ErrorClass.TOO_LARGE


async def test_the_models_of_a_server_are_listed(server, model):
    server.answer(b'{"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b"}]}')
    assert await model.list_models() == ("a", "b")
    assert server.requests[0].startswith(b"GET /v1/models HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"error": {"message": "bad key"}}', 401, ErrorClass.DENIED),
        (b"<html>", 200, ErrorClass.PROTOCOL),
        (b'{"data": 7}', 200, ErrorClass.PROTOCOL),
    ],
)
async def test_a_list_that_is_none_says_why(server, model, body, status, error):
    server.answer(body, status=status)
    with pytest.raises(CallError) as caught:
        await model.list_models()
    assert caught.value.error is error
