"""A client that tells more than it may: held-back items unasked, too much at once."""

from __future__ import annotations

import re

from assay.agenda import Known, Phrases
from assay.agenda.phrases import mentions_name
from assay.exchanges.conversation.guard.facts import facts_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import grams, overlap, plain, stems, words
from assay.exchanges.conversation.guard.topics import (
    asked_in,
    asks,
    asks_for,
    content_of,
    is_story,
    label_of,
    topics_in,
)

TOLD = 0.6
"""The share of an item's words that tells it."""
TOLD_OF_STORY, RUN = 0.5, 5
"""The same for a story; and so many of its words in a row."""
_NEIGHBOURS = {
    "address": {"city", "time", "entry"},
    "entry": {"address"},
    "time": {"address", "city"},
    "phone": {"name"},
    "pay": {"time"},
    "comment": {"address", "time"},
}


def early_disclosure(situation: Situation, candidate: Candidate) -> str | None:
    """What was volunteered against the brief. The opening is the brief's own choice of first words."""
    opening = plain(situation.brief.sheet.opening or "").strip()
    if opening and not situation.own and plain(candidate.text).strip() == opening:
        return None
    return _phone(situation, candidate) or _known(situation, candidate) or _slots(situation, candidate)


def _phone(situation: Situation, candidate: Candidate) -> str | None:
    digits = re.sub(r"\D", "", situation.brief.phone)[-7:]
    if len(digits) < 7 or not _dials(candidate.text, digits):
        return None
    if any("phone" in asked_in(line) or one("asks_number").search(plain(line)) for line in situation.heard):
        return None
    if any(_dials(line.text, digits) for line in situation.lines):
        return None
    return "the telephone, before it was asked for"


def _dials(text: str, digits: str) -> bool:
    return digits in "".join(number.digits for number in numbers(text))


def _known(situation: Situation, candidate: Candidate) -> str | None:
    for item in situation.brief.sheet.known:
        name, text, volunteer = known_item(item)
        if volunteer == "always" or not text or not tells(candidate.text, text):
            continue
        if any(tells(line.text, text) for line in situation.lines):
            continue
        if any(asks_for(line, text, name) or _asks_around(line) for line in situation.heard):
            continue
        if volunteer == "adjacent" and _adjacent(situation, text, name):
            continue
        return text
    return None


def _asks_around(line: str) -> bool:
    """Whether a question takes in everything: is there anything else that we should know?"""
    return one("open_question").search(plain(line)) is not None


def _adjacent(situation: Situation, text: str, name: str) -> bool:
    about = topics_in(f"{label_of(text)} {name}") or topics_in(text)
    near = about.union(*(_NEIGHBOURS.get(topic, set()) for topic in about))
    return bool(near & asked_in(situation.asked)) or bool(stems(text) & stems(situation.asked))


def known_item(item: Known | str) -> tuple[str, str, str]:
    """The id, the text and the `volunteer` of an item of `known`."""
    return ("", item, "when_asked") if isinstance(item, str) else (item.id, item.text, item.volunteer)


def tells(line: str, item: str) -> bool:
    """Whether a line tells an item of the brief: its facts where it has such, else most of its words."""
    content = content_of(item)
    if is_story(item):
        said_of = grams(words(line), RUN) & grams(words(content), RUN)
        return bool(said_of) or overlap(content, line) >= TOLD_OF_STORY
    figures = [fact for fact in facts_of(content) if fact.amount or fact.value]
    if len(stems(content)) <= 1 and not figures:
        return len(words(content)) > 0 and stems(content) <= stems(line)
    said = {number.value for number in numbers(line)}
    wanted = {number.value for number in numbers(content)}
    mine = {each for each in stems(content) if not each.isdecimal()}
    if wanted:
        joined = "".join(number.digits for number in numbers(line))
        told = [n.value in said or (len(n.digits) > 2 and n.digits in joined) for n in numbers(content)]
        if sum(told) < len(told) / 2:
            return False
    if not mine:
        return bool(wanted)
    share = len(mine & stems(line)) / len(mine)
    return share >= (0.3 if wanted else TOLD)


def _slots(situation: Situation, candidate: Candidate) -> str | None:
    brief = situation.brief
    if not brief.goal or not brief.ambiguity:
        return None
    first = not situation.own
    told = revealed(situation, " ".join(line.text for line in situation.lines))
    new = revealed(situation, candidate.text, situation.asked) - told
    total = 2 * len(brief.goal)
    if first and len(new) > max(0, total - brief.ambiguity):
        return f"{len(new)} of {total} slots in the first line"
    allowed = 2 if _asks_both(situation.asked, situation.words) else 1
    if brief.ambiguity >= 2 and len(new) > allowed:
        return f"{len(new)} slots at once"
    return None


def revealed(situation: Situation, text: str, question: str = "") -> set[tuple[str, int]]:
    """The goal's slots that a text tells; an answer to a question about a product may leave out its name."""
    found: set[tuple[str, int]] = set()
    said = [fact.amount for fact in facts_of(text) if fact.kind == "quantity"]
    said += [number.value for number in numbers(text) if number.spoken and number.value > 1]
    for n, item in enumerate(situation.brief.goal):
        named = mentions_name(text, item.name)
        if named:
            found.add(("name", n))
        if float(item.qty) in said and (
            named or (len(situation.brief.goal) == 1 or mentions_name(question, item.name))
        ):
            found.add(("qty", n))
    return found


def _asks_both(question: str, phrases: Phrases) -> bool:
    shown = plain(question)
    return bool(phrases.asks_quantity.search(shown)) and asks(shown) and bool(_WHAT.search(shown))


_WHAT = re.compile(r"\bчто\b|как(?:ой|ая|ое|ие|ую) товар|\bwhat\b|\bwhich\b|какие|чего")
