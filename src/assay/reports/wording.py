"""Figures as text: one number, its interval and its unit, with no more digits than n supports."""

from __future__ import annotations

import time
import unicodedata
from decimal import Decimal

from assay.reports.figures import Figure, Percentiles
from assay.stats.quantiles import Quantile


def share(value: float) -> str:
    """A rate without its leading zero, as in an interval: .795, 1."""
    return f"{value:.3f}".removeprefix("0") if value < 1 else "1"


def figure(given: Figure) -> str:
    """`0.867 [.795, .917]`: two digits below n 50; `-` where there is no value."""
    if given.value is None:
        return "-"
    places = 3 if given.n >= 50 else 2
    text = f"{given.value:.{places}f}"
    if given.low is None or given.high is None:
        return f"{text} (n {given.n})"
    if given.low >= 0 and given.high <= 1:
        return f"{text} [{share(given.low)}, {share(given.high)}]"
    return f"{text} [{given.low:.{places}f}, {given.high:.{places}f}]"


def points(given: Figure) -> str:
    """A difference of rates in points with its interval: `+33.3 points [+24.1, +42.6]`."""
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
    return f"{value * 1e3:.0f} ms" if value >= 0.01 or value == 0 else f"{value * 1e3:.1f} ms"


def quantile(given: Quantile) -> str:
    """`1.38 s [1.21, 1.74]`; alone where n is too small for an interval."""
    text = seconds(given.value)
    if given.low is None or given.high is None:
        return text
    unit, places = text.rpartition(" ")[2], len(text.partition(".")[2].partition(" ")[0])
    scale = 1e3 if unit == "ms" else 1.0
    return f"{text} [{given.low * scale:.{places}f}, {given.high * scale:.{places}f}]"


def median(given: Percentiles | None) -> str:
    """The p50 with its interval; `-` where nothing was timed."""
    return quantile(given.p50) if given is not None else "-"


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


def emulated(name: str) -> bool:
    """Whether a model's or an arm's name is of an emulated one."""
    return "emulated/" in name


def model(name: str) -> str:
    """A model's name; an emulated one says so wherever its figures show."""
    return f"{label(name)} (emulated)" if emulated(name) else label(name)


def label(name: str) -> str:
    """A model's name without the folders of a file that it names."""
    provider, _, rest = name.partition("/")
    if provider not in {"recorded", "hf"}:
        return name
    path, mark, adapter = rest.partition("?adapter=")
    return f"{provider}/{path.rpartition('/')[2]}{mark}{adapter.rpartition('/')[2]}"


def p_value(p: float | None) -> str:
    """`p < 0.001` or `p 0.043`."""
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def when(wall: int) -> str:
    """A wall-clock instant (ns since the epoch) in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(wall / 1e9))


def visible(text: str) -> str:
    r"""A hostile text with what would hide or turn round written out: control and direction characters.

    Line ends, tabs, blanks of every width and the joiner of emoji stay.
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t\u200d" or unicodedata.category(character) == "Zs":
        return character
    return repr(character)[1:-1]


def short(text: str, limit: int) -> str:
    """A hostile text on one line, cut."""
    line = " ".join(visible(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
