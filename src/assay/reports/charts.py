"""Charts as inline SVG, drawn from plain numbers.

Widths are per cents of the room there is, so that text keeps its size on a telephone; a model has its
colour, and its mark or dash too, for those who do not see colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from assay.reports.html_elements import Html, tag
from assay.stats.quantiles import type7

COLOURS = 6
"""So many models have a colour of their own; the seventh begins anew."""

MOST_POINTS = 2_000
PLOT = 208
"""Height of a line chart's field, in px."""

ACROSS = 1_000
"""Units of a line chart's field from left to right."""


class Dot(Struct, frozen=True):
    """A value with its interval, in the colour of a model; `told` says it in words."""

    colour: int
    value: float | None
    low: float | None
    high: float | None
    told: str


class DotRow(Struct, frozen=True):
    """A line of a dot chart: what it is, one dot a model, and the figures as text."""

    label: Html
    dots: tuple[Dot, ...]
    text: Html


class Line(Struct, frozen=True):
    """A line of points (x ascending, y in [0, 1] of the field), `step` from point to point."""

    colour: int
    label: str
    points: tuple[tuple[float, float], ...]
    faint: bool = False


class Bar(Struct, frozen=True):
    """An amount from zero."""

    colour: int
    label: Html
    value: float
    text: Html


def colour(place: int) -> str:
    """The class that carries a model's colour."""
    return f"m{place % COLOURS}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def dots(rows: Sequence[DotRow], caption: Html, domain: tuple[float, float] = (0.0, 1.0)) -> Html:
    """Dots with whiskers, a line each, on one shared axis."""
    marks = ticks(*domain)
    lines = [_dot_row(row, domain, marks) for row in rows]
    axis = tag("div", tag("span"), _axis(domain, marks), tag("span"), class_="row axis", aria_hidden="true")
    return tag("figure", tag("figcaption", caption), *lines, axis, class_="dots")


def _dot_row(row: DotRow, domain: tuple[float, float], marks: Sequence[float]) -> Html:
    height = 12 + 12 * max(1, len(row.dots))
    grid = [_upright(_across(mark, domain), height, zero=not mark and domain[0] < 0) for mark in marks]
    drawn = [_dot(dot, 12.0 + 12 * place, domain) for place, dot in enumerate(row.dots)]
    told = "; ".join(dot.told for dot in row.dots)
    plot = tag("svg", *grid, *drawn, class_="plot", height=height, role="img", aria_label=told)
    return tag(
        "div", tag("span", row.label, class_="name"), plot, tag("span", row.text, class_="val"), class_="row"
    )


def _dot(dot: Dot, y: float, domain: tuple[float, float]) -> Html | None:
    if dot.value is None:
        return None
    whisker = None
    if dot.low is not None and dot.high is not None:
        ends = _across(dot.low, domain), _across(dot.high, domain)
        whisker = tag("line", x1=_percent(ends[0]), x2=_percent(ends[1]), y1=y, y2=y, class_="whisker")
    at = tag("svg", mark(dot.colour), x=_percent(_across(dot.value, domain)), y=y, class_="at")
    return tag("g", whisker, at, class_=colour(dot.colour))


def mark(place: int) -> Html:
    """A model's mark around (0, 0): circle, square, diamond, triangle, cross, bar."""
    shapes = (
        tag("circle", r=4.5),
        tag("rect", x=-4, y=-4, width=8, height=8),
        tag("polygon", points="0,-5.5 5.5,0 0,5.5 -5.5,0"),
        tag("polygon", points="0,-5 5,4 -5,4"),
        tag("polygon", points="-2,-5 2,-5 2,-2 5,-2 5,2 2,2 2,5 -2,5 -2,2 -5,2 -5,-2 -2,-2"),
        tag("polygon", points="-5,-4 5,-4 0,5"),
    )
    return shapes[place % COLOURS]


def _axis(domain: tuple[float, float], marks: Sequence[float]) -> Html:
    texts = [_tick(_across(m, domain), 12, f"{m:.6g}") for m in marks]
    return tag("svg", *texts, class_="plot", height=16)


def _tick(across: float, y: float, text: str) -> Html:
    """A label under its tick; the outermost ones stay within the field."""
    anchor = "start" if across < 0.02 else "end" if across > 0.98 else "middle"
    return tag("text", text, x=_percent(across), y=y, text_anchor=anchor)


def _upright(across: float, height: float, *, zero: bool) -> Html:
    kind = "zero" if zero else "grid"
    return tag("line", x1=_percent(across), x2=_percent(across), y1=0, y2=height, class_=kind)


def _across(value: float, domain: tuple[float, float]) -> float:
    low, high = domain
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def bars(rows: Sequence[Bar], caption: Html) -> Html:
    """Bars from zero, a line each."""
    top = max((row.value for row in rows), default=0.0) or 1.0
    lines = [
        tag(
            "div",
            tag("span", row.label, class_="name"),
            tag(
                "svg",
                tag("rect", x=0, y=5, height=10, width=_percent(row.value / top), class_=colour(row.colour)),
                class_="plot",
                height=20,
                aria_hidden="true",
            ),
            tag("span", row.text, class_="val"),
            class_="row",
        )
        for row in rows
    ]
    return tag("figure", tag("figcaption", caption), *lines, class_="dots bars")


def lines(
    series: Sequence[Line],
    caption: Html,
    *,
    told: str,
    x_top: float,
    x_text: Callable[[float], str],
    y_text: Sequence[tuple[float, str]],
) -> Html:
    """Stepped lines over an axis from zero to `x_top`; each carries its own label. `y_text` names heights
    of the field, from 0 (bottom) to 1.
    """
    heights = [(PLOT * (1 - at) + 4, text) for at, text in y_text]
    left = tag(
        "svg",
        *[tag("text", text, x="100%", y=y + 4, text_anchor="end") for y, text in heights],
        class_="ys",
        height=PLOT + 28,
        aria_hidden="true",
    )
    across = [tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid") for y, _ in heights]
    below = [_tick(_across(x, (0.0, x_top)), PLOT + 22, x_text(x)) for x in ticks(0.0, x_top)]
    field = tag(
        "svg",
        *[_path(line, x_top) for line in series],
        y=4,
        width="100%",
        height=PLOT,
        viewBox=f"0 0 {ACROSS} {PLOT}",
        preserveAspectRatio="none",
    )
    labels = [_label(line, place, len(series), x_top) for place, line in enumerate(series)]
    plot = tag(
        "svg", *across, field, *labels, *below, class_="plot", height=PLOT + 28, role="img", aria_label=told
    )
    return tag("figure", tag("figcaption", caption), tag("div", left, plot, class_="field"), class_="lines")


def _path(line: Line, x_top: float) -> Html:
    """The line; points that fall on one place of the field are drawn once."""
    parts: list[str] = []
    last = ("", "")
    for x, y in line.points:
        place = f"{ACROSS * _across(x, (0.0, x_top)):.0f}", f"{PLOT * (1 - y):.1f}"
        if not parts:
            parts.append(f"M{place[0]} {place[1]}")
        else:
            if place[0] != last[0]:
                parts.append(f"H{place[0]}")
            if place[1] != last[1]:
                parts.append(f"V{place[1]}")
        last = place
    return tag("path", d="".join(parts), class_=f"{colour(line.colour)} line{' faint' if line.faint else ''}")


def _label(line: Line, place: int, count: int, x_top: float) -> Html | None:
    """The line's name beside it, each line's at a height of its own."""
    height = 0.2 + 0.65 * (place + 0.5) / count
    x = next((x for x, y in line.points if y >= height), None)
    if x is None:
        return None
    across = _across(x, (0.0, x_top))
    right = across < 0.6
    return tag(
        "text",
        line.label,
        x=_percent(across),
        dx=8 if right else -8,
        y=PLOT * (1 - height) + 8,
        text_anchor="start" if right else "end",
        class_=f"{colour(line.colour)} label",
    )


def ecdf(sample: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The share of a sample that is not above x, at no more than MOST_POINTS points of it."""
    ordered = sorted(sample)
    n = len(ordered)
    if not n:
        return ()
    if n <= MOST_POINTS:
        steps = [(x, (rank + 1) / n) for rank, x in enumerate(ordered)]
    else:
        shares = [rank / (MOST_POINTS - 1) for rank in range(MOST_POINTS)]
        steps = [(type7(ordered, share), share) for share in shares]
    return ((ordered[0], 0.0), *steps)


def top_of(samples: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Where an axis of times should end, and how many values lie beyond: a few stragglers are left out."""
    found = [sorted(sample) for sample in samples if len(sample)]
    if not found:
        return 1.0, 0
    longest = max(each[-1] for each in found)
    usual = 1.3 * max(type7(each, 0.99) for each in found)
    top = longest if longest <= 2 * usual else usual
    return top or 1.0, sum(value > top for each in found for value in each)
