"""Facts that the client cannot know: neither its brief nor the agent has told them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

from msgspec import Struct

from assay.agenda.phrases import mentions_name
from assay.exchanges.conversation.guard.facts import Fact, date_of, facts_of, weekday_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one, word_set
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import plain, stem, words
from assay.exchanges.conversation.guard.topics import asked_in, topics_in

LEAST = 20
"""A number that has no unit can be a price from here on."""


class Known(Struct, frozen=True):
    """What stands in a situation's sources, by kind. `digits` are dialling runs and order
    numbers; `sums` what the prices make together.
    """

    digits: frozenset[str]
    dates: frozenset[str]
    places: frozenset[str]
    house: frozenset[float]
    prices: frozenset[float]
    sums: frozenset[float]
    amounts: frozenset[float]
    numbers: frozenset[float]
    totals: frozenset[float]


def ungrounded_fact(situation: Situation, candidate: Candidate) -> str | None:
    """A telephone, order number, date, address, sum or quantity that stands in no source."""
    found = facts_of(candidate.text)
    if not found:
        return None
    known = known_in(situation)
    for fact in found:
        if (fact.kind != "quantity" or _is_meant(fact, situation, known)) and not is_grounded(fact, known):
            return f"{fact.kind} {fact.value or fact.amount}"
    return None


def _is_meant(fact: Fact, situation: Situation, known: Known) -> bool:
    """Whether a number is a quantity of goods: it has a unit, is asked for, or counts what is wanted."""
    goods = {stem(word) for item in situation.brief.goal for word in words(item.name)}
    named = fact.amount > 1 and (
        bool(goods & {stem(word) for word in words(fact.after)[:3]})
        or any(mentions_name(" ".join(words(fact.after)[:4]), item.name) for item in situation.brief.goal)
        or _THEM.match(fact.after) is not None
    )
    asked = fact.amount > 1 and situation.words.asks_quantity.search(situation.asked) is not None
    if not named and fact.amount in known.totals:
        return False
    if not (named or asked or fact.counted) and fact.amount in known.numbers:
        return False
    return fact.sure or named or asked or (fact.amount > 1 and "address" in asked_in(situation.asked))


_POUNDS = re.compile(r"\s*(?:pounds?|фунт)\b")  # money as often as a weight
_THEM = re.compile(r"\s*(?:of (?:them|those|these)|штук\w*|таких)\b")


def is_grounded(fact: Fact, known: Known) -> bool:
    """Whether a source states the fact, however it is spelled."""
    if fact.kind in ("phone", "id"):
        return _dialled(fact.value, known)
    if fact.kind == "date":
        month, _, day = fact.value.partition("-")
        return fact.value in known.dates or (
            (month == "0" and any(each.endswith(f"-{day}") for each in known.dates))
            or f"0-{day}" in known.dates
        )
    if fact.kind == "address":
        if fact.value:
            return all(
                stem(word) in known.places
                for word in words(fact.value)
                if word not in word_set("words.small")
            )
        return fact.amount in known.house
    goods = one("words.unit").match(fact.after.lstrip()) is not None and not _POUNDS.match(fact.after)
    pool = known.amounts if goods else known.sums | known.amounts
    return any(amount in pool for amount in (fact.amount, fact.amount * 1000, fact.amount / 1000))


def _dialled(value: str, known: Known) -> bool:
    shown = value[-10:] if value.isdecimal() and len(value) > 10 else value
    if shown in known.digits or (value.isdecimal() and float(value) in known.numbers):
        return True
    if len(shown) >= 4 and any(
        shown in each or (len(each) >= 7 and each.isdecimal() and each in shown) for each in known.digits
    ):
        return True
    prefixed = _PREFIXED.fullmatch(value)
    return prefixed is not None and any(
        prefixed[1] == re.sub(r"\D", "", each).lstrip("0") for each in known.digits
    )


def known_in(situation: Situation) -> Known:
    """Everything that the sources state, with the other spellings of the same values."""
    brief = situation.brief
    wanted = [float(item.qty) for item in brief.goal] + [float(c.qty_first) for c in brief.sheet.changes]
    today = str(situation.variables.get("CURRENT_DATE", ""))
    told = (*situation.told, brief.phone)
    return _stated(told, situation.given, situation.heard, (len(brief.goal), *wanted), today)


@lru_cache(maxsize=64)
def _stated(
    told: tuple[str, ...], given: tuple[str, ...], heard: tuple[str, ...], goal: tuple[float, ...], today: str
) -> Known:
    """What the texts state, by whom they come. `goal` is the count of its items, then their quantities."""
    sources, count, wanted = (*told, *given, *heard), int(goal[0]), goal[1:]
    found = [fact for text in sources for fact in facts_of(text)]
    amounts = {fact.amount for fact in found if fact.kind == "quantity"} | set(wanted)
    money = {fact.amount for fact in found if fact.kind == "money"}
    digits = {fact.value for fact in found if fact.kind in ("phone", "id")}
    digits |= {"".join(n.digits for n in numbers(text)) for text in sources}
    digits |= {re.sub(r"\W", "", token) for text in sources for token in plain(text).split()}
    return Known(
        digits=frozenset(each for each in digits if len(each) >= 2 and any(map(str.isdecimal, each))),
        dates=frozenset({fact.value for fact in found if fact.kind == "date"} | _dates(today, sources)),
        places=frozenset(stem(word) for text in sources for word in words(text)),
        house=frozenset(
            {fact.amount for fact in found if fact.kind == "address"}
            | {number.value for text in heard for number in numbers(text)}
            | {n.value for text in told if topics_in(text) & {"address", "entry"} for n in numbers(text)}
        ),
        prices=frozenset(money),
        sums=_sums(money, {amount for amount in amounts if amount >= LEAST}, wanted),
        amounts=frozenset(amounts),
        numbers=frozenset(number.value for text in sources for number in numbers(text)),
        totals=frozenset({sum(wanted[:count]), float(count)}),
    )


def _sums(money: set[float], bare: set[float], wanted: Iterable[float]) -> frozenset[float]:
    """The sums that were told, with or without a currency, and what they make together and for all goods."""
    told = money | bare
    priced = sorted(told | {price * qty for price in told for qty in wanted})[:20]
    whole = {sum(told), sum(money)}
    return frozenset({*priced, *whole, *(a + b for a, b in itertools.combinations(priced, 2))})


def _dates(current: str, sources: Iterable[str]) -> set[str]:
    """The dates that the sources mean by a word: today, tomorrow, the coming Friday."""
    today = date_of(current)
    if today is None:
        return set()
    spoken = " ".join(plain(text) for text in sources)
    days = {today} | {today + timedelta(n) for word, n in _RELATIVE if word in spoken}
    days |= {today + timedelta((weekday - today.weekday()) % 7) for weekday in weekday_of(spoken)}
    return {f"{day.month}-{day.day}" for day in days}


_PREFIXED = re.compile(r"[^\W\d]{2,}0*(\d+)")
_RELATIVE = (("завтра", 1), ("послезавтра", 2), ("tomorrow", 1))
