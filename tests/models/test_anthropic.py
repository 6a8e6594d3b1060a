"""AnthropicModel over a real socket: what it sends, and what comes of each answer."""

from __future__ import annotations

import json

import pytest

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Finish, Message, Request, Sampling, Text, ToolCall, ToolSpec, Usage, say
from assay.models.anthropic import CAPABILITIES, VERSION, AnthropicModel
from assay.models.anthropic_request import MAX_TOKENS
from assay.ports import Capabilities
from assay.transport.sink import Clocks

HELLO = Request((say("user", "hello"),), case="never-sent")
STREAMED = Request((say("user", "hello"),), stream=True)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = ToolSpec("tip", "computes a tip", SCHEMA)
KEY = "sk-ant-secret"
USAGE = {"input_tokens": 3, "output_tokens": 2}


def whole(*blocks: JSON, reason: str = "end_turn") -> bytes:
    content = blocks or [{"type": "text", "text": "one two"}]
    body = {"type": "message", "model": "m-1", "content": content, "stop_reason": reason, "usage": USAGE}
    return json.dumps(body).encode()


def events(*texts: str, end: bool = True) -> bytes:
    rows: list[JSON] = [{"type": "message_start", "message": {"model": "m-1", "usage": USAGE}}]
    rows += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    rows.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE})
    rows += [{"type": "message_stop"}] if end else []
    return b"".join(f"event: {row['type']}\ndata: {json.dumps(row)}\n\n".encode() for row in rows)


@pytest.fixture
def model(server, client):
    clocks = Clocks(connect=2, first_byte=0.5, idle=0.2, total=2)
    return AnthropicModel("anthropic/m", "m", server.base_url, KEY, client, clocks=clocks)


async def sent(server, model, request: Request) -> JSON:
    server.answer(whole())
    await model.ask(request)
    return json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])


async def failing(model: AnthropicModel, request: Request = STREAMED) -> CallError:
    with pytest.raises(CallError) as caught:
        await model.ask(request)
    return caught.value


async def test_a_whole_and_a_streamed_reply(server, model):
    server.answer(whole())
    replies = [await model.ask(HELLO)]
    server.answer(events("one ", "two"), kind="text/event-stream")
    server.slice = 7
    seen: list[str] = []
    replies.append(await model.ask(STREAMED, seen.append))
    for reply in replies:
        assert (reply.text, reply.finish, reply.usage) == ("one two", Finish.STOP, Usage(3, 2))
        assert reply.served_model == "m-1"
    assert seen == ["one ", "two"]
    assert len(replies[1].arrivals.token_stamps()) == 2


async def test_a_request_bears_path_key_and_version_and_nothing_of_the_case(server, model):
    body = await sent(server, model, HELLO)
    head = server.requests[0].partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /v1/messages HTTP/1.1\r\n")
    assert b"\r\nx-api-key: " + KEY.encode() in head
    assert b"\r\nanthropic-version: " + VERSION.encode() in head
    assert b"authorization" not in head.lower()
    assert body == {
        "model": "m",
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": "hello"}],
    }


async def test_without_a_key_none_is_sent_and_headers_and_fields_are_the_owners(server, client):
    model = AnthropicModel(
        *("m", "m", f"http://127.0.0.1:{server.port}/", None, client),
        headers={"Anthropic-Beta": "x-2026"},
        fields={"top_k": 4},
        max_tokens=77,
    )
    body = await sent(server, model, HELLO)
    assert (body["top_k"], body["max_tokens"]) == (4, 77)
    assert b"x-api-key" not in server.requests[0]
    assert b"anthropic-beta: x-2026" in server.requests[0]
    assert server.requests[0].startswith(b"POST /v1/messages HTTP/1.1\r\n")


async def test_what_the_system_says_stands_beside_the_messages(server, model):
    body = await sent(server, model, Request((say("system", "Be brief."), say("user", "x"))))
    assert (body["system"], body["messages"]) == ("Be brief.", [{"role": "user", "content": "x"}])
    twice = (say("system", "a"), say("system", ""), say("user", "x"), say("system", "b"))
    assert (await sent(server, model, Request(twice)))["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]


async def test_sampling_is_written_where_it_says_something(server, model):
    sampling = Sampling(
        temperature=0.0, top_p=0.5, max_tokens=9, stop=("X",), seed=3, reasoning_effort="high"
    )
    body = await sent(server, model, Request((say("user", "x"),), sampling=sampling))
    del body["messages"]
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop_sequences": ["X"],
        "output_config": {"effort": "high"},
    }
    off = await sent(server, model, Request((say("user", "x"),), sampling=Sampling(reasoning_effort="none")))
    assert off["thinking"] == {"type": "disabled"}


async def test_a_streamed_request_says_so(server, model):
    assert (await sent(server, model, STREAMED))["stream"] is True
    assert "stream" not in await sent(server, model, HELLO)


async def test_a_history_with_tools_is_written_as_the_dialect_has_it(server, model):
    calls = (ToolCall("c1", "tip", '{"bill": 7}'), ToolCall("c2", "tip", "[1]"))
    request = Request(
        (
            Message("user", (Text("a"), Text(""), Text("b"))),
            Message("assistant", (Text("Let me see."),), calls),
            Message("tool", (Text("1.4"),), tool_call_id="c1"),
            Message("tool", (Text("bad"),), tool_call_id="c2"),
            say("user", "and?"),
            Message("assistant", (), calls[:1]),
            Message("tool", (), tool_call_id="c1"),
        ),
        tools=(TOOL, ToolSpec("now", "", None)),
    )
    body = await sent(server, model, request)
    use = {"type": "tool_use", "id": "c1", "name": "tip", "input": {"bill": 7}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                use,
                {"type": "tool_use", "id": "c2", "name": "tip", "input": {"INVALID_JSON": "[1]"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "1.4"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "bad"},
            ],
        },
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": ""}]},
    ]
    assert body["tools"] == [
        {"name": "tip", "description": "computes a tip", "input_schema": SCHEMA},
        {"name": "now", "description": "", "input_schema": {"type": "object"}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("tip", {"type": "tool", "name": "tip"}),
    ],
)
async def test_a_tool_choice_is_written(server, model, choice, wanted):
    body = await sent(server, model, Request((say("user", "x"),), tools=(TOOL,), tool_choice=choice))
    assert body["tool_choice"] == wanted


async def test_a_reply_by_schema_goes_through_a_tool_that_must_be_called(server, model):
    request = Request((say("user", "x"),), format="json_schema", schema=SCHEMA)
    body = await sent(server, model, request)
    assert [tool["input_schema"] for tool in body["tools"]] == [SCHEMA]
    assert body["tool_choice"] == {"type": "tool", "name": body["tools"][0]["name"]}
    use = {"type": "tool_use", "id": "a", "name": body["tools"][0]["name"], "input": {"a": 1}}
    server.answer(whole(use, reason="tool_use"))
    reply = await model.ask(request)
    assert (reply.text, reply.tool_calls, reply.finish) == ('{"a": 1}', (), Finish.STOP)


@pytest.mark.parametrize(
    "request_",
    [
        Request((say("user", "x"),), format="json_schema", schema=SCHEMA, tools=(TOOL,)),
        Request((say("user", "x"),), format="json_schema", schema={"type": "array"}),
        Request((say("user", "x"),), format="json_schema", schema=True),
        Request((say("user", "x"),), format="json_object"),
        Request((say("user", "\ud800"),)),
    ],
)
async def test_what_the_wire_cannot_carry_is_refused_not_dropped(server, model, request_):
    assert (await failing(model, request_)).error is ErrorClass.REJECTED
    assert server.requests == []


def test_the_wire_has_no_seed_and_no_json_without_a_schema(model):
    assert model.capabilities == CAPABILITIES == Capabilities(json_object=False, seed=False)


async def test_a_cut_stream_keeps_what_had_come(server, model):
    server.answer(events("half a", end=False), kind="text/event-stream")
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TRANSPORT, "cut", "half a")


@pytest.mark.parametrize("hold", [False, True])
async def test_what_breaks_after_the_end_mark_does_not_spoil_the_answer(server, model, hold):
    server.answer(events("all of it") + b": bye\n\n", kind="text/event-stream")
    server.raw = server.raw[:-3]
    server.hold = hold
    assert (await model.ask(STREAMED)).text == "all of it"


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (400, "invalid_request_error: max_tokens: too large", ErrorClass.REJECTED),
        (400, "invalid_request_error: prompt is too long: 9 tokens > 8", ErrorClass.CONTEXT_OVERFLOW),
        (400, "invalid_request_error: Your credit balance is too low to access it", ErrorClass.DENIED),
        (401, "authentication_error: invalid x-api-key", ErrorClass.DENIED),
        (402, "billing_error: pay first", ErrorClass.DENIED),
        (403, "permission_error: not for you", ErrorClass.DENIED),
        (404, "not_found_error: model: claude-9", ErrorClass.DENIED),
        (413, "request_too_large: Request exceeds the maximum size", ErrorClass.REJECTED),
        (429, "rate_limit_error: slow down", ErrorClass.RATE_LIMITED),
        (429, "billing_error: spend limit", ErrorClass.DENIED),
        (500, "api_error: Internal server error", ErrorClass.OVERLOADED),
        (504, "timeout_error: Request timed out", ErrorClass.OVERLOADED),
        (529, "overloaded_error: Overloaded", ErrorClass.OVERLOADED),
        (200, "overloaded_error: Overloaded", ErrorClass.PROVIDER_ERROR),
    ],
)
async def test_an_error_has_its_class_and_its_text_without_the_key(server, model, status, said, error):
    kind, _, text = said.partition(": ")
    about = {"type": kind, "message": f"{text} {KEY}"}
    server.answer(json.dumps({"type": "error", "error": about}).encode(), "retry-after: 7", status=status)
    failure = await failing(model)
    assert failure.error is error
    assert text in failure.detail
    assert KEY not in f"{failure!r} {failure} {failure.detail} {failure.raw!r}"
    assert failure.retry_after == (None if status == 200 else 7.0)


async def test_the_models_of_a_server_are_listed(server, model):
    server.answer(
        b'{"data": [{"type": "model", "id": "a"}, {"type": "model", "id": "b"}], "has_more": false}'
    )
    assert await model.list_models() == ("a", "b")
    assert server.requests[0].startswith(b"GET /v1/models?limit=1000 HTTP/1.1\r\n")
    assert b"\r\nx-api-key: " in server.requests[0]
