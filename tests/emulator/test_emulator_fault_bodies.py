"""Faults of bodies, and of the JSON in bodies and events, as they look on a raw socket."""

import json
import zlib

import pytest

RIGHT = "Forty-two, that is 42 — сорок два."


def strict(data):
    """The JSON of a body, where constants and doubled keys are errors."""

    def no_constant(name):
        raise ValueError(name)

    def once(pairs):
        assert len(dict(pairs)) == len(pairs), "a key twice"
        return dict(pairs)

    return json.loads(data, parse_constant=no_constant, object_pairs_hook=once)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_coded_reply_is_the_right_one_underneath(faulty, stream):
    got, _ = await faulty("gzip", stream=stream)
    plain, _ = await faulty("ok", stream=stream)
    assert got.headers["content-encoding"] == "gzip"
    text = zlib.decompress(got.body, 31)
    assert len(text) == len(plain.body)
    assert RIGHT[:4].encode() in text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bomb_is_small_on_the_wire_and_large_when_decoded(faulty, stream):
    got, _ = await faulty("gzbomb:mb=5", stream=stream)
    assert got.end == "eof"
    unpacker = zlib.decompressobj(31)
    assert len(unpacker.decompress(got.body)) >= 5 << 20
    assert len(got.raw) < 50_000


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_can_bear_another_type(faulty, stream):
    got, _ = await faulty("wrongtype", stream=stream)
    assert got.headers["content-type"] == "text/plain"
    assert RIGHT[:4].encode() in got.body


@pytest.mark.parametrize("stream", [False, True])
async def test_a_byte_order_mark_comes_first(faulty, stream):
    got, _ = await faulty("bom", stream=stream)
    assert got.body.startswith(b"\xef\xbb\xbf")
    assert not got.body[3:].startswith(b"\xef\xbb\xbf")


async def test_a_choice_can_lack_content_and_reason(faulty):
    got, _ = await faulty("nullcontent")
    (choice,) = got.json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, None)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_answer_can_end_like_a_good_one(faulty, stream):
    got, record = await faulty("wordless", stream=stream)
    assert (got.text, record.text) == ("", RIGHT)
    assert b'"finish_reason":"stop"' in got.body


async def test_a_length_can_be_shorter_than_the_body(faulty):
    got, _ = await faulty("shortlength")
    assert int(got.headers["content-length"]) == len(got.body) // 2
    assert json.loads(got.body)["choices"][0]["message"]["content"] == RIGHT


@pytest.mark.parametrize("stream", [False, True])
async def test_text_that_no_utf8_can_carry_is_sent_as_an_escape(faulty, stream):
    got, _ = await faulty("surrogate", stream=stream)
    assert got.body.count(b"\\ud83d") == 1
    assert got.text == "\ud83d" + RIGHT


@pytest.mark.parametrize("stream", [False, True])
async def test_nan_stands_among_the_json(faulty, stream):
    got, _ = await faulty("nan", stream=stream)
    with pytest.raises(ValueError, match="NaN"):
        strict(got.body) if not stream else [strict(data) for data in got.events[:-1]]
    assert got.text == RIGHT


@pytest.mark.parametrize("stream", [False, True])
async def test_lists_are_as_deep_as_asked(faulty, stream):
    got, _ = await faulty("deep:n=300", stream=stream)
    assert b"[" * 300 + b"]" * 300 in got.body
    assert got.text == RIGHT


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_comes_twice_and_the_last_is_right(faulty, stream):
    got, _ = await faulty("dupkeys", stream=stream)
    with pytest.raises(AssertionError, match="a key twice"):
        strict(got.body) if not stream else [strict(data) for data in got.events[:-1]]
    assert got.text == RIGHT


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("kind", "is_such"),
    [
        ("negative", lambda value: value < 0),
        ("float", lambda value: value % 1 == 0.5),
        ("text", lambda value: isinstance(value, str)),
        ("tenfold", lambda value: value % 10 == 0),
    ],
)
async def test_usage_can_be_no_usage(faulty, kind, is_such, stream):
    got, record = await faulty(f"usage:kind={kind}" if kind != "negative" else "usage", stream=stream)
    used = json.loads(got.events[-2])["usage"] if stream else got.json["usage"]
    counts = [used["prompt_tokens"], used["completion_tokens"], used["total_tokens"]]
    assert all(map(is_such, counts))
    assert got.text == RIGHT
    assert record.output == 9


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reason", ["length", "content_filter", "unknown"])
async def test_a_right_text_can_end_for_any_reason(faulty, reason, stream):
    got, _ = await faulty(f"finish:reason={reason}" if reason != "length" else "finish", stream=stream)
    assert got.text == RIGHT
    assert got.body.count(f'"finish_reason":"{reason}"'.encode()) == 1
    assert b'"finish_reason":"stop"' not in got.body


@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_comes_in_a_field_of_its_own_before_the_content(faulty, stream):
    got, _ = await faulty("reasoning", stream=stream)
    assert got.text == RIGHT
    assert got.body.count(b'"reasoning_content":"The user') == 1
    if stream:
        assert got.body.index(b"reasoning_content") < got.body.index(b'"content":"Fort')
