"""Small pictures without a library: rectangles and lettering on a canvas, and the canvas as a PNG file.

Pillow would make the default install 20 of 51 MB larger for one histogram.
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]
_Point: TypeAlias = tuple[float, float]

_GAP, _SPACE, _CAPITAL = 1.6, 3.0, 6.0
"""In units of the lettering's grid: between letters, for a space, from the top to the base line."""

# Each glyph is strokes on a grid: x to the right from 0, y down from the top (0) over the base line (6).
_GLYPHS = {
    "0": "0,1 1,0 3,0 4,1 4,5 3,6 1,6 0,5 0,1",
    "1": "0.5,1.5 2,0 2,6;0.5,6 3.5,6",
    "2": "0,1.2 1,0 3,0 4,1 4,2 0,6 4,6",
    "3": "0,0.8 1,0 3,0 4,0.9 4,2 3,2.9 1.5,2.9;3,2.9 4,3.8 4,5 3,6 1,6 0,5.2",
    "4": "3,6 3,0 0,4 4,4",
    "5": "4,0 0.4,0 0,2.6 1,2.2 3,2.2 4,3.2 4,5 3,6 1,6 0,5.2",
    "6": "3.6,0.4 3,0 1,0 0,1.2 0,5 1,6 3,6 4,5 4,3.6 3,2.6 1,2.6 0,3.6",
    "7": "0,0 4,0 1.5,6",
    "8": "1,0 3,0 4,0.8 4,2 3,2.8 1,2.8 0,2 0,0.8 1,0;1,2.8 0,3.7 0,5 1,6 3,6 4,5 4,3.7 3,2.8",
    "9": "0.4,5.6 1,6 3,6 4,4.8 4,1 3,0 1,0 0,1 0,2.4 1,3.4 3,3.4 4,2.4",
    "a": "0.4,2.5 1,2 3,2 4,2.8 4,6;4,3.8 1,3.8 0,4.6 0,5.3 1,6 3,6 4,5",
    "b": "0,0 0,6;0,3 1,2 3,2 4,3 4,5 3,6 1,6 0,5",
    "c": "4,2.8 3,2 1,2 0,3 0,5 1,6 3,6 4,5.2",
    "d": "4,0 4,6;4,3 3,2 1,2 0,3 0,5 1,6 3,6 4,5",
    "e": "0,4 4,4 4,3 3,2 1,2 0,3 0,5 1,6 3,6 3.8,5.4",
    "f": "3,0.1 2,0 1,1 1,6;0,2 2.6,2",
    "g": "4,3 3,2 1,2 0,3 0,5 1,6 3,6 4,5;4,2 4,7 3,8 1,8 0,7.4",
    "h": "0,0 0,6;0,3 1,2 3,2 4,3 4,6",
    "i": "0,2 0,6;0,0.3 0,0.4",
    "j": "1,2 1,7 0,8;1,0.3 1,0.4",
    "k": "0,0 0,6;3.5,2 0,4.4;1.3,3.5 3.8,6",
    "l": "0,0 0,6",
    "m": "0,2 0,6;0,3 1,2 2,2 3,3 3,6;3,3 4,2 5,2 6,3 6,6",
    "n": "0,2 0,6;0,3 1,2 3,2 4,3 4,6",
    "o": "0,3 1,2 3,2 4,3 4,5 3,6 1,6 0,5 0,3",
    "p": "0,2 0,8;0,3 1,2 3,2 4,3 4,5 3,6 1,6 0,5",
    "q": "4,2 4,8;4,3 3,2 1,2 0,3 0,5 1,6 3,6 4,5",
    "r": "0,2 0,6;0,3 1,2 2.6,2",
    "s": "3.8,2.6 3,2 1,2 0,2.8 0.6,3.7 3.4,4.3 4,5.2 3,6 1,6 0,5.4",
    "t": "1,0.6 1,5 2,6 3,5.8;0,2 2.8,2",
    "u": "0,2 0,5 1,6 3,6 4,5;4,2 4,6",
    "v": "0,2 2,6 4,2",
    "w": "0,2 1.4,6 3,2.6 4.6,6 6,2",
    "x": "0,2 4,6;4,2 0,6",
    "y": "0,2 2,6;4,2 1.4,8 0,8",
    "z": "0,2 4,2 0,6 4,6",
    ".": "0,5.9 0,6",
    ",": "0.4,5.8 0,7.2",
    ":": "0,2.9 0,3;0,5.9 0,6",
    "-": "0,4 3,4",
    "=": "0,3.2 4,3.2;0,4.8 4,4.8",
    "%": "4,0 0,6;0,0.5 1,0.5 1,1.5 0,1.5 0,0.5;3,4.5 4,4.5 4,5.5 3,5.5 3,4.5",
    "(": "1.2,-0.4 0,1.6 0,4.6 1.2,6.6",
    ")": "0,-0.4 1.2,1.6 1.2,4.6 0,6.6",
    "/": "3,-0.4 0,6.6",
    "'": "0,0 0,1.4",
}
_STROKES: dict[str, list[list[_Point]]] = {
    sign: [
        [(float(x), float(y)) for x, y in (p.split(",") for p in line.split())] for line in text.split(";")
    ]
    for sign, text in _GLYPHS.items()
}


class Canvas:
    """Pixels in RGB, from the upper left corner."""

    def __init__(self, width: int, height: int, ground: Colour = (255, 255, 255)) -> None:
        self.width, self.height = width, height
        self._rows = [bytearray(bytes(ground) * width) for _ in range(height)]

    def pixel(self, x: int, y: int) -> Colour:
        red, green, blue = self._rows[y][3 * x : 3 * x + 3]
        return red, green, blue

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """A rectangle; what lies outside is left out."""
        left, right = max(0, x), min(self.width, x + width)
        if left < right:
            run = bytes(colour) * (right - left)
            for row in self._rows[max(0, y) : max(0, y + height)]:
                row[3 * left : 3 * right] = run

    def write(
        self, x: float, y: float, text: str, *, size: float, colour: Colour, align: float = 0.0
    ) -> None:
        """A line of text whose base line is at `y`; `size` is the height of a figure, `align` the share
        of the width that lies left of `x`. Capitals are written small; a sign that there is no
        letter for is a space.
        """
        unit = size / _CAPITAL
        at = x - align * written_width(text, size)
        for sign in text.lower():
            strokes = _STROKES.get(sign)
            if strokes is None:
                at += _SPACE * unit
                continue
            for line in strokes:
                points = [(at + px * unit, y + (py - _CAPITAL) * unit) for px, py in line]
                for a, b in itertools.pairwise(points):
                    self._stroke(a, b, max(0.6, 0.36 * unit), colour)
            at += (_extent(strokes) + _GAP) * unit

    def _stroke(self, a: _Point, b: _Point, half: float, colour: Colour) -> None:
        """A line with round ends, smooth at its edges: each pixel by its distance to the line."""
        (ax, ay), (bx, by) = a, b
        reach = half + 1
        along = (bx - ax) ** 2 + (by - ay) ** 2
        columns = _pixels(min(ax, bx) - reach, max(ax, bx) + reach, self.width)
        for y in _pixels(min(ay, by) - reach, max(ay, by) + reach, self.height):
            row = self._rows[y]
            for x in columns:
                px, py = x + 0.5 - ax, y + 0.5 - ay
                share = 0.0 if not along else min(1.0, max(0.0, (px * (bx - ax) + py * (by - ay)) / along))
                away = math.hypot(px - share * (bx - ax), py - share * (by - ay))
                cover = min(1.0, half + 0.5 - away)
                if cover > 0:
                    for channel in range(3):
                        had = row[3 * x + channel]
                        row[3 * x + channel] = round(had + (colour[channel] - had) * cover)

    def png(self) -> bytes:
        """The picture as a PNG file (ISO/IEC 15948): 8 bits a channel, not interlaced."""
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        raw = b"".join(b"\0" + bytes(row) for row in self._rows)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def written_width(text: str, size: float) -> float:
    """How wide a line of text is."""
    units = sum(_extent(_STROKES[sign]) + _GAP if sign in _STROKES else _SPACE for sign in text.lower())
    return (units - _GAP if text else 0.0) * size / _CAPITAL


def _pixels(low: float, high: float, size: int) -> range:
    """The pixels between two places that are on the canvas."""
    return range(max(0, math.floor(low)), min(size, math.ceil(high)))


def _extent(strokes: list[list[_Point]]) -> float:
    return max(x for line in strokes for x, _ in line)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
