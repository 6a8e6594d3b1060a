"""The histogram of scores as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from assay.reports.png import Canvas, Colour

WIDTH, HEIGHT = 960, 600
INK: Colour = (31, 41, 55)
FAINT: Colour = (107, 114, 128)
LINE: Colour = (229, 231, 235)
BARS: tuple[Colour, ...] = ((214, 93, 66), (224, 173, 66), (64, 145, 108))
BLANK: Colour = (176, 182, 191)
TOP, BOTTOM, LEFT, RIGHT = 130, 500, 90, 920


def histogram(counts: Sequence[tuple[str, int]], unscored: int, title: str, note: str) -> bytes:
    """A bar a score, and one for what has none; counts and shares above them. The bytes of a PNG file."""
    canvas = Canvas(WIDTH, HEIGHT)
    bars = [(name, count, BARS[min(i, len(BARS) - 1)]) for i, (name, count) in enumerate(counts)]
    if unscored:
        bars.append(("unscored", unscored, BLANK))
    total = sum(count for _, count, _ in bars)
    highest = max(1, *(count for _, count, _ in bars))
    step = _step(highest)
    most = step * -(-(highest + step // 4 + 1) // step)  # room for what is written above the bar
    canvas.write(LEFT, 52, title, size=22, colour=INK)
    canvas.write(LEFT, 88, note, size=15, colour=FAINT)
    for value in range(0, most + 1, step):
        y = BOTTOM - round((BOTTOM - TOP) * value / most)
        canvas.fill(LEFT, y, RIGHT - LEFT, 1, LINE if value else FAINT)
        canvas.write(LEFT - 14, y + 6, str(value), size=13, colour=FAINT, align=1.0)
    room = (RIGHT - LEFT) / len(bars)
    for place, (name, count, colour) in enumerate(bars):
        middle = LEFT + room * (place + 0.5)
        wide, high = round(min(150, room * 0.62)), round((BOTTOM - TOP) * count / most)
        canvas.fill(round(middle - wide / 2), BOTTOM - high, wide, high, colour)
        share = f"{count} ({count / total:.0%})" if total else "0"
        canvas.write(middle, BOTTOM - high - 12, share, size=15, colour=INK, align=0.5)
        canvas.write(middle, BOTTOM + 36, name, size=16, colour=INK, align=0.5)
    canvas.write((LEFT + RIGHT) / 2, HEIGHT - 20, "evaluator's score", size=14, colour=FAINT, align=0.5)
    return canvas.png()


def _step(most: int) -> int:
    """Between the lines: 1, 2 or 5 times a power of ten, for at most seven of them."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if most <= 6 * factor * power:
                return factor * power
        power *= 10
