"""OllamaModel over a real socket: what it sends, what comes of each answer, its lists."""

from __future__ import annotations

import json

import pytest

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Finish, Message, Request, Sampling, Text, ToolCall, ToolSpec, Usage, say
from assay.models.ollama import OllamaModel
from assay.models.ollama_request import NUM_CTX
from assay.ports import Capabilities
from assay.transport.sink import Clocks

HELLO = Request((say("user", "hello"),), case="never-sent")
STREAMED = Request((say("user", "hello"),), stream=True)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = ToolSpec("tip", "computes a tip", SCHEMA)
DIGEST = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"
LINES = "application/x-ndjson"


def line(text: str, **more: JSON) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({"model": "m", "message": message, "done": False, **more}).encode() + b"\n"


END = line("", done=True, done_reason="stop", prompt_eval_count=3, eval_count=2)


@pytest.fixture
def model(server, client):
    clocks = Clocks(connect=2, first_byte=0.5, idle=0.2, total=2)
    return OllamaModel("ollama/m", "m", server.base_url, "sk-secret", client, clocks=clocks)


async def sent(server, model, request: Request) -> JSON:
    server.answer(line("x", done=True, done_reason="stop"))
    await model.ask(request)
    return json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])


async def failing(model: OllamaModel, request: Request = STREAMED) -> CallError:
    with pytest.raises(CallError) as caught:
        await model.ask(request)
    return caught.value


async def test_a_whole_and_a_streamed_reply(server, model):
    server.answer(line("one two", done=True, done_reason="stop", prompt_eval_count=3, eval_count=2))
    whole = await model.ask(HELLO)
    server.answer(line("one ") + line("two") + END, kind=LINES)
    server.slice = 7
    seen: list[str] = []
    streamed = await model.ask(STREAMED, seen.append)
    for reply in (whole, streamed):
        assert (reply.text, reply.finish, reply.usage) == ("one two", Finish.STOP, Usage(3, 2))
    assert seen == ["one ", "two"]
    assert len(streamed.arrivals.token_stamps()) == 2
    assert server.requests[0].startswith(b"POST /api/chat HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer sk-secret\r\n" in server.requests[0]


async def test_a_bare_request_says_its_context_and_that_it_is_not_streamed(server, model):
    assert await sent(server, model, HELLO) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": False,
        "options": {"num_ctx": NUM_CTX},
    }


async def test_sampling_goes_among_the_options(server, model):
    sampling = Sampling(temperature=0.0, top_p=0.5, max_tokens=9, stop=("X",), seed=3, reasoning_effort="low")
    body = await sent(server, model, Request((say("user", "x"),), sampling=sampling))
    assert body["options"] == {
        "num_ctx": NUM_CTX,
        "temperature": 0.0,
        "top_p": 0.5,
        "num_predict": 9,
        "stop": ["X"],
        "seed": 3,
    }
    assert body["think"] == "low"
    off = Request((say("user", "x"),), sampling=Sampling(reasoning_effort="none"))
    assert (await sent(server, model, off))["think"] is False


async def test_context_options_and_fields_are_their_owners(server, client):
    model = OllamaModel(
        *("m", "m", server.base_url, None, client),
        num_ctx=512,
        options={"top_k": 4, "temperature": 1},
        fields={"keep_alive": "1h"},
        headers={"X-Team": "qa"},
    )
    body = await sent(server, model, Request((say("user", "x"),), sampling=Sampling(temperature=0)))
    assert body["options"] == {"num_ctx": 512, "temperature": 1, "top_k": 4}
    assert body["keep_alive"] == "1h"
    assert b"authorization" not in server.requests[0].lower()
    assert b"x-team: qa" in server.requests[0]


async def test_formats_are_written(server, model):
    body = await sent(server, model, Request((say("user", "x"),), format="json_object"))
    assert body["format"] == "json"
    strict = Request((say("user", "x"),), format="json_schema", schema=SCHEMA)
    assert (await sent(server, model, strict))["format"] == SCHEMA


async def test_a_history_with_tools_is_written_as_the_dialect_has_it(server, model):
    calls = (ToolCall("c1", "tip", '{"bill": 7}'), ToolCall("c2", "tip", '{"bill": '))
    request = Request(
        (
            Message("user", (Text("a"), Text("b"))),
            Message("assistant", (), calls),
            Message("tool", (Text("1.4"),), tool_call_id="c1"),
            Message("tool", (Text("bad"),), tool_call_id="elsewhere"),
        ),
        tools=(TOOL,),
        tool_choice="auto",
    )
    body = await sent(server, model, request)
    assert body["messages"] == [
        {"role": "user", "content": "ab"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "tip", "arguments": {"bill": 7}}},
                {
                    "id": "c2",
                    "function": {"index": 1, "name": "tip", "arguments": {"INVALID_JSON": '{"bill": '}},
                },
            ],
        },
        {"role": "tool", "content": "1.4", "tool_call_id": "c1", "tool_name": "tip"},
        {"role": "tool", "content": "bad", "tool_call_id": "elsewhere"},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "tip", "description": "computes a tip", "parameters": SCHEMA},
        }
    ]


async def test_tools_that_must_not_be_called_are_left_out_and_a_forced_call_is_refused(server, model):
    request = Request((say("user", "x"),), tools=(TOOL,), tool_choice="none")
    assert "tools" not in await sent(server, model, request)
    for choice in ("required", "tip"):
        error = await failing(model, Request((say("user", "x"),), tools=(TOOL,), tool_choice=choice))
        assert error.error is ErrorClass.REJECTED
    assert len(server.requests) == 1


async def test_what_the_model_cannot_be_asked_for_is_refused_or_left_out(server, client):
    poor = Capabilities(stream=False, tools=False, seed=False)
    model = OllamaModel("m", "m", server.base_url, None, client, capabilities=poor)
    error = await failing(model, Request((say("user", "x"),), tools=(TOOL,)))
    assert error.error is ErrorClass.REJECTED
    body = await sent(server, model, Request((say("user", "x"),), stream=True, sampling=Sampling(seed=3)))
    assert (body["stream"], "seed" in body["options"]) == (False, False)


async def test_ids_of_calls_go_on_from_those_of_the_history(server, model):
    history = (say("user", "x"), Message("assistant", (), (ToolCall("call_0", "f", "{}"),)))
    call = {"function": {"name": "f", "arguments": {}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    server.answer(json.dumps({"message": message, "done": True, "done_reason": "stop"}).encode())
    assert (await model.ask(Request(history))).tool_calls == (ToolCall("call_1", "f", "{}"),)


async def test_a_cut_stream_keeps_what_had_come(server, model):
    server.answer(line("half a"), kind=LINES)
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TRANSPORT, "cut", "half a")
    server.answer(line("half a") + END, kind=LINES)
    server.raw = server.raw[:-60]
    error = await failing(model)
    assert (error.error, error.detail, error.partial.text) == (ErrorClass.TRANSPORT, "cut", "half a")


@pytest.mark.parametrize("hold", [False, True])
async def test_what_breaks_after_the_end_mark_does_not_spoil_the_answer(server, model, hold):
    server.answer(line("all of it") + END + b"\n\n\n", kind=LINES)
    server.raw = server.raw[:-2]
    server.hold = hold
    assert (await model.ask(STREAMED)).text == "all of it"


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, "invalid character", ErrorClass.REJECTED),
        (400, "the input length exceeds the context length", ErrorClass.CONTEXT_OVERFLOW),
        (400, "prompt too long; exceeded max context length by 7 tokens", ErrorClass.CONTEXT_OVERFLOW),
        (401, "unauthorized", ErrorClass.DENIED),
        (403, "remote inference is disabled", ErrorClass.DENIED),
        (404, "model 'm' not found", ErrorClass.DENIED),
        (429, "too many requests", ErrorClass.RATE_LIMITED),
        (500, "model runner has unexpectedly stopped", ErrorClass.OVERLOADED),
        (502, "bad gateway", ErrorClass.OVERLOADED),
        (503, "server busy, please try again. maximum pending requests exceeded", ErrorClass.OVERLOADED),
        (200, "an error was encountered while running the model", ErrorClass.PROVIDER_ERROR),
    ],
)
async def test_an_error_has_its_class_and_its_text_without_the_key(server, model, status, text, error):
    server.answer(json.dumps({"error": f"{text} sk-secret"}).encode(), status=status)
    failure = await failing(model)
    assert failure.error is error
    assert text in failure.detail
    assert "sk-secret" not in f"{failure!r} {failure} {failure.detail} {failure.raw!r}"


async def test_the_installed_models_are_listed_and_the_digest_becomes_the_fingerprint(server, model):
    installed = [{"name": "m:latest", "digest": DIGEST}, {"name": "llama3.2:1b", "digest": "else"}]
    server.answer(json.dumps({"models": installed}).encode())
    assert await model.list_models() == ("m:latest", "m", "llama3.2:1b")
    assert server.requests[0].startswith(b"GET /api/tags HTTP/1.1\r\n")
    server.answer(line("x", done=True, done_reason="stop"))
    assert (await model.ask(HELLO)).fingerprint == DIGEST
    server.answer(b'{"models": null}')
    assert await model.list_models() == ()


async def test_the_models_in_memory_are_listed(server, model):
    server.answer(b'{"models": [{"name": "mistral:latest", "expires_at": "2024-06-04T14:38:31Z"}]}')
    assert await model.loaded() == ("mistral:latest",)
    assert server.requests[0].startswith(b"GET /api/ps HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"error": "bad key sk-secret"}', 401, ErrorClass.DENIED),
        (b"<html>", 200, ErrorClass.PROTOCOL),
        (b'{"data": 7}', 200, ErrorClass.PROTOCOL),
    ],
)
async def test_a_list_that_is_none_says_why(server, model, body, status, error):
    server.answer(body, status=status)
    with pytest.raises(CallError) as caught:
        await model.list_models()
    assert caught.value.error is error
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/api"])
async def test_an_address_may_end_in_any_of_its_usual_ways(server, client, base):
    server.answer(line("x", done=True, done_reason="stop"))
    await OllamaModel("m", "m", f"http://127.0.0.1:{server.port}{base}", None, client).ask(HELLO)
    assert server.requests[0].startswith(b"POST /api/chat HTTP/1.1\r\n")
