"""Odd and broken streams, and tool calls in odd pieces, as they look on a raw socket."""

import json

import pytest

from assay.emulator.index import Index, entry
from assay.message import say

QUESTION = "What is six times seven?"
RIGHT = "Forty-two, that is 42 — сорок два."
ARGUMENTS = ({"city": "Omsk", "days": 3}, {"city": "Rome"})
CALLS = {"calls": [{"name": "weather", "arguments": each} for each in ARGUMENTS]}


def chunks(got):
    return [json.loads(data) for data in got.events if data != "[DONE]"]


def finishes(got):
    return [choice["finish_reason"] for chunk in chunks(got) for choice in chunk["choices"]]


async def test_a_stream_can_end_with_its_finish_alone(faulty):
    got, _ = await faulty("s_nodone", stream=True)
    assert ("[DONE]" in got.events, finishes(got)[-1], got.text) == (False, "stop", RIGHT)
    assert got.end == "complete"


async def test_a_finish_can_be_null(faulty):
    got, _ = await faulty("s_finishnull", stream=True)
    normal, _ = await faulty("ok", stream=True)
    assert (set(finishes(got)), got.events[-1], got.text) == ({None}, "[DONE]", RIGHT)
    assert len(got.events) == len(normal.events)


async def test_comments_can_be_all_that_comes(faulty):
    got, _ = await faulty("s_comments:s=0.1,every=0.02", stream=True)
    assert (got.body, got.end) == (b": keep-alive\n\n" * 5, "complete")


async def test_tokens_can_change_places(faulty):
    got, _ = await faulty("s_reordered", stream=True)
    assert got.text == RIGHT[4:8] + RIGHT[:4] + RIGHT[8:]


async def test_one_event_can_bear_another_id(faulty):
    got, _ = await faulty("s_wrongid", stream=True)
    ids = [chunk["id"] for chunk in chunks(got)]
    assert (len(set(ids)), ids.count("chatcmpl-of-another-reply"), got.text) == (2, 1, RIGHT)


async def test_the_data_of_an_event_can_stand_on_several_lines(faulty):
    got, _ = await faulty("s_multiline", stream=True)
    events = [event for event in got.body.decode().split("\n\n") if event and "[DONE]" not in event]
    for event in events:
        lines = event.split("\n")
        assert len(lines) == 2
        assert json.loads("\n".join(line.removeprefix("data: ") for line in lines))["choices"] is not None


async def test_events_without_a_choice_stand_between_the_others(faulty):
    got, _ = await faulty("s_emptychunks", stream=True)
    assert got.text == RIGHT
    assert sum(chunk["choices"] == [] for chunk in chunks(got)) > len(RIGHT) // 4


async def test_usage_can_come_alone_or_twice_or_the_role_alone(faulty):
    alone, _ = await faulty("s_usageonly", stream=True)
    assert (len(alone.events), alone.events[-1], finishes(alone)) == (2, "[DONE]", [])
    role, _ = await faulty("s_roleonly", stream=True)
    assert (len(role.events), role.events[-1], finishes(role)) == (2, "[DONE]", [None])
    twice, record = await faulty("s_usagetwice", stream=True)
    used = [chunk["usage"]["completion_tokens"] for chunk in chunks(twice) if chunk["usage"]]
    assert used == [record.output // 2, record.output]


def ollama(stream):
    said = [{"role": "user", "content": QUESTION}]
    return json.dumps({"model": "skill-1", "messages": said, "stream": stream}).encode()


async def test_two_objects_can_stand_on_a_line(start, talk):
    emulator = await start()
    got = await talk(emulator, ollama(stream=True), path="/api/chat", headers={"x-fault": "s_joined"})
    lines = got.body.decode().splitlines()
    whole, first = json.JSONDecoder().raw_decode, []
    for line in lines:
        value, end = whole(line)
        first.append(value["message"]["content"] + (whole(line[end:])[0]["message"]["content"]))
    assert ("".join(first), len(lines)) == (RIGHT, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_durations_can_be_nothing(start, talk, stream):
    emulator = await start()
    got = await talk(emulator, ollama(stream), path="/api/chat", headers={"x-fault": "nodurations"})
    last = json.loads(got.body.splitlines()[-1])
    assert (last["done"], last["total_duration"], last["eval_duration"]) == (True, 0, 0)


async def test_a_flood_of_tiny_events_has_their_number(faulty):
    got, _ = await faulty("s_tiny:n=6400", stream=True, patience=5)
    assert (got.body.count(b"data: "), got.end) == (6400, "eof")


async def test_a_line_never_ends(faulty):
    got, _ = await faulty("s_longline:mb=2", stream=True, patience=5)
    assert len(got.body) >= 2 << 20
    assert b"\n" not in got.body


@pytest.fixture
def tooled():
    """An index whose answer is two calls."""
    return Index(filter(None, [entry((say("user", QUESTION),), CALLS)]))


def deltas(got):
    """(index, arguments) of each piece of a call, in order."""
    parts = [c["choices"][0]["delta"].get("tool_calls", []) for c in chunks(got) if c["choices"]]
    return [(piece["index"], piece["function"]["arguments"]) for part in parts for piece in part]


def put_together(got):
    texts = ["", ""]
    for index, piece in deltas(got):
        texts[index] += piece
    return [json.loads(text) for text in texts]


async def test_arguments_come_character_by_character(faulty, tooled):
    got, _ = await faulty("s_toolchars", stream=True, index=tooled)
    assert {len(piece) for _, piece in deltas(got)} == {0, 1}
    assert put_together(got) == list(ARGUMENTS)


async def test_calls_come_in_turns(faulty, tooled):
    got, _ = await faulty("s_toolturns", stream=True, index=tooled)
    assert [index for index, _ in deltas(got)][:4] == [0, 1, 0, 1]
    assert put_together(got) == list(ARGUMENTS)


@pytest.mark.parametrize("stream", [False, True])
async def test_arguments_can_be_no_json(faulty, tooled, stream):
    got, _ = await faulty("badarguments", stream=stream, index=tooled)
    if stream:
        texts = ["".join(piece for index, piece in deltas(got) if index == n) for n in (0, 1)]
    else:
        texts = [c["function"]["arguments"] for c in got.json["choices"][0]["message"]["tool_calls"]]
    assert all(text.startswith("{") for text in texts)
    for text in texts:
        with pytest.raises(ValueError, match="delimiter"):
            json.loads(text)
