"""The course of the call: hanging up before the end, beginning anew, saying the same again."""

from __future__ import annotations

import re
from itertools import pairwise

from assay.agenda.phrases import mentions_name
from assay.exchanges.conversation.guard.facts import weekday_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.patterns import one
from assay.exchanges.conversation.guard.situation import Candidate, Situation
from assay.exchanges.conversation.guard.text import overlap, plain, words
from assay.exchanges.conversation.guard.topics import asked_in, bare, topics_in
from assay.exchanges.conversation.loops import REPEATS, normalised

SAME = 0.8
ALIKE = 0.75


def premature_hangup(situation: Situation, candidate: Candidate) -> str | None:
    """Content before the order is placed, or tired of the agent before patience can be spent."""
    if candidate.hang_up == "goal_done" and not any(is_placed(situation, line) for line in situation.heard):
        return "no agent line has said that the order is placed"
    if candidate.hang_up == "gave_up" and not _may_give_up(situation):
        return "patience cannot be spent yet"
    return None


def is_placed(situation: Situation, line: str) -> bool:
    """Whether an agent's line says that the order is placed: stated, not denied, and no consent sought."""
    if one("wants_yes").search(plain(line)):
        return False
    sentences = [plain(sentence) for sentence in _SENTENCES.split(line)]
    if any(each.rstrip().endswith("?") and one("seeks_consent").search(each) for each in sentences):
        return False
    for shown in sentences:
        if (situation.words.is_placed.search(shown) or one("placed").search(shown)) and not (
            one("not_placed").search(shown) or (shown.rstrip().endswith("?") and not _STATED.search(shown))
        ):
            return True
    return False


def _may_give_up(situation: Situation) -> bool:
    """Whether an agent's line refused anything, or so many helped nothing that patience could be spent."""
    if any(_refuses(situation, line) for line in situation.heard):
        return True
    return _helpless(situation) >= 2 + 2 * situation.brief.patience


def _refuses(situation: Situation, line: str) -> bool:
    phrases = situation.words
    if any(each.search(line) for each in (phrases.is_unavailable, phrases.is_transfer, phrases.is_farewell)):
        return True
    if one("refusal").search(plain(line)):
        return True
    return any(
        one("refusal.weak").search(one("not_refused").sub("", plain(sentence)))
        for sentence in _SENTENCES.split(line)
        if not sentence.rstrip().endswith("?")
    )


def _helpless(situation: Situation) -> int:
    """How many agent's lines, once the client has spoken, brought the order no further: they name no goods
    and no figure, and ask for nothing that was not asked before.
    """
    asked: set[str] = set()
    count, spoken = 0, False
    for line in situation.lines:
        spoken = spoken or line.side == "client"
        if line.side != "agent":
            continue
        topics = asked_in(line.text)
        named = any(mentions_name(line.text, item.name) for item in situation.brief.goal)
        shown = plain(line.text)
        offers = any(one(name).search(shown) for name in ("seeks_consent", "proceeds")) or weekday_of(shown)
        helps = named or topics - asked or numbers(line.text) or offers
        asked |= topics
        count += spoken and not helps
    return count


def restart(situation: Situation, candidate: Candidate) -> str | None:
    """The request from the beginning, in a call that has begun."""
    first = next((line for line in situation.own if _requests(situation, line)), None)
    text, asked = plain(candidate.text), plain(situation.asked)
    greets_and_asks = one("greets").search(text) and one("opens").search(text)
    repeats = one("again").search(text) or (one("rephrases").search(text) and not greets_and_asks)
    if first is None or repeats or one("asked_again").search(asked):
        return None
    return None if _new_speaker(situation) else _begins_anew(situation, candidate.text, first)


def _begins_anew(situation: Situation, said: str, first: str) -> str | None:
    text, whole = plain(said), len(words(first)) >= 4
    if whole and normalised(said) == normalised(first):
        return "the first request again"
    grateful = _GRATEFUL.search(text) is not None and is_placed(situation, situation.asked)
    parting = grateful or one("thanks_for").search(text) is not None
    asks_anew = one("opens").search(text) is not None if parting else _requests(situation, said)
    if one("greets").search(_QUOTED.sub("", text)) is not None and asks_anew:
        return "greets and asks again"
    if one("afresh").search(text) and not one("affirming").search(text):
        return "a new order"
    asks = situation.words.asks_more.search(situation.asked) is not None
    if whole and not asks and _alike(said, first) >= ALIKE and one("opens").search(text):
        return "much of the first request again"
    return None


def _alike(text: str, first: str) -> float:
    mine, theirs = set(words(text)), set(words(first))
    return len(mine & theirs) / max(1, min(len(mine), len(theirs))) if len(mine) >= 4 else 0.0


def _requests(situation: Situation, text: str) -> bool:
    return one("opens").search(plain(text)) is not None or any(
        mentions_name(text, item.name) for item in situation.brief.goal
    )


def _new_speaker(situation: Situation) -> bool:
    """Whether another operator has just taken the call, or the line was cut and called anew."""
    if len(situation.heard) < 2:
        return False
    last = plain(situation.heard[-1])
    before = situation.heard[-2] if len(situation.heard) > 1 else ""
    return bool(
        one("greets").search(last)
        or one("takes_over").search(last)
        or one("cut").search(last)
        or situation.words.is_transfer.search(before)
        or one("cut").search(plain(situation.own[-1]))
    )


def loop(situation: Situation, candidate: Candidate) -> str | None:
    """The same line for the third time, though the agent did not ask the same each time."""
    said = normalised(candidate.text)
    if not said or bare(candidate.text):
        return None
    own = [
        at
        for at, line in enumerate(situation.lines)
        if line.side == "client" and normalised(line.text) == said
    ]
    if len(own) < REPEATS - 1:
        return None
    questions = [situation.lines[at - 1].text for at in own if at and situation.lines[at - 1].side == "agent"]
    questions = [*questions, situation.asked][-REPEATS:]
    if len(questions) == REPEATS and all(_same(some, other) for some, other in pairwise(questions)):
        return None
    return candidate.text


def _same(some: str, other: str) -> bool:
    """Whether two questions of the agent ask the same: in like words, or about one thing."""
    if normalised(some) == normalised(other) or one("asked_again").search(plain(other)):
        return True
    if min(overlap(some, other), overlap(other, some)) >= SAME:
        return True
    shared = topics_in(some) & topics_in(other)
    return bool(shared) and shared == topics_in(some) | topics_in(other)


_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_GRATEFUL = re.compile(r"\b(?:thank|cheers|спасибо|благодар|жду\b|ждем\b)")
_QUOTED = re.compile(r"[«\"“][^»\"”]{1,60}[»\"”]")
_STATED = re.compile(r"\d")
