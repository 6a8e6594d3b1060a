"""Events out of bytes: every slicing and every line ending gives the same events."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.models.sse import COMMENT, NAMED_ERROR, EventSplitter


def split(*pieces: bytes) -> list[bytes]:
    splitter = EventSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.end()


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\ndata:c\n\n", [b"a\nb\nc"]),
        (b": ping\n\ndata: a\n\n", [COMMENT, b"a"]),
        (b"id: 7\nretry: 10\nevent: message\ndata: a\n\n", [b"a"]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [NAMED_ERROR, b"a", b"b"]),
        (b"event: error\n\ndata: b\n\n", [b"b"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"data: a", [b"a"]),
        (b"nonsense\n\n", []),
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_events_are_read_as_the_standard_says(raw, events, newline):
    raw = raw.replace(b"\n", newline)
    assert split(raw) == events
    assert split(*(raw[n : n + 1] for n in range(len(raw)))) == events


LINES = st.sampled_from(
    [
        b"data: x",
        b"data:y",
        b"data: \xd0\xb6",
        b": c",
        b"",
        b"event: error",
        b"event: z",
        b"data:",
        b"junk",
        b"data: [DONE]",
    ]
)


@given(
    lines=st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"]))),
    cuts=st.lists(st.integers(0, 300)),
)
def test_any_slicing_gives_the_events_of_the_whole(lines, cuts):
    raw = b"".join(line + newline for line, newline in lines)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(raw)), len(raw)]
    assert split(*(raw[a:b] for a, b in itertools.pairwise(edges))) == split(raw)


@pytest.mark.parametrize("piece", [b"x", b"data: x\n"])
def test_an_event_that_never_ends_costs_no_more_than_its_bytes(piece):
    def cost(count: int) -> float:
        splitter = EventSplitter()
        began = time.process_time()
        for _ in range(count):
            splitter.feed(piece)
        return time.process_time() - began

    cost(1000)
    assert cost(200_000) < 100 * cost(20_000)  # a quadratic reader would need a hundred times as long
