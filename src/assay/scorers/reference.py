"""A reply beside its reference texts: what the text scorers measure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from msgspec import Struct

from assay.keys import JSON
from assay.scorers.exact import as_text
from assay.scorers.rule import Rule, alternatives, broken_case, ending, no_reply, not_applicable
from assay.trial import Score, Trial

LONGEST_TEXT = 50_000
"""Characters of a reply or a reference that are measured; a longer one leaves the trial unscored."""

_TOKEN = re.compile(r"\w+(?:[.,:'’-]\w+)*")


class Texts(Struct, frozen=True):
    """A reply, its references (one at least), and what a reason adds about the reply."""

    reply: str
    references: tuple[str, ...]
    note: str = ""


class Measure(Struct, frozen=True):
    """What a text scorer found: the value, its details, and a remark."""

    value: float
    details: dict[str, JSON]
    reason: str = ""


def norm(text: str, *, fold_yo: bool = False) -> str:
    """NFKC, casefold, one blank between words; with `fold_yo` ё is е (pipeline.md 3)."""
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return text.replace("ё", "е") if fold_yo else text


def tok(text: str, *, fold_yo: bool = False) -> list[str]:
    """The words and numbers of the normalised text, in order; marks between letters belong to them."""
    return _TOKEN.findall(norm(text, fold_yo=fold_yo))


def reference_texts(target: JSON) -> tuple[str, ...]:
    """The accepted texts of a target: a value, `{any_of: [...]}`, or `{text: ..., items: [...]}`."""
    if isinstance(target, dict) and "items" in target and target.keys() <= {"text", "items", "expect"}:
        target = target.get("text")
    return () if target is None else tuple(map(as_text, alternatives(target)))


def texts(name: str, trial: Trial) -> Texts | Score:
    """The reply and its references, or the score that says why there is nothing to measure.

    A played trial without a final reply is measured as an empty text, with the reason as its note.
    """
    reply = trial.transcript.final
    references = reference_texts(trial.case.target)
    if not references:
        return not_applicable(name, "the case has no reference text")
    said = "" if reply is None else reply.text
    longest = max(len(said), *map(len, references))
    if longest > LONGEST_TEXT:
        return broken_case(name, f"a text has {longest} characters, at most {LONGEST_TEXT} are measured")
    return Texts(said, references, no_reply(trial) if reply is None else ending(reply).strip())


def best_of(
    name: str,
    version: int,
    settings: JSON,
    measure: Callable[[str, str], Measure | None],
    *,
    least: bool = False,
) -> Rule:
    """A rule that measures the reply against each reference and keeps the best.

    `measure(reply, reference)` is None where the reference leaves it undefined; where all do, the
    trial is unscored. With `least` the lowest value is the best.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        given = texts(name, trial)
        if isinstance(given, Score):
            return (given,)
        measured = [(measure(given.reply, each), n) for n, each in enumerate(given.references)]
        found = [(one, n) for one, n in measured if one is not None]
        if not found:
            return (not_applicable(name, "the reference is empty"),)
        sign = -1.0 if least else 1.0
        best, which = max(found, key=lambda pair: (sign * pair[0].value, -pair[1]))
        details = best.details | ({"reference": which} if len(given.references) > 1 else {})
        reason = "; ".join(filter(None, (best.reason, given.note)))
        return (Score(name, best.value, reason, details=details),)

    return Rule(name, version, settings, check)
