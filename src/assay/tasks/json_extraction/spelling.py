"""How a text spells a value: the plain way of its language, or a style that a template asks for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from assay.tasks.json_extraction import words
from assay.tasks.json_extraction.facts import DATES, MONEY, TIMES, Fact


def spell(fact: Fact, style: str) -> str:
    """The text of a value in a style ("" is the plain one). Raises KeyError for a style not there."""
    kind = fact.kind
    if kind in DATES:
        return _DATE[style](date.fromisoformat(fact.value), fact)
    if kind in TIMES:
        return _TIME[style](int(fact.value[:2]), int(fact.value[3:]), fact.lang)
    if kind in MONEY or kind == "rate":
        return number(fact.value, fact.lang, style)
    if isinstance(fact.value, int) and style:
        return _INTEGER[style](fact.value, fact.lang)
    return _names(fact)[style]


def _names(fact: Fact) -> dict[str, str]:
    """The styles of a value that is a name or a word."""
    said = str(fact.value)
    if fact.kind == "currency":
        names = words.CURRENCIES[said]
        return {"": said, "sign": names["sign"], "word": names[fact.lang]}
    if fact.kind == "person":
        given, _, family = said.partition(" ")
        return {"": said, "first": given, "last": family, "turned": f"{family}, {given}"}
    if fact.kind in words.CHOICES:
        names = words.CHOICES[fact.kind][said]
        said = names.get(fact.lang, names["en"])
        return {"": said, "cap": said[:1].upper() + said[1:], "upper": said.upper()}
    return {"": said}


def number(value: float, lang: str, style: str = "") -> str:
    """An amount: plain with thousands and two decimals, `short` without empty decimals, `bare` ungrouped."""
    thousands, point = words.SEPARATORS[lang]
    whole = style != "" and value == int(value)
    text = f"{value:,.0f}" if whole else f"{value:,.2f}" if style != "one" else f"{value:,.1f}"
    if style == "bare":
        text = text.replace(",", "")
    return text.replace(",", "\0").replace(".", point).replace("\0", thousands)


def _decimal(value: float, lang: str) -> str:
    return f"{value:g}".replace(".", words.SEPARATORS[lang][1])


def _long(day: date, fact: Fact) -> str:
    month = words.MONTHS[fact.lang][day.month - 1]
    forms = {
        "en": f"{day.day} {month} {day.year}",
        "ru": f"{day.day} {month} {day.year} г.",
        "de": f"{day.day}. {month} {day.year}",
        "es": f"{day.day} de {month} de {day.year}",
    }
    return forms[fact.lang]


def _in_words(day: date, fact: Fact) -> str:
    month, said = words.MONTHS[fact.lang][day.month - 1], words.DAYS[fact.lang][day.day - 1]
    forms = {
        "en": f"the {said} of {month} {day.year}",
        "ru": f"{said} {month} {day.year} года",
        "de": f"{said} {month} {day.year}",
        "es": f"{said} de {month} de {day.year}",
    }
    return forms[fact.lang]


def _later(day: date, fact: Fact) -> str:
    since = date.fromisoformat(fact.since or "")
    return words.LATER[fact.lang][(day - since).days]


_DATE: dict[str, Callable[[date, Fact], str]] = {
    "": lambda day, _: day.isoformat(),
    "long": _long,
    "us": lambda day, _: f"{words.MONTHS['en'][day.month - 1]} {day.day}, {day.year}",
    "dots": lambda day, _: f"{day.day:02}.{day.month:02}.{day.year}",
    "short": lambda day, _: f"{day.day} {words.MONTHS['en'][day.month - 1][:3]} {day.year}",
    "words": _in_words,
    "later": _later,
}


def _twelve(hour: int, minute: int, _: str) -> str:
    return f"{(hour - 1) % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}"


def _time_in_words(hour: int, minute: int, lang: str) -> str:
    names = [*words.NUMBERS[lang][:13]]
    if lang == "de":
        names[1] = "ein" if not minute else "eins"
    part = words.DAY_PARTS[lang][0 if hour < 12 else 1 if hour < 18 else 2]
    form = words.TIMES[lang][1 if minute else 0]
    said = form.format(hour=names[(hour - 1) % 12 + 1], next=names[hour % 12 + 1], part=part)
    return said.replace("las una", "la una")


_TIME: dict[str, Callable[[int, int, str], str]] = {
    "": lambda hour, minute, _: f"{hour:02}:{minute:02}",
    "pm": _twelve,
    "dot": lambda hour, minute, _: f"{hour}.{minute:02}",
    "h": lambda hour, minute, _: f"{hour}h{minute:02}",
    "words": _time_in_words,
}

_INTEGER: dict[str, Callable[[int, str], str]] = {
    "words": lambda value, lang: words.NUMBERS[lang][value] if value < 21 else str(value),
    "thousandth": lambda value, lang: _decimal(value / 1000, lang),
    "hundredth": lambda value, lang: _decimal(value / 100, lang),
    "sixtieth": lambda value, lang: _decimal(value / 60, lang),
    "grouped": lambda value, lang: number(value, lang, "short"),
}
