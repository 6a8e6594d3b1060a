"""The body of a chat completion: field by field what a Request says, and nothing else."""

from __future__ import annotations

import json

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Message, Request, Sampling, Text, ToolCall, ToolSpec, say
from assay.models.openai_request import RequestWriter
from assay.ports import Capabilities

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = ToolSpec("tip", "computes a tip", SCHEMA)


def written(request: Request, capabilities: Capabilities = Capabilities(), **settings):
    return json.loads(RequestWriter("gpt-x", capabilities, **settings).write(request))


def test_a_bare_request_holds_model_and_messages_alone():
    request = Request((say("system", "Be brief."), say("user", "Привет")), case="case-7")
    assert written(request) == {
        "model": "gpt-x",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Привет"}],
    }


def test_sampling_is_written_where_it_says_something():
    sampling = Sampling(temperature=0.0, top_p=0.5, max_tokens=9, stop=("X",), seed=3, reasoning_effort="low")
    body = written(Request((say("user", "x"),), sampling=sampling))
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 9,
        "stop": ["X"],
        "seed": 3,
        "reasoning_effort": "low",
    }


def test_the_bound_on_tokens_goes_under_the_name_that_the_host_wants():
    request = Request((say("user", "x"),), sampling=Sampling(max_tokens=9))
    body = written(request, length_field="max_completion_tokens")
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body


def test_a_streamed_request_asks_for_its_usage():
    body = written(Request((say("user", "x"),), stream=True))
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_a_history_with_tools_is_written_as_the_dialect_has_it():
    call = ToolCall("c1", "tip", '{"bill": 7}')
    request = Request(
        (
            say("user", "tip?"),
            Message("assistant", (), (call,)),
            Message("tool", (Text("1.4"),), tool_call_id="c1"),
            Message("assistant", (Text("a"), Text("b"))),
        ),
        tools=(TOOL,),
        tool_choice="required",
    )
    body = written(request)
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "tip", "arguments": '{"bill": 7}'}}
            ],
        },
        {"role": "tool", "content": "1.4", "tool_call_id": "c1"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "tip", "description": "computes a tip", "parameters": SCHEMA},
        }
    ]
    assert body["tool_choice"] == "required"


def test_a_tool_is_chosen_by_its_name():
    body = written(Request((say("user", "x"),), tools=(TOOL,), tool_choice="tip"))
    assert body["tool_choice"] == {"type": "function", "function": {"name": "tip"}}


def test_response_formats_are_written():
    request = Request((say("user", "x"),), format="json_object")
    assert written(request)["response_format"] == {"type": "json_object"}
    strict = written(Request((say("user", "x"),), format="json_schema", schema=SCHEMA))["response_format"]
    assert strict == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA},
    }


def test_what_is_kept_from_the_last_request_never_shows_in_another():
    writer = RequestWriter("m", Capabilities())
    other = ToolSpec("weather", "", {})
    first = Request((say("user", "x"),), tools=(TOOL,), format="json_schema", schema=SCHEMA)
    second = Request((say("user", "x"),), tools=(other,), format="json_schema", schema={"type": "array"})
    for request, name, kind in (
        (first, "tip", "object"),
        (second, "weather", "array"),
        (first, "tip", "object"),
    ):
        body = json.loads(writer.write(request))
        assert body["tools"][0]["function"]["name"] == name
        assert body["response_format"]["json_schema"]["schema"]["type"] == kind


def test_the_owners_fields_are_added_and_win():
    body = written(Request((say("user", "x"),)), extra={"top_k": 4, "model": "other"})
    assert (body["top_k"], body["model"]) == (4, "other")


@pytest.mark.parametrize(
    ("request_", "lacking"),
    [
        (Request((say("user", "x"),), tools=(TOOL,)), Capabilities(tools=False)),
        (Request((say("user", "x"),), format="json_object"), Capabilities(json_object=False)),
        (Request((say("user", "x"),), format="json_schema", schema={}), Capabilities(json_schema=False)),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_not_dropped(request_, lacking):
    with pytest.raises(CallError) as caught:
        written(request_, lacking)
    assert caught.value.error is ErrorClass.REJECTED


def test_seed_and_stream_are_left_out_where_the_server_has_none():
    request = Request((say("user", "x"),), sampling=Sampling(seed=3), stream=True)
    assert set(written(request, Capabilities(seed=False, stream=False))) == {"model", "messages"}


def test_text_that_no_utf8_can_carry_is_refused():
    with pytest.raises(CallError) as caught:
        written(Request((say("user", "\ud800"),)))
    assert caught.value.error is ErrorClass.REJECTED
