"""Amounts of money in tool answers (whole kopecks) and in what people say (roubles)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from assay.keys import JSON

MINOR = "_minor"
"""How a field ends that holds kopecks."""
MAX_DEPTH = 8

_AMOUNT = re.compile(
    r"(?<![\d.,-])(\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d{1,9})(?:[.,](\d{1,2}))?\s?"
    r"(?:₽|руб|р\.|rub|rouble|ruble)(?:[^\W\d]*\.?(?:\s(\d{1,2})\s?(?:коп|kop)))?",
    re.IGNORECASE,
)


def amounts_named(text: str) -> Iterator[tuple[str, int]]:
    """The amounts in roubles that a line names in digits: as written, and in kopecks."""
    for found in _AMOUNT.finditer(text):
        whole = int(re.sub(r"\D", "", found[1]))
        kopecks = found[3] or (found[2] or "0").ljust(2, "0")
        yield found[0].strip(), whole * 100 + int(kopecks)


def amounts_shown(value: JSON, known: set[int], quantities: set[float], depth: int = 0) -> None:
    """Adds the amounts of a tool's answer, and the quantities that stand beside them."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name.endswith(MINOR) and isinstance(each, (int, float)):
                known.add(round(each))
            elif name == "qty" and isinstance(each, (int, float)):
                quantities.add(float(each))
            else:
                amounts_shown(each, known, quantities, depth + 1)
    elif isinstance(value, (list, tuple)):
        for each in value:
            amounts_shown(each, known, quantities, depth + 1)


def is_known(kopecks: int, known: set[int], quantities: set[float]) -> bool:
    """Whether an amount was shown, or is one that was, times a quantity; a whole rouble stands for
    what rounds to it.
    """

    def fits(amount: float) -> bool:
        return abs(amount - kopecks) < (1 if kopecks % 100 else 50.5)

    return any(fits(amount * times) for amount in known for times in (1.0, *quantities))
