import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.emulator.anthropic import AnthropicMessages
from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wire import Heard, Identity, Refusal, Tokens, count, output_tokens
from assay.keys import JSON
from assay.message import Finish, Message, Text, ToolCall, ToolSpec, say

WIRE = AnthropicMessages()
IDENTITY = Identity("chatcmpl-1", 1)
HEARD = Heard(Asked("m", ()), stream=True)


def streamed(answer: Answer, chunk_tokens: int = 1) -> tuple[list[JSON], int]:
    """The data of all events, and how many sends carry the tokens."""
    parts = WIRE.stream(HEARD, answer, Tokens(3, output_tokens(answer)), IDENTITY, chunk_tokens)
    raw = b"".join([*parts.lead, *parts.tokens, *parts.finish, *parts.usage, *parts.done])
    found = []
    for each in raw.split(b"\n\n")[:-1]:
        name, _, data = each.partition(b"\ndata: ")
        found.append(json.loads(data))
        assert name == b"event: " + found[-1]["type"].encode()
    return found, len(parts.tokens)


def test_a_request_is_understood_in_full():
    body = {
        "model": "skill-1",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be "}, {"type": "text", "text": "brief"}],
        "messages": [
            {"role": "user", "content": "a"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "c2",
                        "content": [{"type": "text", "text": "two"}, {"type": "image"}],
                    },
                    {"type": "tool_result", "tool_use_id": "c3"},
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"a": 1}}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "stream": True,
        "temperature": 0.5,
        "metadata": {"user_id": "x"},
    }
    assert WIRE.read(json.dumps(body).encode()) == Heard(
        Asked(
            "skill-1",
            (
                say("system", "be "),
                say("system", "brief"),
                say("user", "a"),
                Message("assistant", (Text("Let me see."),), (ToolCall("c1", "f", '{"x":1}'),)),
                Message("tool", (Text("one"),), tool_call_id="c1"),
                Message("tool", (Text("two"),), tool_call_id="c2"),
                Message("tool", (), tool_call_id="c3"),
                say("user", "and?"),
            ),
            tools=(ToolSpec("f", "d", {"a": 1}),),
            tool_choice="f",
            format="json_schema",
            schema={"type": "object"},
            max_tokens=9,
        ),
        stream=True,
        include_usage=True,
    )


@pytest.mark.parametrize(("kind", "choice"), [("any", "required"), ("auto", "auto"), ("none", "none")])
def test_a_tool_choice_is_understood(kind, choice):
    bare = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    body = json.dumps({**bare, "tool_choice": {"type": kind}}).encode()
    assert WIRE.read(body).asked.tool_choice == choice


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","max_tokens":9,"messages":[]}',
        b'{"model":"m","max_tokens":9,"messages":[{"role":"wizard","content":"x"}]}',
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image"}]}]}',
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tool_choice":"auto"}',
    ],
)
def test_a_body_that_is_no_request_is_refused(body):
    with pytest.raises(Refusal) as caught:
        WIRE.read(body)
    assert caught.value.status == 400


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 3))
def test_streamed_and_whole_replies_say_the_same(text, chunk_tokens):
    answer = Answer(text)
    events, sends = streamed(answer, chunk_tokens)
    whole = json.loads(WIRE.body(HEARD, answer, Tokens(3, count(text)), IDENTITY))
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == text
    assert "".join(block["text"] for block in whole["content"]) == text
    assert len(deltas) == sends == -(-count(text) // chunk_tokens)
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    assert events[-2]["usage"] == whole["usage"]
    assert whole["usage"]["output_tokens"] == count(text)
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"] == "end_turn"
    assert {name: events[0]["message"][name] for name in ("id", "model", "role")} == {
        name: whole[name] for name in ("id", "model", "role")
    }


def test_parts_of_the_content_begin_and_end_in_their_order():
    calls = (ToolCall("c1", "first", '{"city": "Осло"}'), ToolCall("c2", "second", "{}"))
    answer = Answer("Let me see.", calls, Finish.TOOL_CALLS)
    events, _ = streamed(answer)
    middle = [e for e in events if e["type"].startswith("content_block")]
    order = [(e["type"].removeprefix("content_block_"), e["index"]) for e in middle]
    assert order == sorted(order, key=lambda pair: (pair[1], ["start", "delta", "stop"].index(pair[0])))
    assert [pair for pair in order if pair[0] != "delta"] == [
        (kind, n) for n in range(3) for kind in ("start", "stop")
    ]
    joined = dict.fromkeys(range(3), "")
    for event in middle:
        delta = event.get("delta", {})
        joined[event["index"]] += delta.get("text", "") + delta.get("partial_json", "")
    assert list(joined.values()) == ["Let me see.", '{"city": "Осло"}', "{}"]
    whole = json.loads(WIRE.body(HEARD, answer, Tokens(3, 4), IDENTITY))
    assert [block.get("input") for block in whole["content"]] == [None, {"city": "Осло"}, {}]
    assert whole["stop_reason"] == "tool_use"


def test_a_reply_may_be_without_its_usage_and_without_content():
    parts = WIRE.stream(HEARD, Answer("x"), None, IDENTITY, 1)
    assert b"usage" not in b"".join([*parts.lead, *parts.finish])
    assert "usage" not in json.loads(WIRE.body(HEARD, Answer("x"), None, IDENTITY))
    events, sends = streamed(Answer(""))
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]
    assert sends == 0


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_value", "invalid_request_error"),
        (404, "model_not_found", "not_found_error"),
        (409, "conflict", "invalid_request_error"),
        (429, "rate_limit_exceeded", "rate_limit_error"),
        (429, "insufficient_quota", "billing_error"),
        (500, "server_error", "api_error"),
        (529, "overloaded_error", "overloaded_error"),
    ],
)
def test_errors_have_the_providers_shape(status, code, kind):
    body = json.loads(WIRE.error(status, code, "it broke"))
    assert (body["type"], body["error"]) == ("error", {"type": kind, "message": "it broke"})


def test_an_error_within_a_stream_is_an_event_of_its_own():
    raw = WIRE.event({"error": {"message": "it broke", "code": "x"}})
    assert raw.startswith(b"event: error\ndata: ")
    assert json.loads(raw[19:])["error"] == {"type": "api_error", "message": "it broke"}


async def test_models_are_listed_as_the_askers_dialect_has_it(start, talk):
    emulator = await start()
    asker = {"anthropic-version": "2023-06-01"}
    listed = (await talk(emulator, path="/v1/models?limit=9", method="GET", headers=asker)).json
    assert listed["has_more"] is False
    assert "skill-1" in [model["id"] for model in listed["data"]]
    one = (await talk(emulator, path="/v1/models/judge", method="GET", headers=asker)).json
    assert (one["type"], one["id"]) == ("model", "judge")
