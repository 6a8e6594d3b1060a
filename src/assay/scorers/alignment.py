"""How the fields of two JSON values are compared: what counts as equal, and who is whose in lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal

from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON
from assay.scorers.assignment import best_assignment
from assay.scorers.leaves import Differences, compare, equal

MAX_ALIGNED = 64
"""Elements a list whose order is left open; longer ones are compared in order."""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """How one field is compared; what is not said is as the scorer's own settings say.

    `align` is for lists: elements belong together by `index`, where they are equal in any order
    (`set`), or so that most of their leaves match (`match`).
    """

    align: Literal["index", "set", "match"] = "index"
    tolerance: float | None = None
    fold: bool | None = None
    date: bool | None = None


class Fields(Struct, frozen=True):
    """The comparison of whole values: settings for all leaves, and `fields` by path.

    A path is a JSON pointer in which `*` stands for any place in a list.
    """

    tolerance: float = 0.0
    fold: bool = False
    dates: bool = False
    fields: Mapping[str, Field] = {}

    def same(self, a: JSON, b: JSON, path: str) -> bool:
        """Whether two leaves are equal as their field asks."""
        if equal(a, b):
            return True
        own = self.fields.get(path, _PLAIN)
        if isinstance(a, str) and isinstance(b, str):
            fold = self.fold if own.fold is None else own.fold
            by_date = self.dates if own.date is None else own.date
            return (fold and a.casefold().split() == b.casefold().split()) or (by_date and _same_date(a, b))
        tolerance = self.tolerance if own.tolerance is None else own.tolerance
        numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b))
        return numbers and abs(a - b) <= tolerance

    def pairs(
        self, wanted: Sequence[JSON], found: Sequence[JSON], path: str
    ) -> Sequence[tuple[int, int]] | None:
        """Which elements of two lists belong together; None where their places say it."""
        own = self.fields.get(path)
        if own is None or own.align == "index" or max(len(wanted), len(found)) > MAX_ALIGNED:
            return None
        worth = [[self._worth(a, b, path + "/*", whole=own.align == "set") for b in found] for a in wanted]
        pairs = best_assignment(worth)
        return [(row, column) for row, column in pairs if worth[row][column] > 0 or own.align == "match"]

    def _worth(self, a: JSON, b: JSON, path: str, *, whole: bool) -> float:
        differences = Differences()
        matched = compare(a, b, self, differences, path=path)
        return 0.0 if whole and differences else float(matched)


_PLAIN = Field()


def checked(fields: Mapping[str, Field]) -> dict[str, Field]:
    """The fields, if their paths are paths. Raises UsageError."""
    for path, own in fields.items():
        if path and not path.startswith("/"):
            raise UsageError(
                f"json_fields: the field {path!r} is no path", fix="begin it with /, as /items/*/price"
            )
        if own.tolerance is not None and not own.tolerance >= 0:
            raise UsageError(f"json_fields: the tolerance of {path!r}", fix="give at least 0")
    return dict(fields)


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})|(\d{4})[./](\d{1,2})[./](\d{1,2})")
_NAMED = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\s+([^\W\d]{3,9})\.?,?\s+(\d{4})(?:\s*г(?:\.|ода)?)?")
_NAMED_FIRST = re.compile(r"([^\W\d]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_MONTHS = (
    ("jan", "янв"),
    ("feb", "фев"),
    ("mar", "мар"),
    ("apr", "апр"),
    ("may", "май", "мая"),
    ("jun", "июн"),
    ("jul", "июл"),
    ("aug", "авг"),
    ("sep", "сен"),
    ("oct", "окт"),
    ("nov", "ноя"),
    ("dec", "дек"),
)


def _same_date(a: str, b: str) -> bool:
    one, other = instant(a), instant(b)
    return one is not None and one == other


def instant(text: str) -> tuple[str, str] | None:
    """The date or time that a text is, in a form in which equal ones are equal; None for any other.

    ISO 8601 dates and times (with an offset: as an instant; without: as written), 18.09.2026,
    2026/09/18, "18 September 2026", "Sep 18, 2026", "18 сентября 2026 г.". 03/04/2026 is none: it
    means two days.
    """
    text = text.strip()
    if len(text) > 40:
        return None
    try:
        return _iso(text) if _ISO.fullmatch(text) else _written(text)
    except (ValueError, OverflowError):
        return None


def _written(text: str) -> tuple[str, str] | None:
    if found := _DOTTED.fullmatch(text):
        day, month, year = found.groups()[:3] if found[3] else found.groups()[:2:-1]
        return "date", date(int(year), int(month), int(day)).isoformat()
    if found := _NAMED.fullmatch(text):
        return _named(found[3], found[2], found[1])
    if found := _NAMED_FIRST.fullmatch(text):
        return _named(found[3], found[1], found[2])
    return None


def _iso(text: str) -> tuple[str, str]:
    if len(text) == 10:
        return "date", date.fromisoformat(text).isoformat()
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return "local", moment.isoformat()
    return "instant", moment.astimezone(UTC).isoformat()


def _named(year: str, month: str, day: str) -> tuple[str, str] | None:
    name = month.casefold()
    places = [n for n, heads in enumerate(_MONTHS, 1) if name.startswith(heads)]
    return ("date", date(int(year), places[0], int(day)).isoformat()) if places else None
