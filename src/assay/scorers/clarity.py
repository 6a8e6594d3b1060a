"""How readable a text looks from outside: a stated heuristic of four parts, no judgement of sense."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from assay.scorers.reference import LONGEST_TEXT, tok
from assay.scorers.rule import Rule, broken_case, ending, no_reply
from assay.trial import Score, Trial

_BREAK = re.compile(r"([.!?…][\"'»”’)\]*_]*)\s+")
_ENDS = re.compile(r"[.!?…:][\"'»”’)\]*_`]*$")
_LIST_MARK = re.compile(r"(?:[-*•–—]|\(?\d{1,3}[.)]|\(?\w[.)])\s+")
_OPENING = re.compile(r"[\"'«“„‘(\[*_`#>¿¡\s]*")
_DEBRIS = re.compile(r"\{\{|\}\}|<\||\|>|\[/?INST\]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_SMILEY = re.compile(r"(?<!\w)[:;]-?[()]")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def clarity() -> Rule:
    """The mean of four parts in [0, 1], each in the details (pipeline.md 3); an empty reply is 0.

    `length`: the mean over sentences of a band of words (n / 5 below 5, 1 from 5 to 25, falling to
    0 at 50). `sentences`: the share that begins with a capital or a digit (where the script has
    cases) and ends in . ! ? … or : , or is an item of a list. `repetition`: distinct token 3-grams
    / 3-grams, 1 below three tokens. `form`: 1, or 0 for unbalanced brackets or fences, debris of
    templates and control characters.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        reply = trial.transcript.final
        if reply is None:
            return (Score("clarity", 0.0, no_reply(trial)),)
        if len(reply.text) > LONGEST_TEXT:
            return (broken_case("clarity", f"the reply has {len(reply.text)} characters"),)
        if not reply.text.strip():
            return (Score("clarity", 0.0, "the reply is empty"),)
        found = parts(reply.text)
        weakest = min(found, key=lambda name: found[name])
        reason = f"weakest part: {weakest}" if found[weakest] < 1 else ""
        value = math.fsum(found.values()) / len(found)
        return (Score("clarity", value, reason + ending(reply), details=dict(found)),)

    return Rule("clarity", 1, {}, check)


def parts(text: str) -> dict[str, float]:
    """The four parts of a text that is not empty."""
    said = sentences(text)
    words = [count for count in (len(tok(sentence)) for sentence in said) if count]
    return {
        "length": math.fsum(map(_band, words)) / len(words) if words else 0.0,
        "sentences": sum(map(_well_formed, said)) / len(said) if said else 0.0,
        "repetition": _distinct(tok(text)),
        "form": float(_clean(text)),
    }


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, code left out; a mark of a list stays with its item."""
    found: list[str] = []
    for piece in _BREAK.sub(r"\1\n", _FENCED.sub("\n", text)).splitlines():
        stripped = piece.strip()
        if found and _LIST_MARK.fullmatch(found[-1] + " "):
            found[-1] += " " + stripped
        elif stripped and any(map(str.isalnum, stripped)):
            found.append(stripped)
    return found


def _band(words: int) -> float:
    if words < 5:
        return words / 5
    return 1.0 if words <= 25 else max(0.0, (50 - words) / 25)


def _well_formed(sentence: str) -> bool:
    if _LIST_MARK.match(sentence):
        return True
    opening = _OPENING.match(sentence)
    first = sentence[opening.end() if opening else 0 :][:1]
    return _ENDS.search(sentence) is not None and first == first.upper()  # as it is without cases


def _distinct(tokens: Sequence[str]) -> float:
    if len(tokens) < 3:
        return 1.0
    grams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return len(set(grams)) / len(grams)


def _clean(text: str) -> bool:
    if _DEBRIS.search(text) or text.count("```") % 2:
        return False
    open_: list[str] = []
    for mark in _without_loose_marks(text):
        if mark in "([{":
            open_.append(mark)
        elif mark in _PAIRS and (not open_ or open_.pop() != _PAIRS[mark]):
            return False
    return not open_


def _without_loose_marks(text: str) -> str:
    """The text without smileys and the numbers of lists ("1)", "a)"), whose brackets have no pair."""
    return re.sub(r"(?m)^\s*\w{1,3}\)\s", " ", _SMILEY.sub(" ", text))
