"""What the client does not know, told all the same: a value for an item of `unknown`.

A line is read clause by clause. What is asked, denied or left to others gives no value; a value is known by
its shape (a figure, quotes, capitals, a name, a time) or by being all that the line answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from assay.agenda.brief import Unknown
from assay.exchanges.conversation.guard.facts import NEAR, Fact, facts_of
from assay.exchanges.conversation.guard.grounding import is_grounded, known_in
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one, word_set
from assay.exchanges.conversation.guard.situation import MAX_READ, Candidate, Situation
from assay.exchanges.conversation.guard.text import is_excuse, plain, stem, stems, words
from assay.exchanges.conversation.guard.topics import SENTENCE, asks, is_story, knows_not, label_of, topics_in

Kind = Literal["time", "number", "word"]
"""What a value of an item looks like: a time, something with figures, or a word or name."""
TAG = 3
"""So few words at the end ask back for what was stated: "right?", "got that?"."""
VALUE_WORDS, LONG = 2, 15
"""So many words that are not everyday talk can be a value, in a sentence of no more than so many."""


def unknown_revealed(situation: Situation, candidate: Candidate) -> str | None:
    """A value for an item of `unknown` that no agent line has told."""
    for item in situation.brief.sheet.unknown:
        text, value = unknown_item(item)
        if value and any(_says(line, value, text) for line in situation.heard):
            continue
        if value and _says(candidate.text, value, text):
            return value
        if _Item(situation, text).is_told_by(candidate.text):
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


def _kind_of(item: str) -> Kind:
    shown = plain(item)
    if one("unknown.word").search(shown):
        return "word"
    if one("unknown.time").search(shown):
        return "time"
    return "number" if one("unknown.number").search(shown) else "word"


class _Clause(Struct, frozen=True):
    """A clause with the mark before it. What its sentence is: denied without a guess, left to somebody else,
    all in capitals, too long to be a bare answer, a guess put as a question.
    """

    text: str
    denied: bool
    left: bool
    shouted: bool
    long: bool
    guess: bool


class _Item:
    """An item of `unknown` in a call: what it is about, and what is known besides."""

    def __init__(self, situation: Situation, text: str) -> None:
        self.situation, self.text, self.kind = situation, text, _kind_of(text)
        self.topic = stems(label_of(text)) - {stem(word) for word in word_set("words.vague")}
        self.asked = asks(situation.asked) and self._is_named_in(situation.asked)
        sources = (*situation.told, *situation.given, *situation.heard)
        # Every word of the sources; the words of those that name things rather than tell a story; the times.
        self.told = frozenset().union(*(stems(each) for each in sources), self.topic)
        naming = (each for each in sources if each in situation.heard or not is_story(each))
        self.named = frozenset().union(*(stems(each) for each in naming), self.topic)
        times = (found[0] for each in sources for found in one("time_told").finditer(plain(each)))
        self.times = frozenset(times if self.kind == "time" else ())
        self.sources = "\n".join(sources)

    def is_told_by(self, said: str) -> bool:
        """Whether a line states something of the item that was not told."""
        if not self.asked and not self._is_named_in(said):
            return False
        if self._states_fact(said):
            return True
        if any(self._is_marked(clause) or self._is_bare(clause) for clause in _clauses(said)):
            return True
        return self._is_named_in(said) and self._is_labelled(said)

    def _is_named_in(self, text: str) -> bool:
        """Whether a text speaks of the item: half of its words, and one of its own or its kind."""
        if not self.topic:
            return bool(topics_in(self.text) & topics_in(text))
        shown = plain(text)
        said = set(stems(text))
        kind = {"имя", "name"} if one("asks_name").search(shown) else set()
        kind |= {stem(word) for word in _TIMES} if one("asks_time").search(shown) else set()
        last = {stem(word) for word in _LAST}
        kind |= last if last & said else set()
        shared = self.topic & (said | kind)
        enough = len(shared) / len(self.topic) >= (0.5 if len(self.topic) > 1 else 1)
        of_kind = len(shared) >= 2 and bool(shared & kind)
        return enough and (shared == self.topic or of_kind or bool(shared - _common()))

    def _states_fact(self, said: str) -> bool:
        known = known_in(self.situation)
        for fact in facts_of(said):
            if fact.kind == "quantity" and not fact.amount and not fact.value[:1].isdecimal():
                continue
            told = fact.sure or (self.asked and fact.amount != 1) or self._is_read_out(fact, said)
            written = known.numbers if fact.value[:1].isdecimal() else known.amounts
            heard = fact.amount in known.prices | known.amounts | written  # worked-out sums are no codes
            if told and not (heard if fact.kind == "quantity" else is_grounded(fact, known)):
                return True
        return False

    def _is_read_out(self, fact: Fact, said: str) -> bool:
        """Whether a number goes on in the next one, where a line names a code: thirty-eight forty."""
        follows = numbers(fact.after[:NEAR])[:1]
        return self.kind == "number" and bool(follows) and follows[0].start <= 1 and self._is_named_in(said)

    def _is_marked(self, clause: _Clause) -> bool:
        """Whether a clause names something new that has the look of a value."""
        if clause.denied or _denies(clause.text):
            return False
        if self.kind == "time" and self._tells_time(clause.text):
            return True
        if not clause.shouted and any(self._is_new_mark(found) for found in _MARKED.finditer(clause.text)):
            return True
        return not clause.left and any(
            stems(found[1]) - self.told and plain(found[1]) not in word_set("words.capital")
            for found in _NAME.finditer(clause.text)
        )

    def _is_new_mark(self, found: re.Match[str]) -> bool:
        """Whether capitals stand so in no source and are no everyday word; whether quotes hold a new one."""
        if found[1]:
            return not is_excuse(plain(found[1])) and found[1] not in self.sources
        if found[2].isupper():
            return found[2] not in self.sources
        speech = len(words(found[2])) > VALUE_WORDS and _SPEAKS.search(
            found.string[max(0, found.start() - NEAR) : found.start()]
        )
        return not speech and bool(stems(found[0]) - self.named)

    def _tells_time(self, text: str) -> bool:
        return any(found[0] not in self.times for found in one("time_told").finditer(plain(text)))

    def _is_bare(self, clause: _Clause) -> bool:
        """Whether a clause is an answer of a word or two, with nothing but what presents it."""
        if not self.asked or self.kind != "word" or clause.denied or clause.left:
            return False
        if clause.long or clause.guess:
            return False
        said = words(clause.text)
        if _denies(clause.text) or word_set("words.clausal") & set(said):
            return False
        frame = word_set("words.naming") | word_set("words.small") | word_set("words.bare")
        acts = any(who in ("i", "я") and len(act) > 2 and act not in frame for who, act in pairwise(said))
        if acts or any(one("words.unit").fullmatch(word) for word in said):
            return False
        new = [word for word in said if word not in frame and stem(word) not in self.told]
        new = [word for word in new if len(word) > 2]
        return 1 <= len(new) <= VALUE_WORDS and not any(is_excuse(word) for word in new)

    def _is_labelled(self, said: str) -> bool:
        """Whether a line names the item and gives it one word: the code word is sunflower."""
        for sentence in SENTENCE.findall(said[:MAX_READ]):
            shown = plain(sentence)
            places = [found.end() for found in _WORD.finditer(shown) if stem(found[0]) in self.topic]
            if len(places) < len(self.topic) / 2 or not places or shown.rstrip().endswith("?"):
                continue
            found = _GIVEN.match(shown, max(places)) or _PUT_FIRST.match(shown)
            told = shown[min(places) :]
            if found is None or knows_not(sentence) or _denies(told) or one("others").search(told):
                continue
            if stem(found[1]) not in self.told and not is_excuse(found[1]):
                return True
        return False


def _common() -> frozenset[str]:
    return frozenset(stem(word) for word in word_set("words.common") | word_set("words.generic"))


def _clauses(said: str) -> Iterator[_Clause]:
    """The clauses that state something: those of a question if it is but a tag ("Dave, right?"); nothing from
    before it was remembered.
    """
    said = _HEDGE.sub("", _RECALLED.split(said[:MAX_READ])[-1])
    for read in SENTENCE.findall(said):
        shown = plain(read)
        guess = shown.rstrip().endswith("?") and _GUESSES.search(read) is not None
        sentence = _GUESSES.sub(", ", read) if guess else read
        length = len(words(sentence))
        denied = knows_not(sentence) and one("hedges").search(shown) is None
        left = one("others").search(shown) is not None
        cuts = [0, *(found.start() for found in _CLAUSE.finditer(sentence)), len(sentence)]
        clauses = [sentence[start:end] for start, end in pairwise(cuts)]
        if sentence.rstrip().endswith("?"):
            tagged = clauses[:-1] if len(words(clauses[-1])) <= TAG else []
            clauses = clauses if guess else tagged
        for clause in clauses:
            yield _Clause(clause, denied, left, sentence.isupper() and length > 1, length > LONG, guess)


def _denies(text: str) -> bool:
    """Whether a text says that it is not known, or leaves it for later or to somebody else."""
    return knows_not(text) or one("deflects").search(plain(text)) is not None


_TIMES = ("время", "дата", "день", "time", "date", "day", "когда", "when")
_LAST = ("прошлый", "последний", "предыдущий", "last", "previous")
_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(
    r"(?:(?<=[,;:—–-]\s)|(?<=[^\W\d_]\s))(?<!\bу )(?<!\bот )(?<!\bдля )(?<!\bto )(?<!\bfrom )(?<!\bask )"
    r"([A-ZА-ЯЁ][^\W\d_]{2,})(?!\w)"
)
_MARKED = re.compile(r"\b([A-ZА-ЯЁ]{3,}\d*)\b|[«\"“]([^»\"”]{2,40})[»\"”]")
"""What is set off as a value: in capitals, in quotes."""
_GIVEN = re.compile(
    r"(?:'s| is| was| are|\s*[:=—–]|\s+-|,? это| зовут| звали| put)\s*(?:the word |the |a |слово )?[\"'«“]?"
    r"([^\W\d_]{3,})(?:\s[^\W\d_]{3,})?[\"'»”]?\W*(?:\Z|[,;].*)"
)
_PUT_FIRST = re.compile(r"\W*([^\W\d_]{3,})(?:\s[^\W\d_]{3,})?[\"'»”]?\s*(?:[—–-]\s*(?:это)?|is |это )")
_RECALLED = re.compile(
    r"(?<!не )\bвспомнила?\b|\boh yes\b|\bremember(?:ed)? now\b|\boh wait,? i do\b", re.IGNORECASE
)
_GUESSES = re.compile(
    r"(?:\A|[,.:;…—-]) *(?:(?:а|ну|или|or|so|ох|oh)\W+)?"
    r"(?:(?:это|разве|неужели|может|может быть|наверное|вроде)(?: бы)?(?: не)?|"
    r"(?:wasn't|was|isn't|is|could) (?:it|he|she|that)(?: not| be)?|maybe|perhaps|possibly|probably),? ",
    re.IGNORECASE,
)
"""What puts a value forward in a question: "was it Dave?"."""
_SPEAKS = re.compile(
    r"\b(?:sa(?:y|ys|id)|tells?|told me|говор\w+|сказа\w+|скаж\w+|отвеча\w+)[,:]? *\Z", re.IGNORECASE
)
"""Before quotes of more words than a value has: somebody's speech."""
_HEDGE = re.compile(
    r"\b(?:если (?:я )?не (?:ошибаюсь|путаю)|if i(?:'|’)?m not (?:mistaken|wrong)|не спешу|no wait),?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;…—–]\s*|:\s+|\.\.\.\s*|\s(?:но|а|but)\s")
