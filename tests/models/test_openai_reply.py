"""The decoder of chat completions: what comes of every stream and body, however it is sliced."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import CallError, ErrorClass
from assay.keys import JSON
from assay.message import Finish, Instants, Kind, Reply, ToolCall, Usage
from assay.models.openai_reply import ReplyDecoder
from assay.transport.sink import Progress

STREAM = {b"content-type": b"text/event-stream"}
JSON_KIND = {b"content-type": b"application/json"}


def chunk(delta=None, finish=None, **more) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice], **more}
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def usage_chunk(**usage) -> bytes:
    return b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"


def tool(index, call_id=None, name=None, arguments=None) -> JSON:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"index": index, "id": call_id, "type": "function", "function": function}


DONE = b"data: [DONE]\n\n"


def fed(*pieces: bytes, status=200, headers=STREAM, on_read=None) -> ReplyDecoder:
    decoder = ReplyDecoder(on_read)
    decoder.head(status, headers, 1)
    for number, piece in enumerate(pieces, 1):
        if decoder.feed(piece, 1000 * number, number) is Progress.END:
            break
    return decoder


def read(*pieces: bytes, **given) -> Reply:
    return fed(*pieces, **given).reply(Instants(ended=9))


def refused(*pieces: bytes, **given) -> CallError:
    with pytest.raises(CallError) as caught:
        read(*pieces, **given)
    return caught.value


TEXT = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Привет, "}),
    b": keep-alive\n\n",
    chunk({"content": "мир 🌍"}),
    chunk(finish="stop", system_fingerprint="fp"),
    usage_chunk(
        prompt_tokens=5,
        completion_tokens=4,
        prompt_tokens_details={"cached_tokens": 2},
        completion_tokens_details={"reasoning_tokens": 1},
    ),
    DONE,
]
TOOLS = [
    chunk({"role": "assistant", "content": None}),
    chunk({"tool_calls": [tool(0, "call_a", "weather", "")]}),
    chunk({"tool_calls": [tool(0, None, None, '{"city"')]}),
    chunk({"tool_calls": [tool(1, "call_b", "tip", '{"bill')]}),
    chunk({"tool_calls": [tool(0, None, None, ':"Ош"}'), tool(1, None, None, '":7}')]}),
    chunk(finish="tool_calls"),
    DONE,
]
REASONING = [
    chunk({"reasoning_content": "let me "}),
    chunk({"reasoning": "think"}),
    chunk({"reasoning": "!", "reasoning_content": "!", "reasoning_details": [{"text": "!"}]}),
    chunk({"reasoning_details": [{"type": "reasoning.text", "text": "?"}, {"type": "reasoning.encrypted"}]}),
    chunk({"content": "42"}),
    chunk(finish="length"),
    DONE,
]
REFUSAL = [chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk(finish="stop"), DONE]


def test_a_text_stream_becomes_a_reply():
    reply = read(*TEXT)
    assert reply.text == "Привет, мир 🌍"
    assert reply.finish is Finish.STOP
    assert reply.usage == Usage(5, 4, cached=2, reasoning=1)
    assert (reply.served_model, reply.instants.ended) == ("m-1", 9)


def test_each_event_is_kept_with_its_stamp_kind_length_and_read():
    arrivals = read(*TEXT).arrivals
    assert list(arrivals.kind) == [
        *(Kind.ROLE, Kind.CONTENT, Kind.COMMENT, Kind.CONTENT, Kind.FINISH, Kind.USAGE, Kind.DONE)
    ]
    assert list(arrivals.length) == [0, 8, 0, 5, 0, 0, 0]
    assert list(arrivals.at) == [1000 * n for n in range(1, 8)]
    assert list(arrivals.read) == list(range(1, 8))


def test_tool_calls_are_put_together_by_their_index():
    reply = read(*TOOLS)
    assert reply.tool_calls == (
        ToolCall("call_a", "weather", '{"city":"Ош"}'),
        ToolCall("call_b", "tip", '{"bill":7}'),
    )
    assert (reply.text, reply.finish) == ("", Finish.TOOL_CALLS)
    assert reply.arrivals.kind[1] == Kind.TOOL
    assert reply.arrivals.length[1] == len("weather")


def test_reasoning_is_taken_once_under_any_of_its_names():
    reply = read(*REASONING)
    assert (reply.reasoning, reply.text, reply.finish) == ("let me think!?", "42", Finish.LENGTH)


def test_a_refusal_is_a_finish_of_its_own():
    reply = read(*REFUSAL)
    assert (reply.refusal, reply.finish) == ("I cannot.", Finish.REFUSAL)


@settings(max_examples=300)
@given(
    stream=st.sampled_from([TEXT, TOOLS, REASONING, REFUSAL]),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    space=st.booleans(),
    mark=st.booleans(),
    cuts=st.lists(st.integers(0, 1500), max_size=40),
)
def test_every_slicing_and_spelling_of_a_stream_gives_the_same_reply(stream, newline, space, mark, cuts):
    raw = b"".join(stream)
    if not space:
        raw = raw.replace(b"data: ", b"data:")
    raw = (b"\xef\xbb\xbf" if mark else b"") + raw.replace(b"\n", newline)
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    sliced = read(*(raw[a:b] for a, b in itertools.pairwise(edges)))
    whole = read(*stream)
    for name in ("text", "tool_calls", "finish", "usage", "reasoning", "refusal", "served_model"):
        assert getattr(sliced, name) == getattr(whole, name)
    assert (sliced.arrivals.kind, sliced.arrivals.length) == (whole.arrivals.kind, whole.arrivals.length)


@pytest.mark.parametrize("stream", [TEXT, TOOLS, REASONING, REFUSAL])
def test_a_stream_read_byte_by_byte_gives_the_same_reply(stream):
    raw = b"".join(stream)
    sliced, whole = read(*(raw[n : n + 1] for n in range(len(raw)))), read(raw)
    assert (sliced.message, sliced.reasoning, sliced.arrivals.length) == (
        *(whole.message, whole.reasoning, whole.arrivals.length),
    )


def test_an_event_of_several_data_lines_is_one_chunk():
    pretty = json.dumps(json.loads(chunk({"content": "x"})[6:]), indent=1)
    raw = "".join(f"data: {line}\n" for line in pretty.split("\n")).encode() + b"\n"
    assert read(raw, chunk(finish="stop"), DONE).text == "x"


def test_pieces_are_shown_as_they_come():
    seen: list[str] = []
    read(*TEXT, on_read=seen.append)
    assert seen == ["Привет, ", "мир 🌍"]


def test_parallel_calls_under_one_index_are_told_by_their_ids():
    calls = [
        chunk({"tool_calls": [tool(0, "a", "f", "{}")]}),
        chunk({"tool_calls": [tool(0, "b", "g", '{"x"')]}),
        chunk({"tool_calls": [tool(0, None, None, ":1}")]}),
        chunk(finish="tool_calls"),
    ]
    assert read(*calls).tool_calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", '{"x":1}'))


def test_calls_without_index_or_id_still_get_both():
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    assert read(chunk({"tool_calls": [call]}), chunk(finish="stop")).tool_calls == (
        ToolCall("call_0", "f", '{"a":1}'),
    )


def test_a_call_sent_under_both_its_names_counts_once():
    function = {"name": "f", "arguments": "{}"}
    delta = {"tool_calls": [tool(0, "a", "f", "{}")], "function_call": function}
    assert read(chunk(delta), chunk(finish="tool_calls")).tool_calls == (ToolCall("a", "f", "{}"),)
    old = read(chunk({"function_call": function}), chunk(finish="function_call"))
    assert (old.tool_calls, old.finish) == ((ToolCall("call_0", "f", "{}"),), Finish.TOOL_CALLS)


def test_usage_that_is_no_usage_is_none():
    usages: list[JSON] = [{"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": 1}, "many", [], {}]
    for usage in usages:
        raw = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        assert read(chunk({"content": "x"}), chunk(finish="stop"), raw, DONE).usage is None
    last = read(
        chunk({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 1}),
        chunk(finish="stop", usage={"prompt_tokens": 1, "completion_tokens": 2.0}),
    )
    assert last.usage == Usage(1, 2)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        *(("stop", Finish.STOP), ("length", Finish.LENGTH), ("tool_calls", Finish.TOOL_CALLS)),
        *(("content_filter", Finish.CONTENT_FILTER), ("weird", Finish.UNKNOWN)),
    ],
)
def test_a_finish_reason_is_mapped(reason, finish):
    assert read(chunk({"content": "x"}), chunk(finish=reason)).finish is finish


def test_a_finish_reason_is_an_end_mark_and_so_is_done():
    assert read(chunk({"content": "x"}), chunk(finish="stop")).text == "x"
    done = read(chunk({"content": "x"}), DONE)
    assert (done.text, done.finish) == ("x", Finish.UNKNOWN)


def test_after_done_nothing_is_added():
    assert read(chunk({"content": "x"}) + DONE + chunk({"content": "y"})).text == "x"
    decoder = fed(chunk({"content": "x"}), DONE)
    assert decoder.ended


@pytest.mark.parametrize(
    "pieces",
    [
        [chunk({"content": "half"})],
        [chunk({"content": "half"}), b'data: {"choi'],
        [chunk({"role": "assistant"})],
        [chunk({"tool_calls": [tool(0, "a", "f", "{")]})],
    ],
)
def test_a_stream_without_its_end_mark_is_cut_and_keeps_what_came(pieces):
    decoder = fed(*pieces)
    with pytest.raises(CallError) as caught:
        decoder.reply(Instants())
    assert (caught.value.error, caught.value.detail) == (ErrorClass.TRANSPORT, "cut")
    assert not decoder.ended
    partial = decoder.partial(Instants())
    assert bool(partial.text or partial.tool_calls) is (b"half" in pieces[0] or b"tool" in pieces[0])


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (
            [chunk({"content": "x"}), b'data: {"error": {"message": "GPU on fire", "code": 500}}\n\n'],
            "GPU on fire",
        ),
        ([b'event: error\ndata: {"message": "overheated"}\n\n'], "overheated"),
        ([b"event: error\ndata: plain words\n\n"], "plain words"),
        ([b'data: {"object": "error", "message": "old vLLM"}\n\n'], "old vLLM"),
        ([b'data: {"error": "just text"}\n\n'], "just text"),
        ([chunk({"content": "x"}), b'data: {"error": {"message": "last words"}}'], "last words"),
        ([chunk(finish="error")], "finish_reason is error"),
    ],
)
def test_an_error_inside_a_stream_is_the_providers(pieces, text):
    error = refused(*pieces)
    assert (error.error, error.detail) == (ErrorClass.PROVIDER_ERROR, text)


@pytest.mark.parametrize(
    "pieces",
    [
        [b'data: {"choices": [{"delta": {"content": "x"}]\n\n'],
        [b"data: {nonsense}\n\n"],
        [b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n'],
        [b'data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n'],
        [b'data: {"usage":' + b"[" * 100_000 + b"\n\n"],
        [b"data: NaN\n\n"],
    ],
)
def test_bytes_that_are_not_json_or_utf8_are_malformed_and_kept(pieces):
    error = refused(*pieces)
    assert error.error is ErrorClass.MALFORMED
    assert error.raw == pieces[0][6:-2][: 64 * 1024]


def test_a_character_split_over_two_reads_is_whole():
    raw = chunk({"content": "ж"})
    middle = raw.index("ж".encode()) + 1
    assert read(raw[:middle], raw[middle:], chunk(finish="stop")).text == "ж"


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [
        ([], STREAM),
        ([b""], JSON_KIND),
        ([b"   \n "], JSON_KIND),
        ([b"<html><body>Bad gateway</body></html>"], {b"content-type": b"text/html"}),
        ([b"<!DOCTYPE html>"], JSON_KIND),
        ([b"Service paused"], {b"content-type": b"text/html"}),
        ([b"all good\n"], {b"content-type": b"text/plain"}),
        ([b'{"choices": []}'], JSON_KIND),
        ([b"{}"], JSON_KIND),
        ([b"[]"], JSON_KIND),
        ([b'{"choices": [{"message": {"content": ""}}]}'], JSON_KIND),
        ([b'{"choices": [{"message": {"content": 7}}]}'], JSON_KIND),
        ([b'{"choices": "none"}'], JSON_KIND),
        ([DONE], STREAM),
        ([chunk({"role": "assistant", "content": ""}), DONE], STREAM),
        ([usage_chunk(prompt_tokens=1, completion_tokens=0), DONE], STREAM),
        ([b": ping\n\n" * 3], STREAM),
        ([b'data: {"choices": 5}\n\n'], STREAM),
    ],
)
def test_a_200_that_holds_no_answer_is_a_breach_of_protocol(pieces, headers):
    assert refused(*pieces, headers=headers).error is ErrorClass.PROTOCOL


def test_an_empty_reply_with_a_reason_is_a_reply():
    assert read(chunk(finish="content_filter"), DONE).finish is Finish.CONTENT_FILTER
    assert read(b'{"choices":[{"message":{"content":""},"finish_reason":"length"}]}').finish is Finish.LENGTH


WHOLE = {
    "model": "m-1",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "yes", "tool_calls": [tool(0, "a", "f", "{}")]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}


@pytest.mark.parametrize("headers", [STREAM, JSON_KIND, {}])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_plain_body_is_a_reply_whatever_it_calls_itself(headers, size):
    raw = b" \n" + json.dumps(WHOLE).encode()
    reply = read(*(raw[n : n + size] for n in range(0, len(raw), size)), headers=headers)
    assert (reply.text, reply.finish, reply.usage) == ("yes", Finish.TOOL_CALLS, Usage(3, 2))
    assert reply.tool_calls == (ToolCall("a", "f", "{}"),)
    assert (reply.served_model, reply.fingerprint, len(reply.arrivals)) == ("m-1", "fp", 0)


def test_an_error_in_the_place_of_a_body_is_the_providers():
    error = refused(b'{"error": {"message": "no capacity", "type": "server_error"}}', headers=JSON_KIND)
    assert (error.error, error.detail) == (ErrorClass.PROVIDER_ERROR, "no capacity")


@pytest.mark.parametrize(
    "raw", [b'{"choices": [', b'{"choices":[{"message":{"content":"\xff"}}]}', b'{"a": NaN}']
)
def test_a_body_that_is_not_json_is_malformed_and_kept(raw):
    error = refused(raw, headers=JSON_KIND)
    assert (error.error, error.raw) == (ErrorClass.MALFORMED, raw)


def test_what_is_kept_of_a_bad_body_is_bounded():
    assert len(refused(b"{" + b"x" * 1_000_000, headers=JSON_KIND).raw) == 64 * 1024
    decoder = fed(*[b"x" * 10_000] * 1000, status=500)
    assert sum(map(len, decoder._body)) < 1_000_000
    with pytest.raises(CallError) as caught:
        decoder.reply(Instants())
    assert len(caught.value.raw) == 64 * 1024


def test_comments_and_padding_are_no_progress_and_chunks_are():
    decoder = ReplyDecoder()
    decoder.head(200, STREAM, 1)
    steps = [b" \n", b": ping\n\n", b"data: ", chunk({"content": "x"})[6:], b": ping\n\n", DONE]
    progress = [decoder.feed(step, 1, 1) for step in steps]
    no, yes, end = Progress.NOTHING, Progress.CONTENT, Progress.END
    assert progress == [no, no, no, yes, no, end]


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", b"data: ", b"{", b'data: {"choices":[{"delta":{']))
def test_no_bytes_bring_anything_but_a_reply_or_a_call_error(noise, start):
    with contextlib.suppress(CallError):
        assert isinstance(read(start + noise, b"\n\n"), Reply)


def test_a_call_that_comes_first_under_one_name_and_then_under_the_other_counts_once():
    old = chunk({"function_call": {"name": "f", "arguments": '{"a"'}})
    more = chunk({"function_call": {"arguments": ":1}"}})
    new = chunk({"tool_calls": [tool(0, "a", "f", '{"a":1}')]})
    end = chunk(finish="tool_calls")
    wanted = (ToolCall("a", "f", '{"a":1}'),)
    assert read(old, more, new, end).tool_calls == wanted
    assert read(new, old, more, end).tool_calls == wanted
    assert read(old, more, end).tool_calls == (ToolCall("call_0", "f", '{"a":1}'),)


def test_three_calls_whose_pieces_are_interleaved_are_put_together():
    order = [0, 2, 1, 2, 0, 1, 1, 0, 2]
    texts = {0: ['{"a"', ":", "0}"], 1: ['{"b"', ":", "1}"], 2: ['{"c"', ":", "2}"]}
    pieces = [
        chunk({"tool_calls": [tool(0, "i0", "f0", ""), tool(2, "i2", "f2", ""), tool(1, "i1", "f1", "")]})
    ]
    pieces += [chunk({"tool_calls": [tool(n, None, None, texts[n].pop(0))]}) for n in order]
    found = {call.id: call.arguments for call in read(*pieces, chunk(finish="tool_calls")).tool_calls}
    assert found == {"i0": '{"a":0}', "i1": '{"b":1}', "i2": '{"c":2}'}


def test_calls_without_ids_are_numbered_on_from_those_of_the_history():
    decoder = ReplyDecoder(None, 2)
    decoder.head(200, STREAM, 1)
    decoder.feed(chunk({"tool_calls": [tool(0, None, "f", "{}")]}) + chunk(finish="stop"), 1, 1)
    assert decoder.reply(Instants()).tool_calls == (ToolCall("call_2", "f", "{}"),)


def test_reasoning_details_hold_texts_and_summaries():
    details = [{"type": "reasoning.summary", "summary": "in short"}, {"type": "x", "data": "secret"}, "odd"]
    assert read(chunk({"reasoning_details": details}), chunk(finish="stop")).reasoning == "in short"


def test_a_content_of_parts_is_told_apart():
    parts: list[JSON] = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]},
        {"type": "text", "text": "yes"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "x"}},
    ]
    reply = read(chunk({"content": parts}), chunk(finish="stop"))
    assert (reply.text, reply.reasoning, reply.refusal) == ("yes", "let me see", "no")
    assert reply.arrivals.kind[0] == Kind.CONTENT | Kind.REASONING | Kind.REFUSAL
    thought = read(chunk({"content": parts[:1]}), chunk({"content": "x"}), chunk(finish="stop"))
    assert thought.arrivals.kind[0] == Kind.REASONING


def test_coalesced_and_empty_chunks_keep_the_text_and_count_as_what_they_carry():
    empty = b'data: {"choices": [], "prompt_filter_results": []}\n\n'
    hollow = chunk({"content": ""})
    reply = read(empty + hollow + chunk({"content": "a"}) + chunk({"content": "b"}) + hollow, *TEXT[4:])
    assert reply.text == "ab"
    assert [bool(length) for length in reply.arrivals.length[:5]] == [False, False, True, True, False]
    assert len(set(reply.arrivals.read[:5])) == 1
    assert len(reply.arrivals.token_stamps()) == 2


def test_continuous_usage_counts_once_and_the_last_word_stands():
    counted = [
        chunk({"content": text}, usage={"prompt_tokens": 5, "completion_tokens": n})
        for n, text in enumerate("abc", 1)
    ]
    reply = read(*counted, chunk(finish="stop", usage={"prompt_tokens": 5, "completion_tokens": 3}), DONE)
    assert (reply.text, reply.usage) == ("abc", Usage(5, 3))
    assert list(reply.arrivals.kind[:3]) == [Kind.CONTENT | Kind.USAGE] * 3


def usage_then(*usages):
    text = (
        b'data: {"choices":[{"index":0,"delta":{"content":"four words of text"},"finish_reason":"stop"}]}\n\n'
    )
    counts = [b'data: {"choices":[],"usage":%s}\n\n' % json.dumps(usage).encode() for usage in usages]
    decoder = ReplyDecoder()
    decoder.head(200, {b"content-type": b"text/event-stream"}, 1)
    decoder.feed(b"".join([text, *counts, b"data: [DONE]\n\n"]), 1, 1)
    return decoder.reply(Instants())


@pytest.mark.parametrize(
    ("usages", "output", "odd"),
    [
        ([{"prompt_tokens": 3, "completion_tokens": 4}], 4, None),
        ([{"prompt_tokens": 3, "completion_tokens": 34}], 34, None),  # a byte each, and marks
        ([{"prompt_tokens": 3, "completion_tokens": 35}], 35, 35),
        ([{"prompt_tokens": 3, "completion_tokens": 0}], 0, 0),
        (
            [{"prompt_tokens": 3, "completion_tokens": 2}, {"prompt_tokens": 3, "completion_tokens": 4}],
            4,
            None,
        ),
        ([{"prompt_tokens": 3, "completion_tokens": 4}, {"prompt_tokens": 3, "completion_tokens": 2}], 2, 2),
        ([{}, {"prompt_tokens": 3, "completion_tokens": 4}], 4, None),
        (
            [{"prompt_tokens": 3, "completion_tokens": 4}, {"prompt_tokens": -1, "completion_tokens": -1}],
            4,
            -1,
        ),
        (
            [
                {
                    "prompt_tokens": 3,
                    "completion_tokens": 900,
                    "completion_tokens_details": {"reasoning_tokens": 890},
                }
            ],
            900,
            None,
        ),
    ],
)
def test_a_usage_that_cannot_be_that_of_the_reply_is_kept_as_it_came(usages, output, odd):
    reply = usage_then(*usages)
    assert reply.usage.output == output
    kept = json.loads(reply.odd_usage)["completion_tokens"] if reply.odd_usage else None
    assert kept == odd
