"""Recorded streams of all wires, fed in thousands of random slicings: one reply, whatever the reads.

A recording is named WIRE_WHAT; those here were written after the providers' documentation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Instants, Reply
from assay.models.anthropic_reply import AnthropicDecoder
from assay.models.decoder import Decoder
from assay.models.ollama_reply import OllamaDecoder
from assay.models.openai_reply import ReplyDecoder

DECODERS: dict[str, Callable[[], Decoder]] = {
    "anthropic": AnthropicDecoder,
    "ollama": OllamaDecoder,
    "openai": ReplyDecoder,
}
KINDS = {".sse": b"text/event-stream", ".ndjson": b"application/x-ndjson"}
RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
IN_ALL = 10_000


def decoded(path: Path, pieces: list[bytes]) -> Reply:
    decoder = DECODERS[path.name.partition("_")[0]]()
    decoder.head(200, {b"content-type": KINDS[path.suffix]}, 1)
    for number, piece in enumerate(pieces, 1):
        decoder.feed(piece, number, number)
    return decoder.reply(Instants())


def said(reply: Reply) -> tuple[object, ...]:
    arrivals = reply.arrivals
    return (
        *(reply.text, reply.tool_calls, reply.finish, reply.usage, reply.reasoning, reply.served_model),
        *(reply.fingerprint, arrivals.kind.tobytes(), arrivals.length.tobytes()),
    )


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_every_slicing_of_a_recording_decodes_to_the_same_reply(path):
    raw = path.read_bytes()
    whole = said(decoded(path, [raw]))
    random = Random(path.name)
    for _ in range(-(-IN_ALL // len(RECORDINGS))):
        cuts = sorted({random.randrange(len(raw)) for _ in range(random.choice((1, 3, 10, 40)))})
        edges = [0, *cuts, len(raw)]
        assert said(decoded(path, [raw[a:b] for a, b in itertools.pairwise(edges)])) == whole


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_a_recording_without_its_end_is_never_a_whole_answer(path):
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    marks = (b"[DONE]", b"message_stop", b'"done":true', b'"finish_reason":"')
    last = next(n for n, line in enumerate(lines) if any(mark in line for mark in marks))
    for size in range(1, len(b"".join(lines[:last]))):
        with pytest.raises(CallError) as caught:
            decoded(path, [raw[:size]])
        assert caught.value.error in (ErrorClass.TRANSPORT, ErrorClass.PROTOCOL)


def test_the_recordings_hold_what_their_names_say():
    for path in RECORDINGS:
        reply = decoded(path, [path.read_bytes()])
        assert bool(reply.tool_calls) == ("tools" in path.name)
        assert reply.text or "text" not in path.name
