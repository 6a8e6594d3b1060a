import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.ollama import OllamaChat, OllamaGenerate
from assay.emulator.wire import Heard, Identity, Refusal, Tokens, output_tokens
from assay.keys import JSON
from assay.message import Finish, Message, Text, ToolCall, ToolSpec, say

WIRE, GENERATE = OllamaChat(), OllamaGenerate()
IDENTITY = Identity("chatcmpl-1", 1_700_000_000)
HEARD = Heard(Asked("m", ()), stream=True)


def streamed(wire, answer: Answer, chunk_tokens: int = 1) -> list[JSON]:
    parts = wire.stream(HEARD, answer, Tokens(3, output_tokens(answer)), IDENTITY, chunk_tokens)
    assert parts.lead == parts.finish == parts.usage == ()
    lines = [*parts.tokens, *parts.done]
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    return [json.loads(line) for line in lines]


def test_a_chat_is_understood_in_full():
    body = {
        "model": "skill-1",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a", "images": None},
            {
                "role": "assistant",
                "content": "",
                "thinking": "hm",
                "tool_calls": [
                    {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}},
                    {"function": {"name": "g", "arguments": {}}},
                ],
            },
            {"role": "tool", "tool_name": "f", "tool_call_id": "c1", "content": "done"},
            {"role": "tool", "tool_name": "g", "content": "older"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"a": 1}}}
        ],
        "format": {"type": "object"},
        "options": {"seed": 5, "num_predict": 9, "num_ctx": 8192, "temperature": 0.5},
        "think": "low",
        "keep_alive": "5m",
    }
    assert WIRE.read(json.dumps(body).encode()) == Heard(
        Asked(
            "skill-1",
            (
                say("system", "be brief"),
                say("user", "a"),
                Message("assistant", (), (ToolCall("c1", "f", '{"x":1}'), ToolCall("call_1", "g", "{}"))),
                Message("tool", (Text("done"),), tool_call_id="c1"),
                Message("tool", (Text("older"),), tool_call_id="g"),
            ),
            tools=(ToolSpec("f", "d", {"a": 1}),),
            format="json_schema",
            schema={"type": "object"},
            seed=5,
            max_tokens=9,
        ),
        stream=True,  # unless it is told otherwise
    )


def test_formats_bounds_and_streams_are_read():
    bare = {"model": "m", "messages": [{"role": "user", "content": "x"}]}

    def heard(**more: JSON) -> Heard:
        return WIRE.read(json.dumps({**bare, **more}).encode())

    assert heard(format="json").asked.format == "json_object"
    assert heard(format="").asked.format == heard(format=None).asked.format == "text"
    assert heard(options={"num_predict": -1}).asked.max_tokens is None
    assert [heard(stream=value).stream for value in (True, False, None)] == [True, False, True]


def test_a_prompt_to_complete_is_a_user_message_under_its_system():
    heard = GENERATE.read(b'{"model":"m","system":"s","prompt":"p","stream":false}')
    assert heard == Heard(Asked("m", (say("system", "s"), say("user", "p"))))


@pytest.mark.parametrize("wire", [WIRE, GENERATE])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"messages":[{"role":"user","content":"x"}],"prompt":"x"}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"format":"yaml"}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"format":7}',
    ],
)
def test_a_body_that_is_no_request_is_refused(wire, body):
    with pytest.raises(Refusal) as caught:
        wire.read(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("messages", ["[]", '[{"role":"wizard"}]', '[{"role":"user","content":["x"]}]'])
def test_messages_that_are_none_are_refused(messages):
    with pytest.raises(Refusal):
        WIRE.read(b'{"model":"m","messages":' + messages.encode() + b"}")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 3))
def test_streamed_and_whole_replies_say_the_same(text, chunk_tokens):
    answer = Answer(text)
    tokens = Tokens(3, output_tokens(answer))
    for wire, said in ((WIRE, lambda line: line["message"]["content"]), (GENERATE, lambda x: x["response"])):
        lines = streamed(wire, answer, chunk_tokens)
        whole = json.loads(wire.body(HEARD, answer, tokens, IDENTITY))
        assert "".join(map(said, lines)) == said(whole) == text
        assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
        counts = {"prompt_eval_count", "eval_count", "done_reason"}
        last, all_of_it = lines[-1], {name: whole[name] for name in counts & set(whole)}
        assert {name: last[name] for name in counts & set(last)} == all_of_it
        assert whole["prompt_eval_count"] == 3
        assert ("eval_count" in whole) == bool(text)  # a zero is left out, as Ollama does
        assert not any(name in line for line in lines[:-1] for name in counts)
        assert datetime.fromisoformat(whole["created_at"]).timestamp() == IDENTITY.created


def test_calls_are_whole_objects_on_a_line_of_their_own():
    calls = (ToolCall("c1", "f", '{"city":\n"Осло"}'), ToolCall("c2", "g", "oops"))
    answer = Answer("", calls, Finish.TOOL_CALLS)
    lines = streamed(WIRE, answer)
    found = [call for line in lines for call in line["message"].get("tool_calls", ())]
    whole = json.loads(WIRE.body(HEARD, answer, Tokens(3, 4), IDENTITY))
    assert found == whole["message"]["tool_calls"]
    assert [(c["id"], c["function"]["index"], c["function"]["name"]) for c in found] == [
        ("c1", 0, "f"),
        ("c2", 1, "g"),
    ]
    arguments = [call["function"]["arguments"] for call in found]
    assert arguments == [{"city": "Осло"}, {"INVALID_JSON": "oops"}]
    assert lines[-1]["done_reason"] == "stop"


def test_a_reply_may_be_without_its_counts_and_cut_by_length():
    answer = Answer("cut", finish=Finish.LENGTH)
    for raw in (
        WIRE.body(HEARD, answer, None, IDENTITY),
        WIRE.stream(HEARD, answer, None, IDENTITY, 1).done[0],
    ):
        assert json.loads(raw)["done_reason"] == "length"
        assert b"_count" not in raw


def test_errors_are_a_bare_text_whole_or_within_a_stream():
    assert json.loads(WIRE.error(500, "server_error", "it broke")) == {"error": "it broke"}
    assert WIRE.event({"error": {"message": "it broke", "code": "x"}}, "error") == b'{"error":"it broke"}\n'


async def test_the_lists_of_models_are_there(start, talk):
    emulator = await start()
    for path in ("/api/tags", "/api/ps"):
        models = (await talk(emulator, path=path, method="GET")).json["models"]
        assert "skill-1" in [model["name"] for model in models]
        assert len({model["digest"] for model in models}) == len(models)
    assert (await talk(emulator, path="/api/version", method="GET")).json["version"]
    assert (await talk(emulator, path="/api/nowhere", method="GET")).status == 404
    assert (await talk(emulator, path="/api/chat", method="GET")).status == 405
