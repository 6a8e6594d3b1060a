"""Small pictures: read back by an independent decoder of the format, pixel by pixel."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reports.histogram import histogram
from assay.reports.png import Canvas, written_width

WHITE = (255, 255, 255)


def decoded(raw: bytes) -> tuple[int, int, list[list[tuple[int, ...]]]]:
    """Width, height and pixels of a PNG without interlacing, with its checksums checked (ISO/IEC 15948)."""
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, kinds, width, height = 8, b"", [], 0, 0
    while at < len(raw):
        length, kind = struct.unpack(">I4s", raw[at : at + 8])
        body = raw[at + 8 : at + 8 + length]
        assert struct.unpack(">I", raw[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        kinds.append(kind)
        if kind == b"IHDR":
            width, height, depth, colour, packing, filtering, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, packing, filtering, interlaced) == (8, 2, 0, 0, 0)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    plain = zlib.decompress(data)
    assert len(plain) == height * (1 + 3 * width)
    rows = []
    for y in range(height):
        line = plain[y * (1 + 3 * width) : (y + 1) * (1 + 3 * width)]
        assert line[0] == 0
        rows.append([tuple(line[1 + 3 * x : 4 + 3 * x]) for x in range(width)])
    return width, height, rows


@given(
    st.lists(
        st.tuples(
            st.integers(-9, 40), st.integers(-9, 30), st.integers(0, 50), st.integers(0, 40),
            st.tuples(*[st.integers(0, 255)] * 3),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_what_is_drawn_is_what_is_read_and_nothing_is_drawn_outside(rectangles):
    canvas = Canvas(32, 20)
    expected = [[WHITE] * 32 for _ in range(20)]
    for x, y, width, height, colour in rectangles:
        canvas.fill(x, y, width, height, colour)
        for row in range(max(0, y), min(20, y + height)):
            for column in range(max(0, x), min(32, x + width)):
                expected[row][column] = colour
    assert decoded(canvas.png()) == (32, 20, expected)


@given(st.text(max_size=12), st.floats(-50, 150), st.floats(-50, 80), st.floats(4, 40), st.floats(0, 1))
def test_any_text_can_be_written_anywhere(text, x, y, size, align):
    canvas = Canvas(60, 30)
    canvas.write(x, y, text, size=size, colour=(0, 0, 0), align=align)
    assert decoded(canvas.png())[:2] == (60, 30)
    assert written_width(text, size) >= 0


@pytest.mark.parametrize("sign", "0123456789abcdefghijklmnopqrstuvwxyz.,:-=%()/'")
def test_every_letter_has_ink_of_its_own(sign):
    def drawn(text):
        canvas = Canvas(60, 60)
        canvas.write(10, 40, text, size=24, colour=(0, 0, 0))
        return canvas.png()

    others = [each for each in "0123456789abcdefghijklmnopqrstuvwxyz.,:-=%()/'" if each != sign]
    assert drawn(sign) not in [drawn(each) for each in others]
    assert any(pixel != WHITE for row in decoded(drawn(sign))[2] for pixel in row)


def bars(counts, unscored=0) -> dict[tuple[int, ...], int]:
    """How high each colour of a bar stands, in pixels."""
    _, height, rows = decoded(histogram(counts, unscored, "t", "n"))
    found: dict[tuple[int, ...], int] = {}
    for colour in ((214, 93, 66), (224, 173, 66), (64, 145, 108), (176, 182, 191)):
        found[colour] = sum(colour in row for row in rows[: height - 60])
    return found


def test_the_bars_stand_in_the_proportion_of_their_counts():
    one, two, three, none = bars([("1", 10), ("2", 20), ("3", 40)], 5).values()
    assert (two, three) == (pytest.approx(2 * one, abs=2), pytest.approx(4 * one, abs=3))
    assert none == pytest.approx(one / 2, abs=2)
    assert list(bars([("1", 0), ("2", 0), ("3", 7)]).values())[:2] == [0, 0]


def test_no_result_at_all_is_a_picture_too():
    assert set(bars([("1", 0), ("2", 0), ("3", 0)]).values()) == {0}
