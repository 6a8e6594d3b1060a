"""How figures look in the terminal: aligned, with their n and interval, readable without colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal

import click

from assay.reports.figures import Figure, Percentiles
from assay.stats.quantiles import Quantile

Cell = str
GAP = "   "


def width(text: str) -> int:
    """Columns that a text takes on a terminal, styling left out."""
    plain = click.unstyle(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain
    )


def table(head: Sequence[Cell], rows: Sequence[Sequence[Cell]], *, left: int = 1) -> str:
    """Columns under their heads: the first `left` ones flush left, the others right."""
    grid = [list(head), *(list(row) for row in rows)]
    widths = [max(width(row[column]) for row in grid) for column in range(len(head))]
    lines = []
    for number, row in enumerate(grid):
        cells = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - width(cell))
            cells.append(cell + space if column < left else space + cell)
        line = GAP.join(cells).rstrip()
        lines.append(click.style(line, dim=True) if number == 0 else line)
    return "\n".join(lines)


def share(value: float) -> str:
    """A rate without its leading zero, as in an interval: .795, 1."""
    return f"{value:.3f}".removeprefix("0") if value < 1 else "1"


def figure(given: Figure, *, digits: int | None = None) -> str:
    """`0.867 [.795, .917]`: no more digits than n supports; `-` where there is no value."""
    if given.value is None:
        return "-"
    places = digits if digits is not None else (3 if given.n >= 50 else 2)
    text = f"{given.value:.{places}f}"
    if given.low is None or given.high is None:
        return f"{text} (n {given.n})"
    if given.low >= 0 and given.high <= 1:
        return f"{text} [{share(given.low)}, {share(given.high)}]"
    return f"{text} [{given.low:.{places}f}, {given.high:.{places}f}]"


def points(given: Figure) -> str:
    """A difference of rates in points with its interval: `+33.3 points [24.1, 42.6]`."""
    if given.value is None:
        return "-"
    text = f"{100 * given.value:+.1f} points"
    if given.low is None or given.high is None:
        return text
    return f"{text} [{100 * given.low:+.1f}, {100 * given.high:+.1f}]"


def seconds(value: float | None) -> str:
    """A time with three significant digits at most and its own unit."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f} s"
    if value >= 0.995:
        return f"{value:.2f} s"
    return f"{value * 1e3:.0f} ms" if value >= 0.01 else f"{value * 1e3:.1f} ms"


def quantile(given: Quantile) -> str:
    """`1.38 s [1.21, 1.74]`, or the n that an interval needs."""
    text = seconds(given.value)
    if given.low is not None and given.high is not None:
        return f"{text} [{seconds(given.low)}, {seconds(given.high)}]"
    return f"{text} (interval needs n {given.needed})" if given.needed else text


def p50_p95(given: Percentiles | None) -> str:
    """`0.71 s / 1.38 s`."""
    return f"{seconds(given.p50.value)} / {seconds(given.p95.value)}" if given is not None else "-"


def count(number: int) -> str:
    """A count in at most four characters: 41k, 1.2M."""
    if number >= 10_000_000:
        return f"{number / 1e6:.0f}M"
    if number >= 1_000_000:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e3:.0f}k" if number >= 10_000 else str(number)


def dollars(amount: Decimal | None) -> str:
    """Dollars with two significant digits at least; `-` where no price is known."""
    if amount is None:
        return "-"
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"${amount:.2f}"
    places = min(9, max(3, 1 - amount.adjusted()))
    return f"${amount:.{places}f}"


def model(name: str) -> str:
    """A model's name; an emulated one says so wherever its figures show."""
    return f"{name} (emulated)" if name.startswith("emulated/") else name


def p_value(p: float | None) -> str:
    """`p < 0.001` or `p 0.043`."""
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def verdict(word: str) -> str:
    """A verdict in its colour, padded: FAIL red, CANNOT TELL amber."""
    colours = {"FAIL": "red", "INVALID": "red", "CANNOT TELL": "yellow", "PASS": "green"}
    return click.style(f"{word:<11}", fg=colours.get(word), bold=True)


def short(text: str, limit: int = 80) -> str:
    """A hostile text on one line: control characters escaped, cut."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit * 4])
    return line if len(line) <= limit else line[: limit - 1] + "…"
