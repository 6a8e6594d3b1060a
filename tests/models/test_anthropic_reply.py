"""The decoder of Anthropic's messages, on streams written after the provider's documentation."""

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
from assay.models.anthropic_reply import AnthropicDecoder
from assay.transport.sink import Progress

STREAM = {b"content-type": b"text/event-stream; charset=utf-8"}
ONE = {b"content-type": b"application/json"}


def event(kind: str, **more: JSON) -> bytes:
    data = json.dumps({"type": kind, **more}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def begin(**usage: int) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-x"}
    counts = {"input_tokens": 25, "output_tokens": 1, **usage}
    return event("message_start", message={**message, "stop_reason": None, "usage": counts})


def block(index: int, kind: str, **more: JSON) -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, **more})


def delta(index: int, kind: str, **more: JSON) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **more})


def close(index: int) -> bytes:
    return event("content_block_stop", index=index)


def stop(reason: str | None, usage: JSON = None, **more: JSON) -> bytes:
    counts = {"output_tokens": 15} if usage is None else usage
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None, **more}, usage=counts)


PING = event("ping")
END = event("message_stop")

TEXT = [
    begin(cache_read_input_tokens=4, cache_creation_input_tokens=2),
    block(0, "text", text=""),
    PING,
    delta(0, "text_delta", text="Привет, "),
    delta(0, "text_delta", text="мир 🌍"),
    close(0),
    stop("end_turn"),
    END,
]
TOOLS = [
    begin(),
    block(0, "text", text=""),
    delta(0, "text_delta", text="Okay"),
    close(0),
    block(1, "tool_use", id="toolu_a", name="weather", input={}),
    delta(1, "input_json_delta", partial_json=""),
    delta(1, "input_json_delta", partial_json='{"city":'),
    delta(1, "input_json_delta", partial_json=' "Ош"}'),
    close(1),
    block(2, "tool_use", id="toolu_b", name="now", input={}),
    delta(2, "input_json_delta", partial_json=""),
    close(2),
    stop("tool_use", {"output_tokens": 89}),
    END,
]
THINKING = [
    begin(),
    block(0, "thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="I need "),
    delta(0, "thinking_delta", thinking="the GCD."),
    delta(0, "signature_delta", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h"),
    close(0),
    block(1, "redacted_thinking", data="EmwKAhgBEgy3va3pzix"),
    close(1),
    block(2, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    delta(2, "input_json_delta", partial_json='{"query": "gcd"}'),
    close(2),
    block(3, "text", text=""),
    delta(3, "text_delta", text="21"),
    close(3),
    stop("max_tokens", {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 20}}),
    END,
]
REFUSED = [
    begin(),
    stop("refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "I will not."}),
    END,
]
STREAMS = [TEXT, TOOLS, THINKING, REFUSED]


def fed(*pieces: bytes, status=200, headers=STREAM, on_read=None, **how) -> AnthropicDecoder:
    decoder = AnthropicDecoder(on_read, **how)
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


def test_a_text_stream_becomes_a_reply():
    reply = read(*TEXT)
    assert (reply.text, reply.finish, reply.served_model) == ("Привет, мир 🌍", Finish.STOP, "claude-x")
    assert reply.usage == Usage(31, 15, cached=4)


def test_each_event_is_kept_with_its_stamp_kind_length_and_read():
    arrivals = read(*TEXT).arrivals
    assert list(arrivals.kind) == [
        *(Kind.ROLE, 0, Kind.COMMENT, Kind.CONTENT, Kind.CONTENT, 0),
        *(Kind.FINISH | Kind.USAGE, Kind.DONE),
    ]
    assert list(arrivals.length) == [0, 0, 0, 8, 5, 0, 0, 0]
    assert list(arrivals.at) == [1000 * n for n in range(1, 9)]
    assert list(arrivals.read) == list(range(1, 9))


def test_tool_calls_are_put_together_by_their_index():
    reply = read(*TOOLS)
    assert reply.tool_calls == (
        ToolCall("toolu_a", "weather", '{"city": "Ош"}'),
        ToolCall("toolu_b", "now", "{}"),
    )
    assert (reply.text, reply.finish, reply.usage) == ("Okay", Finish.TOOL_CALLS, Usage(25, 89))


def test_interleaved_calls_and_an_input_that_comes_at_once_are_whole():
    reply = read(
        begin(),
        block(0, "tool_use", id="a", name="f", input={}),
        block(1, "tool_use", id="b", name="g", input={"x": [1, 2]}),
        delta(0, "input_json_delta", partial_json='{"y"'),
        delta(0, "input_json_delta", partial_json=":1}"),
        stop("tool_use"),
        END,
    )
    assert reply.tool_calls == (ToolCall("a", "f", '{"y":1}'), ToolCall("b", "g", '{"x": [1, 2]}'))


def test_thinking_is_reasoning_and_other_blocks_are_passed_over():
    reply = read(*THINKING)
    assert (reply.reasoning, reply.text, reply.finish) == ("I need the GCD.", "21", Finish.LENGTH)
    assert (reply.usage, reply.tool_calls) == (Usage(25, 30, reasoning=20), ())


def test_a_refusal_is_a_finish_of_its_own_with_its_explanation():
    reply = read(*REFUSED)
    assert (reply.finish, reply.refusal, reply.text) == (Finish.REFUSAL, "I will not.", "")


def test_a_reply_by_schema_is_the_input_of_its_tool():
    pieces = [
        begin(),
        block(0, "tool_use", id="a", name="reply", input={}),
        delta(0, "input_json_delta", partial_json='{"a"'),
        delta(0, "input_json_delta", partial_json=": 1}"),
        close(0),
        stop("tool_use"),
        END,
    ]
    seen: list[str] = []
    reply = read(*pieces, reply_tool="reply", on_read=seen.append)
    assert (reply.text, reply.tool_calls, reply.finish) == ('{"a": 1}', (), Finish.STOP)
    assert seen == ['{"a"', ": 1}"]
    assert reply.arrivals.kind[2] == Kind.CONTENT
    whole = {
        "type": "message",
        "content": [{"type": "tool_use", "id": "a", "name": "reply", "input": {"a": 1}}],
        "stop_reason": "tool_use",
    }
    assert read(json.dumps(whole).encode(), headers=ONE, reply_tool="reply").text == '{"a": 1}'
    assert read(*pieces).tool_calls == (ToolCall("a", "reply", '{"a": 1}'),)


@settings(max_examples=300)
@given(
    stream=st.sampled_from(STREAMS),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    named=st.booleans(),
    mark=st.booleans(),
    cuts=st.lists(st.integers(0, 2500), max_size=40),
)
def test_every_slicing_and_spelling_of_a_stream_gives_the_same_reply(stream, newline, named, mark, cuts):
    raw = b"".join(stream)
    if not named:  # the type stands in the data as well
        raw = b"".join(part.partition(b"\n")[2] + b"\n\n" for part in raw.split(b"\n\n") if part)
    raw = (b"\xef\xbb\xbf" if mark else b"") + raw.replace(b"\n", newline)
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    sliced = read(*(raw[a:b] for a, b in itertools.pairwise(edges)))
    whole = read(*stream)
    for name in ("text", "tool_calls", "finish", "usage", "reasoning", "refusal", "served_model"):
        assert getattr(sliced, name) == getattr(whole, name)
    assert (sliced.arrivals.kind, sliced.arrivals.length) == (whole.arrivals.kind, whole.arrivals.length)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_read_byte_by_byte_gives_the_same_reply(stream):
    raw = b"".join(stream)
    sliced, whole = read(*(raw[n : n + 1] for n in range(len(raw)))), read(raw)
    assert (sliced.message, sliced.reasoning, sliced.usage) == (whole.message, whole.reasoning, whole.usage)


@pytest.mark.parametrize("stream", STREAMS)
def test_no_beginning_of_a_stream_is_a_whole_answer(stream):
    raw = b"".join(stream)
    for size in range(len(raw) - 2):  # the blank line after the last event may be missing
        decoder = fed(raw[:size])
        with pytest.raises(CallError) as caught:
            decoder.reply(Instants())
        assert not decoder.ended
        if size > len(stream[0]):
            assert (caught.value.error, caught.value.detail) == (ErrorClass.TRANSPORT, "cut")
        if size < len(raw) - len(END) - len(stream[-2]):
            assert decoder.partial(Instants()).usage is None
    assert read(raw[:-2]).message == read(raw).message


def test_the_last_counts_stand_and_a_missing_or_wrong_one_is_unknown():
    later = stop("end_turn", {"input_tokens": 30, "output_tokens": 7, "cache_read_input_tokens": None})
    assert read(begin(), block(0, "text", text="x"), later, END).usage == Usage(30, 7)
    cached = begin(cache_read_input_tokens=4)
    assert read(cached, block(0, "text", text="x"), later, END).usage == Usage(34, 7, cached=4)
    for wrong in (-1, "many", None, 1.5):
        start = event("message_start", message={"usage": {"input_tokens": wrong}})
        assert read(start, block(0, "text", text="x"), stop("end_turn"), END).usage is None
    assert read(begin(), block(0, "text", text="x"), stop("end_turn", "many"), END).usage == Usage(25, 1)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        *(("end_turn", Finish.STOP), ("stop_sequence", Finish.STOP), ("max_tokens", Finish.LENGTH)),
        *(("model_context_window_exceeded", Finish.LENGTH), ("tool_use", Finish.TOOL_CALLS)),
        *(("refusal", Finish.REFUSAL), ("pause_turn", Finish.UNKNOWN), (None, Finish.UNKNOWN)),
    ],
)
def test_a_stop_reason_is_mapped(reason, finish):
    assert read(begin(), block(0, "text", text="x"), stop(reason), END).finish is finish


def test_an_end_mark_without_a_stop_reason_is_a_reply_of_unknown_finish():
    reply = read(begin(), block(0, "text", text="x"), END)
    assert (reply.text, reply.finish, reply.usage) == ("x", Finish.UNKNOWN, None)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (
            [event("error", error={"type": "overloaded_error", "message": "Overloaded"})],
            "Overloaded",
        ),
        ([event("error", error={"type": "api_error", "message": "x"})[:-2]], "x"),
        ([b'data: {"type": "error", "error": {"message": "unnamed"}}\n\n'], "unnamed"),
        ([b"event: error\ndata: plain words\n\n"], "plain words"),
        ([b'data: {"type": "error"}\n\n'], "no reason given"),
    ],
)
def test_an_error_inside_a_stream_is_the_providers_with_what_had_come(pieces, text):
    decoder = AnthropicDecoder()
    decoder.head(200, STREAM, 1)
    with pytest.raises(CallError) as caught:
        decoder.feed(b"".join([*TEXT[:4], *pieces]), 1, 1)
        decoder.reply(Instants())
    assert (caught.value.error, caught.value.detail) == (ErrorClass.PROVIDER_ERROR, text)
    assert decoder.partial(Instants()).text == "Привет, "


def test_after_the_end_mark_nothing_is_added():
    assert read(b"".join(TEXT) + delta(0, "text_delta", text="more")).text == "Привет, мир 🌍"
    assert fed(*TEXT).ended


def test_a_mark_of_another_dialect_ends_nothing():
    done = b"data: [DONE]\n\n"
    assert refused(*TEXT[:-1], done).error is ErrorClass.TRANSPORT
    assert read(*TEXT[:-1], done, END).text == "Привет, мир 🌍"


@pytest.mark.parametrize(
    "bad",
    [
        b'{"type": "content_block_delta", "delta": {"text": "x"',
        b"{nonsense}",
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}',
        b'{"type":"content_block_start","content_block":{"type":"tool_use","input":{"a":"\xff"}}}',
    ],
)
def test_bytes_that_are_not_json_or_utf8_are_malformed_and_kept(bad):
    error = refused(begin(), b"data: " + bad + b"\n\n", END)
    assert error.error is ErrorClass.MALFORMED
    assert error.raw in bad


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [
        ([], STREAM),
        ([b"<html>Bad gateway</html>"], {b"content-type": b"text/html"}),
        ([b"{}"], ONE),
        ([b"[]"], ONE),
        ([b'{"type":"message","content":[],"stop_reason":null}'], ONE),
        ([b'{"type":"message","content":7}'], ONE),
        ([begin(), END], STREAM),
        ([PING, PING], STREAM),
        ([b'data: {"type": 5}\n\n'], STREAM),
    ],
)
def test_a_200_that_holds_no_answer_is_a_breach_of_protocol(pieces, headers):
    assert refused(*pieces, headers=headers).error is ErrorClass.PROTOCOL


WHOLE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "yes"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"b": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1},
}


@pytest.mark.parametrize("headers", [STREAM, ONE, {}])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_plain_body_is_a_reply_whatever_it_calls_itself(headers, size):
    raw = b" \n" + json.dumps(WHOLE).encode()
    reply = read(*(raw[n : n + size] for n in range(0, len(raw), size)), headers=headers)
    assert (reply.text, reply.reasoning, reply.finish) == ("yes", "hm", Finish.TOOL_CALLS)
    assert reply.tool_calls == (ToolCall("a", "f", '{"b": 1}'),)
    assert (reply.usage, reply.served_model) == (Usage(4, 2, cached=1), "claude-x")
    assert len(reply.arrivals) == 0


def test_an_error_in_the_place_of_a_body_is_the_providers():
    raw = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    error = refused(raw, headers=ONE)
    assert (error.error, error.detail) == (ErrorClass.PROVIDER_ERROR, "Overloaded")


def test_pings_and_comments_are_no_progress_and_deltas_are():
    decoder = AnthropicDecoder()
    decoder.head(200, STREAM, 1)
    steps = [b" \n", PING, b": x\n\n", TEXT[3][:30], TEXT[3][30:], PING, close(0), END]
    progress = [decoder.feed(step, 1, 1) for step in steps]
    no, yes, end = Progress.NOTHING, Progress.CONTENT, Progress.END
    assert progress == [no, no, no, no, yes, no, no, end]


@settings(max_examples=300)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"data: ", b"{", b'data: {"type":"content_block_delta","delta":{']),
)
def test_no_bytes_bring_anything_but_a_reply_or_a_call_error(noise, start):
    with contextlib.suppress(CallError):
        assert isinstance(read(start + noise, b"\n\n"), Reply)
