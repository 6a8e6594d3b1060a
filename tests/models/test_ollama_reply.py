"""The decoder of Ollama's chats, on streams written after its documentation and api/types.go."""

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
from assay.models.ollama_reply import OllamaDecoder
from assay.transport.sink import Progress

LINES = {b"content-type": b"application/x-ndjson"}
ONE = {b"content-type": b"application/json; charset=utf-8"}
COUNTERS = {
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342546000,
    "eval_count": 282,
    "eval_duration": 4535599000,
}


def line(content: str = "", *, done: bool = False, **more: JSON) -> bytes:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    body = {"model": "llama3.2", "created_at": "2023-08-04T08:52:19.385406455-07:00", "message": message}
    return json.dumps({**body, "done": done, **more}, ensure_ascii=False).encode() + b"\n"


def end(reason: str | None = "stop", **more: JSON) -> bytes:
    given = {**COUNTERS, **more} if reason is None else {"done_reason": reason, **COUNTERS, **more}
    return line(done=True, **given)


def tool(name: str, arguments: JSON, **more: JSON) -> JSON:
    return {**more, "function": {"name": name, "arguments": arguments}}


TEXT = [line("Привет, "), line("мир 🌍"), line("!"), end()]
THINKING = [
    line(message={"thinking": "The user "}),
    line(message={"thinking": "greets."}),
    line("Hello"),
    end("length"),
]
TOOLS = [
    line(message={"tool_calls": [tool("weather", {"city": "Ош", "days": [1, 2.50]})]}),
    line(message={"tool_calls": [tool("tip", {}), tool("tip", {"bill": 7}, id="call_x")]}),
    end(),
]
GENERATED = [
    b'{"model":"gemma4","created_at":"2025-10-26T17:21:21Z","response":" Yes","done":false}\n',
    b'{"model":"gemma4","created_at":"2025-10-26T17:21:21Z","response":"","thinking":"hm","done":false}\n',
    b'{"model":"gemma4","response":"","done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":2}\n',
]
STREAMS = [TEXT, THINKING, TOOLS, GENERATED]


def fed(*pieces: bytes, status=200, headers=LINES, on_read=None, **how) -> OllamaDecoder:
    decoder = OllamaDecoder(on_read, **how)
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


def test_lines_become_a_reply():
    reply = read(*TEXT)
    assert (reply.text, reply.finish, reply.usage) == ("Привет, мир 🌍!", Finish.STOP, Usage(26, 282))
    assert (reply.served_model, reply.instants.ended) == ("llama3.2", 9)


def test_each_line_is_kept_with_its_stamp_kind_length_and_read():
    arrivals = read(*TEXT).arrivals
    content, last = int(Kind.CONTENT), int(Kind.DONE | Kind.FINISH | Kind.USAGE)
    assert list(arrivals.kind) == [content, content, content, last]
    assert list(arrivals.length) == [8, 5, 1, 0]
    assert (list(arrivals.at), list(arrivals.read)) == ([1000, 2000, 3000, 4000], [1, 2, 3, 4])


def test_thinking_is_reasoning():
    reply = read(*THINKING)
    assert (reply.reasoning, reply.text, reply.finish) == ("The user greets.", "Hello", Finish.LENGTH)
    assert reply.arrivals.kind[0] == Kind.REASONING


def test_calls_keep_their_arguments_as_they_were_written_and_get_stable_ids():
    reply = read(*TOOLS, first_call=3)
    assert reply.tool_calls == (
        ToolCall("call_3", "weather", '{"city": "Ош", "days": [1, 2.5]}'),
        ToolCall("call_4", "tip", "{}"),
        ToolCall("call_x", "tip", '{"bill": 7}'),
    )
    assert reply.finish is Finish.TOOL_CALLS
    assert read(*TOOLS).tool_calls[0].id == "call_0"


def test_arguments_that_come_as_text_are_that_text():
    raw = line(message={"tool_calls": [tool("f", '{"a": 1}'), tool("g", None)]})
    assert [call.arguments for call in read(raw, end()).tool_calls] == ['{"a": 1}', "{}"]


def test_a_generated_completion_is_read_as_well():
    reply = read(*GENERATED)
    assert (reply.text, reply.reasoning, reply.usage) == (" Yes", "hm", Usage(26, 2))


@settings(max_examples=300)
@given(
    stream=st.sampled_from(STREAMS),
    newline=st.sampled_from([b"\n", b"\r\n", b"\n\n", b" "]),
    mark=st.booleans(),
    cuts=st.lists(st.integers(0, 1500), max_size=40),
)
def test_every_slicing_and_spelling_of_a_stream_gives_the_same_reply(stream, newline, mark, cuts):
    raw = (b"\xef\xbb\xbf" if mark else b"") + b"".join(stream).replace(b"\n", newline)
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    sliced = read(*(raw[a:b] for a, b in itertools.pairwise(edges)))
    whole = read(*stream)
    for name in ("text", "tool_calls", "finish", "usage", "reasoning", "served_model"):
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
    for size in range(len(raw) - 1):  # the last byte is a line feed that may be missing
        decoder = fed(raw[:size])
        with pytest.raises(CallError) as caught:
            decoder.reply(Instants())
        assert not decoder.ended
        if size > len(stream[0]):
            assert (caught.value.error, caught.value.detail) == (ErrorClass.TRANSPORT, "cut")
            partial = decoder.partial(Instants())
            assert partial.text or partial.reasoning or partial.tool_calls
            assert (partial.usage, partial.finish) == (None, Finish.UNKNOWN)
    assert read(raw[:-1]).message == read(raw).message


@pytest.mark.parametrize("missing", ["prompt_eval_count", "eval_count"])
def test_a_missing_count_or_one_of_zero_is_unknown_and_never_zero(missing):
    counters = {name: value for name, value in COUNTERS.items() if name != missing}
    assert read(line("x"), line(done=True, done_reason="stop", **counters)).usage is None
    assert read(line("x"), end(**{missing: 0})).usage is None
    assert read(line("x"), end(**{missing: "many"})).usage is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", Finish.STOP), ("length", Finish.LENGTH), ("weird", Finish.UNKNOWN), (None, Finish.UNKNOWN)],
)
def test_a_done_reason_is_mapped_and_older_versions_give_none(reason, finish):
    assert read(line("x"), end(reason)).finish is finish


def test_a_length_that_cut_a_call_short_is_told():
    assert read(TOOLS[0], end("length")).finish is Finish.LENGTH
    assert read(TOOLS[0], end(None)).finish is Finish.TOOL_CALLS


@pytest.mark.parametrize("error", ["an error was encountered while running the model", {"message": "oom"}])
def test_an_error_line_is_the_providers_with_what_had_come(error):
    decoder = OllamaDecoder()
    decoder.head(200, LINES, 1)
    with pytest.raises(CallError) as caught:
        decoder.feed(line("half") + json.dumps({"error": error}).encode() + b"\n", 1, 1)
    text = error if isinstance(error, str) else "oom"
    assert (caught.value.error, caught.value.detail) == (ErrorClass.PROVIDER_ERROR, text)
    assert decoder.partial(Instants()).text == "half"
    last = refused(line("half"), b'{"error":"last words"}')  # without its line feed
    assert (last.error, last.detail) == (ErrorClass.PROVIDER_ERROR, "last words")


def test_after_the_end_mark_nothing_is_added():
    assert read(line("x") + end() + line("y")).text == "x"
    decoder = fed(line("x"), end())
    assert decoder.ended


@pytest.mark.parametrize("bad", [b'{"message": {"content": "x"\n', b"{nonsense}\n", b'{"a": NaN}\n'])
def test_a_line_that_is_no_json_is_malformed_and_kept(bad):
    error = refused(line("x"), bad, end())
    assert (error.error, error.raw) == (ErrorClass.MALFORMED, bad[:-1])


def test_bytes_that_are_no_utf8_are_malformed():
    assert refused(line("x").replace(b"x", b"\xff")).error is ErrorClass.MALFORMED
    call = line(message={"tool_calls": [tool("f", {"a": "x"})]}).replace(b'"x"', b'"\xff"')
    assert refused(call, end()).error is ErrorClass.MALFORMED


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [
        ([], LINES),
        ([b"\n\n"], LINES),
        ([b"<html>Bad gateway</html>"], {b"content-type": b"text/html"}),
        ([b"{}"], ONE),
        ([b"[]"], ONE),
        ([b'{"model":"m","done":true}'], ONE),
        ([b'{"model":"m","done":true}\n'], LINES),
        ([line(done=True, done_reason="load")], LINES),
        ([line(done=True)], LINES),
        ([b'{"message": 7}\n'], LINES),
    ],
)
def test_a_200_that_holds_no_answer_is_a_breach_of_protocol(pieces, headers):
    assert refused(*pieces, headers=headers).error is ErrorClass.PROTOCOL


def test_an_empty_reply_with_a_reason_is_a_reply():
    assert (read(end("length")).text, read(end("length")).finish) == ("", Finish.LENGTH)


@pytest.mark.parametrize("headers", [ONE, LINES, {}])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_one_object_is_a_reply_whatever_it_calls_itself(headers, size):
    raw = line("yes", done=True, done_reason="stop", **COUNTERS)
    reply = read(*(raw[n : n + size] for n in range(0, len(raw), size)), headers=headers)
    assert (reply.text, reply.finish, reply.usage) == ("yes", Finish.STOP, Usage(26, 282))


def test_lines_and_a_pretty_object_under_the_type_of_one_object_are_read():
    assert read(*TEXT, headers=ONE).text == "Привет, мир 🌍!"
    pretty = json.dumps(json.loads(line("yes", done=True, done_reason="stop")), indent=1).encode()
    assert read(pretty, headers=ONE).text == "yes"
    assert len(read(*TEXT, headers=ONE).arrivals) == 0


def test_an_object_that_is_not_done_is_cut():
    error = refused(line("half"), headers=ONE)
    assert (error.error, error.detail) == (ErrorClass.TRANSPORT, "cut")


def test_an_error_in_the_place_of_a_body_is_the_providers():
    error = refused(b'{"error":"model runner has unexpectedly stopped"}', headers=ONE)
    assert (error.error, error.detail) == (
        ErrorClass.PROVIDER_ERROR,
        "model runner has unexpectedly stopped",
    )


def test_a_line_that_holds_far_too_many_objects_is_refused_at_once():
    assert refused(b'{"a":1} ' * 200_000 + b"\n").error is ErrorClass.MALFORMED


def test_pieces_are_shown_as_they_come():
    seen: list[str] = []
    read(*TEXT, on_read=seen.append)
    assert seen == ["Привет, ", "мир 🌍", "!"]


def test_blank_lines_are_no_progress_and_chunks_are():
    decoder = OllamaDecoder()
    decoder.head(200, LINES, 1)
    steps = [b"\n", line("x")[:9], line("x")[9:], b"\n", b" \r\n", end()]
    progress = [decoder.feed(step, 1, 1) for step in steps]
    no, yes = Progress.NOTHING, Progress.CONTENT
    assert progress == [no, no, yes, no, no, Progress.END]


def test_the_fingerprint_is_the_digest_that_it_was_given():
    assert read(*TEXT, fingerprint="sha").fingerprint == "sha"


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b'{"message":{', b'{"done":true,"message":{']))
def test_no_bytes_bring_anything_but_a_reply_or_a_call_error(noise, start):
    with contextlib.suppress(CallError):
        assert isinstance(read(start + noise, b"\n"), Reply)
