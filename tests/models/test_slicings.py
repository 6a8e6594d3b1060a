"""Recorded answers of all wires, fed in random slicings: one reply or one error, whatever the reads.

A recording is named WIRE_WHAT, with its status before the ending where that is not 200. Those named
openai_llama_* and openai_transformers_* are what real servers sent (benchmarks/record_real.py); the
others were written after the providers' documentation. `--slicings 10000` is the long form.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Instants, Reply
from assay.models.anthropic_reply import AnthropicDecoder
from assay.models.decoder import Decoder
from assay.models.ollama_reply import OllamaDecoder
from assay.models.openai_reply import ReplyDecoder

DECODERS: dict[str, Callable[[], Decoder]] = {
    "anthropic": AnthropicDecoder,
    "ollama": OllamaDecoder,
    "openai": ReplyDecoder,
}
KINDS = {
    ".sse": b"text/event-stream",
    ".ndjson": b"application/x-ndjson",
    ".json": b"application/json",
    ".txt": b"text/plain",
}
RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
STREAMS = [path for path in RECORDINGS if path.suffix in (".sse", ".ndjson")]
SERVED = [path for path in RECORDINGS if path.name.startswith(("openai_llama_", "openai_transformers_"))]


def status_of(path: Path) -> int:
    *_, status = ["200", *(part[1:] for part in path.suffixes if part[1:].isdigit())]
    return int(status)


def decoded(path: Path, pieces: list[bytes]) -> Reply:
    decoder = DECODERS[path.name.partition("_")[0]]()
    decoder.head(status_of(path), {b"content-type": KINDS[path.suffix]}, 1)
    for number, piece in enumerate(pieces, 1):
        decoder.feed(piece, number, number)
    return decoder.reply(Instants())


def said(path: Path, pieces: list[bytes]) -> tuple[object, ...]:
    """All that a recording says, but for when it came."""
    try:
        reply = decoded(path, pieces)
    except CallError as error:
        return error.error, error.detail, error.status, error.raw, error.retry_after
    arrivals = reply.arrivals
    return (
        *(reply.text, reply.tool_calls, reply.finish, reply.usage, reply.reasoning, reply.served_model),
        *(reply.fingerprint, arrivals.kind.tobytes(), arrivals.length.tobytes()),
    )


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_every_slicing_of_a_recording_says_the_same(path, request):
    raw = path.read_bytes()
    whole = said(path, [raw])
    random = Random(path.name)
    for _ in range(-(-request.config.getoption("--slicings") // len(RECORDINGS))):
        cuts = sorted({random.randrange(len(raw)) for _ in range(random.choice((1, 3, 10, 40)))})
        edges = [0, *cuts, len(raw)]
        assert said(path, [raw[a:b] for a, b in itertools.pairwise(edges)]) == whole


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_a_recording_byte_by_byte_says_the_same(path):
    raw = path.read_bytes()
    assert said(path, [raw[n : n + 1] for n in range(len(raw))]) == said(path, [raw])


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
def test_a_recording_without_its_end_is_never_a_whole_answer(path):
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    marks = (b"[DONE]", b"message_stop", b'"done":true', b'"finish_reason":"')
    last = next(n for n, line in enumerate(lines) if any(mark in line for mark in marks))
    end = len(b"".join(lines[:last]))
    for size in range(1, end, max(1, end // 500)):
        with pytest.raises(CallError) as caught:
            decoded(path, [raw[:size]])
        assert caught.value.error in (ErrorClass.TRANSPORT, ErrorClass.PROTOCOL)


def test_the_recordings_hold_what_their_names_say():
    for path in STREAMS:
        reply = decoded(path, [path.read_bytes()])
        assert bool(reply.tool_calls) == ("tools" in path.name), path
        assert reply.text or "text" not in path.name, path


ENDS = {
    "bad-schema": {"llama": ErrorClass.REJECTED},
    "bad-schema-streamed": {"llama": ErrorClass.REJECTED},
    "too-long": {"llama": ErrorClass.CONTEXT_OVERFLOW},
    "unknown-model": {"transformers": ErrorClass.DENIED},
    "no-message": {"transformers": ErrorClass.OVERLOADED},
}
"""Which recordings of which real server are errors, and of which class."""


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.name)
def test_what_a_real_server_sent_is_read_as_what_it_is(path):
    _, server, what = path.name.partition(".")[0].split("_")
    error = ENDS.get(what, {}).get(server)
    if error is not None:
        with pytest.raises(CallError) as caught:
            decoded(path, [path.read_bytes()])
        assert caught.value.error is error
        return
    reply = decoded(path, [path.read_bytes()])
    assert reply.finish in (Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS)
    assert reply.usage.input > 0
    assert reply.usage.output > 0
    if what.endswith("text"):
        assert reply.text == "The answer is forty-two — сорок два, of course."
    if what.endswith("tools"):
        assert [call.name for call in reply.tool_calls] == ["get_weather"]
    if what.endswith("thoughts"):
        assert "forty-two" in reply.reasoning
