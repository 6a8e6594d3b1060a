"""Words and stems: what the checks compare lines by."""

from __future__ import annotations

import re
from functools import lru_cache

from assay.exchanges.conversation.guard.patterns import word_set
from assay.exchanges.conversation.guard.situation import MAX_READ

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = re.compile(
    r"(?:иями|ями|ами|ого|его|ому|ему|ыми|ими|ией|ей|ой|ий|ый|ая|яя|ое|ее|ые|ие|ую|юю|ия|ию|ии|ью|ов|ев|ам|ям"
    r"|ах|ях|ом|ем|им|ым|их|ых|а|я|о|е|у|ю|ы|и|ь|й)\Z"
)
_ENGLISH = re.compile(r"(?:ies|es|s|ing|ed)\Z")

_EXCUSE = re.compile(
    r"[а-я]{2,}(?:ите|йте|ьте|ать|ять|ить|еть|ться|тся|мся|ло|лось|лись|шь|ют|ут|ят|ит|[аяуею]ет|[дчжшкг]ет|[ую])"
    r"|[а-я]{2,}(?:ено|ано|ово|тно|чно|жно|нно|ый|ое|ые|[жшчщкх]ий)|[а-я]{3,}ая"
    r"|[a-z]{3,}(?:ly|ing)"
)
"""Words of an excuse, not of an answer: Russian verbs and adverbs by their endings, English by theirs."""


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """The text in one case, with е for ё and plain spaces and quotes."""
    text = text[:MAX_READ].casefold().replace("ё", "е").replace("\u00a0", " ").replace("\u202f", " ")
    return text.replace("’", "'").replace("‑", "-")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in order, in one case."""
    return _WORD.findall(plain(text))


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """A word without its ending, at least three letters long: enough to know it again."""
    cut = (_ENGLISH if word.isascii() else _ENDINGS).sub("", word)
    return cut if len(cut) >= 3 else word


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that carry no meaning."""
    small = word_set("words.small")
    return frozenset(
        stem(word) for word in words(text) if word not in small and (len(word) > 1 or word.isdecimal())
    )


def is_everyday(word: str) -> bool:
    """Whether a word is of everyday talk: no name, no code word, no goods."""
    sets = ("words.common", "words.plain", "words.small", "words.bare", "words.capital")
    return any(word in word_set(name) for name in sets)


def is_excuse(word: str) -> bool:
    """Whether a word is of everyday talk, or of an excuse by its ending: no name and no code word."""
    return is_everyday(word) or _EXCUSE.fullmatch(word) is not None


def grams(tokens: list[str], size: int) -> set[tuple[str, ...]]:
    """Every run of so many words."""
    return {tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)}


@lru_cache(maxsize=256)
def grams_of(text: str, size: int) -> frozenset[tuple[str, ...]]:
    """The runs of words of a text that is looked at again and again (a prompt, a brief)."""
    return frozenset(grams(_WORD.findall(text.casefold().replace("ё", "е")), size))


def overlap(some: str, other: str) -> float:
    """The share of the first text's stems that the second one holds; 0 where it has none."""
    mine = stems(some)
    return len(mine & stems(other)) / len(mine) if mine else 0.0
