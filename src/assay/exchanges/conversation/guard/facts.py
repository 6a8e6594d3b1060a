"""The facts of a line, by kind: telephones, order numbers, dates, addresses, sums, quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from assay.exchanges.conversation.guard.numbers import Number, numbers
from assay.exchanges.conversation.guard.patterns import one, word_set
from assay.exchanges.conversation.guard.situation import MAX_READ
from assay.exchanges.conversation.guard.text import plain

Kind = Literal["phone", "id", "date", "address", "money", "quantity"]


WHOLE = 11
"""Digits of a whole telephone number."""
ALONE = 2
"""With no more words around it in its clause, a number that is written out is a quantity by itself."""
SPELLED = 3
"""So many spoken numbers in a row are one number, read out: seven seven thirty-one."""
NEAR = 60
"""Characters around a number that say what it counts."""


class Fact(Struct, frozen=True):
    """One fact: `value` is its exact form, `amount` the number where it is one."""

    kind: Kind
    value: str
    amount: float = 0.0
    sure: bool = True
    counted: bool = False
    after: str = ""
    """`sure` is False for a small spoken number that nothing around it makes a quantity; `counted` is
    True for a number with a unit, or that is asked for. `after` is what follows a quantity.
    """


@lru_cache(maxsize=4096)
def facts_of(text: str) -> tuple[Fact, ...]:
    """The facts of a text. Times of day, durations, ages and counts of people or occasions are none."""
    reading = _Reading(text)
    reading.dates()
    reading.emails()
    reading.phones()
    reading.ids()
    reading.addresses()
    reading.amounts()
    return tuple(reading.facts)


class _Reading:
    """A text whose facts are taken out of it kind by kind: what was taken is blank to the next kind."""

    def __init__(self, text: str) -> None:
        self.raw, self.text = text[:MAX_READ], plain(text)
        self.facts: list[Fact] = []

    def _take(self, start: int, end: int) -> None:
        self.text = self.text[:start] + "\x00" * (end - start) + self.text[end:]

    def dates(self) -> None:
        for found in list(_ISO.finditer(self.text)):
            self._date(int(found[2]), int(found[3]), found.span())
        for found in list(_DOTTED.finditer(self.text)):
            self._date(int(found[2]), int(found[1]), found.span())
        for number in numbers(self.text):
            after = one("fact.month_after").match(self.text, number.end)
            before = one("fact.month_before").search(self.text[max(0, number.start - NEAR) : number.start])
            if not 1 <= number.value <= 31 or not float(number.value).is_integer():
                continue
            if after is not None:
                self._date(_month(after[1]), int(number.value), (number.start, after.end()))
            elif before is not None:
                self._date(_month(before[1]), int(number.value), (before.start(), number.end))
            else:
                day = _DAY_AFTER.match(self.text, number.end) or _DAY.match(self.text, number.end)
                if day is not None:
                    self._date(0, int(number.value), (number.start, day.end()))

    def _date(self, month: int, day: int, span: tuple[int, int]) -> None:
        if "\x00" not in self.text[span[0] : span[1]] and month <= 12 and 1 <= day <= 31:
            self.facts.append(Fact("date", f"{month}-{day}"))
            self._take(*span)

    def emails(self) -> None:
        for found in list(_EMAIL.finditer(self.text)):
            self.facts.append(Fact("id", found[0]))
            self._take(*found.span())

    def phones(self) -> None:
        for run in _runs(numbers(self.text), self.text):
            digits = "".join(number.digits for number in run)
            spoken = sum(number.spoken for number in run)
            if len(digits) >= 7 and (len(run) >= 2 or len(digits) >= 10) and (spoken == 0 or len(run) >= 3):
                self.facts.append(Fact("phone", digits))
                self._take(run[0].start, run[-1].end)

    def ids(self) -> None:
        for found in list(one("fact.id").finditer(self.text)):
            if not one("fact.measure").fullmatch(found[0]) and len(re.sub(r"\W", "", found[0])) >= 3:
                self.facts.append(Fact("id", re.sub(r"[\W_]", "", found[0])))
                self._take(*found.span())
        for run in _runs(numbers(self.text), self.text):
            digits = "".join(number.digits for number in run)
            dictated = len(run) >= SPELLED and len(digits) > SPELLED and all(number.spoken for number in run)
            if (
                self._is_named(run)
                or dictated
                or (len(digits) >= 5 and not (run[0].spoken and len(run) == 1))
            ):
                unit = one("fact.money").match(self.text, run[-1].end)
                if unit is None:
                    self.facts.append(Fact("id", digits))
                    self._take(run[0].start, run[-1].end)

    def _is_named(self, run: Sequence[Number]) -> bool:
        """Whether a label names a number: order 12, and not "to order two", "two packs", "No. One thing"."""
        before = self.text[max(0, run[0].start - NEAR) : run[0].start]
        if one("fact.named_id").search(before) is None or one("words.unit").match(
            self.text[run[-1].end :].lstrip()
        ):
            return False
        spoken = run[0].spoken and len(run) == 1
        if spoken and run[0].value == 1:  # you are number one
            return False
        return _TO_ORDER.search(before) is None and not (spoken and _LOOSE_LABEL.search(before))

    def addresses(self) -> None:
        for found in list(one("fact.street").finditer(self.text)):
            name = next((name for name in found.groups() if name), "").strip()
            if name and name.split()[0] not in word_set("words.no_street") and self._is_place(found):
                self.facts.append(Fact("address", name))
                self._house(found.end())
        for number in numbers(self.text):
            before = self.text[max(0, number.start - NEAR) : number.start]
            if one("fact.place_before").search(before) or one("fact.place_after").match(
                self.text, number.end
            ):
                if not self._is_elsewhere(number):
                    self.facts.append(Fact("address", "", number.value))
                self._take(number.start, number.end)

    def _is_elsewhere(self, number: Number) -> bool:
        """Whether a floor or an entrance is the shop's or a neighbour's."""
        around = self.text[max(0, number.start - NEAR) : number.end + NEAR]
        return _STOREY.search(around) is not None and one("fact.elsewhere").search(around) is not None

    def _is_place(self, found: re.Match[str]) -> bool:
        """Whether the street is no part of another name (Crumb Street Bakery), and bears one itself."""
        if len(self.raw) != len(self.text):
            return True
        if found["ru"]:  # on the street it rains; in Garden street one lives
            return self.raw[found.start("ru")].isupper() or self._has_house(found.end())
        if found["numbered"]:
            return self.raw[found.start("numbered")].isupper()
        return found["en"] is None or not _NAMED_AFTER.match(self.raw, found.end())

    def _has_house(self, end: int) -> bool:
        return any(
            number.start >= end and _HOUSE.fullmatch(self.text[end : number.start])
            for number in numbers(self.text)
        )

    def _house(self, end: int) -> None:
        """The number that follows a street."""
        for number in numbers(self.text):
            if number.start >= end and _HOUSE.fullmatch(self.text[end : number.start]):
                self.facts.append(Fact("address", "", number.value))
                self._take(number.start, number.end)

    def amounts(self) -> None:
        dictated = {
            number.start for run in _runs(numbers(self.text), self.text) if len(run) > 2 for number in run
        }
        for number in numbers(self.text):
            before = self.text[max(0, number.start - NEAR) : number.start]
            after = self.text[number.end : number.end + NEAR]
            if _PERCENT.match(after):
                continue
            if one("fact.money").match(after) or one("fact.money_before").search(before):
                self.facts.append(Fact("money", self.text[number.start : number.end], number.value))
            elif not number.ordinal and not _is_no_quantity(number, before, after):
                self.facts.append(
                    Fact(
                        "quantity",
                        self.text[number.start : number.end],
                        number.value,
                        sure=number.start in dictated or _sure(number, before, after),
                        counted=_is_counted(before, after),
                        after=after,
                    )
                )


def _is_no_quantity(number: Number, before: str, after: str) -> bool:
    if (
        one("fact.uncounted_after").match(after)
        or one("fact.clock_before").search(before)
        or one("fact.clock_after").match(after)
    ):
        return True
    if one("fact.approximate_before").search(before) or one("fact.of_people").search(before):
        return True
    return number.spoken and one("fact.idiom").search(before + "|" + after[:20]) is not None


def _sure(number: Number, before: str, after: str) -> bool:
    """Whether what stands around a number makes it a quantity; figures are one by themselves."""
    if not number.spoken:
        return True
    unit = one("fact.unit_after").match(after) is not None
    if number.value in (1, 0.5, 0.25):
        return unit and _ONE_OF.search(before) is None
    wanted = one("fact.wants_before").search(before) is not None
    if unit or wanted:
        return True
    clause = _CLAUSE.split(before)[-1] + " " + _CLAUSE.split(after)[0]
    alone = len(clause.split()) <= ALONE or number.value > 100  # a sum or a house
    return number.value > 4 and number.value not in _HYPERBOLES and alone


def _is_counted(before: str, after: str) -> bool:
    unit = one("fact.unit_after").match(after) is not None
    return unit or one("fact.wants_before").search(before) is not None


def _runs(found: Sequence[Number], text: str) -> list[list[Number]]:
    """Numbers that follow each other with nothing but dialling marks between."""
    runs: list[list[Number]] = []
    for number in found:
        usable = number.digits and float(number.value).is_integer() and not number.ordinal
        if not usable:
            runs.append([])
        elif runs and runs[-1] and _continues(runs[-1], number, text):
            runs[-1].append(number)
        else:
            runs.append([number])
    return [run for run in runs if run]


def _continues(run: Sequence[Number], number: Number, text: str) -> bool:
    """Whether a number goes on with a run: dialling marks between, and the run no whole telephone."""
    between = text[run[-1].end : number.start]
    if not _DIALLED.fullmatch(between) or (_PAUSE.search(between) and run[-1].value == number.value):
        return False
    return len(run[-1].digits) < WHOLE - 1 and sum(len(each.digits) for each in run) < WHOLE


def _month(word: str) -> int:
    return next(n for n, names in enumerate(_MONTHS, 1) if word.startswith(tuple(names.split())))


def weekday_of(text: str) -> list[int]:
    """The weekdays that a text names, Monday 0."""
    return [n for n, names in enumerate(_WEEKDAYS) if re.search(rf"\b(?:{names})", plain(text))]


def date_of(text: str) -> date | None:
    """The date that CURRENT_DATE begins with."""
    found = _ISO.search(text)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found is not None else None
    except ValueError:
        return None


_MONTHS = (
    "январ january jan",
    "феврал february feb",
    "март march",
    "апрел april apr",
    "мая май may",
    "июн june jun",
    "июл july jul",
    "август august aug",
    "сентябр september sep",
    "октябр october oct",
    "ноябр november nov",
    "декабр december dec",
)
_WEEKDAYS = (
    "понедельник|monday",
    "вторник|tuesday",
    "сред[аыуе]\\b|wednesday",
    "четверг|thursday",
    "пятниц|friday",
    "суббот|saturday",
    "воскресень|sunday",
)
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,2})[./](0\d|1[0-2])(?:[./](?:\d{4}|\d{2}))?(?!\d|[./]\d)")
_DAY_AFTER = re.compile(r"(?:-?го|-?е|-?ого|-?ое)?\s+числ[оау]\b")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DIALLED = re.compile(r"[\s\-–—().,+…]*(?:(?:плюс|plus|and|и)[\s]+)?")
_CLAUSE = re.compile(r"[.,;:!?…—–]")
_HYPERBOLES = (100, 1000, 1_000_000)
"""A thousand thanks, told a hundred times."""
_ONE_OF = re.compile(r"\b(?:ни|только|еще|the|another|this|that|no|which|any|some)\s+\Z")
_PAUSE = re.compile(r"\.\.|…")
_HOUSE = re.compile(r"[,\s]*(?:дом|д\.)?\s*")
_TO_ORDER = re.compile(r"\b(?:to|i|we|you|can|could|let's|'d|me)\s+order\s*\Z")
_LOOSE_LABEL = re.compile(r"(?:\border|\bno[.!]?|\bcard|заказ\w*|карт\w+)\W*\Z")
_STOREY = re.compile(r"этаж|подъезд|вход|floor|entrance")
_PERCENT = re.compile(r"\s*(?:процент|percent|per cent|%)")
_DAY = re.compile(r"(?:st|nd|rd|th|-?го|-?е)\b")
_NAMED_AFTER = re.compile(r"\s+[A-Z][a-z]")
