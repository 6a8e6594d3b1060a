"""What a question asks for, and whether a line says that it is not known: the topics of a call."""

from __future__ import annotations

import re

from assay.exchanges.conversation.guard.patterns import one, topics, word_set
from assay.exchanges.conversation.guard.text import plain, stems, words

_LABEL = re.compile(r"\s*([^:—–\d]{2,40})[:—–]\s")


def topics_in(text: str) -> set[str]:
    """The topics that a text touches."""
    shown = plain(text)
    return {name for name in topics() if one(f"topic.{name}").search(shown)}


def asks(text: str) -> bool:
    """Whether a text asks for anything."""
    return one("asks").search(plain(text)) is not None


def asks_for(question: str, item: str, name: str = "") -> bool:
    """Whether an agent's line asks for an item of the brief ("Address: 5 Mira Street")."""
    shown = plain(question)
    if not asks(shown):
        return False
    about = topics_in(f"{label_of(item)} {name}") or topics_in(item)
    if about & topics_in(question):
        return True
    label = stems(label_of(item))
    return bool(label) and len(label & stems(question)) / len(label) >= 0.5


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
