"""What a question asks for, and whether a line says that it is not known: the topics of a call."""

from __future__ import annotations

import re
from functools import lru_cache

from assay.exchanges.conversation.guard.facts import facts_of
from assay.exchanges.conversation.guard.patterns import one, topics, word_set
from assay.exchanges.conversation.guard.situation import MAX_READ
from assay.exchanges.conversation.guard.text import plain, stem, stems, words

STORY = 8
"""So many words without a label are a story."""
BRIEFLY = 5
"""So few words ask for what they name: "Your address, then."."""
SENTENCE = re.compile(r"[^.?!]+[.?!]*")
_FIGURE = re.compile(r"\d")
_QUOTED = re.compile(r"«[^«»]{1,60}»")
"""The name of a shop, which asks for nothing."""
_LABEL = re.compile(r"\s*([^:—–\d]{2,40})[:—–]\s")


@lru_cache(maxsize=4096)
def topics_in(text: str) -> frozenset[str]:
    """The topics that a text touches."""
    shown = plain(text)
    return frozenset(name for name in topics() if one(f"topic.{name}").search(shown))


def asks(text: str) -> bool:
    """Whether a text asks for anything."""
    return one("asks").search(plain(text)) is not None


def asks_for(question: str, item: str, name: str = "") -> bool:
    """Whether an agent's line asks for an item of the brief ("Address: 5 Mira Street")."""
    if is_story(item):
        return asks(question) and (
            one("why").search(plain(question)) is not None or len(_telling(item) & _telling(question)) >= 2
        )
    about = topics_in(f"{label_of(item)} {name}") or topics_in(item) | _kinds_in(item)
    if about & asked_in(question):
        return True
    if about or not asks(question):
        return False
    label = stems(label_of(item))
    return bool(label) and len(label & stems(question)) / len(label) >= 0.5


@lru_cache(maxsize=4096)
def asked_in(line: str) -> frozenset[str]:
    """The topics that an agent's line asks for: by a question, a request, no more than their name, or by
    a value of theirs and a question mark.
    """
    found: set[str] = set()
    request = asks(line)
    for sentence in SENTENCE.findall(_QUOTED.sub("", line[:MAX_READ])):
        spared = not sentence.rstrip().endswith("?") and one("spared").search(plain(sentence))
        if (request or len(words(sentence)) <= BRIEFLY) and not spared:
            found |= topics_in(sentence)
        if "?" in line:
            found |= _kinds_in(sentence)
    return frozenset(found)


def _kinds_in(text: str) -> set[str]:
    """The topics whose values a text holds: an address, a telephone."""
    return {fact.kind for fact in facts_of(text) if fact.kind in ("address", "phone")}


def is_story(item: str) -> bool:
    """Whether an item is told in whole sentences: it has no label and no figure that would be its value."""
    return len(words(item)) >= STORY and label_of(item) == item and not _FIGURE.search(item)


def _telling(text: str) -> set[str]:
    """The stems of a text that are not said in every order."""
    return {each for each in stems(text) if each not in {stem(word) for word in word_set("words.common")}}


def label_of(item: str) -> str:
    """The words before a colon or dash, where an item has such; else the item."""
    found = _LABEL.match(item)
    return found[1] if found is not None else item


def content_of(item: str) -> str:
    """What an item says, without its label."""
    found = _LABEL.match(item)
    return item[found.end() :] if found is not None and item[found.end() :].strip() else item


def knows_not(text: str) -> bool:
    """Whether a line says that its speaker does not know."""
    return one("unknowing").search(plain(text)) is not None


def evades(text: str) -> bool:
    """Whether a line says that it is not known, asks back or asks for a moment."""
    shown = plain(text)
    return any(one(name).search(shown) for name in ("unknowing", "waits", "clarifies"))


def bare(text: str) -> bool:
    """Whether a line is no more than a yes, a no, a thanks or a good-bye."""
    return all(word in word_set("words.bare") for word in words(text))
