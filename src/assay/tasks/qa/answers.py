"""The answer to a question: a value of the passage or what follows from some, in the forms accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from assay.errors import UsageError
from assay.keys import JSON
from assay.tasks.json_extraction.facts import DATES, TIMES, Fact
from assay.tasks.json_extraction.spelling import number, spell
from assay.tasks.json_extraction.words import NUMBERS

Facts = Callable[[str], Fact]


class Answer(NamedTuple):
    """The accepted forms, the best first, and the slots that the answer follows from."""

    forms: tuple[str, ...]
    slots: tuple[str, ...]


def answer(rule: str, facts: Facts, lang: str) -> Answer:
    """Applies a rule: `SLOT`, `sum|diff|days SLOT SLOT` or `most|least SLOT=NAME ...`, then `/ UNIT`."""
    rule, _, unit = rule.partition(" / ")
    first, *rest = rule.split(" ")
    if not rest:
        return Answer(forms_of(facts(first), unit), (first,))
    if first in _EXTREME:
        pairs = [pair.partition("=")[::2] for pair in rest]
        chosen = _EXTREME[first]({name: facts(slot).value for slot, name in pairs})
        named = (chosen[1:],) if chosen.startswith("#") else forms_of(facts(chosen), "")
        return Answer(named, tuple(slot for slot, _ in pairs))
    if first not in _COMPUTED:
        raise UsageError(f"no rule {first!r} for an answer", fix=f"write one of {', '.join(_COMPUTED)}")
    return Answer(_numbers(_COMPUTED[first]([facts(slot).value for slot in rest]), unit, lang), tuple(rest))


def forms_of(fact: Fact, unit: str) -> tuple[str, ...]:
    """The ways of saying a value that count as the same answer."""
    if fact.kind in DATES:
        return _dates(fact)
    if fact.kind in TIMES:
        return _times(fact)
    if fact.kind != "year" and isinstance(fact.value, (int, float)):
        return _numbers(fact.value, unit, fact.lang)
    said = str(fact.value)
    short = _SHORTENED[fact.kind](said) if fact.kind in _SHORTENED else said
    return (said,) if short == said else (said, short)


def _dates(fact: Fact) -> tuple[str, ...]:
    long = spell(fact, "long")
    own = spell(fact, "us" if fact.lang == "en" else "dots")
    return tuple(dict.fromkeys((long, long.removesuffix(" г."), own, str(fact.value))))


def _times(fact: Fact) -> tuple[str, ...]:
    bare = fact.value.lstrip("0")
    said = (fact.value,) if bare == fact.value else (fact.value, bare)
    if fact.lang != "en":
        return (*said, *(f"{form} Uhr" for form in said))
    twelve = spell(fact, "pm")
    return (*said, twelve, *([twelve.replace(":00", "")] if ":00" in twelve else []))


_SHORTENED: dict[str, Callable[[str], str]] = {
    "person": lambda name: name.partition(" ")[2],
    "thing": lambda name: name.rpartition(" ")[2],
    "vessel": lambda name: name.partition(" ")[2],
    "company": lambda name: name.partition("«")[2].rstrip("»") or name,
}
"""Names that are also right without the word for what they name: Figaro for alpaca Figaro."""


def _numbers(value: float, unit: str, lang: str) -> tuple[str, ...]:
    """Digits, digits as the language groups them, the word of a small number; each with the unit."""
    whole = float(value).is_integer()
    said = [str(int(value)) if whole else f"{value:.2f}"]
    grouped = number(value, lang, "short")
    said += [grouped] if grouped not in said else []
    said += [NUMBERS[lang][int(value)]] if whole and 0 <= value <= 20 else []
    said += [f"{value:.2f}"] if whole and unit in _SIGNS else []
    units = [f"{form} {word}" for form in said for word in unit.split(", ") if word]
    signs = [f"{_SIGNS[unit]}{form}" for form in said] if unit in _SIGNS else []
    return (*said, *units, *signs)


_SIGNS = {"dollars": "$", "pounds": "£", "euros": "€"}


def _sum(values: list[JSON]) -> float | int:
    cents: int = sum(round(100 * value) for value in values)
    return cents // 100 if cents % 100 == 0 else cents / 100


def _difference(values: list[JSON]) -> float | int:
    first, last = values
    return _sum([max(first, last), -min(first, last)])


def _days(values: list[JSON]) -> int:
    first, last = (date.fromisoformat(value) for value in values)
    return int(abs((last - first).days))


_COMPUTED: dict[str, Callable[[list[JSON]], float | int]] = {
    "sum": _sum,
    "diff": _difference,
    "days": _days,
}


def _most(values: Mapping[str, JSON]) -> str:
    return max(values, key=lambda name: values[name])


def _least(values: Mapping[str, JSON]) -> str:
    return min(values, key=lambda name: values[name])


_EXTREME: dict[str, Callable[[Mapping[str, JSON]], str]] = {"most": _most, "least": _least}
