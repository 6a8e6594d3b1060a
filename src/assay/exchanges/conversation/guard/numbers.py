"""Numbers in a line, written in figures or in words, Russian and English."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from assay.exchanges.conversation.guard.patterns import word_list
from assay.exchanges.conversation.guard.text import plain

_TOKEN = re.compile(
    r"(?<!\d )\b\d{1,3}(?: \d{3}){1,2}(?= ?(?:руб|р\b|₽|\$|€|евро|тенге|dollar|euro|rub))"
    r"|\d+(?:[.,]\d+)?|[^\W\d_]+(?:'[a-z]+)?"
)
"""A sum whose thousands stand apart is one number."""
_JOINS = re.compile(r"[\s-]*(?:and\s+)?\Z")


class Number(Struct, frozen=True):
    """A number, where it stands in the plain text, its digits as they would be dialled."""

    value: float
    start: int
    end: int
    digits: str
    spoken: bool = False
    ordinal: bool = False


@lru_cache(maxsize=4096)
def numbers(text: str) -> tuple[Number, ...]:
    """The numbers of a text in order; places are those in `plain(text)`."""
    shown = plain(text)
    found: list[Number] = []
    pending: list[tuple[float, int, int, bool]] = []
    for token in _TOKEN.finditer(shown):
        if token[0][0].isdecimal():
            found += _composed(pending, shown)
            pending = []
            digits = re.sub(r"\D", "", token[0])
            found.append(
                Number(float(token[0].replace(",", ".").replace(" ", "")), token.start(), token.end(), digits)
            )
            continue
        if token[0] == "and" and pending and pending[-1][0] in (100, 1000, 1_000_000):
            continue
        value, ordinal = _value(token[0])
        if value is None:
            found += _composed(pending, shown)
            pending = []
        else:
            pending.append((value, token.start(), token.end(), ordinal))
    return tuple(_halved(found + _composed(pending, shown), shown))


_HALF = re.compile(r"\s+(?:с|and an?)\s+\Z")


def _halved(found: list[Number], shown: str) -> list[Number]:
    """Two and a half is one number."""
    out: list[Number] = []
    for number in found:
        if number.value == 0.5 and out and _HALF.match(shown[out[-1].end : number.start]):
            whole = out.pop()
            out.append(Number(whole.value + 0.5, whole.start, number.end, "", spoken=True))
        else:
            out.append(number)
    return out


def _composed(parts: list[tuple[float, int, int, bool]], shown: str) -> list[Number]:
    """Words that follow each other, put together: two hundred fifty is one number, seven nine are two."""
    found: list[Number] = []
    group: list[tuple[float, int, int, bool]] = []
    for part in parts:
        joined = bool(group) and _JOINS.match(shown[group[-1][2] : part[1]]) is not None
        if group and not (joined and _extends(group, part[0])):
            found.append(_number(group))
            group = []
        group.append(part)
    return [*found, _number(group)] if group else found


def _extends(group: list[tuple[float, int, int, bool]], value: float) -> bool:
    last = group[-1][0]
    if value in (100, 1000, 1_000_000):
        hundreds = value == 100 and (1 <= last < 20 or last in (1000, 1_000_000))
        return hundreds or (value >= 1000 and last < 1000)
    if last >= 1000 and value < 1000:
        return last in (1000, 1_000_000)
    if last >= 100 and last % 100 == 0 and 0 < value < 100:
        return True
    return 20 <= last < 100 and last % 10 == 0 and 1 <= value < 10 and float(value).is_integer()


def _number(group: list[tuple[float, int, int, bool]]) -> Number:
    total = current = 0.0
    for value, *_ in group:
        if value in (1000, 1_000_000):
            total += (current or 1) * value
            current = 0
        elif value == 100 and 0 < current < 20:
            current *= 100
        else:
            current += value
    value = total + current
    digits = str(int(value)) if value.is_integer() else ""
    return Number(value, group[0][1], group[-1][2], digits, spoken=True, ordinal=group[-1][3])


def _value(word: str) -> tuple[float | None, bool]:
    if word in _WORDS:
        return _WORDS[word], False
    pattern, russian, english = _ordinals()
    ordinal = pattern.fullmatch(word)
    if ordinal is not None:
        return russian[ordinal[1]], True
    return english.get(word), word in english


_FORMS = {
    0: "ноль нуль нуля нулей zero oh",
    1: "один одна одно одну одного одной одному одним one",
    2: "два две двух двум двумя two",
    3: "три трех трем тремя three",
    4: "четыре четырех четырем четырьмя four",
    5: "пять пяти пятью five",
    6: "шесть шести шестью six",
    7: "семь семи семью seven",
    8: "восемь восьми восемью восьмью eight",
    9: "девять девяти девятью nine",
    10: "десять десяти десятью десяток десятка ten",
    11: "одиннадцать одиннадцати eleven",
    12: "двенадцать двенадцати дюжина дюжину дюжины twelve dozen",
    13: "тринадцать тринадцати thirteen",
    14: "четырнадцать четырнадцати fourteen",
    15: "пятнадцать пятнадцати fifteen",
    16: "шестнадцать шестнадцати sixteen",
    17: "семнадцать семнадцати seventeen",
    18: "восемнадцать восемнадцати eighteen",
    19: "девятнадцать девятнадцати nineteen",
    20: "двадцать двадцати twenty",
    30: "тридцать тридцати thirty",
    40: "сорок сорока forty",
    50: "пятьдесят пятидесяти полсотни fifty",
    60: "шестьдесят шестидесяти sixty",
    70: "семьдесят семидесяти seventy",
    80: "восемьдесят восьмидесяти eighty",
    90: "девяносто девяноста ninety",
    100: "сто ста сотня сотню сотни hundred",
    200: "двести двухсот",
    300: "триста трехсот",
    400: "четыреста четырехсот",
    500: "пятьсот пятисот",
    600: "шестьсот шестисот",
    700: "семьсот семисот",
    800: "восемьсот восьмисот",
    900: "девятьсот девятисот",
    1000: "тысяча тысячу тысячи тысяч thousand",
    1_000_000: "миллион миллиона миллионов million",
    1.5: "полтора полторы полутора",
    0.5: "пол полкило полкилограмма поллитра половина половину половиной полпачки half",
    0.25: "четверть quarter",
}
_WORDS = {word: float(value) for value, forms in _FORMS.items() for word in forms.split()}


@lru_cache(maxsize=1)
def _ordinals() -> tuple[re.Pattern[str], dict[str, float], dict[str, float]]:
    """The pattern of a Russian ordinal with its stem, the stems' values, the English ordinals'."""
    russian = {stem: float(value) for value, stem in enumerate(word_list("words.ordinals.ru"))} | {
        "тридцат": 30.0
    }
    english = {word: float(value) for value, word in enumerate(word_list("words.ordinals.en"), 1)}
    stems = "|".join(sorted(russian, key=len, reverse=True))
    pattern = re.compile(rf"({stems})ь?(?:ое|ого|ому|ом|ый|ой|ий|ая|ую|ые|ых|е|его|ему|я|ей|ю|ем|им)")
    return pattern, russian, english | {"thirtieth": 30.0}
