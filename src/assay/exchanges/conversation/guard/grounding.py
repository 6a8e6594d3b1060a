"""Facts that the client cannot know: neither its brief nor the agent has told them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct

from assay.agenda.brief import Unknown
from assay.exchanges.conversation.guard.facts import Fact, date_of, facts_of, weekday_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one, word_set
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import plain, stem, stems, words
from assay.exchanges.conversation.guard.topics import asks, knows_not, label_of, topics_in


class _Known(Struct, frozen=True):
    """What stands in a situation's sources, by kind. `digits` are dialling runs and order numbers."""

    digits: frozenset[str]
    dates: frozenset[str]
    places: frozenset[str]
    house: frozenset[float]
    money: frozenset[float]
    amounts: frozenset[float]
    numbers: frozenset[float]
    totals: frozenset[float]


def ungrounded_fact(situation: Situation, candidate: Candidate) -> str | None:
    """A telephone, order number, date, address, sum or quantity that stands in no source."""
    found = facts_of(candidate.text)
    if not found:
        return None
    known = _known(situation)
    for fact in found:
        if (fact.kind != "quantity" or _is_meant(fact, situation, known)) and not _is_known(fact, known):
            return f"{fact.kind} {fact.value or fact.amount}"
    return None


def _is_meant(fact: Fact, situation: Situation, known: _Known) -> bool:
    """Whether a number is a quantity of goods: it has a unit, is asked for, or counts what is wanted."""
    goods = {stem(word) for item in situation.brief.goal for word in words(item.name)}
    named = fact.amount > 1 and (
        bool(goods & {stem(word) for word in words(fact.after)[:3]}) or _THEM.match(fact.after) is not None
    )
    asked = fact.amount > 1 and situation.words.asks_quantity.search(situation.asked) is not None
    if not named and fact.amount in known.totals:
        return False
    if not (named or asked or fact.counted) and fact.amount in known.numbers:
        return False
    return fact.sure or named or asked


def unknown_revealed(situation: Situation, candidate: Candidate) -> str | None:
    """A value for an item of `unknown` that no agent line has told."""
    for item in situation.brief.sheet.unknown:
        text, value = unknown_item(item)
        if value and any(_says(line, value, text) for line in situation.heard):
            continue
        if value and _says(candidate.text, value, text):
            return value
        if _gives_value(situation, candidate, text):
            return text
    return None


def unknown_item(item: Unknown | str) -> tuple[str, str]:
    """The text of an item of `unknown`, and its true value where the scenario tells it."""
    return (item, "") if isinstance(item, str) else (item.text, item.value)


def _says(text: str, value: str, item: str) -> bool:
    """Whether a text holds the value of an item, however it is spelled."""
    figures = "".join(number.digits for number in numbers(value))
    said = "".join(number.digits for number in numbers(text))
    if len(figures) >= 3 and figures in said:
        return True
    naming = stems(item) | {stem(word) for word in word_set("words.naming")}
    mine = [stem(word) for word in words(value)]
    mine = [word for word in mine if word not in naming] or mine
    theirs = [stem(word) for word in words(text)]
    joined = "\x00".join(mine)
    return bool(mine) and f"\x00{joined}\x00" in "\x00".join(["", *theirs, ""])


def _gives_value(situation: Situation, candidate: Candidate, text: str) -> bool:
    """Whether the talk is about this item and the line states something of it that was not told."""
    topic = stems(label_of(text)) - {stem(word) for word in word_set("words.vague")}
    asked = situation.asked
    question = asks(asked) and _about(topic, text, asked)
    if not question and not _about(topic, text, candidate.text):
        return False
    known = _known(situation)
    for fact in facts_of(candidate.text):
        if fact.kind == "quantity" and not (question or _about(topic, text, candidate.text)):
            continue
        told = fact.sure or (question and fact.amount != 1)
        if told and not _is_known(fact, known):
            return True
    said = _stated(candidate.text)
    if knows_not(said) or one("deflects").search(plain(said)):
        return False
    return _names_new(situation, said, topic, question=question) or (
        question and _tells_time(situation, said, text)
    )


def _stated(text: str) -> str:
    """What a line states: no question, no "if I'm not mistaken", nothing from before it was remembered."""
    stated = " ".join(each for each in _SENTENCE.findall(text) if not each.rstrip().endswith("?"))
    return _HEDGE.sub("", _RECALLED.split(stated)[-1])


def _tells_time(situation: Situation, text: str, item: str) -> bool:
    """Whether a line gives a time to an item that is one, in words that stand in no source."""
    if not one("unknown.time").search(plain(item)):
        return False
    told = {found[0] for line in _sources(situation) for found in one("time_told").finditer(plain(line))}
    return any(found[0] not in told for found in one("time_told").finditer(plain(text)))


def _sources(situation: Situation) -> tuple[str, ...]:
    return (*situation.told, *situation.given, *situation.heard)


def _about(topic: frozenset[str], item: str, text: str) -> bool:
    if not topic:
        return bool(topics_in(item) & topics_in(text))
    said = stems(text) | ({"имя"} if one("topic.named").search(plain(text)) else set())
    return len(topic & said) / len(topic) >= (0.5 if len(topic) > 1 else 1)


def _names_new(situation: Situation, text: str, topic: frozenset[str], *, question: bool) -> bool:
    """Whether a line names something: by a name, in quotes, in capitals, or as all that it says."""
    sources = _sources(situation)
    told = set().union(*(stems(each) for each in sources), topic)
    if any(stems(found[0]) - told for found in _NAMED.finditer(text)):
        return True
    marked = {found[1] or found[2] for each in sources for found in _MARKED.finditer(each)}
    if any((found[1] or found[2]) not in marked for found in _MARKED.finditer(text)):
        return True
    naming = word_set("words.naming")
    new = [
        word
        for word in words(text)
        if stem(word) not in told and word not in word_set("words.small") and len(word) > 2
    ]
    if not question or one("refuses").search(plain(text)):
        return False
    values = [word for word in new if word not in naming]
    return bool(values) and (len(words(text)) <= 3 or (len(values) <= 2 and _frames(text, topic, values)))


def _frames(text: str, topic: frozenset[str], values: list[str]) -> bool:
    """Whether every other word of a line only presents the value: yes, of course, it was ..."""
    frame = word_set("words.naming") | word_set("words.small") | word_set("words.bare") | set(values)
    return all(word in frame or stem(word) in topic or len(word) < 3 for word in words(text))


_THEM = re.compile(r"\s*(?:of (?:them|those|these)|штук\w*|таких)\b")
_NAMED = re.compile(
    r"(?:(?<=[^\W\d_][,:—–-]\s)|(?<=[^\W\d_]\s))([A-ZА-ЯЁ][^\W\d_]{2,})|[«\"“]([^»\"”]{2,40})[»\"”]"
)
_MARKED = re.compile(r"\b([A-ZА-ЯЁ]{3,}\d*)\b|[«\"“]([^»\"”]{2,40})[»\"”]")
"""What is set off as a value: in capitals, in quotes."""
_RECALLED = re.compile(r"(?<!не )\bвспомнила?\b|\boh yes\b|\bremember(?:ed)? now\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:если (?:я )?не (?:ошибаюсь|путаю)|if i(?:'|’)?m not (?:mistaken|wrong)),?", re.IGNORECASE
)
_SENTENCE = re.compile(r"[^.?!]+[.?!]*")


def _is_known(fact: Fact, known: _Known) -> bool:
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
    pool = known.money | known.amounts
    return any(amount in pool for amount in (fact.amount, fact.amount * 1000, fact.amount / 1000))


def _dialled(value: str, known: _Known) -> bool:
    shown = value[-10:] if value.isdecimal() and len(value) > 10 else value
    if shown in known.digits or (value.isdecimal() and float(value) in known.numbers):
        return True
    if len(shown) >= 4 and any(
        shown in each or (len(each) >= 7 and each.isdecimal() and each in shown) for each in known.digits
    ):
        return True
    parts = re.findall(r"\d+", value)
    return (
        len(parts) == 1
        and parts[0] != value
        and any(parts[0].lstrip("0") == re.sub(r"\D", "", each).lstrip("0") for each in known.digits)
    )


def _known(situation: Situation) -> _Known:
    """Everything that the sources state, with the other spellings of the same values."""
    brief = situation.brief
    sources = [*situation.told, *situation.given, *situation.heard, brief.phone]
    found = [fact for text in sources for fact in facts_of(text)]
    wanted = [float(item.qty) for item in brief.goal] + [float(c.qty_first) for c in brief.sheet.changes]
    amounts = {fact.amount for fact in found if fact.kind == "quantity"} | set(wanted)
    money = {fact.amount for fact in found if fact.kind == "money"}
    money |= {a + b for a, b in itertools.combinations(sorted(money)[:20], 2)} | {sum(money)}
    money |= {price * qty for price in money for qty in wanted}
    digits = {fact.value for fact in found if fact.kind in ("phone", "id")}
    digits |= {"".join(n.digits for n in numbers(text)) for text in sources}
    digits |= {re.sub(r"\W", "", token) for text in sources for token in plain(text).split()}
    return _Known(
        digits=frozenset(each for each in digits if len(each) >= 2 and any(map(str.isdecimal, each))),
        dates=frozenset({fact.value for fact in found if fact.kind == "date"} | _dates(situation, sources)),
        places=frozenset(stem(word) for text in sources for word in words(text)),
        house=frozenset(
            {fact.amount for fact in found if fact.kind == "address"}
            | {number.value for text in situation.heard for number in numbers(text)}
            | {n.value for text in situation.told if "address" in topics_in(text) for n in numbers(text)}
        ),
        money=frozenset(money),
        amounts=frozenset(amounts),
        numbers=frozenset(number.value for text in sources for number in numbers(text)),
        totals=frozenset({sum(wanted[: len(brief.goal)]), float(len(brief.goal))}),
    )


def _dates(situation: Situation, sources: Iterable[str]) -> set[str]:
    """The dates that the sources mean by a word: today, tomorrow, the coming Friday."""
    today = date_of(str(situation.variables.get("CURRENT_DATE", "")))
    if today is None:
        return set()
    spoken = " ".join(plain(text) for text in sources)
    days = {today} | {today + timedelta(n) for word, n in _RELATIVE if word in spoken}
    days |= {today + timedelta((weekday - today.weekday()) % 7) for weekday in weekday_of(spoken)}
    return {f"{day.month}-{day.day}" for day in days}


_RELATIVE = (("завтра", 1), ("послезавтра", 2), ("tomorrow", 1))
