import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CallError, ErrorClass
from assay.transport.inflate import Inflate


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_any_slicing_of_a_coded_body_gives_the_body(body, cuts):
    coded = gzip.compress(body)
    places = [0, *sorted(min(cut, len(coded)) for cut in cuts), len(coded)]
    inflate = Inflate(2000)
    assert b"".join(inflate.feed(coded[a:b]) for a, b in pairwise(places)) == body


def test_each_event_can_be_read_when_it_comes():
    coder, inflate = zlib.compressobj(wbits=31), Inflate(100)
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        assert inflate.feed(coder.compress(event) + coder.flush(zlib.Z_SYNC_FLUSH)) == event


def test_a_bomb_is_stopped_at_the_limit():
    inflate = Inflate(1000)
    assert inflate.feed(gzip.compress(b"x" * 1000)) == b"x" * 1000
    with pytest.raises(CallError, match="more than 1000") as caught:
        Inflate(1000).feed(gzip.compress(b"x" * 1001))
    assert caught.value.error is ErrorClass.TOO_LARGE


def test_bytes_that_are_no_gzip_are_malformed_and_kept():
    with pytest.raises(CallError) as caught:
        Inflate(1000).feed(b"plain text")
    assert (caught.value.error, caught.value.raw) == (ErrorClass.MALFORMED, b"plain text")
