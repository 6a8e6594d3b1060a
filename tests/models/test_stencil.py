"""What is taken in by its stencil is what is read in full."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CallError
from assay.message import Instants, Kind
from assay.models.openai_reply import ReplyDecoder
from assay.models.stencil import all_plain, cut, plain
from assay.transport.sink import Progress

TEXTS = st.one_of(
    st.sampled_from(
        [
            "word ",
            "a",
            "",
            '"',
            "\\",
            "\n",
            "\t",
            "\x00",
            "\x7f",
            "Привет",
            "дом",
            "🙂",
            "\u200b",
            '"content"',
        ]
    ),
    st.text(max_size=6),
)


def event(content, *, id="c1", ascii=True, spaced=False, **more) -> bytes:
    delta = {"content": content, **more.pop("delta", {})}
    chunk = {"id": id, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}
    separators = None if spaced else (",", ":")
    return json.dumps(chunk, ensure_ascii=ascii, separators=separators).encode("utf-8", "surrogatepass")


EVENTS = st.one_of(
    st.builds(event, TEXTS, ascii=st.booleans()),
    st.builds(event, TEXTS, id=st.sampled_from(["c1", "c2"])),
    st.builds(event, TEXTS, spaced=st.just(True)),
    st.builds(lambda text: event(text, usage={"prompt_tokens": 3, "completion_tokens": 4}), TEXTS),
    st.builds(lambda text: event(text, delta={"reasoning": "hm"}), TEXTS),
    st.builds(lambda text: event(text, note={"content": text}), TEXTS),
    st.builds(lambda text: event(text, delta={"refusal": "no"}), TEXTS),
    st.just(event("x").replace(b'"x"', b'"\xff"')),
    st.just(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'),
    st.just(b"[DONE]"),
    st.just(b"not json"),
)
LINES = st.one_of(
    st.builds(lambda data, end: b"data: " + data + end, EVENTS, st.just(b"\n\n")),
    st.builds(lambda data: b"data: " + data + b"\n\n", EVENTS),
    st.builds(lambda data: b"data:" + data + b"\r\n\r\n", EVENTS),
    st.builds(lambda data: b"event: message\ndata: " + data + b"\n\n", EVENTS),
    st.just(b"event: error\n"),
    st.just(b": ping\n\n"),
)


def taken(stream: bytes, cuts, *, stencils: bool):
    """What the decoder makes of a stream in these slices, or its error; and whether a stencil was found."""
    decoder = ReplyDecoder()
    if not stencils:
        decoder._tries = decoder._opening = 0
    decoder.head(200, {b"content-type": b"text/event-stream"}, 1)
    shown = []
    try:
        for read, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(stream)], strict=True), 1):
            if a < b and Progress.END not in shown:
                shown.append(decoder.feed(stream[a:b], 1000 * read, read))
        return (decoder.reply(Instants()), shown), decoder._stencil
    except CallError as error:
        return (error.error, error.detail, decoder.partial(Instants())), decoder._stencil


@given(st.lists(LINES, max_size=12).map(b"".join), st.data())
def test_a_stream_reads_the_same_by_its_stencil_and_in_full(stream, data) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    assert taken(stream, cuts, stencils=True)[0] == taken(stream, cuts, stencils=False)[0]


@given(
    st.lists(st.one_of(LINES, st.builds(lambda text: b"data: " + event(text) + b"\n\n", TEXTS)), max_size=20)
)
def test_events_that_come_one_a_read_read_the_same_by_their_stencil_and_in_full(lines) -> None:
    cuts = [sum(map(len, lines[:n])) for n in range(1, len(lines))]
    stream = b"".join(lines)
    assert taken(stream, cuts, stencils=True)[0] == taken(stream, cuts, stencils=False)[0]


@given(st.lists(TEXTS, min_size=1, max_size=40), st.integers(0, 3), st.booleans())
def test_events_alike_read_the_same_by_their_stencil_in_one_read_and_in_many(texts, end, ascii) -> None:
    lines = [b"data: " + event(text, ascii=ascii) + b"\n\n" for text in ["first", *texts]]
    tail = [b"", b"data: [DONE]\n\n", b"data: " + event("last", id="c2") + b"\n\n", b"data: {"][end]
    stream = b"".join(lines) + tail
    every = [sum(map(len, lines[:n])) for n in range(1, len(lines))]
    for cuts in ([], every, every[::3]):
        found, stencil = taken(stream, cuts, stencils=True)
        assert found == taken(stream, cuts, stencils=False)[0]
        assert stencil is not None


def test_the_first_event_with_content_shows_the_stencil() -> None:
    stream = b"".join(b"data: " + event(text) + b"\n\n" for text in ("", "one ", "two ", "three "))
    _, stencil = taken(stream, [], stencils=True)
    head, contents, tail = stencil.split(stream)
    assert (head, contents, tail) == (b"", [b"", b"one ", b"two ", b"three "], b"")
    assert stencil.single(b"data: " + event("five") + b"\n\n") == "five"
    assert stencil.single(b"data: " + event("five", id="c2") + b"\n\n") is None


class Counted(ReplyDecoder):
    """Counts the events that are read in full."""

    read_in_full = 0

    def _event(self, event: bytes, at: int, read: int) -> bool:
        self.read_in_full += 1
        return super()._event(event, at, read)


@pytest.mark.parametrize("together", [1, 40, 100], ids=lambda n: f"{n} events a read")
def test_a_first_event_that_no_other_is_like_does_not_cost_the_stream_its_stencil(together) -> None:
    lines = [b"data: " + event("the", delta={"role": "assistant"}) + b"\n\n"]
    lines += [b"data: " + event(f" w{n}") + b"\n\n" for n in range(99)]
    decoder = Counted()
    decoder.head(200, {b"content-type": b"text/event-stream"}, 1)
    for read, start in enumerate(range(0, 100, together), 1):
        decoder.feed(b"".join(lines[start : start + together]), read, read)
    assert decoder.partial(Instants()).text == "the" + "".join(f" w{n}" for n in range(99))
    assert decoder.read_in_full <= 3


def test_content_that_stands_elsewhere_too_shows_no_stencil() -> None:
    """The first place where the text stands is not the place: read with another content it shows."""
    line = b'{"note":{"content":"x"},"choices":[{"delta":{"content":"x"}}]}'
    assert cut(line, "x") is not None
    assert taken(b"data: " + line + b"\n\n", [], stencils=True)[1] is None


def test_only_text_without_quotes_escapes_and_control_characters_is_plain() -> None:
    assert plain("дом ".encode()) == "дом "
    for raw in (b'"', b"\\n", b"\x00", b"\x7f", b"\xd0", "\u200b".encode()):
        assert plain(raw) is None
        assert all_plain([b"a", raw]) is None
    assert all_plain([b"a", b""]) is None
    assert all_plain([b"\xd0", b"\xb4"]) is None
    assert all_plain([b"a", "д".encode()]) == ["a", "д"]


def test_a_stream_of_tokens_is_taken_in_read_by_read() -> None:
    stream = b"".join(b"data: " + event(f"w{n} ") + b"\n\n" for n in range(100)) + b"data: [DONE]\n\n"
    (reply, _), _ = taken(stream, [len(stream) // 2], stencils=True)
    assert reply.text == "".join(f"w{n} " for n in range(100))
    assert list(reply.arrivals.kind) == [Kind.CONTENT] * 100 + [Kind.DONE]
    assert sum(reply.arrivals.counts) == 101
    assert list(reply.arrivals.reads) == [1, 2]
