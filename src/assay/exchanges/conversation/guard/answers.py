"""Beside the goal: asking for what nobody named, and leaving a plain question without an answer.

Both need a judge in general; what is found here is what rules can find.
"""

from __future__ import annotations

from assay.agenda.phrases import mentions_name
from assay.exchanges.conversation.guard.disclosure import known_item, tells
from assay.exchanges.conversation.guard.facts import facts_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import is_everyday, overlap, plain, stem, words
from assay.exchanges.conversation.guard.topics import asks_for, content_of, evades, is_story, topics_in

PART = 0.3
"""The share of an item's words that answers a question for it."""


def off_goal_request(situation: Situation, candidate: Candidate) -> str | None:
    """A request for something whose words stand in no source."""
    known = {
        stem(word) for text in (*situation.told, *situation.given, *situation.heard) for word in words(text)
    }
    for found in one("request").finditer(plain(candidate.text)):
        if one("no_goods").match(found[1]):
            continue
        wanted = [
            word
            for word in words(found[1])
            if not is_everyday(word)
            and not word.isdecimal()
            and not numbers(word)
            and not one("words.unit").fullmatch(word)
        ]
        nouns = [word for word in wanted if stem(word) not in known and len(word) > 3][:2]
        if nouns and len(nouns) == len([word for word in wanted if len(word) > 3][:2]):
            return found[0]
    return None


def missed_answer(situation: Situation, candidate: Candidate) -> str | None:
    """A direct question about something in the brief that the line passes over."""
    question = situation.asked
    if candidate.hang_up is not None or (
        "?" not in question and not one("imperative").search(plain(question))
    ):
        return None
    if evades(candidate.text) or not situation.own or one("seeks_consent").search(plain(question)):
        return None
    asked = list(_asked(situation, question))
    if not asked or any(
        given for _, given in ((name, _gives(situation, candidate.text, name)) for name in asked)
    ):
        return None
    return f"{asked[0]} is asked for"


def _asked(situation: Situation, question: str) -> list[str]:
    brief, phrases = situation.brief, situation.words
    found = []
    if brief.phone and phrases.asks_phone.search(question) and "phone" in topics_in(question):
        found.append("phone")
    if brief.name and "name" in topics_in(question):
        found.append("name")
    if brief.city and "city" in topics_in(question):
        found.append("city")
    if phrases.asks_quantity.search(question) and "quantity" in topics_in(question) and brief.goal:
        found.append("quantity")
    found += [
        f"known:{text}"
        for name, text, _ in map(known_item, brief.sheet.known)
        if text and not is_story(text) and asks_for(question, text, name) and not tells(question, text)
    ]
    return found


def _gives(situation: Situation, text: str, what: str) -> bool:
    brief = situation.brief
    if what == "phone":
        return sum(len(number.digits) for number in numbers(text)) >= 4
    if what == "name":
        return any(mentions_name(text, part) for part in brief.name.split())
    if what == "city":
        return mentions_name(text, brief.city) or any(fact.kind == "address" for fact in facts_of(text))
    if what == "quantity":
        return bool(numbers(text)) or one("some").search(plain(text)) is not None
    item = what.removeprefix("known:")
    return overlap(content_of(item), text) >= PART or bool(
        {n.value for n in numbers(text)} & {n.value for n in numbers(item)}
    )
