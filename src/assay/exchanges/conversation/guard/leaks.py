"""Lines that show what no caller says: nothing at all, the model's thoughts, the brief itself."""

from __future__ import annotations

import re
from statistics import median

from assay.exchanges.conversation.guard.patterns import each, one, word_set
from assay.exchanges.conversation.guard.situation import MAX_READ, Candidate, Situation
from assay.exchanges.conversation.guard.text import grams, grams_of, plain, stems, words

VERBATIM = 8
"""So many words in a row of the brief are read aloud."""
LONG = 550
TIMES = 4
"""A line is suspiciously long above LONG characters and TIMES the client's median."""
STRANGE = 4
SMALL = 2
"""So many words of another language, and of them such as only join others, make a sentence of it."""


def empty(_: Situation, candidate: Candidate) -> str | None:
    """As `nothing_said`, in the form of a check."""
    return nothing_said(candidate)


def nothing_said(candidate: Candidate) -> str | None:
    """No letter, no digit, and no hang-up."""
    if candidate.hang_up is not None or any(char.isalnum() for char in candidate.text):
        return None
    return "nothing is said"


def reasoning_leak(situation: Situation, candidate: Candidate) -> str | None:
    """The model's thinking, or its being a model; or a line that is far too long."""
    text = one("reasoning_leak.aside").sub(" ", plain(candidate.text))
    found = _found(situation, "reasoning_leak", text)
    if found is not None:
        return found
    strange = _narrates(situation, text) or _in_another_language(situation, text)
    if strange is not None:
        return strange
    lengths = [len(line) for line in situation.own]
    if lengths and len(candidate.text) > LONG and len(candidate.text) > TIMES * median(lengths):
        return f"{len(candidate.text)} characters"
    return None


def _found(situation: Situation, section: str, text: str) -> str | None:
    """What a section finds, but for what only takes up the words of the agent's last line."""
    told = stems(situation.asked)
    for found in one(section).finditer(text):
        mine = stems(found[0])
        if not mine or not mine <= told:
            return found[0]
    return None


def _narrates(situation: Situation, text: str) -> str | None:
    """The caller's own name and what its bearer does: told as of somebody else."""
    for name in plain(situation.brief.name).split():
        at = text.find(name) if len(name) >= 3 else -1
        if at >= 0 and one("narrates").match(text, at + len(name)) is not None:
            return text[at : at + len(name) + 20]
    return None


def _in_another_language(situation: Situation, text: str) -> str | None:
    """A sentence in the language that nobody speaks in this call: a model thinks in its own."""
    small = word_set("words.small")
    latin, cyrillic = each("reasoning_leak.foreign")
    for found in (latin if situation.russian else cyrillic).finditer(text):
        spoken = words(found[0])
        known = {word for line in (*situation.heard, *situation.told) for word in words(line)}
        strange = [word for word in spoken if word not in known]
        if len(strange) >= STRANGE and sum(word in small for word in strange) >= SMALL:
            return found[0]
    return None


def goal_leak(situation: Situation, candidate: Candidate) -> str | None:
    """The brief word for word, the goal's JSON, names of variables, words of the grading."""
    raw = candidate.text[:MAX_READ]
    text = plain(raw)
    for shape in (_UPPER.search(raw), one("json").search(text)):
        if shape is not None:
            return shape[0]
    text = one("goal_leak.aside").sub(" ", text)
    if one("goal_leak.rated").search(plain(situation.asked)) is not None:
        text = _SCORE.sub(" ", text)
    sections = ("goal_leak", "goal_leak.latin") if situation.russian else ("goal_leak",)
    for section in sections:
        if (found := _found(situation, section, text)) is not None:
            return found
    return _identifier(situation, raw) or _named_variable(situation, raw) or _verbatim(situation, raw)


def _identifier(situation: Situation, raw: str) -> str | None:
    """A name as programs have them, that neither the agent nor the brief's texts hold: nobody speaks so."""
    for found in _SNAKE.finditer(raw):
        if not any(found[0] in line for line in (*situation.heard, *situation.told)):
            return found[0]
    return None


def _named_variable(situation: Situation, raw: str) -> str | None:
    for name in situation.variables:
        if "_" in name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", raw, re.IGNORECASE):
            return name
    return None


def _verbatim(situation: Situation, raw: str) -> str | None:
    """Eight words in a row of the brief or of the client's prompt that the agent has not said."""
    said = grams(words(raw), VERBATIM)
    if not said:
        return None
    brief = situation.brief
    opening = brief.sheet.opening or ""
    if not situation.own and opening:
        said -= grams_of(opening, VERBATIM)
    for item in brief.sheet.unknown:
        said -= grams_of(item if isinstance(item, str) else item.text, VERBATIM)
    for line in situation.heard:
        said -= grams(words(line), VERBATIM)
    for text in (brief.json, *situation.told, *situation.given, situation.client_prompt):
        shared = said & grams_of(text, VERBATIM)
        if shared:
            return " ".join(min(shared))
    return None


_SNAKE = re.compile(r"(?<![\w@./-])[A-Za-z]{2,20}(?:_[A-Za-z]{1,20}){1,5}(?![\w@]|\.\w)")
_SCORE = re.compile(r"(?<!the )(?<!my )\b(?:\w+ )?score\b(?! of \d)")
"""What a shop that asks to be rated is given."""
_UPPER = re.compile(
    r"\b(?:[A-Z]+_(?:GOAL|LEVEL|HISTORY|DATE|DAYS|PHONE|NAME)"
    r"|PATIENCE|PERSONALITY|AMBIGUITY|LOCATIONS|SEED|BRIEF|RUBRIC)\b"
)
