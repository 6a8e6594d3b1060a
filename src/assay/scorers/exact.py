"""Equality with the target after a stated normalisation."""

from __future__ import annotations

import re
import unicodedata

from assay.keys import JSON, plain_text
from assay.scorers.rule import Rule, alternatives, ending, no_reply, not_applicable, shown
from assay.trial import Score, Trial

LONGEST = 200_000
"""Characters of a reply that are compared; a longer one equals no target."""

_ASCII_MARKS = str.maketrans("", "", "!\"#$%&'()*+;<=>?@[\\]^_`{|}~")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,]|\.\d{3}(?!\d))")
# The mark comes first and what stands before it is looked back at, so that only marks are looked at.
_LOOSE = re.compile(r"[.,:/](?:(?<!\d.)|(?!\d))|-(?:(?!\d)|(?<=[^\W\d].))", re.DOTALL)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise(text: str, *, case: bool = False, punctuation: bool = False, articles: bool = False) -> str:
    """NFKC, then each of case, punctuation and English articles is dropped unless it is to count.

    As SQuAD's evaluation script, with two exceptions that keep numbers apart: a sign and marks
    within a number stay (1.5 is not 15), and thousands commas go (1,000 is 1000). White space is
    always one blank between words.
    """
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    if not case:
        text = text.casefold()
    if not punctuation:
        text = _without_punctuation(text)
    if not articles:
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split())


def _without_punctuation(text: str) -> str:
    if "," in text:
        text = _THOUSANDS.sub(lambda found: found[1].replace(",", ""), text)
    text = text.translate(_ASCII_MARKS)
    if not text.isascii():
        kept = (c for c in text if c in ".,:/-" or not unicodedata.category(c).startswith("P"))
        text = "".join(kept)
    return _LOOSE.sub("", text)


def as_text(value: JSON) -> str:
    """A target as text: texts as they are, other values as their JSON."""
    return value if isinstance(value, str) else plain_text(value)


def exact(*, case: bool = False, punctuation: bool = False, articles: bool = False) -> Rule:
    """Whether the reply equals the target. A setting that is true makes that difference count.

    The target is one value or `{any_of: [...]}`.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        reply, target = trial.transcript.final, trial.case.target
        if target is None:
            return (not_applicable("exact", "the case has no target"),)
        if reply is None:
            return (Score("exact", False, no_reply(trial)),)
        if len(reply.text) > LONGEST:
            return (Score("exact", False, f"the reply has {len(reply.text)} characters"),)
        found = normalise(reply.text, case=case, punctuation=punctuation, articles=articles)
        for wanted in map(as_text, alternatives(target)):
            if found == normalise(wanted, case=case, punctuation=punctuation, articles=articles):
                return (Score("exact", True, f"equals {shown(wanted)}"),)
        reason = f"{shown(reply.text)} is not {shown(as_text(target))}{ending(reply)}"
        return (Score("exact", False, reason),)

    return Rule("exact", 1, {"case": case, "punctuation": punctuation, "articles": articles}, check)
