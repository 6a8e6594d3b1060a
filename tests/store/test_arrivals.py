"""Arrivals come back from their bytes as they were, also from bytes of the first form."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.message import Arrivals, Kind
from assay.store.arrivals import pack, unpack

ROWS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2**62), st.integers(0, 300), st.just(7)),
        st.integers(0, 1023),
        st.one_of(st.integers(0, 2**31), st.integers(0, 9)),
        st.one_of(st.integers(0, 2**31), st.integers(0, 9)),
    )
)


def arrived(rows) -> Arrivals:
    arrivals = Arrivals()
    for row in rows:
        arrivals.append(*row)
    return arrivals


@given(ROWS)
def test_packed_arrivals_come_back_as_they_were(rows):
    arrivals = arrived(rows)
    found = unpack(pack(arrivals))
    assert found == arrivals
    assert list(zip(found.at, found.kind, found.length, found.read, strict=True)) == rows


@given(ROWS)
def test_the_first_form_is_still_read(rows):
    columns = [
        array(code, values) for code, values in zip("qHII", zip(*rows, strict=True), strict=bool(rows))
    ]
    raw = len(rows).to_bytes(4, "little") + b"".join(column.tobytes() for column in columns)
    assert unpack(raw) == arrived(rows)


def test_a_stream_of_tokens_takes_few_bytes():
    paced = [(10**15 + 10_000_000 * n + n * n % 997, int(Kind.CONTENT), n % 9 + 1, n + 1) for n in range(128)]
    assert len(pack(arrived(paced))) < 800
    together = [(10**15, int(Kind.CONTENT), 5, 1) for _ in range(128)]
    assert len(pack(arrived(together))) < 100


@given(st.binary(max_size=40))
def test_bytes_that_are_no_arrivals_are_refused_or_read_but_never_run_away(raw):
    for start in (b"", b"\xff\xff\xff\xff", pack(arrived([(1, 2, 3, 4)]))[:30]):
        try:
            found = unpack(start + raw)
        except ValueError:
            continue
        assert len(found) < 1 << 25


@pytest.mark.parametrize("count", [1, 2, 50])
def test_arrivals_that_are_cut_are_refused(count):
    raw = pack(arrived([(10**15 + n * 300, 2, n, n) for n in range(200)]))
    with pytest.raises(ValueError, match="arrivals"):
        unpack(raw[:-count])
