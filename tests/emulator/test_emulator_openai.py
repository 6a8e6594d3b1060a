import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.openai import OpenAIChat
from assay.emulator.wire import (
    Heard,
    Identity,
    Refusal,
    Stream,
    Tokens,
    count,
    input_tokens,
    output_tokens,
    pieces,
)
from assay.keys import JSON
from assay.message import Finish, Message, Text, ToolCall, ToolSpec, say

WIRE = OpenAIChat()
IDENTITY = Identity("chatcmpl-1", 1)


def streamed(
    answer: Answer, *, include_usage: bool = False, chunk_tokens: int = 1
) -> tuple[list[JSON], Stream]:
    heard = Heard(Asked("m", ()), stream=True, include_usage=include_usage)
    parts = WIRE.stream(heard, answer, Tokens(3, output_tokens(answer)), IDENTITY, chunk_tokens)
    events = [*parts.lead, *parts.tokens, *parts.finish, *parts.usage]
    assert parts.done == (b"data: [DONE]\n\n",)
    assert all(e.startswith(b"data: ") and e.endswith(b"\n\n") and e.count(b"\n") == 2 for e in events)
    return [json.loads(event[6:]) for event in events], parts


def test_a_request_is_understood_in_full():
    body = {
        "model": "skill-1",
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"a": 1}}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": 2**53 - 1,
        "max_completion_tokens": 9,
        "unknown_field": {"is": "ignored"},
    }
    heard = WIRE.read(json.dumps(body).encode())
    assert heard == Heard(
        Asked(
            "skill-1",
            (
                say("system", "be brief"),
                Message("user", (Text("a"), Text("b"))),
                Message("assistant", (), (ToolCall("c1", "f", "{}"),)),
                Message("tool", (Text("done"),), tool_call_id="c1"),
            ),
            tools=(ToolSpec("f", "d", {"a": 1}),),
            tool_choice="f",
            format="json_schema",
            schema={"type": "object"},
            seed=2**53 - 1,
            max_tokens=9,
        ),
        stream=True,
        include_usage=True,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"model":"m"}',
        b'{"model":"m","messages":[]}',
        b'{"model":"m","messages":[{"role":"wizard","content":"x"}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":{"a":1}}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":{"function":3}}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"yaml"}}',
    ],
)
def test_a_body_that_is_no_request_is_refused(body):
    with pytest.raises(Refusal) as caught:
        WIRE.read(body)
    assert caught.value.status == 400


@given(st.text(), st.integers(1, 5))
def test_the_pieces_of_a_text_are_the_text(text, chunk_tokens):
    cut = pieces(text, chunk_tokens)
    assert "".join(cut) == text
    assert sum(map(count, cut)) == count(text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers(1, 3))
def test_streamed_and_whole_replies_say_the_same(text, include_usage, chunk_tokens):
    answer = Answer(text)
    events, parts = streamed(answer, include_usage=include_usage, chunk_tokens=chunk_tokens)
    whole = json.loads(WIRE.body(Heard(Asked("m", ())), answer, Tokens(3, count(text)), IDENTITY))
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == text
    assert whole["choices"][0]["message"]["content"] == text
    assert len(parts.tokens) == -(-count(text) // chunk_tokens)
    assert [event["usage"] for event in events if event.get("usage")] == ([whole["usage"]] * include_usage)
    assert all(("usage" in event) == include_usage for event in events)


def test_calls_are_streamed_in_deltas_that_join_to_the_whole():
    calls = (ToolCall("c1", "first", '{"city": "Осло"}'), ToolCall("c2", "second", "{}"))
    answer = Answer("", calls, Finish.TOOL_CALLS)
    events, _ = streamed(answer)
    joined: dict[int, list[str]] = {}
    for event in events:
        for delta in event["choices"][0]["delta"].get("tool_calls", ()):
            parts = joined.setdefault(delta["index"], ["", "", ""])
            parts[0] += delta.get("id", "")
            parts[1] += delta["function"].get("name", "")
            parts[2] += delta["function"]["arguments"]
    assert list(joined.values()) == [[c.id, c.name, c.arguments] for c in calls]
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    whole = json.loads(WIRE.body(Heard(Asked("m", ())), answer, Tokens(3, 4), IDENTITY))
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert [c["function"]["arguments"] for c in message["tool_calls"]] == [c.arguments for c in calls]


def test_a_token_is_up_to_four_characters():
    assert [count(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert output_tokens(Answer("", (ToolCall("c", "name", "{}xxx"),))) == 3
    assert input_tokens((say("user", "abcde"),), (ToolSpec("f", "abcd", {}),)) == 4 + 2 + 2


def test_errors_have_the_providers_shape():
    body = json.loads(WIRE.error(429, "rate_limit_exceeded", "slow down"))
    assert body["error"] == {
        "message": "slow down",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
