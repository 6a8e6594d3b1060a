"""Exact match and token F1 as SQuAD's own evaluation script counts them."""

from __future__ import annotations

import re
import string
from collections import Counter

from assay.scorers.exact import LONGEST, as_text
from assay.scorers.rule import Rule, alternatives, broken_case, ending, no_reply, not_applicable, shown
from assay.trial import Score, Trial

NO_ANSWER = ("unanswerable", "no answer")

_MARKS = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def squad(*, no_answer: tuple[str, ...] = NO_ANSWER) -> Rule:
    """`squad_exact` and `squad_f1`, the best of the accepted answers each.

    The evaluation script of SQuAD 2.0 (Rajpurkar et al. 2018): lower case, no ASCII punctuation, no
    English articles, one blank between words; where either side is empty F1 is 1 if both are, else
    0. A reply or target that says one of `no_answer` is the empty answer.
    """
    none = frozenset(normalised(text) for text in no_answer)

    def words(text: str) -> list[str]:
        plain = normalised(text)
        return [] if plain in none else plain.split()

    def check(trial: Trial) -> tuple[Score, ...]:
        target, reply = trial.case.target, trial.transcript.final
        wanted = [as_text(each) for each in alternatives(target)] if target is not None else []
        if not wanted:
            return (not_applicable("squad_exact", "no target"), not_applicable("squad_f1", "no target"))
        said = "" if reply is None else reply.text
        if max(len(said), *map(len, wanted)) > LONGEST:
            reason = f"a text has more than {LONGEST} characters"
            return (broken_case("squad_exact", reason), broken_case("squad_f1", reason))
        if reply is None:
            return (Score("squad_exact", False, no_reply(trial)), Score("squad_f1", 0.0, no_reply(trial)))
        mine = words(said)
        exact = any(mine == words(each) for each in wanted)
        best = max(_f1(mine, words(each)) for each in wanted)
        reason = f"{shown(said)} beside {shown(wanted[0])}{ending(reply)}"
        return (Score("squad_exact", exact, reason), Score("squad_f1", best, reason))

    return Rule("squad_exact", 1, {"no_answer": list(no_answer)}, check)


def normalised(text: str) -> str:
    """The text as the script compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_MARKS)).split())


def _f1(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))
